"""What strangers' pictures may not do: run a program, fill the memory, take for ever, end the run."""

import io
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, features

from lmedge.errors import LmedgeError, Rejected
from lmedge.faces import decoding
from lmedge.faces.photo import read_photo
from tests.conftest import drawn_photo, somebody

NATURAL = drawn_photo(37, 64)


def stored(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width, height, depth=8, chunks=()):
    """A black grey PNG of any size and depth, with chunks before its pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    squeeze, row = zlib.compressobj(1), bytes(1 + width * depth // 8)
    pixels = b"".join(squeeze.compress(row) for _ in range(height)) + squeeze.flush()
    middle = b"".join(chunk(*part) for part in chunks)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + middle + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def tiff(tags, data):
    """A TIFF with `data` at byte 8; `tags` are (tag, type, count, value)."""
    head = b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags))
    return head + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)


def of_ten_by_ten(*tags):
    return ((256, 4, 1, 10), (257, 4, 1, 10), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (278, 4, 1, 10), *tags)


def resident(name):
    return int(re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) >> 10


def read(tmp_path, data):
    """The photo or the reason against it, and the MiB that it took at its peak."""
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = resident("VmRSS")
    try:
        answer = read_photo(path)
    except Rejected as reason:
        answer = str(reason)
    return answer, resident("VmHWM") - before


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF"])
def test_these_formats_are_read_whatever_the_file_is_called(tmp_path, kind):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow decodes no AVIF")
    photo, _ = read(tmp_path, stored(Image.fromarray(NATURAL), kind))
    assert photo.pixels.shape == NATURAL.shape
    assert np.abs(photo.pixels.astype(int) - NATURAL).mean() < 8


def test_no_other_program_is_run_for_a_picture(tmp_path, monkeypatch):
    ghostscript = tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    ghostscript.chmod(0o755)
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", str(ghostscript))
    page = stored(Image.fromarray(NATURAL), "EPS")
    assert read(tmp_path, page)[0] == "not an image"
    assert not (tmp_path / "ran").exists()


def test_heic_without_a_plug_in_says_what_it_needs(tmp_path):
    if "HEIF" in Image.OPEN:
        pytest.skip("there is a plug-in")
    answer, _ = read(tmp_path, b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64))
    assert answer == "HEIC, which needs pip install pillow-heif"


def test_a_damaged_avif_is_rejected(tmp_path):
    if not features.check("avif"):
        pytest.skip("this Pillow decodes no AVIF")
    data = bytearray(stored(Image.fromarray(NATURAL), "AVIF"))
    for seed in range(20):
        random = np.random.default_rng(seed)
        broken = data.copy()
        for at in random.integers(len(data) * 2 // 3, len(data), 40):
            broken[at] = random.integers(256)
        answer, _ = read(tmp_path, bytes(broken))
        assert answer == "unreadable image" or answer.pixels.shape == NATURAL.shape


def test_a_side_that_cannot_be_warped_is_rejected_and_a_long_jpeg_is_read_smaller(tmp_path):
    assert read(tmp_path, png(40_000, 24))[0] == "a side of more than 32766 pixels"
    photo, _ = read(tmp_path, stored(Image.new("L", (40_000, 2_048)), "JPEG"))
    assert photo.pixels.shape == (1024, 20_000, 3) and photo.scale == (0.5, 0.5)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_large_photo_is_made_smaller_and_says_so(tmp_path, kind):
    large = np.full((2050, 4100, 3), 90, np.uint8)
    large[..., 0] = (np.arange(4100) // 17).astype(np.uint8)
    large[..., 1] = (np.arange(2050) // 9).astype(np.uint8)[:, None]
    photo, _ = read(tmp_path, stored(Image.fromarray(large), kind, **({"compress_level": 1} if kind == "PNG" else {})))
    assert photo.pixels.shape == (1025, 2050, 3) and photo.scale == (0.5, 0.5)
    assert np.abs(photo.pixels.astype(np.int16) - large[::2, ::2]).max() <= 1


def test_a_deep_png_takes_little_more_than_its_pixels(tmp_path):
    photo, took = read(tmp_path, png(7000, 7000, depth=16))  # 98 MB of pixels in 100 kB
    assert photo.pixels.shape == (1167, 1167, 3)
    assert took < 200


BOMBS = {
    "pixels of a WebP": lambda: stored(Image.new("RGB", (16, 16)), "WEBP", lossless=True),
    "text of a PNG": lambda: png(64, 64, chunks=[(b"zTXt", b"a\0\0" + zlib.compress(bytes(200 << 20), 1))]),
    "profile of a PNG": lambda: png(64, 64, chunks=[(b"iCCP", b"a\0\0" + zlib.compress(bytes(200 << 20), 1))]),
    "tile of a TIFF": lambda: tiff(
        of_ten_by_ten((322, 4, 1, 60_000), (323, 4, 1, 60_000), (324, 4, 1, 8), (325, 4, 1, 99)), bytes(99)
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_file_takes_little_memory(tmp_path, bomb):
    assert read(tmp_path, BOMBS[bomb]())[1] < 100


def test_memory_that_nothing_foretells_has_a_ceiling(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "_decoded", lambda _: bytes(4 << 30))
    assert read(tmp_path, png(16, 16))[0] == "needs more than 1024 MiB"
    assert bytes(2 << 30)  # the ceiling is gone


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (lambda: stored(Image.new("RGB", (3000, 3000)), "WEBP", lossless=True, method=0), "needs more than 64 MiB"),
        (lambda: stored(Image.new("RGB", (4000, 4000)), "JPEG", progressive=True), "needs more than 40 MiB"),
        (lambda: png(6000, 6000), None),
    ],
)
def test_pixels_times_bytes_are_looked_at_before_decoding(tmp_path, monkeypatch, data, reason):
    monkeypatch.setattr(decoding, "MOST_MEMORY", int(reason.split()[-2]) << 20 if reason else 64 << 20)
    answer, took = read(tmp_path, data())
    if reason is None:
        assert answer.pixels.shape == (1200, 1200, 3)
    else:
        assert answer == reason and took < 45


def test_a_photo_that_takes_too_long_is_left(tmp_path, monkeypatch):
    whole = stored(Image.new("L", (500, 500), 128), "JPEG", progressive=True)
    scan = whole[whole.rindex(b"\xff\xda") : -2]
    monkeypatch.setattr(decoding, "MOST_SECONDS", 0.2)
    answer, _ = read(tmp_path, whole[:-2] + scan * 20_000 + b"\xff\xd9")  # each goes through all pixels again
    assert answer == "takes more than 0 s to decode"


def test_what_may_not_be_read_is_said_and_what_went_away_stops_the_run(tmp_path):
    path = tmp_path / "a.jpg"
    with pytest.raises(LmedgeError, match=r"a.jpg was there and cannot be read any more \(No such file"):
        read_photo(path)
    path.touch(mode=0)
    with somebody(), pytest.raises(Rejected, match="no permission to read it"):
        read_photo(path)
