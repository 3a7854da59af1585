"""What is in a dataset, in figures: held against pandas and the definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.data.describe import QUANTILES, Description, describe, gini
from omnibench.data.interactions import from_columns


def frame(rows: int = 500, seed: int = 3) -> pd.DataFrame:
    """Interactions with repeated pairs, skewed users and items, ratings of a scale and times of a month."""
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user": [f"u{int(number)}" for number in draw.random(rows) ** 2 * 40],
            "item": (draw.random(rows) ** 3 * 90).astype(int),
            "rating": draw.integers(1, 6, rows) / 2,
            "timestamp": 1_700_000_000 + draw.integers(0, 30 * 86_400, rows),
        }
    )


def described(table: pd.DataFrame) -> Description:
    return describe(from_columns({str(name): table[name] for name in table}, "table"))


def test_the_figures_are_those_of_pandas() -> None:
    """Sizes, repeats, density, quantiles, means, shares of ratings, the span of time."""
    table = frame()
    description = described(table)
    pairs = len(table.drop_duplicates(["user", "item"]))
    assert description.interactions == 500
    assert (description.pairs, description.repeated) == (pairs, 500 - pairs)
    assert description.density == pairs / (table["user"].nunique() * table["item"].nunique())
    for side, column in ((description.users, "user"), (description.items, "item")):
        numbers = table[column].value_counts()
        assert side.count == len(numbers)
        assert (side.spread.least, side.spread.most, side.spread.mean) == (numbers.min(), numbers.max(), numbers.mean())
        assert side.spread.quantiles == {
            share: sorted(numbers)[math.ceil(share * len(numbers)) - 1] for share in QUANTILES
        }
        assert side.single == (numbers == 1).sum()
    assert description.ratings is not None
    assert description.ratings.frequencies == table["rating"].value_counts().sort_index().to_dict()
    assert description.times is not None
    assert (description.times.first, description.times.last) == (table["timestamp"].min(), table["timestamp"].max())
    assert description.times.moments == table["timestamp"].nunique()
    assert description.times.unit == "seconds"


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30).filter(any))
def test_gini_is_half_the_relative_mean_difference(numbers: list[int]) -> None:
    """The definition of the coefficient, over all pairs."""
    difference = sum(abs(one - two) for one, two in itertools.product(numbers, numbers))
    expected = difference / (2 * len(numbers) * sum(numbers))
    assert gini(np.array(numbers)) == pytest.approx(expected, abs=1e-12)


def test_the_order_of_rows_does_not_count() -> None:
    """A description is of what is in the data."""
    table = frame()
    shuffled = table.sample(frac=1, random_state=1)
    first, second = (described(each) for each in (table, shuffled))
    assert first == second


def test_data_without_ratings_and_times_have_none() -> None:
    """And one interaction is enough."""
    description = described(pd.DataFrame({"user": ["a"], "item": ["x"]}))
    assert (description.ratings, description.times, description.doubts) == (None, None, ())
    assert (description.density, description.users.gini, description.users.single) == (1.0, 0.0, 1)


def test_many_different_ratings_have_quantiles_alone() -> None:
    """Counts of plays are no scale; values of one are written as they were."""
    table = frame().assign(rating=np.arange(500) + 1)
    description = described(table)
    assert description.ratings is not None
    assert description.ratings.frequencies == {}
    assert description.ratings.spread.quantiles[0.5] == 250
    decimals = described(table.assign(rating=[3.3, 0.1] * 250))
    assert decimals.ratings is not None
    assert list(decimals.ratings.frequencies) == [0.1, 3.3]


@pytest.mark.parametrize(
    ("unit", "factor"), [("seconds", 1), ("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9)]
)
def test_the_unit_of_counts_is_told_by_their_size(unit: str, factor: int) -> None:
    """Interactions keep milliseconds as they are; dates and spans are right all the same."""
    table = frame().assign(timestamp=[1_700_000_000 * factor, 1_700_086_400 * factor] * 250)
    times = described(table).times
    assert times is not None
    assert (times.unit, times.days) == (unit, 1.0)
    assert (times.date(times.first), times.date(times.last)) == ("2023-11-14", "2023-11-15")
