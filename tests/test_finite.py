"""Networks that give nan: a sentence and exit code 1, whatever the verb."""

import shutil

import numpy as np
import pytest

from lmedge.cli import main
from lmedge.errors import LmedgeError
from lmedge.keras_file import save_network
from lmedge.latent import uniform
from lmedge.run import Run
from lmedge.runtime import FaceSampler


@pytest.mark.parametrize(
    ("broken", "args"),
    [
        ("generator", ("synthesize", "RUN", "--count", "4", "--out", "OUT")),
        ("generator", ("invert", "RUN", "TOYS", "--overwrite")),
        ("generator", ("check-inversion", "RUN", "--count", "4")),
        ("generator", ("train-lgen", "RUN", "--data", "generated")),
        ("generator", ("evaluate", "RUN", "--samples", "4")),
        ("lgen", ("evaluate", "RUN", "--samples", "4")),
        ("confidence", ("export", "RUN", "--out", "OUT")),
    ],
)
def test_weights_that_are_nan_end_every_verb(trained, toys, tmp_path, capsys, broken, args):
    run = Run(shutil.copytree(trained, tmp_path / "run"))
    network = getattr(run, broken)()
    first, *others = network.get_weights()
    first.flat[3] = np.nan
    network.set_weights([first, *others])
    save_network(network, run.path / f"{broken}.keras")
    names = {"RUN": run.path, "TOYS": toys, "OUT": tmp_path / "out"}
    assert main([str(names.get(arg, arg)) for arg in args]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"lmedge: {run.path / broken}.keras has weights that are not finite; run `lmedge train-")
    assert not (tmp_path / "out").exists()


def test_outputs_that_are_nan_are_told(trained, bundle):
    model, z = Run(trained).face_model(), uniform(3, 8, 0)
    huge = [np.full_like(weights, 1e30) for weights in model.lgen.get_weights()]  # finite, and overflows
    model.lgen.set_weights(huge)
    with pytest.raises(LmedgeError, match="^L-Gen gives values that are not finite"):
        model.render(z)
    model.generator.network.set_weights([np.full_like(w, 1e30) for w in model.generator.network.get_weights()])
    with pytest.raises(LmedgeError, match="^the generator gives values that are not finite"):
        model.generator.images(z)
    sampler = FaceSampler(bundle, "fp32")
    run = sampler._run
    sampler._run = lambda z: {**run(z=z), "landmarks": np.full((1, 49, 2), np.nan, np.float32)}
    with pytest.raises(LmedgeError, match=r"fp32, gives values that are not finite"):
        sampler.render(z)
