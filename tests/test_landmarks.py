import numpy as np
import pytest

from lmedge.errors import LmedgeError
from lmedge.landmarks import in_pixels, nme, normalised, read_pts, write_pts
from lmedge.pictures import drawn, grid
from lmedge.scheme import IBUG49


def test_nme_of_a_known_shift():
    true = np.zeros((1, 49, 2), np.float32)
    true[0, 28] = (10, 0)  # the outer eye corners are ten pixels apart
    shifted = true + np.array([3, 4], np.float32)
    assert nme(shifted, true, IBUG49) == pytest.approx([0.5])


def test_normalised_form_is_measured_from_the_edge():
    points = np.array([[-0.5, -0.5], [31.5, 15.5], [0, 0]], np.float32)
    assert normalised(points, 32, 16) == pytest.approx(np.array([[0, 0], [1, 1], [1 / 64, 1 / 32]]))
    assert in_pixels(normalised(points, 32, 16), 32, 16) == pytest.approx(points, abs=1e-5)


def test_pts_files_are_one_based(tmp_path):
    path = tmp_path / "a.pts"
    path.write_text("version: 1\nn_points:  2\n{\n1.0 1.0\n10.5 20.25\n}\n")
    assert read_pts(path).tolist() == [[0, 0], [9.5, 19.25]]
    write_pts(tmp_path / "b.pts", read_pts(path))
    assert read_pts(tmp_path / "b.pts") == pytest.approx(read_pts(path))


@pytest.mark.parametrize(
    "text", ["", "hello", "n_points: 3\n{\n1 1\n}", "n_points: 1\n{\n1 x\n}", "n_points: 1\n{\nnan 1\n}",
             "n_points: 1\n{\n1e64 1\n}"],
)  # fmt: skip
def test_bad_pts_files_are_refused(tmp_path, text):
    path = tmp_path / "a.pts"
    path.write_text(text)
    with pytest.raises(LmedgeError, match="is not a .pts file"):
        read_pts(path)


def test_a_drawn_point_lies_on_its_pixel():
    points = np.full((49, 2), 100, np.float32)  # out of the picture
    points[5] = (6, 10)
    picture = drawn(np.zeros((16, 16, 3), np.uint8), points[:, :], IBUG49, scale=8)
    green = np.argwhere(picture[..., 1] > 250)
    assert green.mean(axis=0)[::-1] == pytest.approx([(6 + 0.5) * 8 - 0.5, (10 + 0.5) * 8 - 0.5], abs=1)


def test_grid_places_images_row_by_row():
    images = [np.full((4, 4, 3), i * 10, np.uint8) for i in range(5)]
    sheet = grid(images, 3, gap=1)
    assert sheet.shape == (9, 14, 3)
    assert sheet[0, 5, 0] == 10 and sheet[5, 0, 0] == 30 and sheet[5, 5, 0] == 40 and sheet[8, 13, 0] == 255
