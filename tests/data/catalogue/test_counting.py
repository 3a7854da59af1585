"""Counts of what was read, over all parts, beside what is expected."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from omnibench.data.catalogue.counting import counts_of, differences
from omnibench.data.catalogue.definition import Counts
from omnibench.data.catalogue.names import definition


def part(users: list[object], items: list[object]) -> dict[str, Any]:
    return {"user": pd.Series(users), "item": pd.Series(items)}


def test_users_and_items_of_several_parts_are_counted_once() -> None:
    """Whether they come as categories or as values; a pair that is there twice is one pair."""
    train, test = part([1, 1, 2], ["a", "b", "a"]), part([2, 3, 1], ["c", "a", "a"])
    expected = {"users": 3, "items": 3, "interactions": 6, "pairs": 5}
    assert counts_of([train, test], with_pairs=True) == expected
    coded = [{name: column.astype("category") for name, column in table.items()} for table in (train, test)]
    assert counts_of(coded, with_pairs=True) == expected
    assert "pairs" not in counts_of([train], with_pairs=False)


def test_integers_and_texts_of_the_same_ids_are_the_same() -> None:
    """Ids of a part are texts as soon as one of them is no integer."""
    assert counts_of([part([7, 8], [1, 2]), part(["7", "x"], [1, 1])], with_pairs=True) == {
        "users": 3,
        "items": 2,
        "interactions": 4,
        "pairs": 3,
    }


@pytest.mark.parametrize(
    ("expected", "count", "differs"),
    [(330_000, 330_975, False), (330_000, 341_000, True), (5, 5, False), (48_000_000, 48_373_586, False)],
)
def test_rounded_counts_may_differ_behind_their_last_digit(expected: int, count: int, differs: bool) -> None:
    """Whether they were rounded or cut; exact ones may not at all."""
    rounded = replace(definition("MovieLens1M"), counts=Counts(users=expected, rounded=True, evidence="x"))
    exact = replace(rounded, counts=replace(rounded.counts, rounded=False))
    assert bool(differences(rounded, {"users": count})) is differs
    assert bool(differences(exact, {"users": count})) is (count != expected)
