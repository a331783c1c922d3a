"""`lmedge toy`."""

from lmedge.faces.options import ToyConfig
from lmedge.printable import print_text as print
from lmedge.verb import Verb


def run(config: ToyConfig) -> None:
    from lmedge.faces.toy import toy

    result = toy(config)
    print(f"{result.count} faces in {result.path}; {result.path}/contact.png shows some.")


VERB = Verb("toy", ToyConfig, run, needs=("tensorflow", "opencv-contrib-python"))
