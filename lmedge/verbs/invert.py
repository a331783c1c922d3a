"""`lmedge invert`."""

from lmedge.inversion.options import InvertConfig
from lmedge.printable import print_text as print
from lmedge.verb import Verb


def run(config: InvertConfig) -> None:
    import numpy as np

    from lmedge.inversion.invert import invert

    latents = invert(config)
    low, middle, high = np.percentile(latents.psnr, (5, 50, 95))
    print(f"{len(latents)} faces inverted; PSNR median {middle:.1f} dB, 5 % below {low:.1f}, 5 % above {high:.1f}; "
          f"{(~latents.fits).sum()} that the generator cannot draw are marked")  # fmt: skip


def resolve(config: InvertConfig) -> InvertConfig:
    from lmedge.inversion.invert import resolve as resolved

    return resolved(config)


VERB = Verb(
    "invert",
    InvertConfig,
    run,
    needs=("tensorflow", "keras", "opencv-contrib-python"),
    resolve=resolve,
    moved={
        "--self-test": "`lmedge check-inversion RUN --count 1000` inverts generated faces",
        "--out": "`lmedge invert-photo RUN PHOTO --out PICTURE` inverts a photo",
    },
)
