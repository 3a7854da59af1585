"""The columns of a table of results, and the records that their values come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omnibench.results import Result
from omnibench.store.reader import Reader
from omnibench.store.schema import Record, RecordType
from omnibench.tables.seeds import seed_groups

TableColumn = tuple[str, str]
"""A dataset's name and a metric's label."""


def comparable_columns(results: Sequence[Result]) -> dict[TableColumn, dict[str, list[Result]]]:
    """Return the results of each column by configuration; columns with a single configuration are left out.

    The results of all seeds of a configuration stand under the name of that with the lowest seed.
    """
    columns: dict[TableColumn, dict[str, list[Result]]] = {}
    groups = seed_groups(results)
    for result in results:
        name = groups.get(result.algorithm, result.algorithm)
        for label in result.metrics if result.fit_key else ():
            columns.setdefault((result.dataset, label), {}).setdefault(name, []).append(result)
    return {column: rows for column, rows in columns.items() if len(rows) > 1}


def item_records(reader: Reader, columns: Mapping[TableColumn, Mapping[str, list[Result]]]) -> dict[str, Record]:
    """Return the records of the items behind the results of columns, by key."""
    keys = {
        RecordType.ITEM.key(result.fit_key)
        for rows in columns.values()
        for results in rows.values()
        for result in results
    }
    return {key: item for key in sorted(keys) if (item := reader.get(key)) is not None}


def evaluation_keys(items: Mapping[str, Record], rows: Mapping[str, list[Result]], label: str) -> list[str] | None:
    """Return the keys of the evaluations behind a column, or None when one of its values is not recorded.

    A plugin may have added the column, or the store may have a value of another convention under its label.
    """
    keys = []
    for result in (result for results in rows.values() for result in results):
        metric = items.get(RecordType.ITEM.key(result.fit_key), {}).get("metrics", {}).get(label)
        if metric is None or metric["value"] != result.metrics[label]:
            return None
        keys.append(metric["key"])
    return sorted(keys)


def with_evaluation_records(reader: Reader, items: Mapping[str, Record]) -> dict[str, Record]:
    """Return the records of items with those of their evaluations, and of all datasets."""
    records = {**items, **dict(reader.records(RecordType.DATA.prefix))}
    for item in items.values():
        for metric in item["metrics"].values():
            key = RecordType.EVAL.key(metric["key"])
            evaluation = reader.get(key)
            if evaluation is not None:
                records[key] = evaluation
    return records
