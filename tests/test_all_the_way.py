"""An annotator and a family of generators, of a file each, from photos to a model: landmarks stay the annotator's and
say so, latents stay the family's."""

import numpy as np

from convert.options import ExportConfig
from convert.stage import export_run
from lmedge.datasets.options import SynthesizeConfig
from lmedge.datasets.synthesize import synthesize
from lmedge.faces.records import FaceDataset
from lmedge.inversion.invert import invert
from lmedge.inversion.options import InvertConfig
from lmedge.landmarks import in_pixels
from lmedge.latent import Block
from lmedge.lgen.options import TrainLgenConfig
from lmedge.lgen.train import train_lgen
from lmedge.run import Run
from lmedge.runtime import FaceSampler
from lmedge.storage import read_arrays, read_json
from tests.annotators.test_registry import PHOTOS, circles, on_the_circle  # noqa: F401
from tests.gan.test_family import registered, words  # noqa: F401


def test_landmarks_and_latents_of_toys_reach_the_model(circles, registered, tmp_path, lmedge_here):  # noqa: F811
    whose = FaceDataset(circles).provenance
    assert whose.annotator == "toy"
    assert lmedge_here(*words(circles, tmp_path / "run", 0.008)).returncode == 0
    run = Run.open(tmp_path / "run")
    assert run.provenance == whose
    latents = invert(InvertConfig(run=run.path, faces=circles, start="centre", steps=2, batch=4))
    assert latents.z.shape == (PHOTOS, 6) and latents.provenance == whose
    assert np.abs(latents.z[:, :4]).max() <= 1 and np.abs(latents.z[:, 4:]).max() <= 3
    assert on_the_circle(in_pixels(latents.landmarks, 32, 32), 1e-3)

    metrics = train_lgen(TrainLgenConfig(run=run.path, generated=20, steps=400, hidden=(8,))).metrics
    assert run.lgen_provenance == whose and "fitted" not in metrics  # nobody else has looked at generated faces
    assert read_json(run.generated / "about.json", "a test")["annotator"] == "toy"
    seen = read_arrays(run.generated / "part-00000.npz", ("landmarks",))["landmarks"]
    assert len(seen) == 20 and on_the_circle(seen, 1e-3)

    bundle = export_run(ExportConfig(run=run.path, out=tmp_path / "bundle", variants=("fp32",), calibration=4))
    alone = FaceSampler(tmp_path / "bundle" / "faces-fp32.tflite")
    assert bundle.provenance == alone.provenance == whose and on_the_circle(alone.sample(4).landmarks, 1)
    assert alone.latent == run.latent and alone.latent.blocks[1] == Block("noise", 2, "normal", -3.0, 3.0)
    synthesize(SynthesizeConfig(source=bundle.path, out=tmp_path / "made", count=3, format="tfrecord", workers=1))
    made = FaceDataset(tmp_path / "made")
    assert made.provenance.learnt == whose and made.provenance.licence == whose.licence
    assert on_the_circle(made.landmarks, 1) and "learnt from toy 7" in lmedge_here("info", made.path).stdout
