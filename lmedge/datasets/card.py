"""The card beside a set of generated faces: what drew them, from which photos, how they were chosen."""

import json
from typing import Any

from lmedge.datasets.formats import Shape
from lmedge.provenance import Provenance

CARD_FILE = "card.json"
FROM_THE_PRIOR = """\
**Synthetic.** No picture here is a photo: all were drawn by a generator, and their landmarks were read off the latents
by its L-Gen. They are made from photos all the same."""
AROUND_PHOTOS = """\
**Synthetic, close to given photos.** All pictures were drawn by a generator, around what it makes of given photos: the
people of these photos may be recognised. Ask what their licence and these people allow before you share or use the set.
Landmarks were read off the latents by L-Gen."""


def card(shape: Shape) -> str:
    """The facts of `shape.about` for people, as Markdown."""
    about, options = shape.about, shape.about["options"]
    chosen = [f"`--{name.replace('_', '-')} {_shown(value)}`" for name, value in options.items()
              if value is not None and value is not False]  # fmt: skip
    training = about.get("training") or {}
    return f"""# {shape.count:,} generated faces with landmarks

{_what_it_is(about)}

| | |
|---|---|
| faces | {shape.count:,} of {shape.width} x {shape.height} pixels, {about["format"]} |
| landmarks | {shape.scheme.name}, {shape.scheme.count} points (x, y) in pixels |
| landmarks given by | {Provenance.from_json(about["provenance"], CARD_FILE).landmarks} |
| centre of the top-left pixel | {_origin(about)} |
| generator | {about["generator"]} |
| trained on | {training.get("faces", "unknown")} faces ({training.get("source", "unknown")}) |
| licence of these photos | {about["licence"]} |
{_drawn_around(about)}{_shapes(about)}| L-Gen's error on held-out faces | {_share(training.get("held_out_nme"))} |
| drawn | {about["drawn"]:,} faces, of which {about["rejected"]:.1%} were left out |
{_pose_and_variety(about)}{_attributes(about)}| options | {" ".join(chosen)} |
| made with | {", ".join(f"{name} {version}" for name, version in about["versions"].items())} |

The same command draws the same faces again; face numbers run in the order of their latents in the seed. What the
generator does not draw (see its own card: rare poses, open mouths) is missing here too, and a detector that learns from
this set should be tested on photos. `{CARD_FILE}` holds the same for programs.
"""


def _what_it_is(about: dict[str, Any]) -> str:
    """The first lines: whose faces these are."""
    return AROUND_PHOTOS if "around" in about else FROM_THE_PRIOR


def _drawn_around(about: dict[str, Any]) -> str:
    if "around" not in about:
        return ""
    facts = about["around"]
    return (
        f"| drawn around | {facts['faces']} photographed faces; {facts['left_out']} were left out (around.csv) |\n"
        f"| licence of the photos that it was drawn around | {facts['licence']} |\n"
    )


def _shapes(about: dict[str, Any]) -> str:
    if "shapes" not in about:
        return ""
    facts = about["shapes"]
    return (
        f"| asked for by the landmarks of | `{facts['from']}`, {facts['count']:,} faces, of which {facts['clipped']:,} "
        f"lie beyond what the model can be asked for (nearest shapes: NME {facts['nme']:.2%}) |\n"
        f"| licence of these faces | {facts['licence']} |\n"
    )


def _origin(about: dict[str, Any]) -> str:
    return "(1, 1)" if about["format"] == "pts" else "(0, 0)"


def _pose_and_variety(about: dict[str, Any]) -> str:
    """Rows on what was asked for beside what the generator can do; none for random faces."""
    reach = [f"`{option}` {low:.3g} to {high:.3g}" for option, (low, high) in about.get("reach", {}).items()]
    rows = f"| the generator can be steered to | {', '.join(reach)} |\n" if reach else ""
    if about.get("variety") is not None:
        rows += f"| variety | two of its faces differ {about['variety']:.2f} times as much as two random ones |\n"
    return rows


def _attributes(about: dict[str, Any]) -> str:
    """Rows on what a network says that the faces show."""
    if "attributes" not in about:
        return ""
    facts = about["attributes"]
    names = ", ".join(f"{name} ({accuracy:.0%})" for name, accuracy in facts["balanced_accuracy"].items())
    return (
        f"| attributes, -1 to 1 | {names}: said by a network, in brackets its balanced accuracy on photos of people "
        f"that it never saw |\n| licence of the photos that it learnt from | {facts['licence']} |\n"
    )


def _share(value: Any) -> str:
    return "unknown" if value is None else f"NME {value:.2%}"


def _shown(value: Any) -> str:
    return (
        " ".join(map(str, value)) if isinstance(value, list) else value if isinstance(value, str) else json.dumps(value)
    )
