"""The `toy` stage: a dataset of drawn faces."""

from typing import TYPE_CHECKING

import cv2
import numpy as np

from lmedge.annotators.annotator import Picture
from lmedge.annotators.drawn import Drawn
from lmedge.executor import Executor
from lmedge.faces.cartoon import draw_face
from lmedge.faces.look import random_look
from lmedge.faces.options import ToyConfig
from lmedge.faces.record import Answer, Record, encode_png
from lmedge.place import executor_on
from lmedge.versions import versions

if TYPE_CHECKING:
    from lmedge.faces.assembly import Assembled


def toy(config: ToyConfig, executor: Executor | None = None) -> "Assembled":
    """Draws a dataset; see ToyConfig; without an `executor`, where `--on` says. Raises UsageError for a wrong option
    or a folder that is taken."""
    # Here, as the worker processes that import this file need no TensorFlow.
    from lmedge.faces.assembly import assemble

    Drawn().check(config.scheme)
    about = {
        "made_by": "toy",
        "size": config.size,
        "scheme": config.scheme.to_json(),
        "provenance": Drawn().provenance({}, "CC0-1.0").to_json(),
        "photos": config.count,
        "seed": config.seed,
        "versions": versions("opencv-contrib-python", "numpy"),
    }
    jobs = range(config.count)
    executor = executor or executor_on(config.on, config.workers)
    return assemble(config.out, jobs, _work, (_start, (config,)), about, executor, config.overwrite, "faces")


_config: ToyConfig  # one a worker process


def _start(config: ToyConfig) -> None:
    cv2.setNumThreads(1)
    global _config
    _config = config


def _work(index: int) -> Answer:
    look = random_look(np.random.default_rng((_config.seed, index)))
    pixels, points = draw_face(look, _config.size)
    landmarks = Drawn().find(Picture.of_face(pixels, points), _config.scheme)
    name = f"toy-{index:07}"
    return Record(encode_png(pixels), landmarks, name, name)
