"""The columns of a table, and what is recorded of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omnibench.results import Result
from omnibench.store.reading import Reader
from omnibench.store.schema import Record

Column = tuple[str, str]
"""A dataset and a label."""


def columns(results: Sequence[Result]) -> dict[Column, dict[str, list[Result]]]:
    """Return the results of each column that has something to compare, by configuration."""
    found: dict[Column, dict[str, list[Result]]] = {}
    for result in results:
        for label in result.metrics if result.fit_key else ():
            found.setdefault((result.dataset, label), {}).setdefault(result.algorithm, []).append(result)
    return {column: rows for column, rows in found.items() if len(rows) > 1}


def items_of(reader: Reader, wanted: Mapping[Column, Mapping[str, list[Result]]]) -> dict[str, Record]:
    """Return the items' records of some columns, by key."""
    keys = {f"item/{result.fit_key}" for rows in wanted.values() for some in rows.values() for result in some}
    return {key: item for key in sorted(keys) if (item := reader.get(key)) is not None}


def evaluated(items: Mapping[str, Record], rows: Mapping[str, list[Result]], label: str) -> list[str] | None:
    """Return the keys of a column's evaluations, or None when one is not recorded.

    A column may be one that somebody added, or of another convention than what the store has under its label.
    """
    keys = []
    for result in (result for some in rows.values() for result in some):
        metric = items.get(f"item/{result.fit_key}", {}).get("metrics", {}).get(label)
        if metric is None or metric["value"] != result.metrics[label]:
            return None
        keys.append(metric["key"])
    return sorted(keys)


def with_evaluations(reader: Reader, items: Mapping[str, Record]) -> dict[str, Record]:
    """Add the records of items' evaluations, and of the datasets."""
    found = {**items, **dict(reader.records("data/"))}
    for item in items.values():
        for metric in item["metrics"].values():
            evaluation = reader.get(f"eval/{metric['key']}")
            if evaluation is not None:
                found[f"eval/{metric['key']}"] = evaluation
    return found
