import csv
import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lmedge.affine import moved, square_to_face
from lmedge.annotators.face_mesh import FaceMesh
from lmedge.errors import LmedgeError, UsageError
from lmedge.faces import assembly
from lmedge.faces.cartoon import draw_face
from lmedge.faces.detect import HaarDetector
from lmedge.faces.look import random_look
from lmedge.faces.options import PrepareConfig, ToyConfig
from lmedge.faces.prepare import prepare
from lmedge.faces.records import FaceDataset
from lmedge.faces.toy import toy
from lmedge.landmarks import mirrored, nme, read_pts, write_pts
from lmedge.scheme import IBUG49, IBUG68, converted
from tests.conftest import REAL_DATA, drawn_photo


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_faces_are_found_and_annotated_near_the_drawn_points(photos, tmp_path):
    out = tmp_path / "faces"
    result = prepare(PrepareConfig(photos=(photos,), out=out, licence="CC0"))
    assert result.count == 10 and not result.rejected
    dataset = FaceDataset(out)
    assert dataset.size == 64 and dataset.provenance.licence == "CC0"
    # Face Mesh on a cartoon, against the cartoon's own points: not its trade, but near.
    errors = []
    for i, source in enumerate(dataset.sources):
        look = int(source[2:4])
        pixels, points = draw_face(random_look(np.random.default_rng((0, look))), 256)
        box = HaarDetector().largest(pixels)
        to_face = square_to_face(box.x - 0.1 * box.side, box.y - 0.1 * box.side, 1.2 * box.side, 64)
        exact = moved(converted(points, IBUG68, IBUG49), to_face)
        errors.append(nme(dataset.landmarks[i][None], exact[None], IBUG49)[0])
    assert np.mean(errors) < 0.08
    with Image.open(out / "contact.png") as sheet:
        assert sheet.width > 500


BAD = {
    "text.jpg": "not an image", "cut.jpg": "truncated image", "zero.jpg": "empty file",
    "nobody.png": "no face found", "pair.png": "two faces",
}  # fmt: skip


@pytest.fixture
def mixed(tmp_path):
    """Good and bad photos."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "text.jpg").write_text("not a photo")
    (folder / "zero.jpg").touch()
    face = Image.fromarray(drawn_photo(37))
    face.save(folder / "good.jpg", quality=95)
    (folder / "cut.jpg").write_bytes((folder / "good.jpg").read_bytes()[:5000])
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "nobody.png")
    Image.fromarray(np.concatenate([drawn_photo(37), drawn_photo(55)], axis=1)).save(folder / "pair.png")
    face.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    face.convert("L").save(folder / "grey.jpg", quality=95)
    turned = face.rotate(90, expand=True)  # stored lying on its side
    exif = turned.getexif()
    exif[0x0112] = 6  # to be turned clockwise
    turned.save(folder / "turned.jpg", exif=exif, quality=95)
    deep = np.asarray(face.convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(folder / "deep.png")
    return folder


def test_every_bad_photo_is_listed_with_its_reason_and_the_others_are_kept(mixed, tmp_path):
    out = tmp_path / "faces"
    result = prepare(PrepareConfig(photos=(mixed,), out=out))
    with (out / "rejected.csv").open() as file:
        assert {row["file"]: row["reason"] for row in csv.DictReader(file)} == BAD
    dataset = FaceDataset(out)
    assert sorted(dataset.sources) == ["cmyk.jpg", "deep.png", "good.jpg", "grey.jpg", "turned.jpg"]
    assert result.rejected == dict.fromkeys(BAD.values(), 1)
    points = dict(zip(dataset.sources, dataset.landmarks, strict=True))
    for name in ("turned.jpg", "cmyk.jpg", "grey.jpg", "deep.png"):  # all show the same face, upright
        assert np.abs(points[name] - points["good.jpg"]).mean() < 2, name


def test_nothing_left_is_a_failure_that_counts_the_reasons(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.jpg").write_text("no")
    with pytest.raises(LmedgeError, match=r"none of the 3 photos became a face \(3 not an image\)") as refused:
        prepare(PrepareConfig(photos=(folder,), out=tmp_path / "out"))
    assert Path(str(refused.value).split("; see ")[1].removesuffix(".")).name == "rejected.csv"
    assert Path(str(refused.value).split("; see ")[1].removesuffix(".")).exists()


def test_where_no_photo_was_a_face_the_same_command_looks_at_all_again(tmp_path):
    options = PrepareConfig(out=tmp_path / "out", **marked_photos(tmp_path / "photos", 1))
    (marked,) = (tmp_path / "photos").glob("*.pts")
    good = marked.read_bytes()
    marked.write_text("no points")
    with pytest.raises(LmedgeError, match="1 unreadable .pts file"):
        prepare(options)
    marked.write_bytes(good)
    assert prepare(options).count == 1


def test_a_killed_run_continues_and_gives_the_same_bytes(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(assembly, "SHARD_JOBS", 3)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    prepare(PrepareConfig(photos=(photos,), out=whole, workers=1))
    write = assembly.write_shard

    def fail_at_the_third(path, records):
        if "00002" in path.name:
            raise KeyboardInterrupt
        return write(path, records)

    monkeypatch.setattr(assembly, "write_shard", fail_at_the_third)
    config = PrepareConfig(photos=(photos,), out=killed, workers=2)
    with pytest.raises(KeyboardInterrupt):
        prepare(config)
    assert not killed.exists()
    finished = [path.stat().st_mtime_ns for path in sorted(tmp_path.glob(".killed.partial/files/*.tfrecord"))]
    assert len(finished) == 2
    monkeypatch.setattr(assembly, "write_shard", write)
    with pytest.raises(UsageError, match="half made with other options"):
        prepare(PrepareConfig(photos=(photos,), out=killed, size=32))
    prepare(config)
    assert [path.stat().st_mtime_ns for path in sorted(killed.glob("*.tfrecord"))][:2] == finished
    assert contents(killed) == contents(whole)


def test_a_finished_dataset_is_not_overwritten_unasked(toys, photos):
    with pytest.raises(UsageError, match="add --overwrite"):
        prepare(PrepareConfig(photos=(photos,), out=toys))


def marked_photos(folder, count):
    """Tiny photos with .pts files: what `prepare` reads fastest."""
    folder.mkdir()
    pixels, points = draw_face(random_look(np.random.default_rng((0, 1))), 32)
    for i in range(count):
        Image.fromarray(pixels).save(folder / f"{i:03}.png")
        write_pts(folder / f"{i:03}.pts", points)
    return {"photos": (folder,), "crop": "none", "annotator": "pts", "workers": 1}


def test_photos_that_vanish_stop_the_run_which_goes_on_when_they_are_back(tmp_path, monkeypatch):
    options = marked_photos(tmp_path / "photos", 100)
    out = tmp_path / "out"
    monkeypatch.setattr(assembly, "SHARD_JOBS", 8)
    write, gone = assembly.write_shard, tmp_path / "elsewhere"

    def unmount(path, records):
        if not gone.exists():
            (tmp_path / "photos").rename(gone)
        return write(path, records)

    monkeypatch.setattr(assembly, "write_shard", unmount)
    with pytest.raises(LmedgeError, match=r"\.png was there and cannot be read any more .*the same command goes on"):
        prepare(PrepareConfig(out=out, **options))
    assert not (out / "dataset.json").exists() and list(tmp_path.rglob("*.tfrecord"))
    with pytest.raises(UsageError, match="photos does not exist"):
        prepare(PrepareConfig(out=out, **options))
    gone.rename(tmp_path / "photos")
    monkeypatch.setattr(assembly, "write_shard", write)
    assert prepare(PrepareConfig(out=out, **options)).count == 100


def test_whatever_is_wrong_with_a_photo_the_others_are_kept(tmp_path):
    options = marked_photos(tmp_path / "photos", 3)
    folder, out = tmp_path / "photos", tmp_path / "out"
    Image.new("L", (40_000, 24)).save(folder / "wide.png")
    shutil.copy(folder / "000.png", folder / os.fsdecode(b"\xe9t\xe9.png"))
    shutil.copy(folder / "000.pts", folder / os.fsdecode(b"\xe9t\xe9.pts"))
    points = read_pts(folder / "000.pts")
    for name, change in (("far", {0: 1e38}), ("flat", dict.fromkeys(range(68), 9)), ("broken", {})):
        shutil.copy(folder / "000.png", folder / f"{name}.png")
        changed = points.copy()
        for at, value in change.items():
            changed[at] = value
        write_pts(folder / f"{name}.pts", changed)
    (folder / "broken.pts").write_text("n_points: 68 { 1 1 }")
    result = prepare(PrepareConfig(out=out, scheme="ibug68", **options))
    assert list(FaceDataset(out).sources) == ["000.png", "001.png", "002.png", "\\xe9t\\xe9.png"]
    with (out / "rejected.csv").open() as file:
        assert {row["file"]: row["reason"] for row in csv.DictReader(file)} == {
            "wide.png": "a side of more than 32766 pixels", "broken.png": "unreadable .pts file",
            "far.png": ".pts point far outside of the picture: 1e+38, 1e+38 in far.pts",
            "flat.png": "landmarks all in one place",
        }  # fmt: skip
    assert result.rejected[".pts point far outside of the picture"] == 1


@pytest.mark.parametrize("crop", ["none", "landmarks"])
def test_pts_files_are_imported(tmp_path, crop):
    folder = tmp_path / "photos"
    folder.mkdir()
    for look in (1, 2):
        pixels, points = draw_face(random_look(np.random.default_rng((0, look))), 128)
        Image.fromarray(pixels).save(folder / f"{look}.png")
        write_pts(folder / f"{look}.pts", points)
    Image.fromarray(pixels).save(folder / "3.png")
    Image.fromarray(pixels).save(folder / "4.png")
    write_pts(folder / "4.pts", points[:5])
    out = tmp_path / "out"
    result = prepare(PrepareConfig(photos=(folder,), out=out, crop=crop, annotator="pts", scheme="ibug68"))
    assert result.rejected == {"no .pts file": 1, ".pts of 5 points, not the 68 of --pts-scheme ibug68": 1}
    dataset = FaceDataset(out)
    if crop == "none":  # 128 -> 64 pixels, centre to centre
        assert dataset.landmarks[1] == pytest.approx((points + 0.5) / 2 - 0.5, abs=1e-3)
    else:
        eyes = dataset.landmarks[:, 36:48].mean(axis=1)
        assert eyes == pytest.approx(np.array([[31.5, 25.1]] * 2), abs=2.5)
    for path in folder.glob("*.pts"):  # such files say nothing but a number of points
        write_pts(path, converted(points, IBUG68, IBUG49))
    options = {"photos": (folder,), "crop": "none", "annotator": "pts"}
    with pytest.raises(LmedgeError, match="3 .pts of 49 points, not the 68 of --pts-scheme ibug68"):
        prepare(PrepareConfig(out=tmp_path / "guessed", **options))
    with pytest.raises(UsageError, match="--pts-scheme ibug49 has no jaw_0"):
        prepare(PrepareConfig(out=tmp_path / "more", scheme="ibug68", pts_scheme="ibug49", **options))
    prepare(PrepareConfig(out=tmp_path / "said", pts_scheme="ibug49", **options))
    assert FaceDataset(tmp_path / "said").scheme == IBUG49 and len(FaceDataset(tmp_path / "said")) == 3
    with pytest.raises(UsageError, match="no .pts file beside any"):
        (folder / "none").mkdir()
        Image.fromarray(pixels).save(folder / "none" / "5.png")
        prepare(PrepareConfig(photos=(folder / "none",), out=tmp_path / "x", annotator="pts"))


def test_crop_landmarks_with_face_mesh_brings_the_eyes_to_their_places(photos, tmp_path):
    prepare(PrepareConfig(photos=(photos / "a",), out=tmp_path / "out", crop="landmarks"))
    dataset = FaceDataset(tmp_path / "out")
    right = dataset.landmarks[:, [IBUG49.index(f"ibug68/{i}") for i in range(36, 42)]].mean(axis=1)
    assert right == pytest.approx(np.array([[0.34 * 64, 0.40 * 64]] * len(dataset)), abs=3)


def test_face_mesh_finds_the_mirrored_face_mirrored():
    """The vertices chosen for the 68 points must be symmetric: mirrored picture, mirrored points."""
    with FaceMesh() as mesh:
        pixels = drawn_photo(45)
        points = mesh.landmarks(pixels, IBUG68)
        flipped = mesh.landmarks(np.ascontiguousarray(pixels[:, ::-1]), IBUG68)
    assert nme(mirrored(points, 256, IBUG68)[None], flipped[None], IBUG68)[0] < 0.04


@pytest.mark.skipif(not (REAL_DATA / "300w").is_dir(), reason="the real photos are not here")
def test_face_mesh_agrees_with_people_on_real_photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in sorted((REAL_DATA / "300w/helen/testset").glob("*.jpg"))[:40]:
        shutil.copy(path, folder)
        shutil.copy(path.with_suffix(".pts"), folder)
    common = {"photos": (folder,), "crop": "none"}
    prepare(PrepareConfig(out=tmp_path / "people", annotator="pts", **common))
    prepare(PrepareConfig(out=tmp_path / "mesh", **common))
    people, mesh = FaceDataset(tmp_path / "people"), FaceDataset(tmp_path / "mesh")
    both = sorted(set(people.sources) & set(mesh.sources))
    assert len(both) >= 35
    true = people.landmarks[[people.sources.tolist().index(name) for name in both]]
    found = mesh.landmarks[[mesh.sources.tolist().index(name) for name in both]]
    assert nme(found, true, IBUG49).mean() < 0.08


def test_a_disk_that_fills_is_said_in_a_sentence_and_loses_nothing(tmp_path, small_disk, lmedge_here):
    marked_photos(tmp_path / "photos", 10)
    command = ("prepare", tmp_path / "photos", "--out", small_disk / "faces", "--workers", 1, "--crop", "none",
               "--annotator", "pts")  # fmt: skip
    (small_disk / "filler").write_bytes(bytes(1000 << 10))
    done = lmedge_here(*command)
    assert done.returncode == 1
    assert "the disk is full" in done.stderr.splitlines()[-1]
    assert list(small_disk.iterdir()) == [small_disk / "filler"]
    (small_disk / "filler").unlink()
    done = lmedge_here(*command)
    assert done.returncode == 0, done.stderr
    assert json.loads((small_disk / "faces" / "dataset.json").read_text())["count"] == 10
    assert not (small_disk / "faces" / ".parts").exists()


def test_a_shard_whose_note_finds_no_room_does_not_stay(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("lmedge.parts.write_arrays", full)
    with pytest.raises(OSError, match="No space"):
        toy(ToyConfig(out=tmp_path / "faces", count=4, size=32, workers=1))
    assert not list(tmp_path.iterdir())
