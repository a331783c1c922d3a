"""The verbs, a file each. The command line, its help, `doctor` and the reference page are made from this table."""

from importlib import import_module

from lmedge.verb import Verb

VERBS: dict[str, Verb] = {}


def add(verb: Verb) -> None:
    """Makes a verb known. Raises ValueError for a name that is taken."""
    if verb.name in VERBS:
        raise ValueError(f"there is a verb {verb.name!r} already")
    VERBS[verb.name] = verb


# In order of use.
for _file in (
    "toy",
    "prepare",
    "add_attributes",
    "train_attributes",
    "train_gan",
    "invert",
    "invert_photo",
    "check_inversion",
    "edit",
    "label",
    "train_lgen",
    "evaluate",
    "report",
    "export",
    "sample",
    "interpolate",
    "synthesize",
    "study",
    "train_detector",
    "detect",
    "serve",
    "web_export",
    "bench",
    "info",
    "doctor",
    "completion",
    "demo",
):
    add(import_module(f"{__name__}.{_file}").VERB)
