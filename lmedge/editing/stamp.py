"""The visible mark of edited pictures."""

import numpy as np

from lmedge.affine import Image8

# A font of 3 x 5 pixels: as it is enlarged by whole numbers it stays sharp, also where a picture is halved again.
_LETTERS = {
    "E": "###|#..|##.|#..|###",
    "D": "##.|#.#|#.#|#.#|##.",
    "I": "###|.#.|.#.|.#.|###",
    "T": "###|.#.|.#.|.#.|.#.",
}
TEXT = "EDITED"
SHARE = 64  # pixels of a picture for one of the font: the mark is two fifths as wide and a tenth as high


def stamped(picture: Image8) -> Image8:
    """A face `[H, W, 3]` that says in its lower right corner that it is edited: below most faces."""
    letters = [np.pad(_pixels(_LETTERS[letter]), ((0, 0), (0, 1))) for letter in TEXT]
    text = np.pad(np.concatenate(letters, axis=1)[:, :-1], 1)
    scale = max(1, min(picture.shape[:2]) // SHARE)
    text = np.kron(text, np.ones((scale, scale), np.uint8))[: picture.shape[0], -picture.shape[1] :]
    marked = picture.copy()
    marked[-text.shape[0] :, -text.shape[1] :] = np.where(text[..., None], 255, 0)
    return marked


def _pixels(letter: str) -> Image8:
    return np.array([[pixel == "#" for pixel in row] for row in letter.split("|")], np.uint8)
