"""The `bench` stage: every variant of a bundle on every interpreter installed."""

import dataclasses
import datetime
import platform
import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmedge import __version__
from lmedge.annotators.registry import annotator_named
from lmedge.bench.options import BenchConfig
from lmedge.bench.ship import STOCK, Row, Shipped, shipped_of
from lmedge.bounds import cores
from lmedge.errors import LmedgeError, UsageError
from lmedge.installation import install, remedy
from lmedge.progress import progress
from lmedge.quiet import native_stderr_off
from lmedge.runtime import Bundle, FaceSampler
from lmedge.runtime.bundle import REFERENCE_FILE
from lmedge.runtime.gallery import chosen
from lmedge.runtime.interpreter import INTERPRETERS, installed, suits_here
from lmedge.runtime.timing import time_model
from lmedge.seeds import Purpose
from lmedge.shipped import REFERENCE_RUN, is_shipped
from lmedge.storage import claim_file, write_json
from lmedge.variants import InterpreterName

NOT_BENCHED = "tensorflow"  # its interpreter is for workstations; it is timed when it is the only one
FEWEST_DETECTED = 40  # faces that Face Mesh looks for


@dataclass(frozen=True)
class Bench:
    """What was measured: `rows`; `ship` by interpreter; `parts` milliseconds of the image alone and of
    the landmarks alone; `face_mesh` milliseconds of detecting them instead; the machine."""

    rows: tuple[Row, ...]
    ship: dict[str, Shipped]
    parts: dict[str, dict[str, float]]
    face_mesh: dict[str, Any]
    machine: dict[str, Any]


def bench(config: BenchConfig) -> Bench:
    """Times a bundle; see BenchConfig. Raises UsageError, LmedgeError."""
    bundle = chosen(config.bundle, config.model)
    variants: tuple[str, ...] = config.variants or tuple(bundle.variants)
    for variant in variants:
        bundle.model(variant)
    interpreters = _interpreters(config.interpreters)
    run = config.run or (bundle.path / REFERENCE_RUN.name if is_shipped(bundle.path) else None)
    if config.compare and run is None:
        raise UsageError("--compare stock converts the Keras networks again; name their run with --run.")
    if config.out:
        claim_file(config.out, config.overwrite)
    threads = config.threads or tuple(dict.fromkeys((1, cores())))
    with tempfile.TemporaryDirectory() as folder:
        models = {variant: bundle.variants[variant] for variant in variants}
        if config.compare and run is not None:
            models |= _stock(run, bundle, Path(folder))
        result = _measured(bundle, models, interpreters, threads, config.seconds, config.face_mesh)
    if config.out:
        write_json(config.out, dataclasses.asdict(result))
    return result


def measured(bundle: Bundle, threads: tuple[int, ...], seconds: float) -> Bench:
    """Every variant of a bundle on every interpreter that is installed, on so many threads, each for so long; without
    Face Mesh. Raises LmedgeError where there is no interpreter."""
    return _measured(bundle, bundle.variants, _interpreters(()), threads, seconds, face_mesh=False)


def _measured(
    bundle: Bundle, models: Mapping[str, Path], interpreters: tuple[InterpreterName, ...], threads: tuple[int, ...],
    seconds: float, face_mesh: bool,
) -> Bench:  # fmt: skip
    total = len(models) * len(interpreters) * len(threads) + len(interpreters) + face_mesh
    with progress("bench", total, "measurements") as done:
        rows: list[Row] = []
        for interpreter in interpreters:
            for variant, model in models.items():
                for count in threads:
                    rows.append(_row(interpreter, variant, model, count, seconds, bundle))
                    done(1, f"{variant} on {interpreter}")
        ship = shipped_of(rows, bundle.image_psnr)
        parts: dict[str, dict[str, float]] = {}
        for name, shipped in ship.items():
            parts[name] = _parts(models[shipped.variant], name, seconds)
            done(1, "image and landmarks apart")
        detecting: dict[str, float] = {}
        if face_mesh:
            detecting = _face_mesh(bundle, models)
            done(1, "Face Mesh")
    return Bench(tuple(rows), ship, parts, detecting, machine(interpreters))


def _interpreters(wanted: tuple[InterpreterName, ...]) -> tuple[InterpreterName, ...]:
    here = installed()
    for name in wanted:
        if name not in here:
            module, distribution = INTERPRETERS[name]
            raise UsageError(f"--interpreters {name}: {distribution} is not installed; {remedy(module)}.")
    found = wanted or tuple(name for name in here if name != NOT_BENCHED) or tuple(here)
    if not found:
        raise LmedgeError(f"no TFLite interpreter is installed; {install(suits_here())}.")
    return found


def _row(interpreter: str, variant: str, model: Path, threads: int, seconds: float, bundle: Bundle) -> Row:
    reference = bundle.path / REFERENCE_FILE
    size = model.stat().st_size
    try:
        timing = time_model(model, interpreter, threads, seconds, reference if reference.is_file() else None)
    except LmedgeError as refusal:
        return Row(interpreter, variant, size, None, str(refusal))
    return Row(interpreter, variant, size, timing)


def _parts(model: Path, interpreter: str, seconds: float) -> dict[str, float]:
    try:
        return {part: time_model(model, interpreter, 1, seconds, part=part).median_ms
                for part in ("generate", "landmarks")}  # fmt: skip
    except LmedgeError:  # a model without these signatures
        return {}


def _stock(path: Path, bundle: Bundle, folder: Path) -> dict[str, Path]:
    """The same networks through the plain converter."""
    with native_stderr_off():  # TensorFlow logs while it is loaded
        from convert import flatbuffer as fb
        from convert.metadata import add_facts
        from convert.model import stock
    from lmedge.keras_model import weights_hash
    from lmedge.run import Run

    run = Run.open(path)
    generator, lgen = run.generator(), run.lgen()
    if bundle.about.get("version") != weights_hash(generator)[:12]:
        raise UsageError(f"--run {run} is not the run that {bundle.path} was exported from.")
    models = {}
    for variant in ("fp32", "fp16", "dynamic", "int8"):
        if variant in bundle.variants:
            model = folder / f"faces-{STOCK}{variant}.tflite"
            made = fb.read(stock(generator, lgen, variant, run.latent.draw(256, purpose=Purpose.CALIBRATION)))
            add_facts(made, run.latent, run.scheme)
            model.write_bytes(fb.write(made))
            models[STOCK + variant] = model
    return models


def _face_mesh(bundle: Bundle, models: Mapping[str, Path]) -> dict[str, Any]:
    """What it costs to find the landmarks on the drawn face instead of computing them with it."""
    try:
        mesh = annotator_named("mediapipe")
    except ModuleNotFoundError as error:
        return {"skipped": f"{error.name} is not installed"}
    sampler = FaceSampler(bundle, next(iter(models)), threads=1)
    if not mesh.gives(sampler.scheme):
        return {"skipped": f"it does not place the points of {sampler.scheme.name}"}
    times: list[float] = []
    found = 0
    with mesh:
        for image in sampler.sample(FEWEST_DETECTED).images:
            start = time.perf_counter()
            found += mesh.of_face(image, sampler.scheme) is not None
            times.append((time.perf_counter() - start) * 1e3)
    return {"median_ms": round(statistics.median(times[5:]), 3), "found": found, "faces": len(times)}


def machine(interpreters: Iterable[InterpreterName]) -> dict[str, Any]:
    """What the figures were measured on, and when."""
    here = installed()
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": platform.machine(),
        "system": platform.system(),
        "processor": _processor(),
        "cores": cores(),
        "python": platform.python_version(),
        "lmedge": __version__,
        "interpreters": {name: f"{INTERPRETERS[name][1]} {here[name]}" for name in interpreters},
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("model name", "Model")):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
