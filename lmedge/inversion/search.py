"""How latents are searched for."""

from dataclasses import dataclass
from typing import Literal

from lmedge.options import Precision

Method = Literal["gauss-newton", "adam"]
Preset = Literal["fast", "paper"]
Start = Literal["encoder", "centre", "random"]


@dataclass(frozen=True)
class Search:
    """A search with everything decided.

    `start`: the encoder's guess, the middle of the latent, or a draw; `steps` of one search; `rounds`: Gauss-Newton
    searches after each other, each with fresh derivatives; `background`: weight of what is around the face, against 1
    for the face; `batch`: faces at a time; `precision` in which the generator computes, never "auto"; `seed` of random
    starts, redraws and the encoder; `encoder_steps`: for how long an encoder is trained where there is none.
    """

    method: Method = "gauss-newton"
    start: Start = "centre"
    steps: int = 10
    rounds: int = 1
    background: float = 0.2
    batch: int = 64
    precision: Precision = "float32"
    seed: int = 0
    encoder_steps: int = 500


def usual(preset: Preset, start: Start, alone: bool = False) -> Search:
    """The search of a preset from this start; `alone`: where one face may take its time."""
    rounds = 4 if alone else 2 if start == "centre" else 1
    if preset == "paper":
        return Search("adam", start, steps=1000, rounds=rounds, background=1.0)
    return Search("gauss-newton", start, rounds=rounds)
