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
            if last["seen"][name] * value < 0:
                seen += ", so not what was asked for"
        print(f"{name}: {first['asked'][name]:+.2f} on the inversion, {value:+.2f} asked for{seen}")
    for step, what in ((first, "inversion"), (last, "edit")):
        print(f"the {what}: PSNR {step['psnr']:.1f} dB{_likeness(step['identity'])}")
    fits = "" if edited.fits else "; the generator cannot draw this face"
    print(f"{edited.picture}, {edited.record}{fits}")


def _likeness(found: dict[str, float] | None) -> str:
    if found is None:
        return ""
    same = "counts as" if found["verified"] else "does not count as"
    return f", {same} the photo's person (distance {found['distance']:.2f})"


def resolve(config: EditConfig) -> EditConfig:
    from lmedge.editing.edit import resolve as resolved

    return resolved(config)


NEEDS = ("tensorflow", "keras", "mediapipe", "opencv-contrib-python")
VERB = Verb("edit", EditConfig, run, NEEDS, resolve)
