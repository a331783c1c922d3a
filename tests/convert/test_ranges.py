import json

import numpy as np
import pytest

from convert import flatbuffer as fb
from convert.metadata import put
from convert.model import Conversion, centred
from convert.parity import parity_latents
from convert.qat import tune, twin
from convert.ranges import copy_ranges, fit_ranges, ranges_of, share_ranges
from convert.recipe import RECIPES, Rewrites, Tuning
from lmedge.errors import LmedgeError
from lmedge.keras_model import Generator, KerasFaceModel
from lmedge.latent import LatentSpec, uniform
from lmedge.lgen.network import build_lgen
from lmedge.run import Run
from lmedge.runtime import FaceSampler
from lmedge.runtime.bundle import landmarks_form
from lmedge.runtime.model_file import ABOUT
from lmedge.runtime.parity import compare
from lmedge.scheme import IBUG49
from tests.convert import joining_generator

SPEC = LatentSpec.uniform(8)


@pytest.fixture(scope="module")
def networks(trained):
    run = Run(trained)
    return run.generator(), run.lgen()


def face_model(networks):
    generator, lgen = networks
    return KerasFaceModel(Generator(generator), lgen, scheme=IBUG49)


def conversion(networks, fit=True, steps=1):
    model = face_model(networks)
    return Conversion(
        model, model.render(uniform(32, 8, 0)), Rewrites(fit_ranges=fit), Tuning(steps, batch=8), lambda text: None
    )


def sampler_of(model, path):
    put(model, ABOUT, json.dumps({"landmarks": landmarks_form(IBUG49)}).encode())
    path.write_bytes(fb.write(model))
    return FaceSampler(path)


def ends_of(model, network):
    """Ranges `[N, 2]` of what a network computes."""
    return np.array([ends for each in ranges_of(model, network).values() for ends in each])


def parity(model, networks, path):
    sampler = sampler_of(model, path)
    wanted = face_model(networks).render(parity_latents(SPEC, 64))
    return compare(sampler.render(wanted.latents), wanted, sampler.scheme)


def test_fitted_ranges_draw_better_on_other_latents(networks, tmp_path):
    errors = {}
    for fit in (False, True):
        model, _ = conversion(networks, fit).variant(RECIPES["int8"])
        errors[fit] = parity(model, networks, tmp_path / "m.tflite").image_error
    assert errors[True] < errors[False]


def test_the_levels_of_the_int8_image_are_its_own(networks):
    model, _ = conversion(networks, fit=False).variant(RECIPES["int8-io"])
    graph, outputs = model.subgraphs[0], fb.named(fb.signature(model, "sample").outputs)
    image = graph.tensors[outputs["image"]].quantization
    assert list(image.scale) == [1.0] and list(image.zeroPoint) == [-128]


def test_an_elu_gets_the_range_of_its_input_and_so_does_what_follows(networks):
    _, model = conversion(networks, fit=False).static()
    share_ranges(model)
    graph = model.subgraphs[0]
    for op in graph.operators:
        if fb.name_of(model, op) in ("ELU", "PAD", "DEPTH_TO_SPACE"):
            before, after = (graph.tensors[t[0]].quantization for t in (op.inputs, op.outputs))
            assert (before.min, before.max) == (after.min, after.max)


def test_the_mean_face_is_added_in_float_and_makes_the_steps_finer(networks, tmp_path):
    made = conversion(networks, fit=False)
    lgen, mean = made.centred
    z = uniform(5, 8, 9)
    assert np.asarray(lgen(z)) + mean == pytest.approx(np.asarray(networks[1](z)), abs=1e-6)
    errors = {variant: parity(made.variant(RECIPES[variant])[0], networks, tmp_path / "m.tflite").landmark_nme
              for variant in ("int8", "int8-io")}  # fmt: skip
    assert errors["int8"] < 0.5 * errors["int8-io"]


def test_an_lgen_that_bends_its_last_layer_is_not_centred():
    import keras

    z = keras.Input((8,))
    points = keras.layers.Reshape((49, 2))(keras.layers.Dense(98, activation="sigmoid")(z))
    lgen = keras.Model(z, points)
    assert centred(lgen, np.full((49, 2), 0.5, np.float32), uniform(8, 8, 0)) == (lgen, None)


def test_the_search_finds_the_range_that_the_error_asks_for(networks):
    """The error here is a distance from a wanted range, known beforehand."""
    made = conversion(networks, fit=False)
    static, model = made.static()
    lgen = static.lgen
    wanted = ends_of(model, lgen) * (0.8, 0.7)

    def distance(candidate):
        return float(np.abs(ends_of(candidate, lgen) - wanted).sum()) + 1e-3

    fit_ranges(model, distance, lambda text: None)
    for (low, high), (wanted_low, wanted_high) in zip(ends_of(model, lgen), wanted, strict=True):
        assert low == pytest.approx(wanted_low, rel=0.04) and high == pytest.approx(wanted_high, rel=0.04)


def test_the_simulation_computes_what_the_int8_model_does(networks, tmp_path):
    """An untuned twin against the model that the converter makes of the same ranges."""
    made = conversion(networks)
    model, _ = made.variant(RECIPES["int8"])
    z = uniform(20, 8, 4)
    static, calibrated = made.static()
    student = twin(static.generator, SPEC, calibrated)
    simulated = np.asarray(student(z, training=True))  # sets the ranges of the weights
    drawn = sampler_of(model, tmp_path / "m.tflite").render(z).images.astype(float)
    exact = np.asarray(made.model.generator.network(z)) * 127.5 + 127.5
    # Roundings differ here and there.
    assert np.abs(simulated - drawn).mean() < 0.7 * np.abs(drawn - exact).mean() + 0.5
    assert set(np.unique(simulated)) <= set(map(float, range(256)))


def test_what_is_joined_has_one_range():
    generator = joining_generator(32, 4, 8)
    made = conversion((generator, build_lgen(8, 49, (8,))), fit=False)
    static, model = made.static()
    share_ranges(model)
    ranges = [tuple(ends) for ends in ends_of(model, static.generator)]
    assert len(ranges) == 14  # dense, six convolutions and their ELUs, RGB
    # The base, and what stands before each of the two upsamplings.
    assert ranges[0] == ranges[3] == ranges[7] and len(set(ranges)) == 6
    graph = model.subgraphs[0]
    for op in graph.operators:
        if fb.name_of(model, op) == "CONCATENATION":
            ends = {(tensor.quantization.min[0], tensor.quantization.max[0])
                    for tensor in (graph.tensors[i] for i in (*op.inputs, *op.outputs))}  # fmt: skip
            assert len(ends) == 1
    student = twin(static.generator, SPEC, model)
    z = uniform(20, 8, 4)
    exact = np.asarray(generator(z)) * 127.5 + 127.5
    assert np.abs(np.asarray(student(z, training=True)) - exact).mean() < 3


def test_fine_tuning_lowers_the_error_and_is_repeatable(networks):
    made = conversion(networks)
    told, notes, weights = [], [], []
    for _ in range(2):
        static, calibrated = made.static()
        drawing, marking, note = tune(static, SPEC, calibrated, Tuning(80, 8, 3e-4, 1), told.append)
        notes.append(note)
        weights.append([*drawing.get_weights(), *marking.get_weights()])
    first, last = notes[0]["tuning"]["loss"]["landmarks"]
    assert last < first
    assert notes[0] == notes[1] and any("step 80 of 80" in text for text in told)
    before = [*static.generator.get_weights(), *static.lgen.get_weights()]
    for one, other, start in zip(*weights, before, strict=True):
        assert (one == other).all() and 0 < np.abs(one - start).max() < 0.05


def test_tuned_networks_keep_the_ranges_that_were_found(networks):
    made = conversion(networks, steps=3)
    static, found = made.static()
    tuned = made._extremes(static)
    assert (ends_of(found, static.generator) != ends_of(tuned, static.generator)).any()
    copy_ranges(found, tuned)
    for network in (static.generator, static.lgen):
        assert (ends_of(found, network) == ends_of(tuned, network)).all()


def test_what_has_no_int8_twin_is_refused(networks):
    import keras

    z = keras.Input((8,))
    x = keras.layers.Reshape((8, 8, 1))(keras.layers.Dense(64)(z))
    layers = keras.layers
    _, model = conversion(networks, fit=False).static()
    for layer, reason in (
        (layers.Conv2D(3, 3, padding="same", activation="tanh"), "has the activation tanh; take elu, relu or relu6"),
        (layers.LayerNormalization(), "is a LayerNormalization, which it does not know"),
    ):
        with pytest.raises(LmedgeError, match=reason):
            twin(keras.Model(z, layer(x)), SPEC, model)
    shared = layers.Dense(8)
    with pytest.raises(LmedgeError, match="is called more than once"):
        twin(keras.Model(z, shared(shared(z))), SPEC, model)
    with pytest.raises(LmedgeError, match="the weights of hidden_1 of lgen cannot be found in TFLite"):
        twin(build_lgen(8, 49, (4,)), SPEC, model)
