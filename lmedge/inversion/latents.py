"""The latents of a run on disk: written a part at a time, read whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import LmedgeError, UsageError
from lmedge.folders import half_made, making_folder
from lmedge.keras_model import weights_hash
from lmedge.parts import Columns, PartStore
from lmedge.provenance import Provenance
from lmedge.run import Run
from lmedge.scheme import Scheme
from lmedge.storage import Damaged, check_form, read_json
from lmedge.swap import check_whole, settle
from lmedge.url import place

SCHEMA = 3  # 1 had no share explained, 2 named its landmark scheme and did not say whose its landmarks are
ABOUT_FILE = "latents.json"
ABOUT_FORM = {"generator": str, "dataset": str, "size": int, "scheme": dict, "provenance": dict, "count": int,
              "options": dict}  # fmt: skip
FILES = (ABOUT_FILE, "part-*.npz")
COLUMNS: Columns = {"z": (2, "f"), "psnr": (1, "f"), "explained": (1, "f"), "index": (1, "i"), "landmarks": (3, "f"),
                    "groups": (1, "U"), "sources": (1, "U")}  # fmt: skip
LEAST_EXPLAINED = 0.5  # share of a face's variance; below, the generator cannot draw the face


@dataclass(frozen=True)
class Latents:
    """The inverted faces of a run.

    `z` `[N, Z]`; `psnr` `[N]` dB of G(z) against the face; `explained` `[N]`, the share of the face's variance that
    G(z) has (1 - squared error / variance around the face's own mean colour); `index` `[N]` in the dataset;
    `landmarks` `[N, K, 2]` of the face, normalised, and the `provenance` of face and landmarks; `groups` and `sources`
    `[N]`.
    """

    z: NDArray[np.float32]
    psnr: NDArray[np.float32]
    explained: NDArray[np.float32]
    index: NDArray[np.int64]
    landmarks: NDArray[np.float32]
    groups: NDArray[np.str_]
    sources: NDArray[np.str_]
    scheme: Scheme
    provenance: Provenance
    size: int
    dataset: Path
    digest: str | None = None  # of the dataset; None in latents of lmedge 0.1

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


def latents_in(folder: Path) -> PartStore:
    """The parts of an inversion; their note says whose."""
    return PartStore(folder, COLUMNS, note=folder / ABOUT_FILE)


@contextmanager
def filling(folder: Path, about: dict[str, Any], overwrite: bool) -> Iterator[PartStore]:
    """Yields where the parts of an inversion go: RUN/latents itself where it belongs to the same inversion, else a
    folder that becomes RUN/latents when it is whole. Raises UsageError for latents of another one."""
    settle(folder)
    store = latents_in(folder)
    if (folder / ABOUT_FILE).exists() and not overwrite:
        _about(folder)
        if other := store.other(about) - {"dataset"}:  # which may have moved
            why = "another state of the generator" if "generator" in other else "another dataset or other options"
            raise UsageError(f"{folder} holds latents of {why}; add --overwrite to replace them.")
        store.begin(about)
        yield store
        return
    same_faces = {name: value for name, value in about.items() if name != "dataset"}
    with making_folder(folder, "latents", overwrite, adopt=FILES, resume=same_faces, option="") as made:
        store = latents_in(made)
        store.begin(about)
        yield store


def _about(folder: Path) -> dict[str, Any]:
    about = read_json(folder / ABOUT_FILE, "a folder of latents", {"schema": int})
    if about["schema"] != SCHEMA:
        raise LmedgeError(
            f"{folder / ABOUT_FILE} has schema {about['schema']!r}, this version reads {SCHEMA}; run `lmedge invert` "
            "with --overwrite."
        )
    check_form(about, ABOUT_FORM, str(folder / ABOUT_FILE), "a folder of latents")
    return about


def load_latents(run: Run) -> Latents:
    """All latents of the run. Raises LmedgeError where there are none, or not all, or the generator has changed since,
    or another version has made them."""
    check_whole(run.latents)
    if not (run.latents / ABOUT_FILE).exists():
        if half_made(run.latents):
            raise LmedgeError(f"{run} has only a part of its latents; run the same `lmedge invert` again.")
        raise LmedgeError(f"{run} has no latents; run `lmedge invert {run} DATASET` first.")
    about = _about(run.latents)
    if about["generator"] != weights_hash(run.generator()):
        raise LmedgeError(
            f"{run.latents} belongs to another state of the generator; run `lmedge invert` with --overwrite."
        )
    store = latents_in(run.latents)
    parts = [_part(store, path) for path in store.files]
    found = sum(len(part["z"]) for part in parts)
    if found != about["count"]:
        raise LmedgeError(f"{run.latents} holds {found} of {about['count']} faces; run the same `lmedge invert` again.")
    whole: dict[str, Any] = {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS}
    scheme = Scheme.from_json(about["scheme"], f"{run.latents / ABOUT_FILE}, 'scheme'")
    provenance = Provenance.from_json(about["provenance"], str(run.latents / ABOUT_FILE))
    return Latents(**whole, scheme=scheme, provenance=provenance, size=about["size"], dataset=place(about["dataset"]),
                   digest=about.get("digest"))  # fmt: skip


def _part(store: PartStore, path: Path) -> dict[str, NDArray[Any]]:
    try:
        return store.arrays(path)
    except Damaged as error:
        raise LmedgeError(f"{path} is damaged ({error.reason}); run the same `lmedge invert` again.") from None


def refuse_other(run: Run, provenance: Provenance, what: str) -> None:
    """Raises UsageError where the landmarks of `what` are not of the annotator that the run began with."""
    if not provenance.same_annotator(run.provenance):
        raise UsageError(
            f"{what} has landmarks of {provenance.landmarks} and {run} began with those of "
            f"{run.provenance.landmarks}; name faces with the same."
        )
