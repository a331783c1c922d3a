"""`lmedge detect`."""

from lmedge.detecting.options import DetectConfig
from lmedge.printable import print_text as print
from lmedge.verb import INTERPRETER, Verb


def run(config: DetectConfig) -> None:
    from lmedge.detecting.detect import detect

    found = detect(config)
    print(f"{found.faces} faces in {found.looked} {found.unit}, {found.per_second:.1f} faces/s: {found.out}")
    for reason, number in found.skipped.items():
        print(f"  {number:6}  {reason}")
    if found.unread:
        print(f"  {found.unread:6}  could not be read")


VERB = Verb("detect", DetectConfig, run, needs=(INTERPRETER, "opencv-contrib-python"))
