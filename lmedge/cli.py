"""The command line: parses, runs the verb, and turns what goes wrong into one sentence and an exit code."""

import json
import shutil
import sys
import textwrap
import traceback

from lmedge import __version__, interrupt
from lmedge.errors import LmedgeError, UsageError, nearest
from lmedge.failures import outside_our_hands
from lmedge.printable import print_text
from lmedge.quiet import keep_quiet, load_tensorflow
from lmedge.verbs import VERBS

LONGEST = 2000  # characters of a refusal, which may quote what a stranger's file holds


def main(argv: list[str] | None = None) -> int:
    """Runs a command line; returns its exit code: 0, 1 for a failed run, 2 for a wrong call, 130 for one that was
    stopped."""
    argv = sys.argv[1:] if argv is None else argv
    keep_quiet()
    debug = "--debug" in argv
    try:
        return _main(argv)
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        if isinstance(error, KeyboardInterrupt) or interrupt.pressed():
            return _refuse(interrupt.STOPPED, interrupt.EXIT_CODE)
        if isinstance(error, LmedgeError):
            return _refuse(str(error), error.exit_code)
        if isinstance(error, BrokenPipeError):
            return 141
        return _refuse(*outside_our_hands(error))


def _refuse(sentence: str, code: int) -> int:
    sentence = sentence.replace("\n", "\\n")  # one sentence, whatever names and values it quotes
    print_text(f"lmedge: {sentence if len(sentence) <= LONGEST else sentence[:LONGEST] + ' ...'}", file=sys.stderr)
    return code


def _main(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if argv[0] in ("-V", "--version"):
        print(f"lmedge {__version__}")
        return 0
    name, words = argv[0], argv[1:]
    if name not in VERBS:
        raise UsageError(f"there is no verb {name!r}; {nearest(name, VERBS)}")
    from lmedge.command_line import parse
    from lmedge.options import to_json

    verb = VERBS[name]
    verb.refuse_moved(words)
    try:
        options = parse(verb.kind(words), name, words)
    except SystemExit:  # --help has been printed
        return 0
    if verb.trains:
        load_tensorflow()
    if options.dry_run:
        print(json.dumps(to_json(verb.resolve(options)), indent=2))
    else:
        verb.run(options)
    return 0


def _overview() -> str:
    width, columns = max(map(len, VERBS)) + 4, shutil.get_terminal_size().columns
    lines = [textwrap.fill(verb.summary, columns, subsequent_indent=" " * width,
                           initial_indent=f"  {name}".ljust(width)) for name, verb in VERBS.items()]  # fmt: skip
    about = "Train a small face generator that also says where the landmarks are, and run it on a phone."
    more = "`lmedge VERB --help` explains a verb. `lmedge demo` shows all of it on drawn faces."
    return "\n".join(
        ["usage: lmedge VERB [options]", "", textwrap.fill(about, columns), "",
         "verbs, in order of use:", *lines, "", textwrap.fill(more, columns)]
    )  # fmt: skip
