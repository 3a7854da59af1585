"""What a table marks: the configurations that are not significantly worse than the best of their column.

A run in which nothing is new looks up what an earlier one has found, and imports nothing that computes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from omnibench.comparison.columns import Column, columns, evaluated, items_of, with_evaluations
from omnibench.keys import digest
from omnibench.results import Result
from omnibench.store.reading import Reader, read
from omnibench.store.schema import Record

_VERSION = 2
"""Raised when tests find something else."""


class _Tested(NamedTuple):
    """A column, and what its test depends on."""

    rows: dict[str, list[Result]]
    key: str
    of: str


def not_worse(
    root: Path,
    results: Sequence[Result],
    lower_is_better: Collection[str],
    alpha: float = 0.05,
    remember: Callable[[dict[str, Record]], None] = lambda _: None,
) -> dict[Column, tuple[str, ...]]:
    """Test every column of a table, on the very items that the table shows.

    A column with one configuration has nothing to test, and one of which nothing can be said is left out.

    Args:
        root: The store that has the values per user.
        results: What the table shows; those without a fit key are not tested.
        lower_is_better: The columns where the smallest value is the best.
        alpha: The level of each column.
        remember: Called with records of what was found now, so that the next run need not test it again.

    Returns:
        By dataset and column, the configurations that are not significantly worse than the best one; see
        ``against_best``.

    Raises:
        StoreError: The store cannot be read.
        StatisticsError: A file is missing or damaged.
    """
    wanted = columns(results)

    def take(reader: Reader) -> tuple[dict[Column, list[str] | None], dict[Column, _Tested], dict[str, Record]]:
        sound = items_of(reader, wanted)
        found: dict[Column, list[str] | None] = {}
        tested: dict[Column, _Tested] = {}
        for column, rows in wanted.items():
            of_what = evaluated(sound, rows, column[1])
            if of_what is None:
                continue
            key = f"marks/{digest([*column, sorted(rows), alpha])}"
            of = digest([_VERSION, column[1] in lower_is_better, of_what])
            known = reader.get(key)
            if known is not None and known["of"] == of:
                found[column] = known["not_worse"]
            else:
                tested[column] = _Tested(rows, key, of)
        return found, tested, with_evaluations(reader, sound) if tested else {}

    if not wanted:
        return {}
    found, tested, records = read(root / "store", take)
    if tested:
        for (dataset, label), one in tested.items():
            higher = label not in lower_is_better
            found[dataset, label] = _test(root, records, dataset, label, one.rows, higher=higher, alpha=alpha)
        remember({one.key: {"of": one.of, "not_worse": found[column]} for column, one in tested.items()})
    return {column: tuple(names) for column, names in found.items() if names is not None}


def _test(
    root: Path,
    records: Mapping[str, Record],
    dataset: str,
    label: str,
    rows: Mapping[str, list[Result]],
    *,
    higher: bool,
    alpha: float,
) -> list[str] | None:
    """Return who is not significantly worse than the best, or None where nothing can be said."""
    from omnibench.comparison.measured import Measured
    from omnibench.comparison.standings import standing_of_rows

    names = {records[f"item/{result.fit_key}"]["item"] for some in rows.values() for result in some}
    measured = Measured(root, records, names)
    decided = standing_of_rows(measured, dataset, label, rows, test="t", alpha=alpha, higher=higher)
    return list(decided.not_worse) if len(decided.undecided) < len(decided.comparisons) else None
