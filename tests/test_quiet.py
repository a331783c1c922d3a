import importlib.util
import sys

from lmedge.quiet import _Quietly, keep_quiet


def test_a_verb_that_happens_to_load_tensorflow_says_nothing_of_it(lmedge, tmp_path):
    done = lmedge("sample", "--count", 1, "--interpreter", "tensorflow", "--out", tmp_path / "faces")
    assert done.returncode == 0 and "on tensorflow" in done.stdout
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["drawing", "sample:"]


def test_only_tensorflow_is_found_by_it_and_once():
    keep_quiet()
    keep_quiet()
    assert sum(isinstance(finder, _Quietly) for finder in sys.meta_path) == 1
    assert _Quietly().find_spec("json", None) is None
    spec, found = _Quietly().find_spec("tensorflow", None), importlib.util.find_spec("tensorflow")
    assert spec and found and spec.origin == found.origin
