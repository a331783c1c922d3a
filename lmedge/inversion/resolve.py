"""From options and a run to a search with everything decided."""

import dataclasses
from typing import Any, TypeVar

from lmedge.errors import UsageError
from lmedge.gan.devices import resolve_precision
from lmedge.gan.options import TrainGanConfig
from lmedge.inversion.encoder import has_encoder
from lmedge.inversion.options import InvertConfig, SearchConfig
from lmedge.inversion.search import Search, Start, usual
from lmedge.options import Precision
from lmedge.run import Run

Config = TypeVar("Config", bound=SearchConfig)
# What a search decides of the options.
DECIDED = ("start", "steps", "rounds", "background", "precision")
# What an inversion has noted of its search in the run.
NOTED = (*DECIDED, "batch", "seed", "encoder_steps")


def decided(config: SearchConfig, run: Run, start: Start, alone: bool = False) -> Search:
    """The search of a preset from `start`, with what the options say of it; `alone` as in `usual`."""
    search = usual(config.preset, start, alone)
    return dataclasses.replace(
        search,
        steps=search.steps if config.steps is None else config.steps,
        rounds=search.rounds if config.rounds is None else config.rounds,
        precision=precision_in(run, config.precision),
        seed=config.seed,
    )


def start_alone(config: SearchConfig, run: Run) -> Start:
    """Where the search for a face begins that comes without a dataset to train an encoder on. Raises UsageError for an
    encoder where there is none."""
    start = config.start or ("random" if config.preset == "paper" else None)
    if start in ("centre", "random"):
        return start
    there = has_encoder(run)
    if start == "encoder" and not there:
        raise UsageError(f"--start encoder: {run} has none; `lmedge invert {run} DATASET` trains one.")
    return "encoder" if there else "centre"


def filled(config: Config, search: Search) -> Config:
    """The options with what the search has decided."""
    own = {field.name for field in dataclasses.fields(config)}
    return dataclasses.replace(config, **{name: getattr(search, name) for name in DECIDED if name in own})


def precision_in(run: Run, asked: Precision = "auto") -> Precision:
    """The numbers that the run's generator computes in here."""
    return resolve_precision(asked, run.stage("train-gan", TrainGanConfig).get("width") or 0)[0]


def recorded(run: Run) -> Search:
    """The search that the run's latents come from, or the usual one where nothing is noted of it."""
    noted = run.stage("invert", InvertConfig)
    said: dict[str, Any] = {name: noted[name] for name in NOTED if noted.get(name) is not None}
    said["precision"] = precision_in(run, said.get("precision", "auto"))
    return dataclasses.replace(usual(noted.get("preset", "fast"), said.get("start", "encoder")), **said)
