"""`lmedge label` as a command."""

import json
import signal
import socket
import subprocess
import sys

import pytest

from lmedge.errors import LmedgeError, UsageError
from lmedge.labelling.label import label
from lmedge.labelling.options import LabelConfig
from lmedge.labels.folder import LabelFolder, Placed
from lmedge.owner import owning
from tests.labelling.conftest import asked
from tests.labels.conftest import EYES


@pytest.fixture
def scheme(tmp_path):
    """The file of a scheme."""
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(EYES.to_json()))
    return file


@pytest.mark.slow
def test_it_goes_on_after_a_kill_with_all_that_was_placed(bundle, scheme, tmp_path):
    out = tmp_path / "labels"
    options = ["--out", str(out), "--port", "0"]

    def serving(*more):
        command = [sys.executable, "-m", "lmedge", "label", str(bundle), *options, *more]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return server, server.stdout.readline().split()[0].replace("localhost", "127.0.0.1")

    server, url = serving("--scheme", str(scheme))
    point = {"face": 2, "point": 1, "now": [3, 4, 1], "was": [0, 0, 0]}
    with server:
        assert asked(url, "/api/point", point)[0] == 200
        with pytest.raises(LmedgeError, match="is in use: process"), owning(out):
            pass
        server.send_signal(signal.SIGKILL)
    (tmp_path / "000002.pts").write_text("version: 1\nn_points: 3\n{\n1 1\n2.5 3\n32 32\n}\n")
    server, url = serving("--take-over", str(tmp_path), "--new-scheme")  # there is one: it goes on
    with server:
        assert asked(url, "/api/face/2")[1]["points"] == [[0, 0, 2], [3, 4, 1], [31, 31, 2]]
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 130
        said = " ".join(server.stderr.read().split())
    assert "2 points taken over; 1 that are placed elsewhere stay (--replace takes them over)" in said
    assert said.endswith("lmedge: stopped; every point that was placed is kept.")
    assert not (out / ".lmedge.lock").exists() and (out / "images" / "000002.pts").exists()


def config(bundle, tmp_path, **options):
    return LabelConfig(**{"model": bundle, "out": tmp_path / "labels", "port": 0, **options})


def test_a_wrong_call_is_a_sentence_and_changes_nothing(bundle, model, scheme, tmp_path):
    def refused(sentence, **options):
        before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
        with pytest.raises(LmedgeError, match=sentence):
            label(config(bundle, tmp_path, **options))
        assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before

    refused("has no labels yet; say --scheme FILE, or --new-scheme to make one on the page")
    refused("exclude each other", scheme=str(scheme), new_scheme=True)
    refused("has no faces that somebody could have labelled", scheme=str(scheme), take_over=tmp_path)
    refused("--replace belongs to --take-over", scheme=str(scheme), replace=True)
    refused("nowhere does not exist", scheme=str(scheme), model=tmp_path / "nowhere")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused(r"--port \d+ is in use; take another one", scheme=str(scheme), port=taken.getsockname()[1])
    labels = LabelFolder.create(tmp_path / "labels", model, EYES)
    faces = model.sample(1)
    labels.add(faces.latents, faces.images)
    labels.place(0, 0, Placed(1, 1, 2), Placed())
    refused("labels on faces of generator 0123456789ab, and .* its latents draw other faces now")
    refused("labels of another scheme .eyes, 3 points. than --scheme says .ibug49, 49", scheme="ibug49")
    with pytest.raises(UsageError, match="--port must be between 0 and 65535"):
        config(bundle, tmp_path, port=70_000)
