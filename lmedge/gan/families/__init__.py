"""The families of generators, by name."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmedge.errors import UsageError, nearest
from lmedge.gan.families.began.family import BeganFamily
from lmedge.gan.families.relativistic.family import RelativisticFamily
from lmedge.gan.family import Family
from lmedge.gan.options import FAMILIES, TrainGanConfig

if TYPE_CHECKING:
    from lmedge.run import Run

DEFAULT = RelativisticFamily.name
OLDEST = BeganFamily.name  # of runs that were trained before there were families


def register(family: Family[Any]) -> None:
    """From now on `--family` knows it."""
    FAMILIES[family.name] = family


def names() -> list[str]:
    """Of the families that there are."""
    return list(FAMILIES)


def family_named(name: str, where: str = "--family") -> Family[Any]:
    """The family called `name`. Raises UsageError, which says `where` the name stands."""
    if name not in FAMILIES:
        raise UsageError(f"{where} {name!r} is unknown; {nearest(name, FAMILIES)}")
    return FAMILIES[name]


def family_of(run: Run) -> Family[Any]:
    """The family of a run's generator; the default one where none was trained yet. Raises UsageError."""
    trained = run.stage("train-gan", TrainGanConfig)
    name = trained.get("family", OLDEST if trained else DEFAULT)
    return family_named(name, f"{run.config_file}: family")


def options_of(words: list[str]) -> type[TrainGanConfig]:
    """The options that a command line of `train-gan` is read with: those of the family that it names, or that its
    file of options names. Raises UsageError for a family that is not known, and for none after --family."""
    name = _said(words, "--family")
    if name == "":
        raise UsageError(f"--family needs a value; take one of {', '.join(FAMILIES)}.")
    return family_named(name or _in_file(_said(words, "--options")) or DEFAULT).options


def _said(words: list[str], option: str) -> str | None:
    """The last value of an option among words that nobody has read yet, "" where it has none; None without it."""
    value = None
    for word, following in pairwise([*words, ""]):
        if word == option:
            value = "" if following.startswith("--") else following
        elif word.startswith(f"{option}="):
            value = word.removeprefix(f"{option}=")
    return value


def _in_file(file: str | None) -> str | None:
    from lmedge.storage import read_json

    if not file or not Path(file).is_file():
        return None  # who reads the options says what is wrong with it
    name = read_json(Path(file), "a file of options").get("family")
    return name if isinstance(name, str) else None


register(BeganFamily())
register(RelativisticFamily())
