"""MakeImplicit, CorePruning, Subsample: what they keep, and what they refuse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import properties  # noqa: F401 - hypothesis without deadlines
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.data.interactions import Interactions
from omnibench.data.preprocess import CorePruning, MakeImplicit, Subsample
from omnibench.data.step import Step, random_keys
from omnibench.errors import DataError

Pairs = list[tuple[int, int]]


def of_pairs(pairs: Pairs, ratings: list[float] | None = None) -> Interactions:
    user, item = (np.array([pair[place] for pair in pairs], dtype=np.int32) for place in (0, 1))
    rating = None if ratings is None else np.array(ratings, dtype=np.float32)
    return Interactions(user, item, rating, None, list(range(20)), list(range(20)))


def pairs_of(rows: Interactions) -> Pairs:
    return list(zip(rows.user.tolist(), rows.item.tolist(), strict=True))


def naive_core(pairs: Pairs, core: int) -> Pairs:
    """The k-core, one pair at a time: take away any pair that cannot stay until every pair can."""
    left = list(pairs)
    while True:
        users, items = Counter(user for user, _ in left), Counter(item for _, item in left)
        bad = next((pair for pair in left if users[pair[0]] < core or items[pair[1]] < core), None)
        if bad is None:
            return left
        left.remove(bad)


unique_pairs = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), unique=True, min_size=1, max_size=50)


@given(unique_pairs, st.integers(1, 4))
def test_core_pruning_finds_the_largest_core(pairs: Pairs, core: int) -> None:
    """What is left is the k-core of an independent, naive implementation; an empty one is refused."""
    expected = naive_core(pairs, core)
    if expected:
        assert pairs_of(CorePruning(core).apply(of_pairs(pairs), 42, 0)) == expected
    else:
        with pytest.raises(DataError, match=rf"CorePruning\({core}\) leaves no interaction of {len(pairs)}"):
            CorePruning(core).apply(of_pairs(pairs), 42, 0)


def test_core_pruning_iterates() -> None:
    """Dropping an item can make a user too small, and so on: a chain falls down entirely."""
    ring = [(user, item) for user in range(3) for item in range(3)]
    chain = [(3, 3), (3, 4), (4, 4), (4, 5), (5, 5)]
    assert pairs_of(CorePruning(2).apply(of_pairs(ring + chain), 42, 0)) == ring


@given(st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.0, 4.5, 5.0]), min_size=1, max_size=30), st.integers(-1, 6))
def test_an_int_threshold_is_a_rating(ratings: list[float], threshold: int) -> None:
    """Interactions rated at least the threshold stay, in order, without their ratings."""
    pairs = [(place % 20, place // 20) for place in range(len(ratings))]
    expected = [pair for pair, rating in zip(pairs, ratings, strict=True) if rating >= threshold]
    if expected:
        kept = MakeImplicit(threshold).apply(of_pairs(pairs, ratings), 42, 0)
        assert pairs_of(kept) == expected
        assert kept.rating is None
    else:
        with pytest.raises(DataError, match="leaves no interaction"):
            MakeImplicit(threshold).apply(of_pairs(pairs, ratings), 42, 0)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))
def test_a_float_threshold_is_a_fraction_of_the_rating_range(ratings: list[int], threshold: float) -> None:
    """The limit is lowest + threshold x (highest - lowest), computed here exactly."""
    limit = min(ratings) + Fraction(threshold) * (max(ratings) - min(ratings))
    pairs = [(place % 20, place // 20) for place in range(len(ratings))]
    kept = MakeImplicit(threshold).apply(of_pairs(pairs, [float(one) for one in ratings]), 42, 0)
    assert pairs_of(kept) == [pair for pair, rating in zip(pairs, ratings, strict=True) if rating >= limit]


def test_a_fractional_limit_is_as_exact_as_the_ratings() -> None:
    """A rating of 3.8 reaches the limit of 1 + 0.7 x 4, though neither has an exact binary form."""
    kept = MakeImplicit(0.7).apply(of_pairs([(0, 0), (1, 1), (2, 2), (3, 3)], [1.0, 3.8, 3.7, 5.0]), 42, 0)
    assert pairs_of(kept) == [(1, 1), (3, 3)]


@given(st.integers(1, 60), st.integers(0, 2**32 - 1), st.data())
def test_a_sample_has_its_size_and_keeps_the_order(n: int, seed: int, data: st.DataObject) -> None:
    """An int is a number, a float a fraction (at least one row); the kept rows stay in order."""
    size: int | float = data.draw(st.integers(1, n) | st.floats(0, 1, exclude_min=True))
    pairs = [(place % 20, place // 20) for place in range(n)]
    kept = pairs_of(Subsample(size).apply(of_pairs(pairs), seed, 0))
    assert len(kept) == (size if isinstance(size, int) else max(1, round(size * n)))
    places = [pairs.index(pair) for pair in kept]
    assert places == sorted(set(places))
    assert kept == pairs_of(Subsample(size).apply(of_pairs(pairs), seed, 0))


def test_equal_samples_at_other_positions_or_seeds_draw_differently() -> None:
    """A second Subsample of a recipe does not repeat the draw of the first."""
    pairs = [(place % 20, place // 20) for place in range(60)]
    drawn = [
        pairs_of(Subsample(30).apply(of_pairs(pairs), seed, position)) for seed, position in ((1, 0), (1, 1), (2, 0))
    ]
    assert drawn[0] != drawn[1] != drawn[2] != drawn[0]


def test_a_sample_larger_than_the_data_is_refused() -> None:
    """The error names what was asked for and what there is."""
    with pytest.raises(DataError, match=r"asks for 3 interactions, but the steps before leave 2"):
        Subsample(3).apply(of_pairs([(0, 0), (0, 1)]), 42, 0)


def test_the_random_stream_never_changes() -> None:
    """A frozen stream: every split and sample of every user depends on it."""
    assert random_keys(2, 42, 1).tolist() == FROZEN_STREAM
    assert random_keys(2, 42, 1).tolist() != random_keys(2, 42, 2).tolist()


FROZEN_STREAM = [14637540996126288189, 4537136404690122302]


@pytest.mark.parametrize(
    "make",
    [
        lambda: MakeImplicit(True),
        lambda: MakeImplicit("3"),  # type: ignore[arg-type]
        lambda: MakeImplicit(None),  # type: ignore[arg-type]
        lambda: MakeImplicit(3.0),
        lambda: MakeImplicit(-0.1),
        lambda: MakeImplicit(float("nan")),
        lambda: MakeImplicit(float("inf")),
        lambda: CorePruning(0),
        lambda: CorePruning(-1),
        lambda: CorePruning(2.0),  # type: ignore[arg-type]
        lambda: CorePruning(True),
        lambda: CorePruning("5"),  # type: ignore[arg-type]
        lambda: Subsample(0),
        lambda: Subsample(-1),
        lambda: Subsample(0.0),
        lambda: Subsample(1.1),
        lambda: Subsample(float("nan")),
        lambda: Subsample(True),
        lambda: Subsample("all"),  # type: ignore[arg-type]
    ],
)
def test_impossible_arguments_are_refused_at_once(make: Callable[[], Step]) -> None:
    """A step that can never be applied is refused when it is written down, by name."""
    with pytest.raises(DataError, match=r"MakeImplicit|CorePruning|Subsample"):
        make()


def test_a_float_that_looks_like_a_rating_gets_a_hint() -> None:
    """MakeImplicit(3.0) is no fraction; the error says what to write."""
    with pytest.raises(DataError, match=r"MakeImplicit\(3\)"):
        MakeImplicit(3.0)


def test_the_identity_of_a_step_tells_steps_apart() -> None:
    """Name, version and arguments are in it, and the type of an argument is one of them."""
    from omnibench.keys import digest

    steps = [MakeImplicit(1), MakeImplicit(1.0), CorePruning(1), Subsample(1), Subsample(1.0), Subsample(2)]
    assert len({digest(step.identity) for step in steps}) == len(steps)
    assert MakeImplicit(3).identity == ["MakeImplicit", 1, {"threshold": 3}]
