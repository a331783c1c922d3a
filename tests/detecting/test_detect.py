import csv
import json
import os
import shutil
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from lmedge.affine import cut, inverse, moved, square_to_face
from lmedge.detecting.finder import Finder
from lmedge.errors import LmedgeError
from lmedge.faces.detect import HaarDetector
from lmedge.provenance import Provenance
from lmedge.runtime.detector import LandmarkDetector, detector_file
from tests.conftest import FOUND_LOOKS, drawn_photo

LOOKS = FOUND_LOOKS[:3]


@pytest.fixture(scope="module")
def detector(trained_detector):
    return LandmarkDetector(detector_file(trained_detector.out, "int8"))


@pytest.fixture
def detect(trained_detector, lmedge_here, tmp_path):
    """`detect(source, ...)` -> what the command line says; it writes to tmp_path/found."""
    return lambda source, *words: lmedge_here(
        "detect", trained_detector.out, source, "--out", tmp_path / "found", *words
    )


@pytest.fixture
def album(tmp_path):
    """Three photos, one of them in a folder, a file that is none, and a wall."""
    folder = tmp_path / "album"
    (folder / "more").mkdir(parents=True)
    for path, look in zip(("a.png", "b.png", "more/a.png"), LOOKS, strict=True):
        Image.fromarray(drawn_photo(look)).save(folder / path)
    (folder / "broken.jpg").write_bytes(b"no photo")
    Image.new("RGB", (80, 60), "grey").save(folder / "wall.png")
    return folder


def by_hand(detector, photo):
    """The landmarks of the one face of a photo, cut as `prepare` cuts it."""
    box = HaarDetector().largest(photo)
    to_face = square_to_face(box.x - 0.1 * box.side, box.y - 0.1 * box.side, 1.2 * box.side, detector.size)
    return moved(detector.landmarks(cut(photo, to_face, detector.size)[None])[0], inverse(to_face))


def read_300w(path):
    lines = path.read_text().split("\n")
    assert lines[:3] == ["version: 1", "n_points: 49", "{"] and lines[-2] == "}"
    return np.array([line.split() for line in lines[3:-2]], float) - 1


def rows(folder, name="landmarks.csv"):
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_landmarks_of_photos_are_those_of_their_faces_cut_by_hand(detect, album, detector, tmp_path):
    done = detect(album)
    assert done.returncode == 0 and done.stdout.startswith("3 faces in 5 photos, ")
    found = tmp_path / "found"
    for name, look in zip(("a", "b", "more/a"), LOOKS, strict=True):
        wanted = by_hand(detector, drawn_photo(look))
        assert read_300w(found / f"{name}.pts") == pytest.approx(wanted, abs=1.5)  # of 256 pixels
        with Image.open(found / "drawn" / f"{name}.jpg") as drawn:
            changed = np.abs(np.asarray(drawn).astype(int) - drawn_photo(look)).max(axis=2) > 60
        x, y = wanted.mean(axis=0).astype(int)
        assert drawn.size == (256, 256) and changed.any() and changed[y - 60 : y + 60, x - 60 : x + 60].mean() > 0.01
    assert {(row["file"], row["reason"]) for row in rows(found, "skipped.csv")} == {
        ("broken.jpg", "not an image"), ("wall.png", "no face found")
    }  # fmt: skip
    assert "1  not an image" in done.stdout and "1  no face found" in done.stdout


def test_csv_and_json_hold_the_points_of_the_pts_files(detect, album, tmp_path):
    found, points = tmp_path / "found", []
    for words in (["pts"], ["csv", "--no-draw"], ["json"]):
        assert detect(album / "b.png", "--overwrite", "--format", *words).returncode == 0
        files = sorted(path.name for path in found.iterdir() if path.name[0] != ".")
        if words == ["pts"]:
            points.append(read_300w(found / "b.pts"))
        elif words[0] == "csv":
            (row,) = rows(found)
            assert files == ["landmarks.csv", "skipped.csv"] and (row["file"], row["face"]) == ("b.png", "1")
            points.append(np.array([float(v) for k, v in row.items() if k[-2:] in ("_x", "_y") and k[:3] != "box"]))
        else:
            said = json.loads((found / "landmarks.json").read_text())
            (picture,) = said["pictures"]
            assert said["scheme"]["name"] == "ibug49" and (picture["width"], picture["height"]) == (256, 256)
            points.append(np.array(picture["faces"][0]["landmarks"]))
    assert points[1].reshape(49, 2) == pytest.approx(points[0], abs=2e-3)
    assert points[2] == pytest.approx(points[0], abs=2e-3)


def test_points_are_in_pixels_of_the_upright_photo_however_large_it_is(detect, detector, tmp_path):
    small = drawn_photo(LOOKS[0])
    large = Image.fromarray(small).resize((2560, 2560), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    large.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "large.jpg", exif=exif, quality=95)
    assert detect(tmp_path / "large.jpg", "--format", "json").returncode == 0
    (picture,) = json.loads((tmp_path / "found" / "landmarks.json").read_text())["pictures"]
    found = (np.array(picture["faces"][0]["landmarks"]) + 0.5) / 10 - 0.5
    assert (picture["width"], picture["height"]) == (2560, 2560)
    assert found == pytest.approx(by_hand(detector, small), abs=4)


def test_every_face_of_a_photo_is_found_the_largest_first(detect, tmp_path):
    left, right = drawn_photo(LOOKS[0], 256), drawn_photo(LOOKS[1], 160)
    both = np.full((256, 416, 3), 128, np.uint8)
    both[:, :256], both[48:208, 256:] = left, right
    Image.fromarray(both).save(tmp_path / "couple.png")
    Image.fromarray(left).save(tmp_path / "couple.bmp")  # of the same name
    assert detect(tmp_path / "couple.png").stdout.startswith("2 faces in 1 photos, ")
    first, second = (read_300w(tmp_path / "found" / f"couple{n}.pts") for n in ("", "-2"))
    assert first[:, 0].max() < 256 < second[:, 0].min()
    assert detect(tmp_path, "--overwrite").stdout.startswith("3 faces in 2 photos, ")
    assert {path.name for path in (tmp_path / "found").glob("*.pts")} == {"couple.pts", "couple-2.pts", "couple-3.pts"}
    assert len(list((tmp_path / "found" / "drawn").iterdir())) == 2


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Six frames at 5 a second; the face moves by 8 pixels to the right, and the last frame is empty."""
    path = tmp_path_factory.mktemp("film") / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 5, (320, 256))
    for number in range(6):
        frame = np.full((256, 320, 3), 128, np.uint8)
        if number < 5:
            frame[:, 8 * number : 8 * number + 256] = drawn_photo(LOOKS[0])
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def test_the_frames_of_a_video_have_their_faces(detect, film, tmp_path):
    done = detect(film, "--format", "csv")
    assert done.stdout.startswith("5 faces in 6 frames, ")
    found = rows(tmp_path / "found")
    assert [row["file"] for row in found] == [f"frame-00000{n}" for n in range(5)]
    assert [float(row["seconds"]) for row in found] == pytest.approx([n / 5 for n in range(5)])
    places = np.array(
        [np.mean([float(row[f"{name}_x"]) for name in ("nose_base_2", "mouth_outer_3")]) for row in found]
    )
    assert np.diff(places) == pytest.approx([8] * 4, abs=4) and places[4] - places[0] == pytest.approx(32, abs=5)
    assert rows(tmp_path / "found", "skipped.csv") == [{"file": "frame-000005", "reason": "no face found"}]
    drawn = cv2.VideoCapture(str(tmp_path / "found" / "drawn.mp4"))
    frames = []
    while (read := drawn.read())[0]:
        frames.append(read[1])
    assert len(frames) == 6 and frames[0].shape == (256, 320, 3) and drawn.get(cv2.CAP_PROP_FPS) == 5
    assert detect(film, "--frames", 2, "--overwrite").stdout.startswith("2 faces in 2 frames, ")
    assert len(list((tmp_path / "found").glob("frame-*.pts"))) == 2


def test_a_camera_is_looked_at_until_ctrl_c(detect, monkeypatch, tmp_path):
    face = cv2.cvtColor(drawn_photo(LOOKS[0]), cv2.COLOR_RGB2BGR)

    class Camera:
        def __init__(self, number):
            self.number, self.seen = number, 0

        def isOpened(self):
            return self.number == 1

        def get(self, what):
            return float("nan")

        def read(self):
            self.seen += 1
            if self.seen == 3:
                os.kill(os.getpid(), signal.SIGINT)
            return True, face

        def release(self):
            pass

    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    done = detect("camera:1", "--format", "csv", "--no-draw")
    assert (
        done.returncode == 0 and done.stdout.startswith("3 faces in 3 frames, ") and len(rows(tmp_path / "found")) == 3
    )
    assert detect("camera:1", "--frames", 2, "--overwrite").stdout.startswith("2 faces in 2 frames, ")
    gone = detect("camera", "--overwrite")
    assert gone.returncode == 1 and "camera 0 is not there, or another program has it" in gone.stderr


def test_where_no_cascade_was_used_the_middle_of_the_picture_is_looked_at(trained_detector, detector):
    detector = LandmarkDetector(detector_file(trained_detector.out, "int8"))
    detector.provenance = Provenance("pts", "1", {"crop": "none"})
    photo = np.ascontiguousarray(drawn_photo(LOOKS[0])[:200])
    (found,) = Finder(detector)(photo)
    whole = square_to_face(28, 0, 200, detector.size)
    wanted = moved(detector.landmarks(cut(photo, whole, detector.size)[None])[0], inverse(whole))
    assert found.box == (28, 0, 200, 200) and found.landmarks == pytest.approx(wanted, abs=1.5)
    detector.provenance = Provenance("pts", "1", {"crop": "landmarks"})
    with pytest.raises(LmedgeError, match="turned and moved by their landmarks"):
        Finder(detector)


def test_what_cannot_be_looked_at_is_refused_in_one_sentence(detect, lmedge_here, album, film, bundle, tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"\0no film")
    (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile {film.name}\n")
    shutil.copy(film, tmp_path)
    (tmp_path / "words.txt").write_text("x")
    for source, words, code, sentence in (
        (album / "wall.png", (), 1, "wall.png shows no face in 1 photos (1 no face found)."),
        (tmp_path / "film.mp4", (), 1, "film.mp4 is no video that OpenCV can read"),
        (tmp_path / "list.mp4", (), 1, "list.mp4 is a text and no video; a list of videos is not followed"),
        (tmp_path / "words.txt", (), 2, "words.txt is neither a photo (.avif"),
        (tmp_path / "nowhere", (), 2, "nowhere does not exist; name photos"),
        (album, ("--frames", 3), 2, "--frames 3 is for videos and cameras, and"),
        (album, ("--frames", 0), 2, "--frames must be at least 1, not 0"),
    ):
        done = detect(source, *words)
        assert (done.returncode, done.stdout) == (code, "") and sentence in done.stderr
        assert "Traceback" not in done.stderr and not (tmp_path / "found").exists()
    for model, code, sentence in (
        (bundle, 2, "has no detector-int8.tflite; name a folder of `lmedge train-detector` or `study`"),
        (bundle / "faces-int8.tflite", 1, "it is not a landmark detector of lmedge"),
        (album / "a.png", 2, "a.png is no .tflite file"),
    ):
        done = lmedge_here("detect", model, album, "--out", tmp_path / "found")
        assert done.returncode == code and sentence in done.stderr


def test_without_opencv_one_sentence_says_what_to_install(trained_detector, album, tmp_path):
    program = "import sys; sys.modules['cv2'] = None; from lmedge.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["detect", trained_detector.out, album, "--out", tmp_path / "found"]
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "cv2 is not installed and this verb needs it; pip install" in done.stderr


def test_whatever_photos_are_called_their_files_lie_in_the_folder(detect, tmp_path):
    face, album, found = Image.fromarray(drawn_photo(LOOKS[0])), tmp_path / "album", tmp_path / "found"
    names = (
        "..jpg",
        "...jpg",
        "a.jpg",
        "a.pts/b.jpg",
        "c.tif",
        "c.pts/d.jpg",
        "skipped.csv/e.jpg",
        ".lmedge.json/f.jpg",
    )
    for name in names:
        (album / name).parent.mkdir(parents=True, exist_ok=True)
        face.save(album / name, "TIFF" if name == "c.tif" else "JPEG")
    said = detect(album)
    assert (said.returncode, said.stderr.count("lmedge:")) == (0, 0)
    written = {path.relative_to(found).as_posix() for path in found.rglob("*.pts") if path.is_file()}
    assert written == {
        "..pts", "...pts", "a.pts", "a.pts-2/b.pts", "c-2.pts", "c.pts/d.pts", "skipped.csv-2/e.pts",
        ".lmedge.json-2/f.pts",
    }  # fmt: skip
    assert len([path for path in (found / "drawn").rglob("*.jpg") if path.is_file()]) == len(names)
    assert {path.name for path in tmp_path.iterdir()} == {"album", "found"} and not (found / ".lmedge.partial").exists()


def test_of_a_damaged_video_it_is_said_how_much_could_be_read(detect, film, tmp_path):
    data = film.read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: len(data) // 2])
    done = detect(tmp_path / "cut.avi", "--format", "csv", "--no-draw")
    read = len(rows(tmp_path / "found"))
    assert done.returncode == 0 and 0 < read < 5
    assert f"{read} of 6 frames could be read; {tmp_path}/cut.avi may be damaged" in done.stderr
    assert f"{6 - read}  could not be read" in done.stdout
    assert "could be read" not in detect(film, "--frames", 2, "--format", "csv", "--overwrite").stderr
    assert "could be read" not in detect(film, "--format", "csv", "--overwrite").stderr
