"""`lmedge invert-photo`."""

from lmedge.fetched import origin
from lmedge.inversion.options import InvertPhotoConfig
from lmedge.printable import print_text as print
from lmedge.verb import Verb


def run(config: InvertPhotoConfig) -> None:
    from lmedge.inversion.photo import invert_photo

    photo = invert_photo(config)
    points = "" if photo.nme is None else f", landmarks NME {photo.nme:.1%} against {photo.annotator}"
    fits = "" if photo.fits else "; the generator cannot draw this face"
    quality = f"PSNR {photo.psnr:.1f} dB, {photo.explained:.0%} of the variance explained"
    print(f"{quality}{points}{fits}: {origin(photo.picture)}")


def resolve(config: InvertPhotoConfig) -> InvertPhotoConfig:
    from lmedge.inversion.photo import resolve as resolved

    return resolved(config)


NEEDS = ("tensorflow", "keras", "mediapipe", "opencv-contrib-python")
VERB = Verb("invert-photo", InvertPhotoConfig, run, NEEDS, resolve)
