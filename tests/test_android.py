import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).resolve().parents[1] / "scripts" / "check_android"


def test_the_layers_of_the_app_draw_what_the_python_runtime_draws():
    if shutil.which("java") is None:
        pytest.skip("java is not installed")
    done = subprocess.run([sys.executable, CHECK], capture_output=True, text=True, check=False)
    if "cannot be fetched" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"OK \((\d+) tests\)", done.stdout)[1]) >= 20
