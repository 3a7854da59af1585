"""Filters, pruning and samples: what they keep, and what they refuse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench import RawData, from_frame
from omnibench.data.interactions import Interactions
from omnibench.data.preprocess import CorePruning, MakeImplicit, RatingFilter, Subsample, TimeFilter
from omnibench.data.step import Step, random_keys
from omnibench.errors import DataError

Pairs = list[tuple[int, int]]


def of_pairs(pairs: Pairs, ratings: list[float] | None = None) -> Interactions:
    user, item = (np.array([pair[column] for pair in pairs], dtype=np.int32) for column in (0, 1))
    rating = None if ratings is None else np.array(ratings, dtype=np.float32)
    return Interactions(user, item, rating, None, list(range(20)), list(range(20)))


def pairs_of(rows: Interactions) -> Pairs:
    return list(zip(rows.user.tolist(), rows.item.tolist(), strict=True))


def naive_core(pairs: Pairs, user_core: int, item_core: int) -> Pairs:
    """The core, one pair at a time: take away any pair that cannot stay until every pair can."""
    left = list(pairs)
    while True:
        users, items = Counter(user for user, _ in left), Counter(item for _, item in left)
        bad = next((pair for pair in left if users[pair[0]] < user_core or items[pair[1]] < item_core), None)
        if bad is None:
            return left
        left.remove(bad)


unique_pairs = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), unique=True, min_size=1, max_size=50)


@given(unique_pairs, st.integers(1, 4))
def test_core_pruning_finds_the_largest_core(pairs: Pairs, core: int) -> None:
    """What is left is the k-core of an independent, naive implementation; an empty one is refused."""
    expected = naive_core(pairs, core, core)
    if expected:
        assert pairs_of(CorePruning(core).apply(of_pairs(pairs), 42, 0)) == expected
    else:
        with pytest.raises(DataError, match=rf"CorePruning\({core}\) leaves no interaction of {len(pairs)}"):
            CorePruning(core).apply(of_pairs(pairs), 42, 0)


@given(unique_pairs, st.integers(1, 4), st.integers(1, 4))
def test_users_and_items_may_have_different_cores(pairs: Pairs, user_core: int, item_core: int) -> None:
    """What is left is the largest set in which users and items each reach their own core."""
    step = CorePruning(user_core=user_core, item_core=item_core)
    expected = naive_core(pairs, user_core, item_core)
    if expected:
        assert pairs_of(step.apply(of_pairs(pairs), 42, 0)) == expected
    else:
        with pytest.raises(DataError, match=r"CorePruning\(.*\) leaves no interaction"):
            step.apply(of_pairs(pairs), 42, 0)


@given(unique_pairs, st.integers(1, 4), st.integers(1, 4))
def test_one_pass_counts_once(pairs: Pairs, user_core: int, item_core: int) -> None:
    """A pair stays exactly when its user and item had enough at the beginning."""
    users, items = Counter(user for user, _ in pairs), Counter(item for _, item in pairs)
    expected = [pair for pair in pairs if users[pair[0]] >= user_core and items[pair[1]] >= item_core]
    step = CorePruning(user_core=user_core, item_core=item_core, one_pass=True)
    if expected:
        assert pairs_of(step.apply(of_pairs(pairs), 42, 0)) == expected
    else:
        with pytest.raises(DataError, match=r"one_pass=True\) leaves no interaction"):
            step.apply(of_pairs(pairs), 42, 0)


def test_one_core_is_that_of_whoever_has_none() -> None:
    """CorePruning(5, item_core=2) wants five of users and two of items; what is the same has the same key."""
    assert CorePruning(5, item_core=2).identity == CorePruning(user_core=5, item_core=2).identity
    assert CorePruning(user_core=5).identity == CorePruning(user_core=5, item_core=1).identity
    assert CorePruning(user_core=5, item_core=5).identity == CorePruning(5).identity
    assert repr(CorePruning(5, item_core=2)) == "CorePruning(user_core=5, item_core=2)"


def test_core_pruning_iterates() -> None:
    """Dropping an item can make a user too small, and so on: a chain falls down entirely."""
    ring = [(user, item) for user in range(3) for item in range(3)]
    chain = [(3, 3), (3, 4), (4, 4), (4, 5), (5, 5)]
    assert pairs_of(CorePruning(2).apply(of_pairs(ring + chain), 42, 0)) == ring


@given(st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.0, 4.5, 5.0]), min_size=1, max_size=30), st.integers(-1, 6))
def test_an_int_threshold_is_a_rating(ratings: list[float], threshold: int) -> None:
    """Interactions rated at least the threshold stay, in order, without their ratings."""
    pairs = [(number % 20, number // 20) for number in range(len(ratings))]
    expected = [pair for pair, rating in zip(pairs, ratings, strict=True) if rating >= threshold]
    if expected:
        implicit = MakeImplicit(threshold).apply(of_pairs(pairs, ratings), 42, 0)
        assert pairs_of(implicit) == expected
        assert implicit.rating is None
    else:
        with pytest.raises(DataError, match="leaves no interaction"):
            MakeImplicit(threshold).apply(of_pairs(pairs, ratings), 42, 0)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))
def test_a_float_threshold_is_a_fraction_of_the_rating_range(ratings: list[int], threshold: float) -> None:
    """The limit is lowest + threshold x (highest - lowest), computed here exactly."""
    limit = min(ratings) + Fraction(threshold) * (max(ratings) - min(ratings))
    pairs = [(number % 20, number // 20) for number in range(len(ratings))]
    implicit = MakeImplicit(threshold).apply(of_pairs(pairs, [float(rating) for rating in ratings]), 42, 0)
    assert pairs_of(implicit) == [pair for pair, rating in zip(pairs, ratings, strict=True) if rating >= limit]


def test_a_fractional_limit_is_as_exact_as_the_ratings() -> None:
    """A rating of 3.8 reaches the limit of 1 + 0.7 x 4, though neither has an exact binary form."""
    implicit = MakeImplicit(0.7).apply(of_pairs([(0, 0), (1, 1), (2, 2), (3, 3)], [1.0, 3.8, 3.7, 5.0]), 42, 0)
    assert pairs_of(implicit) == [(1, 1), (3, 3)]


@given(st.integers(1, 60), st.integers(0, 2**32 - 1), st.data())
def test_a_sample_has_its_size_and_keeps_the_order(n: int, seed: int, data: st.DataObject) -> None:
    """An int is a number, a float a fraction (at least one row); the kept rows stay in order."""
    size: int | float = data.draw(st.integers(1, n) | st.floats(0, 1, exclude_min=True))
    pairs = [(number % 20, number // 20) for number in range(n)]
    sample = pairs_of(Subsample(size).apply(of_pairs(pairs), seed, 0))
    assert len(sample) == (size if isinstance(size, int) else max(1, round(size * n)))
    positions = [pairs.index(pair) for pair in sample]
    assert positions == sorted(set(positions))
    assert sample == pairs_of(Subsample(size).apply(of_pairs(pairs), seed, 0))


@given(unique_pairs, st.integers(0, 2**32 - 1), st.sampled_from(["users", "items"]), st.data())
def test_sampled_users_and_items_keep_all_their_interactions(
    pairs: Pairs, seed: int, of: str, data: st.DataObject
) -> None:
    """Exactly as many users (items) stay as were asked for, with every interaction that they had."""
    column = ("users", "items").index(of)
    present = {pair[column] for pair in pairs}
    size: int | float = data.draw(st.integers(1, len(present)) | st.floats(0, 1, exclude_min=True))
    sample = pairs_of(Subsample(size, of).apply(of_pairs(pairs), seed, 0))
    sampled = {pair[column] for pair in sample}
    assert len(sampled) == (size if isinstance(size, int) else max(1, round(size * len(present))))
    assert sample == [pair for pair in pairs if pair[column] in sampled]


def test_every_user_is_as_likely_to_be_sampled() -> None:
    """Over 2000 seeds each of 10 users, however active, is in about half of the samples."""
    pairs = [(user, item) for user in range(10) for item in range(1 + user)]
    drawn = Counter(
        user
        for seed in range(2000)
        for user in {sampled for sampled, _ in pairs_of(Subsample(5, "users").apply(of_pairs(pairs), seed, 0))}
    )
    assert max(abs(count - 1000) for count in drawn.values()) < 5 * (2000 * 0.25) ** 0.5


timed = st.lists(st.integers(0, 40), min_size=1, max_size=30)
bounds = st.none() | st.integers(-1, 41) | st.floats(-1, 41)


@given(timed, bounds, bounds)
def test_a_period_is_half_open(times: list[int], start: float | None, end: float | None) -> None:
    """What happens at the start stays, what happens at the end does not; no bound is no limit."""
    frame = pd.DataFrame({"user": range(len(times)), "item": 0, "timestamp": times})
    expected = [time for time in times if (start is None or time >= start) and (end is None or time < end)]
    if start is None and end is None:
        return
    try:
        data = from_frame(frame).pipe(TimeFilter(start, end)).data
    except DataError as error:
        assert not expected or "not after it" in str(error)  # noqa: PT017 - the other half of the property
        return
    assert isinstance(data, RawData)
    assert sorted(data.df["timestamp"]) == sorted(expected)


def test_a_period_of_dates_is_in_the_unit_of_the_data() -> None:
    """The same dates keep the same rows of seconds, milliseconds and datetimes."""
    days = pd.Series(pd.date_range("2020-01-01", periods=10, freq="D", unit="s"))
    seconds = days.astype("int64")
    for column in (days, seconds, seconds * 1000, seconds * 10**9):
        frame = pd.DataFrame({"user": 1, "item": range(10), "timestamp": column})
        data = from_frame(frame).pipe(TimeFilter("2020-01-03", "2020-01-05")).data
        assert isinstance(data, RawData)
        assert data.df["item"].tolist() == [2, 3]


@given(st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.0, 3.8, 5.0]), min_size=1, max_size=30), st.data())
def test_ratings_within_bounds_stay(ratings: list[float], data: st.DataObject) -> None:
    """Both bounds are inclusive, exact for ratings that have no binary form, and the ratings stay."""
    lower, upper = sorted(data.draw(st.tuples(*[st.sampled_from([0.5, 1, 2.0, 3, 3.8, 5, 6])] * 2)))
    expected = [rating for rating in ratings if lower <= rating <= upper]
    frame = pd.DataFrame({"user": range(len(ratings)), "item": 0, "rating": ratings})
    if expected:
        filtered = from_frame(frame).pipe(RatingFilter(lower, upper)).data
        assert isinstance(filtered, RawData)
        assert filtered.df["rating"].tolist() == [float(np.float32(rating)) for rating in expected]
    else:
        with pytest.raises(DataError, match=r"RatingFilter\(.*\) leaves no interaction: ratings go from"):
            _ = from_frame(frame).pipe(RatingFilter(lower, upper)).data


def test_a_filter_without_its_column_is_refused_at_once() -> None:
    """The error says which column is missing."""
    raw = from_frame(pd.DataFrame({"user": [1], "item": [1]}))
    with pytest.raises(DataError, match="TimeFilter needs timestamps"):
        raw.pipe(TimeFilter(start=0))
    with pytest.raises(DataError, match="RatingFilter needs ratings"):
        raw.pipe(RatingFilter(lower=0))


def test_equal_samples_at_other_positions_or_seeds_draw_differently() -> None:
    """A second Subsample of a recipe does not repeat the draw of the first."""
    pairs = [(number % 20, number // 20) for number in range(60)]
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
        lambda: MakeImplicit(3, keep="ratings"),
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
        lambda: Subsample(5, "ratings"),
        CorePruning,
        lambda: CorePruning(user_core=0),
        lambda: CorePruning(item_core=1.5),  # type: ignore[arg-type]
        lambda: CorePruning(5, user_core=5, item_core=5),
        lambda: CorePruning(5, one_pass=1),  # type: ignore[arg-type]
        RatingFilter,
        lambda: RatingFilter(5, 1),
        lambda: RatingFilter("3"),  # type: ignore[arg-type]
        lambda: RatingFilter(upper=float("nan")),
        TimeFilter,
        lambda: TimeFilter("soon"),
        lambda: TimeFilter(5, 5),
        lambda: TimeFilter("2020-01-02", "2020-01-01"),
        lambda: TimeFilter(True),
    ],
)
def test_impossible_arguments_are_refused_at_once(make: Callable[[], Step]) -> None:
    """A step that can never be applied is refused when it is written down, by name."""
    with pytest.raises(DataError, match=r"MakeImplicit|CorePruning|Subsample|RatingFilter|TimeFilter"):
        make()


@given(st.lists(st.integers(1, 99), min_size=2, max_size=9), st.integers(0, 10), st.sampled_from([1, 10, 100]))
def test_a_fraction_of_the_range_is_taken_in_decimals(steps: list[int], tenths: int, unit: int) -> None:
    """Ratings such as 0.1, 0.2, 0.3 are no binary fractions; the middle one is half of the range all the same."""
    ratings = [step / unit for step in steps]
    limit = Fraction(min(steps), unit) + Fraction(tenths, 10) * (
        Fraction(max(steps), unit) - Fraction(min(steps), unit)
    )
    kept = MakeImplicit(tenths / 10).apply(of_pairs([(0, item) for item in range(len(steps))], ratings), 0, 0)
    assert kept.item.tolist() == [item for item, step in enumerate(steps) if Fraction(step, unit) >= limit]


def test_a_rating_that_is_the_threshold_stays() -> None:
    """Also where 32 bits round it: 3.7, 0.2, or a count above 2**24."""
    for rating in (3.7, 0.2, 1e-3):
        assert len(RatingFilter(lower=rating, upper=rating).apply(of_pairs([(0, 0)], [rating]), 0, 0)) == 1
    assert len(MakeImplicit(2**24 + 1).apply(of_pairs([(0, 0)], [2**24 + 1]), 0, 0)) == 1
    assert pairs_of(MakeImplicit(0.5).apply(of_pairs([(0, 0), (0, 1), (0, 2)], [0.1, 0.2, 0.3]), 0, 0)) == [
        (0, 1),
        (0, 2),
    ]


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
    assert MakeImplicit(3, keep="rating").identity == ["MakeImplicit", 1, {"threshold": 3, "keep": "rating"}]


def test_options_that_came_later_leave_older_keys_as_they_were() -> None:
    """A recipe that does not use them has the identity that it had before they existed."""
    assert CorePruning(5).identity == ["CorePruning", 1, {"core": 5}]
    assert Subsample(0.5).identity == ["Subsample", 1, {"sample_size": 0.5}]
    assert Subsample(5, "users").identity == ["Subsample", 1, {"sample_size": 5, "of": "users"}]
    assert CorePruning(5, one_pass=True).identity == ["CorePruning", 1, {"core": 5, "one_pass": True}]


def test_ratings_may_stay_beside_what_is_ranked() -> None:
    """The same interactions as without them, whose ratings later steps may use; another key, and still implicit."""
    frame = pd.DataFrame({"user": [1, 1, 2, 2], "item": [1, 2, 1, 3], "rating": [5.0, 2.0, 3.0, 4.5]})
    kept = from_frame(frame, "Mine").pipe(MakeImplicit(3, keep="rating"))
    assert isinstance(kept.data, RawData)
    assert kept.data.df.to_dict("list") == {"user": [1, 2, 2], "item": [1, 1, 3], "rating": [5.0, 3.0, 4.5]}
    assert (kept.feedback, kept.has_ratings) == ("implicit", True)
    assert repr(kept).endswith("| MakeImplicit(threshold=3, keep='rating')>")
    dropped = from_frame(frame, "Mine").pipe(MakeImplicit(3))
    assert (dropped.has_ratings, dropped.key != kept.key) == (False, True)
    assert isinstance(dropped.data, RawData)
    assert list(dropped.data.df) == ["user", "item"]
    filtered = kept.pipe(RatingFilter(upper=4)).data
    assert isinstance(filtered, RawData)
    assert filtered.df["rating"].tolist() == [3.0]
    assert kept.pipe(MakeImplicit(4)).has_ratings is False
