"""Places in an object store: one in memory, of fsspec, and S3 as moto's server has it; skipped where these are not
installed (`pip install s3fs 'moto[server]'`)."""

import logging
import pickle
import sys
from pathlib import Path

import pytest

from lmedge.cluster_worker import paths_in
from lmedge.datasets.options import SynthesizeConfig
from lmedge.datasets.synthesize import synthesize
from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.options import PrepareConfig
from lmedge.folders import making_folder
from lmedge.storage import read_json, write_bytes, write_json
from lmedge.url import Url, place
from tests.test_cluster import Killing, cluster, started  # noqa: F401, as pytest finds fixtures by name
from tests.test_executor import Elsewhere, contents

KIND = "a set of some kind"


def test_a_url_is_a_path_that_goes_wherever_paths_go():
    url = place("s3://bucket/some/set")
    assert url == place(Path("s3://bucket/some/set")) and isinstance(url, Url)
    assert [str(each) for each in (url, url / "card.json", url.parent)] == [
        "s3://bucket/some/set", "s3://bucket/some/set/card.json", "s3://bucket/some",
    ]  # fmt: skip
    assert str(pickle.loads(pickle.dumps(url))) == str(url) and paths_in({"out": url}) == set()
    assert place("file:///tmp/set") == Path("/tmp/set") and not isinstance(place("some/set"), Url)
    for here in (url.stat, url.resolve, url.lstat):
        with pytest.raises(UsageError, match="s3://bucket/some/set is a URL"):
            here()
    with pytest.raises(UsageError, match="s3:// names no bucket; write s3://BUCKET/NAME."):
        place("s3://")


def test_a_url_is_refused_where_a_path_of_this_machine_is_wanted():
    with pytest.raises(UsageError, match="--photos s3://bucket/photos: a path of this machine is wanted here"):
        PrepareConfig(photos=("s3://bucket/photos",), out="faces")


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(UsageError, match=r"s3://bucket/set: needs fsspec, not installed here; pip install .*\[store\]"):
        Url("s3://bucket/set").exists()


@pytest.fixture
def memory():
    """A place in fsspec's store in memory, and that store."""
    pytest.importorskip("fsspec")
    from fsspec.implementations.memory import MemoryFileSystem

    MemoryFileSystem.store.clear()
    yield Url("memory://bucket/set")
    MemoryFileSystem.store.clear()


def test_a_scheme_that_nobody_knows_and_a_library_that_is_missing_are_named(memory, monkeypatch):
    with pytest.raises(UsageError, match=r"foo://a/set: fsspec knows no such store \(Protocol not known: foo\)"):
        Url("foo://a/set").exists()
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(UsageError, match=r"s3://a/set: its library is not installed here .*\[store\]"):
        Url("s3://a/set").exists()


def make(out, files, overwrite=False, **of):
    """A folder with these files, of the work `of`."""
    with making_folder(out, KIND, overwrite, resume=of) as folder:
        for name, text in files.items():
            write_bytes(folder / name, text.encode())
            if text == "stop":
                raise KeyboardInterrupt


def test_a_folder_is_whole_when_its_list_is_there(memory):
    with pytest.raises(KeyboardInterrupt):
        make(memory, {"a.txt": "stop"}, seed=1)
    assert memory.files() == [".lmedge.partial/.lmedge.json", "a.txt"]
    with pytest.raises(UsageError, match="--out memory://bucket/set is half made with other options"):
        make(memory, {"a.txt": "b"}, seed=2)
    make(memory, {"a.txt": "a", "card/b.txt": "b"}, seed=1)
    assert memory.files() == [".lmedge.json", "a.txt", "card/b.txt"]
    assert read_json(memory / ".lmedge.json", "a list")["files"] == ["a.txt", "card/b.txt"]
    with pytest.raises(UsageError, match="exists and is not empty; add --overwrite or name another place"):
        make(memory, {"a.txt": "c"})
    make(memory, {"a.txt": "c"}, overwrite=True)
    assert memory.files() == [".lmedge.json", "a.txt"] and (memory / "a.txt").read_bytes() == b"c"


def test_what_lmedge_did_not_write_into_a_store_stays(memory):
    write_bytes(memory / "photo.png", b"mine")
    with pytest.raises(UsageError, match="holds photo.png, and no .lmedge.json says that lmedge wrote it"):
        make(memory, {"a.txt": "a"}, overwrite=True)
    make(memory.parent / "other", {"a.txt": "a"})
    write_bytes(memory.parent / "other" / "notes.txt", b"mine")
    with pytest.raises(UsageError, match=r"holds notes.txt, which lmedge did not write"):
        make(memory.parent / "other", {"a.txt": "b"}, overwrite=True)
    with pytest.raises(LmedgeError, match="no room"), making_folder(memory.parent / "third", KIND, False, resume={}):
        raise LmedgeError("no room")
    assert not (memory.parent / "third").files()


def test_a_set_goes_on_in_a_store_whose_network_was_gone(memory, bundle, tmp_path, monkeypatch):
    from fsspec.implementations.memory import MemoryFileSystem

    for home in ("synthesize", "formats.format"):
        monkeypatch.setattr(f"lmedge.datasets.{home}.PART_FACES", 20)
    put, parts = MemoryFileSystem.pipe_file, []

    def gone(self, path, value, **options):
        parts.append(path) if "part-" in path else None
        if len(parts) == 2:
            raise ConnectionResetError("nobody there")
        put(self, path, value, **options)

    options = {"source": bundle, "count": 60, "format": "pts"}
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", gone)
    with pytest.raises(LmedgeError, match=r"part-0000\d.npz: the store does not do it \(nobody there\); what is whole"):
        synthesize(SynthesizeConfig(out=memory, **options), Elsewhere(True))
    assert [path.name for path in (memory / ".parts").iterdir()] == ["part-00000.npz"]
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", put)
    again = Elsewhere(True)
    synthesize(SynthesizeConfig(out=memory, **options), again)
    synthesize(SynthesizeConfig(out=tmp_path / "here", **options), Elsewhere())
    assert again.done == 2
    assert {Path(name): (memory / name).read_bytes() for name in memory.files()} == contents(tmp_path / "here")


@pytest.fixture(scope="module")
def server():
    """A client of S3, not ours, of a server on this machine, with a bucket `faces`."""
    pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    import boto3

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request
    serving = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    serving.start()
    host, port = serving.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
        }.items():  # fmt: skip
            patch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="faces")
        yield client
    serving.stop()


def objects(client, prefix):
    """What another library reads there, as `contents` of a folder."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="faces", Prefix=f"{prefix}/")
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return {Path(key).relative_to(prefix): client.get_object(Bucket="faces", Key=key)["Body"].read() for key in keys}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("format_, far", [("webdataset", True), ("tfrecord", True), ("csv", False)])
def test_a_set_in_s3_has_the_bytes_of_a_folder(server, bundle, tmp_path, monkeypatch, format_, far):
    for home in ("synthesize", "formats.format"):
        monkeypatch.setattr(f"lmedge.datasets.{home}.PART_FACES", 40)
    options = {"source": bundle, "count": 100, "format": format_, "min_confidence": 0.3}
    there = f"s3://faces/{format_}"
    synthesize(SynthesizeConfig(out=there, **options), Elsewhere(far))
    synthesize(SynthesizeConfig(out=tmp_path / "here", **options), Elsewhere())
    assert objects(server, format_) == contents(tmp_path / "here")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_nodes_of_a_cluster_write_into_s3_and_one_is_killed(server, cluster, bundle, tmp_path, monkeypatch):  # noqa: F811
    for home in ("synthesize", "formats.format"):
        monkeypatch.setattr(f"lmedge.datasets.{home}.PART_FACES", 32)
    options, killing = {"source": bundle, "count": 200, "format": "coco"}, Killing(cluster)
    synthesize(SynthesizeConfig(out="s3://faces/killed", **options), killing)
    synthesize(SynthesizeConfig(out=tmp_path / "here", **options), Elsewhere())
    assert killing.killed and objects(server, "killed") == contents(tmp_path / "here")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_what_s3_refuses_is_said(server, monkeypatch, tmp_path):
    import s3fs

    with pytest.raises(LmedgeError, match="s3://nobody is not there; make that bucket first."):
        write_json(Url("s3://nobody/set/a.json"), {})
    assert not Url("s3://faces/absent").exists() and Url("s3://nobody/set").files() == []
    s3fs.S3FileSystem.clear_instance_cache()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(LmedgeError, match="s3://faces/set: no credentials for the store are here"):
        Url("s3://faces/set").exists()
    s3fs.S3FileSystem.clear_instance_cache()
