"""The page of the model that comes with lmedge, for a real browser."""

import numpy as np
import pytest

from lmedge.block import Block
from lmedge.errors import LmedgeError
from lmedge.latent import LatentSpec
from lmedge.mixture import Mixture
from lmedge.scheme import IBUG49
from lmedge.shapes import ShapeSpace
from lmedge.web.export import web_export
from lmedge.web.options import WebExportConfig
from lmedge.web.serve import served
from lmedge.web.vendor import litert_js


@pytest.fixture(scope="session")
def vendored():
    """The folder of LiteRT.js."""
    try:
        return litert_js()
    except LmedgeError as error:
        pytest.skip(f"LiteRT.js: {error}")


@pytest.fixture(scope="session")
def site(vendored, tmp_path_factory):
    """The page of the model that comes with lmedge. Tests must not change it."""
    return web_export(WebExportConfig(out=tmp_path_factory.mktemp("web") / "site")).out


@pytest.fixture(scope="session")
def obedient(once):
    """A bundle whose latents ask for landmarks near a grid, and whose L-Gen gives just those; it is sure of every other
    point. Tests must not change it."""

    def make(out):
        import keras

        from convert import export

        random = np.random.default_rng(0)
        mean = np.stack(np.meshgrid(np.linspace(0.15, 0.85, 7), np.linspace(0.15, 0.85, 7)), axis=-1).ravel()
        axes = np.linalg.qr(random.normal(size=(98, 6)))[0].T  # at right angles
        mixture = Mixture((0.4, 0.6), ((0.2,) * 6, (-0.1,) * 6), ((0.2,) * 21, (0.15,) * 21))
        shape = Block("shape", 6, "mixture", mixture=mixture, shapes=ShapeSpace(tuple(mean), tuple(map(tuple, axes))))
        spec = LatentSpec((Block("person", 4), shape))
        keras.utils.set_random_seed(3)
        z = keras.Input((10,))
        image = keras.layers.Reshape((32, 32, 3))(keras.layers.Dense(32 * 32 * 3)(z))
        generator = keras.Model(z, keras.layers.Conv2D(3, 3, padding="same")(image))
        landmarks = keras.layers.Dense(98)
        lgen = keras.Model(z, keras.layers.Reshape((49, 2))(landmarks(z)))
        landmarks.set_weights([np.concatenate([np.zeros((4, 98)), axes]), mean])
        bias = keras.initializers.Constant(np.where(np.arange(49) % 2, -3.0, 3.0))
        of_points = keras.Model(z, keras.layers.Dense(49, "sigmoid", bias_initializer=bias)(z * 0.01))
        how = {"scheme": IBUG49, "latent": spec, "calibration": 8, "point_confidence": of_points}
        export(generator, lgen, ("fp32",), out=out, **how)

    return once("obedient", make)


@pytest.fixture(scope="session")
def address(site):
    with served(site) as url:
        yield url
