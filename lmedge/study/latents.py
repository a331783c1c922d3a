"""The latents of the real faces of a study, for arms that mix them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.errors import UsageError
from lmedge.faces.records import FaceDataset
from lmedge.inversion.focus import face_weights
from lmedge.inversion.inverter import Inverter
from lmedge.inversion.search import usual
from lmedge.keras_model import weights_hash
from lmedge.landmarks import normalised
from lmedge.latent import Latents
from lmedge.progress import progress
from lmedge.run import Run
from lmedge.scheme import converted
from lmedge.storage import read_arrays, write_arrays

LATENTS_FILE = "latents.npz"
AT_ONCE = 64  # faces that a kill can lose


def latents_of(out: Path, run: Run, real: FaceDataset, wanted: NDArray[np.int64]) -> Latents:
    """Latents `[N, Z]` of the faces of a dataset that are `wanted` (indices), nan where they are not: kept in the
    folder of the study, to which later calls add. The search begins at the landmarks that a face has, where latents ask
    for landmarks, and else in the middle. Raises UsageError where those there are of another generator."""
    generator, file = run.generator(), out / LATENTS_FILE
    whose = weights_hash(generator)
    z = np.full((len(real), run.latent.size), np.nan, np.float32)
    if file.exists():
        there = read_arrays(file, ("z", "generator"))
        if str(there["generator"]) != whose:
            raise UsageError(f"{file} has latents of another generator than {run}; add --overwrite to begin again.")
        z = there["z"]
    missing = wanted[np.isnan(z[wanted]).any(axis=1)]
    if not len(missing):
        return z
    search = replace(usual("fast", "centre"), batch=min(AT_ONCE, len(missing)))
    how = Inverter(generator, run.latent, search, face_weights(real.landmarks, real.size, search.background))
    asked = normalised(converted(real.landmarks, real.scheme, run.scheme), real.size, real.size)
    with progress("invert", len(missing), "faces") as advance:
        for first in range(0, len(missing), AT_ONCE):
            some = missing[first : first + AT_ONCE]
            faces = real.images(some).astype(np.float32) / 127.5 - 1
            z[some] = how(faces, landmarks=asked[some])
            write_arrays(file, {"z": z, "generator": np.array(whose)})
            advance(len(some))
    return z
