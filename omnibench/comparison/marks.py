"""The marks of a table: which configurations are not significantly worse than the best of their column.

The marks are recorded: a run in which nothing is new looks them up, and imports nothing that computes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from omnibench.comparison.columns import (
    TableColumn,
    comparable_columns,
    evaluation_keys,
    item_records,
    with_evaluation_records,
)
from omnibench.keys import digest
from omnibench.metrics.labels import has_label
from omnibench.results import Result
from omnibench.store.reader import Reader
from omnibench.store.reading import read
from omnibench.store.schema import Record, RecordType

_VERSION = 5
"""To be raised when the same values lead to other marks, so that recorded ones are not used any more."""


class _UntestedColumn(NamedTuple):
    """A column whose marks are not recorded.

    Attributes:
        rows: Its results, by configuration.
        key: The key of the record that it is to have.
        evaluations: A digest of the values and settings that its marks depend on.
    """

    rows: dict[str, list[Result]]
    key: str
    evaluations: str


class _Lookup(NamedTuple):
    """The marks of a table that are recorded, and the columns that have to be tested.

    Attributes:
        marks: By column whose marks are recorded, the configurations that are not worse, or None where that is
            undecided.
        untested: The columns that have to be tested.
        records: The records that these tests need.
    """

    marks: dict[TableColumn, list[str] | None]
    untested: dict[TableColumn, _UntestedColumn]
    records: dict[str, Record]


def not_worse(
    root: Path,
    results: Sequence[Result],
    lower_is_better: Collection[str],
    alpha: float = 0.05,
    remember: Callable[[dict[str, Record]], None] = lambda _: None,
) -> dict[TableColumn, tuple[str, ...]]:
    """Return the configurations that are not significantly worse than the best, of every column of a table.

    Tested are the very items that the table shows. A column with one configuration has nothing to test, and one in
    which everything is undecided is left out.

    Args:
        root: The store that has the values per user.
        results: The results that the table shows; those without a fit key are not tested.
        lower_is_better: The columns where the smallest value is the best.
        alpha: The level of each column.
        remember: Called with the records of marks that are new, so that the next run need not test them again.

    Returns:
        By dataset and column, the configurations that are not significantly worse than the best one; see
        ``against_best``.

    Raises:
        StoreError: The store cannot be read.
        StatisticsError: A file is missing or damaged.
    """
    columns = comparable_columns(results)

    def look_up(reader: Reader) -> _Lookup:
        items = item_records(reader, columns)
        marks: dict[TableColumn, list[str] | None] = {}
        untested: dict[TableColumn, _UntestedColumn] = {}
        for column, rows in columns.items():
            keys = evaluation_keys(items, rows, column[1])
            if keys is None:
                continue
            key = RecordType.MARKS.key(digest([*column, sorted(rows), alpha]))
            evaluations = digest([_VERSION, has_label(lower_is_better, column[1]), keys])
            record = reader.get(key)
            if record is not None and record["of"] == evaluations:
                marks[column] = record["not_worse"]
            else:
                untested[column] = _UntestedColumn(rows, key, evaluations)
        return _Lookup(marks, untested, with_evaluation_records(reader, items) if untested else {})

    if not columns:
        return {}
    marks, untested, records = read(root / "store", look_up)
    if untested:
        for (dataset, label), column in untested.items():
            higher = not has_label(lower_is_better, label)
            marks[dataset, label] = _test(root, records, dataset, label, column.rows, higher=higher, alpha=alpha)
        remember(
            {column.key: {"of": column.evaluations, "not_worse": marks[name]} for name, column in untested.items()}
        )
    return {column: tuple(names) for column, names in marks.items() if names is not None}


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
    """Return the configurations that are not significantly worse than the best, or None where all are undecided."""
    from omnibench.comparison.measured import Measured
    from omnibench.comparison.standings import standing_of_results
    from omnibench.statistics.paired import DEFAULT_TEST

    names = {records[RecordType.ITEM.key(result.fit_key)]["item"] for results in rows.values() for result in results}
    measurements = Measured(root, records, names)
    standing = standing_of_results(measurements, dataset, label, rows, test=DEFAULT_TEST, alpha=alpha, higher=higher)
    return list(standing.not_worse) if len(standing.undecided) < len(standing.comparisons) else None
