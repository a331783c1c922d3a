"""The `web-export` stage: a bundle -> a folder of static files that makes faces in the browser."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmedge.errors import UsageError
from lmedge.folders import making_folder
from lmedge.provenance import NOT_STATED
from lmedge.runtime import Bundle, FaceSampler
from lmedge.runtime.directions import controls
from lmedge.runtime.gallery import chosen
from lmedge.storage import write_json
from lmedge.web.options import WebExportConfig
from lmedge.web.vendor import VERSION, litert_js

PAGE = Path(__file__).parent / "page"
FACTS_FILE = "web.json"
# Best first; LiteRT.js has tensors of float32, int32 and uint8 only, so not int8-io.
VARIANTS = ("int8-qat", "int8", "dynamic", "fp32", "fp16")


@dataclass(frozen=True)
class WebFolder:
    """What was written: the folder, the variant in it, bytes of all files."""

    out: Path
    variant: str
    bytes: int


def web_export(config: WebExportConfig) -> WebFolder:
    """Writes the folder; see WebExportConfig. Raises UsageError for a variant that a browser cannot run, LmedgeError
    for a bundle or a LiteRT.js that cannot be had; then `--out` is left as it was."""
    bundle = chosen(config.bundle, config.model)
    variant = _variant(bundle, config.variant)
    vendored = litert_js(config.litert_js)
    sampler = FaceSampler(bundle, variant)
    licence = bundle.provenance.licence
    trained_on = "photos whose licence is not stated" if licence == NOT_STATED else licence
    model = bundle.model(variant)
    facts = {
        "model": model.name,
        "variant": variant,
        "about": f"{bundle.about.get('name', model.stem)} ({variant}), LiteRT.js {VERSION}. Trained on: {trained_on}.",
        "latent": sampler.latent.to_json(),
        "clean": sampler.clean.to_json(),
        "scheme": sampler.scheme.name,
        "curves": [list(curve) for curve in sampler.scheme.curves],
        "controls": [control.to_json() for control in controls(sampler)],
    }
    names = (*(entry.name for entry in PAGE.iterdir()), "litert", model.name, FACTS_FILE)
    with making_folder(config.out, "a page of `lmedge web-export`", config.overwrite, names=names) as beside:
        shutil.copytree(PAGE, beside, dirs_exist_ok=True)
        (beside / "litert").mkdir()
        for name, data in vendored.items():
            (beside / "litert" / name).write_bytes(data)
        shutil.copyfile(model, beside / model.name)
        write_json(beside / FACTS_FILE, {**facts, "version": _version(beside, facts)})
        size = sum(file.stat().st_size for file in beside.rglob("*") if file.is_file())
    return WebFolder(config.out, variant, size)


def _version(folder: Path, facts: dict[str, Any]) -> str:
    """Differs where any file does: a browser keeps the files of one version together."""
    digest = hashlib.sha256(json.dumps(facts).encode())
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _variant(bundle: Bundle, wanted: str | None) -> str:
    fits = [name for name in VARIANTS if name in bundle.variants]
    wanted = wanted or next(iter(fits or bundle.variants))  # a lone model may have any name
    if wanted == "int8-io":
        take = f"take {' or '.join(fits[:2])}" if fits else "export the run with --variants int8-qat"
        raise UsageError(f"a browser cannot run int8-io of {bundle.path} (LiteRT.js has no int8 tensors); {take}.")
    return wanted
