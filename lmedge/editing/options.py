"""Options of what edits photos."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from lmedge.inversion.options import PhotoConfig


@dataclass(frozen=True, kw_only=True)
class EditConfig(PhotoConfig):
    """Change what a photo shows: a strip from the face as the generator draws it to what is asked for.

    The photo is inverted; then its attributes move to what --set says, its landmarks go along as they do on photos, and
    who it is stays. The photo stands at the left of the strip, seven steps behind it. A JSON file beside the picture
    says what was measured at each. Needs a run that was trained with --attributes.

    Example: lmedge edit pretrained me.jpg --set Smiling=1 --attributes attributes --out strip.png
    Example: lmedge edit runs/asked me.jpg --set Eyeglasses=1 Young=-1 --identity identity.keras --out strip.png
    """

    set: Annotated[tuple[str, ...], arg(metavar="NAME=VALUE...")]
    """What is changed, from -1 (no) to 1 (yes): Young=-1 Smiling=1. `lmedge info RUN` names the attributes."""
    out: Path
    """Picture to write: .png, .jpg, .webp, .bmp or .tif; what was measured goes to a .json of the same name."""
    identity: Annotated[Path | None, arg(metavar="FILE.keras")] = None
    """Network of `scripts/train_features`: the person of the inversion is brought nearer to that of the photo in its
    features (as AGE-cGAN does, arXiv 1702.01983), and how far each step is from the photo is measured in them."""
    attributes: Annotated[Path | None, arg(metavar="FOLDER")] = None
    """Folder of `lmedge train-attributes`: the inversion takes the attributes that its network sees on the photo, and
    the network looks at each step."""
    landmarks: bool = False
    """Draw the landmarks. Needs a run with an L-Gen."""
    mark: bool = True
    """Write EDITED into a corner of each face that is drawn."""
    overwrite: bool = False
    """Replace a picture that is there."""
