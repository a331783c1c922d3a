"""The latents of a run on disk: written a part at a time, read whole."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import LmedgeError, UsageError
from lmedge.landmarks import Scheme, scheme_named
from lmedge.run import Run, weights_hash
from lmedge.storage import read_arrays, read_json, write_json

SCHEMA = 2  # 1 had no share explained
ABOUT_FILE = "latents.json"
LEAST_EXPLAINED = 0.5  # share of a face's variance; below, the generator cannot draw the face


@dataclass(frozen=True)
class Latents:
    """The inverted faces of a run.

    `z` `[N, Z]`; `psnr` `[N]` dB of G(z) against the face; `explained` `[N]`, the share of the face's variance that
    G(z) has (1 - squared error / variance around the face's own mean colour); `index` `[N]` in the dataset;
    `landmarks` `[N, K, 2]` of the face, normalised; `groups` and `sources` `[N]`.
    """

    z: NDArray[np.float32]
    psnr: NDArray[np.float32]
    explained: NDArray[np.float32]
    index: NDArray[np.int64]
    landmarks: NDArray[np.float32]
    groups: NDArray[np.str_]
    sources: NDArray[np.str_]
    scheme: Scheme
    size: int
    dataset: Path

    def __len__(self) -> int:
        return len(self.z)

    @property
    def fits(self) -> NDArray[np.bool_]:
        """`[N]`: can the generator draw this face?"""
        return self.explained >= LEAST_EXPLAINED


def psnr(images: Any, others: Any) -> NDArray[np.float32]:
    """Peak signal-to-noise ratio of each pair, dB; images `[N, H, W, 3]` in -1..1 (clipped to it)."""
    return (10 * np.log10(4.0 / np.maximum(_squared_error(images, others), 1e-12))).astype(np.float32)


def explained(images: Any, faces: Any) -> NDArray[np.float32]:
    """Share of the variance of each face that its image has: 1 for the same picture, 0 for one that is no nearer than
    the face's mean colour; `[N, H, W, 3]` in -1..1 (images are clipped to it)."""
    variance = faces.astype(np.float64).var(axis=(1, 2)).mean(axis=-1)
    return (1 - _squared_error(images, faces) / np.maximum(variance, 1e-6)).astype(np.float32)


def _squared_error(images: Any, others: Any) -> NDArray[np.float64]:
    difference = np.clip(images, -1, 1) - np.clip(others, -1, 1)
    return (difference.astype(np.float64) ** 2).mean(axis=(1, 2, 3))


def part_file(folder: Path, number: int) -> Path:
    """The file of a part of the faces."""
    return folder / f"part-{number:05}.npz"


def claim(folder: Path, about: dict[str, Any], overwrite: bool) -> None:
    """Makes RUN/latents, or finds that what is there belongs to the same inversion. Raises UsageError."""
    if folder.exists() and overwrite:
        shutil.rmtree(folder)
    if (folder / ABOUT_FILE).exists():
        before = read_json(folder / ABOUT_FILE, "a folder of latents")
        if before != about:
            same = before.get("generator") == about["generator"]
            why = "another dataset or other options" if same else "another state of the generator"
            raise UsageError(f"{folder} holds latents of {why}; add --overwrite to replace them.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / ABOUT_FILE, about)


def load_latents(run: Run) -> Latents:
    """All latents of the run. Raises LmedgeError where there are none, or not all, or the generator has changed since,
    or another version has made them."""
    about_file = run.latents / ABOUT_FILE
    if not about_file.exists():
        raise LmedgeError(f"{run.path} has no latents; run `lmedge invert {run.path} DATASET` first.")
    about = read_json(about_file, "a folder of latents")
    if about.get("schema") != SCHEMA:
        raise LmedgeError(
            f"{about_file} has schema {about.get('schema')!r}, this version reads {SCHEMA}; run `lmedge invert` with "
            "--overwrite."
        )
    if about["generator"] != weights_hash(run.generator()):
        raise LmedgeError(
            f"{run.latents} belongs to another state of the generator; run `lmedge invert` with --overwrite."
        )
    columns: dict[str, list[Any]] = {}
    for path in sorted(run.latents.glob("part-*.npz")):
        try:
            for name, values in read_arrays(path).items():
                columns.setdefault(name, []).append(values)
        except ValueError:
            raise LmedgeError(f"{path} is damaged; delete it and run `lmedge invert` again.") from None
    whole: dict[str, Any] = {name: np.concatenate(parts) for name, parts in columns.items()}
    found = len(whole.get("z", ()))
    if found != about["count"]:
        raise LmedgeError(f"{run.latents} holds {found} of {about['count']} faces; run the same `lmedge invert` again.")
    return Latents(**whole, scheme=scheme_named(about["scheme"]), size=about["size"], dataset=Path(about["dataset"]))
