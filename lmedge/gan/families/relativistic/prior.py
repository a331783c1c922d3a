"""What the blocks of a latent that ask for landmarks and attributes are drawn from, so that a device draws these as the
photos have them: a smile with the landmarks of a smile."""

import warnings

import numpy as np

from lmedge.block import Block
from lmedge.errors import UsageError
from lmedge.faces.records import FaceDataset
from lmedge.landmarks import Array, mirrored, normalised
from lmedge.mixture import Mixture, rounded
from lmedge.shapes import ShapeSpace, fit_shapes

PARTS = 16  # of the mixture
FACES_A_PART = 50  # fewer parts for small datasets
LEAST_VARIANCE = 1e-4  # in units of the block's bounds: a hundredth of their half, squared
LEAST_RANGE = 0.1  # of an attribute's values -1..1
FITTED = 20_000  # faces that the mixture is fitted to


def asking_blocks(faces: FaceDataset, size: int, attributes: bool) -> tuple[Block, ...]:
    """The block `shape` of the landmarks of a dataset and their mirror images, with at most `size` numbers, and the
    block `attributes` of what the faces show, drawn together. Raises UsageError where all landmarks are the same, or
    all faces have the same of an attribute."""
    if not attributes:
        return (shape_block(faces, size),) if size else ()
    names, shown = faces.attribute_names, faces.attributes
    if (same := np.ptp(shown, axis=0) < LEAST_RANGE).any():
        name = names[int(same.argmax())]
        raise UsageError(f"all faces of {faces.path} have the same of {name}; leave it out of --attribute-names.")
    both = np.concatenate([shown, shown])  # a mirror changes none
    if not size:
        return (Block("attributes", len(names), "mixture", mixture=fit_mixture(both), attributes=names),)
    shape, z = _shape(faces, size)
    mixture = fit_mixture(np.concatenate([z, both], axis=1))
    return (Block("shape", shape.size, "mixture", mixture=mixture, shapes=shape),
            Block("attributes", len(names), "joint", attributes=names))  # fmt: skip


def shape_block(faces: FaceDataset, size: int) -> Block:
    """The block `shape` alone."""
    shapes, z = _shape(faces, size)
    return Block("shape", shapes.size, "mixture", mixture=fit_mixture(z), shapes=shapes)


def _shape(faces: FaceDataset, size: int) -> tuple[ShapeSpace, Array]:
    """The space of the landmarks and of their mirror images, and the numbers `[2N, n]` of these in it."""
    landmarks = faces.landmarks
    both = np.concatenate([landmarks, mirrored(landmarks, faces.size, faces.scheme)])
    points = normalised(both, faces.size, faces.size)
    fit_shapes(points[: len(landmarks)], 1)  # alone they must differ already
    shapes = fit_shapes(points, size)
    return shapes, np.clip(shapes.latents(points), -1, 1)


def fit_mixture(z: Array, parts: int = PARTS) -> Mixture:
    """A mixture of at most `parts` normal distributions for numbers `[N, n]`, by expectation maximisation."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    parts = max(1, min(parts, len(z) // FACES_A_PART))
    some = np.random.default_rng(0).permutation(len(z))[:FITTED]
    model = GaussianMixture(parts, reg_covar=LEAST_VARIANCE, random_state=0, max_iter=100, tol=1e-3)
    with warnings.catch_warnings():  # a hundred rounds are enough, near or not
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(z[some].astype(np.float64))
    factors = np.linalg.cholesky(model.covariances_)
    weights = np.round(model.weights_, 6)
    weights[weights.argmax()] += 1 - weights.sum()
    kept = np.flatnonzero(weights > 0)
    lower = np.tril_indices(z.shape[1])
    return Mixture(
        rounded(weights[kept]),
        tuple(rounded(model.means_[i]) for i in kept),
        tuple(rounded(factors[i][lower]) for i in kept),
    )
