"""What a table marks: the configurations that are not significantly worse than the best of their column."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Sequence
from pathlib import Path

from omnibench.evaluation import Result
from omnibench.statistics.configurations import standing_of
from omnibench.statistics.measured import Measured
from omnibench.store.records import read_all


def not_worse(
    root: Path, results: Sequence[Result], lower_is_better: Collection[str], alpha: float = 0.05
) -> dict[tuple[str, str], tuple[str, ...]]:
    """Test every column of a table, on the very items that the table shows.

    A column with one configuration has nothing to test, and one of which nothing can be said is left out.

    Args:
        root: The store that has the values per user.
        results: What the table shows.
        lower_is_better: The columns where the smallest value is the best.
        alpha: The level of each column.

    Returns:
        By dataset and column, the configurations that are not significantly worse than the best one; see
        ``against_best``.

    Raises:
        StoreError: The store cannot be read.
        StatisticsError: A file is missing or damaged.
    """
    values: dict[tuple[str, str], dict[str, list[float]]] = {}
    for result in results:
        for label, value in result.metrics.items():
            values.setdefault((result.dataset, label), {}).setdefault(result.algorithm, []).append(value)
    tested = {column: rows for column, rows in values.items() if len(rows) > 1}
    if not tested:
        return {}
    measured = Measured(root, read_all(root / "store"), {_item(result) for result in results})
    found = {}
    for (dataset, label), rows in tested.items():
        higher = label not in lower_is_better
        means = {name: statistics.fmean(one) for name, one in rows.items()}
        best = (max if higher else min)(means, key=means.__getitem__)
        decided = standing_of(measured, dataset, label, means, best, test="t", alpha=alpha, higher=higher)
        if len(decided.undecided) < len(decided.comparisons):
            found[dataset, label] = decided.not_worse
    return found


def _item(result: Result) -> str:
    name = f"{result.dataset}/{result.algorithm}"
    return name if result.fold is None else f"{name}/fold_{result.fold}"
