"""What is known of how well features know people, as files have it."""

import json

import numpy as np
import pytest

from lmedge.errors import LmedgeError
from lmedge.judging.verified import Verified, told_apart

SAME, OTHER = np.array([0.1, 0.6, 0.3, 0.8], np.float32), np.array([0.9, 0.7, 0.5], np.float32)


def test_the_area_is_the_share_of_couples_in_the_right_order_and_the_threshold_the_best():
    accuracy, area, threshold = told_apart(SAME, OTHER)
    assert area == pytest.approx(np.mean([[s < o for s in SAME] for o in OTHER]))
    rights = [(np.mean(t >= SAME) + np.mean(t < OTHER)) / 2 for t in [0, *SAME, *OTHER]]
    assert accuracy == pytest.approx(max(rights))
    assert (np.mean(threshold >= SAME) + np.mean(threshold < OTHER)) / 2 == pytest.approx(accuracy)


def test_a_distance_stands_beside_those_of_pairs_also_when_it_was_read_again(tmp_path):
    random = np.random.default_rng(0)
    same, other = random.normal(0.6, 0.1, 3000), random.normal(1.0, 0.1, 3000)
    known = Verified.of(same, other, 20)
    file = tmp_path / "identity.json"
    file.write_text(json.dumps({"dataset": "d", **known.to_json()}))
    again = Verified.read(file)
    assert again == known and (again.pairs, again.persons) == (6000, 20) and 0.7 < again.threshold < 0.9
    for distance in (0.2, 0.55, 0.8, 1.05, 1.9):
        assert again.further(distance) == pytest.approx((same > distance).mean(), abs=0.01)
        assert again.nearer(distance) == pytest.approx((other < distance).mean(), abs=0.01)


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"same": None}, "does not say how far apart faces of one person are; run `scripts/train_features` again"),
    ({"other": [0.1] * 100}, "'other', lacks '100'"), ({"other": ["a"] * 101}, "not a number"),
    ({"same": [0.3, 0.2] + [0.5] * 99}, "has no percentiles"), ({"same": [0.1] * 102}, "has no percentiles"),
    ({"threshold": "a"}, "'a' for 'threshold', not a number"), ({"area": None}, "lacks 'area'"),
])  # fmt: skip
def test_a_record_that_was_damaged_is_refused(changes, sentence, tmp_path):
    whole = {**Verified.of(SAME, OTHER, 3).to_json(), **changes}
    (tmp_path / "identity.json").write_text(json.dumps({k: v for k, v in whole.items() if v is not None}))
    with pytest.raises(LmedgeError, match=sentence):
        Verified.read(tmp_path / "identity.json")
