"""What `info` found, in lines that people read. Facts come from files of strangers: what is missing or of another type
is left out."""

from collections.abc import Iterator, Sequence
from typing import Any

from lmedge.clean import Clean
from lmedge.errors import LmedgeError
from lmedge.latent import LatentSpec
from lmedge.printable import printable

Facts = dict[str, Any]
Row = tuple[str, str]
NAMES_A_ROW = 7
FILES_OF_A_RUN = {
    "generator.keras": "generator",
    "encoder.keras": "encoder",
    "lgen.keras": "L-Gen",
    "confidence.keras": "confidence",
    "point_confidence.keras": "confidence of points",
    "latents/latents.json": "latents",
    "metrics.json": "metrics",
    "report/index.html": "report",
}


def summary(facts: Facts) -> list[str]:
    """Lines without control characters, `name  what is known of it`."""
    kinds = {"dataset": _dataset, "run": _run, "bundle": _bundle, "detector": _detector, "model": _model,
             "attributes": _network, "labels": _labels}  # fmt: skip
    rows = kinds[facts["kind"]](facts)
    told = [(_one_line(name), _one_line(text)) for name, text in rows if text]
    width = max(len(name) for name, _ in told)
    return [f"{name:<{width}}  {text}" for name, text in told]


def _dataset(facts: Facts) -> Iterator[Row]:
    yield "dataset", _say("{:,} faces of {} x {} pixels", facts, "count", "size", "size")
    yield "landmarks", _scheme(facts) + _whose(", {} {}", facts)
    yield "attributes", _attributes(facts.get("attributes"))
    yield "crop", _say("{}", facts, "provenance.crop.crop")
    yield "made by", _say("lmedge {}", facts, "made_by")
    yield "photos", _say("{:,}", facts, "photos")
    rejected = facts.get("rejected")
    if isinstance(rejected, dict):
        yield "left out", ", ".join(f"{number} {reason}" for reason, number in rejected.items()) or "none"
    yield "licence", _say("{}", facts, "provenance.licence")
    yield "size", f"{facts['bytes'] / 1e6:,.1f} MB in {facts['shards']} shard{'' if facts['shards'] == 1 else 's'}"
    yield "versions", _versions(facts)


def _run(facts: Facts) -> Iterator[Row]:
    yield "run", _listed(facts.get("stages")) or "nothing was done yet"
    yield "generator", _say("{}, ", facts, "family") + _say("preset {}, width {}", facts, "preset", "width")
    yield from _latent(facts.get("latent"))
    yield "training", _say("batch {}, {}, seed {}", facts, "batch", "precision", "seed")
    step = facts.get("checkpoint_step")
    yield "checkpoint", "none" if step is None else f"step {step}"
    yield "dataset", _say("{:,} faces of {} pixels", facts, "dataset.count", "dataset.size")
    yield "landmarks", _scheme(facts.get("dataset")) + _whose(", {} {}", facts.get("dataset"))
    yield "licence", _say("{}", facts, "dataset.provenance.licence")
    yield "L-Gen", _say("NME {:.2%} on held-out faces", facts, "held_out_nme")
    yield "has", ", ".join(name for file, name in FILES_OF_A_RUN.items() if facts.get(file))
    yield "lacks", ", ".join(name for file, name in FILES_OF_A_RUN.items() if not facts.get(file))
    yield "versions", _versions(facts)


def _bundle(facts: Facts) -> Iterator[Row]:
    yield "bundle", _say("{}", facts, "name") + _say(", version {}", facts, "version") + _made_with(facts)
    yield from _about(facts)
    for name, entry in facts["variants"].items():
        size = entry.get("bytes")
        row = f"{(size + 512) // 1024:>7,} KiB" if isinstance(size, int) else ""
        row += _say(", {:.1f} dB and NME {:.2%} from Keras", entry, "parity.image_psnr", "parity.landmark_nme")
        yield name, row + _say(", TFLite {} or later", entry, "min_runtime")


def _detector(facts: Facts) -> Iterator[Row]:
    yield "detector", _say("of faces of {} x {} pixels", facts, "size", "size") + _made_with(facts)
    yield "learnt from", _say("{:,} real and {:,} generated faces", facts, "learnt_from.real", "learnt_from.generated")
    yield from _about(facts)
    yield "tested on", _say("{}", facts, "tested_on") or _say("{:,} faces", facts, "test_faces")
    for name, entry in facts["variants"].items():
        if isinstance(entry, dict):
            yield name, _say("NME {:.2%}", entry, "nme") + _say(", {:.2f} ms a face on one thread", entry, "ms")


def _model(facts: Facts) -> Iterator[Row]:
    name = _say("{}", facts, "name") or "of somebody else"
    yield "model", name + _say(" {}", facts, "variant") + _say(", version {}", facts, "version") + _made_with(facts)
    yield "size", f"{facts['bytes'] / 1024:,.0f} KiB, {facts['operators']} operators"
    for signature, shapes in facts["signatures"].items():
        yield f"{signature}()", str(shapes)
    yield from _about(facts)


def _network(facts: Facts) -> Iterator[Row]:
    yield (
        "network",
        _say("{} attributes of faces of {} pixels", {**facts, "count": len(facts["names"])}, "count", "size"),
    )
    yield "weights", _say("{:,}", facts, "weights")
    yield "learnt from", _say("{:,} faces", facts, "faces.training")
    yield "measured on", _say("{:,} faces of people that it never saw", facts, "faces.held_out")
    yield "labelled", _say("{:,} faces that nobody had labelled", facts, "faces.labelled_by_network")
    yield "licence", _say("{}", facts, "dataset.licence")
    for name in facts["names"]:
        told = "balanced accuracy {:.1%}, calibration error {:.1%}"
        yield name, _say(told, facts["measured"][name], "balanced_accuracy", "ece")
    yield "left out", _listed(facts.get("left_out"))
    yield "versions", _versions(facts)


def _labels(facts: Facts) -> Iterator[Row]:
    yield "labels", _say("on {:,} faces of {} x {} pixels", facts, "faces", "width", "height")
    yield "landmarks", _scheme(facts)
    yield "labelled", _say("{} whole, {} in part", facts, "whole", "in_part")
    placed: dict[str, int] = facts["placed"]
    yield "points", f"{sum(placed.values()):,} placed, {facts['hidden']:,} of them hidden"
    fewest = min(placed.values())
    names = ", ".join(name for name, count in placed.items() if count == fewest)
    yield "fewest", f"{names}, on {fewest} of {facts['faces']} faces"
    yield "generator", _say("{}", facts, "generator")


def _about(facts: Facts) -> Iterator[Row]:
    """What bundles and their models know of themselves."""
    yield "faces", _say("{} x {} pixels, {}", facts, "image.width", "image.height", "image.channels")
    yield from _latent(facts.get("latent"))
    both = {"confidence": "a confidence", "point_confidence": "one of each point"}
    confidence = "".join(f", and {text}" for name, text in both.items() if facts.get(name))
    yield "landmarks", _say("{}, {} points", facts, "landmarks.scheme", "landmarks.count") + confidence
    yield "trained on", _say("{:,} faces", facts, "training.faces") + _say(", {:g} kimg", facts, "training.kimg")
    yield "landmarks of", _whose("{} {}", facts)
    yield "licence", _say("{}", facts, "training.licence") or _say("{}", facts, "provenance.licence")
    yield "L-Gen", _say("NME {:.2%} on held-out faces", facts, "training.held_out_nme")
    yield "shown first", _clean(facts)
    controls = facts.get("controls")
    if isinstance(controls, list):
        yield from _names("controls", [str(one["name"]) for one in controls if isinstance(one, dict) and "name" in one])


def _scheme(facts: Any) -> str:
    """`ibug49, 49 points`"""
    scheme = facts.get("scheme") if isinstance(facts, dict) else None
    names = scheme.get("names") if isinstance(scheme, dict) else None
    return _say("{}", facts, "scheme.name") + f", {len(names)} points" if isinstance(names, list) else ""


def _attributes(facts: Any) -> str:
    """`40, known of 9,746 faces`"""
    names = facts.get("names") if isinstance(facts, dict) else None
    return f"{len(names)}" + _say(", known of {:,} faces", facts, "labelled") if isinstance(names, list) else ""


def _whose(template: str, facts: Any) -> str:
    """`mediapipe 0.10.21`, and of a generated face whose landmarks its L-Gen learnt."""
    place = "provenance.learnt."
    learnt = _say("{} {}", facts, f"{place}annotator", f"{place}annotator_version").rstrip()  # a hand has no version
    whose = _say(template, facts, "provenance.annotator", "provenance.annotator_version").rstrip()
    return whose + (f" (learnt from {learnt})" if learnt else "")


def _latent(form: Any) -> Iterator[Row]:
    """A row for each block, and the attributes that they ask for."""
    try:
        latent = LatentSpec.from_json(form, "")
    except LmedgeError:
        return
    told = [f"{block.name} {block.size} {block}" for block in latent.blocks]
    yield "latent", str(latent) if len(told) == 1 else f"{latent.size} numbers: {told[0]},"
    yield from (("", text + "," * (text != told[-1])) for text in told[1:])
    yield from _names("attributes", latent.attributes)


def _names(name: str, of: Sequence[str]) -> Iterator[Row]:
    """Rows with a few names each."""
    for first in range(0, len(of), NAMES_A_ROW):
        comma = "," if first + NAMES_A_ROW < len(of) else ""
        yield "" if first else name, ", ".join(of[first : first + NAMES_A_ROW]) + comma


def _clean(facts: Facts) -> str:
    try:
        return str(Clean.from_json(facts["clean"], LatentSpec.from_json(facts["latent"], ""), ""))
    except (LmedgeError, KeyError):
        return ""


def _one_line(text: str) -> str:
    return printable(text).replace("\n", r"\n")


def _made_with(facts: Facts) -> str:
    return _say(", made with lmedge {}", facts, "lmedge")


def _versions(facts: Facts) -> str:
    versions = facts.get("versions")
    return ", ".join(f"{name} {version}" for name, version in versions.items()) if isinstance(versions, dict) else ""


def _listed(names: Any) -> str:
    return ", ".join(map(str, names)) if isinstance(names, list) else ""


def _say(template: str, facts: Facts, *paths: str) -> str:
    """The template with the facts at these paths (`training.faces`); nothing where one of them is missing."""
    values = []
    for path in paths:
        value: Any = facts
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value is None or isinstance(value, dict | list):
            return ""
        values.append(value)
    try:
        return template.format(*values)
    except (TypeError, ValueError, OverflowError):  # a text where a number is meant, or one that no float holds
        return ""
