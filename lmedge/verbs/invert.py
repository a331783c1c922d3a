"""`lmedge invert`."""

from lmedge.inversion.options import InvertConfig
from lmedge.printable import print_text as print
from lmedge.verb import Verb


def run(config: InvertConfig) -> None:
    if config.self_test:
        from lmedge.inversion.recovery import self_test

        found = self_test(config)
        print(f"{found.recovered:.1%} of {config.self_test} generated faces were found: latent and image; "
              f"{found.images_recovered:.1%} the image")  # fmt: skip
    elif config.faces is not None and config.faces.is_file():
        from lmedge.inversion.photo import invert_photo

        photo = invert_photo(config)
        points = "" if photo.nme is None else f", landmarks NME {photo.nme:.1%} against {photo.annotator}"
        fits = "" if photo.fits else "; the generator cannot draw this face"
        quality = f"PSNR {photo.psnr:.1f} dB, {photo.explained:.0%} of the variance explained"
        print(f"{quality}{points}{fits}: {photo.picture}")
    else:
        import numpy as np

        from lmedge.inversion.invert import invert

        latents = invert(config)
        low, middle, high = np.percentile(latents.psnr, (5, 50, 95))
        print(f"{len(latents)} faces inverted; PSNR median {middle:.1f} dB, 5 % below {low:.1f}, 5 % above {high:.1f}; "
              f"{(~latents.fits).sum()} that the generator cannot draw are marked")  # fmt: skip


def resolve(config: InvertConfig) -> InvertConfig:
    from lmedge.inversion.invert import resolve as resolved

    return resolved(config)


VERB = Verb("invert", InvertConfig, run, needs=("tensorflow", "keras", "opencv-contrib-python"), resolve=resolve)
