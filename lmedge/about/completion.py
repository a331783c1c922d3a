"""Scripts that complete `lmedge` in a shell. tyro's own offer no files where a folder is wanted, and start Python at
each press of the key."""

import itertools
import shlex
from collections.abc import Iterable

from lmedge.option_help import OptionHelp, described
from lmedge.options import Stage
from lmedge.verb import Verb

BASH = """# lmedge: eval "$(lmedge completion bash)"
_lmedge() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" line="${{COMP_WORDS[*]}} " words=""
    COMPREPLY=()
    # bash makes three words of --family=began.
    [ "$word" = "=" ] && word=""
    [ "$before" = "=" ] && before="${{COMP_WORDS[COMP_CWORD-2]}}"
    if [ "$COMP_CWORD" -eq 1 ]; then
        words={verbs}
    else
        case "${{COMP_WORDS[1]}} $before" in
{choices}
        esac
        if [ "${{word#-}}" != "$word" ]; then
            case "${{COMP_WORDS[1]}} ${{line// = / }}" in
{options}
            esac
        fi
    fi
    # No words leave it to the shell, which completes files.
    [ -n "$words" ] && COMPREPLY=($(compgen -W "$words" -- "$word"))
    return 0
}}
complete -o bashdefault -o default -F _lmedge lmedge
"""
# zsh runs scripts of bash, when it is asked to.
ZSH = "autoload -Uz compinit bashcompinit && compinit && bashcompinit\n"


def completion(shell: str, verbs: Iterable[Verb]) -> str:
    """The script for "bash" or "zsh" that completes verbs, their options, the words that an option takes, and files."""
    verbs = list(verbs)
    names, script = shlex.quote(" ".join(verb.name for verb in verbs)), ZSH if shell == "zsh" else ""
    return script + BASH.format(
        verbs=names,
        choices="\n".join(itertools.chain(*map(_choices, verbs))),
        options="\n".join(itertools.chain(*map(_options, verbs))),
    )


def _choices(verb: Verb) -> list[str]:
    """What each option of a verb takes, and what its first word is."""
    taken: dict[str, list[str]] = {verb.choice.option: [*verb.choice.words()]} if verb.choice else {}
    for option in itertools.chain(*map(_named, verb.kinds().values())):
        taken.setdefault(option.written, []).extend(option.choices)
    for option in [option for option in described(verb.options) if option.positional][:1]:
        taken[verb.name] = [*option.choices]
    return [_case(shlex.quote(f"{verb.name} {before}"), words, 12) for before, words in taken.items() if words]


def _options(verb: Verb) -> list[str]:
    """The options of each kind where the line has the words that choose it, and else those of all."""
    kinds = {" ".join(words): _named(kind) for words, kind in verb.kinds().items()}
    begins, every = shlex.quote(f"{verb.name} "), [*itertools.chain(*kinds.values())]
    cases = {f"{begins}*{shlex.quote(f' {words} ')}*": some for words, some in kinds.items() if words}
    return [
        _case(pattern, ["--help", *itertools.chain(*map(_written, named))], 16)
        for pattern, named in {**cases, f"{begins}*": every}.items()
    ]


def _named(kind: type[Stage]) -> list[OptionHelp]:
    return [option for option in described(kind) if not option.positional]


def _written(option: OptionHelp) -> list[str]:
    """An option, and its opposite where it is on."""
    on = not option.metavar and bool(option.default)
    return [option.written, *([f"--no-{option.written[2:]}"] if on else [])]


def _case(pattern: str, words: list[str], indent: int) -> str:
    return f"{' ' * indent}{pattern}) words={shlex.quote(' '.join(dict.fromkeys(words)))} ;;"
