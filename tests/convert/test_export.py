import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from convert import Limits, export
from convert.gates import check_contents, read_contents
from convert.model import stock
from convert.options import ExportConfig
from convert.recipe import RECIPES, Rewrites, Tuning
from convert.stage import export_run
from lmedge.errors import LmedgeError, UsageError
from lmedge.latent import uniform
from lmedge.lgen.network import build_lgen
from lmedge.run import Run
from lmedge.runtime import FaceSampler
from lmedge.runtime.interpreter import installed
from lmedge.runtime.timing import time_model
from lmedge.scheme import IBUG49, IBUG68
from tests.convert import joining_generator


def networks(image_layers):
    z = keras.Input((4,))
    x = keras.layers.Dense(8 * 8 * 3, use_bias=False)(z)
    x = keras.layers.Reshape((8, 8, 3))(x)
    for layer in image_layers:
        x = layer(x)
    return keras.Model(z, x), build_lgen(4, 49, (4,))


def test_parity_is_measured_and_small(bundle):
    variants = json.loads((bundle / "bundle.json").read_text())["variants"]
    assert variants["fp32"]["parity"]["image_max_levels"] <= 1
    assert variants["fp32"]["parity"]["image_psnr"] > 60
    assert variants["int8"]["parity"]["image_psnr"] > 35
    assert variants["int8"]["parity"]["landmark_nme"] < 0.05
    stored = [read_contents((bundle / f"faces-{name}.tflite").read_bytes()).weight_bytes for name in ("int8", "fp32")]
    assert stored[0] < 0.5 * stored[1]


def test_int8_computes_in_int8(bundle):
    def tensors_of_convolutions(path):
        root = schema.Model.GetRootAs(path.read_bytes())
        graph = root.Subgraphs(0)
        kinds = set()
        for i in range(graph.OperatorsLength()):
            op = graph.Operators(i)
            if root.OperatorCodes(op.OpcodeIndex()).BuiltinCode() == schema.BuiltinOperator.CONV_2D:
                kinds.add(graph.Tensors(op.Inputs(0)).Type())
        return kinds

    assert tensors_of_convolutions(bundle / "faces-int8.tflite") == {schema.TensorType.INT8}
    assert tensors_of_convolutions(bundle / "faces-fp32.tflite") == {schema.TensorType.FLOAT32}


def test_the_signature_is_the_promised_one(bundle):
    for path in bundle.glob("*.tflite"):
        interpreter = tf.lite.Interpreter(str(path))
        assert set(interpreter.get_signature_list()) == {"sample", "generate", "landmarks"}
        runner = interpreter.get_signature_runner("sample")
        assert runner.get_input_details()["z"]["dtype"] == np.float32
        outputs = runner.get_output_details()
        assert outputs["image"]["dtype"] == np.uint8 and outputs["image"]["shape"].tolist() == [1, 32, 32, 3]
        assert outputs["landmarks"]["dtype"] == np.float32 and outputs["landmarks"]["shape"].tolist() == [1, 49, 2]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_generator_of_one_s_own_is_exported(tmp_path):
    """ReLU and transposed convolutions, as in DCGAN: nothing of ours but the value range."""
    layers = [
        keras.layers.Conv2DTranspose(8, 4, 2, padding="same", activation="relu"),
        keras.layers.Conv2DTranspose(3, 4, 2, padding="same", activation="tanh"),
    ]
    # The points of an untrained L-Gen are no face; XNNPACK lacks the int8 ReLU behind a transposed convolution.
    limits = Limits(landmark_error=None, outside=1)
    bundle = export(
        *networks(layers), ("fp32", "int8"), out=tmp_path / "b", scheme=IBUG49, calibration=16, limits=limits
    )
    parity = {name: entry["parity"] for name, entry in bundle.about["variants"].items()}
    assert parity["fp32"]["image_max_levels"] <= 1 and parity["int8"]["image_psnr"] > 35
    assert bundle.about["landmarks"]["scheme"] == "ibug49"
    faces = FaceSampler(bundle, "fp32").sample(2)
    assert faces.images.shape == (2, 32, 32, 3)


def test_a_generator_with_skip_connections_is_exported(tmp_path):
    """No node outside XNNPACK, and no int8 model that computes in float."""
    networks = joining_generator(32, 4, 8), build_lgen(8, 49, (8,))
    limits = Limits(landmark_error=0.1)
    bundle = export(
        *networks, ("fp32", "int8", "int8-qat"), out=tmp_path / "b", scheme=IBUG49, tuning=Tuning(5, 8), limits=limits
    )
    for variant, facts in bundle.about["variants"].items():
        assert facts["xnnpack"]["partitions"] == 1 and not facts["xnnpack"]["outside"]
        assert facts["parity"]["image_error"] < (0.1 if variant == "fp32" else 3)
        if variant != "fp32":
            ops = read_contents((tmp_path / "b" / facts["file"]).read_bytes()).ops
            # In `sample` and again in its parts: seven ELUs, and one way back to float for each output.
            assert sum(count for (name, _), count in ops.items() if name == "ELU") == 14
            assert sum(count for (name, _), count in ops.items() if name == "DEQUANTIZE") == 4


def test_an_op_that_tflite_lacks_is_refused_and_nothing_is_left(tmp_path):
    class Determinant(keras.layers.Layer):
        def call(self, x):
            return x * tf.linalg.det(x[:, :3, :3, 0])[:, None, None, None]

    with pytest.raises(LmedgeError, match=r"cannot be converted to TFLite \(.*MatrixDeterminant"):
        export(*networks([Determinant()]), ("fp32",), out=tmp_path / "b", scheme=IBUG49)
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_its_weights_is_refused():
    """What `from_concrete_functions` writes for a Keras 3 model."""
    generator, _ = networks([])
    function = tf.function(lambda z: generator(z) * 1.0).get_concrete_function(tf.TensorSpec((1, 4)))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], generator)
    converter.experimental_enable_resource_variables = True
    model = converter.convert()
    with pytest.raises(LmedgeError, match=r"the weights were not frozen|the converter lost them"):
        check_contents(read_contents(model), RECIPES["fp32"], generator.count_params(), Limits())


def test_a_custom_op_is_refused():
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [tf.function(lambda x: tf.linalg.det(x)).get_concrete_function(tf.TensorSpec((3, 3)))]
    )
    converter.allow_custom_ops = True
    with pytest.raises(LmedgeError, match="op MatrixDeterminant is not built into TFLite"):
        check_contents(read_contents(converter.convert()), RECIPES["fp32"], 0, Limits())


def test_contents_are_read_off_the_file(bundle):
    contents = read_contents((bundle / "faces-fp32.tflite").read_bytes())
    names = {name for name, _ in contents.ops}
    assert {"CONV_2D", "FULLY_CONNECTED", "ELU", "QUANTIZE", "DEPTH_TO_SPACE"} <= names and not contents.custom_ops
    # Three resolutions, two each, and RGB; once in `sample` and once in `generate`.
    assert contents.ops[("CONV_2D", 1)] == 2 * 7


def test_networks_that_do_not_belong_together_are_refused(tmp_path):
    generator, _ = networks([])
    out = tmp_path / "b"
    with pytest.raises(LmedgeError, match="L-Gen reads latents of 5 components, the generator of 4"):
        export(generator, build_lgen(5, 49, (4,)), out=out, scheme=IBUG49)
    with pytest.raises(LmedgeError, match="is not ibug68"):
        export(generator, build_lgen(4, 49, (4,)), out=out, scheme=IBUG68)
    with pytest.raises(TypeError, match="scheme"):  # never guessed from a number of points
        export(generator, build_lgen(4, 49, (4,)), out=out)
    with pytest.raises(UsageError, match="--variants fp8: unknown"):
        export(generator, build_lgen(4, 49, (4,)), ("fp8",), out=out, scheme=IBUG49)
    with pytest.raises(UsageError, match="--variants names none"):
        export(generator, build_lgen(4, 49, (4,)), (), out=out, scheme=IBUG49)
    for shape in ((3, 5), (4,), (0, 4)):
        with pytest.raises(UsageError, match=r"representative latents of shape .* are not \[N, 4\]"):
            export(generator, build_lgen(4, 49, (4,)), out=out, scheme=IBUG49, calibration=np.zeros(shape, np.float32))
    with pytest.raises(UsageError, match="representative latents hold values that are not finite"):
        export(
            generator, build_lgen(4, 49, (4,)), out=out, scheme=IBUG49, calibration=np.full((2, 4), np.nan, np.float32)
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("limits", "variant", "reason"),
    [
        (Limits(outside=0), "fp32", r"fp32: XNNPACK leaves out 1 RESHAPE, .*|fp32: XNNPACK leaves out .*TILE"),
        (Limits(image_error=1e-6, outside=None), "int8", "int8: image error .* levels from Keras, --max-image-error"),
        (Limits(landmark_error=1e-9, outside=None), "int8", "int8: landmark error .* NME from Keras"),
        (Limits(min_runtime="2.13", outside=None), "fp32", r"needs TFLite 2.14 and --min-runtime is 2.13"),
    ],
)
def test_each_gate_refuses_and_leaves_nothing(tmp_path, limits, variant, reason):
    # Bilinear upsampling is not folded, and nearest x4 neither.
    layers = [keras.layers.UpSampling2D(4), keras.layers.Conv2D(3, 3, padding="same")]
    with pytest.raises(LmedgeError, match=reason):
        export(*networks(layers), (variant,), out=tmp_path / "b", scheme=IBUG49, limits=limits, calibration=4)
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_folder_is_refused_in_one_sentence(trained, read_only_disk, lmedge_here):
    done = lmedge_here("export", trained, "--out", read_only_disk / "bundle", "--variants", "fp32")
    assert done.returncode == 2 and "cannot be written (Read-only file system)" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and list(read_only_disk.iterdir()) == []


def test_a_file_in_the_way_is_refused_in_one_sentence(trained, tmp_path, lmedge_here):
    (tmp_path / "file").touch()
    done = lmedge_here("export", trained, "--out", tmp_path / "file" / "bundle", "--variants", "fp32")
    assert done.returncode == 2 and "cannot be written (Not a directory)" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_op_versions_are_held_against_the_promised_runtime(trained):
    """What the plain converter makes of dense layers needs FULLY_CONNECTED 12."""
    run = Run(trained)
    contents = read_contents(stock(run.generator(), run.lgen(), "dynamic", uniform(2, 8, 0)))
    assert contents.min_runtime == "2.17"
    with pytest.raises(LmedgeError, match="op FULLY_CONNECTED version 12 needs TFLite 2.17 and --min-runtime is 2.14"):
        check_contents(contents, RECIPES["dynamic"], 0, Limits())
    check_contents(contents, RECIPES["dynamic"], 0, Limits(min_runtime="2.18"))


def test_every_variant_runs_on_every_interpreter_that_the_manifest_promises(every_variant):
    about = json.loads((every_variant / "bundle.json").read_text())
    assert list(about["variants"]) == list(RECIPES)
    for name in ("litert", "tflite"):
        if name not in installed():
            pytest.skip(f"{name} is not installed")
        for variant, entry in about["variants"].items():
            assert entry["min_runtime"] == "2.14" and entry["xnnpack"]["outside"] == {}
            timing = time_model(every_variant / entry["file"], name, 1, 0.01, every_variant / "reference.npz")
            assert timing.parity.image_psnr > 35, (name, variant)
            assert timing.parity.image_error < entry["parity"]["image_error"] + 1.0
            assert timing.parity.landmark_nme < entry["parity"]["landmark_nme"] + 0.01


def test_the_whole_table_is_printed(trained, tmp_path, lmedge_here):
    done = lmedge_here("export", trained, "--out", tmp_path / "b", "--variants", "fp32", "fp16", "--calibration", 4)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("fp16") >= 1 and "ship this on ai-edge-litert" in done.stdout
    assert "1 part, all in" in done.stdout


def test_a_bundle_is_replaced_only_when_asked_and_only_by_a_whole_one(bundle, trained, tmp_path):
    out = shutil.copytree(bundle, tmp_path / "out")
    with pytest.raises(UsageError, match="add --overwrite"):
        export_run(ExportConfig(run=trained, out=out))
    run = shutil.copytree(trained, tmp_path / "run")
    network = Run(run).generator()
    network.set_weights([np.full_like(weight, np.nan) for weight in network.get_weights()])
    network.save(run / "generator.keras")
    before = (out / "bundle.json").read_bytes()
    with pytest.raises(LmedgeError, match="not finite"):
        export_run(ExportConfig(run=run, out=out, overwrite=True))
    assert (out / "bundle.json").read_bytes() == before


def test_an_l_gen_that_always_says_the_same_is_refused(trained, tmp_path):
    generator, lgen = Run(trained).generator(), Run(trained).lgen()
    *others, kernel, bias = lgen.get_weights()
    lgen.set_weights([*others, 0 * kernel, bias])
    with pytest.raises(LmedgeError, match=r"L-Gen gives the same landmarks for every latent; train it again\.$"):
        export(generator, lgen, ("int8",), out=tmp_path / "b", scheme=IBUG49, calibration=8)
    assert not (tmp_path / "b").exists()


def test_a_run_without_its_parts_says_what_to_run(trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    (run / "lgen.keras").unlink()
    with pytest.raises(LmedgeError, match="has no lgen.keras; run `lmedge train-lgen` first"):
        export_run(ExportConfig(run=run, out=tmp_path / "b"))
    with pytest.raises(UsageError, match="is not a run"):
        export_run(ExportConfig(run=tmp_path, out=tmp_path / "b"))


def test_sequential_networks_are_exported_and_those_in_half_precision_refused(tmp_path):
    layers = keras.layers
    lgen = keras.Sequential([keras.Input((8,)), layers.Dense(12, "elu"), layers.Dense(98), layers.Reshape((49, 2))])
    drawn = keras.Sequential([keras.Input((8,)), layers.Dense(768, "tanh"), layers.Reshape((16, 16, 3))])
    options = {"scheme": IBUG49, "calibration": 16, "rewrites": Rewrites(fit_ranges=False),
               "limits": Limits(landmark_error=None)}  # fmt: skip
    bundle = export(drawn, lgen, ("int8",), out=tmp_path / "b", **options)
    z = uniform(5, 8, 1)
    exact = np.clip(np.asarray(drawn(z)) * 127.5 + 127.5, 0, 255)
    assert np.abs(FaceSampler(bundle.path).render(z).images - exact).mean() < 2
    half = keras.Sequential([keras.Input((8,)), layers.Dense(98, dtype="mixed_bfloat16"), layers.Reshape((49, 2))])
    with pytest.raises(LmedgeError, match="computes in bfloat16; build the network in float32 and set its weights"):
        export(drawn, half, ("int8",), out=tmp_path / "c", **options)


def test_latents_that_say_nothing_of_ranges_are_named(tmp_path):
    z, both = np.zeros((4, 4), np.float32), networks([])
    with pytest.raises(LmedgeError, match=r"^int8: no face can be drawn with .*; calibrate on more latents"):
        export(*both, ("int8",), out=tmp_path / "b", scheme=IBUG49, calibration=z,
               rewrites=Rewrites(fit_ranges=False))  # fmt: skip
    with pytest.raises(UsageError, match="--calibration must be between 2"):
        export(*both, ("int8",), out=tmp_path / "b", scheme=IBUG49, calibration=1)
