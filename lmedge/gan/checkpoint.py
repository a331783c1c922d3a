"""Checkpoints of a training: one .npz file each, written beside and renamed, without pickle."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from lmedge.errors import LmedgeError
from lmedge.gan.began import Began
from lmedge.storage import Damaged, check_form, read_arrays, write_arrays

SCHEMA = 2
STATE_FORM = {"schema": int, "plateau": dict, "health": dict}


def _variables(model: Began) -> dict[str, Any]:
    """Everything a training needs to go on, by name."""
    parts = {
        "generator": model.generator.weights,
        "discriminator": model.discriminator.weights,
        "ema": model.ema_generator.weights,
        "adam_g": model.g_optimizer.variables,
        "adam_d": model.d_optimizer.variables,
        "state": [model.k, model.step],
    }
    return {f"{part}/{i:03}": v for part, variables in parts.items() for i, v in enumerate(variables)}


def checkpoint_path(folder: Path, step: int) -> Path:
    """`checkpoints/step-00006000.npz`"""
    return folder / f"step-{step:08}.npz"


def checkpoints(folder: Path) -> list[Path]:
    """Checkpoints, oldest first."""
    return sorted(folder.glob("step-*.npz"))


def save(folder: Path, model: Began, state: dict[str, Any], keep: int, pinned: Collection[Path] = ()) -> Path:
    """Writes a checkpoint with `state` (JSON values) beside the variables and removes all but the newest
    `keep` and those `pinned`. The old ones stay until the new one is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    path = checkpoint_path(folder, int(model.step.numpy()))
    arrays = {name: np.asarray(variable) for name, variable in _variables(model).items()}
    note = json.dumps({"schema": SCHEMA, **state}).encode()
    write_arrays(path, {**arrays, "note": np.frombuffer(note, np.uint8)})
    for old in checkpoints(folder)[:-keep]:
        if old not in pinned:
            old.unlink()
    return path


def restore(path: Path, model: Began) -> dict[str, Any]:
    """Loads a checkpoint into the model; returns the state it was saved with.

    Raises LmedgeError when the file is damaged, of another version, or of other networks.
    """
    try:
        arrays = read_arrays(path, ("note",))
        state = json.loads(arrays.pop("note").tobytes())
        check_form(state, STATE_FORM, str(path), "a checkpoint")
    except (Damaged, ValueError, TypeError) as error:
        raise LmedgeError(
            f"{path} is damaged ({getattr(error, 'reason', error)}); delete it and run again to go on from the one "
            "before."
        ) from None
    if state.pop("schema") != SCHEMA:
        raise LmedgeError(f"{path} is of another version of lmedge; name another --run.")
    variables = _variables(model)
    shapes = {name: tuple(v.shape) for name, v in variables.items()}
    if shapes != {name: array.shape for name, array in arrays.items()}:
        raise LmedgeError(f"{path} is of networks of another size; name another --run.")
    for name, variable in variables.items():
        variable.assign(arrays[name])
    return state
