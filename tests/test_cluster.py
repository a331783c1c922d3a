"""A Ray cluster of two nodes on this machine; skipped where Ray is not installed (extra `ray`)."""

import os
import pickle
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lmedge import __version__
from lmedge.annotators.face_mesh import FaceMesh
from lmedge.annotators.looking import look
from lmedge.cluster import Ray, connected
from lmedge.cluster_worker import actor, paths_in
from lmedge.datasets.options import SynthesizeConfig
from lmedge.datasets.synthesize import synthesize
from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.options import PrepareConfig, ToyConfig
from lmedge.faces.prepare import prepare
from lmedge.faces.toy import toy
from lmedge.inversion.options import InvertConfig
from lmedge.processes import Processes
from lmedge.scheme import IBUG49
from lmedge.study.options import StudyConfig
from tests.conftest import FOUND_LOOKS, drawn_photo
from tests.test_executor import contents, with_points
from tests.test_processes import nothing, root

ROOT = Path(__file__).parents[1]


def double_slowly(number: int) -> int:
    time.sleep(0.05)
    return 2 * number


def dies(number: int) -> int:
    if number == 3:
        os._exit(1)
    return number


def numbered(number: int) -> tuple[int, str]:
    """Which node it was done by."""
    import ray

    time.sleep(0.1)
    return number, ray.get_runtime_context().get_node_id()


@pytest.fixture(scope="module")
def started():
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *sys.path[1:]]))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        patch.setenv("RAY_ADDRESS", made.address)
        yield made
        import ray

        ray.shutdown()
        made.shutdown()


@pytest.fixture
def cluster(started):
    """Of two nodes with a core each; a test may have killed one."""
    if not started.worker_nodes:
        started.add_node(num_cpus=1)
    return started


class Killing:
    """Kills the second node at an answer that is to be one `of` it, or at the first."""

    far = True

    def __init__(self, cluster, of=lambda answer: True):
        self.cluster, self.killed, self.of = cluster, False, of

    @contextmanager
    def answers(self, work, jobs, start, parcel=8, heavy=False):
        with Ray("ray").answers(work, jobs, start, parcel, heavy) as answers:
            yield self.slain(answers)

    def slain(self, answers):
        for answer in answers:
            if not self.killed and self.of(answer):
                self.cluster.remove_node(self.cluster.worker_nodes.copy().pop(), allow_graceful=False)
                self.killed = True
            yield answer


def test_answers_come_in_the_order_of_the_jobs(cluster):
    with Ray("ray").answers(double_slowly, count(), (nothing, ()), parcel=3) as answers:
        assert [next(answers) for _ in range(30)] == [2 * number for number in range(30)]


def test_answers_are_the_same_when_a_node_is_killed(cluster, capfd):
    (node,) = cluster.worker_nodes
    killing = Killing(cluster, lambda answer: answer[1] == node.node_id)
    found = []
    with killing.answers(numbered, count(), (nothing, ()), parcel=1) as answers:
        while not killing.killed or len(found) % 20:
            found.append(next(answers)[0])
    assert found == list(range(len(found)))
    told = capfd.readouterr()
    assert "a worker of the cluster died; another one does again what it was at" in told.err and not told.out


def test_a_job_that_fails_says_so_as_it_does_here(cluster):
    with (
        pytest.raises(ValueError, match="-1 has no root"),
        Ray("ray").answers(root, [4, -1], (nothing, ())) as answers,
    ):
        list(answers)


def test_workers_that_die_at_the_same_job_are_given_up(cluster):
    with (
        pytest.raises(LmedgeError, match="3 workers of the cluster died one after another at the same jobs"),
        Ray("ray").answers(dies, range(9), (nothing, ()), parcel=1) as answers,
    ):
        list(answers)


def test_prepare_gives_the_same_bytes_when_a_node_is_killed(cluster, photos, tmp_path, monkeypatch):
    monkeypatch.setattr("lmedge.faces.assembly.SHARD_JOBS", 1)
    shutil.copytree(photos, tmp_path / "photos")
    with_points(tmp_path / "photos")
    options, killing = {"photos": (tmp_path / "photos",), "annotator": "pts"}, Killing(cluster)
    prepare(PrepareConfig(out=tmp_path / "there", **options), killing)
    prepare(PrepareConfig(out=tmp_path / "here", workers=1, **options))
    assert killing.killed and contents(tmp_path / "there") == contents(tmp_path / "here")


def test_toy_gives_the_same_bytes_when_a_node_is_killed(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr("lmedge.faces.assembly.SHARD_JOBS", 4)
    killing = Killing(cluster)
    for name, executor in (("there", killing), ("here", Processes(1))):
        toy(ToyConfig(out=tmp_path / name, count=24), executor)
    assert killing.killed and contents(tmp_path / "there") == contents(tmp_path / "here")


@pytest.mark.parametrize("options", [{}, {"min_confidence": 0.3}])
def test_synthesize_gives_the_same_bytes_when_a_node_is_killed(cluster, bundle, tmp_path, monkeypatch, options):
    monkeypatch.setattr("lmedge.datasets.synthesize.PART_FACES", 32)
    options, killing = {"source": bundle, "count": 200, "format": "coco", **options}, Killing(cluster)
    synthesize(SynthesizeConfig(out=tmp_path / "there", **options), killing)
    synthesize(SynthesizeConfig(out=tmp_path / "here", workers=1, **options))
    assert killing.killed and contents(tmp_path / "there") == contents(tmp_path / "here")


def test_invert_gives_the_same_bytes_when_a_node_is_killed(cluster, trained, toys, tmp_path, monkeypatch):
    from lmedge.inversion.invert import invert

    monkeypatch.setattr("lmedge.inversion.invert.PART_FACES", 8)
    runs = [shutil.copytree(trained, tmp_path / name) for name in ("there", "here")]
    killing = Killing(cluster)
    for run, executor in zip(runs, (killing, None), strict=True):
        options = {"start": "centre", "steps": 3, "batch": 8, "overwrite": True}
        invert(InvertConfig(run=run, faces=toys, **options), executor)
    assert killing.killed and contents(runs[0] / "latents") == contents(runs[1] / "latents")


def test_what_is_seen_on_faces_is_the_same_when_a_node_is_killed(cluster, monkeypatch):
    """As `train-lgen` and `evaluate` have them looked at."""
    faces = np.stack([drawn_photo(look, 64) for look in FOUND_LOOKS[:4]] * 10)
    monkeypatch.setattr("lmedge.annotators.looking.WORTH_A_WORKER", 1)
    killing = Killing(cluster)
    seen, here = (look(FaceMesh(), faces, IBUG49, lambda _: None, executor=one) for one in (killing, Processes(1)))
    assert killing.killed and (seen.found == here.found).all() and (seen.views == here.views).all()


def test_detectors_of_a_study_are_the_same_when_a_node_is_killed(cluster, toys, tmp_path):
    from lmedge.study.arms import ARMS
    from lmedge.study.study import _train
    from lmedge.study.training import Training

    killing = Killing(cluster)
    trainings = [Training(arm, 20, seed) for seed in (0, 1) for arm in ARMS if not arm.mixes]
    for name, executor in (("there", killing), ("here", Processes(1))):
        place = tmp_path / name
        (place / "trainings").mkdir(parents=True)
        config = StudyConfig(real=toys, test=toys, synthetic=toys, out=place, steps=2, style=False)
        _train(config, trainings, (np.zeros((48, 49, 2), np.float32), None), executor)
    there, here = (contents(tmp_path / name) for name in ("there", "here"))
    errors = [name for name in here if name.suffix == ".npz"]  # Keras numbers layers by what a worker built before
    assert killing.killed and len(errors) == len(trainings) and there.keys() == here.keys()
    assert [there[name] for name in errors] == [here[name] for name in errors]


class Stopping(Ray):
    """Ctrl-C comes after so many answers; `written` are the parts that were."""

    after, written = 9999, 0

    @contextmanager
    def answers(self, *args, **options):
        with super().answers(*args, **options) as answers:
            yield self.some(answers)

    def some(self, answers):
        for number, answer in enumerate(answers):
            if number == self.after:
                raise KeyboardInterrupt
            type(self).written += 1
            yield answer


def test_what_ctrl_c_leaves_is_gone_on_with(cluster, bundle, tmp_path, monkeypatch):
    monkeypatch.setattr("lmedge.datasets.synthesize.PART_FACES", 32)
    monkeypatch.setattr(Stopping, "after", 2)
    options = {"source": bundle, "count": 200, "format": "coco"}  # 7 parts
    with pytest.raises(KeyboardInterrupt):
        synthesize(SynthesizeConfig(out=tmp_path / "there", **options), Stopping("ray"))
    whole = len([*(tmp_path / ".there.partial" / "files" / ".parts").glob("part-*.npz")])
    monkeypatch.setattr(Stopping, "after", 9999)
    monkeypatch.setattr(Stopping, "written", 0)
    synthesize(SynthesizeConfig(out=tmp_path / "there", **options), Stopping("ray"))
    synthesize(SynthesizeConfig(out=tmp_path / "here", on="local", workers=1, **options))
    assert whole >= 2 and Stopping.written == 7 - whole
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def test_workers_that_die_while_they_start_are_given_up(cluster):
    with (
        pytest.raises(LmedgeError, match="3 workers of the cluster died while they started"),
        Ray("ray").answers(double_slowly, range(3), (os._exit, (1,))) as answers,
    ):
        list(answers)


def test_a_cluster_without_room_for_what_is_sent_is_told_so(started):
    script = """
from ray.cluster_utils import Cluster
full = {"local_fs_capacity_threshold": 0.001}  # Ray takes the disk when its memory is full
cluster = Cluster(initialize_head=True, head_node_args={
    "num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 << 20, "_system_config": full})
import os
os.environ["RAY_ADDRESS"] = cluster.address
from lmedge.cluster import Ray
with Ray("ray", 1).answers(len, iter([bytes(100 << 20)]), (print, ())) as answers:
    print(*answers)
"""
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, env=environment)
    assert "LmedgeError: --on ray: the object store of the cluster is full; give its nodes more" in done.stderr


def test_another_version_of_ray_is_refused(cluster, monkeypatch):
    import ray

    ray.shutdown()
    monkeypatch.setattr(ray, "__version__", "2.1.0")
    with pytest.raises(LmedgeError, match=r"--on ray: another version of Ray or Python is there .*2\.1\.0"):
        connected("ray")


def test_a_cluster_of_the_environment_that_is_gone_is_refused(monkeypatch):
    ray = pytest.importorskip("ray")
    ray.shutdown()
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with pytest.raises(LmedgeError, match=r"--on ray \(RAY_ADDRESS=127.0.0.1:9\): no cluster answers there"):
        connected("ray")


def test_a_place_that_is_none_is_refused():
    for place in ("spark", "ray:6379", "ray://there", "ray://there:port"):
        with pytest.raises(UsageError, match=f"--on {place}: take local, ray or ray://HOST:PORT."):
            PrepareConfig(photos="photos", out="faces", on=place)


def test_without_ray_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"--on ray: needs ray, not installed here; pip install .*\[ray\]"):
        connected("ray")


def test_a_port_where_no_cluster_answers_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False))
    with pytest.raises(LmedgeError, match=r"--on ray://127.0.0.1:9: no cluster answers there \(Connection refused\)"):
        connected("ray://127.0.0.1:9")


def test_a_node_says_what_it_lacks(tmp_path, monkeypatch):
    worker, given = actor()(), pickle.dumps(((nothing, ()), root))
    assert worker.ready(__version__, "", [str(tmp_path)], given) is None
    assert f"lmedge {__version__}, and here is 0.0.1" in worker.ready("0.0.1", "", [], given)
    assert f"does not see {tmp_path}/absent" in worker.ready(__version__, "", [f"{tmp_path}/absent"], given)
    monkeypatch.setitem(sys.modules, "lmedge.cluster_worker", None)
    assert "of the cluster lacks lmedge" in worker.ready(__version__, "", [], given)


def test_a_worker_passes_by_a_folder_called_lmedge(tmp_path):
    """As an editable installation has it, which a folder on the path comes before: Ray puts where the command was typed
    there."""
    (tmp_path / "lmedge").mkdir()
    script = f"""
import importlib.machinery, importlib.util, os, sys
class Installed:
    def find_spec(name, path=None, target=None):
        if name == "lmedge":
            folder = {str(ROOT / "lmedge")!r}
            first = folder + "/__init__.py"
            return importlib.util.spec_from_file_location(name, first, submodule_search_locations=[folder])
sys.meta_path.insert(sys.meta_path.index(importlib.machinery.PathFinder) + 1, Installed)
sys.path[:] = [path for path in sys.path if path not in ("", {str(ROOT)!r})]
from lmedge.cluster_worker import actor
worker = actor()()
for name in [name for name in sys.modules if name.startswith("lmedge")]:
    del sys.modules[name]
os.chdir({str(tmp_path)!r})
sys.path.insert(0, os.getcwd())
import pickle
print(worker.ready({__version__!r}, os.getcwd(), [], pickle.dumps(((print, ("begun",)), len))))
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, env=environment, cwd="/"
    )
    assert done.stdout.splitlines() == ["begun", "None"], done.stdout + done.stderr


def test_paths_that_workers_need_are_found_wherever_they_stand():
    options = PrepareConfig(photos="photos", out="faces")
    given = (options, partial(len, Path("model")), {"more": [Path("first"), Path("second")]}, "text")
    assert paths_in(given) == {Path(name) for name in ("photos", "faces", "model", "first")}
