"""`lmedge train-lgen`."""

from lmedge.lgen.options import TrainLgenConfig
from lmedge.printable import print_text as print
from lmedge.verb import Verb


def run(config: TrainLgenConfig) -> None:
    from lmedge.lgen.train import train_lgen

    metrics = train_lgen(config).metrics
    held = metrics["held_out"]
    print(
        f"held-out NME {held['nme']:.2%} (median {held['nme_median']:.2%}, failures {held['failure_rate']:.1%}) "
        f"on {held['faces']} faces; the mean face has {metrics['mean_face_nme']:.2%}"
    )


NEEDS = ("tensorflow", "keras", "mediapipe", "opencv-contrib-python")
VERB = Verb("train-lgen", TrainLgenConfig, run, NEEDS)
