import io
import json
import os
import resource
import time
import zipfile

import h5py
import keras
import numpy as np
import pytest

from lmedge.errors import LmedgeError
from lmedge.gan.families.began.networks import build_generator
from lmedge.keras_file import load_network, save_network
from lmedge.lgen.network import build_lgen


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("keras") / "lgen.keras"
    save_network(build_lgen(8, 49, (16, 16)), path)
    return path


def remade(saved, out, edit=None, packed=False, **parts):
    """The archive with an edit of its configuration, or with other parts (`config`, `weights`)."""
    with zipfile.ZipFile(saved) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    if edit:
        config = json.loads(files["config.json"])
        edit(config["config"]["layers"])
        files["config.json"] = json.dumps(config).encode()
    files["config.json"] = parts.get("config", files["config.json"])
    files["model.weights.h5"] = parts.get("weights", files["model.weights.h5"])
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out


def wide(layers):
    """16,000 units in each hidden layer: 1 GiB of weights between two of them."""
    for layer in layers:
        layer.pop("build_config", None)
        if layer["name"].startswith("hidden"):
            layer["config"]["units"] = 16_000
        for node in layer["inbound_nodes"]:
            shape = node["args"][0]["config"]["shape"]
            shape[1:] = [16_000] if shape[1:] == [16] else shape[1:]


def weights(shape, **options):
    data = io.BytesIO()
    with h5py.File(data, "w") as file:
        file.create_dataset("layers/dense/vars/0", shape, "f4", **options)
    return data.getvalue()


def linked():
    data = io.BytesIO()
    with h5py.File(data, "w") as file:
        file["layers"] = h5py.ExternalLink("other.h5", "/")
    return data.getvalue()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"edit": wide}, r"it claims 257,\d+,\d+ weights, its file has \d+,\d+ bytes of them"),
        ({"weights": bytes(64 << 20), "packed": True}, "its model.weights.h5 claims 64 MiB"),
        ({"config": b" " * (64 << 20), "packed": True}, "its config.json claims 64 MiB"),
        ({"weights": weights((1 << 30, 4), chunks=(1 << 14, 4), compression="gzip")}, "its weights claim 16384 MiB"),
        ({"weights": weights((4,), external=[("other", 0, 16)])}, "its weights lie in another file"),
        ({"weights": linked()}, "its weights lie elsewhere"),
        ({"config": b'[%s"class_name"]' % (b'"class_name",' * 20_000)}, "its configuration has 20001 objects"),
        ({"config": b'{"class_name": "__numpy__"}'}, "its configuration holds numbers of its own"),
        ({"config": b"{"}, "Expecting property name"),
    ],
    ids=lambda value: "",
)  # fmt: skip
def test_an_archive_that_claims_more_than_it_holds_is_refused_before_memory_is_taken(saved, tmp_path, change, reason):
    path = remade(saved, tmp_path / "x.keras", **change)
    load_network(saved)  # what Keras itself takes the first time
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(LmedgeError, match=f"x.keras cannot be read .*{reason}"):
        load_network(path)
    assert time.monotonic() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10  # KiB
    # Keras gives values to variables that a scope left without when the next one ends: none may be left behind.
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10


def test_a_layer_that_draws_beyond_measure_is_refused(tmp_path):
    """Upsampling has no weights, and asks for any amount of memory."""
    path = tmp_path / "g.keras"
    generator = build_generator(16, 4, 8)
    huge = keras.layers.UpSampling2D(4096)(generator.output)
    save_network(keras.Model(generator.input, huge), path)
    with pytest.raises(LmedgeError, match=r"g.keras cannot be read \(a layer gives 12,884,901,888 numbers\)"):
        load_network(path)


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_only_regular_files_are_read(tmp_path, kind):
    path = tmp_path / "x.keras"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(LmedgeError, match="x.keras is no regular file"):
        load_network(path)


def test_what_was_saved_is_loaded(saved):
    z = np.ones((2, 8), np.float32)
    first, second = load_network(saved), load_network(saved)
    assert (first(z).numpy() == second(z).numpy()).all() and first.count_params() == 8 * 16 + 17 * 16 + 16 + 17 * 98
