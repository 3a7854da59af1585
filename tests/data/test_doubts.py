"""Values that look like codes for missing ones, and those that only seem to."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from omnibench.data.describe import describe
from omnibench.data.interactions import from_columns


def doubts(**columns: Any) -> list[tuple[str, Any, int]]:
    """Return column, value and rows of what is doubtful in a table of 60 rows."""
    table = {
        "user": [f"u{number % 6}" for number in range(60)],
        "item": [f"i{number}" for number in range(60)],
        **columns,
    }
    description = describe(from_columns({name: pd.Series(values) for name, values in table.items()}, "table"))
    return [(doubt.column, doubt.value, doubt.rows) for doubt in description.doubts]


SCALE = [1, 2, 3, 4, 5] * 10


@pytest.mark.parametrize(
    ("ratings", "expected"),
    [
        (SCALE + [-1] * 10, [("rating", -1.0, 10)]),  # Anime: watched, not rated
        ([-9.5, -1.0, 0.0, 4.25, 10.0] * 10 + [99] * 10, [("rating", 99.0, 10)]),  # Jester
        (SCALE + [0] * 10, [("rating", 0.0, 10)]),  # Book-Crossing: implicit
        (SCALE + [-99] * 10, [("rating", -99.0, 10)]),
        ([0, 1] * 30, [("rating", 0.0, 30)]),
        (SCALE + [3] * 10, []),
        ([-2, -1, 0, 1, 2, 3] * 10, []),  # a scale around 0
        ([0.5, 1, 1.5, 2, 0] * 12, []),  # half stars from 0
        ([*range(59), 99], []),  # counts, of which one is 99
        ([99] * 60, []),
    ],
)
def test_ratings_that_do_not_belong_to_the_scale(ratings: list[float], expected: list[Any]) -> None:
    """The ends of the scale are looked at: -1, -99, 0 and 99 where the others are elsewhere."""
    assert doubts(rating=ratings) == expected


@pytest.mark.parametrize("text", ["NA", "null", "None", "-", "NaN", "unknown", "-1"])
def test_ids_that_are_none(text: str) -> None:
    """Sets of sessions have these for visitors who are not signed in."""
    assert doubts(user=[text, *(f"u{number}" for number in range(59))]) == [("user", text, 1)]


def test_ids_that_are_numbers() -> None:
    """-1 is none; 0 is where numbering begins."""
    assert doubts(item=[-1, *range(59)]) == [("item", -1, 1)]


def test_an_id_with_very_many_interactions_may_stand_for_several() -> None:
    """Not so among few ids, where one may well have a tenth of all; and what is missing is said once."""
    rest = [f"u{number}" for number in range(52)]
    assert doubts(user=["guest"] * 8 + rest) == [("user", "guest", 8)]
    assert doubts(user=["NA"] * 8 + rest) == [("user", "NA", 8)]
    assert doubts(user=["guest"] * 8 + rest[:20] + rest[:20] + rest[:12]) == []


def test_moments_that_are_none() -> None:
    """1970 among later dates, and the same moment everywhere."""
    assert doubts(timestamp=[0, 0, *range(1_700_000_000, 1_700_000_058)]) == [("timestamp", 0, 2)]
    assert doubts(timestamp=[1_700_000_000] * 60) == [("timestamp", 1_700_000_000, 60)]
    assert doubts(timestamp=list(range(60))) == []  # steps
