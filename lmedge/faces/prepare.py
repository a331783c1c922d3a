"""The `prepare` stage: photos -> face dataset."""

from itertools import chain
from typing import TYPE_CHECKING

from lmedge.errors import UsageError
from lmedge.executor import Executor
from lmedge.faces.annotate import GIVEN
from lmedge.faces.crop import ALIGNING, FaceCutter
from lmedge.faces.options import PrepareConfig
from lmedge.faces.photo import Rejected
from lmedge.faces.record import Answer, Record, encode_png
from lmedge.faces.sources import Source, find_photos, fingerprint
from lmedge.options import to_json
from lmedge.processes import Processes
from lmedge.scheme import refuse_missing
from lmedge.versions import versions

if TYPE_CHECKING:
    from lmedge.faces.assembly import Assembled

_cutter: FaceCutter  # one a worker process


def prepare(config: PrepareConfig, executor: Executor | None = None) -> "Assembled":
    """Crops and annotates photos; see PrepareConfig; without an `executor`, in processes of this machine.

    Raises UsageError for a wrong option, LmedgeError when no photo yields a face.
    """
    # Here, as the worker processes that import this file need no TensorFlow.
    from lmedge.faces.assembly import assemble

    sources = find_photos(config.photos, config.groups)
    if config.annotator == "pts" and not any(source.pts.is_file() for source in sources):
        raise UsageError("--annotator pts: there is no .pts file beside any of the photos.")
    _check_scheme(config)
    options = to_json(config)
    about = {
        "made_by": "prepare",
        "size": config.size,
        "scheme": config.scheme.to_json(),
        "crop": {name: options[name] for name in ("crop", "margin")},
        "annotator": config.annotator,
        **({"pts_scheme": config.pts_scheme.to_json()} if config.annotator == "pts" else {}),
        "licence": config.licence,
        "photos": len(sources),
        "groups": len({source.group for source in sources}),
        "photos_sha256": fingerprint(sources),
        "versions": versions("mediapipe", "opencv-contrib-python", "pillow", "numpy"),
    }
    executor = executor or Processes(config.workers)
    return assemble(config.out, sources, _work, (_start, (config,)), about, executor, config.overwrite, "photos")


def _check_scheme(config: PrepareConfig) -> None:
    """Raises UsageError where a point of the scheme cannot be had, or one that the crop needs is none of it."""
    if config.annotator == "pts":
        refuse_missing(config.pts_scheme.places, config.scheme, f"--pts-scheme {config.pts_scheme}")
    else:
        refuse_missing(GIVEN, config.scheme, "Face Mesh")
    if config.crop == "landmarks" and not config.scheme.has(*chain(*ALIGNING)):
        raise UsageError(
            f"--crop landmarks: the landmark scheme {config.scheme} lacks points of iBUG's eyes and mouth, which are "
            "brought to fixed places; take --crop haar or none."
        )


def _start(config: PrepareConfig) -> None:
    import cv2

    cv2.setNumThreads(1)
    global _cutter
    _cutter = FaceCutter(config)


def _work(source: Source) -> Answer:
    try:
        face = _cutter.face(source)
    except Rejected as reason:
        return source.name, str(reason)
    return Record(encode_png(face.pixels), face.landmarks, source.name, source.group)
