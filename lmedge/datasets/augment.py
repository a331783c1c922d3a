"""Augmentation of (face, landmarks) pairs: what moves the face moves its landmarks."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lmedge.errors import UsageError
from lmedge.landmarks import mirrored
from lmedge.scheme import Scheme

if TYPE_CHECKING:
    import tensorflow as tf

MOST_BLUR = 0.02  # standard deviation, of the side
SMALLEST_PATCH, LARGEST_PATCH = 0.1, 0.4  # side of what hides a part of the face, of the face's


@dataclass(frozen=True)
class Augmentation:
    """How much a face may change; 0 leaves that out.

    `flip`, `blur`, `occlusion`: how often (0..1) it is mirrored, blurred, or hidden in part by a rectangle of noise.
    `rotation` in degrees, `scale` and `translation` as shares, `light` as a share of brightness and of contrast: the
    most, to both sides, drawn evenly.
    """

    flip: float = 0.5
    rotation: float = 15.0
    scale: float = 0.1
    translation: float = 0.05
    light: float = 0.2
    blur: float = 0.2
    occlusion: float = 0.2

    def __post_init__(self) -> None:
        for field in fields(self):
            most = 180.0 if field.name == "rotation" else 0.9 if field.name in ("scale", "light") else 1.0
            value = getattr(self, field.name)
            if not 0 <= value <= most:
                raise UsageError(f"augmentation: {field.name} must be between 0 and {most:g}, not {value:g}.")


def augment(
    images: NDArray[np.uint8], landmarks: NDArray[np.float32], scheme: Scheme, how: Augmentation, seed: int,
    first: int = 0,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:  # fmt: skip
    """Changed copies of faces `[N, H, W, 3]` and their landmarks `[N, K, 2]` in pixels.

    Face `i` changes as (seed, first + i) says, whatever is in the batch with it; count `first` on from epoch to epoch.
    Landmarks may leave the picture; what comes in at its border is its reflection. Raises UsageError for shapes that do
    not belong together.
    """
    if images.ndim != 4 or landmarks.shape != (len(images), scheme.count, 2):
        raise UsageError(
            f"images {images.shape} and landmarks {landmarks.shape} are not [N, H, W, 3] and [N, {scheme.count}, 2]."
        )
    changed = [
        _changed(image, points, scheme, how, np.random.default_rng((seed, number)))
        for number, (image, points) in enumerate(zip(images, landmarks, strict=True), first)
    ]
    if not changed:
        return images.copy(), landmarks.copy()
    return np.stack([image for image, _ in changed]), np.stack([points for _, points in changed])


def augmented(data: "tf.data.Dataset", scheme: Scheme, how: Augmentation, seed: int) -> "tf.data.Dataset":
    """`augment` for a tf.data pipeline of single (image uint8 `[H, W, 3]`, landmarks float32 `[K, 2]`). Put it behind
    `repeat()`: each time a face comes round it changes in another way."""
    import tensorflow as tf

    def change(number: Any, pair: Any) -> Any:
        image, points = pair

        def of_numpy(at: Any, image: Any, points: Any) -> Any:
            images, marks = augment(image[None], points[None], scheme, how, seed, int(at))
            return images[0], marks[0]

        new, moved = tf.numpy_function(of_numpy, (number, image, points), (tf.uint8, tf.float32), stateful=False)
        return tf.ensure_shape(new, image.shape), tf.ensure_shape(moved, points.shape)

    pairs = data.map(lambda image, points: (image, points)).enumerate()
    return pairs.map(lambda number, pair: change(number, pair), tf.data.AUTOTUNE)


def _changed(
    image: NDArray[np.uint8],
    points: NDArray[np.float32],
    scheme: Scheme,
    how: Augmentation,
    random: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    # Everything is drawn, also what is not used: one option changed leaves the others' draws as they are.
    flip, blur, hide = random.random(3)
    angle, zoom, x, y, brightness, contrast = random.uniform(-1, 1, 6)
    height, width = image.shape[:2]
    if flip < how.flip:
        image, points = np.ascontiguousarray(image[:, ::-1]), mirrored(points, width, scheme)
    if how.rotation or how.scale or how.translation:
        middle = ((width - 1) / 2, (height - 1) / 2)
        affine = cv2.getRotationMatrix2D(middle, angle * how.rotation, 1 + zoom * how.scale)
        affine[:, 2] += x * how.translation * width, y * how.translation * height
        image = cv2.warpAffine(
            image, affine, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
        points = (points @ affine[:, :2].T + affine[:, 2]).astype(np.float32)
    if how.light:
        levels = (image.astype(np.float32) - 127.5) * (1 + contrast * how.light) + 127.5 * (1 + brightness * how.light)
        image = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    softness = random.uniform(0.2, 1) * MOST_BLUR * width
    if blur < how.blur:
        image = cv2.GaussianBlur(image, (0, 0), softness)
    patch = (random.uniform(SMALLEST_PATCH, LARGEST_PATCH, 2) * (height, width)).round().astype(int)
    corner = (random.random(2) * ((height, width) - patch)).astype(int)
    if hide < how.occlusion:
        image = image.copy()
        there = image[corner[0] : corner[0] + patch[0], corner[1] : corner[1] + patch[1]]
        there[:] = random.integers(0, 256, there.shape)
    return image, points.copy()
