import numpy as np
import pytest

from lmedge.errors import UsageError
from lmedge.landmarks import mirrored
from lmedge.scheme import IBUG49, IBUG68, converted, scheme_named


def test_ibug49_is_the_68_without_jaw_and_inner_mouth_corners():
    assert IBUG49.count == 49
    assert IBUG49.origin == tuple(f"ibug68/{i}" for i in (*range(17, 60), 61, 62, 63, 65, 66, 67))
    assert IBUG49.reference == (19, 28)
    assert IBUG68.reference == (36, 45)


@pytest.mark.parametrize("scheme", [IBUG49, IBUG68])
def test_mirror_is_its_own_inverse_and_keeps_the_middle(scheme):
    mirror = np.array(scheme.mirror)
    assert (mirror[mirror] == np.arange(scheme.count)).all()
    for middle in (27, 30, 33, 51, 57, 62, 66):
        assert mirror[scheme.index(f"ibug68/{middle}")] == scheme.index(f"ibug68/{middle}")


def test_mirror_swaps_left_and_right():
    mirror = IBUG68.mirror
    assert mirror[36] == 45 and mirror[39] == 42 and mirror[37] == 44 and mirror[41] == 46
    assert mirror[17] == 26 and mirror[48] == 54 and mirror[60] == 64 and mirror[0] == 16 and mirror[31] == 35
    points = np.zeros((68, 2), np.float32)
    points[36] = (3, 7)
    assert mirrored(points, 32, IBUG68)[45].tolist() == [28, 7]


def test_names_say_whose_eye_it_is():
    assert IBUG68.names[36] == "right_eye_0" and IBUG49.names[25] == "left_eye_0"
    assert len(set(IBUG68.names)) == 68


def test_subset_conversion_and_its_refusal():
    points = np.arange(136, dtype=np.float32).reshape(68, 2)
    assert converted(points, IBUG68, IBUG49)[0].tolist() == [34, 35]
    with pytest.raises(UsageError, match="ibug49 has no jaw_0, so it cannot give ibug68"):
        converted(points[:49], IBUG49, IBUG68)
    with pytest.raises(UsageError, match="'ibug12' is unknown"):
        scheme_named("ibug12")
