"""How large what was read is, beside what the catalogue expects: a difference is said with both numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from omnibench.data.catalogue.definition import Counts, Definition

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

_WORDS = {
    "users": "users",
    "items": "items",
    "interactions": "interactions",
    "pairs": "different pairs of a user and an item",
}


def counts_of(parts: Iterable[Mapping[str, Any]], *, with_pairs: bool) -> dict[str, int]:
    """Count users, items, interactions, and different pairs, over all parts.

    Args:
        parts: The columns of each part, pandas Series by name.
        with_pairs: Whether pairs are counted, which takes as long as sorting them.
    """
    import pandas as pd

    tables = [{name: pd.Series(part[name]) for name in ("user", "item")} for part in parts]
    whole = {
        name: pd.concat([table[name].astype(object) for table in tables]) if len(tables) > 1 else tables[0][name]
        for name in ("user", "item")
    }
    codes = {name: pd.factorize(column) for name, column in whole.items()}
    counts = {
        "users": len(codes["user"][1]),
        "items": len(codes["item"][1]),
        "interactions": len(whole["user"]),
    }
    if with_pairs:
        numbers = codes["user"][0].astype(np.int64) * counts["items"] + codes["item"][0]
        numbers.sort()
        counts["pairs"] = int(len(numbers) and 1 + np.count_nonzero(numbers[1:] != numbers[:-1]))
    return counts


def differences(definition: Definition, counts: Mapping[str, int]) -> list[str]:
    """Return in which counts a data set is not what the catalogue expects, each with both numbers.

    Args:
        definition: What is expected.
        counts: What was read, by users, items, interactions and pairs.
    """
    expected = definition.counts
    return [
        f"{'about ' * expected.rounded}{count:,} {_WORDS[name]} are expected, and {counts[name]:,} were read"
        for name in _WORDS
        if (count := getattr(expected, name)) is not None
        and name in counts
        and abs(counts[name] - count) > _tolerance(count, expected)
    ]


def _tolerance(count: int, expected: Counts) -> int:
    """Return how far a count may be from an expected one: of rounded ones, up to the last digit that is not zero."""
    if not expected.rounded:
        return 0
    digits = str(count)
    return int(10 ** (len(digits) - len(digits.rstrip("0"))))
