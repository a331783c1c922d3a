"""One training of a study, in a worker."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lmedge.landmarks import nme
from lmedge.latent import Latents
from lmedge.quiet import load_tensorflow
from lmedge.study.arms import Arm
from lmedge.study.options import StudyConfig
from lmedge.study.training import Trained, Training

if TYPE_CHECKING:
    from lmedge.detector.diet import Diet, LabelledFaces
    from lmedge.detector.network import Renew
    from lmedge.keras_model import KerasFaceModel

SHARES = 0.0, 0.3, 0.6, 0.9  # of generated faces, of which one is chosen
SHARE = 0.5  # where none can be
FEWEST = 10  # real faces that can choose

_config: StudyConfig  # one a worker process
_seen: NDArray[np.float32]
_latents: Latents | None
_model: "KerasFaceModel"
_sets: dict[str, "LabelledFaces"]


def start_training(config: StudyConfig, seen: NDArray[np.float32], latents: Latents | None = None) -> None:
    """Loads the faces of three datasets into a worker, and keeps it to one thread: trainings run beside each other.
    `seen` `[N, K, 2]`: what an annotator finds on the real faces, nan where it finds nothing or does not look.
    `latents` `[N, Z]` of these, in the run of the options, where arms mix them."""
    load_tensorflow()
    import cv2
    import tensorflow as tf

    cv2.setNumThreads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from lmedge.detector.faces import labelled
    from lmedge.faces.records import FaceDataset

    assert config.synthetic is not None
    global _config, _seen, _sets, _latents, _model
    _config, _seen, _latents, target = config, seen, latents, FaceDataset(config.synthetic).scheme
    places = {"real": config.real, "test": config.test, "synthetic": config.synthetic}
    _sets = {name: labelled(FaceDataset(place), target) for name, place in places.items()}
    if latents is not None:
        from lmedge.run import Run

        assert config.run is not None
        _model = Run.open(config.run).face_model()


def chosen(count: int, amount: int, seed: int) -> np.ndarray:
    """Which real faces a training of this seed has; a larger amount holds those of a smaller one."""
    return np.random.default_rng(seed).permutation(count)[:amount]


def chooses(config: StudyConfig, arm: Arm, amount: int) -> bool:
    """Does a training of this arm on so many real faces choose its share of generated ones?"""
    return config.synthetic_share is None and arm.real and arm.made == "drawn" and amount >= FEWEST


def work(training: Training) -> Trained:
    """Trains a detector and tests it."""
    from lmedge.detector.network import detect, fit
    from lmedge.keras_file import network_bytes

    test = _sets["test"]
    some = chosen(len(_sets["real"]), training.amount, training.seed)
    diet = _diet(training.arm, some, _share(training, some))
    renew = _renew(training, diet, some) if training.arm.mixes else None
    network = fit(diet, _config.steps, training.seed, lambda *_: None, renew=renew)
    errors = nme(detect(network, test.images), test.landmarks, test.scheme)
    return Trained(errors, diet.synthetic_share, network_bytes(network) if training.seed == 0 else None)


def _diet(arm: Arm, some: NDArray[np.int64], share: float) -> "Diet":
    """What a detector of an arm learns from that has the real faces `some`."""
    from lmedge.datasets.augment import Augmentation
    from lmedge.detector.diet import Diet, restyled

    real = _sets["real"][some] if arm.real else None
    synthetic = _sets["synthetic"] if arm.made == "drawn" else None
    if real is not None and synthetic is not None and _config.style:
        synthetic = restyled(synthetic, real, _seen[some])
    return Diet(real, synthetic, share, Augmentation() if arm.classical else None)


def _share(training: Training, some: NDArray[np.int64]) -> float:
    """Of generated faces beside the real faces `some`: with which a training of a quarter of the steps on four fifths
    of these does best on the others."""
    from lmedge.detector.network import detect, fit

    arm = training.arm
    if arm.made is None or not arm.real:
        return 0.0 if arm.made is None else 1.0
    if not chooses(_config, arm, len(some)):
        return _config.synthetic_share or SHARE
    held, errors = _sets["real"][some[: len(some) // 5]], []
    for share in SHARES:
        diet = _diet(arm, some[len(held) :], share)
        network = fit(diet, max(1, _config.steps // 4), training.seed, lambda *_: None)
        errors.append(float(nme(detect(network, held.images), held.landmarks, held.scheme).mean()))
    return SHARES[int(np.argmin(np.nan_to_num(errors, nan=np.inf)))]


def _renew(training: Training, diet: "Diet", some: NDArray[np.int64]) -> "Renew":
    """Makes the generated faces of an arm that mixes the real faces `some`."""
    from lmedge.study.mixing import Mixing, interpolating
    from lmedge.study.smart import SmartMixer

    assert diet.real is not None and _latents is not None
    mixing = Mixing(_model, _latents[some], diet.real, _seen[some] if _config.style else None)
    if training.arm.made == "mixed":
        return interpolating(mixing, training.seed)
    return SmartMixer(mixing, diet, training.seed, _config.alpha, _config.beta).renew
