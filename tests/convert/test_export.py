import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from convert import export, export_networks
from convert.gates import check, read_contents
from lmedge.config import ExportConfig
from lmedge.errors import LmedgeError, UsageError
from lmedge.landmarks import IBUG49, IBUG68
from lmedge.lgen import build_lgen
from lmedge.run import Run


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
        assert list(interpreter.get_signature_list()) == ["sample"]
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
    exported = export_networks(*networks(layers), IBUG49, tmp_path / "b", calibration=16)
    assert exported.parity["fp32"].image_max_levels <= 1 and exported.parity["int8"].image_psnr > 30


def test_an_op_that_tflite_lacks_is_refused_and_nothing_is_left(tmp_path):
    class Determinant(keras.layers.Layer):
        def call(self, x):
            return x * tf.linalg.det(x[:, :3, :3, 0])[:, None, None, None]

    with pytest.raises(LmedgeError, match=r"cannot be converted to TFLite \(.*MatrixDeterminant"):
        export_networks(*networks([Determinant()]), IBUG49, tmp_path / "b", ("fp32",))
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_its_weights_is_refused():
    """What `from_concrete_functions` writes for a Keras 3 model."""
    generator, _ = networks([])
    function = tf.function(lambda z: generator(z) * 1.0).get_concrete_function(tf.TensorSpec((1, 4)))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], generator)
    converter.experimental_enable_resource_variables = True
    model = converter.convert()
    with pytest.raises(LmedgeError, match=r"the weights were not frozen|the converter lost them"):
        check(model, "fp32", generator.count_params())


def test_a_custom_op_is_refused():
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [tf.function(lambda x: tf.linalg.det(x)).get_concrete_function(tf.TensorSpec((3, 3)))]
    )
    converter.allow_custom_ops = True
    with pytest.raises(LmedgeError, match="op MatrixDeterminant is not built into TFLite"):
        check(converter.convert(), "fp32", 0)


def test_contents_are_read_off_the_file(bundle):
    contents = read_contents((bundle / "faces-fp32.tflite").read_bytes())
    names = {name for name, _ in contents.ops}
    assert {"CONV_2D", "FULLY_CONNECTED", "ELU", "CAST"} <= names and not contents.custom_ops
    assert contents.ops[("CONV_2D", 1)] == 7  # three resolutions, two each, and RGB


def test_networks_that_do_not_belong_together_are_refused(tmp_path):
    generator, _ = networks([])
    with pytest.raises(LmedgeError, match="L-Gen reads latents of 5 components, the generator of 4"):
        export_networks(generator, build_lgen(5, 49, (4,)), IBUG49, tmp_path / "b")
    with pytest.raises(LmedgeError, match="is not ibug68"):
        export_networks(generator, build_lgen(4, 49, (4,)), IBUG68, tmp_path / "b")
    with pytest.raises(UsageError, match="--variants fp8: unknown"):
        export_networks(generator, build_lgen(4, 49, (4,)), IBUG49, tmp_path / "b", ("fp8",))
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_is_replaced_only_when_asked_and_only_by_a_whole_one(bundle, trained, tmp_path):
    out = shutil.copytree(bundle, tmp_path / "out")
    with pytest.raises(UsageError, match="add --overwrite"):
        export(ExportConfig(run=trained, out=out))
    run = shutil.copytree(trained, tmp_path / "run")
    network = Run(run).generator()
    network.set_weights([np.full_like(weight, np.nan) for weight in network.get_weights()])
    network.save(run / "generator.keras")
    before = (out / "bundle.json").read_bytes()
    with pytest.raises(LmedgeError, match="not finite"):
        export(ExportConfig(run=run, out=out, overwrite=True))
    assert (out / "bundle.json").read_bytes() == before


def test_a_run_without_its_parts_says_what_to_run(trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    (run / "lgen.keras").unlink()
    with pytest.raises(LmedgeError, match="has no lgen.keras; run `lmedge train-lgen` first"):
        export(ExportConfig(run=run, out=tmp_path / "b"))
    with pytest.raises(UsageError, match="is not a run"):
        export(ExportConfig(run=tmp_path, out=tmp_path / "b"))
