import pytest

from lmedge.datasets import synthesize
from lmedge.runtime import FaceSampler
from tests.datasets import COUNT, SEED


@pytest.fixture(scope="session")
def faces(bundle):
    """What every set must hold."""
    return FaceSampler(bundle).sample(COUNT, SEED)


@pytest.fixture
def small_parts(monkeypatch):
    """Several parts a set."""
    monkeypatch.setattr("lmedge.datasets.formats.format.PART_FACES", 16)
    monkeypatch.setattr(synthesize, "PART_FACES", 16)
