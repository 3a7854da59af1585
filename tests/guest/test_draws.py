"""Draws of sampled candidates: the lowest keys, whoever computes them and in how many threads."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibench.guest import draw_keys, draws
from omnibench.guest.draws import Draws, Excluded
from omnibench.guest.parts import Ints

STEP, FACTORS = 0x9E3779B97F4A7C15, (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def mixed(state: int) -> int:
    """The mixing of SplitMix64 by Python's integers."""
    state = (state + STEP) % 2**64
    state = ((state ^ (state >> 30)) * FACTORS[0]) % 2**64
    state = ((state ^ (state >> 27)) * FACTORS[1]) % 2**64
    return state ^ (state >> 31)


def lowest_by_definition(
    is_drawable: npt.NDArray[np.bool_], excluded: list[int], user: int, number: int, seed: int
) -> set[int]:
    """The items with the lowest keys of all that may be drawn, by a full sort."""
    stream = mixed(mixed(seed) ^ user)
    items = [item for item in np.flatnonzero(is_drawable).tolist() if item not in excluded]
    return set(sorted(items, key=lambda item: mixed((stream + (item + 1) * STEP) % 2**64))[:number])


def nothing_excluded(users: Ints) -> Excluded:
    """Everybody may get everything."""
    return Excluded(np.zeros(len(users) + 1, dtype=np.int64), np.zeros(0, dtype=np.int32))


def as_sets(users: Ints, sizes: npt.NDArray[np.int64], items: Ints) -> dict[int, set[int]]:
    """The items of each user, none of which is there twice."""
    drawn = [part.tolist() for part in np.split(items, np.cumsum(sizes)[:-1])]
    assert all(len(set(part)) == len(part) for part in drawn)
    return {user: set(part) for user, part in zip(users.tolist(), drawn, strict=True)}


def all_of(parts: list[dict[int, set[int]]]) -> dict[int, set[int]]:
    """The sets of all thousands of users."""
    return {user: items for part in parts for user, items in part.items()}


@pytest.fixture(params=["numpy", pytest.param("numba", marks=pytest.mark.slow)])
def _computed_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has either of the two compute."""
    if request.param == "numba":
        pytest.importorskip("numba")
        monkeypatch.setattr(draws, "WORTH_COMPILING", 0)
        assert draws.compiled() is not None
    else:
        monkeypatch.setattr(draws, "WORTH_COMPILING", 2**62)


@pytest.mark.usefixtures("_computed_by")
@settings(max_examples=40, deadline=None)
@given(
    n_items=st.integers(1, 700),
    users=st.sets(st.integers(0, 2**31 - 1), min_size=1, max_size=3),
    number=st.integers(1, 120),
    seed=st.integers(0, 2**63 - 1),
    sample=st.integers(0, 2**32),
)
def test_draws_are_the_lowest_keys(n_items: int, users: set[int], number: int, seed: int, sample: int) -> None:
    """By the definition, with Python's own integers and a full sort; where few items are left, all of them are drawn."""
    generator = np.random.default_rng(sample)
    is_drawable = generator.random(n_items) < 0.8
    codes = np.array(sorted(users), dtype=np.int32)
    excluded = [
        generator.integers(0, n_items, size).tolist() for size in generator.integers(0, 2 * n_items, len(codes))
    ]
    first = np.concatenate([[0], np.cumsum([len(items) for items in excluded])]).astype(np.int64)
    item = np.concatenate([np.array(items, dtype=np.int32) for items in excluded])
    drawn = all_of(Draws(is_drawable, number, seed).of(codes, lambda _: Excluded(first, item), as_sets))
    for user, items in zip(codes.tolist(), excluded, strict=True):
        assert drawn[user] == lowest_by_definition(is_drawable, items, user, number, seed)


@pytest.mark.parametrize("cells", [1, 900, 1 << 21])
def test_a_threshold_that_is_too_low_is_no_error(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the users for whom too few keys are below the threshold, all keys are computed; whoever is looked up together."""
    monkeypatch.setattr(draw_keys, "DEVIATIONS", 0)
    monkeypatch.setattr(draws, "_CELLS", cells)
    users = np.arange(200, dtype=np.int32)
    is_drawable = np.arange(400) % 5 != 0
    excluded = [list(range(user)) for user in range(200)]
    first = np.cumsum([0, *range(200)])

    def of(some: Ints) -> Excluded:
        assert np.array_equal(some, users)
        return Excluded(first, np.concatenate([np.array(items, dtype=np.int32) for items in excluded]))

    drawn = all_of(Draws(is_drawable, 10, 3).of(users, of, as_sets))
    for user, items in enumerate(excluded):
        assert drawn[user] == lowest_by_definition(is_drawable, items, user, 10, 3)


@pytest.mark.usefixtures("_computed_by")
def test_threads_draw_the_same() -> None:
    """Each thread has users of its own, and all users get what they get from a single thread, in their order."""
    sets = Draws(np.ones(300, dtype=bool), 5, 3)
    users = np.arange(0, 9_000, 2, dtype=np.int32)
    alone, together = (sets.of(users, nothing_excluded, as_sets, threads) for threads in (1, 3))
    assert alone == together
    assert list(all_of(together)) == users.tolist()


def test_an_interrupted_draw_ends_soon() -> None:
    """What has not begun is not drawn any more."""
    begun = []

    def use(users: Ints, *_: object) -> None:
        begun.append(len(users))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Draws(np.ones(3_000, dtype=bool), 100, 3).of(np.arange(300_000, dtype=np.int32), nothing_excluded, use, 2)
    assert len(begun) < 290


def test_nobody_imports_numba_for_little() -> None:
    """It takes seconds to be imported and to compile, which a small draw is not worth."""
    script = (
        "import sys, numpy as np; from omnibench.guest.draws import Draws, Excluded\n"
        "nothing = lambda users: Excluded(np.zeros(len(users) + 1, dtype='i8'), np.zeros(0, dtype='i4'))\n"
        "Draws(np.ones(50, dtype=bool), 5, 1).of(np.arange(40, dtype='i4'), nothing, lambda *drawn: drawn, 2)\n"
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_broken_numba_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that is not made for the numpy that is installed: numpy computes."""
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "omnibench.guest.compiled_draws", raising=False)
    monkeypatch.setattr(draws, "WORTH_COMPILING", 0)
    assert draws.compiled() is None
    users = np.arange(3, dtype=np.int32)
    drawn = all_of(Draws(np.ones(50, dtype=bool), 5, 1).of(users, nothing_excluded, as_sets))
    assert drawn[2] == lowest_by_definition(np.ones(50, dtype=bool), [], 2, 5, 1)
