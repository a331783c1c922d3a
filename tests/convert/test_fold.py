import keras
import numpy as np
import pytest

from convert.fold import fold_upsampling, foldable, phase_kernel, transposed_kernel
from lmedge.gan.families.began.networks import build_generator
from tests.convert import joining_generator


def with_biases(model, seed=0):
    random = np.random.default_rng(seed)
    model.set_weights([random.normal(0, 0.3, weight.shape) for weight in model.get_weights()])
    return model


def convolution(image, kernel):
    """3x3, zeros around: the definition, in float64."""
    padded = np.pad(image.astype(np.float64), ((1, 1), (1, 1), (0, 0)))
    height, width, _ = image.shape
    windows = np.stack([padded[a : a + height, b : b + width] for a in range(3) for b in range(3)], axis=2)
    return np.einsum("hwtc,tco->hwo", windows, kernel.reshape(9, *kernel.shape[2:]))


def test_phases_are_the_convolution_of_the_upsampled_image():
    random = np.random.default_rng(1)
    image, kernel = random.normal(size=(3, 5, 4)), random.normal(size=(3, 3, 4, 2)).astype(np.float32)
    wanted = convolution(image.repeat(2, axis=0).repeat(2, axis=1), kernel)
    folded = phase_kernel(kernel).reshape(2, 2, 4, 2, 2, 2)  # [tap, tap, in, row phase, column phase, out]
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    for y in range(6):
        for x in range(10):
            # Pixel y of the large image lies in block (y + 1) // 2 of the padded small one, in phase (y + 1) % 2.
            block = padded[(y + 1) // 2 : (y + 1) // 2 + 2, (x + 1) // 2 : (x + 1) // 2 + 2]
            taps = folded[:, :, :, (y + 1) % 2, (x + 1) % 2]
            assert np.einsum("abi,abio->o", block, taps) == pytest.approx(wanted[y, x], abs=1e-5)


@pytest.mark.parametrize("build", [build_generator, joining_generator])
@pytest.mark.parametrize("form", ["phases", "transposed"])
def test_a_folded_generator_draws_the_same_borders_included(form, build):
    generator = with_biases(build(32, 4, 8))
    folded = fold_upsampling(generator, form)
    assert not any(isinstance(layer, keras.layers.UpSampling2D) for layer in folded.layers)
    z = np.random.default_rng(2).uniform(-1, 1, (3, 8)).astype(np.float32)
    before, after = np.asarray(generator(z)), np.asarray(folded(z))
    scale = np.abs(before).max()
    assert np.abs(after - before).max() / scale < 1e-5
    border = np.ones((32, 32), bool)
    border[1:-1, 1:-1] = False
    assert np.abs(after - before)[:, border].max() / scale < 1e-5


def test_the_transposed_kernel_is_known_for_a_line():
    kernel = np.zeros((3, 3, 1, 1), np.float32)
    kernel[1, :, 0, 0] = 1, 2, 4
    assert transposed_kernel(kernel)[1, :, 0, 0].tolist() == [4, 6, 3, 1]


def test_folding_saves_multiplications():
    def taps(model):
        """Multiply-adds of the convolutions for one image."""
        return sum(
            np.prod(layer.output.shape[1:3]) * layer.kernel.shape[0] * layer.kernel.shape[1]
            * layer.kernel.shape[2] * layer.kernel.shape[3]
            for layer in model.layers if isinstance(layer, keras.layers.Conv2D)
        )  # fmt: skip

    generator = build_generator(64, 8, 8)
    assert taps(fold_upsampling(generator)) < 0.78 * taps(generator)


def test_what_cannot_be_folded_is_left_alone():
    def model(**options):
        image = keras.Input((4, 4, 2))
        x = keras.layers.UpSampling2D(**{"size": 2, "interpolation": "nearest", **options.pop("up", {})})(image)
        return keras.Model(image, keras.layers.Conv2D(3, **{"kernel_size": 3, "padding": "same", **options})(x))

    assert len(foldable(model())) == 1
    for options in ({"strides": 2}, {"padding": "valid"}, {"kernel_size": 5}, {"dilation_rate": 2},
                    {"up": {"interpolation": "bilinear"}}, {"up": {"size": 3}}):  # fmt: skip
        left = model(**options)
        assert foldable(left) == {} and fold_upsampling(left) is left


def test_an_upsampling_that_others_read_too_is_left_alone():
    image = keras.Input((4, 4, 3))
    up = keras.layers.UpSampling2D(interpolation="nearest")(image)
    model = keras.Model(image, keras.layers.Add()([keras.layers.Conv2D(3, 3, padding="same")(up), up]))
    assert foldable(model) == {}


def test_two_convolutions_of_one_upsampling_are_both_folded():
    image = keras.Input((4, 4, 3))
    up = keras.layers.UpSampling2D(interpolation="nearest")(image)
    both = [keras.layers.Conv2D(2, 3, padding="same", use_bias=bias)(up) for bias in (True, False)]
    model = with_biases(keras.Model(image, keras.layers.Concatenate()(both)))
    assert len(foldable(model)) == 2
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype(np.float32)
    assert np.asarray(fold_upsampling(model)(x)) == pytest.approx(np.asarray(model(x)), abs=1e-5)
