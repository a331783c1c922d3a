import numpy as np

from lmedge.keras_model import to_uint8


def test_to_uint8_rounds_and_clips():
    assert to_uint8(np.array([-2, -1, 0, 0.004, 1, 9])).tolist() == [0, 0, 128, 128, 255, 255]
