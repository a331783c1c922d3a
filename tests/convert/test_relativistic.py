"""A relativistic generator in int8."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from convert import Limits, export
from convert import flatbuffer as fb
from convert.model import Conversion
from convert.qat import twin
from convert.recipe import RECIPES, Rewrites, Tuning
from lmedge.block import Block
from lmedge.gan.families.relativistic.networks import build_generator
from lmedge.keras_model import Generator, KerasFaceModel
from lmedge.latent import LatentSpec
from lmedge.lgen.network import build_lgen
from lmedge.scheme import IBUG49

SPEC = LatentSpec((Block("person", 6), Block("shape", 3, "normal", -1.0, 1.0)))


@pytest.fixture(scope="module")
def networks():
    """Of random weights and biases, as after a training."""
    keras.utils.set_random_seed(3)
    generator = build_generator(32, 8, SPEC)
    random = np.random.default_rng(3)
    generator.set_weights([w + random.normal(0, 0.1, w.shape) for w in generator.get_weights()])
    return generator, build_lgen(SPEC.size, 49, (8,))


def test_every_variant_passes_the_gates(networks, tmp_path):
    # L-Gen is not trained: its points are no face.
    limits, rewrites = Limits(landmark_error=None), Rewrites(fit_ranges=False)
    bundle = export(
        *networks, tuple(RECIPES), out=tmp_path / "b", scheme=IBUG49, latent=SPEC, calibration=16,
        tuning=Tuning(5, 8), rewrites=rewrites, limits=limits,
    )  # fmt: skip
    for variant, entry in bundle.about["variants"].items():
        assert entry["xnnpack"]["partitions"] == 1 and not entry["xnnpack"]["outside"], variant
        assert entry["min_runtime"] == "2.14"
        assert entry["parity"]["image_error"] < (0.6 if variant in ("fp32", "fp16") else 6), variant


def test_its_twin_computes_what_keras_does_and_what_int8_does(networks):
    generator, lgen = networks
    model = KerasFaceModel(Generator(generator, SPEC), lgen, scheme=IBUG49)
    made = Conversion(model, model.render(SPEC.draw(32)), Rewrites(fit_ranges=False), Tuning(), lambda text: None)
    converted, _ = made.variant(RECIPES["int8"])
    static, calibrated = made.static()
    student = twin(static.generator, SPEC, calibrated, static.reads)
    z = SPEC.draw(20, 4)
    interpreter = Interpreter(model_content=fb.write(converted), num_threads=1)
    interpreter.allocate_tensors()
    run = interpreter.get_signature_runner("sample")
    drawn = np.concatenate([run(z=latent[None])["image"] for latent in z]).astype(float)
    simulated, exact = np.asarray(student(static.reads(z), training=True)), np.asarray(generator(z)) * 127.5 + 127.5
    ours, theirs = simulated - np.clip(exact, 0, 255), drawn - np.clip(exact, 0, 255)
    assert np.abs(ours).mean() == pytest.approx(np.abs(theirs).mean(), rel=0.15)
    # Roundings differ here and there, and this network of noise carries them on.
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.4
    assert set(np.unique(simulated)) <= set(map(float, range(256)))
