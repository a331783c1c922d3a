"""The encoder: a first guess of the latent of a face, learnt from the generator itself."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lmedge.errors import LmedgeError
from lmedge.faces.records import FaceDataset
from lmedge.gan.data import batches
from lmedge.gan.precision import in_precision
from lmedge.gan.quantiles import latents_of
from lmedge.inversion.search import Search
from lmedge.keras_file import save_network
from lmedge.keras_model import weights_hash
from lmedge.latent import LatentSpec
from lmedge.options import Precision
from lmedge.progress import progress
from lmedge.run import Run
from lmedge.storage import read_json, write_json

SCHEMA = 1
WIDTH, HIDDEN = 16, 256
SMALLEST = 4  # pixels of the last feature map
BATCH = 64  # drawn faces a step, and as many real ones
LEARNING_RATE = 2e-3  # Adam's at the start; falls along a cosine to 0


def build_encoder(size: int, latent: LatentSpec) -> Any:
    """E: face `[B, size, size, 3]` in -1..1 -> z `[B, Z]` inside of the bounds of `latent`.

    Per resolution down to 4x4 a 3x3 convolution with stride 2 to n(i+1) filters and, but for the first, one more (ELU);
    a dense layer; tanh, from bound to bound.
    """
    layers = keras.layers
    image = keras.Input((size, size, 3), name="image")
    x = image
    for i in range((size // SMALLEST).bit_length() - 1):
        filters = WIDTH * (i + 1)
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="elu", name=f"down_{i}")(x)
        if i:
            x = layers.Conv2D(filters, 3, padding="same", activation="elu", name=f"conv_{i}")(x)
    x = layers.Dense(HIDDEN, activation="elu", name="hidden")(layers.Flatten(name="flat")(x))
    z = layers.Activation("tanh", name="tanh")(layers.Dense(latent.size, name="code")(x))
    half, centre = (latent.high - latent.low) / 2, (latent.high + latent.low) / 2
    return keras.Model(image, layers.Rescaling(half.tolist(), centre.tolist(), name="z")(z), name="encoder")


def train_encoder(
    generator: Any, latent: LatentSpec, dataset: FaceDataset, weights: NDArray[np.float32], steps: int,
    precision: Precision, seed: int,
) -> Any:  # fmt: skip
    """Trains an encoder of `generator` in float32 or bfloat16 and returns it in float32.

    Half of what it learns are pairs (G(z), z), whose latents are known; the other half are real faces, whose error is
    that of G(E(face)), weighted with `weights [H, W]`. Pairs alone leave it 4 dB behind on real faces, as no real face
    looks drawn (compare in-domain inversion, arXiv 2004.00049). What inversion holds is not learnt: it counts for
    nothing, and for real faces its middle is taken. Raises LmedgeError for a loss that is not finite.
    """
    keras.utils.set_random_seed(seed)
    plain = build_encoder(dataset.size, latent)
    encoder = in_precision(plain, precision) if precision != "float32" else plain
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps))
    optimizer.build(encoder.trainable_variables)
    variables = [variable.value for variable in encoder.trainable_variables]
    scale = tf.constant(weights)[None, :, :, None]
    draws = tf.random.Generator.from_seed(seed)
    middle, per_unit = tf.constant(latent.middle), tf.constant(latent.searched / latent.unit)

    @tf.function(autograph=False)
    def step(real: tf.Tensor) -> tf.Tensor:
        z = latents_of(latent, draws.uniform([BATCH, latent.size]))
        drawn = generator(z, training=False)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            found = encoder(tf.concat([drawn, real], 0), training=True)
            redrawn = generator(tf.where(latent.searched, found[BATCH:], middle), training=False)
            apart = (found[:BATCH] - z) * per_unit
            loss = tf.reduce_mean(tf.square(apart)) + tf.reduce_mean(scale * tf.square(redrawn - real))
        optimizer.apply(tape.gradient(loss, variables), encoder.trainable_variables)
        return loss

    with progress("train encoder", steps, "steps") as advance:
        for number, indices in zip(range(steps), batches(len(dataset), BATCH, seed, 0), strict=False):
            loss = float(step(tf.constant(dataset.images(indices).astype(np.float32) / 127.5 - 1.0)))
            if not np.isfinite(loss):
                raise LmedgeError(
                    f"the encoder's loss is {loss} at step {number + 1}; the generator gives values that are not "
                    "finite, train it again, or take --start centre."
                )
            advance(1, f"loss {loss:.3f}")
    plain.set_weights(encoder.get_weights())
    return plain


def encoder_of(run: Run, generator: Any, dataset: FaceDataset, weights: NDArray[np.float32], search: Search) -> Any:
    """The encoder that the run keeps for this state of its generator and such a search, trained where there is none."""
    about = {"schema": SCHEMA, "generator": weights_hash(generator), "steps": search.encoder_steps, "seed": search.seed}
    kept = cached_encoder(run, generator)
    if kept is not None and read_json(_about_file(run), "an encoder") == about:
        return kept
    drawing = in_precision(generator, search.precision) if search.precision != "float32" else generator
    encoder = train_encoder(drawing, run.latent, dataset, weights, search.encoder_steps, search.precision, search.seed)
    _about_file(run).unlink(missing_ok=True)  # it speaks of the file that is now replaced
    save_network(encoder, run.encoder_file)
    write_json(_about_file(run), about)
    return encoder


def cached_encoder(run: Run, generator: Any) -> Any | None:
    """The encoder that the run keeps, if it belongs to this state of the generator."""
    if not _about_file(run).exists() or not run.encoder_file.exists():
        return None
    about = read_json(_about_file(run), "an encoder")
    if about.get("schema") != SCHEMA or about.get("generator") != weights_hash(generator):
        return None
    return run.encoder()


def has_encoder(run: Run) -> bool:
    """Does the run keep one for this state of its generator?"""
    return run.generator_file.exists() and cached_encoder(run, run.generator()) is not None


def _about_file(run: Run) -> Path:
    return run.encoder_file.with_suffix(".json")
