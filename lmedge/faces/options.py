"""Options of what makes face datasets from photos or drawings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from lmedge.annotators.registry import names, refuse_unknown
from lmedge.bounds import Check, Seed, Share, Size, Workers, whole
from lmedge.crop import MARGIN, Crop
from lmedge.options import DatasetFolder, Named, OutPlace, SchemeOption, Stage, Urls
from lmedge.place import Place
from lmedge.scheme import IBUG49, IBUG68

AnnotatorName = Annotated[str, Named(names), Check(lambda option, value: refuse_unknown(option, value))]


@dataclass(frozen=True, kw_only=True)
class ToyConfig(Stage):
    """Draw a dataset of cartoon faces with exact landmarks: no photos, no download.

    Example: lmedge toy --count 2000 --size 32 --out toys
    """

    out: OutPlace
    """Folder for the dataset, or a URL of an object store (extra `store`)."""
    count: Annotated[int, whole(1, 10_000_000)] = 2000
    """Number of faces."""
    size: Size = 32
    """Side of a face in pixels: 16, 32, 64, 128 or 256."""
    scheme: SchemeOption = IBUG49
    """Landmark scheme: a built-in one, or a JSON file of some of iBUG's 68 points."""
    seed: Seed = 0
    """Seed: the same seed gives the same bytes."""
    workers: Workers = 0
    """Worker processes; 0 takes one a core."""
    on: Place = "local"
    """Where faces are drawn: on this machine, or by the nodes of a Ray cluster (extra `ray`). OUT must lie where all
    nodes see it."""
    overwrite: bool = False
    """Replace a dataset that is there."""


@dataclass(frozen=True, kw_only=True)
class AddAttributesConfig(Stage):
    """Give the faces of a dataset attributes (Smiling, Eyeglasses, ...) without cropping the photos again.

    The new dataset has the same faces; whatever was trained on or inverted from the old one goes on with it.

    Example: lmedge add-attributes faces list_attr_celeba.txt --out labelled
    """

    faces: Positional[DatasetFolder]
    """Dataset; it stays as it is. Attributes that it has already are replaced in the new one."""
    attributes: Positional[Annotated[Path, arg(metavar="FILE")]]
    """CelebA's list_attr_celeba.txt, or CSV, as `prepare --attributes` reads it; photos are found by name."""
    out: Path
    """Folder for the new dataset."""
    overwrite: bool = False
    """Replace a dataset that is there."""


@dataclass(frozen=True, kw_only=True)
class PrepareConfig(Stage):
    """Turn photos into a dataset of cropped, annotated faces.

    Finds the face in every photo, cuts a square around it, finds its landmarks, and writes TFRecord shards.
    Photos that cannot be used are listed with their reason in rejected.csv. Killed, or stopped because the photos
    went away, and started again with the same options, it continues.

    Example: lmedge prepare photos/ --out faces --size 64 --licence "CC BY 4.0"
    """

    photos: Positional[Annotated[tuple[Path, ...], arg(metavar="PHOTOS..."), Urls()]]
    """Photos, or folders of photos (searched at any depth), or URLs of such in an object store: JPEG, PNG, WebP, BMP,
    TIFF, GIF, AVIF, and HEIC where pillow-heif is installed; nothing else is opened."""
    out: OutPlace
    """Folder for the dataset, or a URL of an object store: s3://BUCKET/NAME (extra `store`)."""
    size: Size = 64
    """Side of a stored face in pixels: 16, 32, 64, 128 or 256."""
    scheme: SchemeOption = IBUG49
    """Landmark scheme: ibug68 (300-W), ibug49 (its 49 points without the jaw), or a JSON file of your own."""
    crop: Crop = "haar"
    """How the square is found. haar: OpenCV's frontal face cascade, largest face. landmarks: eyes and mouth
    brought to fixed places (also rotates). none: the centred square, for photos that are face crops."""
    annotator: AnnotatorName = "mediapipe"
    """Where landmarks come from. mediapipe: Face Mesh. pts: a 300-W .pts file beside each photo. Or one that was
    registered in Python."""
    pts_scheme: SchemeOption = IBUG68
    """Landmark scheme of the .pts files, which say no more than how many points they have."""
    margin: Share = MARGIN
    """Border added on each side of the Haar box, as a share of its side."""
    groups: Path | None = None
    """File with lines `photo group`: photos of one group (a person) never straddle a split. Without it
    every photo is its own group."""
    attributes: Path | None = None
    """File of what photos show: CelebA's list_attr_celeba.txt, or CSV whose first line names the columns (the photo,
    then attributes) and whose cells are 1 (yes), -1 or 0 (no) or empty (unknown). It need not name all photos."""
    licence: str = "not stated"
    """Licence of the photos, written into the dataset and into every bundle made from it."""
    workers: Workers = 0
    """Worker processes; 0 takes one a core."""
    on: Place = "local"
    """Where the photos are looked at: on this machine, or by the nodes of a Ray cluster (extra `ray`): ray is that of
    the environment. Photos and OUT must lie where all nodes see them, or in an object store."""
    overwrite: bool = False
    """Replace a dataset that is there instead of continuing it."""
