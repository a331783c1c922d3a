import pytest
from PIL import Image

from lmedge.run import Run


@pytest.mark.slow
def test_the_demo_runs_every_stage_and_continues(tmp_path, lmedge, lmedge_here):
    out = tmp_path / "demo"
    args = ("demo", "--out", out, "--count", 200, "--kimg", 0.192, "--inverted", 120)
    done = lmedge(*args)
    assert done.returncode == 0, done.stderr
    assert str(out / "run" / "report" / "index.html") in done.stdout
    assert "held-out NME" in done.stderr.splitlines()[-1]
    with Image.open(out / "samples" / "contact.png") as picture:
        assert picture.size == (8 * 130 - 2, 16 * 130 - 2)  # each row of faces bare, and with landmarks
    assert (out / "interpolation.png").exists() and len(list((out / "samples").glob("face-*.png"))) == 64
    assert list(Run.open(out / "run").config()["stages"]) == [
        "train-gan", "invert", "train-lgen", "evaluate", "export",
    ]  # fmt: skip
    weights = (out / "run" / "generator.keras").stat().st_mtime_ns
    done = lmedge_here(*args)
    assert done.returncode == 0 and (out / "run" / "generator.keras").stat().st_mtime_ns == weights
    done = lmedge_here(*args[:-4], "--kimg", 99, "--inverted", 120)
    assert done.returncode == 2 and "--kimg is 99" in done.stderr and "holds a demo with 0.192" in done.stderr
