"""How large what was read is, beside what the catalogue expects: a difference is said with both numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from omnibench.data.catalogue.definition import Counts, Definition

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

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
    tables = list(parts)
    codes = {name: _codes([table[name] for table in tables]) for name in ("user", "item")}
    counts = {
        "users": int(np.count_nonzero(np.bincount(codes["user"]))),
        "items": int(np.count_nonzero(np.bincount(codes["item"]))),
        "interactions": len(codes["user"]),
    }
    if with_pairs:
        numbers = codes["user"].astype(np.int64) * (int(codes["item"].max(initial=0)) + 1) + codes["item"]
        numbers.sort()
        counts["pairs"] = int(len(numbers) and 1 + np.count_nonzero(numbers[1:] != numbers[:-1]))
    return counts


def _codes(columns: list[Any]) -> npt.NDArray[Any]:
    """Return a number for each id of all columns together; 7 and the text 7 are the same where a column has texts."""
    import pandas as pd

    categories = [pd.Categorical(column) for column in columns]
    if len({column.categories.dtype for column in categories}) > 1:
        categories = [column.rename_categories(str) for column in categories]
    united = categories[0] if len(categories) == 1 else pd.api.types.union_categoricals(categories)
    codes: npt.NDArray[Any] = np.asarray(united.codes)
    return codes


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
