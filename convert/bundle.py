"""Writing the folder that is copied to a device."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from convert import flatbuffer as fb
from convert.c_arrays import VARIANT, write_c_arrays
from convert.gates import Limits, check_contents, check_delegation, check_parity, read_contents
from convert.metadata import add_metadata
from convert.model import Conversion
from convert.parity import parity_latents
from convert.recipe import Recipe, Rewrites, Tuning, recipes
from lmedge import __version__
from lmedge.bounds import require
from lmedge.clean import Clean
from lmedge.errors import LmedgeError, UsageError
from lmedge.folders import making_folder
from lmedge.keras_model import Generator, KerasFaceModel
from lmedge.latent import Latents, LatentSpec
from lmedge.progress import progress
from lmedge.provenance import Provenance
from lmedge.runtime import Bundle, Faces, FaceSampler
from lmedge.runtime.bundle import BUNDLE_FILE, REFERENCE_FILE, SCHEMA, landmarks_form
from lmedge.runtime.directions import measured
from lmedge.runtime.parity import compare
from lmedge.scheme import Scheme
from lmedge.seeds import Purpose
from lmedge.storage import Damaged, write_arrays, write_bytes, write_json

REFERENCE_FACES = 16  # of Keras itself, for comparisons on the device
PARITY_FACES = 512  # a few of them have most of the error: of 64 the figure is off by up to 1 dB
LEAST_MOVED = 1e-3  # pixels between the faces of an L-Gen that has learnt something
FILES = (BUNDLE_FILE, REFERENCE_FILE, "faces-*.tflite", "c")
STEPS_OF = {"int8-qat": 8}  # of the progress bar: a tuned variant takes longer than the others


def export(
    generator: Any,
    lgen: Any,
    variants: tuple[str, ...] = ("fp32", "int8"),
    *,
    out: Path | str,
    confidence: Any = None,
    point_confidence: Any = None,
    scheme: Scheme,
    latent: LatentSpec | None = None,
    name: str = "faces",
    training: dict[str, Any] | None = None,
    provenance: Provenance | None = None,
    clean: Clean | None = None,
    calibration: int | NDArray[np.float32] = 256,
    seed: int = 0,
    rewrites: Rewrites | None = None,
    limits: Limits | None = None,
    tuning: Tuning | None = None,
    c_array: bool = False,
    overwrite: bool = False,
) -> Bundle:
    """Writes a bundle of two to four Keras models and opens it.

    `generator` maps z `[B, Z]` to images `[B, H, W, 3]` in -1..1 and need not be ours; `lgen` maps z to normalised
    landmarks `[B, K, 2]`; `confidence` and `point_confidence`, where there are such, map z to 0..1, `[B, 1]` for the
    face and `[B, K]` for its points. `latent` is what z is drawn from; None: uniform in -1..1. `scheme` says what its
    K points are. `calibration`: how many drawn latents set the ranges of int8, or latents `[N, Z]`. `training` is what
    bundle.json says of the data, and `provenance` whose landmarks L-Gen gives; `clean`, what is shown first. `c_array`:
    also write the networks of int8-io as C arrays.

    Raises UsageError for a wrong call, LmedgeError where a variant does not pass its gates. The folder appears
    when it is whole.
    """
    rewrites, limits, tuning = rewrites or Rewrites(), limits or Limits(), tuning or Tuning()
    chosen = recipes(variants)
    if c_array and not (VARIANT in variants and rewrites.signatures):
        raise UsageError(f"--c-array writes the networks of {VARIANT}; add it to --variants and leave its signatures.")
    latent = latent or LatentSpec.uniform(generator.input_shape[-1])
    z = _calibration(calibration, latent, seed)
    generator, lgen, confidence, point_confidence = map(_functional, (generator, lgen, confidence, point_confidence))
    _check_generator(generator)
    model = KerasFaceModel(Generator(generator, latent), lgen, confidence, point_confidence, scheme=scheme, name=name)
    networks = [generator, lgen, *model.confidences.values()]
    about = _about(model, training or {})
    about |= {} if provenance is None else {"provenance": provenance.to_json()}
    about |= {} if clean is None else {"clean": _checked_clean(clean, latent, confidence).to_json()}
    matrices = [w for network in networks for w in network.get_weights() if w.ndim > 1]
    weights = sum(w.size for w in matrices)  # the converter merges equal vectors, such as biases of zero
    with making_folder(Path(out), "a bundle", overwrite, names=FILES) as beside:
        wanted = model.render(parity_latents(latent, PARITY_FACES))
        if np.ptp(wanted.landmarks, axis=0).max() < LEAST_MOVED:
            raise LmedgeError("L-Gen gives the same landmarks for every latent; train it again.")
        entries: dict[str, Any] = {}
        steps = sum(STEPS_OF.get(recipe.name, 1) for recipe in chosen)
        with progress("export", steps, "steps") as advance:
            made = Conversion(model, model.render(z), rewrites, tuning, lambda text: advance(0, text))
            for recipe in chosen:
                converted, note = made.variant(recipe)
                path = beside / f"faces-{recipe.name}.tflite"
                add_metadata(converted, about, recipe.name)
                entries[recipe.name] = _checked(fb.write(converted), path, recipe, weights, limits, wanted) | note
                advance(STEPS_OF.get(recipe.name, 1), recipe.name)
        if c_array:
            write_c_arrays((beside / entries[VARIANT]["file"]).read_bytes(), about, beside / "c")
        write_arrays(beside / REFERENCE_FILE, wanted[:REFERENCE_FACES].arrays())
        first = FaceSampler(beside / next(iter(entries.values()))["file"])
        about["controls"] = [control.to_json() for control in measured(first)]
        write_json(beside / BUNDLE_FILE, {**about, "rewrites": dataclasses.asdict(rewrites), "variants": entries})
    return Bundle.open(out)


def _checked(model: bytes, path: Path, recipe: Recipe, weights: int, limits: Limits, wanted: Faces) -> dict[str, Any]:
    """Writes the model and passes it through the gates; its entry in bundle.json."""
    contents = read_contents(model)
    check_contents(contents, recipe, weights, limits)
    write_bytes(path, model)
    try:
        sampler = FaceSampler(path)
    except Damaged as error:
        raise LmedgeError(
            f"{recipe.name}: no face can be drawn with what the converter made ({error.reason}); calibrate on more "
            "latents, or on wider ones."
        ) from None
    parity = compare(sampler.render(wanted.latents), wanted, sampler.scheme)
    check_parity(parity, recipe, limits)
    delegation = sampler.delegation()
    check_delegation(delegation, recipe, limits)
    entry: dict[str, Any] = {
        "file": path.name,
        "bytes": len(model),
        "sha256": hashlib.sha256(model).hexdigest(),
        "min_runtime": contents.min_runtime,
        "parity": dataclasses.asdict(parity),
    }
    if delegation is not None:
        entry["xnnpack"] = {"interpreter": sampler.interpreter, **dataclasses.asdict(delegation)}
    return entry


def _functional(network: Any) -> Any:
    """A Sequential as the functional model that it is; others as they are, and None. Raises LmedgeError for a network
    that does not compute in float32."""
    if network is None:
        return None
    for layer in network.layers:
        if (kind := layer.compute_dtype) != "float32":
            raise LmedgeError(
                f"layer {layer.name!r} of {network.name} computes in {kind}; build the network in float32 and set its "
                "weights."
            )
    if isinstance(network, keras.Sequential):
        return keras.Model(network.inputs[0], network.outputs[0], name=network.name)
    return network


def _check_generator(generator: Any) -> None:
    if len(generator.output_shape) != 4 or generator.output_shape[-1] != 3 or None in generator.output_shape[1:]:
        raise LmedgeError(f"the generator gives {generator.output_shape}, which is not [B, H, W, 3].")


def _about(model: KerasFaceModel, training: dict[str, Any]) -> dict[str, Any]:
    """bundle.json without the variants. Raises LmedgeError for networks that do not belong together."""
    generator, lgen, latent, scheme = model.generator.network, model.lgen, model.latent, model.scheme
    size = generator.input_shape[-1]
    if lgen.input_shape[-1] != size:
        raise LmedgeError(f"L-Gen reads latents of {lgen.input_shape[-1]} components, the generator of {size}.")
    if latent.size != size:
        raise LmedgeError(f"the generator reads latents of {size} components, and {latent.size} are described.")
    if tuple(lgen.output_shape[1:]) != (scheme.count, 2):
        raise LmedgeError(f"L-Gen gives {lgen.output_shape[1:]}, which is not {scheme.name}.")
    for name, network in model.confidences.items():
        wide = 1 if name == "confidence" else scheme.count
        if network.input_shape[-1] != size or tuple(network.output_shape[1:]) != (wide,):
            raise LmedgeError(
                f"the {name.replace('_', ' ')} maps {network.input_shape} to {network.output_shape}, which is not "
                f"[B, {size}] to [B, {wide}]."
            )
    networks = (generator, lgen, *model.confidences.values())
    if not all(np.isfinite(w).all() for network in networks for w in network.get_weights()):
        raise LmedgeError("the networks have weights that are not finite; train them again.")
    return {
        "schema": SCHEMA,
        "lmedge": __version__,
        "name": model.name,
        "version": model.version,
        "latent": latent.to_json(),
        "image": {"width": model.width, "height": model.height, "channels": "RGB", "low": 0, "high": 255},
        "landmarks": landmarks_form(scheme),
        **{name: {"low": 0.0, "high": 1.0} for name in model.confidences},
        "training": training,
    }


def _checked_clean(clean: Clean, latent: LatentSpec, confidence: Any) -> Clean:
    """Raises UsageError for numbers out of range, and for a confidence where no network says it."""
    clean.check(latent)
    if clean.min_confidence and confidence is None:
        raise UsageError(f"--min-confidence {clean.min_confidence:g}: there is no confidence; train L-Gen again.")
    return clean


def _calibration(calibration: int | NDArray[np.float32], latent: LatentSpec, seed: int) -> Latents:
    if isinstance(calibration, int | np.integer):
        require("--calibration", int(calibration), 2, 100_000)
        return latent.draw(int(calibration), seed, purpose=Purpose.CALIBRATION)
    z = np.asarray(calibration, np.float32)
    if z.ndim != 2 or z.shape[1] != latent.size or not len(z):
        raise UsageError(f"representative latents of shape {z.shape} are not [N, {latent.size}].")
    if not np.isfinite(z).all():
        raise UsageError("representative latents hold values that are not finite.")
    return z
