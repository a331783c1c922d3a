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
from lmedge.progress import console, progress
from lmedge.run import Run
from lmedge.scheme import Scheme
from lmedge.seeds import Purpose
from lmedge.storage import Damaged, read_arrays, read_json, write_arrays, write_json

SCHEMA = 2  # 1 named its landmark scheme, and drew from the seeds that converted models are compared on
PART_FACES = 4096  # what a kill can lose
# Face Mesh is not symmetric: its points and those it sees in a mirror differ by twice what a shift does. Their mean is
# nearer to what the faces show.
VIEWS: tuple[View, ...] = ("plain", "mirror")
FEWEST_FOUND = 0.5  # share of generated faces on which an annotator must find landmarks


def generated_faces(
    run: Run, annotator: Annotator, scheme: Scheme, count: int, seed: int, executor: Executor | None = None
) -> Faces:
    """`count` faces of the generator, less those on which the annotator finds nothing. Kept in RUN/generated, so that a
    second training, a larger count or a killed run looks at no face twice. Raises LmedgeError where it finds few."""
    generator = Generator(run.generator(), run.latent)
    about = {"schema": SCHEMA, "generator": weights_hash(generator.network), "scheme": scheme.to_json(), "seed": seed,
             "views": list(VIEWS), "annotator": annotator.name, "annotator_version": annotator.version}  # fmt: skip
    folder = run.generated
    if folder.exists() and (
        not (folder / "about.json").exists() or read_json(folder / "about.json", "generated faces") != about
    ):
        # Of another state of the generator, or seen by another annotator.
        for path in (*folder.glob("part-*.npz"), folder / "about.json"):
            path.unlink(missing_ok=True)
    folder.mkdir(exist_ok=True)
    write_json(folder / "about.json", about)
    found: list[NDArray[np.int64]] = []
    points: list[NDArray[np.float32]] = []
    z = generator.latent.draw(count, seed, purpose=Purpose.GENERATED)
    with progress("annotate generated faces", count, "faces") as advance:
        for number, first in enumerate(range(0, count, PART_FACES)):
            path = folder / f"part-{number:05}.npz"
            wanted = min(PART_FACES, count - first)
            part = {"looked_at": np.array(0)}
            if path.exists():
                try:
                    part = read_arrays(path, ("looked_at", "at", "landmarks"))
                except Damaged:
                    console.print(f"{path} is damaged; its faces are looked at again")
            if int(part["looked_at"]) < wanted:
                faces = generator.images(z[first : first + wanted])
                seen = look(annotator, faces, scheme, advance, VIEWS, executor)
                part = {"looked_at": np.array(wanted), "at": seen.at, "landmarks": seen.landmarks}
                write_arrays(path, part)
            else:
                advance(wanted)
            inside = part["at"] < wanted
            found.append(part["at"][inside] + first)
            points.append(part["landmarks"][inside])
    at = np.concatenate(found)
    if len(at) < FEWEST_FOUND * count:
        raise LmedgeError(
            f"{annotator.title} finds a face on {len(at)} of {count} generated ones; train the generator longer, or "
            "take --data inverted."
        )
    return Faces(z[at], normalised(np.concatenate(points), generator.width, generator.height), generator.width, scheme)
