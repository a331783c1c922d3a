"""`lmedge edit`."""

from lmedge.editing.options import EditConfig
from lmedge.printable import print_text as print
from lmedge.verb import Verb


def run(config: EditConfig) -> None:
    from lmedge.editing.edit import edit

    edited = edit(config)
    first, last = edited.about["steps"][0], edited.about["steps"][-1]
    for name, value in edited.about["set"].items():
        seen = ""
        if last["seen"] and name in last["seen"]:
            seen = f"; the network sees {first['seen'][name]:+.2f} and {last['seen'][name]:+.2f}"
        print(f"{name}: {first['asked'][name]:+.2f} on the inversion, {value:+.2f} asked for{seen}")
    for step, what in ((first, "inversion"), (last, "edit")):
        print(f"the {what}: PSNR {step['psnr']:.1f} dB{_likeness(step['identity'])}")
    fits = "" if edited.fits else "; the generator cannot draw this face"
    print(f"{edited.picture}, {edited.record}{fits}")


def _likeness(found: dict[str, float] | None) -> str:
    if found is None:
        return ""
    return (
        f", {found['distance']:.2f} from the photo's person: of two photos of one person "
        f"{found['one_person_further']:.0%} are further apart, of two persons {found['two_persons_nearer']:.0%} nearer"
    )


def resolve(config: EditConfig) -> EditConfig:
    from lmedge.editing.edit import resolve as resolved

    return resolved(config)


NEEDS = ("tensorflow", "keras", "mediapipe", "opencv-contrib-python")
VERB = Verb("edit", EditConfig, run, NEEDS, resolve)
