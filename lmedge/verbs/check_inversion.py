"""`lmedge check-inversion`."""

from lmedge.inversion.options import CheckInversionConfig
from lmedge.printable import print_text as print
from lmedge.verb import Verb


def run(config: CheckInversionConfig) -> None:
    from lmedge.inversion.recovery import check_inversion

    found = check_inversion(config)
    print(f"{found.recovered:.1%} of {config.count} generated faces were found: latent and image; "
          f"{found.images_recovered:.1%} the image")  # fmt: skip


def resolve(config: CheckInversionConfig) -> CheckInversionConfig:
    from lmedge.inversion.recovery import resolve as resolved

    return resolved(config)


NEEDS = ("tensorflow", "keras", "opencv-contrib-python")
VERB = Verb("check-inversion", CheckInversionConfig, run, NEEDS, resolve)
