import itertools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lmedge import installation
from lmedge.about import doctor as stage
from lmedge.about.doctor import doctor
from lmedge.installation import install, remedy
from lmedge.verb import DATASETS, TRAIN
from lmedge.verbs import VERBS
from lmedge.web.vendor import VERSION

ROOT = Path(__file__).resolve().parents[1]
NEEDS = {name: verb.needs for name, verb in VERBS.items()}


@pytest.fixture
def installed_from(monkeypatch, tmp_path):
    """`installed_from(url)`: lmedge runs outside a clone, and pip has noted this address; None for an index."""

    def noted(url):
        monkeypatch.setattr(installation, "ROOT", tmp_path / "site-packages")
        monkeypatch.setattr(installation, "_installed_from", lambda: url)

    return noted


def test_a_clone_is_installed_again_with_the_versions_that_were_tested(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    assert install("train") == "pip install -c constraints.txt '.[train]'"
    assert install("litert", "datasets") == "pip install '.[litert,datasets]'"
    monkeypatch.chdir(tmp_path)
    *_, constraints, source = shlex.split(install("train"))
    assert Path(constraints) == ROOT / "constraints.txt" and source == f"{ROOT}[train]"


def test_a_wheel_is_named(installed_from, tmp_path):
    wheel = tmp_path / "my wheels" / "lmedge-0.1.0-py3-none-any.whl"
    installed_from(wheel.as_uri())
    assert install("litert") == "pip install 'lmedge-0.1.0-py3-none-any.whl[litert]'"  # it is gone
    wheel.parent.mkdir()
    wheel.touch()
    assert shlex.split(install("train"))[-1] == f"{wheel}[train]"


def test_other_origins_are_named(installed_from):
    installed_from("git+https://example.org/lmedge")
    assert install("train") == "pip install 'lmedge[train] @ git+https://example.org/lmedge'"
    installed_from(None)
    assert install("train") == "pip install 'lmedge[train]'"


def test_the_extra_is_the_one_that_brings_the_module(installed_from):
    installed_from(None)
    wanted = {"cv2": "[train]", "keras.src": "[train]", "fpng": "[datasets]", "tflite_runtime": "[tflite]", "numpy": ""}
    for module, extra in wanted.items():
        assert shlex.split(remedy(module))[-1] == f"lmedge{extra}"


def test_no_message_advises_a_name_that_no_index_has():
    written = (
        file for place in ("lmedge/**/*.py", "convert/**/*.py", "docs/**/*.md", "*.md") for file in ROOT.glob(place)
    )
    for file in written:
        assert not re.search(r"pip install '?\"?lmedge\[", file.read_text(encoding="utf-8")), file


def test_doctor_speaks_of_every_verb(monkeypatch):
    monkeypatch.setattr(stage, "_try", lambda code: None)  # what is installed is loaded elsewhere
    monkeypatch.setattr(stage, "_gpus", lambda: "none")
    lines = doctor(NEEDS)
    rows = itertools.takewhile(lambda line: line.startswith("  "), lines[lines.index("verbs") + 1 :])
    verbs = [verb for line in rows for verb in line.split("  ")[1].split(", ")]
    assert sorted(verbs) == sorted(VERBS)


def test_doctor_says_what_is_missing_and_how_to_get_it(monkeypatch):
    monkeypatch.setattr(stage, "_version", lambda name: None if name in ("fpng", "mediapipe", "tensorflow") else "1")
    monkeypatch.setattr(stage, "installed", dict)
    monkeypatch.setattr(stage, "suits_here", lambda: "litert")
    monkeypatch.setattr(stage, "_litert_js", lambda: None)
    monkeypatch.chdir(ROOT)
    told = {line.split("  ")[1]: line for line in doctor(NEEDS) if line.startswith("  ")}
    assert told["toy, add-attributes"].endswith("missing tensorflow: pip install -c constraints.txt '.[train]'")
    assert told["prepare"].endswith("missing tensorflow, mediapipe: pip install -c constraints.txt '.[train]'")
    assert "missing a TFLite interpreter, LiteRT.js: pip install '.[litert]'; install npm" in told["serve, web-export"]
    assert told["sample, interpolate, bench"].endswith("missing a TFLite interpreter: pip install '.[litert]'")
    assert told["synthesize"].endswith("missing a TFLite interpreter, fpng: pip install '.[litert,datasets]'")
    assert told["report"].endswith("ready") and told["info, doctor, completion"].endswith("ready")


OTHER_NAMES = {"opencv-contrib-python": "cv2", "tensorflow-model-optimization": "tensorflow_model_optimization"}
WITHOUT = """
import sys
for module in {modules}:
    sys.modules[module] = None  # as if it were not installed
from lmedge.cli import main
sys.exit(main({words}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [("toy", "--count", "2", "--size", "32", "--workers", "1"),
     ("export", "RUN", "--variants", "fp32", "--calibration", "16")],
    ids=lambda words: words[0],
)  # fmt: skip
def test_a_verb_runs_with_nothing_of_the_extras_but_what_it_names(words, request, tmp_path):
    words = [str(request.getfixturevalue("trained")) if word == "RUN" else word for word in words]
    unnamed = {*TRAIN, *DATASETS} - {*NEEDS[words[0]]}
    code = WITHOUT.format(modules=[OTHER_NAMES.get(name, name) for name in unnamed],
                          words=[*words, "--out", str(tmp_path / "out")])  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


def test_doctor_knows_whether_a_page_can_be_made(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(stage.shutil, "which", lambda name: None)
    assert stage._litert_js() is None
    (tmp_path / "lmedge" / f"litertjs-{VERSION}").mkdir(parents=True)
    assert stage._litert_js() == VERSION
