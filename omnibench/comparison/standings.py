"""What reports tell beside means: how configurations stand against the best, and how they rank over datasets."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from omnibench.comparison.columns import Column, columns, evaluated, items_of, with_evaluations
from omnibench.comparison.configurations import DatasetRanking, rank_means, standing_of
from omnibench.comparison.measured import Measured
from omnibench.errors import StatisticsError
from omnibench.results import Result
from omnibench.statistics.best import Standing
from omnibench.store.reading import Reader, read
from omnibench.store.schema import Record


def standing_of_rows(
    known: Measured,
    dataset: str,
    label: str,
    rows: Mapping[str, Sequence[Result]],
    *,
    test: str,
    alpha: float,
    higher: bool,
) -> Standing:
    """Compare configurations with the one whose mean over the folds that are shown is the best.

    Args:
        known: What was measured, of these items only.
        dataset: The dataset's name.
        label: The metric's label.
        rows: The results that are shown, by configuration.
        test: The test.
        alpha: The level.
        higher: Whether larger values are better.
    """
    means = {name: statistics.fmean(one.metrics[label] for one in some) for name, some in rows.items()}
    best = (max if higher else min)(means, key=means.__getitem__)
    return standing_of(known, dataset, label, means, best, test=test, alpha=alpha, higher=higher)


def standings(
    root: Path,
    results: Sequence[Result],
    lower_is_better: Collection[str],
    *,
    undirected: Collection[str] = (),
    test: str = "t",
    alpha: float = 0.05,
) -> dict[Column, Standing]:
    """Test every column of a table, on the very items that the table shows: ``marks.not_worse`` with all its numbers.

    Args:
        root: The store that has the values per user.
        results: What the table shows; those without a fit key are not tested.
        lower_is_better: The columns where the smallest value is the best.
        undirected: The columns of which nobody knows; they are not tested.
        test: ``t``, ``randomisation`` or ``wilcoxon``.
        alpha: The level of each column.

    Returns:
        By dataset and column, how the configurations stand. A column with one configuration is left out, and so is one
        that somebody added to the table.

    Raises:
        StoreError: The store cannot be read.
        StatisticsError: A file is missing or damaged.
    """
    wanted = {column: rows for column, rows in columns(results).items() if column[1] not in undirected}

    def take(reader: Reader) -> tuple[list[Column], dict[str, Record]]:
        items = items_of(reader, wanted)
        found = [column for column, rows in wanted.items() if evaluated(items, rows, column[1]) is not None]
        return found, with_evaluations(reader, items) if found else {}

    if not wanted:
        return {}
    tested, records = read(root / "store", take)
    names = {record["item"] for key, record in records.items() if key.startswith("item/")}
    known = Measured(root, records, names)
    return {
        (dataset, label): standing_of_rows(
            known, dataset, label, wanted[dataset, label], test=test, alpha=alpha, higher=label not in lower_is_better
        )
        for dataset, label in tested
    }


def rankings(
    means: Mapping[str, Mapping[str, Mapping[str, float]]], lower_is_better: Collection[str], *, alpha: float = 0.05
) -> dict[str, DatasetRanking | str]:
    """Rank the configurations over datasets by each metric that several datasets have.

    Args:
        means: The mean of each configuration by metric and dataset.
        lower_is_better: The metrics where the smallest value is the best.
        alpha: The level of the critical difference.

    Returns:
        By metric, the ranking, or why there is none.
    """
    found: dict[str, DatasetRanking | str] = {}
    for label, datasets in means.items():
        if len(datasets) > 1:
            try:
                found[label] = rank_means(datasets, label, alpha=alpha, higher=label not in lower_is_better)
            except StatisticsError as error:
                found[label] = str(error)
    return found
