"""Scripts that complete `lmedge` in a shell. tyro's own offer no files where a folder is wanted, and start Python at
each press of the key."""

import itertools
import shlex
from collections.abc import Mapping

from lmedge.option_help import OptionHelp

BASH = """# lmedge: eval "$(lmedge completion bash)"
_lmedge() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" words=""
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words={verbs}
    else
        case "${{COMP_WORDS[1]}} $before" in
{choices}
        esac
        if [ -z "$words" ] && [ "${{word#-}}" != "$word" ]; then
            case "${{COMP_WORDS[1]}}" in
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


def completion(shell: str, verbs: Mapping[str, list[OptionHelp]]) -> str:
    """The script for "bash" or "zsh" that completes verbs, their options, the words that an option takes, and files;
    `verbs`: name -> what `described` says of it."""
    choices, options = [], []
    for verb, described in verbs.items():
        named = [option for option in described if not option.positional]
        options.append(_case(verb, ["--help", *itertools.chain(*map(_written, named))], 16))
        choices += [_case(f"{verb} {option.written}", option.choices, 12) for option in named if option.choices]
    script = BASH.format(verbs=shlex.quote(" ".join(verbs)), choices="\n".join(choices), options="\n".join(options))
    return (ZSH if shell == "zsh" else "") + script


def _written(option: OptionHelp) -> list[str]:
    """An option, and its opposite where it is on."""
    on = not option.metavar and bool(option.default)
    return [option.written, *([f"--no-{option.written[2:]}"] if on else [])]


def _case(pattern: str, words: "list[str] | tuple[str, ...]", indent: int) -> str:
    return f"{' ' * indent}{shlex.quote(pattern)}) words={shlex.quote(' '.join(words))} ;;"
