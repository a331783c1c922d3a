"""Faces of the Keras networks of a run, and what Face Mesh sees on them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.executor import Executor
from lmedge.faces.annotate import FaceMesh, Looks, View, look, start_looking
from lmedge.gan.networks import to_uint8
from lmedge.landmarks import in_pixels
from lmedge.processes import Processes
from lmedge.run import Run, weights_hash
from lmedge.runtime import Faces
from lmedge.runtime.faces import finite
from lmedge.scheme import Scheme, scheme_named

BATCH = 64
WORTH_A_WORKER = 256  # faces; starting a process takes as long as looking at these


def draw(generator: Any, z: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Faces `[N, H, W, 3]` of latents `[N, Z]`."""
    parts = (finite(generator(z[i : i + BATCH]), "the generator") for i in range(0, len(z), BATCH))
    return np.concatenate([to_uint8(part) for part in parts])


class RunPainter:
    """Draws as a FaceSampler does, with the networks of a run, on a GPU where there is one.

    Raises LmedgeError for a run without generator or L-Gen."""

    def __init__(self, run: Run):
        self.run, self.generator, self.lgen, self.confidence = run, run.generator(), run.lgen(), run.confidence()
        self.latent = self.generator.input_shape[-1]
        _, self.height, self.width, _ = self.generator.output_shape
        self.scheme = scheme_named(run.lgen_metrics()["scheme"])

    @property
    def knows_confidence(self) -> bool:
        """Does the run say how sure L-Gen is?"""
        return self.confidence is not None

    def render(self, latents: NDArray[np.float32]) -> Faces:
        """The faces of latents `[N, Z]`."""
        sure = None if self.confidence is None else np.asarray(self.confidence(latents, training=False))[:, 0]
        return Faces(draw(self.generator, latents), self.landmarks(latents), latents, sure)

    def landmarks(self, latents: NDArray[np.float32]) -> NDArray[np.float32]:
        """`[N, K, 2]` in pixels, without drawing the faces."""
        return in_pixels(finite(self.lgen(latents, training=False), "L-Gen"), self.width, self.height)

    def facts(self) -> dict[str, Any]:
        """What a dataset card says of the generator."""
        training = training_facts(self.run)
        return {
            "generator": f"{self.run.path.resolve().name} {weights_hash(self.generator)[:12]}, Keras in float32",
            "training": training,
            "licence": training["licence"],
        }


def training_facts(run: Run) -> dict[str, Any]:
    """What bundles and datasets say of how a run was trained. Raises LmedgeError for one without L-Gen."""
    dataset = run.config().get("dataset", {})
    metrics = run.lgen_metrics()
    return {
        "faces": dataset.get("count"),
        "source": dataset.get("made_by"),
        "licence": dataset.get("licence", "not stated"),
        "kimg": (run.log() or [{}])[-1].get("kimg"),
        "held_out_nme": metrics["held_out"]["nme"],
    }


@dataclass(frozen=True)
class Annotated:
    """What Face Mesh finds on the faces of latents `[N, Z]`.

    `found` `[N, V]`: was there a face in this view; `at` `[M]`: indices of those found in every view; `views`
    `[M, V, K, 2]`: their landmarks in pixels, as each view gives them.
    """

    found: NDArray[np.bool_]
    at: NDArray[np.int64]
    views: NDArray[np.float32]

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """`[M, K, 2]`, the mean of the views: Face Mesh's own errors differ between them."""
        return self.views.mean(axis=1)


def annotated(
    generator: Any, z: NDArray[np.float32], scheme: Scheme, advance: Callable[..., None],
    views: tuple[View, ...] = ("plain",), executor: Executor | None = None,
) -> Annotated:  # fmt: skip
    """Draws the faces of latents `[N, Z]` and looks for their landmarks; where there are many, in the workers
    of `executor` (None: processes of this machine)."""
    looks: list[Looks] = []
    if len(z) * len(views) < 2 * WORTH_A_WORKER:
        with FaceMesh() as mesh:
            for start in range(0, len(z), BATCH):
                faces = draw(generator, z[start : start + BATCH])
                looks += [[mesh.of_face(face, scheme, view) for view in views] for face in faces]
                advance(len(faces))
    else:
        jobs = [(face, scheme, views) for face in draw(generator, z)]
        with (executor or Processes()).answers(look, jobs, (start_looking, ())) as answers:
            for answer in answers:
                looks.append(answer)
                advance(1)
    found = np.array([[points is not None for points in look] for look in looks]).reshape(len(z), len(views))
    at = np.flatnonzero(found.all(axis=1))
    marks = np.array([looks[i] for i in at], np.float32).reshape(-1, len(views), scheme.count, 2)
    return Annotated(found, at, marks)
