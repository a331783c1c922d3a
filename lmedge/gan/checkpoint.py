"""Checkpoints of a training: one .npz file each, written beside and renamed, without pickle."""

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import LmedgeError
from lmedge.storage import Damaged, check_form, parsed_json, read_arrays, write_arrays

SCHEMA = 4  # 3 had a relativistic generator with ReLU, 2 one kind of generator
STATE_FORM = {"schedule": dict, "health": dict}
_NAME = re.compile(r"step-[0-9]{8,}\.npz")
Variables = Mapping[str, list[Any]]  # Keras variables by what they belong to


def _named(variables: Variables) -> dict[str, Any]:
    return {f"{part}/{i:03}": variable for part, all_of_it in variables.items() for i, variable in enumerate(all_of_it)}


def checkpoint_path(folder: Path, step: int) -> Path:
    """`checkpoints/step-00006000.npz`"""
    return folder / f"step-{step:08}.npz"


def checkpoints(folder: Path) -> list[Path]:
    """Checkpoints, oldest first; a copy under another name is the user's."""
    return sorted((path for path in folder.glob("step-*.npz") if _NAME.fullmatch(path.name)), key=step_of)


def step_of(path: Path) -> int:
    """The step after which a checkpoint was made."""
    return int(path.stem.removeprefix("step-"))


def save(
    folder: Path, step: int, variables: Variables, state: dict[str, Any], keep: int, pinned: Collection[Path] = ()
) -> Path:
    """Writes a checkpoint with `state` (JSON values) beside the variables and removes all but the newest
    `keep` and those `pinned`. The old ones stay until the new one is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    path = checkpoint_path(folder, step)
    arrays = {name: np.asarray(variable) for name, variable in _named(variables).items()}
    note = json.dumps({"schema": SCHEMA, **state}).encode()
    write_arrays(path, {**arrays, "note": np.frombuffer(note, np.uint8)})
    for old in checkpoints(folder)[:-keep]:
        if old not in pinned:
            old.unlink()
    return path


def restore(path: Path, variables: Variables) -> dict[str, Any]:
    """Loads a checkpoint into the variables; returns the state it was saved with.

    Raises LmedgeError when the file is damaged, of another version, or of other networks.
    """
    arrays, state = _read(path, "--run")
    check_form(state, STATE_FORM, str(path), "a checkpoint")
    _assign(path, arrays, _named(variables), "--run")
    return state


def restore_part(path: Path, variables: Variables, option: str) -> None:
    """Loads, of a checkpoint of the run that `option` names, what belongs to the names of `variables`. Raises
    LmedgeError as `restore` does."""
    arrays, _ = _read(path, option)
    part = {name: array for name, array in arrays.items() if name.split("/")[0] in variables}
    _assign(path, part, _named(variables), option)


def _read(path: Path, option: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """What a checkpoint holds, and the state that was saved with it."""
    try:
        arrays = read_arrays(path, ("note",))
        state = parsed_json(arrays.pop("note").tobytes())
        check_form(state, {"schema": int}, str(path), "a checkpoint")
    except (Damaged, ValueError, TypeError) as error:
        raise LmedgeError(
            f"{path} is damaged ({getattr(error, 'reason', error)}); delete it and run again to go on from the one "
            "before."
        ) from None
    if state.pop("schema") != SCHEMA:
        raise LmedgeError(f"{path} is of another version of lmedge; name another {option}.")
    return arrays, state


def _assign(path: Path, arrays: dict[str, NDArray[Any]], named: dict[str, Any], option: str) -> None:
    shapes = {name: tuple(v.shape) for name, v in named.items()}
    if shapes != {name: array.shape for name, array in arrays.items()}:
        raise LmedgeError(f"{path} is of networks of another size; name another {option}.")
    for name, variable in named.items():
        variable.assign(arrays[name])
