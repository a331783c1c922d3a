"""Numbers of a latent given several times: the same faces in float, nearer ones in int8."""

import dataclasses

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from convert import flatbuffer as fb
from convert.model import Conversion
from convert.recipe import RECIPES, Rewrites, Tuning
from convert.repeated import MOST, Repeat, repeat_for
from lmedge.block import Block
from lmedge.gan.families.relativistic.networks import build_generator
from lmedge.latent import LatentSpec
from lmedge.lgen.network import build_lgen
from lmedge.run import Run
from tests.convert import joining_generator

SPEC = LatentSpec((Block("person", 6), Block("shape", 3, "normal", -1.0, 1.0), Block("mood", 2)))


@pytest.fixture(scope="module")
def networks():
    """The landmarks that are asked for weigh more, as they do after a training."""
    keras.utils.set_random_seed(3)
    generator = build_generator(32, 8, SPEC)
    lgen = build_lgen(SPEC.size, 49, (8,))
    for network in (generator, lgen):
        for layer in network.layers:
            if isinstance(layer, keras.layers.Dense) and layer.kernel.shape[0] == SPEC.size:
                kernel, bias = layer.get_weights()
                kernel[6:9] *= 4
                layer.set_weights([kernel, bias])
    return generator, lgen


def test_the_block_that_weighs_most_is_repeated(networks):
    generator, lgen = networks
    z = SPEC.draw(64)
    repeat = repeat_for([generator, lgen], SPEC, z)
    assert (repeat.first, repeat.last) == (6, 9) and 3 <= repeat.times <= MOST
    assert repeat.step == pytest.approx((z.max() - z.min()) / 255)  # as the converter will have it
    assert repeat.columns == [*range(11), *[6, 7, 8] * (repeat.times - 1)]


def test_where_nothing_weighs_more_or_no_dense_layer_reads_nothing_is_repeated(networks):
    generator, lgen = networks
    z = SPEC.draw(64)
    assert repeat_for([build_generator(32, 8, LatentSpec.uniform(11)), lgen], LatentSpec.uniform(11), z) is None
    assert repeat_for([joining_generator(16, 4, 11), lgen], SPEC, z) is None  # its rows are alike
    given = keras.Input((11,))
    scaled = keras.Model(given, keras.layers.Dense(4)(keras.layers.Rescaling(2.0)(given)))
    assert repeat_for([generator, scaled], SPEC, z) is None
    shared = keras.layers.Dense(11)
    assert repeat_for([generator, keras.Model(given, shared(shared(given)))], SPEC, z) is None


def test_in_float_networks_compute_the_same(networks):
    z = SPEC.draw(20, 1)
    for network in networks:
        for times in (2, 3):
            repeat = Repeat(11, 6, 9, times, 2 / 255)
            read = repeat.reading(network)
            assert np.asarray(read(repeat(z))) == pytest.approx(np.asarray(network(z)), abs=2e-4)


def test_the_mean_of_the_repeated_numbers_rounds_to_finer_steps():
    z = SPEC.draw(500, 2)
    for times in (2, 3, 4):
        repeat = Repeat(11, 6, 9, times, 2 / 255)
        rounded = np.round(np.asarray(repeat(z), np.float64) / repeat.step) * repeat.step
        means = np.stack([rounded[:, [i for i, c in enumerate(repeat.columns) if c == column]].mean(axis=1)
                          for column in (6, 7, 8)], axis=1)  # fmt: skip
        assert np.abs(means - z[:, 6:9]).max() <= repeat.step / 2 / times + 1e-6
        assert rounded[:, :6] == pytest.approx(z[:, :6], abs=repeat.step / 2 + 1e-6)


def test_int8_draws_nearer_faces_from_the_same_latents():
    """The student, whose landmarks weigh as a training made them."""
    model = Run.open("student").face_model()
    wanted, z = model.render(model.latent.draw(64, 5)), model.latent.draw(64)
    plain = Rewrites(fit_ranges=False, round_weights=False)
    apart = {}
    for repeats in (False, True):
        rewrites = dataclasses.replace(plain, repeat_latents=repeats)
        converted, _ = Conversion(model, model.render(z), rewrites, Tuning(), lambda text: None).variant(
            RECIPES["int8"]
        )
        names = [fb.name_of(converted, op) for op in converted.subgraphs[0].operators]
        assert (names[:3] == ["STRIDED_SLICE", "CONCATENATION", "ADD"]) is repeats
        interpreter = Interpreter(model_content=fb.write(converted), num_threads=1)
        interpreter.allocate_tensors()
        assert [tuple(one["shape"]) for one in interpreter.get_input_details()] == [(1, 90)]
        sample = interpreter.get_signature_runner("sample")
        faces = [sample(z=latent[None]) for latent in wanted.latents]
        images, points = (np.concatenate([face[name] for face in faces]) for name in ("image", "landmarks"))
        apart[repeats] = np.array([np.square(images.astype(float) - wanted.images).mean(),
                                   np.abs(points * 64 - 0.5 - wanted.landmarks).mean()])  # fmt: skip
        alone = interpreter.get_signature_runner("landmarks")(z=wanted.latents[:1])
        assert (alone["landmarks"] == faces[0]["landmarks"]).all()
    assert (apart[True] < 0.85 * apart[False]).all()
