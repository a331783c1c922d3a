"""Runs that are written in an object store: in fsspec's store in memory, and in S3 as moto's server has it."""

import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lmedge.errors import LmedgeError, UsageError
from lmedge.fetched import fetched, origin
from lmedge.gan import checkpoint
from lmedge.gan.train import train_gan
from lmedge.inversion.invert import invert
from lmedge.inversion.latents import load_latents
from lmedge.inversion.options import InvertConfig
from lmedge.kept import keeping, shared
from lmedge.options import Stage
from lmedge.run import Run
from lmedge.storage import write_bytes
from lmedge.url import Url
from tests.conftest import tiny_training
from tests.gan.test_machines import BATCH, steps_of, training, when
from tests.making import Killed
from tests.test_cluster import cluster, started  # noqa: F401, as pytest finds fixtures by name
from tests.test_executor import contents
from tests.test_object_store import memory, objects, server  # noqa: F401, as pytest finds fixtures by name

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """From its call on, this is another machine: its cache is empty."""

    def go(name="elsewhere"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))

    go("here")
    return go


@pytest.fixture
def at_once(monkeypatch):
    """What is new is looked for all the time."""
    monkeypatch.setattr("lmedge.kept.LOOK_SECONDS", 0.005)


def there(url):
    """What lies in a store, by name."""
    return {file: (url / file).read_bytes() for file in url.files()}


def write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("_", "/", 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, text.encode())


def until(true):
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_store_holds_what_a_folder_would_and_no_locks(memory, elsewhere, tmp_path):  # noqa: F811
    def work(path):
        run = Run.create(path)
        write(run.path, checkpoints_1="one", checkpoints_2="two", log="a line")
        (run.path / ".log.tmp").write_text("half")
        (run.path / "checkpoints" / "1").unlink()

    with keeping(memory):
        work(memory)
        assert origin(Run.open(memory).path) == memory == origin(shared(memory))
    work(tmp_path / "run")
    (tmp_path / "run" / ".log.tmp").unlink()
    assert there(memory) == {str(path): data for path, data in contents(tmp_path / "run").items()}
    elsewhere()
    with keeping(memory):
        (Run.open(memory).path / "checkpoints" / "2").unlink()
    assert sorted(there(memory)) == ["config.json", "log"]


def test_what_is_new_is_put_while_the_work_goes_on_and_what_only_grows_goes_along(memory, elsewhere, at_once):  # noqa: F811
    with keeping(memory):
        folder = Run.create(memory).path
        write(folder, log="a\n", checkpoints_1="one")
        until(lambda: "log" in there(memory) and "checkpoints/1" in there(memory))
        with (folder / "log").open("a") as log:
            log.write("b\n")
        time.sleep(0.1)
        assert (memory / "log").read_bytes() == b"a\n"
        write(folder, checkpoints_2="two")
        (folder / "checkpoints" / "1").unlink()
        until(lambda: "checkpoints/2" in there(memory) and "checkpoints/1" not in there(memory))
        assert (memory / "log").read_bytes() == b"a\nb\n"


class Variable:
    """As Keras has them."""

    def __init__(self, value):
        self.assign(np.full(3, value))

    def __array__(self, dtype=None, copy=None):
        return self.value

    def assign(self, value):
        self.value, self.shape = value, value.shape


def save(run, step):
    """A checkpoint, in place of the one before, and a note in config.json."""
    checkpoint.save(run.checkpoints, step, {"net": [Variable(step)]}, {"schedule": {}, "health": {}}, 1)
    run.record("train-gan", {"kimg": step})


def newest(path):
    """The step of the newest checkpoint of a run, which can be restored."""
    found, there = checkpoint.checkpoints(Run.open(path).checkpoints)[-1], Variable(0)
    checkpoint.restore(found, {"net": [there]})
    assert (there.value == checkpoint.step_of(found)).all()
    return checkpoint.step_of(found)


def fails(monkeypatch, error, name="", after=0):
    """The store in memory raises `error` at changes of what is called so, but for the first ones."""
    from fsspec.implementations.memory import MemoryFileSystem

    left = [after]
    for change in ("pipe_file", "rm_file"):
        real = getattr(MemoryFileSystem, change)

        def call(self, path, *args, real=real, **options):
            if name in path:
                left[0] -= 1
                if left[0] < 0:
                    raise error
            return real(self, path, *args, **options)

        monkeypatch.setattr(MemoryFileSystem, change, call)


@pytest.mark.parametrize(("puts", "whole"), [(0, 1), (1, 1), (2, 3)])
def test_a_kill_between_puts_leaves_a_run_that_goes_on(memory, elsewhere, monkeypatch, puts, whole):  # noqa: F811
    with keeping(memory):
        save(Run.create(memory), 1)
    with monkeypatch.context() as patch, pytest.raises(Killed), keeping(memory):
        save(Run.open(memory), 2)
        save(Run.open(memory), 3)
        fails(patch, Killed(), after=puts)
    assert (Run.open(memory).stage("train-gan", Stage)["kimg"] == 3) == (puts > 0)
    here = newest(memory)
    elsewhere()
    assert newest(memory) == here == whole
    with keeping(memory):
        save(Run.open(memory), 4)
    assert sorted(there(memory)) == ["checkpoints/step-00000004.npz", "config.json"]


@pytest.mark.parametrize(("alone", "others", "step"), [(True, False, 2), (False, False, 1), (True, True, 5)])
def test_what_a_command_could_not_put_the_next_one_does_unless_others_were_there(
    memory, elsewhere, monkeypatch, capsys, alone, others, step  # noqa: F811
):  # fmt: skip
    with keeping(memory):
        save(Run.create(memory), 1)
    with monkeypatch.context() as patch:
        fails(patch, ConnectionResetError("nobody there"), "step-")
        lies = "1 file of memory://bucket/set is only in .*/here/lmedge/kept/memory/bucket/set on .*; the same command"
        answer = r"^memory://bucket/set: the store does not answer \(nobody there\); "
        with pytest.raises(LmedgeError, match=answer + lies), keeping(memory):
            save(Run.open(memory), 2)
    if others:
        elsewhere()
        with keeping(memory):
            save(Run.open(memory), 5)
        elsewhere("here")
    capsys.readouterr()
    with keeping(memory, alone):
        assert newest(memory) == step
    said = capsys.readouterr().err
    assert ("putting 1 file that memory://bucket/set lacks" in said) == (step == 2)
    assert ("are left out, as" in said) == (step != 2)
    elsewhere("a third")
    assert newest(memory) == step


def test_a_store_that_does_not_answer_is_told_of_once_and_tried_again(
    memory, elsewhere, at_once, monkeypatch, capsys  # noqa: F811
):  # fmt: skip
    with keeping(memory):
        run = Run.create(memory)
        with monkeypatch.context() as patch:
            fails(patch, ConnectionResetError("nobody there"), "step-")
            for step in (1, 2, 3):
                save(run, step)
                time.sleep(0.05)
        assert not list((memory / "checkpoints").iterdir())
        save(run, 4)
        until(lambda: [path.name for path in (memory / "checkpoints").iterdir()] == ["step-00000004.npz"])
    said = capsys.readouterr().err
    assert said.count("the work goes on in") == said.count("the store does not answer (nobody there)") == 1


def test_an_error_of_the_work_is_what_is_raised_and_its_files_are_put(memory, elsewhere):  # noqa: F811
    with pytest.raises(KeyboardInterrupt), keeping(memory):
        save(Run.create(memory), 1)
        raise KeyboardInterrupt
    assert newest(memory) == 1


def test_what_cannot_be_kept_is_refused(memory, elsewhere):  # noqa: F811
    def refuse(url, kind, sentence):
        with pytest.raises(kind, match=sentence), keeping(url):
            pass

    refuse(memory.parent, UsageError, "memory://bucket is a whole bucket; name a run in it: memory://bucket/NAME.")
    (memory / "strange.txt").write_bytes(b"")
    refuse(memory, UsageError, "memory://bucket/set holds other things and no config.json")
    with keeping(memory.parent / "run"):
        refuse(Url("memory://bucket/run/"), LmedgeError, "memory://bucket/run is in use: process .* writes it")
        with pytest.raises(UsageError, match="^memory://bucket/run is not a run"):
            Run.open(memory.parent / "run")
    assert there(memory.parent) == {"set/strange.txt": b""}


def test_a_training_in_s3_goes_on_on_another_machine(server, toys, elsewhere, tmp_path, lmedge_here):  # noqa: F811
    train_gan(tiny_training(toys, tmp_path / "run", 6, log_every=1))
    train_gan(tiny_training(toys, "s3://faces/run", 4, log_every=1))
    elsewhere()
    train_gan(tiny_training(toys, "s3://faces/run", 6, log_every=1))
    found, made = objects(server, "run"), contents(tmp_path / "run")
    same = [path for path in made if path.suffix in (".npz", ".png") and path.stem != "step-00000003"]
    assert len(same) == 3 and [found[path] for path in same] == [made[path] for path in same]
    elsewhere("a third")
    there, here = Run.open("s3://faces/run"), Run.open(tmp_path / "run")
    for ours, theirs in zip(there.generator().get_weights(), here.generator().get_weights(), strict=True):
        assert (ours == theirs).all()
    assert [line["step"] for line in there.log()] == [line["step"] for line in here.log()]
    assert there.config()["stages"]["train-gan"]["run"] == "s3://faces/run"
    asked = lmedge_here("invert", "s3://faces/run/", toys, "--count", 8, "--start", "centre", "--steps", 1)
    assert asked.returncode == 0 and Path("latents/part-00000.npz") in objects(server, "run")
    assert "8 faces" in lmedge_here("info", "s3://faces/run").stdout
    refused = lmedge_here("report", "s3://nobody/run")
    assert refused.stderr == "lmedge: s3://nobody is not there; make that bucket first.\n"


@pytest.fixture(scope="module")
def far_cache(tmp_path_factory):
    """Where nodes of a cluster that is started afterwards keep runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def test_nodes_train_and_invert_in_s3_and_one_is_killed(server, far_cache, cluster, toys, tmp_path, capfd):  # noqa: F811
    run, (node,) = Url("s3://faces/far"), cluster.worker_nodes
    early = SimpleNamespace(exists=lambda: any((run / "checkpoints").iterdir()))
    killer = when(early, lambda: cluster.remove_node(node, allow_graceful=False))
    trained = train_gan(training(toys, run, 300, on="ray", checkpoint_every=10))
    killer.join()
    assert "it goes on from step-" in capfd.readouterr().err
    assert trained.kimg == 300 * BATCH / 1000 and steps_of(run)[-1] == 300
    shutil.copytree(fetched(run), tmp_path / "run")
    options = {"faces": toys, "count": 8, "start": "encoder", "encoder_steps": 3, "steps": 1}
    invert(InvertConfig(run=run, on="ray", **options))
    invert(InvertConfig(run=tmp_path / "run", **options))
    there, here = (load_latents(Run.open(path)) for path in (run, tmp_path / "run"))
    np.testing.assert_allclose(there.z, here.z, atol=1e-5)
