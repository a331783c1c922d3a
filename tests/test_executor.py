"""A second executor in place of the processes of this machine: what is made must not depend on which it is."""

import pickle
import shutil
from contextlib import contextmanager
from itertools import islice

import numpy as np
import pytest

from lmedge.datasets.options import SynthesizeConfig
from lmedge.datasets.synthesize import synthesize
from lmedge.faces.cartoon import draw_face
from lmedge.faces.look import random_look
from lmedge.faces.options import PrepareConfig
from lmedge.faces.prepare import prepare
from lmedge.landmarks import write_pts


class Elsewhere:
    """One worker, in this process: whatever goes to it and comes back is pickled, as on the way to another machine, and
    the jobs of a parcel are done from the last to the first."""

    def __init__(self, far=False):
        self.done, self.far = 0, far

    @contextmanager
    def answers(self, work, jobs, start, parcel=8, heavy=False):
        work, (begin, args) = pickle.loads(pickle.dumps((work, start)))
        begin(*args)
        yield self._answers(work, iter(jobs), parcel)

    def _answers(self, work, jobs, parcel):
        while some := pickle.loads(pickle.dumps(list(islice(jobs, parcel)))):
            answers = [work(job) for job in reversed(some)]
            self.done += len(some)
            yield from pickle.loads(pickle.dumps(answers[::-1]))


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def with_points(photos):
    """Points beside photos of drawn faces: a worker loads MediaPipe for 4 s of a core, see
    tests/faces/test_prepare.py."""
    for photo in photos.rglob("*.png"):
        look = random_look(np.random.default_rng((0, int(photo.stem))))
        write_pts(photo.with_suffix(".pts"), draw_face(look, 256)[1])


@pytest.mark.parametrize("far", [False, True])
def test_prepare_gives_the_same_bytes_wherever_it_runs(photos, tmp_path, monkeypatch, far):
    shutil.copytree(photos, tmp_path / "photos")
    with_points(tmp_path / "photos")
    monkeypatch.setattr("lmedge.faces.assembly.SHARD_JOBS", 4)
    elsewhere, options = Elsewhere(far), {"photos": (tmp_path / "photos",), "annotator": "pts"}
    prepare(PrepareConfig(out=tmp_path / "elsewhere", **options), elsewhere)
    prepare(PrepareConfig(out=tmp_path / "here", workers=2, **options))
    assert elsewhere.done == (3 if far else 10)  # shards, which the worker wrote, or photos
    assert contents(tmp_path / "elsewhere") == contents(tmp_path / "here")


@pytest.mark.parametrize(
    "far, options",
    [
        (False, {"mirror": True}),
        (True, {"mirror": True}),
        (True, {"mirror": True, "min_confidence": 0.3, "format": "pts"}),
        (True, {"mouth_open": (0.0, 0.06), "format": "webdataset"}),
    ],
)
def test_synthesize_gives_the_same_bytes_wherever_it_runs(bundle, tmp_path, monkeypatch, far, options):
    for home in ("synthesize", "formats.format", "formats"):
        monkeypatch.setattr(f"lmedge.datasets.{home}.PART_FACES", 40)
    monkeypatch.setattr("lmedge.datasets.afar.GROUP", 64)
    elsewhere, options = Elsewhere(far), {"source": bundle, "count": 100, "format": "coco", **options}
    synthesize(SynthesizeConfig(out=tmp_path / "elsewhere", **options), elsewhere)
    synthesize(SynthesizeConfig(out=tmp_path / "here", workers=1, **options))
    assert elsewhere.done >= 1 and contents(tmp_path / "elsewhere") == contents(tmp_path / "here")
