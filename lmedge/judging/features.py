"""Features in which sets of faces are compared. One `Extractor` for whatever computes them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lmedge.errors import LmedgeError, UsageError
from lmedge.keras_file import load_network
from lmedge.latent import uniform
from lmedge.seeds import Purpose

FILTERS = "filters"  # the name of the extractor that comes with lmedge
BATCH = 64
# The filter bank: on each of LEVELS octaves FILTER_COUNT filters of FILTER_SIDE pixels, their absolute response
# averaged in GRID x GRID cells and projected to PROJECTED numbers.
SIDE, LEVELS, FILTER_COUNT, FILTER_SIDE, GRID, PROJECTED = 64, 4, 32, 5, 4, 48
PROJECTIONS = 100  # seeds between the filters and what projects their answers
GAIN = 8.0  # brings the features of photographed faces to a root mean square of about 1


@dataclass(frozen=True)
class Extractor:
    """`name` says what the features are; `compute` maps uint8 `[B, H, W, 3]` to float32 `[B, F]`."""

    name: str
    compute: Callable[[NDArray[np.uint8]], Any]

    def __call__(
        self, faces: NDArray[np.uint8], advance: Callable[[int], None] = lambda count: None
    ) -> NDArray[np.float32]:
        """`[N, F]` of faces `[N, H, W, 3]`. Raises LmedgeError where the features are no vectors."""
        parts = []
        for start in range(0, len(faces), BATCH):
            batch = faces[start : start + BATCH]
            part = np.asarray(self.compute(batch), np.float32)
            if part.ndim != 2 or len(part) != len(batch) or not np.isfinite(part).all():
                raise LmedgeError(f"--features {self.name} gives {part.shape} numbers for {len(batch)} faces; "
                                  "it must give one finite vector for each.")  # fmt: skip
            parts.append(part)
            advance(len(batch))
        return np.concatenate(parts)


def extractor(spec: str) -> Extractor:
    """The extractor that `--features` names: filters, keras:NAME, or a .keras or .tflite file.

    Raises UsageError for an unknown name or file, LmedgeError for weights that are not at hand.
    """
    if spec == FILTERS:
        return filters()
    if spec.startswith("keras:"):
        return _application(spec)
    path = Path(spec)
    if path.suffix in (".keras", ".tflite"):
        if not path.is_file():
            raise UsageError(f"--features {spec}: there is no such file.")
        return _network(path) if path.suffix == ".keras" else _tflite(path)
    raise UsageError(f"--features {spec}: take {FILTERS}, keras:NAME, or a .keras or .tflite file.")


def filters() -> Extractor:
    """A fixed filter bank: no training, no download, the same numbers everywhere.

    The face is split into octaves (Laplacian pyramid). On each, random zero-mean filters answer, as in texture
    analysis; what is kept is how strongly, in 4 x 4 places. The coarsest octave is kept as colours. Blur, noise and
    faces that are alike all move these numbers; identity and beauty do not. A distance in them is not FID.
    """
    kernels, projections = [], []
    for level in range(LEVELS):
        kernel = uniform(FILTER_COUNT, FILTER_SIDE**2 * 3, Purpose.KERNELS.seed(level))
        kernel -= kernel.mean(axis=1, keepdims=True)
        kernel /= np.linalg.norm(kernel, axis=1, keepdims=True)
        kernels.append(kernel.T.reshape(FILTER_SIDE, FILTER_SIDE, 3, FILTER_COUNT))
        mixed = uniform(GRID**2 * FILTER_COUNT, PROJECTED, Purpose.KERNELS.seed(PROJECTIONS + level)).astype(np.float64)
        projections.append(np.linalg.qr(mixed)[0].astype(np.float32))

    @tf.function(reduce_retracing=True)
    def compute(faces: tf.Tensor) -> tf.Tensor:
        band = tf.cast(faces, tf.float32) / 127.5 - 1.0
        band = tf.image.resize(band, (SIDE, SIDE), antialias=True)
        parts = []
        for level, (kernel, projection) in enumerate(zip(kernels, projections, strict=True)):
            side = SIDE >> level
            coarse = tf.nn.avg_pool2d(band, 2, 2, "VALID")
            fine = band - tf.image.resize(coarse, (side, side))
            answer = tf.abs(tf.nn.conv2d(fine, kernel, 1, "SAME"))
            cells = tf.nn.avg_pool2d(answer, side // GRID, side // GRID, "VALID")  # (B, 4, 4, filters)
            parts.append(tf.reshape(cells, [-1, GRID**2 * FILTER_COUNT]) @ projection)
            band = coarse
        parts.append(tf.reshape(band, [-1, (SIDE >> LEVELS) ** 2 * 3]) / GAIN)
        return GAIN * tf.concat(parts, axis=1)

    return Extractor(FILTERS, lambda faces: compute(tf.constant(faces)))


def _application(spec: str) -> Extractor:
    import keras

    name = spec.removeprefix("keras:")
    build = getattr(keras.applications, name, None)
    if not callable(build):
        raise UsageError(f"--features {spec}: Keras has no application {name!r}; try keras:InceptionV3.")
    module = next(
        m for m in vars(keras.applications).values() if hasattr(m, "preprocess_input") and getattr(m, name, None)
    )
    try:
        network = build(include_top=False, pooling="avg", weights="imagenet")
    except Exception as error:  # Keras raises whatever its downloader raises
        reason = str(error).splitlines()[0][:150]
        raise LmedgeError(
            f"the weights of {name} are not in ~/.keras and cannot be fetched ({reason}); take --features {FILTERS}."
        ) from None
    side = 299 if name in ("InceptionV3", "InceptionResNetV2", "Xception") else 224

    def compute(faces: NDArray[np.uint8]) -> Any:
        large = tf.image.resize(tf.cast(faces, tf.float32), (side, side))
        return network(module.preprocess_input(large), training=False)

    return Extractor(spec, compute)


def _network(path: Path) -> Extractor:
    network = load_network(path, "--features takes a network from images to vectors")
    try:
        _, height, width, channels = network.input_shape
    except (TypeError, ValueError):  # several inputs, or no picture
        height = width = channels = None
    if channels != 3 or height is None or width is None:
        raise UsageError(f"--features {path} takes {network.input_shape}; it must take RGB images of a fixed size.")
    return of_network(str(path), network)


def of_network(name: str, network: Any) -> Extractor:
    """The extractor called `name` of a Keras network from images `[B, H, W, 3]` in -1..1 to vectors."""
    size = network.input_shape[1:3]

    @tf.function(autograph=False, reduce_retracing=True)  # layer by layer a small network takes six times as long
    def compute(faces: tf.Tensor) -> Any:
        return network(tf.image.resize(tf.cast(faces, tf.float32) / 127.5 - 1.0, size), training=False)

    return Extractor(name, lambda faces: compute(tf.constant(faces)))


def _tflite(path: Path) -> Extractor:
    from lmedge.runtime.bundle import read_model
    from lmedge.runtime.interpreter import choose, load, threads_of

    read_model(path)  # refuses a malformed file before native code reads it
    name = choose()
    interpreter = load(name, str(path), threads_of(name, None))
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    shape = tuple(inputs[0]["shape"])
    if len(inputs) != 1 or len(shape) != 4 or shape[0] != 1 or shape[3] != 3:
        raise UsageError(f"--features {path} takes {shape}; it must take one RGB image.")
    kind = inputs[0]["dtype"]

    def compute(faces: NDArray[np.uint8]) -> Any:
        sized = tf.image.resize(tf.cast(faces, tf.float32), shape[1:3]).numpy()
        sized = sized.round().astype(np.uint8) if kind == np.uint8 else (sized / 127.5 - 1.0).astype(kind)
        vectors = []
        for face in sized:
            interpreter.set_tensor(inputs[0]["index"], face[None])
            interpreter.invoke()
            vectors.append(np.concatenate([interpreter.get_tensor(o["index"]).ravel() for o in outputs]))
        return np.stack(vectors)

    return Extractor(str(path), compute)
