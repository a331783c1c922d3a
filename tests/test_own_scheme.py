"""A landmark scheme of one's own, from its file to a model."""

import json

import pytest

from convert.options import ExportConfig
from convert.stage import export_run
from lmedge.about.info import info
from lmedge.about.options import InfoConfig
from lmedge.about.summary import summary
from lmedge.datasets.options import SynthesizeConfig
from lmedge.datasets.synthesize import synthesize
from lmedge.errors import UsageError
from lmedge.faces.options import ToyConfig
from lmedge.faces.records import FaceDataset
from lmedge.faces.toy import toy
from lmedge.gan.train import train_gan
from lmedge.inversion.invert import invert
from lmedge.inversion.latents import load_latents
from lmedge.inversion.options import InvertConfig
from lmedge.lgen.options import TrainLgenConfig
from lmedge.lgen.train import train_lgen
from lmedge.run import Run
from lmedge.runtime import FaceSampler
from tests.conftest import tiny_training
from tests.test_scheme import FIVE


def test_a_scheme_from_a_file_goes_through_every_stage(tmp_path):
    """The file is gone after the first one: from there on the scheme travels in what each stage leaves."""
    faces, run, file = tmp_path / "faces", tmp_path / "run", tmp_path / "five.json"
    file.write_text(json.dumps(FIVE.to_json()))
    toy(ToyConfig(out=faces, count=24, workers=1, scheme=str(file)))
    file.unlink()
    assert FaceDataset(faces).scheme == FIVE
    train_gan(tiny_training(faces, run))
    invert(InvertConfig(run=run, faces=faces, start="centre", steps=2, rounds=1, batch=8))
    train_lgen(TrainLgenConfig(run=run, data="inverted", steps=20, hidden=(8,)))
    assert Run.open(run).scheme == FIVE == load_latents(Run.open(run)).scheme
    bundle = export_run(ExportConfig(run=run, out=tmp_path / "bundle", variants=("fp32",), calibration=4))
    alone = FaceSampler(tmp_path / "bundle" / "faces-fp32.tflite")
    drawn = alone.sample(2)
    assert bundle.scheme == alone.scheme == drawn.scheme == FIVE and drawn.landmarks.shape == (2, 5, 2)
    assert [control["name"] for control in bundle.about["controls"]] == ["Turn", "Light"]
    assert drawn.picture().size[0] > 32
    synthesize(
        SynthesizeConfig(source=tmp_path / "bundle", out=tmp_path / "made", count=3, format="tfrecord", workers=1)
    )
    assert FaceDataset(tmp_path / "made").scheme == FIVE
    told = summary(info(InfoConfig(path=tmp_path / "bundle")))
    assert any(line.split()[0] == "landmarks" and "five, 5 points" in line for line in told)
    with pytest.raises(UsageError, match="five has no ibug68/62"):
        synthesize(
            SynthesizeConfig(source=tmp_path / "bundle", out=tmp_path / "b", count=3, mouth_open=(0.1, 0.2), workers=1)
        )
