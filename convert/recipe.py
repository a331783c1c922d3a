"""The variants of a model as data: what is quantised, what the signature takes and gives."""

from dataclasses import dataclass
from typing import Literal, get_args

from convert.fold import Fold
from lmedge.errors import UsageError
from lmedge.variants import VariantName


@dataclass(frozen=True)
class Recipe:
    """How one variant is made.

    `weights`: how they are stored. `static`: activations are int8 too, with ranges fixed beforehand.
    `integer_io`: latents, image and landmarks are int8 as well, with scale and zero point in the model.
    `tuned`: weights come from quantisation-aware fine-tuning.
    """

    name: str
    weights: Literal["float32", "float16", "int8"]
    static: bool = False
    integer_io: bool = False
    tuned: bool = False

    @property
    def weight_bytes(self) -> int:
        """Bytes of a stored weight."""
        return {"float32": 4, "float16": 2, "int8": 1}[self.weights]


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("fp32", "float32"),
        Recipe("fp16", "float16"),
        Recipe("dynamic", "int8"),
        Recipe("int8", "int8", static=True),
        Recipe("int8-io", "int8", static=True, integer_io=True),
        Recipe("int8-qat", "int8", static=True, tuned=True),
    )
}
assert tuple(RECIPES) == get_args(VariantName)


@dataclass(frozen=True)
class Rewrites:
    """What is done to the networks beyond what the stock converter does; switched off for comparison only.

    `fold`: upsampling folded into convolutions (see convert.fold). `int8_elu`: ELU computed in int8.
    `fit_ranges`: int8 ranges narrowed while the output gets better (see convert.ranges). `repeat_latents`: numbers of a
    latent that weigh most given several times (see convert.repeated). `round_weights`: int8 weights that make up for
    each other (see convert.rounding). `signatures`: `generate` and `landmarks` beside `sample`.
    """

    fold: Fold = "phases"
    int8_elu: bool = True
    fit_ranges: bool = True
    repeat_latents: bool = True
    round_weights: bool = True
    signatures: bool = True


@dataclass(frozen=True)
class Tuning:
    """Quantisation-aware fine-tuning: Adam steps of `batch` fresh latents; the rate falls along a cosine to 0. At 1e-4
    and more, weights move past levels of int8 that were right, and nothing is won."""

    steps: int = 600
    batch: int = 16
    learning_rate: float = 2e-5
    seed: int = 0


def recipes(names: tuple[str, ...]) -> tuple[Recipe, ...]:
    """The recipes of variants by name, each once. Raises UsageError for an unknown or missing one."""
    if not names:
        raise UsageError(f"--variants names none; take some of {', '.join(RECIPES)}.")
    for name in names:
        if name not in RECIPES:
            raise UsageError(f"--variants {name}: unknown; take some of {', '.join(RECIPES)}.")
    return tuple(RECIPES[name] for name in dict.fromkeys(names))
