import json

import numpy as np
import pytest
from scipy import stats

from lmedge.block import Block
from lmedge.errors import LmedgeError, UsageError
from lmedge.latent import LatentSpec, around, between, numbers, uniform
from lmedge.quantiles import normal
from lmedge.seeds import Purpose
from lmedge.shapes import ShapeSpace

PLAIN = LatentSpec.uniform(8)
MIXED = LatentSpec((
    Block("shape", 5),
    Block("noise", 3, "normal", -1.5, 2.0, searched=False),
    Block("wide", 4, "uniform", 0.1, 10.3),
))  # fmt: skip


def split_mix(seed, count):
    """SplitMix64 in plain integers."""
    mask = (1 << 64) - 1

    def mix(x):
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
        return x ^ (x >> 31)

    state = mix((seed + 0x9E3779B97F4A7C15) & mask)
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & mask
        yield mix(state)


@pytest.mark.parametrize("seed", [0, 1, 12345678901234567890])
def test_uniform_latents_are_the_upper_24_bits_of_split_mix(seed):
    wanted = [(number >> 40) / 2**23 - 1 for number in split_mix(seed, 40)]
    assert PLAIN.draw(5, seed).ravel().tolist() == uniform(5, 8, seed).ravel().tolist() == wanted


def test_latents_are_those_of_every_lmedge_before():
    """Drawn with lmedge 0.1: the first four of seed 7 and of seed 2^40 + 1, face 1000."""
    assert PLAIN.draw(1, 7)[0, :4].tolist() == [
        0.44301629066467285,
        0.29940855503082275,
        0.09874856472015381,
        0.20846951007843018,
    ]
    far = LatentSpec.uniform(64).draw(1, (1 << 40) + 1, 1000)
    assert far[0, :4].tolist() == [0.5073999166488647, -0.6432950496673584, 0.9739187955856323, -0.012853503227233887]


def test_normal_latents_are_quantiles_of_the_same_numbers_and_end_at_their_bounds():
    z, of = MIXED.draw(500, 3), numbers(500, 12, 3)
    wanted = np.clip(stats.norm.ppf((of[:, 5:8] + 0.5) / 2**24), -1.5, 2.0)
    assert z[:, 5:8] == pytest.approx(wanted, rel=3e-7, abs=1e-8)
    assert 0.04 < (z[:, 5:8] == -1.5).mean() < 0.1  # 6.7 % of a normal distribution lie below
    assert z[:, 8:] == pytest.approx(0.1 + 10.2 * of[:, 8:] / 2**24, rel=1e-6)
    assert (z >= MIXED.low).all() and (z <= MIXED.high).all()


def test_quantiles_are_those_of_scipy():
    p = np.concatenate([np.linspace(1e-4, 0.9999, 9999), 2.0 ** -np.arange(3, 26), 1 - 2.0 ** -np.arange(3, 26)])
    assert normal(p) == pytest.approx(stats.norm.ppf(p), rel=2e-9, abs=2e-9)


def test_no_share_gives_a_latent_outside_of_the_bounds():
    ends = MIXED.quantile(np.array([[0.0], [1.0]]) * np.ones(12))
    assert (ends[0] == MIXED.low).all() and (ends[1] == MIXED.high).all()
    far = LatentSpec((Block("z", 1, "normal", -100, 100),))
    assert np.abs(far.quantile(np.array([[0.0], [1.0]]))).max() == pytest.approx(5.42, abs=0.01)


def test_numbers_of_numpy_give_what_its_own_uniform_gives():
    share, wanted = (np.random.default_rng(0) for _ in range(2))
    assert (PLAIN.quantile(share.random((50, 8))) == wanted.uniform(-1, 1, (50, 8)).astype(np.float32)).all()


def test_face_i_does_not_depend_on_how_many_are_drawn():
    assert (MIXED.draw(10, 3)[4:6] == MIXED.draw(2, 3, first=4)).all()


def test_latents_are_uniform_and_of_different_seeds_different():
    z = LatentSpec.uniform(64).draw(4000)
    assert z.dtype == np.float32 and z.min() >= -1 and z.max() < 1
    assert abs(z.mean()) < 0.005 and z.var() == pytest.approx(1 / 3, abs=0.003)
    counts, _ = np.histogram(z, 16, (-1, 1))
    assert counts / z.size == pytest.approx(np.full(16, 1 / 16), abs=0.002)
    assert abs(np.corrcoef(z[:, 0], z[:, 1])[0, 1]) < 0.05
    one, other = (LatentSpec.uniform(1).draw(4000, seed)[:, 0] for seed in (0, 1))
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.05


def test_purposes_draw_from_their_parts_of_the_seeds():
    assert (PLAIN.draw(3, purpose=Purpose.PARITY) == PLAIN.draw(3, 1 << 20)).all()
    assert (PLAIN.draw(3, 5, purpose=Purpose.GENERATED) == PLAIN.draw(3, (1 << 40) + 5)).all()
    assert (PLAIN.draw(3, 5, purpose=Purpose.CALIBRATION) == PLAIN.draw(3, 5)).all()
    with pytest.raises(UsageError, match="seed must be between 0"):
        PLAIN.draw(1, -1)


def test_between_goes_straight_and_ends_exactly():
    first, last = PLAIN.draw(2)
    line = between(first, last, 5)
    assert (line[0] == first).all() and (line[-1] == last).all()
    assert line[2] == pytest.approx((first + last) / 2)


def test_neighbours_move_by_the_units_of_their_block_and_stay_inside():
    assert MIXED.middle.tolist() == pytest.approx([0] * 8 + [5.2] * 4)
    assert MIXED.unit.tolist() == pytest.approx([1] * 8 + [5.1] * 4)
    moved = around(MIXED, MIXED.middle[None], np.ones((1, 12), np.float32), 0.5)[0]
    assert moved.tolist() == pytest.approx([0.5] * 8 + [5.2 + 2.55] * 4)
    assert (around(MIXED, MIXED.middle[None], np.ones((1, 12), np.float32), 9.0)[0] == MIXED.high).all()


def test_each_block_is_truncated_towards_its_middle_by_its_own_share():
    z = MIXED.draw(9)
    found = MIXED.split(MIXED.truncated(z, {"shape": 0.5, "wide": 0.25}))
    parts = MIXED.split(z)
    assert (found["shape"] == parts["shape"] / 2).all() and (found["noise"] == parts["noise"]).all()
    assert found["wide"] == pytest.approx(5.2 + (parts["wide"] - 5.2) / 4, rel=1e-6)
    assert (MIXED.truncated(z, {}) == z).all()
    assert (PLAIN.truncated(PLAIN.draw(9), {"z": 0.7}) == PLAIN.draw(9) * np.float32(0.7)).all()
    ends = np.stack([MIXED.low, MIXED.high])
    for share in (0.999999, 0.5, 0.01):
        inside = MIXED.truncated(ends, dict.fromkeys(("shape", "noise", "wide"), share))
        assert (inside >= MIXED.low).all() and (inside <= MIXED.high).all() and inside.dtype == np.float32


def test_one_number_truncates_people_and_leaves_what_asks_for_landmarks():
    space = ShapeSpace((0.2, 0.3, 0.8, 0.3), ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0)))
    spec = LatentSpec((Block("person", 3), Block("shape", 2, shapes=space)))
    assert spec.by_block(0.6) == {"person": 0.6}
    assert MIXED.by_block(0.6) == dict.fromkeys(("shape", "noise", "wide"), 0.6)


def test_a_latent_is_split_and_joined_by_name():
    z = MIXED.draw(4)
    parts = MIXED.split(z)
    assert {name: part.shape for name, part in parts.items()} == {"shape": (4, 5), "noise": (4, 3), "wide": (4, 4)}
    assert (MIXED.join(parts) == z).all() and (MIXED.join(MIXED.split(z[0])) == z[0]).all()
    for wrong in ({**parts, "noise": z[:, :2]}, {"shape": z[:, :5]}):
        with pytest.raises(UsageError, match="block 'noise' must be given with 3 numbers"):
            MIXED.join(wrong)
    assert MIXED.searched.tolist() == [True] * 5 + [False] * 3 + [True] * 4
    assert (MIXED.clip(z * 99) == np.where(z > 0, MIXED.high, MIXED.low)).mean() > 0.6


def test_a_description_is_the_same_after_json():
    for spec in (PLAIN, MIXED):
        form = json.loads(json.dumps(spec.to_json()))
        again = LatentSpec.from_json(form, "there")
        assert again == spec and (again.draw(3, 1) == spec.draw(3, 1)).all()
    assert PLAIN.to_json() == {"size": 8, "blocks": [BLOCK]}
    assert str(PLAIN) == "8 numbers, uniform in -1..1"
    told = "shape 5 uniform in -1..1, noise 3 normal in -1.5..2, held by inversion, wide 4 uniform in 0.1..10.3"
    assert str(MIXED) == f"12 numbers: {told}"


BLOCK = {"name": "z", "size": 8, "distribution": "uniform", "low": -1.0, "high": 1.0, "searched": True}
HOSTILE = [
    None, [], "z", {},
    {"size": 8}, {"size": 8, "blocks": None}, {"size": 0, "blocks": []}, {"size": True, "blocks": []},
    {"size": 8, "blocks": [None]}, {"size": 8, "blocks": [[]]}, {"size": 9, "blocks": [BLOCK]},
    {"size": 16, "blocks": [BLOCK, BLOCK]},
    *({"size": 8, "blocks": [{**BLOCK, name: value}]} for name, value in [
        ("name", ""), ("name", None), ("name", "a\nb"), ("name", "z" * 100), ("size", 0), ("size", -1), ("size", 8.0),
        ("size", 10**400), ("distribution", "cauchy"), ("distribution", None), ("low", 1.0), ("low", float("nan")),
        ("low", -(10**400)), ("high", float("inf")), ("high", "1"), ("high", -1), ("high", 1e7), ("high", True),
        ("searched", 1), ("searched", None),
    ]),
    {"size": 8, "blocks": [{**BLOCK, "low": 1.0, "high": 1.0 + 1e-12}]},
    {"size": 5000, "blocks": [{**BLOCK, "size": 2500}, {**BLOCK, "size": 2500, "name": "y"}]},
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: f"{value!r:.50}")
def test_hostile_descriptions_are_refused_in_a_sentence(value):
    with pytest.raises(LmedgeError, match=r"^there.*\.$") as refused:
        LatentSpec.from_json(value, "there")
    assert type(refused.value) is LmedgeError and len(str(refused.value)) < 700


def test_blocks_of_which_nothing_can_be_drawn_are_refused_as_a_wrong_call():
    with pytest.raises(UsageError, match="block z has 8 numbers in 1..-1; take 1 to 4096 in bounds"):
        LatentSpec((Block("z", 8, low=1, high=-1),))
    with pytest.raises(UsageError, match=r"two blocks of one name \(z, z\)"):
        LatentSpec((Block("z", 8), Block("z", 8)))
