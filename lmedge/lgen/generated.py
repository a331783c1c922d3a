"""Generated faces with the landmarks that an annotator finds on them: exact latents, as many as one likes."""

import numpy as np
from numpy.typing import NDArray

from lmedge.annotators.annotator import Annotator, View
from lmedge.annotators.looking import look
from lmedge.errors import LmedgeError
from lmedge.executor import Executor
from lmedge.keras_model import Generator, weights_hash
from lmedge.landmarks import normalised
from lmedge.lgen.faces import Faces
from lmedge.parts import PartStore, going_on, split
from lmedge.run import Run
from lmedge.scheme import Scheme
from lmedge.seeds import Purpose

SCHEMA = 2  # 1 named its landmark scheme, and drew from the seeds that converted models are compared on
PART_FACES = 4096  # what a kill can lose
# `looked_at`: faces drawn, of which those `at` these places have `landmarks`, pixels.
COLUMNS = {"looked_at": (0, "iu"), "at": (1, "iu"), "landmarks": (3, "f")}
# Face Mesh is not symmetric: its points and those it sees in a mirror differ by twice what a shift does. Their mean is
# nearer to what the faces show.
VIEWS: tuple[View, ...] = ("plain", "mirror")
FEWEST_FOUND = 0.5  # share of generated faces on which an annotator must find landmarks
FIRST = 64  # faces that are looked at before anything else; where it finds far fewer on these, so it does on all


def refuse_untrained(run: Run, annotator: Annotator, scheme: Scheme, count: int, seed: int) -> None:
    """Raises LmedgeError where the annotator finds hardly a face on the first of `count` generated ones: in seconds,
    before work that is of no use then."""
    generator = Generator(run.generator(), run.latent)
    z = generator.latent.draw(min(count, FIRST), seed, purpose=Purpose.GENERATED)
    seen = look(annotator, generator.images(z), scheme, lambda _: None, VIEWS)
    _refuse_few(annotator, len(seen.at), len(z), FEWEST_FOUND / 2)


def _refuse_few(annotator: Annotator, found: int, faces: int, share: float) -> None:
    if found < share * faces:
        raise LmedgeError(
            f"{annotator.title} finds a face on {found} of {faces} generated ones; train the generator longer, or take "
            "--data inverted."
        )


def generated_faces(
    run: Run, annotator: Annotator, scheme: Scheme, count: int, seed: int, executor: Executor | None = None
) -> Faces:
    """`count` faces of the generator, less those on which the annotator finds nothing. Kept in RUN/generated, so that a
    second training, a larger count or a killed run looks at no face twice. Raises LmedgeError where it finds few."""
    generator = Generator(run.generator(), run.latent)
    about = {
        "schema": SCHEMA, "generator": weights_hash(generator.network), "scheme": scheme.to_json(), "seed": seed,
        "part": PART_FACES, "views": list(VIEWS), "annotator": annotator.name, "annotator_version": annotator.version,
    }  # fmt: skip
    store = PartStore(run.generated, COLUMNS, run.generated / "about.json", grows="looked_at")
    if store.other(about):  # of another state of the generator, or seen by another annotator
        store.clear()
    store.begin(about)
    found: list[NDArray[np.int64]] = []
    points: list[NDArray[np.float32]] = []
    z = generator.latent.draw(count, seed, purpose=Purpose.GENERATED)
    parts = split(count, PART_FACES)
    missing = store.missing(parts)
    with going_on("annotate generated faces", run.generated, "faces", parts, missing) as advance:
        for part in missing:
            seen = look(annotator, generator.images(part.of(z)), scheme, advance, VIEWS, executor)
            looked_at = np.array(part.count)
            store.write(part, {"looked_at": looked_at, "at": seen.at, "landmarks": seen.landmarks})
    for part in parts:
        kept = store.read(part)
        inside = kept["at"] < part.count
        found.append(kept["at"][inside] + part.first)
        points.append(kept["landmarks"][inside])
    at = np.concatenate(found)
    _refuse_few(annotator, len(at), count, FEWEST_FOUND)
    return Faces(z[at], normalised(np.concatenate(points), generator.width, generator.height), generator.width, scheme)
