"""Latents of given photos, around which a set is drawn."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lmedge.annotators.annotator import Annotator
from lmedge.annotators.registry import looking
from lmedge.errors import LmedgeError
from lmedge.executor import Executor
from lmedge.faces.about import DATASET_FILE
from lmedge.faces.assembly import NoFaces
from lmedge.faces.crop import Cutting
from lmedge.faces.prepare import cut_photos
from lmedge.faces.records import FaceDataset
from lmedge.faces.sources import find_photos
from lmedge.inversion.encoder import cached_encoder
from lmedge.inversion.focus import face_weights
from lmedge.inversion.invert import check_size
from lmedge.inversion.inverter import Inverter
from lmedge.inversion.resolve import precision_in
from lmedge.inversion.search import usual
from lmedge.keras_model import Generator
from lmedge.landmarks import nme, normalised
from lmedge.parts import Part, PartStore
from lmedge.progress import console, progress
from lmedge.run import Run
from lmedge.scheme import Scheme
from lmedge.storage import read_json, write_json

# Chosen by looking at 158 photos of CelebA and HELEN beside their inversions by the model that comes with lmedge: below
# and above lie nearly all that are mush, another person, or turned elsewhere.
LEAST_OF_FACE = 0.4  # share of the variance inside of the landmarks that an inversion explains
MOST_ERROR = 0.08  # inter-ocular NME between what Face Mesh sees on both
SAID = 10  # photos that are named on the terminal; all stand in around.csv


@dataclass(frozen=True)
class Centres:
    """`z` `[M, Z]`: latents of the faces that a set is drawn around; `left_out`: (photo, reason) of the others;
    `licence` of the photos, as far as it was said."""

    z: NDArray[np.float32]
    left_out: list[tuple[str, str]]
    licence: str


def centres_around(run: Run, photos: Path, keep: Path, executor: Executor, every: bool = False) -> Centres:
    """Latents of the faces in `photos` (a dataset, a folder of photos or a photo), less those whose inversion is not
    that face, unless `every` is asked for. `keep` is a folder in which they stay for a second call, with the dataset
    that photos become.

    Raises UsageError for a dataset of another size, LmedgeError where no face is left.
    """
    store, part, note = PartStore(keep, {"z": (2, "f")}), Part("around", 0, 1), keep / "around.json"
    if not store.missing([part]):
        noted = read_json(note, "a half-made set")
        left_out = [(str(name), str(reason)) for name, reason in noted["left_out"]]
        return Centres(store.read(part)["z"], left_out, noted["licence"])
    generator = Generator(run.generator(), run.latent)
    dataset, left_out = _faces(run, photos, keep, executor, generator.width)
    check_size(run, generator.network, dataset)
    # No encoder is trained for this: a run that comes with lmedge is not written to.
    encoder = cached_encoder(run, generator.network)
    search = usual("fast", "centre" if encoder is None else "encoder")
    search = replace(search, precision=precision_in(run), batch=min(search.batch, len(dataset)))
    weights = face_weights(dataset.landmarks, dataset.size, search.background)
    inverter = Inverter(generator.network, generator.latent, search, weights, encoder)
    faces = dataset.images(np.arange(len(dataset)))
    with progress("invert photos", len(faces), "faces") as advance:
        known = normalised(dataset.landmarks, dataset.size, dataset.size) if dataset.scheme == run.scheme else None
        z = inverter(faces.astype(np.float32) / 127.5 - 1, 0, advance, landmarks=known)
    reasons = [""] * len(z)
    if not every:
        reasons = unlike(generator.images(z), faces, dataset.landmarks, *looking(dataset.provenance, dataset.scheme))
    other = [(str(name), why) for name, why in zip(dataset.sources, reasons, strict=True) if why]
    for name, why in other[:SAID]:
        console.print(f"{name} is left out: {why}")
    if other:
        console.print(f"{len(other)} of {len(z)} faces are left out, as their inversion is another one (--keep-all)")
    good = np.array([not why for why in reasons])
    if not good.any():
        raise LmedgeError(
            f"--around {photos}: the generator draws none of the {len(z)} faces ({other[0][0]}: {other[0][1]}); add "
            "--keep-all, or take a generator that was trained longer."
        )
    licence = dataset.provenance.licence
    write_json(note, {"left_out": left_out + other, "licence": licence})
    store.write(part, {"z": z[good]})
    return Centres(z[good], left_out + other, licence)


def unlike(
    drawn: NDArray[np.uint8], faces: NDArray[np.uint8], landmarks: NDArray[np.float32], annotator: Annotator,
    scheme: Scheme,
) -> list[str]:  # fmt: skip
    """For each pair of pictures `[N, S, S, 3]`, an inversion and its face with landmarks `[N, K, 2]`, why they are not
    the same face, or "". The variance of the face alone tells grey mush; where the annotator sees the points of
    `scheme` tells another person, or one turned elsewhere. A face that it cannot see is judged by the first."""
    reasons = []
    with annotator:
        for one, face, points in zip(drawn, faces, landmarks, strict=True):
            hull = np.zeros(face.shape[:2], np.uint8)
            cv2.fillConvexPoly(hull, cv2.convexHull(points.astype(np.float32)).round().astype(np.int32), 1)
            real, made = face[hull > 0].astype(np.float32), one[hull > 0].astype(np.float32)
            share = 1 - float(np.square(real - made).mean() / max(np.square(real - real.mean(axis=0)).mean(), 1e-6))
            seen, seen_made = annotator.of_face(face, scheme), annotator.of_face(one, scheme)
            if share < LEAST_OF_FACE:
                reasons.append(f"{max(share, 0):.0%} of the face is explained, {LEAST_OF_FACE:.0%} are wanted")
            elif seen is None:
                reasons.append("")
            elif seen_made is None:
                reasons.append("no face is found on the inversion")
            elif (error := float(nme(seen_made[None], seen[None], scheme)[0])) > MOST_ERROR:
                reasons.append(f"landmarks lie elsewhere: NME {error:.1%}, at most {MOST_ERROR:.0%} is wanted")
            else:
                reasons.append("")
    return reasons


def _faces(
    run: Run, photos: Path, keep: Path, executor: Executor, size: int
) -> tuple[FaceDataset, list[tuple[str, str]]]:
    """The photos as a dataset, cut as those that the generator learnt from, and those without a face."""
    if (photos / DATASET_FILE).is_file():
        return FaceDataset(photos), []
    out = keep / "around"
    if not (out / DATASET_FILE).exists():
        try:
            cutting = Cutting.as_of(run.provenance, run.scheme, size)
            cut_photos(find_photos((photos,), None), out, cutting, executor=executor)
        except NoFaces as none:
            some = ", ".join(f"{name}: {reason}" for name, reason in none.rejected[:SAID])
            raise LmedgeError(f"--around {photos}: no photo became a face ({some}); take others.") from None
    with (out / "rejected.csv").open(newline="", encoding="utf-8") as file:
        rejected = [(name, reason) for name, reason in list(csv.reader(file))[1:]]
    return FaceDataset(out), rejected
