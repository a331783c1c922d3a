"""The guard of tests/test_config.py can fail."""

import importlib.util
import sys

import pytest

from lmedge.inversion.options import InvertPhotoConfig
from lmedge.verbs import VERBS
from tests.readers import unread

TOY = """
from dataclasses import dataclass, replace
from typing import TypeVar

from lmedge.options import Stage


@dataclass(frozen=True, kw_only=True)
class Base(Stage):
    inherited: int = 1
    by_variable: int = 1


@dataclass(frozen=True, kw_only=True)
class ToyConfig(Base):
    used: int = 1
    kept: int = 1
    copied: int = 1
    by_property: int = 1
    checked: int = 1
    of_another: int = 1
    written: int = 1
    forgotten: int = 1

    def __post_init__(self):
        assert self.checked

    @property
    def twice(self):
        return 2 * self.by_property

    @property
    def never(self):
        return self.forgotten


class Keeper:
    def __init__(self, config: ToyConfig):
        self.config = config

    def tell(self):
        return self.config.kept


def of_base(config: Base):
    return config.inherited


Options = TypeVar("Options", bound=Base)


def of_any(config: Options):
    return config.by_variable


def stage(config: ToyConfig, other):
    other.of_another
    again = replace(config, written=2)
    return config.used, config.twice, again.copied
"""


@pytest.fixture
def toy(tmp_path):
    file = tmp_path / "toy_options.py"
    file.write_text(TOY)
    spec = importlib.util.spec_from_file_location("toy_options", file)
    module = sys.modules["toy_options"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["toy_options"]


def test_an_option_that_nobody_reads_is_caught(toy):
    """One that is only checked, one that another object has, one that is only written, one in a property that nobody
    asks for."""
    assert unread(toy.ToyConfig, "toy_options") == ["checked", "forgotten", "of_another", "written"]


def test_an_option_of_a_family_that_nobody_reads_is_caught(second_family):
    verb = VERBS["train-gan"]
    caught = {words: unread(kind, verb.run.__module__, kind.__module__) for words, kind in verb.kinds().items()}
    assert caught.pop(("--family", "second")) == ["forgotten"] and not any(caught.values()) and caught


def test_a_reader_of_another_verb_is_none():
    assert unread(InvertPhotoConfig, "lmedge.verbs.invert_photo") == []
    assert {"photo", "out"} <= set(unread(InvertPhotoConfig, "lmedge.verbs.sample"))
