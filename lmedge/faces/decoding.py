"""Pictures from strangers: the formats that are decoded, and what one may cost before it is left out."""

import io
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from lmedge.affine import Image8
from lmedge.errors import Rejected
from lmedge.quiet import native_stderr_off

# Pillow knows forty more. Some hand the file to another program: EPS runs Ghostscript.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "HEIF")
SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif")
)  # fmt: skip
MOST_FILE = 256 << 20  # bytes
MOST_MEGAPIXELS = 200
MOST_SIDE = 32_766  # pixels; OpenCV warps nothing longer
MOST_MEMORY = 1 << 30  # bytes while it is decoded
MOST_SECONDS = 30.0  # of the processor, while it is decoded
ENOUGH_PIXELS = 1024  # a photo is decoded at the smallest scale that leaves this many on each side
BAND_PIXELS = 1 << 20  # what is turned into RGB at a time
# Bytes a pixel: of a picture in Pillow, where not 4, and of what these decoders hold beside it.
PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}
DECODER_BYTES = {"WEBP": 12, "AVIF": 16, "HEIF": 16}
# Upright pixels by EXIF orientation (EXIF 2.3, section 4.6.4).
UPRIGHT: dict[int, Callable[[Image8], Image8]] = {
    1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2), 6: lambda a: np.rot90(a, -1), 7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90,
}  # fmt: skip


@dataclass(frozen=True)
class Photo:
    """`pixels` upright RGB `[H, W, 3]`; `scale`, pixels here for each pixel of the stored photo (below 1
    where a large one was made smaller)."""

    pixels: Image8
    scale: tuple[float, float]


def decode(data: bytes) -> Photo:
    """The photo in a file's bytes, in any colour space or depth that Pillow knows, turned upright by its EXIF tag.

    Raises Rejected for one that is empty, damaged, of another format, or would take too much memory or time.
    """
    if not data:
        raise Rejected("empty file")
    try:
        with native_stderr_off(), _ceilings(len(data)), Image.open(_Timed(data), formats=_formats()) as image:
            return _decoded(image)
    except Rejected:
        raise
    except UnidentifiedImageError:
        heic = data[4:8] == b"ftyp" and b"avif" not in data[8:32] and "HEIF" not in Image.OPEN
        raise Rejected("HEIC, which needs pip install pillow-heif" if heic else "not an image") from None
    except Image.DecompressionBombError:
        raise Rejected(f"larger than {MOST_MEGAPIXELS} megapixels") from None
    except MemoryError:
        raise Rejected(f"needs more than {MOST_MEMORY >> 20} MiB") from None
    except Exception as error:  # each decoder raises its own
        truncated = "truncated" in str(error) or "not enough" in str(error)
        raise Rejected("truncated image" if truncated else "unreadable image") from None


class _Timed(io.BytesIO):
    """Bytes whose reader is stopped when it has taken too long: a damaged file can send a decoder through the same
    pixels for hours."""

    def __init__(self, data: bytes):
        super().__init__(data)
        self._end = time.thread_time() + MOST_SECONDS

    def read(self, size: int | None = -1) -> bytes:
        if time.thread_time() > self._end:
            raise Rejected(f"takes more than {MOST_SECONDS:.0f} s to decode")
        return super().read(size)


@contextmanager
def _ceilings(held: int) -> Iterator[None]:
    """What is decoded within may take so much memory beside the `held` bytes of its file, and says nothing of
    metadata that is damaged."""
    pixels = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = MOST_MEGAPIXELS * 1_000_000 // 2  # Pillow refuses what is more than twice as large
    try:
        with warnings.catch_warnings(), _memory_ceiling(2 * held + MOST_MEMORY + (MOST_MEMORY >> 2)):
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = pixels


@contextmanager
def _memory_ceiling(more: int) -> Iterator[None]:
    """What this process allocates beyond `more` bytes from here on is a MemoryError, where the system can say so: a
    net for bombs in metadata, whose cost nothing tells beforehand."""
    try:
        import resource

        words = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        ceiling = (int(words["VmData"].split()[0]) << 10) + more
    except (ImportError, OSError, KeyError):
        yield
        return
    if ceiling >= min(limit if limit != resource.RLIM_INFINITY else ceiling + 1 for limit in (soft, hard)):
        yield  # there is a lower one
        return
    resource.setrlimit(resource.RLIMIT_DATA, (ceiling, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _formats() -> tuple[str, ...]:
    Image.init()
    if "HEIF" not in Image.OPEN:
        with suppress(ImportError):
            from pillow_heif import register_heif_opener

            register_heif_opener()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _decoded(image: Image.Image) -> Photo:
    width, height = image.size
    if width * height > MOST_MEGAPIXELS * 1e6:
        raise Rejected(f"larger than {MOST_MEGAPIXELS} megapixels")
    layers = getattr(image, "layer", None)
    held = width * height * DECODER_BYTES.get(image.format or "", 0)
    if layers and image.info.get("progressive"):  # coefficients of 2 bytes of the whole picture
        held = (
            2
            * width
            * height
            * sum(h * v for _, h, v, _ in layers)
            // (max(h for _, h, _, _ in layers) * max(v for _, _, v, _ in layers))
        )
    image.draft("RGB", (ENOUGH_PIXELS, ENOUGH_PIXELS))  # a JPEG is decoded smaller
    drafted = image.size
    if drafted[0] * drafted[1] * PIXEL_BYTES.get(image.mode, 4) + held > MOST_MEMORY:
        raise Rejected(f"needs more than {MOST_MEMORY >> 20} MiB")
    less = max(1, min(drafted) // ENOUGH_PIXELS)
    if max(drafted) // less > MOST_SIDE:
        raise Rejected(f"a side of more than {MOST_SIDE} pixels")
    image.load()
    scale = (drafted[0] / width / less, drafted[1] / height / less)
    turn = image.getexif().get(0x0112, 1)
    upright = UPRIGHT.get(turn, UPRIGHT[1])(_rgb(image, less))
    # The scale is that of the upright photo, as the points of a .pts file are.
    return Photo(np.ascontiguousarray(upright), scale[::-1] if turn in (5, 6, 7, 8) else scale)


def _rgb(image: Image.Image, less: int) -> Image8:
    """RGB `[H, W, 3]`, `less` times as small; in bands, as the picture itself may be all that memory holds."""
    width, height = image.size
    rows = max(1, BAND_PIXELS // width // less) * less
    bands = (image.crop((0, top, width, min(top + rows, height))) for top in range(0, height, rows))
    return np.concatenate([np.asarray(_band(band).reduce(less)) for band in bands])


def _band(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 or 32 bit grey; Pillow would clip it at 255
        deep = np.asarray(image, dtype=np.float64)
        return Image.fromarray(np.clip(deep / 257.0 + 0.5, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")
