"""Hostile model files, each refused by what is wrong with it."""

import copy
import json
import struct
import time
import tracemalloc

import numpy as np
import pytest

from lmedge.errors import LmedgeError
from lmedge.runtime.bundle import Bundle
from lmedge.runtime.model_file import check_model


@pytest.fixture(scope="module")
def model(bundle):
    return (bundle / "faces-int8.tflite").read_bytes()


def test_every_variant_passes_and_is_understood(every_variant):
    for path in every_variant.glob("*.tflite"):
        found = check_model(path.read_bytes(), path.name)
        assert set(found.signatures) == {"sample", "generate", "landmarks"}
        inputs, outputs = found.signatures["sample"]
        assert inputs == ("z",) and set(outputs) == {"image", "landmarks", "confidence", "point_confidence"}
        assert found.about["latent"]["size"] == 8 and "TFLITE_METADATA" in found.metadata
        assert found.ops[3] == 2 * 7  # CONV_2D


def test_truncated_files_are_refused(model):
    for length in (0, 3, 8, 20, len(model) // 4, len(model) // 2, len(model) - 5000):
        with pytest.raises(LmedgeError, match="is not a TFLite model|is damaged or not a face model"):
            check_model(model[:length], "m")


def changed(model, edit):
    """The model with an edit of its objects."""
    from convert import flatbuffer as fb

    root = fb.read(model)
    edit(root)
    return fb.write(root)


def set_shape(root):
    root.subgraphs[0].tensors[root.subgraphs[0].outputs[0]].shape = [1 << 16, 1 << 16]


def huge_buffer(root):
    root.subgraphs[0].tensors[0].shape = [1 << 30]


def wrong_tensor(root):
    root.subgraphs[0].operators[2].inputs = [100_000]


def wrong_buffer(root):
    root.subgraphs[0].tensors[1].buffer = 100_000


def wrong_code(root):
    root.subgraphs[0].operators[0].opcodeIndex = 99


def loop(root):
    root.subgraphs[0].operators[1].inputs = list(root.subgraphs[0].outputs)


def custom(root):
    root.operatorCodes[0].customCode = b"FlexErf"


def control_flow(root):
    root.operatorCodes[0].builtinCode = 119


def no_graph(root):
    root.subgraphs = []


def outside(root):
    root.buffers[1].offset, root.buffers[1].size = 1 << 31, 1 << 31


def shift(root):
    root.subgraphs[0].tensors[root.subgraphs[0].operators[1].outputs[0]].quantization.scale = [1e30]


def stride(root):
    kinds = {type(op.builtinOptions).__name__: op.builtinOptions for op in root.subgraphs[0].operators}
    kinds["Conv2DOptionsT"].strideW = 0


def old_schema(root):
    root.version = 2


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (set_shape, r"shape \[65536, 65536\] needs \d+ MiB"),
        (huge_buffer, "needs 1024 MiB|needs 4096 MiB"),
        (wrong_tensor, "tensor 100000 does not exist"),
        (wrong_buffer, "buffer 100000 does not exist"),
        (wrong_code, "op 99 does not exist"),
        (loop, "an op reads what nothing has written"),
        (custom, "uses the op CUSTOM"),
        (control_flow, "uses the op WHILE"),
        (no_graph, "it has no graph"),
        (outside, "its weights lie outside the flatbuffer"),
        (shift, "scale that is no sensible number"),
        (stride, "a stride that is not positive"),
        (old_schema, "its schema is 2, not 3"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_hostile_models_are_refused_by_name(model, tmp_path, edit, reason):
    path = tmp_path / "hostile.tflite"
    path.write_bytes(changed(model, edit))
    with pytest.raises(LmedgeError, match=f"hostile.tflite is damaged or not a face model .*{reason}"):
        Bundle.open(path)


def test_a_list_of_two_thousand_million_items_is_refused_at_once(model):
    data = bytearray(model)
    root = struct.unpack_from("<I", data)[0]
    vtable = root - struct.unpack_from("<i", data, root)[0]
    place = root + struct.unpack_from("<H", data, vtable + 4 + 2 * 4)[0]  # the list of buffers
    at = place + struct.unpack_from("<I", data, place)[0]
    struct.pack_into("<I", data, at, 1 << 31)
    start = time.monotonic()
    with pytest.raises(LmedgeError, match="a list of 2147483648 items reaches out of the file"):
        check_model(bytes(data), "m")
    assert time.monotonic() - start < 1


def bomb(items, field):
    """A model whose list `field` (2: graphs, 4: buffers) has the same table again and again: a buffer of 1 MiB, or a
    graph of 1,000 tensors that are the same one."""
    import flatbuffers

    builder = flatbuffers.Builder(1 << 21)

    def table(**fields):
        """`fN`: an offset; `nN`: a number of four bytes."""
        builder.StartObject(8)
        for name, value in fields.items():
            at, add = int(name[1:]), builder.PrependUOffsetTRelativeSlot
            (add if name[0] == "f" else builder.PrependUint32Slot)(at, value, 0)
        return builder.EndObject()

    def repeated(offset, times):
        builder.StartVector(4, times, 4)
        for _ in range(times):
            builder.PrependUOffsetTRelative(offset)
        return builder.EndVector()

    buffer = builder.CreateByteVector(bytes(1 << 20)) if field == 4 else 0
    buffer = table(**({"f0": buffer} if buffer else {}))
    tensor = table(f0=builder.CreateNumpyVector(np.ones(50, np.int32)))
    end = builder.CreateNumpyVector(np.zeros(1, np.int32))
    graph = table(f0=repeated(tensor, 1_000), f1=end, f2=end)
    graphs, buffers = repeated(graph, 1 if field == 4 else items), repeated(buffer, items if field == 4 else 1)
    builder.Finish(table(n0=3, f2=graphs, f4=buffers), file_identifier=b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize(("field", "items"), [(4, 90_000), (2, 90_000)])
def test_a_file_that_refers_to_the_same_place_again_and_again_is_refused_at_once(field, items):
    data = bomb(items, field)
    tracemalloc.start()
    start = time.process_time()  # other processes may be busy
    try:
        with pytest.raises(LmedgeError, match="refers to more than a face model holds"):
            check_model(data, "m")
        assert time.process_time() - start < 3 and tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_weights_that_every_op_reads_again_count_each_time(model):
    """XNNPACK packs the weights of each op into memory of its own."""

    def repeat(root):
        graph, root_buffer = root.subgraphs[0], copy.copy(root.buffers[0])
        root_buffer.data = np.zeros(1 << 20, np.uint8)
        root.buffers.append(root_buffer)
        weights = copy.copy(graph.tensors[graph.inputs[0]])
        weights.shape, weights.buffer = [1 << 18], len(root.buffers) - 1
        graph.tensors.append(weights)
        for _ in range(600):
            again = copy.copy(graph.operators[0])
            again.inputs, again.outputs = [graph.tensors.index(weights)], [len(graph.tensors)]
            graph.tensors.append(copy.copy(graph.tensors[graph.inputs[0]]))
            graph.operators.append(again)

    with pytest.raises(LmedgeError, match=r"its tensors need 60\d MiB"):
        check_model(changed(model, repeat), "m")


@pytest.mark.parametrize("verb", [("info",), ("sample", "--out", "x"), ("bench",)])
def test_the_verbs_refuse_hostile_files_in_one_sentence(model, bundle, tmp_path, lmedge, verb):
    path = tmp_path / "m.tflite"
    path.write_bytes(changed(model, wrong_tensor))
    done = lmedge(verb[0], path, *verb[1:], cwd=tmp_path)
    assert done.returncode == 1 and "tensor 100000 does not exist" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    folder = tmp_path / "bundle"
    folder.mkdir()
    about = json.loads((bundle / "bundle.json").read_text())
    about["variants"]["int8"]["file"] = "../../secret.tflite"
    (folder / "bundle.json").write_text(json.dumps(about))
    done = lmedge(verb[0], folder, *verb[1:], cwd=tmp_path)
    assert done.returncode == 1 and "which is not a file of the bundle" in done.stderr
    assert not (tmp_path / "x").exists()
