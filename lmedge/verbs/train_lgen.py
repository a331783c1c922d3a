"""`lmedge train-lgen`."""

from lmedge.lgen.options import TrainLgenConfig
from lmedge.printable import print_text as print
from lmedge.verb import Verb


def run(config: TrainLgenConfig) -> None:
    from lmedge.lgen.few import FewResult
    from lmedge.lgen.figures import told
    from lmedge.lgen.train import train_lgen

    result = train_lgen(config)
    if isinstance(result, FewResult):
        from lmedge.evaluation.labels_page import labels_page, lines_of

        labels_page(result)
        lines = lines_of(result)
        width = max(len(label) for label, _ in lines)
        for label, text in lines:
            print(f"{label:{width}}  {text}")
        print(f"{result.sentence}\nreport: {result.run.report / 'index.html'}")
        return
    for kind, part in (("inverted", result.metrics), ("generated", result.metrics.get("generated"))):
        if part is not None:
            held = part["held_out"]
            asked = f", what was asked for {part['asked_nme']:.2%}" if "asked_nme" in part else ""
            print(
                f"held-out NME {held['nme']:.2%} (median {held['nme_median']:.2%}, failures {held['failure_rate']:.1%})"
                f" on {held['faces']} {kind} faces; the mean face has {part['mean_face_nme']:.2%}{asked}"
            )
    print(f"held-out error by confidence: {told(result.metrics['point_confidence'])}")


NEEDS = ("tensorflow", "keras", "mediapipe", "opencv-contrib-python")
VERB = Verb("train-lgen", TrainLgenConfig, run, NEEDS)
