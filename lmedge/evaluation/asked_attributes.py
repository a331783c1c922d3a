"""Is what latents ask for on the faces, and does the rest stay? For runs whose latents have a block of attributes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.annotators.annotator import Annotator
from lmedge.annotators.looking import look
from lmedge.annotators.registry import looking
from lmedge.attributes.labeller import Labeller
from lmedge.attributes.sheet import FACES_A_SIDE, named_row
from lmedge.errors import LmedgeError
from lmedge.evaluation.evaluation import Evaluation
from lmedge.evaluation.options import EvaluateConfig
from lmedge.gan.families.relativistic.options import RelativisticConfig
from lmedge.keras_model import Generator
from lmedge.landmarks import nme
from lmedge.pictures import grid
from lmedge.progress import progress
from lmedge.scheme import Scheme

LOOKED_AT = 64  # faces of each attribute on which an annotator looks at what stays


@dataclass(frozen=True)
class Obeyed:
    """One attribute, as the network that told those of the photos tells it of drawn faces.

    `asked`: its balanced accuracy between faces asked to have it and not to, with what usually goes with that;
    `photos`: the same on photos of people whom it never saw. Where the attribute alone goes from no to yes and all else
    of a latent stays: `alone`, by how much the likelihood of the attribute grows (0 to 1); `others`, by how much the
    likelihoods of the others change in the mean; `landmarks`, the mean NME between what the annotator sees on
    both faces, None where it sees too little.
    """

    asked: float
    photos: float
    alone: float
    others: float
    landmarks: float | None


def measure(config: EvaluateConfig, result: Evaluation, generator: Generator) -> None:
    """Puts the picture of an evaluation into `result`, and the figures where the network is still there."""
    run, names = result.run, generator.latent.attributes
    result.attributes = picture(generator, names, config.seed)
    try:
        labeller = Labeller.open(Path(str(run.stage("train-gan", RelativisticConfig).get("attributes"))))
    except LmedgeError as error:
        result.notes.append(f"No figures of attributes that are asked for: {error}")
        return
    annotator, placed = looking(run.provenance, run.scheme)
    sees = annotator if placed == run.scheme else None
    with progress("attributes", len(names), "attributes") as advance:
        found = obeyed(generator, labeller, sees, run.scheme, config.samples, config.seed, advance)
    result.figures["attributes"] = {name: vars(one) for name, one in found.items()}
    result.lines += lines(found)


def obeyed(
    generator: Generator, labeller: Labeller, annotator: Annotator | None, scheme: Scheme, samples: int, seed: int,
    advance: Callable[[int], None] = lambda count: None,
) -> dict[str, Obeyed]:  # fmt: skip
    """Of every attribute that latents ask for and the labeller knows, on `samples` faces of each, half of them asked
    not to have it."""
    latent, found = generator.latent, dict[str, Obeyed]()
    for name in filter(labeller.names.__contains__, latent.attributes):
        at, half = labeller.names.index(name), max(samples // 2, 1)
        told = [labeller.probabilities(generator.images(replace(latent, fixed=((name, value),)).draw(half, seed)))
                for value in (-1.0, 1.0)]  # fmt: skip
        likely = [part[:, at] > labeller.prevalence[at] for part in told]
        z = latent.draw(half, seed)
        faces = [generator.images(latent.setting(z, {name: value})) for value in (-1.0, 1.0)]
        before, after = map(labeller.probabilities, faces)
        change = after - before
        found[name] = Obeyed(
            asked=float(((~likely[0]).mean() + likely[1].mean()) / 2),
            photos=labeller.balanced_accuracy[name],
            alone=float(change[:, at].mean()),
            others=float(np.abs(np.delete(change, at, axis=1)).mean()),
            landmarks=None if annotator is None else _apart(annotator, scheme, faces),
        )
        advance(1)
    return found


def _apart(annotator: Annotator, scheme: Scheme, faces: list[NDArray[np.uint8]]) -> float | None:
    """The mean NME between what the annotator sees on the same people before and after."""
    seen = [look(annotator, part[:LOOKED_AT], scheme, lambda *_: None) for part in faces]
    both = np.intersect1d(seen[0].at, seen[1].at)
    if not len(both):
        return None
    before, after = (part.views[np.isin(part.at, both), 0] for part in seen)
    return float(nme(after, before, scheme).mean())


def picture(generator: Generator, names: tuple[str, ...], seed: int) -> NDArray[np.uint8]:
    """A row for each attribute: its name, faces asked not to have it, and the same people asked to have it."""
    latent = generator.latent
    return grid(
        [named_row(name, *(generator.images(replace(latent, fixed=((name, value),)).draw(FACES_A_SIDE, seed))
                           for value in (-1.0, 1.0)))
         for name in names], 1
    )  # fmt: skip


def lines(found: dict[str, Obeyed]) -> list[tuple[str, str]]:
    """For the page and the terminal: (label, text)."""
    asked, photos = (np.mean([getattr(one, key) for one in found.values()]) for key in ("asked", "photos"))
    text = f"told on {asked:.0%} of the faces, and on {photos:.0%} of photos (balanced accuracy, mean)"
    told = [("Attributes that are asked for", text)]
    for name, one in found.items():
        text = (
            f"{one.asked:.0%} (photos {one.photos:.0%}); alone +{one.alone:.0%}, the others change by {one.others:.1%}"
        )
        text += "" if one.landmarks is None else f", landmarks by {one.landmarks:.1%} NME"
        told.append((f"  {name.replace('_', ' ')}", text))
    return told
