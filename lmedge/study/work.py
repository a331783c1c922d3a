"""One training of a study, in a worker process."""

from typing import TYPE_CHECKING

import numpy as np

from lmedge.landmarks import nme
from lmedge.quiet import load_tensorflow
from lmedge.storage import read_arrays, write_arrays
from lmedge.study.options import StudyConfig
from lmedge.study.training import Training

if TYPE_CHECKING:
    from lmedge.detector.network import LabelledFaces

_config: StudyConfig  # one a worker process
_sets: dict[str, "LabelledFaces"]


def start_training(config: StudyConfig) -> None:
    """Loads the faces of three datasets into a worker process, and keeps it to one thread: trainings run beside each
    other."""
    load_tensorflow()
    import cv2
    import tensorflow as tf

    cv2.setNumThreads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from lmedge.faces.records import FaceDataset
    from lmedge.study.faces import labelled

    assert config.synthetic is not None
    global _config, _sets
    _config, target = config, FaceDataset(config.synthetic).scheme
    places = {"real": config.real, "test": config.test, "synthetic": config.synthetic}
    _sets = {name: labelled(FaceDataset(place), target) for name, place in places.items()}


def chosen(count: int, amount: int, seed: int) -> np.ndarray:
    """Which real faces a training of this seed has; a larger amount holds those of a smaller one."""
    return np.random.default_rng(seed).permutation(count)[:amount]


def work(training: Training) -> float:
    """Trains, keeps the NMEs `[test faces]`, and returns their mean."""
    from lmedge.datasets.augment import Augmentation
    from lmedge.detector.network import Diet, LabelledFaces, detect, train_detector
    from lmedge.detector.style import fit_style
    from lmedge.keras_file import save_network

    arm, test = training.arm, _sets["test"]
    some = chosen(len(_sets["real"]), training.amount, training.seed)
    real = _sets["real"][some] if arm.real else None
    synthetic = _sets["synthetic"] if arm.synthetic else None
    if real is not None and synthetic is not None and _config.style:
        seen = read_arrays(_config.out / "face_mesh.npz")["real"][some]
        known = np.isfinite(seen).all(axis=(1, 2))
        if known.any():
            styled = fit_style(seen[known], real.landmarks[known], real.scheme)
            synthetic = LabelledFaces(synthetic.images, styled(synthetic.landmarks), synthetic.scheme)
    diet = Diet(real, synthetic, _config.synthetic_share, Augmentation() if arm.classical else None)
    network = train_detector(diet, test.images.shape[1], _config.steps, training.seed, lambda *_: None)
    errors = nme(detect(network, test.images), test.landmarks, test.scheme)
    if training.seed == 0:
        save_network(network, training.network_file(_config.out))
    write_arrays(training.file(_config.out), {"nme": errors})
    return float(errors.mean())
