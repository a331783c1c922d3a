"""`lmedge add-attributes`."""

from lmedge.faces.options import AddAttributesConfig
from lmedge.printable import print_text as print
from lmedge.verb import Verb


def run(config: AddAttributesConfig) -> None:
    from lmedge.faces.about import read_about
    from lmedge.faces.add_attributes import add_attributes

    made = add_attributes(config)
    about = read_about(made.path)
    labelled = about.facts["attributes"]["labelled"]
    print(f"{made.path}: {len(about.attributes)} attributes of {labelled} of {made.count} faces")


VERB = Verb("add-attributes", AddAttributesConfig, run, needs=("tensorflow", "opencv-contrib-python"))
