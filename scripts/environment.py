"""Where every script in Python begins: it goes on in a Python that has what it needs.

`enter` comes before anything that is not Python's own. setup.sh is the same for scripts in Bash, and makes the
environment that is looked for here.
"""

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EVERYWHERE = ("numpy", "PIL", "rich", "tyro")  # what lmedge itself imports


def enter(about: str | None, *modules: str) -> None:
    """Returns in a Python that has the packages of lmedge and `modules`, with lmedge on its path: in this one, or in
    that of the environment (.venv or $LMEDGE_VENV), in which the script begins again. Ends with a sentence where
    neither has them. `--help` prints `about`, in any Python."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print((about or "").strip())
        sys.exit()
    sys.path.insert(0, str(ROOT))
    missing = [name for name in (*EVERYWHERE, *modules) if importlib.util.find_spec(name) is None]
    if not missing:
        return
    venv = Path(os.environ.get("LMEDGE_VENV") or ROOT / ".venv")
    python = venv / "bin" / "python"
    here = Path(sys.prefix).resolve() == venv.resolve()
    if here or not python.exists():
        lack = f"the environment {venv} lacks it" if here else f"there is no environment in {venv}"
        name, setup = Path(sys.argv[0]).name, ROOT / "scripts" / "setup.sh"
        sys.exit(f"{name}: {missing[0]} is not installed and {lack}; run {setup}, or name another with LMEDGE_VENV.")
    os.execv(python, [str(python), *sys.argv])
