import ast
from itertools import combinations
from pathlib import Path

import pytest

from lmedge.bounds import LARGEST_SEED
from lmedge.seeds import MEET, Purpose

ROOT = Path(__file__).parents[1]
CODE = [path for folder in ("lmedge", "convert") for path in sorted((ROOT / folder).rglob("*.py"))]
DRAWS = {"draw", "numbers", "uniform", "default_rng", "from_seed", "stateless_uniform"}


def test_no_two_purposes_share_seeds_but_those_that_say_so():
    for one, other in combinations(Purpose, 2):
        apart = one.first + one.seeds <= other.first or other.first + other.seeds <= one.first
        assert apart != ({one, other} in MEET), (one, other)
    assert all(purpose.first + purpose.seeds <= LARGEST_SEED for purpose in Purpose)


def test_a_seed_of_a_purpose_has_64_bits():
    assert Purpose.TARGETS.seed(5) == (1 << 22) + 5 and Purpose.SAMPLES.seed(LARGEST_SEED) == LARGEST_SEED
    assert Purpose.INVERTED.seed(LARGEST_SEED) == (1 << 41) - 1


def own_seeds(source: str) -> list[str]:
    """Constants named after a seed, and seeds that are written where something is drawn."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and "SEED" in node.id:
            found.append(node.id)
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in DRAWS and any(isinstance(each, ast.LShift) for each in ast.walk(node)):
                found.append(called)
    return found


@pytest.mark.parametrize("source", ["SEED = 7919", "MY_SEED: int = 4", "z = spec.draw(3, (1 << 21) + seed)"])
def test_a_seed_of_its_own_is_seen(source):
    assert own_seeds(source)


def test_no_other_module_has_a_seed_of_its_own():
    found = {path.relative_to(ROOT).as_posix(): names for path in CODE if (names := own_seeds(path.read_text()))}
    assert found == {"lmedge/bounds.py": ["LARGEST_SEED"]}


def test_no_other_module_says_what_latents_are():
    """-1, 1 and 'prior' are said of latents in lmedge/latent.py alone."""
    words = ("the prior", "prior's", "prior(")
    assert not [path for path in CODE if any(word in path.read_text() for word in words)]
