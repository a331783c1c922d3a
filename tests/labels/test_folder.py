"""Labels on disk: nothing that was placed is lost, and nothing overwrites what it has not seen."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from lmedge.errors import LmedgeError, UsageError
from lmedge.labels.folder import LabelFolder, Meanwhile, Placed
from lmedge.landmarks import read_pts
from lmedge.scheme import IBUG49
from tests.labels.conftest import EYES
from tests.making import Killed, killed_at

NOTHING = Placed()


def fill(labels, face, points):
    for point, (x, y) in enumerate(points):
        labels.place(face, point, Placed(x, y, 2), labels.at(face, point))


def test_every_point_is_on_the_disk_when_place_returns(labels, model):
    labels.place(2, 1, Placed(3.25, 30.12346, 1), NOTHING)
    again = LabelFolder.open(labels.path)
    assert again.at(2, 1) == Placed(3.25, 30.1235, 1) == labels.at(2, 1)
    assert again.placed.sum() == 1 and again.scheme == EYES and not labels.points_file(2).exists()
    faces = model.render(again.z)
    assert np.array_equal(faces.images[2], np.asarray(Image.open(again.image_file(2))))
    fill(labels, 2, [(1, 2), (3, 4), (5, 6)])
    assert read_pts(labels.points_file(2)) == pytest.approx(np.array([[1, 2], [3, 4], [5, 6]]))
    labels.place(2, 0, NOTHING, labels.at(2, 0))
    assert not labels.points_file(2).exists() and LabelFolder.open(labels.path).placed[2].tolist() == [0, 1, 1]


def test_another_reader_of_coco_sees_the_same(labels, capsys):
    fill(labels, 1, [(1, 2), (3, 4), (5, 6)])
    labels.place(3, 2, Placed(7, 8, 1), NOTHING)
    coco = COCO(str(labels.path / "annotations.json"))
    capsys.readouterr()
    assert coco.loadCats(1)[0]["keypoints"] == list(EYES.names)
    assert [image["file_name"] for image in coco.loadImgs(coco.getImgIds())] == [f"00000{i}.png" for i in range(4)]
    whole, part = coco.loadAnns(coco.getAnnIds())
    assert whole["image_id"] == 2 and whole["keypoints"] == [1, 2, 2, 3, 4, 2, 5, 6, 2]
    assert part["num_keypoints"] == 1 and part["keypoints"] == [0, 0, 0, 0, 0, 0, 7, 8, 1]
    assert part["bbox"] == [7, 8, 0, 0] and coco.annToMask is not None


def test_who_saw_an_older_state_overwrites_nothing(labels):
    first, second = Placed(1, 1, 2), Placed(2, 2, 2)
    labels.place(0, 0, first, NOTHING)
    labels.place(0, 0, first, NOTHING)  # the answer was lost, and it is sent again
    with pytest.raises(Meanwhile, match="right pupil was moved elsewhere in the meantime") as refused:
        labels.place(0, 0, second, NOTHING)
    assert refused.value.now == first == LabelFolder.open(labels.path).at(0, 0)
    labels.place(0, 0, second, first)
    labels.place(0, 1, first, NOTHING)  # another point of the same face is no matter
    assert LabelFolder.open(labels.path).at(0, 0) == second


def test_many_at_once_lose_nothing(labels):
    jobs = [(face, point) for face in range(4) for point in range(3)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda job: labels.place(*job, Placed(*job, 2), NOTHING), jobs))
    again = LabelFolder.open(labels.path)
    assert again.complete.all() and all(again.at(*job) == Placed(*job, 2) for job in jobs)


def test_a_kill_between_two_writes_leaves_the_old_or_the_new(labels, model, monkeypatch):
    faces = model.sample(3, seed=1)
    for step in range(20):
        before = LabelFolder.open(labels.path)
        with monkeypatch.context() as patch, suppress(Killed):
            killed_at(patch, step)
            before.add(faces.latents, faces.images)
        after = LabelFolder.open(labels.path)
        if len(after) > 4:
            break
        assert len(after) == 4 and np.array_equal(after.z, labels.z)
    assert step > 3 and len(after) == 7 and np.array_equal(after.z[4:], faces.latents)
    assert np.array_equal(np.asarray(Image.open(after.image_file(6))), faces.images[2])


CLICKS = """
import sys
from pathlib import Path
from lmedge.labels.folder import LabelFolder, Placed
labels = LabelFolder.open(Path(sys.argv[1]))
with labels.owned():
    for i in range(10**6):
        labels.place(i % 4, i % 3, Placed(i % 31, i // 31 % 31, 2), labels.at(i % 4, i % 3))
        print(i, flush=True)
"""


@pytest.mark.slow
def test_a_process_that_is_killed_loses_no_point_that_it_has_answered(labels):
    command = [sys.executable, "-c", CLICKS, str(labels.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as clicking:
        for _ in range(25):
            clicking.stdout.readline()
        with pytest.raises(LmedgeError, match="is in use: process"), labels.owned():
            pass
        os.kill(clicking.pid, signal.SIGKILL)
        last = 24 + len(clicking.stdout.read().splitlines())
    again = LabelFolder.open(labels.path)
    for i in range(last - 11, last + 1):
        # The next one may have been kept before it was answered.
        some = [Placed(j % 31, j // 31 % 31, 2) for j in (i, i + 12)]
        assert again.at(i % 4, i % 3) in some
    with again.owned():
        pass


def test_what_does_not_belong_together_is_refused(labels, model, tmp_path):
    with pytest.raises(UsageError, match="generator 0123456789ab, and run is ffff: its latents draw other faces"):
        labels.refuse_other_model("ffff", "run")
    with pytest.raises(UsageError, match="labels of another scheme .eyes, 3 points. than --scheme says .ibug49, 49"):
        labels.refuse_other_scheme(IBUG49, "--scheme")
    with pytest.raises(UsageError, match="a point at 31.9, 2.0 is outside of the picture of 32 x 32"):
        labels.place(0, 0, Placed(31.9, 2, 2), NOTHING)
    with pytest.raises(UsageError, match="a visibility of 3"):
        labels.place(0, 0, Placed(1, 2, 3), NOTHING)
    assert not LabelFolder.open(labels.path).placed.any()
    with pytest.raises(UsageError, match="holds no labels"):
        LabelFolder.open(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds other things and no labels.json"):
        LabelFolder.create(tmp_path / "mine", model, EYES)
    (labels.path / "latents.npz").write_bytes(b"no")
    with pytest.raises(LmedgeError, match="latents.npz is damaged"):
        LabelFolder.open(labels.path)


def test_what_another_program_wrote_meanwhile_is_not_overwritten(labels):
    file = labels.path / "annotations.json"
    theirs = json.loads(file.read_text())
    file.write_text(json.dumps({**theirs, "info": {"tool": "another"}}))
    os.utime(file, ns=(1, 1))
    with pytest.raises(LmedgeError, match="was changed by another program; stop `lmedge label` and start it again"):
        labels.place(0, 0, Placed(1, 1, 2), NOTHING)
    assert not labels.placed.any() and json.loads(file.read_text())["info"] == {"tool": "another"}
    LabelFolder.open(labels.path).place(0, 0, Placed(1, 1, 2), NOTHING)


def test_a_full_disk_is_said_and_changes_nothing(model, small_disk):
    labels = LabelFolder.create(small_disk / "labels", model, EYES)
    labels.add(*(lambda faces: (faces.latents, faces.images))(model.sample(1)))
    labels.place(0, 0, Placed(1, 1, 2), NOTHING)
    with suppress(OSError), (small_disk / "ballast").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    with pytest.raises(OSError, match="No space left"):
        labels.place(0, 1, Placed(2, 2, 2), NOTHING)
    assert labels.at(0, 1) == NOTHING and LabelFolder.open(labels.path).placed.tolist() == [[True, False, False]]


def test_labels_of_others_are_not_written_over(labels, model, tmp_path):
    theirs = tmp_path / "theirs"
    (theirs / "images").mkdir(parents=True)
    (theirs / "annotations.json").write_text(json.dumps({"info": {}, "images": [], "annotations": []}))
    with pytest.raises(UsageError, match="holds other things"):
        LabelFolder.create(theirs, model, EYES)
    (theirs / "annotations.json").unlink()
    (theirs / "images" / "000000.png").write_bytes(b"a picture")
    with pytest.raises(UsageError, match="holds other things"):
        LabelFolder.create(theirs, model, EYES)
    (theirs / "images" / "000000.png").unlink()
    LabelFolder.create(theirs, model, EYES)
    (theirs / "labels.json").unlink()  # as a kill leaves it
    assert len(LabelFolder.create(theirs, model, EYES)) == 0


def test_files_of_points_that_a_kill_left_behind_are_mended(labels):
    fill(labels, 2, [(1, 2), (3, 4), (5, 6)])
    labels.points_file(2).unlink()
    labels.points_file(1).write_text("of an older state")
    LabelFolder.open(labels.path).settle()
    assert read_pts(labels.points_file(2)) == pytest.approx(np.array([[1, 2], [3, 4], [5, 6]]))
    assert not labels.points_file(1).exists()


def test_faces_without_a_size_are_refused(labels):
    file = labels.path / "labels.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"width": 0}))
    with pytest.raises(LmedgeError, match="it is damaged"):
        LabelFolder.open(labels.path)
