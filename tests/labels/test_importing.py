"""Points that other tools have placed."""

import json

import numpy as np
import pytest

from lmedge.errors import LmedgeError, UsageError
from lmedge.labels.folder import LabelFolder, Placed
from lmedge.labels.importing import take_over
from tests.labels.conftest import EYES

# As CVAT and COCO Annotator write it: paths of their own, 8 times the pixels, points in another order and fewer of
# them, boxes of other things, texts for numbers that lmedge never writes.
ELSEWHERE = {
    "licenses": [],
    "info": {"contributor": "", "date_created": "", "version": ""},
    "categories": [
        {"id": 7, "name": "cat", "supercategory": ""},
        {"id": 9, "name": "face", "supercategory": "", "keypoints": ["chin", "left pupil"], "skeleton": [[1, 2]]},
    ],
    "images": [
        {"id": 31, "file_name": "faces/big/000001.jpg", "width": 256, "height": 256, "license": 0},
        {"id": 32, "file_name": "c:\\\\faces\\\\000003.png", "width": 32, "height": 32},
    ],
    "annotations": [
        {"id": 1, "image_id": 31, "category_id": 7, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0},
        {"id": 2, "image_id": 31, "category_id": 9, "keypoints": [127.5, 203.5, 2, 100, 50, 1], "num_keypoints": 2},
        {"id": 3, "image_id": 32, "category_id": 9, "keypoints": [16, 25, 2, 0, 0, 0], "num_keypoints": 1},
    ],
}


@pytest.fixture
def elsewhere(tmp_path):
    """Writes the file, with parts changed: `elsewhere(annotations=[...])` -> its path."""

    def write(**parts):
        file = tmp_path / "theirs.json"
        file.write_text(json.dumps({**ELSEWHERE, **parts}))
        return file

    return write


def test_a_coco_file_of_another_tool_is_taken_over(labels, elsewhere):
    assert take_over(labels, elsewhere(), overwrite=False) == (3, 0)
    again = LabelFolder.open(labels.path)
    # The centre of the first pixel is 0 in both: 8 times the pixels begin 3.5 of them before it.
    assert again.at(1, 2) == Placed(15.5, 25.0, 2)
    assert again.at(1, 1) == Placed(round(100.5 / 8 - 0.5, 4), round(50.5 / 8 - 0.5, 4), 1)
    assert again.at(3, 2) == Placed(16, 25, 2) and again.placed.sum() == 3


def test_what_is_placed_here_stays_unless_it_is_to_be_replaced(labels, elsewhere):
    labels.place(3, 2, Placed(10, 10, 2), Placed())
    assert take_over(labels, elsewhere(), overwrite=False) == (2, 1)
    assert labels.at(3, 2) == Placed(10, 10, 2)
    assert take_over(labels, elsewhere(), overwrite=True) == (3, 0)
    assert LabelFolder.open(labels.path).at(3, 2) == Placed(16, 25, 2)


def test_pts_files_are_taken_over(labels, tmp_path):
    (tmp_path / "000002.pts").write_text("version: 1\nn_points: 3\n{\n1 1\n2.5 3\n32 32\n}\n")
    assert take_over(labels, tmp_path, overwrite=False) == (3, 0)
    again = LabelFolder.open(labels.path)
    assert again.points[2].tolist() == [[0, 0], [1.5, 2], [31, 31]] and again.complete.tolist() == [0, 0, 1, 0]
    with pytest.raises(UsageError, match="has points on no face of these labels"):
        take_over(labels, labels.path / "images" / "..", overwrite=False)


def marks(**parts):
    return {"annotations": [{**ELSEWHERE["annotations"][1], **parts}]}


@pytest.mark.parametrize(("parts", "sentence"), [
    (marks(keypoints=[300, 1, 2, 1, 1, 2]), "'000001' has chin outside of the picture"),
    (marks(keypoints=[5, 5, 2, 5, 5, 2]), "'000001' has all of its points on one place"),
    (marks(keypoints=[5, 5, 3, 6, 5, 2]), "a visibility that is none of COCO's"),
    (marks(keypoints=[5, 5, 2]), "has 1 key points, or no finite ones, and its category names 2"),
    (marks(keypoints=["a", 5, 2, 1, 1, 2]), "no list of numbers"),
    (marks(keypoints=[float("nan"), 5, 2, 1, 1, 2]), "no finite ones"),
    (marks(image_id=99), "has points on image 99, which it does not list"),
    (marks(image_id=[]), r"has \[\] for 'image_id'"),
    ({"annotations": ELSEWHERE["annotations"][1:2] * 2}, "has the points of two faces on '000001'"),
    ({"annotations": [5]}, "has 5 among its 'annotations'"),
    ({"categories": ELSEWHERE["categories"][:1]}, "no category with the names of its key points"),
    ({"categories": [{"id": 9, "keypoints": ["chin", "left pupill"]}]}, "which eyes has not; did you mean left pupil?"),
    ({"categories": [{"id": 9, "keypoints": ["chin", "chin"]}]}, "names a point of a category twice"),
    ({"images": [{"id": 31, "file_name": "000001.jpg", "width": 256, "height": 200}]}, "has 256 x 200 pixels"),
    ({"images": [{"id": 31, "file_name": "000001.jpg", "width": 0, "height": 0}]}, "has 0 x 0 pixels"),
    ({"images": [{"id": 31, "file_name": "000009.jpg", "width": 32, "height": 32}],
      **marks(keypoints=[5, 5, 2, 6, 5, 2])}, "has points on '000009', and .* has no such face"),
    ({"annotations": []}, "has points on no face of these labels"),
    ({"images": {}}, "has {} for 'images'"),
])  # fmt: skip
def test_a_file_that_cannot_be_meant_is_refused_and_nothing_is_changed(labels, elsewhere, parts, sentence):
    before = (labels.path / "annotations.json").read_bytes()
    with pytest.raises(LmedgeError, match=sentence):
        take_over(labels, elsewhere(**parts), overwrite=True)
    assert (labels.path / "annotations.json").read_bytes() == before and not labels.placed.any()


def test_pts_files_that_cannot_be_meant_are_refused(labels, tmp_path):
    file = tmp_path / "000000.pts"
    for body, count, sentence in (("1 1\n2 2", 2, "has 2 points, and eyes has 3"),
                                  ("1 1\n2 2\n40 1", 3, "is outside of the picture"),
                                  ("4 4\n" * 3, 3, "all of its points on one place")):  # fmt: skip
        file.write_text(f"version: 1\nn_points: {count}\n{{\n{body}\n}}\n")
        with pytest.raises(LmedgeError, match=sentence):
            take_over(labels, tmp_path, overwrite=False)
    assert not np.any(labels.placed) and EYES.count == 3
