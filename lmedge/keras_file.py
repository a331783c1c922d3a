"""Keras networks as files. What a `.keras` archive claims is checked before Keras allocates it: archives may come from
strangers, and a few kilobytes can ask for any amount of memory."""

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lmedge.errors import LmedgeError
from lmedge.regular import read_regular
from lmedge.storage import write_bytes

LARGEST_FILE = 1 << 30  # bytes of an archive
CONFIG, WEIGHTS = "config.json", "model.weights.h5"
LARGEST = {"metadata.json": 1 << 16, CONFIG: 1 << 22}  # bytes unpacked
MOST_EXPANSION = 4  # times that unpacked weights may be larger than packed: trained ones hardly shrink
MOST_OBJECTS = 10_000  # in a configuration: about eight for each layer
MOST_WEIGHTS = 10_000  # in a file of weights
LARGEST_OUTPUT = 1 << 25  # numbers that a layer gives for one face


class _Claim(Exception):
    """What an archive claims that it must not, as the end of a sentence."""


def load_network(path: Path, remedy: str = "train it again") -> Any:
    """A Keras model, without code in it. Raises LmedgeError, which ends with `remedy`, for a file that is damaged or
    claims more than it holds."""
    try:
        import keras

        import lmedge.keras_layers  # noqa: F401  registers them

        _check(read_regular(path, LARGEST_FILE))
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except LmedgeError:
        raise
    except Exception as error:  # Keras, h5py and zipfile raise whatever their parts raise on a damaged file
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise LmedgeError(f"{path} cannot be read ({reason}); {remedy}.") from error


def check_network_file(path: Path, remedy: str) -> None:
    """Raises LmedgeError, which ends with `remedy`, for a file of `load_network` that is missing, cut short or claims
    more than it holds. Imports no Keras: what the network is is not looked at."""
    if not path.is_file():
        raise LmedgeError(f"{path} is missing; {remedy}.")
    try:
        with zipfile.ZipFile(io.BytesIO(read_regular(path, LARGEST_FILE))) as archive:
            _check_entries(archive)
            if (wrong := archive.testzip()) is not None:
                raise _Claim(f"its {wrong} is not whole")
    except LmedgeError:
        raise
    except Exception as error:  # zipfile and zlib raise their own
        raise LmedgeError(f"{path} cannot be read ({error}); {remedy}.") from error


def network_bytes(network: Any) -> bytes:
    """The file of a Keras model."""
    # Keras writes to a path that it chooses the ending of, and not in one step.
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.keras"
        network.save(file)
        return file.read_bytes()


def save_network(network: Any, path: Path) -> None:
    """Saves a Keras model in one step."""
    write_bytes(path, network_bytes(network))


def _check(data: bytes) -> None:
    """Raises _Claim for an archive that would take more memory than its size warrants."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        _check_entries(archive)
        config = archive.read(CONFIG)
        _check_weights(archive.read(WEIGHTS))
        stored = archive.getinfo(WEIGHTS).file_size
    with _shapes_of(config) as network:
        if network.count_params() > stored:
            raise _Claim(f"it claims {network.count_params():,} weights, its file has {stored:,} bytes of them")
        for tensor in _outputs(network):
            size = 1
            for side in tensor.shape:
                size *= side or 1
            if size > LARGEST_OUTPUT:
                raise _Claim(f"a layer gives {size:,} numbers")


def _check_entries(archive: zipfile.ZipFile) -> None:
    names = [entry.filename for entry in archive.infolist()]
    if sorted(names) != sorted({*LARGEST, WEIGHTS}):
        raise _Claim(f"it holds {', '.join(names)[:80]}")
    for entry in archive.infolist():
        # An entry that is longer than it says is cut off there when it is read.
        most = LARGEST.get(entry.filename, MOST_EXPANSION * entry.compress_size)
        if entry.file_size > most:
            raise _Claim(f"its {entry.filename} claims {entry.file_size >> 20} MiB")


def _check_weights(data: bytes) -> None:
    """Datasets of HDF5 may claim any shape, be packed, or lie in other files."""
    import h5py

    total = count = 0

    # What a visitor returns ends the visit; h5py does not bear exceptions in all of them.
    def visit_link(_: str, link: Any) -> str | None:
        nonlocal count
        count += 1
        if count > MOST_WEIGHTS:
            return f"it has more than {MOST_WEIGHTS} weights"
        return None if isinstance(link, h5py.HardLink) else "its weights lie elsewhere"

    def visit(_: str, item: Any) -> str | None:
        nonlocal total
        if isinstance(item, h5py.Dataset):
            total += item.nbytes
            if item.external or item.is_virtual:
                return "its weights lie in another file"
        return None

    with h5py.File(io.BytesIO(data), "r") as file:
        if claim := file.visititems_links(visit_link) or file.visititems(visit):
            raise _Claim(claim)
    if total > len(data):
        raise _Claim(f"its weights claim {total >> 20} MiB in a file of {len(data) >> 10} KiB")


@contextmanager
def _shapes_of(config: bytes) -> Iterator[Any]:
    """The network of a configuration, whose weights have shapes and no values."""
    import keras
    from keras.src.backend.common import global_state

    described = json.loads(config)
    if (objects := config.count(b'"class_name"')) > MOST_OBJECTS:
        raise _Claim(f"its configuration has {objects} objects")
    if b'"__numpy__"' in config or b'"__tensor__"' in config:
        raise _Claim("its configuration holds numbers of its own")
    name = "uninitialized_variables"  # which Keras gives values to when a later scope ends
    others = list(global_state.get_global_attribute(name) or [])
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield keras.saving.deserialize_keras_object(described, safe_mode=True)
    finally:
        global_state.set_global_attribute(name, others)


def _outputs(network: Any) -> Iterator[Any]:
    """What the layers give, as tensors without values."""
    import keras

    for operation in getattr(network, "operations", network.layers):
        for node in operation._inbound_nodes:
            yield from (tensor for tensor in node.output_tensors if isinstance(tensor, keras.KerasTensor))
        if isinstance(operation, keras.Model):
            yield from _outputs(operation)
