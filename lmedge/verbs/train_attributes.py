"""`lmedge train-attributes`."""

from lmedge.attributes.options import TrainAttributesConfig
from lmedge.printable import print_text as print
from lmedge.verb import Verb


def run(config: TrainAttributesConfig) -> None:
    from lmedge.attributes.train import train_attributes

    made = train_attributes(config)
    ranked = sorted(
        made.measured, key=lambda each: (each.name not in made.kept, not each.known, -each.balanced_accuracy)
    )
    width = max(len(each.name) for each in ranked)
    print(f"{'':{width}}  balanced accuracy  calibration error  held-out faces with it, without")
    for each in ranked:
        out = "" if each.name in made.kept else "  left out"
        figures = f"{each.balanced_accuracy:6.1%} ± {each.error:5.1%}     {each.ece:10.1%}"
        if not each.known:
            figures = f"{'not measured':30}"
        print(f"{each.name:{width}}  {figures}{each.yes:22} {each.no:8}{out}")
    faces = made.faces
    print(
        f"{len(made.kept)} of {len(made.measured)} attributes in {made.path}, learnt from {faces['training']} faces, "
        f"measured on {faces['held_out']} of other people; it labelled {faces['labelled_by_network']} others"
    )
    print(f"{made.path}/sheet.png shows the faces that have the least and the most of each.")


VERB = Verb("train-attributes", TrainAttributesConfig, run, needs=("tensorflow", "keras", "opencv-contrib-python"))
