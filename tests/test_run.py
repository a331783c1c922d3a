"""Damaged files of a run are named."""

import json
import shutil

import numpy as np
import pytest

from convert.options import ExportConfig
from convert.stage import export_run
from lmedge.about.info import info
from lmedge.about.options import InfoConfig
from lmedge.block import Block
from lmedge.errors import LmedgeError
from lmedge.evaluation.options import ReportConfig
from lmedge.evaluation.report import report
from lmedge.inversion.latents import load_latents
from lmedge.latent import LatentSpec
from lmedge.run import Run
from lmedge.shapes import ShapeSpace


@pytest.fixture
def run(trained, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(trained, folder, ignore=shutil.ignore_patterns("*.keras", "checkpoints", "tensorboard"))
    return Run(folder)


def _report(run):
    return report(ReportConfig(run=run.path))


@pytest.mark.parametrize(
    ("file", "edit", "reason"),
    [
        ("config.json", lambda value: value.pop("stages"), r"config.json lacks 'stages'"),
        ("config.json", lambda value: value.update(stages=[]), r"config.json has \[\] for 'stages'"),
        ("config.json", lambda value: value["stages"]["train-gan"].update(kimg="x"), "config.json: kimg is .x., not"),
        ("lgen.json", lambda value: value.pop("held_out"), r"lgen.json lacks 'held_out'"),
        ("lgen.json", lambda value: value["held_out"].update(nme="low"), r"lgen.json, 'held_out' has 'low' for 'nme'"),
        ("latents/latents.json", lambda value: value.pop("count"), r"latents.json lacks 'count'"),
        ("latents/latents.json", lambda value: value.update(dataset=7), r"latents.json has 7 for 'dataset'"),
    ],
)
def test_a_damaged_file_is_named(run, file, edit, reason):
    value = json.loads((run.path / file).read_text())
    edit(value)
    (run.path / file).write_text(json.dumps(value))
    with pytest.raises(LmedgeError, match=reason):
        {"lat": load_latents, "lge": lambda run: info(InfoConfig(path=run.path)), "con": _report}[file[:3]](run)


def test_a_damaged_line_of_the_log_is_named_and_left_out(run, capsys):
    lines = run.log_file.read_text().splitlines()
    damaged = ["[]", '{"step": 2}', "\x00\xff", lines[0], '{"step": 4, "kim']  # the last one was cut short by a kill
    run.log_file.write_bytes("\n".join(damaged).encode("latin-1"))
    assert run.journal() == [json.loads(lines[0])]
    said = capsys.readouterr().err
    assert [f"log.jsonl, line {number} is damaged and left out" in said for number in range(1, 6)] == [1, 1, 1, 0, 0]


def test_a_damaged_page_is_named(run):
    report(ReportConfig(run=run.path))
    page = json.loads((run.report / "page.json").read_text())
    for damage in ({**page, "sections": [7]}, {**page, "lines": [1]}, {**page, "notes": 1}):
        (run.report / "page.json").write_text(json.dumps(damage))
        with pytest.raises(LmedgeError, match=r"page.json"):
            report(ReportConfig(run=run.path))


def test_a_run_draws_what_its_generator_takes(trained, tmp_path):
    assert Run(trained).latent == LatentSpec.uniform(8)
    run = Run(shutil.copytree(trained, tmp_path / "run"))
    run.record("train-gan", {}, latent=LatentSpec.uniform(9).to_json())
    with pytest.raises(LmedgeError, match="takes latents of 8 numbers, and .* says 9 numbers, uniform in -1..1"):
        run.generator()
    with pytest.raises(LmedgeError, match="does not say what latents are; run `lmedge train-gan` first"):
        Run.create(tmp_path / "new").latent.draw(1)


def test_a_copy_of_another_network_is_named_with_what_makes_it_anew(trained, tmp_path):
    copy = Run(shutil.copytree(trained, tmp_path / "copy", ignore=shutil.ignore_patterns("checkpoints", "tensorboard")))
    copy.face_model()
    shutil.copy(copy.lgen_file, copy.point_confidence_file)
    said = rf"^{copy.point_confidence_file} maps \(None, 8\) to \(None, 49, 2\), .* \(None, 49\); train L-Gen again"
    with pytest.raises(LmedgeError, match=said):
        copy.face_model()
    with pytest.raises(LmedgeError, match=said):
        export_run(ExportConfig(run=copy.path, out=tmp_path / "bundle", variants=("fp32",)))
    shutil.copy(copy.confidence_file, copy.lgen_file)
    with pytest.raises(LmedgeError, match=rf"^{copy.lgen_file} maps"):
        copy.lgen()


def test_latents_that_ask_for_other_landmarks_than_the_faces_have_are_refused(trained, tmp_path):
    run = Run(shutil.copytree(trained, tmp_path / "run"))
    few = ShapeSpace((0.5,) * 8, tuple(map(tuple, (np.eye(8) / 10).tolist())))
    run.record("train-gan", {}, latent=LatentSpec((Block("shape", 8, shapes=few),)).to_json())
    with pytest.raises(LmedgeError, match=r"latents ask for 4 landmarks, and that faces have ibug49.*; run `lmedge"):
        run.face_model()
