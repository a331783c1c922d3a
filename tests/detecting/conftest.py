"""A detector, trained for a few steps."""

import pytest

from lmedge.detecting.options import TrainDetectorConfig
from lmedge.detecting.train import train_detector


@pytest.fixture(scope="package")
def trained_detector(tmp_path_factory, toys, bundle):
    """Of the drawn dataset beside faces of the tiny bundle. Tests must not change it."""
    out = tmp_path_factory.mktemp("detecting") / "detector"
    options = {"generated": 100, "steps": 3, "workers": 1}
    return train_detector(TrainDetectorConfig(source=bundle, real=toys, out=out, **options))
