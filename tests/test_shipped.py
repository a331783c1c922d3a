"""Models that come with lmedge are named where a bundle or a run is asked for."""

import json
import shutil

import pytest

from lmedge.about.info import info
from lmedge.about.options import InfoConfig
from lmedge.errors import UsageError
from lmedge.run import Run
from lmedge.runtime import Bundle, FaceSampler
from lmedge.shipped import PRETRAINED, REFERENCE, REFERENCE_RUN


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """An lmedge that comes with the reference alone."""
    from lmedge import shipped

    (tmp_path / "package" / "reference").symlink_to(REFERENCE)
    monkeypatch.setattr(shipped, "PRETRAINED", tmp_path / "package")


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "package").mkdir()


@pytest.mark.parametrize("name", ["pretrained", "reference"])
def test_a_name_is_a_bundle_or_a_run_as_is_asked_for(name):
    assert Bundle.open(name).path == FaceSampler(name).bundle.path == REFERENCE
    assert Run.open(name).path == REFERENCE_RUN
    assert info(InfoConfig(path=name)) == info(InfoConfig(path=REFERENCE))


def test_what_is_there_by_the_name_is_meant_first(bundle, trained, tmp_path):
    shutil.copytree(bundle, tmp_path / "reference")
    shutil.copytree(trained, tmp_path / "pretrained")
    assert Bundle.open("reference").version == Bundle.open(bundle).version != Bundle.open(REFERENCE).version
    assert Run.open("pretrained").generator_file.read_bytes() == (trained / "generator.keras").read_bytes()
    for name in ("student", "studnt"):
        (tmp_path / name).mkdir()
        with pytest.raises(UsageError) as refused:
            Bundle.open(name)
        assert ("--model student is the model of that name" in str(refused.value)) == (name == "student")
    # --model, and who names nothing, mean what comes with lmedge.
    assert info(InfoConfig(model="reference")) == info(InfoConfig()) == info(InfoConfig(path=REFERENCE))


def test_a_model_that_there_is_not_is_refused_in_a_sentence(alone, lmedge_here, tmp_path):
    for words in (("--model", "student"), ("student",)):
        done = lmedge_here("sample", *words, "--out", tmp_path / "faces")
        assert done.returncode == 2 and not (tmp_path / "faces").exists()
        told = "the model student" if words == ("student",) else "--model student"
        assert done.stderr == f"lmedge: {told}: no such model comes with this lmedge; there is reference.\n"
    with pytest.raises(UsageError, match="the model student: no such model"):
        Run.open("student")
    assert "--model {reference}" in lmedge_here("sample", "--help").stdout


def test_a_model_that_is_there_is_offered_and_drawn(lmedge_here, tmp_path):
    assert "{reference,student}" in lmedge_here("sample", "--help").stdout
    for place, words in enumerate((("--model", "student"), ("student",))):
        done = lmedge_here("sample", *words, "--count", 2, "--out", tmp_path / str(place))
        assert done.returncode == 0 and "the model student that comes with lmedge" in done.stderr
    wanted = FaceSampler(Bundle.open(PRETRAINED / "student")).sample(2).landmarks
    table = [(tmp_path / str(place) / "landmarks.csv").read_text() for place in range(2)]
    assert table[0] == table[1] and float(table[0].splitlines()[1].split(",")[1]) == pytest.approx(
        float(wanted[0, 0, 0]), abs=1e-3
    )


@pytest.mark.parametrize(
    ("verb", "words"),
    [("sample", ("bundle", "--out", "x")), ("info", ("bundle",)), ("serve", ("bundle",)), ("bench", ("bundle",)),
     ("synthesize", ("bundle", "--out", "x")), ("study", ("real", "--test", "t", "--out", "x", "--synthetic", "set"))],
)  # fmt: skip
def test_a_model_and_something_else_are_refused(lmedge_here, verb, words):
    done = lmedge_here(verb, *words, "--model", "reference")
    assert done.returncode == 2 and done.stderr.startswith("lmedge: --model reference ")
    assert "leave one of them out" in done.stderr and done.stderr.count("\n") == 1


def test_no_run_is_made_by_the_name_of_a_model(tmp_path):
    for name in ("pretrained", "reference"):
        with pytest.raises(UsageError, match=f"--run {name} is what a model is called .*; name another folder"):
            Run.create(tmp_path.relative_to(tmp_path) / name)
    assert not (tmp_path / "pretrained").exists()


def test_what_is_resolved_keeps_the_name(lmedge_here):
    told = json.loads(lmedge_here("sample", "pretrained", "--out", "x", "--dry-run").stdout)
    assert told["bundle"] == "pretrained" and told["model"] is None
