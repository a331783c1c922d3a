"""The `prepare` stage: photos -> face dataset."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lmedge.annotators.pts import Pts
from lmedge.annotators.registry import annotator_named
from lmedge.errors import Rejected
from lmedge.executor import Executor
from lmedge.faces.attributes import AttributeTable, read_attributes
from lmedge.faces.crop import Cutting, FaceCutter
from lmedge.faces.options import PrepareConfig
from lmedge.faces.record import Answer, Record, encode_png
from lmedge.faces.sources import Source, find_photos, fingerprint
from lmedge.place import executor_on
from lmedge.processes import Processes
from lmedge.provenance import NOT_STATED
from lmedge.versions import versions

if TYPE_CHECKING:
    from lmedge.faces.assembly import Assembled

_cutter: FaceCutter  # one a worker process


def prepare(config: PrepareConfig, executor: Executor | None = None) -> "Assembled":
    """Crops and annotates photos; see PrepareConfig; without an `executor`, where `--on` says. Raises as
    `cut_photos` does."""
    annotator = Pts(config.pts_scheme) if config.annotator == Pts.name else annotator_named(config.annotator)
    cutting = Cutting(annotator, config.scheme, config.size, config.crop, config.margin)
    table = read_attributes(config.attributes) if config.attributes else None
    sources = find_photos(config.photos, config.groups, table)
    executor = executor or executor_on(config.on, config.workers)
    return cut_photos(sources, config.out, cutting, config.licence, executor, config.overwrite, table)


def cut_photos(
    sources: Sequence[Source], out: Path, cutting: Cutting, licence: str = NOT_STATED,
    executor: Executor | None = None, overwrite: bool = False, attributes: AttributeTable | None = None,
    made_by: str = "prepare",
) -> "Assembled":  # fmt: skip
    """Makes photos, of this `licence`, into a dataset; without an `executor`, in processes of this machine. A half-made
    dataset of the same photos and cutting is continued. `attributes`: where those of the photos come from. `made_by`: a
    verb.

    Raises UsageError for an annotator that does not give the scheme or has nothing on any of the photos, and for a
    folder of something else; LmedgeError when no photo yields a face.
    """
    # Here, as the worker processes that import this file need no TensorFlow.
    from lmedge.faces.assembly import assemble

    cutting.check([source.path for source in sources])
    about = {
        "made_by": made_by,
        "size": cutting.size,
        "scheme": cutting.scheme.to_json(),
        "provenance": cutting.annotator.provenance(cutting.options(), licence).to_json(),
        **cutting.annotator.facts(),
        "photos": len(sources),
        "groups": len({source.group for source in sources}),
        "photos_sha256": fingerprint(sources),
        **({"attributes": attributes.facts()} if attributes else {}),
        "versions": versions("opencv-contrib-python", "pillow", "numpy"),
    }
    return assemble(out, sources, _work, (_start, (cutting,)), about, executor or Processes(), overwrite, "photos")


def _start(cutting: Cutting) -> None:
    import cv2

    cv2.setNumThreads(1)
    global _cutter
    _cutter = FaceCutter(cutting)


def _work(source: Source) -> Answer:
    try:
        face = _cutter.face(source)
    except Rejected as reason:
        return source.name, str(reason)
    shown = None if source.attributes is None else np.array(source.attributes, np.float32)
    return Record(encode_png(face.pixels), face.landmarks, source.name, source.group, shown)
