"""What scripts/fuzz changes, and where it goes in: photos, .pts files, models, shards and manifests."""

import io
import json
import shutil
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from fuzzing import Random, Target, changed_bytes, changed_json, changed_text
from PIL import Image, features

from lmedge.about.info import info
from lmedge.about.options import InfoConfig
from lmedge.gan.families import family_of
from lmedge.lgen.options import TrainLgenConfig
from lmedge.parts import split
from lmedge.provenance import Provenance
from lmedge.scheme import IBUG49
from lmedge.shipped import REFERENCE, REFERENCE_RUN

SIZE = 48


def _pictures() -> dict[str, bytes]:
    """A small photo in every format and in the forms that decoders have code of their own for."""
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    colour = Image.fromarray(np.stack([x * 5, y * 5, (x * y) % 256], -1).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a photo"
    several = {"save_all": True, "append_images": [colour.rotate(90)]}
    forms: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "plain.jpg": (colour, "JPEG", {"exif": exif}),
        "progressive.jpg": (colour, "JPEG", {"progressive": True}),
        "cmyk.jpg": (colour.convert("CMYK"), "JPEG", {}),
        "several.jpg": (colour, "MPO", several),
        "plain.png": (colour, "PNG", {"exif": exif}),
        "palette.png": (colour.quantize(16), "PNG", {"transparency": 3}),
        "deep.png": (Image.fromarray((x * y * 20).astype(np.uint16)), "PNG", {}),
        "alpha.png": (colour.convert("RGBA"), "PNG", {}),
        "several.png": (colour, "PNG", several),
        "lossy.webp": (colour, "WEBP", {"exif": exif}),
        "lossless.webp": (colour.convert("RGBA"), "WEBP", {"lossless": True}),
        "several.webp": (colour, "WEBP", several),
        "plain.bmp": (colour, "BMP", {}),
        "palette.bmp": (colour.quantize(16), "BMP", {}),
        "plain.tif": (colour, "TIFF", {}),
        "lzw.tif": (colour, "TIFF", {"compression": "tiff_lzw"}),
        "jpeg.tif": (colour, "TIFF", {"compression": "jpeg"}),
        "fax.tif": (colour.convert("1"), "TIFF", {"compression": "group4"}),
        "float.tif": (Image.fromarray((x * 1.0).astype(np.float32)), "TIFF", {"compression": "tiff_deflate"}),
        "plain.gif": (colour, "GIF", {}),
        "several.gif": (colour, "GIF", several),
    }
    if features.check("avif"):
        forms["plain.avif"] = (colour, "AVIF", {"exif": exif})
    pictures = {}
    for name, (picture, kind, options) in forms.items():
        buffer = io.BytesIO()
        picture.save(buffer, kind, **options)
        pictures[name] = buffer.getvalue()
    return pictures


def _marks() -> str:
    points = 8 + (SIZE - 16) * np.random.default_rng(0).random((68, 2))
    lines = "".join(f"{x:.3f} {y:.3f}\n" for x, y in points)
    return f"version: 1\nn_points: 68\n{{\n{lines}}}\n"


def photos(folder: Path) -> list[Path]:
    """Photos with .pts files beside them."""
    paths = []
    for name, data in _pictures().items():
        paths.append(folder / name)
        paths[-1].write_bytes(data)
        paths[-1].with_suffix(".pts").write_text(_marks())
    return paths


def marks(folder: Path) -> list[Path]:
    """One .pts file, beside its photo."""
    (folder / "a.png").write_bytes(_pictures()["plain.png"])
    (folder / "a.pts").write_text(_marks())
    return [folder / "a.pts"]


def prepare_one(path: Path) -> None:
    """What a worker of `prepare` does with a photo, or with the photo of a .pts file."""
    from lmedge.faces import prepare
    from lmedge.faces.sources import find_photos

    _started()
    photo = path.with_suffix(".png") if path.suffix == ".pts" else path
    (source,) = find_photos((photo,), None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = prepare._work(source)
    if isinstance(answer, tuple) and answer[1].startswith("failed"):
        raise AssertionError(answer[1])


@cache
def _started() -> None:
    from lmedge.annotators.pts import Pts
    from lmedge.faces import prepare
    from lmedge.faces.crop import Cutting

    prepare._start(Cutting(Pts(), IBUG49, 32, crop="none"))


def attributes(folder: Path) -> list[Path]:
    """Attributes of photos, in both formats."""
    (folder / "a.txt").write_text("2\nSmiling Male\na.jpg 1 -1\nb.jpg -1 0\n")
    (folder / "a.csv").write_text("file,Smiling,Male\na.jpg,1,0\nb.jpg,,1\n")
    return [folder / "a.txt", folder / "a.csv"]


def read_file_of_attributes(path: Path) -> None:
    """What `prepare --attributes` does with a file."""
    from lmedge.faces.attributes import read_attributes

    table = read_attributes(path)
    assert set(np.unique(table.values)) <= {-1, 0, 1} and len(table.of("a.jpg")) == len(table.names)


def network(folder: Path) -> list[Path]:
    """What a network of attributes says of itself."""
    figures = {"balanced_accuracy": 0.9, "error": 0.01, "ece": 0.02, "yes": 5, "no": 5}
    about = {"schema": 1, "names": ["Smiling", "Male"], "prevalence": [0.5, 0.4], "size": 64, "weights": 180000,
             "measured": {"Smiling": figures, "Male": figures}, "left_out": ["Bald"],
             "faces": {"training": 10, "held_out": 2, "labelled_by_network": 3}, "versions": {"numpy": "1.26"},
             "dataset": {"digest": "a", "count": 12, "licence": "CC0"}}  # fmt: skip
    (folder / "attributes.json").write_text(json.dumps(about))
    return [folder / "attributes.json"]


def tell(path: Path) -> None:
    """What `info` says of a folder."""
    from lmedge.about.summary import summary

    assert summary(info(InfoConfig(path=path.parent)))


def models(folder: Path) -> list[Path]:
    """Models of three kinds."""
    small = REFERENCE.parent / "student"
    return [Path(shutil.copy(small / f"faces-{name}.tflite", folder)) for name in ("int8", "fp16", "int8-io")]


def draw(path: Path) -> None:
    """What `info` and `sample` do with a model or a bundle."""
    from lmedge.runtime import FaceSampler

    where = path.parent if path.name == "bundle.json" else path
    info(InfoConfig(path=where))
    FaceSampler(where, threads=1).sample(1, seed=0)


def bundle(folder: Path) -> list[Path]:
    """A bundle of one variant."""
    about = json.loads((REFERENCE / "bundle.json").read_text())
    about["variants"] = {"int8": about["variants"]["int8"]}
    shutil.copy(REFERENCE / "faces-int8.tflite", folder)
    (folder / "bundle.json").write_text(json.dumps(about))
    return [folder / "bundle.json"]


def _dataset(folder: Path) -> None:
    from lmedge.quiet import load_tensorflow

    load_tensorflow()
    from lmedge.faces.about import SCHEMA
    from lmedge.faces.record import Record, encode_png
    from lmedge.faces.records import shard_name, write_shard

    random = np.random.default_rng(0)
    faces = []
    for i in range(4):
        png = encode_png(random.integers(0, 255, (32, 32, 3)).astype(np.uint8))
        shown = np.array([1, np.nan], np.float32)
        faces.append(Record(png, (31 * random.random((49, 2))).astype(np.float32), f"{i}.jpg", "anna", shown))
    write_shard(folder / shard_name(0, 1), faces)
    provenance = Provenance("mediapipe", "0.10.21", {"crop": "haar", "margin": 0.1}, "CC0")
    about = {"schema": SCHEMA, "count": 4, "rejected": {"no face found": 1}, "made_by": "prepare", "size": 32,
             "scheme": IBUG49.to_json(), "provenance": provenance.to_json(), "shards": [shard_name(0, 1)],
             "attributes": {"names": ["Smiling", "Male"], "from": "list.csv", "labelled": 4, "yes": [4, 0],
                            "no": [0, 0]},
             "same_faces": {"a": "b"}, "versions": {"numpy": "1.26"}}  # fmt: skip
    (folder / "dataset.json").write_text(json.dumps(about))


def dataset(folder: Path) -> list[Path]:
    """The description of a dataset of four faces."""
    _dataset(folder)
    return [folder / "dataset.json"]


def shard(folder: Path) -> list[Path]:
    """Its shard."""
    _dataset(folder)
    return sorted(folder.glob("*.tfrecord"))


def changed_shard(data: bytes, random: Random) -> bytes:
    """Bytes of a shard, or of its examples under checksums that are right."""
    import tempfile

    import tensorflow as tf

    if random.random() < 0.3:
        return changed_bytes(data, random)
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "shard"
        file.write_bytes(data)
        examples = [example.numpy() for example in tf.data.TFRecordDataset(str(file))]
        with tf.io.TFRecordWriter(str(file)) as writer:
            for example in examples:
                writer.write(changed_bytes(example, random) if random.random() < 0.5 else example)
        return file.read_bytes()


def read_faces(path: Path) -> None:
    """What `info` and a training read of a dataset."""
    from lmedge.faces.records import FaceDataset

    info(InfoConfig(path=path.parent))
    faces = FaceDataset(path.parent)
    faces.check()
    faces.read(np.arange(len(faces)))
    assert np.isfinite(faces.landmarks).all() and len(faces.groups) == len(faces)


def run(folder: Path) -> list[Path]:
    """The configuration, the metrics and the log of a run."""
    from lmedge.quiet import load_tensorflow

    load_tensorflow()  # now, as its memory is not that of a case
    for name in ("config.json", "lgen.json"):
        shutil.copy(REFERENCE_RUN / name, folder)
    lines = [{"step": i, "kimg": i / 2, "loss_d": 0.1, "k": 0.1, "time": 1.0 * i} for i in range(1, 4)]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return [folder / "config.json", folder / "lgen.json", folder / "log.jsonl"]


def changed_manifest(data: bytes, random: Random) -> bytes:
    """A JSON file, or one of a value a line."""
    try:
        return changed_json(data, random)
    except json.JSONDecodeError:
        return changed_text(data, random)


def open_run(path: Path) -> None:
    """What verbs read of a run before they work on it."""
    from lmedge.run import Run

    info(InfoConfig(path=path.parent))
    found = Run.open(path.parent)
    found.config(), found.provenance, found.log(), found.lgen_metrics()
    found.stage("train-gan", family_of(found).options), found.stage("train-lgen", TrainLgenConfig)


def latents(folder: Path) -> list[Path]:
    """The latents of three faces."""
    from lmedge.quiet import load_tensorflow

    load_tensorflow()
    from lmedge.inversion.latents import SCHEMA, latents_in
    from lmedge.keras_model import weights_hash

    place = folder / "latents"
    place.mkdir(exist_ok=True)
    about = {"schema": SCHEMA, "generator": weights_hash(_generator()), "dataset": "faces", "digest": "0", "size": 64,
             "provenance": Provenance("mediapipe", "0.10.21").to_json(),
             "scheme": IBUG49.to_json(), "count": 3, "options": {"steps": 2}}  # fmt: skip
    (place / "latents.json").write_text(json.dumps(about))
    arrays = {"z": np.zeros((3, 64), np.float32), "psnr": np.ones(3, np.float32), "explained": np.ones(3, np.float32),
              "index": np.arange(3), "landmarks": np.ones((3, 49, 2), np.float32), "groups": np.array(["a"] * 3),
              "sources": np.array(["b"] * 3)}  # fmt: skip
    store, [part] = latents_in(place), split(3, 3)
    store.write(part, arrays)
    return [place / "latents.json", store.file(part)]


@cache
def _generator() -> Any:
    from lmedge.run import Run

    return Run.open(REFERENCE_RUN).generator()


def read_latents(path: Path) -> None:
    """What `train-lgen` reads of an inversion."""
    from lmedge.inversion.latents import load_latents
    from lmedge.run import Run

    class Known(Run):
        def generator(self) -> Any:
            return _generator()

    assert len(load_latents(Known(path.parents[1]))) == 3


def changed_latents(data: bytes, random: Random) -> bytes:
    """The description, or the arrays."""
    return changed_json(data, random) if data[:1] == b"{" else changed_bytes(data, random)


TARGETS = {target.name: target for target in (
    Target("photos", photos, changed_bytes, prepare_one),
    Target("pts", marks, changed_text, prepare_one, 10, 200),
    Target("attributes", attributes, changed_text, read_file_of_attributes, 10, 200),
    Target("network", network, changed_manifest, tell, 10, 200),
    Target("models", models, changed_bytes, draw, 60, 1024),
    Target("bundle", bundle, changed_manifest, draw, 10, 500),
    Target("dataset", dataset, changed_manifest, read_faces, 10, 500),
    Target("shards", shard, changed_shard, read_faces, 10, 500),
    Target("runs", run, changed_manifest, open_run, 10, 500),
    Target("latents", latents, changed_latents, read_latents, 10, 500),
)}  # fmt: skip
