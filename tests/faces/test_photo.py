import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from lmedge.affine import cut, inverse, moved, square_to_face
from lmedge.errors import Rejected
from lmedge.faces.photo import read_photo


def smooth(height=40, width=60):
    """A picture whose corners differ."""
    picture = np.full((height, width, 3), 90, np.uint8)
    picture[..., 0] = (np.arange(width) * 255 // width).astype(np.uint8)
    picture[..., 1] = (np.arange(height) * 255 // height).astype(np.uint8)[:, None]
    return picture


def jpeg(picture, **options):
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=97, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"I am a text, not a photo.\n" * 20, "not an image"),
        (jpeg(Image.fromarray(smooth()))[:700], "truncated image"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "not an image"),
    ],
)
def test_files_that_are_no_photos_are_rejected_with_their_reason(tmp_path, data, reason):
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    with pytest.raises(Rejected, match=reason):
        read_photo(path)


def test_a_huge_photo_is_rejected_before_it_is_decoded(tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))))
    with pytest.raises(Rejected, match="larger than 200 megapixels"):
        read_photo(path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_exif_rotated_photo_comes_out_upright(tmp_path, orientation):
    upright = smooth()
    # How the camera stored it: the inverse of what the tag asks the viewer to do (EXIF 2.3, section 4.6.4).
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright), 7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    picture = Image.fromarray(np.ascontiguousarray(stored))
    exif = picture.getexif()
    exif[0x0112] = orientation
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(picture, exif=exif))
    photo = read_photo(path)
    assert photo.pixels.shape == upright.shape
    assert np.abs(photo.pixels.astype(int) - upright).mean() < 3


def test_16_bit_grey_keeps_its_tones(tmp_path):
    deep = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(16, 0)
    path = tmp_path / "a.png"
    Image.fromarray(deep).save(path)
    pixels = read_photo(path).pixels
    assert pixels.shape == (16, 256, 3)
    assert np.abs(pixels[3, :, 1].astype(int) - np.arange(256)).max() <= 1


def test_16_bit_colour_keeps_its_tones(tmp_path):
    deep = smooth().astype(np.uint16) * 257
    path = tmp_path / "a.png"
    assert cv2.imwrite(str(path), deep[..., ::-1])
    assert np.abs(read_photo(path).pixels.astype(int) - smooth()).max() <= 1


@pytest.mark.parametrize("mode", ["CMYK", "L"])
def test_cmyk_and_grey_jpegs_become_rgb(tmp_path, mode):
    picture = Image.fromarray(smooth())
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(picture.convert(mode)))
    wanted = np.asarray(picture.convert(mode).convert("RGB")).astype(int)
    pixels = read_photo(path).pixels
    assert pixels.shape == (40, 60, 3)
    assert np.abs(pixels - wanted).mean() < 3


def test_transparency_becomes_white(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGBA", (10, 10), (200, 0, 0, 0)).save(path)
    assert (read_photo(path).pixels == 255).all()


def test_a_large_jpeg_is_decoded_smaller_and_says_so(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(Image.fromarray(smooth(2400, 4400))))
    photo = read_photo(path)
    assert photo.pixels.shape == (1200, 2200, 3)
    assert photo.scale == (0.5, 0.5)


def test_square_to_face_maps_edges_to_edges():
    affine = square_to_face(10, 20, 50, 100)
    corners = np.array([[9.5, 19.5], [59.5, 69.5]], np.float32)
    assert moved(corners, affine) == pytest.approx(np.array([[-0.5, -0.5], [99.5, 99.5]]))
    assert moved(moved(corners, affine), inverse(affine)) == pytest.approx(corners, abs=1e-4)


@pytest.mark.parametrize(("side", "size"), [(40, 160), (64, 64), (128, 32), (150, 48)])
def test_a_dot_stays_under_its_landmark(side, size):
    photo = np.zeros((200, 200, 3), np.uint8)
    cv2.circle(photo, (97, 83), 6, (255, 255, 255), cv2.FILLED, cv2.LINE_AA)
    affine = square_to_face(97 - side * 0.45, 83 - side * 0.4, side, size)
    face = cut(photo, affine, size)[..., 0].astype(float)
    y, x = np.mgrid[0:size, 0:size]
    found = np.array([(x * face).sum(), (y * face).sum()]) / face.sum()
    assert found == pytest.approx(moved(np.array([[97, 83]], np.float32), affine)[0], abs=0.1)


def test_the_border_is_reflected():
    photo = smooth(32, 32)
    face = cut(photo, square_to_face(-8, 0, 32, 32), 32)
    assert (face[:, 7] == photo[:, 1]).all() and (face[:, 8] == photo[:, 0]).all()
