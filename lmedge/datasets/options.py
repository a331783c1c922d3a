"""Options of labelled datasets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from lmedge.bounds import Count, Degrees, Gap, Seed, Share, Truncation, Workers, within
from lmedge.options import ModelName, OutPlace, SchemeIfSaid, Stage, Urls
from lmedge.place import Place
from lmedge.variants import InterpreterName, VariantName

FormatName = Literal["pts", "coco", "csv", "tfrecord", "webdataset", "facesynthetics"]


@dataclass(frozen=True, kw_only=True)
class SynthesizeConfig(Stage):
    """Write a dataset of generated faces with landmarks, for training something else.

    Formats: pts (300-W: .png and .pts), coco (keypoints JSON), csv, tfrecord (a dataset of lmedge), webdataset (tar
    shards; take it or tfrecord for very many faces), facesynthetics (_ldmks.txt). A card and a contact sheet lie beside
    it. Killed and started again with the same options, it continues; memory does not grow with --count.

    Example: lmedge synthesize --count 10000 --min-confidence 0.2 --out faces
    Example: lmedge synthesize bundle --count 50000 --format webdataset --mirror --out shards
    Example: lmedge synthesize --yaw 8 15 --count 2000 --format coco --out turned
    Example: lmedge synthesize bundle --shapes helen --out as-in-helen
    Example: lmedge synthesize runs/first --around photos/ --radius 0.3 --count 5000 --out more
    """

    source: Positional[Annotated[Path | None, arg(metavar="[BUNDLE|RUN]"), Urls()]] = None
    """Bundle, run (its Keras networks, on a GPU where there is one), or a model that comes with lmedge by its
    name. Default: that of --model."""
    model: ModelName = None
    """Model that comes with lmedge, where none is named. Default: reference."""
    out: OutPlace
    """Folder for the dataset, or a URL of an object store: s3://BUCKET/NAME (extra `store`)."""
    count: Count | None = None
    """Faces to write. Default: 1000; with --shapes one for each."""
    format: FormatName = "pts"
    """How the faces are stored, see above."""
    seed: Seed = 0
    """Seed: the same seed gives the same faces, and with the same versions the same bytes."""
    truncation: Truncation = 1.0
    """Draw people at this share of their distance from the most usual one: below 1 faces are cleaner and more alike.
    Landmarks that latents ask for stay as various."""
    min_confidence: Share = 0.0
    """Leave out faces whose landmarks are less certain: 0.2 leaves out about a fifth of the faces."""
    min_point_confidence: Share | None = None
    """coco: mark points of which L-Gen is less sure as hidden (visibility 1, not 2). Default: 0.1, which marks
    few."""
    shapes: Path | None = None
    """Draw a person for the landmarks of each face of a dataset, of a set of generated faces (pts), of a .pts file or
    of a folder of them, which are placed as for `sample --pts`. Needs a model of the family relativistic; face n has
    shape n, and beyond the last they begin again."""
    pts_scheme: SchemeIfSaid = None
    """With --shapes: which points .pts files have: ibug68 those of 300-W. Default: those of the model."""
    yaw: tuple[Degrees, Degrees] | None = None
    """Steer heads to turns of so many degrees, lowest and highest; above 0 the nose points to the right of the picture.
    Read off the landmarks; what the generator cannot reach is said first."""
    mouth_open: tuple[Gap, Gap] | None = None
    """Steer mouths to openings between these, least and most: distance of the inner lips over that of the outer eye
    corners; 0.08 is open."""
    around: Path | None = None
    """Dataset, folder of photos, or photo: draw neighbours of its faces, found by inversion, instead of random faces.
    Faces whose inversion is another face are left out: OUT/around.csv says which and why."""
    keep_all: bool = False
    """With --around: also draw around inversions that are not the face of the photo."""
    radius: Annotated[float, within(0, 2)] = 0.2
    """With --around: most that a component of the latent moves, in halves of its width; 2 is any face."""
    set: Annotated[tuple[str, ...] | None, arg(metavar="NAME=VALUE...")] = None
    """Ask for attributes, from -1 (no) to 1 (yes): Smiling=1 Male=-1; see `lmedge sample`."""
    attributes: Path | None = None
    """Folder of `lmedge train-attributes`: its network looks at every face, and what it says of it is stored, -1 (no)
    to 1 (yes) (needs TensorFlow)."""
    mirror: bool = False
    """Let the mirror image of every face follow it, with its landmarks."""
    variant: VariantName | None = None
    """Model of the bundle. Default: the one that suits the interpreter."""
    interpreter: InterpreterName = "auto"
    """litert: ai-edge-litert; tflite: tflite-runtime; tensorflow: TensorFlow's own; auto: the first that is there."""
    workers: Workers = 0
    """Worker processes that draw from a bundle; 0 takes one a core."""
    on: Place = "local"
    """Where faces are drawn: on this machine, or by the nodes of a Ray cluster (extra `ray`), also those of a run: ray
    is that of the environment. The model and OUT must lie where all nodes see them, or OUT in an object store."""
    overwrite: bool = False
    """Replace a dataset that is there instead of continuing it."""
