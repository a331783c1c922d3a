"""Places in an object store: one in memory, of fsspec, and S3 as moto's server has it; skipped where these are not
installed (`pip install s3fs 'moto[server]'`)."""

import logging
import pickle
import shutil
import sys
from pathlib import Path

import pytest

from lmedge.about.info import info
from lmedge.about.options import InfoConfig
from lmedge.cluster_worker import paths_in
from lmedge.datasets.options import SynthesizeConfig
from lmedge.datasets.synthesize import synthesize
from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.options import PrepareConfig
from lmedge.faces.prepare import prepare
from lmedge.faces.records import FaceDataset
from lmedge.fetched import fetched, origin
from lmedge.folders import making_folder
from lmedge.runtime import FaceSampler
from lmedge.runtime.bundle import Bundle
from lmedge.storage import read_json, write_bytes, write_json
from lmedge.study.options import StudyConfig
from lmedge.url import Url, place
from tests.test_cluster import Killing, cluster, started  # noqa: F401, as pytest finds fixtures by name
from tests.test_executor import Elsewhere, contents, with_points

KIND = "a set of some kind"


def test_a_url_is_a_path_that_goes_wherever_paths_go():
    url = place("s3://bucket/some/set")
    assert url == place(Path("s3://bucket/some/set")) and isinstance(url, Url)
    assert [str(each) for each in (url, url / "card.json", url.parent)] == [
        "s3://bucket/some/set", "s3://bucket/some/set/card.json", "s3://bucket/some",
    ]  # fmt: skip
    assert str(pickle.loads(pickle.dumps(url))) == str(url) and paths_in({"out": url}) == set()
    assert place("file:///tmp/set") == Path("/tmp/set") and not isinstance(place("some/set"), Url)
    for here in (url.readlink, url.touch):
        with pytest.raises(UsageError, match="s3://bucket/some/set is a URL"):
            here()
    assert str((url / "a.png").relative_to(url)) == "a.png"
    with pytest.raises(UsageError, match="s3:// names no bucket; write s3://BUCKET/NAME."):
        place("s3://")
    with pytest.raises(UsageError, match="write it without `..`."):
        place("s3://bucket/../other")


def test_a_url_is_refused_where_a_path_of_this_machine_is_wanted():
    with pytest.raises(UsageError, match="--groups s3://bucket/groups: a path of this machine is wanted here"):
        PrepareConfig(photos=("s3://bucket/photos",), out="faces", groups="s3://bucket/groups")
    with pytest.raises(UsageError, match="^s3://bucket/photos: a path of this machine is wanted here"):
        StudyConfig(real="s3://bucket/photos", test="test", out="study")


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
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
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
    with pytest.raises(
        LmedgeError, match=r"part-0000\d.npz: the store does not answer \(nobody there\); what is whole"
    ):
        synthesize(SynthesizeConfig(out=memory, **options), Elsewhere(True))
    assert [path.name for path in (memory / ".parts").iterdir()] == ["part-00000.npz"]
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", put)
    again = Elsewhere(True)
    synthesize(SynthesizeConfig(out=memory, **options), again)
    synthesize(SynthesizeConfig(out=tmp_path / "here", **options), Elsewhere())
    assert again.done == 2
    assert {Path(name): (memory / name).read_bytes() for name in memory.files()} == contents(tmp_path / "here")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Where this test keeps what it fetches."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "lmedge" / "stores"


def test_what_lies_in_a_store_is_fetched_once_and_what_has_changed_again(memory, cache, monkeypatch):
    from fsspec.implementations.memory import MemoryFileSystem

    make(memory, {"a.txt": "a", "card/b.txt": "b"})
    asked, get = [], MemoryFileSystem.get

    def counted(self, names, *args, **options):
        asked.extend(names)
        return get(self, names, *args, **options)

    monkeypatch.setattr(MemoryFileSystem, "get", counted)
    here = fetched(memory)
    assert here == cache / "memory" / "bucket" / "set" and origin(here) == memory and origin(cache) == cache
    assert (here / "card" / "b.txt").read_text() == "b" and len(asked) == 3
    assert fetched(memory) == here and len(asked) == 3
    (memory / "a.txt").write_bytes(b"another")
    (memory / "card" / "b.txt").unlink()
    (here / ".lmedge.json").unlink()
    fetched(memory)
    assert (here / "a.txt").read_text() == "another" and not (here / "card" / "b.txt").exists()
    assert [name.rpartition("/")[2] for name in asked[3:]] == [".lmedge.json", "a.txt"]


def test_a_disk_that_is_full_of_what_is_fetched_is_told_from_a_store_that_is(memory, small_disk, monkeypatch):
    (memory / "large").write_bytes(bytes(2 << 20))
    monkeypatch.setenv("XDG_CACHE_HOME", str(small_disk))
    with pytest.raises(LmedgeError, match=f"the disk is full while memory://bucket/set is fetched to {small_disk}"):
        fetched(memory)


def test_what_is_not_whole_in_a_store_is_not_fetched(memory, cache):
    with pytest.raises(UsageError, match="memory://bucket/set does not exist, or is no folder"):
        fetched(memory)
    with pytest.raises(KeyboardInterrupt):
        make(memory, {"a.txt": "stop"})
    with pytest.raises(LmedgeError, match="memory://bucket/set is half made; run the command that made it again."):
        fetched(memory)
    write_bytes(memory.parent / "strange" / "..", b"")
    with pytest.raises(LmedgeError, match="cannot be a file of a folder here"):
        fetched(memory.parent / "strange")
    assert not cache.exists()


def test_photos_in_a_store_become_a_dataset_there(memory, photos, tmp_path, cache, monkeypatch):
    monkeypatch.setattr("lmedge.faces.assembly.SHARD_JOBS", 4)
    shutil.copytree(photos, tmp_path / "photos")
    with_points(tmp_path / "photos")
    store = memory.parent / "photos"
    for path, data in contents(tmp_path / "photos").items():
        (store / str(path)).write_bytes(data)
    (store / "made" / ".lmedge.json").write_bytes(b"{}")
    (store / "made" / "no-photo.png").write_bytes(b"")
    prepare(PrepareConfig(photos=(store,), out=memory, annotator="pts"), Elsewhere(True))
    prepare(PrepareConfig(photos=(tmp_path / "photos",), out=tmp_path / "here", annotator="pts"), Elsewhere())
    assert {Path(name): (memory / name).read_bytes() for name in memory.files()} == contents(tmp_path / "here")
    there, here = FaceDataset(place(str(memory))), FaceDataset(tmp_path / "here")
    assert there.digest == here.digest and (there.images([9]) == here.images([9])).all()
    assert info(InfoConfig(path=memory)) == info(InfoConfig(path=tmp_path / "here"))
    with pytest.raises(UsageError, match="memory://bucket/set is a dataset of lmedge; name photos"):
        prepare(PrepareConfig(photos=(memory,), out=tmp_path / "again"))


def test_a_bundle_in_a_store_draws_the_same_faces(memory, bundle, cache):
    for path, data in contents(bundle).items():
        (memory / str(path)).write_bytes(data)
    there, here = (FaceSampler(Bundle.open(path)) for path in (memory, bundle))
    assert (there.sample(2, 0).images == here.sample(2, 0).images).all()
    assert paths_in(there.elsewhere) == set() and there.elsewhere.args[0] == memory  # a node fetches it itself


def test_of_a_generated_set_in_a_store_nothing_is_fetched_to_say_that_it_is_one(memory, bundle, cache):
    synthesize(SynthesizeConfig(source=bundle, count=4, format="pts", out=memory), Elsewhere(True))
    with pytest.raises(UsageError, match="memory://bucket/set is neither a dataset, a run"):
        info(InfoConfig(path=memory))
    for path, what in ((memory, "is not a bundle"), (memory / "README.md", "is a single object")):
        with pytest.raises(UsageError, match=f"{path} {what}.* name the folder of a bundle"):
            Bundle.open(path)
    with pytest.raises(UsageError, match="memory://bucket/absent does not exist."):
        info(InfoConfig(path=memory.parent / "absent"))
    with pytest.raises(KeyboardInterrupt):
        make(memory.parent / "half", {"a.txt": "stop"})
    with pytest.raises(UsageError, match="memory://bucket/half is a half-made dataset"):
        info(InfoConfig(path=memory.parent / "half"))
    assert not cache.exists()


@pytest.fixture(scope="module")
def server():
    """A client of S3, not ours, of a server on this machine, with a bucket `faces`."""
    s3fs = pytest.importorskip("s3fs")
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
        s3fs.S3FileSystem.clear_instance_cache()  # of another module's server
        client = boto3.client("s3")
        client.create_bucket(Bucket="faces")
        client.serving = serving
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
def test_a_dataset_that_others_put_into_s3_is_read(server, toys, cache):
    for path, data in {"": b"", **contents(toys)}.items():  # the first as consoles make folders
        server.put_object(Bucket="faces", Key=f"toys/{path}", Body=data)
    there, here = FaceDataset(place("s3://faces/toys")), FaceDataset(toys)
    assert there.digest == here.digest and there.path == cache / "s3" / "faces" / "toys"
    assert (there.images([47]) == here.images([47])).all()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_nodes_of_a_cluster_write_into_s3_and_one_is_killed(server, cluster, bundle, tmp_path, monkeypatch):  # noqa: F811
    for home in ("synthesize", "formats.format"):
        monkeypatch.setattr(f"lmedge.datasets.{home}.PART_FACES", 32)
    options, killing = {"source": bundle, "count": 200, "format": "coco"}, Killing(cluster)
    synthesize(SynthesizeConfig(out="s3://faces/killed", **options), killing)
    synthesize(SynthesizeConfig(out=tmp_path / "here", **options), Elsewhere())
    assert killing.killed and objects(server, "killed") == contents(tmp_path / "here")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_nodes_prepare_photos_of_s3_into_s3_and_one_is_killed(server, cluster, photos, tmp_path, cache, monkeypatch):  # noqa: F811
    monkeypatch.setattr("lmedge.faces.assembly.SHARD_JOBS", 2)
    with_points(shutil.copytree(photos, tmp_path / "photos"))
    for path, data in contents(tmp_path / "photos").items():
        server.put_object(Bucket="faces", Key=f"photos/{path}", Body=data)
    killing = Killing(cluster)
    prepare(PrepareConfig(photos=("s3://faces/photos",), out="s3://faces/prepared", annotator="pts"), killing)
    prepare(PrepareConfig(photos=(tmp_path / "photos",), out=tmp_path / "here", annotator="pts"), Elsewhere())
    assert killing.killed and objects(server, "prepared") == contents(tmp_path / "here")


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
    with pytest.raises(LmedgeError, match="s3://faces/set: no credentials for the store are on .+; for S3 set"):
        Url("s3://faces/set").exists()
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_set_goes_on_when_a_store_that_was_full_has_room(server, bundle, tmp_path, monkeypatch):
    for home in ("synthesize", "formats.format"):
        monkeypatch.setattr(f"lmedge.datasets.{home}.PART_FACES", 20)
    server.put_object(Bucket="faces", Key="full/", Body=b"")  # a folder, as consoles make it
    serving, options = server.serving._server, {"source": bundle, "count": 60, "format": "coco"}
    app, parts = serving.app, []

    def full(environ, start):
        """As MinIO answers where its disks are full, from the second part on."""
        parts.append(1) if environ["REQUEST_METHOD"] == "PUT" and "part-" in environ["PATH_INFO"] else None
        if environ["REQUEST_METHOD"] != "PUT" or len(parts) < 2:
            return app(environ, start)
        start("507 Insufficient Storage", [("Content-Type", "application/xml")])
        said = "Storage backend has reached its minimum free drive threshold. Please delete a few objects to proceed."
        return [f"<Error><Code>XMinioStorageFull</Code><Message>{said}</Message></Error>".encode()]

    serving.app = full
    with pytest.raises(
        LmedgeError, match=r"part-0000\d.npz: the store does not do it \(.*minimum free drive threshold"
    ):
        synthesize(SynthesizeConfig(out="s3://faces/full", **options), Elsewhere(True))
    serving.app = app
    again = Elsewhere(True)
    synthesize(SynthesizeConfig(out="s3://faces/full", **options), again)
    synthesize(SynthesizeConfig(out=tmp_path / "here", **options), Elsewhere())
    there = objects(server, "full")
    assert there.pop(Path()) == b"" and again.done == 2 and there == contents(tmp_path / "here")
