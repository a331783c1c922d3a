import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from convert import flatbuffer as fb
from convert import rewrites
from convert.gates import read_contents
from convert.model import Conversion, _quantised, stock
from convert.recipe import RECIPES, Rewrites, Tuning
from lmedge.gan.families.began.networks import build_generator
from lmedge.keras_model import Generator, KerasFaceModel
from lmedge.latent import uniform
from lmedge.lgen.network import build_lgen
from lmedge.run import Run
from lmedge.runtime.delegation import Delegation, delegation
from lmedge.scheme import IBUG49
from tests.convert import joining_generator


@pytest.fixture(scope="module")
def networks(trained):
    run = Run(trained)
    return run.generator(), run.lgen()


def conversion(networks, **options):
    z = uniform(8, 8, 0)
    rewriting = Rewrites(**{"fit_ranges": False, **options})
    return conversion_of(networks, z, rewriting)


def conversion_of(networks, z, rewrites):
    generator, lgen = networks
    model = KerasFaceModel(Generator(generator), lgen, scheme=IBUG49)
    return Conversion(model, model.render(z), rewrites, Tuning(), lambda text: None)


def written(networks, variant, **options):
    return fb.write(conversion(networks, **options).variant(RECIPES[variant])[0])


def outputs(model, z, signature="sample"):
    """Outputs of a model for one latent after another: name -> `[N, ...]`."""
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    run = interpreter.get_signature_runner(signature)
    rows = [run(z=latent[None]) for latent in z]
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


@pytest.fixture(scope="module")
def stock_int8(networks):
    return stock(*networks, "int8", uniform(8, 8, 0))


def test_joining_in_int8_gives_the_same_bits():
    """A generator with skip connections: the converter joins in float what lies behind an ELU."""
    made = conversion((joining_generator(32, 4, 8), build_lgen(8, 49, (8,))), fit_ranges=True)
    plain = _quantised(made.static()[1], RECIPES["int8"])
    model = fb.read(plain)
    assert rewrites.join_in_int8(model) == 2
    rewrites.drop_unused(model)
    joined = fb.write(model)
    assert rewrites.int8_elu(model) == 7  # of the generator's 6 and L-Gen's
    rewritten = fb.write(model)
    z = uniform(100, 8, 5)
    for changed in (joined, rewritten):
        for name, values in outputs(plain, z).items():
            assert (outputs(changed, z)[name] == values).all()
    kinds = [name for name, _ in read_contents(rewritten).ops]
    assert kinds.count("CONCATENATION") == 1  # of one version: all in int8
    assert read_contents(rewritten).ops["DEQUANTIZE", 2] == 2  # image and landmarks


def test_the_int8_elu_gives_the_same_bits(networks, stock_int8):
    model = fb.read(stock_int8)
    assert rewrites.int8_elu(model) == 7  # six of the generator, one of L-Gen
    rewrites.drop_unused(model)
    rewritten = fb.write(model)
    before, after = read_contents(stock_int8).ops, read_contents(rewritten).ops
    assert before["DEQUANTIZE", 2] - after.get(("DEQUANTIZE", 2), 0) == 7 and after["ELU", 1] == 7
    z = uniform(200, 8, 5)
    for name, values in outputs(stock_int8, z).items():
        assert (outputs(rewritten, z)[name] == values).all()


def test_unused_tensors_and_codes_go(stock_int8):
    model = fb.read(stock_int8)
    rewrites.int8_elu(model)
    tensors = len(model.subgraphs[0].tensors)
    rewrites.drop_unused(model)
    assert len(model.subgraphs[0].tensors) == tensors - 2 * 7
    used = {op.opcodeIndex for _, op in fb.operators(model)}
    assert used == set(range(len(model.operatorCodes)))
    assert len(fb.write(model)) < len(stock_int8)


def test_reading_and_writing_changes_nothing(networks, stock_int8):
    z = uniform(5, 8, 1)
    again = fb.write(fb.read(stock_int8))
    for name, values in outputs(stock_int8, z).items():
        assert (outputs(again, z)[name] == values).all()


def test_the_bytes_of_the_image_are_rounded_and_clipped(networks):
    model = written(networks, "fp32")
    z = uniform(20, 8, 2)
    levels = np.asarray(networks[0](z)) * 127.5 + 127.5
    assert levels.min() < 256 and np.abs(outputs(model, z)["image"] - np.clip(levels, 0, 255)).max() < 0.501
    assert ("CAST", 1) not in read_contents(model).ops


@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_an_image_out_of_range_is_clipped(networks, variant):
    generator = keras.models.clone_model(networks[0])
    generator.set_weights([weight * (30 if weight.shape[-1] == 3 else 1) for weight in networks[0].get_weights()])
    model = written((generator, networks[1]), variant)
    z = uniform(20, 8, 2)
    levels = np.asarray(generator(z)) * 127.5 + 127.5
    assert levels.min() < -50 and levels.max() > 300
    drawn = outputs(model, z)["image"].astype(float)
    assert np.median(np.abs(drawn - np.clip(levels, 0, 255))) < (0.51 if variant == "fp32" else 8)
    assert (drawn[levels < -50] < 50).all() and (drawn[levels > 300] > 200).all()


@pytest.mark.parametrize("variant", ["fp32", "int8-io"])
def test_the_parts_give_what_the_whole_gives(networks, variant):
    model = written(networks, variant)
    z = uniform(5, 8, 3) if variant == "fp32" else np.random.default_rng(0).integers(-128, 128, (5, 8)).astype(np.int8)
    whole = outputs(model, z)
    for signature, name in rewrites.PARTS.items():
        part = outputs(model, z, signature)
        assert list(part) == [name] and (part[name] == whole[name]).all()
    without = written(networks, variant, signatures=False)
    assert [entry.signatureKey for entry in fb.read(without).signatureDefs] == [b"sample"]


def test_the_parts_cost_less_than_three_per_cent_of_the_file():
    networks = build_generator(64, 32, 64), build_lgen(64, 49, (128, 128))
    z = uniform(2, 64, 0)
    sizes = {}
    for signatures in (False, True):
        made = conversion_of(networks, z, Rewrites(fit_ranges=False, signatures=signatures))
        for variant in ("fp32", "int8"):
            sizes[variant, signatures] = len(fb.write(made.variant(RECIPES[variant])[0]))
    for variant in ("fp32", "int8"):
        assert sizes[variant, False] < sizes[variant, True] < 1.03 * sizes[variant, False]
    assert sizes["int8", True] < 0.36 * sizes["fp32", True]


def test_every_op_of_the_folded_models_goes_to_xnnpack(networks):
    for variant in ("fp32", "fp16", "dynamic", "int8", "int8-io"):
        model = written(networks, variant)
        interpreter = Interpreter(model_content=model, num_threads=1)
        interpreter.allocate_tensors()
        assert delegation(interpreter) == Delegation(1, {}), variant
    interpreter = Interpreter(model_content=stock(*networks, "int8", uniform(8, 8, 0)), num_threads=1)
    interpreter.allocate_tensors()
    left = delegation(interpreter)
    assert left.partitions > 1 and left.outside["TILE"] == 4
