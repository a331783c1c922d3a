"""Faces with landmarks from a bundle."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.clean import Clean
from lmedge.errors import LmedgeError
from lmedge.fetched import origin
from lmedge.latent import Latents, LatentSpec
from lmedge.runtime import interpreter as interpreters
from lmedge.runtime.bundle import SIGNATURE, Bundle
from lmedge.runtime.delegation import Delegation, delegation
from lmedge.runtime.face_model import Drawn, FaceModel, finite
from lmedge.variants import InterpreterName, Variant, suitable


class FaceSampler(FaceModel):
    """The face model of a bundle. Not thread-safe: one a thread, or a FacePool for all.

    `bundle` is a folder made by `lmedge export`, a .tflite file of one, or the name of a model that comes with lmedge;
    None takes the reference (`lmedge/pretrained/reference`: faces of CelebA, research use only). `variant` None takes
    the one that suits the interpreter; `threads` None is what suits it, one on tflite-runtime and one a core on the
    others, 0 one a core. Raises UsageError or LmedgeError, with a sentence that says what to do.
    """

    def __init__(
        self,
        bundle: Bundle | Path | str | None = None,
        variant: Variant | None = None,
        interpreter: InterpreterName = "auto",
        threads: int | None = None,
    ):
        self.bundle = Bundle.of(bundle)
        self.interpreter = interpreters.choose(interpreter)
        self.threads = interpreters.threads_of(self.interpreter, threads)
        self.variant: str = variant or suitable(self.interpreter, self.bundle.image_psnr)
        path = self.bundle.model(self.variant)
        self._interpreter = interpreters.load(self.interpreter, str(path), self.threads)
        signatures = self._interpreter.get_signature_list()
        if SIGNATURE not in signatures:
            raise LmedgeError(f"{path} has no signature {SIGNATURE!r}; it is not a model of lmedge.")
        if set(signatures[SIGNATURE]["inputs"]) != {"z"} or not {"image", "landmarks"} <= set(
            signatures[SIGNATURE]["outputs"]
        ):
            raise LmedgeError(f"{path}: its signature is not z -> image, landmarks.")
        self._runners: dict[str, Any] = {}
        self._run = self.runner(SIGNATURE)
        self._input = self._run.get_input_details()["z"]
        shape = tuple(self._input["shape"])
        self._outputs = outputs = self._run.get_output_details()
        image, points = tuple(outputs["image"]["shape"]), tuple(outputs["landmarks"]["shape"])
        if len(shape) != 2 or len(image) != 4 or image[-1] != 3 or len(points) != 3 or points[-1] != 2:
            raise LmedgeError(f"{path}: its shapes {shape} -> {image}, {points} are not those of a face model.")
        self.height, self.width = int(image[1]), int(image[2])
        told = "latent" in self.bundle.about  # a model of somebody else says nothing
        self.latent = self.bundle.latent if told else LatentSpec.uniform(int(shape[1]))
        self.clean = self.bundle.clean if told else Clean()
        if self.latent.size != shape[1]:
            raise LmedgeError(f"{path} takes latents of {shape[1]} numbers, and {self.latent} are said.")
        self.scheme, self.knows_confidence = self.bundle.scheme, "confidence" in outputs
        if self.scheme.count != points[1]:
            raise LmedgeError(f"{path} gives {points[1]} points, and {self.scheme} has {self.scheme.count}.")
        self.knows_point_confidence = "point_confidence" in outputs
        for name, wide in (("confidence", 1), ("point_confidence", points[1])):
            if name in outputs and tuple(outputs[name]["shape"]) != (1, wide):
                found = tuple(outputs[name]["shape"])
                raise LmedgeError(f"{path} gives {points[1]} points, and {name} of shape {found}, not {(1, wide)}.")
        self.name, self.version = self.bundle.name, self.bundle.version
        self.training, self.provenance = self.bundle.training, self.bundle.provenance
        self.backing = f"{self.variant} on {self.interpreter}"
        self.packages = (interpreters.INTERPRETERS[self.interpreter][1],)

    def inputs(self, latents: NDArray[np.float32]) -> NDArray[Any]:
        """Latents as the model takes them: int8 in an `int8-io` model, otherwise as they are."""
        return _quantised(latents, self._input)

    def runner(self, signature: str) -> Any:
        """The function of a signature, `z` -> outputs by name. Raises LmedgeError if the model lacks it."""
        if signature not in self._runners:
            if signature not in self._interpreter.get_signature_list():
                raise LmedgeError(f"{self.bundle.path} has no signature {signature!r}; export the run again.")
            self._runners[signature] = self._interpreter.get_signature_runner(signature)
        return self._runners[signature]

    @property
    def elsewhere(self) -> Callable[[], FaceModel]:
        return partial(FaceSampler, origin(self.bundle.path), self.variant, self.interpreter, threads=1)

    def delegation(self) -> Delegation | None:
        """Which nodes XNNPACK runs; None where the interpreter does not tell."""
        return delegation(self._interpreter)

    def _drawn(self, z: Latents) -> Drawn:
        count, points = len(z), self.scheme.count
        images = np.empty((count, self.height, self.width, 3), np.uint8)
        real = {"landmarks": np.empty((count, points, 2), np.float32)}
        if self.knows_confidence:
            real["confidence"] = np.empty((count, 1), np.float32)
        if self.knows_point_confidence:
            real["point_confidence"] = np.empty((count, points), np.float32)
        given = self.inputs(z)
        for i in range(count):
            outputs = self._run(z=given[i : i + 1])
            images[i] = _bytes(outputs["image"][0], self._outputs["image"])
            for name, values in real.items():
                values[i] = _real(outputs[name][0], self._outputs[name])
        for values in real.values():
            finite(values, self._whose)
        sure = real.get("confidence")
        return Drawn(images, real["landmarks"], None if sure is None else sure[:, 0], real.get("point_confidence"))

    def _points(self, z: Latents) -> NDArray[np.float32]:
        """Raises LmedgeError also for a model that was exported without the signature `landmarks`."""
        run, given = self.runner("landmarks"), self.inputs(z)
        detail = run.get_output_details()["landmarks"]
        points = np.empty((len(z), self.scheme.count, 2), np.float32)
        for i in range(len(z)):
            points[i] = _real(run(z=given[i : i + 1])["landmarks"][0], detail)
        return finite(points, self._whose)

    @property
    def _whose(self) -> str:
        return f"{self.bundle.path}, {self.variant},"


def _quantised(values: NDArray[np.float32], detail: dict[str, Any]) -> NDArray[Any]:
    """Values as the tensor takes them: `q = round(v / scale) + zero` in an int8 model."""
    if detail["dtype"] == np.float32:
        return values
    scale, zero = detail["quantization"]
    limits = np.iinfo(detail["dtype"])
    return np.clip(np.rint(values / scale) + zero, limits.min, limits.max).astype(detail["dtype"])


def _real(values: NDArray[Any], detail: dict[str, Any]) -> NDArray[np.float32]:
    """The inverse: `v = (q - zero) * scale`."""
    if detail["dtype"] == np.float32:
        return values
    scale, zero = detail["quantization"]
    return (values.astype(np.float32) - zero) * np.float32(scale)


def _bytes(image: NDArray[Any], detail: dict[str, Any]) -> NDArray[np.uint8]:
    """An image of levels 0..255, whatever the model gives them in."""
    if detail["dtype"] == np.uint8:
        return image
    return np.clip(np.rint(_real(image, detail)), 0, 255).astype(np.uint8)
