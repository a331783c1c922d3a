"""`lmedge prepare`."""

from lmedge.faces.options import PrepareConfig
from lmedge.printable import print_text as print
from lmedge.verb import Verb


def run(config: PrepareConfig) -> None:
    from lmedge.faces.prepare import prepare

    result = prepare(config)
    rejected = sum(result.rejected.values())
    share = result.count / (result.count + rejected)
    rate = f", {result.per_second:.1f} photos/s" if result.per_second else ""
    print(f"kept {result.count} of {result.count + rejected} photos ({share:.1%}) in {result.path}{rate}")
    for reason, number in result.rejected.items():
        print(f"  {number:6}  {reason}")
    if config.attributes:
        from lmedge.faces.about import read_about

        about = read_about(result.path)
        print(f"{len(about.attributes)} attributes of {about.facts['attributes']['labelled']} of its faces")
    print(f"{result.path}/contact.png shows some of them, {result.path}/rejected.csv lists the others.")


VERB = Verb("prepare", PrepareConfig, run, needs=("tensorflow", "mediapipe", "opencv-contrib-python"))
