"""The `export` stage: run -> bundle."""

import os
from typing import Any

from convert.bundle import export
from convert.gates import Limits, parse_version
from convert.options import ExportConfig
from convert.recipe import Rewrites, Tuning
from lmedge.clean import Clean
from lmedge.fetched import origin
from lmedge.options import to_json
from lmedge.run import Run
from lmedge.runtime import Bundle


def export_run(config: ExportConfig) -> Bundle:
    """Exports a run; see ExportConfig. Raises UsageError, LmedgeError; then `--out` is left as it was."""
    parse_version(config.min_runtime)
    run = Run.open(config.run)
    generator, lgen = run.generator(), run.lgen()
    name, clean = _shown(config, run)
    bundle = export(
        generator, lgen, config.variants, out=config.out, confidence=run.confidence(),
        point_confidence=run.point_confidence(), latent=run.latent, scheme=run.scheme, provenance=run.lgen_provenance,
        clean=None if clean.is_all else clean,
        name=name, training=run.training(), calibration=config.calibration, seed=config.seed,
        rewrites=Rewrites(
            fold=config.fold, int8_elu=config.int8_elu, fit_ranges=config.fit_ranges,
            repeat_latents=config.repeat_latents, round_weights=config.round_weights, signatures=config.signatures,
        ),
        limits=Limits(config.min_runtime, config.max_image_error, config.max_landmark_error, config.max_outside),
        tuning=Tuning(config.qat_steps, seed=config.seed), c_array=config.c_array, overwrite=config.overwrite,
    )  # fmt: skip
    in_store = origin(run.path) != run.path
    if not (run.shipped or in_store) and os.access(run.path, os.W_OK):  # a run that is read-only can be exported
        run.record("export", to_json(config))
    return bundle


def _shown(config: ExportConfig, run: Run) -> tuple[str, Clean]:
    """Name, and what is shown first: as is said, or as a model that comes with lmedge was exported, or as is usual."""
    before = run.stage("export", ExportConfig) if run.shipped else {}

    def as_said(now: Any, option: str, usual: Any) -> Any:
        return next(value for value in (now, before.get(option), usual) if value is not None)

    shown = run.latent.by_block(as_said(config.truncation, "truncation", 1.0))
    if (shape := run.latent.shape) is not None:
        shown[shape.name] = as_said(config.shape_truncation, "shape_truncation", 1.0)
    clean = Clean(shown, as_said(config.min_confidence, "min_confidence", 0.0))
    return as_said(config.name, "name", "faces"), clean
