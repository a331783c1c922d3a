"""The `export` stage: writing the folder that is copied to a device."""

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convert.gates import check
from convert.model import convert
from convert.parity import Parity, measure
from lmedge import __version__
from lmedge.config import ExportConfig, require, to_json
from lmedge.errors import LmedgeError
from lmedge.landmarks import Scheme, scheme_named
from lmedge.progress import progress
from lmedge.run import Run
from lmedge.runtime import FaceSampler, prior
from lmedge.runtime.bundle import BUNDLE_FILE, SCHEMA
from lmedge.storage import making_folder, read_json, write_bytes, write_json


@dataclass(frozen=True)
class Exported:
    """The bundle written, the bytes of each variant, and how far each is from Keras."""

    path: Path
    bytes: dict[str, int]
    parity: dict[str, Parity]


def export(config: ExportConfig) -> Exported:
    """Exports a run; see ExportConfig. Raises UsageError, LmedgeError; then `--out` is left as it was."""
    require("--calibration", config.calibration, 1, 100_000)
    run = Run.open(config.run)
    generator, lgen = run.generator(), run.lgen()
    metrics = read_json(run.lgen_metrics_file, "the record of `lmedge train-lgen`")
    dataset = run.config().get("dataset", {})
    training = {
        "faces": dataset.get("count"),
        "source": dataset.get("made_by"),
        "licence": dataset.get("licence", "not stated"),
        "kimg": (run.log() or [{}])[-1].get("kimg"),
        "held_out_nme": metrics["held_out"]["nme"],
    }
    variants = tuple(dict.fromkeys(config.variants))
    exported = export_networks(
        generator, lgen, scheme_named(metrics["scheme"]), config.out, variants, training,
        config.calibration, config.seed, config.overwrite,
    )  # fmt: skip
    run.record("export", to_json(config))
    return exported


def export_networks(
    generator: Any,
    lgen: Any,
    scheme: Scheme,
    out: Path,
    variants: tuple[str, ...] = ("fp32", "int8"),
    training: dict[str, Any] | None = None,
    calibration: int = 256,
    seed: int = 0,
    overwrite: bool = False,
) -> Exported:
    """Writes a bundle of Keras networks: `generator` z `[B, Z]` -> image `[B, H, W, 3]` in -1..1, `lgen`
    z -> normalised landmarks `[B, K, 2]`. `training` is what bundle.json says of the data.

    Raises LmedgeError when a variant does not pass its gates. The folder appears when it is whole.
    """
    _, height, width, _ = generator.output_shape
    latent = generator.input_shape[-1]
    if lgen.input_shape[-1] != latent:
        raise LmedgeError(f"L-Gen reads latents of {lgen.input_shape[-1]} components, the generator of {latent}.")
    if tuple(lgen.output_shape[1:]) != (scheme.count, 2):
        raise LmedgeError(f"L-Gen gives {lgen.output_shape[1:]}, which is not {scheme.name}.")
    matrices = [w for network in (generator, lgen) for w in network.get_weights()]
    if not all(np.isfinite(w).all() for w in matrices):
        raise LmedgeError("the networks have weights that are not finite; train them again.")
    # The converter merges equal vectors, such as biases of zero; matrices it must keep.
    weights = sum(w.size for w in matrices if w.ndim > 1)
    with making_folder(out, (BUNDLE_FILE,), overwrite) as beside:
        entries: dict[str, Any] = {}
        parities = {}
        z = prior(calibration, latent, seed)
        with progress("export", len(variants), "variants") as advance:
            for variant in variants:
                model = convert(generator, lgen, variant, z)
                contents = check(model, variant, weights)
                path = beside / f"faces-{variant}.tflite"
                write_bytes(path, model)
                parity = measure(FaceSampler(path), generator, lgen, scheme)
                parities[variant] = parity
                entries[variant] = {
                    "file": path.name,
                    "bytes": len(model),
                    "sha256": hashlib.sha256(model).hexdigest(),
                    "min_runtime": contents.min_runtime,
                    "parity": dataclasses.asdict(parity),
                }
                advance(1, variant)
        about = {
            "schema": SCHEMA,
            "lmedge": __version__,
            "latent": {"size": latent, "prior": "uniform", "low": -1.0, "high": 1.0},
            "image": {"width": width, "height": height, "channels": "RGB"},
            "landmarks": {
                "scheme": scheme.name,
                "count": scheme.count,
                "form": "((x + 0.5) / width, (y + 0.5) / height)",
                "names": list(scheme.names),
                "mirror": list(scheme.mirror),
                "curves": [list(curve) for curve in scheme.curves],
            },
            "variants": entries,
            "training": training or {},
        }
        write_json(beside / BUNDLE_FILE, about)
    return Exported(out, {name: entry["bytes"] for name, entry in entries.items()}, parities)
