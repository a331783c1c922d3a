import csv
import re

import numpy as np
import pytest

from lmedge.errors import LmedgeError, UsageError
from lmedge.latent import uniform
from lmedge.run import Run
from lmedge.runtime import Bundle, FaceSampler
from lmedge.runtime.gallery import sample
from lmedge.runtime.options import SampleConfig


@pytest.mark.parametrize(("variant", "limit"), [("fp32", 1e-5), ("int8", 0.12), ("int8-io", 0.12), ("int8-qat", 0.12)])
def test_every_variant_gives_the_confidence_of_keras(trained, every_variant, variant, limit):
    z = uniform(40, 8, 3)
    wanted = np.asarray(Run(trained).confidence()(z))[:, 0]
    of_points = np.asarray(Run(trained).point_confidence()(z))
    faces = FaceSampler(every_variant, variant).render(z)
    assert faces.confidence == pytest.approx(wanted, abs=limit)
    assert faces.point_confidence == pytest.approx(of_points, abs=limit)
    for sure in (wanted, of_points):
        assert sure.std() > 0.1 and sure.min() >= 0 and sure.max() <= 1
    about = Bundle.open(every_variant).about
    parity = about["variants"][variant]["parity"]
    assert parity["confidence_error"] <= limit and 0 < parity["point_confidence_error"] <= limit
    assert about["confidence"] == about["point_confidence"] == {"low": 0, "high": 1}


def test_only_confident_faces_are_kept_in_the_order_of_the_seed(bundle, tmp_path, monkeypatch):
    sampler = FaceSampler(bundle)
    all_ = sampler.sample(200, 5)
    kept = np.flatnonzero(all_.confidence >= 0.6)[:20]
    said = []
    monkeypatch.setattr("lmedge.runtime.gallery.console.print", said.append)
    sample(SampleConfig(bundle=bundle, out=tmp_path / "faces", count=20, seed=5, min_confidence=0.6))
    rows = list(csv.DictReader((tmp_path / "faces" / "landmarks.csv").read_text().splitlines()))
    assert [float(row["confidence"]) for row in rows] == pytest.approx(all_.confidence[kept], abs=1e-3)
    first = [float(rows[0][f"{sampler.scheme.names[0]}_{axis}"]) for axis in "xy"]
    assert first == pytest.approx(all_.landmarks[kept[0], 0], abs=1e-3)
    share = int(re.search(r"(\d+)% of \d+ faces reach --min-confidence 0.6", " ".join(said))[1])
    assert share == pytest.approx(100 * (all_.confidence >= 0.6).mean(), abs=15)


def test_a_confidence_that_no_face_reaches_ends_with_the_best_one_seen(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr("lmedge.runtime.selection.HOPELESS", 32)
    with pytest.raises(
        LmedgeError,
        match=r"--min-confidence 1: 0 of 32 faces reach it; seen were --min-confidence 0\.\d+ to 0\.\d+; ask",
    ):
        sample(SampleConfig(bundle=bundle, out=tmp_path / "faces", min_confidence=1.0))
    assert not (tmp_path / "faces").exists()
    with pytest.raises(UsageError, match="--min-confidence must be between 0 and 1, not 2"):
        sample(SampleConfig(bundle=bundle, out=tmp_path / "faces", min_confidence=2.0))


def test_a_model_without_confidence_is_refused(trained, tmp_path):
    from convert import export

    run = Run(trained)
    bundle = export(run.generator(), run.lgen(), ("fp32",), out=tmp_path / "bundle", scheme=run.scheme)
    faces = FaceSampler(bundle).sample(2)
    assert not {"confidence", "point_confidence"} & set(bundle.about)
    assert faces.confidence is None and faces.point_confidence is None
    sample(SampleConfig(bundle=bundle.path, out=tmp_path / "plain", count=2))
    assert "confidence" not in (tmp_path / "plain" / "landmarks.csv").read_text()
    with pytest.raises(UsageError, match=r"gives no confidence; train L-Gen again"):
        sample(SampleConfig(bundle=bundle.path, out=tmp_path / "faces", min_confidence=0.5))
    assert not (tmp_path / "faces").exists()


def test_a_confidence_of_other_points_is_neither_exported_nor_drawn_with(trained, bundle, tmp_path, monkeypatch):
    from convert import export
    from lmedge.lgen.network import build_confidence

    run = Run(trained)
    how = {"scheme": run.scheme, "out": tmp_path / "bundle", "point_confidence": build_confidence(8, outputs=48)}
    with pytest.raises(LmedgeError, match=r"the point confidence maps .*, which is not \[B, 8\] to \[B, 49\]"):
        export(run.generator(), run.lgen(), ("fp32",), **how)
    runner = FaceSampler(bundle).runner("sample")
    details = runner.get_output_details()
    details["point_confidence"] |= {"shape": np.array([1, 48])}
    monkeypatch.setattr(runner, "get_output_details", lambda: details)
    monkeypatch.setattr(FaceSampler, "runner", lambda *_: runner)
    with pytest.raises(LmedgeError, match=r"49 points, and point_confidence of shape \(1, 48\), not \(1, 49\)"):
        FaceSampler(bundle)


def test_a_confidence_of_another_latent_cannot_be_exported(trained, tmp_path):
    from convert import export
    from lmedge.lgen.network import build_confidence

    run = Run(trained)
    with pytest.raises(LmedgeError, match=r"the confidence maps \(None, 5\) to \(None, 1\), which is not \[B, 8\]"):
        export(
            run.generator(),
            run.lgen(),
            ("fp32",),
            out=tmp_path / "bundle",
            scheme=run.scheme,
            confidence=build_confidence(5),
        )
