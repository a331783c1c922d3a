"""Latents of given photos, around which a set is drawn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmedge.config import InvertConfig, PrepareConfig
from lmedge.errors import LmedgeError
from lmedge.faces.prepare import prepare
from lmedge.faces.records import DATASET_FILE, FaceDataset
from lmedge.inversion.encoder import cached_encoder
from lmedge.inversion.invert import check_fits, resolve, weights_for
from lmedge.inversion.inverter import Inverter
from lmedge.inversion.latents import LEAST_EXPLAINED, explained
from lmedge.progress import console, progress
from lmedge.run import Run
from lmedge.samples import draw
from lmedge.storage import read_arrays, write_arrays


def centres_around(run: Run, photos: Path, keep: Path) -> NDArray[np.float32]:
    """Latents `[M, Z]` of the faces in `photos` (a dataset, a folder of photos or a photo), less those that the
    generator cannot draw. `keep` is a folder in which they stay for a second call, with the dataset that photos become.

    Raises UsageError for a dataset of another size, LmedgeError where no face is left.
    """
    file = keep / "around.npz"
    if file.exists():
        return read_arrays(file, ("z",))["z"]
    generator = run.generator()
    dataset = _faces(run, photos, keep, generator.output_shape[1])
    check_fits(run, generator, dataset)
    # No encoder is trained for this: a run that comes with lmedge is not written to.
    encoder = cached_encoder(run, generator)
    options = resolve(InvertConfig(run=run.path, faces=dataset.path, start="centre" if encoder is None else "encoder"))
    options = replace(options, batch=min(options.batch, len(dataset)))
    inverter = Inverter(generator, options, weights_for(dataset, options), encoder)
    faces = dataset.images(np.arange(len(dataset))).astype(np.float32) / 127.5 - 1
    with progress("invert photos", len(faces), "faces") as advance:
        z = inverter(faces, 0, advance)
    good = explained(draw(generator, z).astype(np.float32) / 127.5 - 1, faces) >= LEAST_EXPLAINED
    if not good.any():
        raise LmedgeError(f"--around {photos}: the generator can draw none of the {len(faces)} faces; train it longer.")
    if not good.all():
        console.print(f"{(~good).sum()} of {len(good)} faces that the generator cannot draw are left out")
    write_arrays(file, {"z": z[good]})
    return z[good]


def _faces(run: Run, photos: Path, keep: Path, size: int) -> FaceDataset:
    """The photos as a dataset, cut as those that the generator learnt from."""
    if (photos / DATASET_FILE).is_file():
        return FaceDataset(photos)
    out = keep / "around"
    if not (out / DATASET_FILE).exists():
        prepare(PrepareConfig(photos=(photos,), out=out, size=size, **run.cutting()))
    return FaceDataset(out)
