"""A small set of generated faces, and what reads it."""

import numpy as np
from PIL import Image

from lmedge.datasets import synthesize
from lmedge.datasets.options import SynthesizeConfig

COUNT, SEED = 40, 3


def made(bundle, out, format_, **options):
    options = {"count": COUNT, "seed": SEED, "workers": 1, **options}
    return synthesize.synthesize(SynthesizeConfig(source=bundle, out=out, format=format_, **options))


def picture(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def read_pts(out):
    """A reader that knows nothing of lmedge: what stands between the braces, 1-based."""
    for path in sorted(out.glob("*.pts")):
        lines = path.read_text().splitlines()
        inside = lines[lines.index("{") + 1 : lines.index("}")]
        assert f"n_points: {len(inside)}" in lines
        yield picture(path.with_suffix(".png")), np.array([line.split() for line in inside], float) - 1
