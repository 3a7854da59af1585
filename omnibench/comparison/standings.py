"""The statistics of reports: how configurations compare with the best of each column, and how they rank over datasets."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from omnibench.comparison.columns import (
    TableColumn,
    comparable_columns,
    evaluation_keys,
    item_records,
    with_evaluation_records,
)
from omnibench.comparison.configurations import DatasetRanking, rank_means, standing_of
from omnibench.comparison.measured import Measured
from omnibench.errors import StatisticsError
from omnibench.metrics.labels import has_label
from omnibench.results import Result
from omnibench.statistics.best import Standing
from omnibench.statistics.exact_means import exact_mean
from omnibench.statistics.paired import DEFAULT_TEST
from omnibench.store.reader import Reader
from omnibench.store.reading import read
from omnibench.store.schema import Record, RecordType


def standing_of_results(
    measurements: Measured,
    dataset: str,
    label: str,
    rows: Mapping[str, Sequence[Result]],
    *,
    test: str,
    alpha: float,
    higher: bool,
) -> Standing:
    """Compare configurations with the best of them by their means over the folds that are shown.

    Args:
        measurements: The measurements of these items only.
        dataset: The dataset's name.
        label: The metric's label.
        rows: The results that are shown, by configuration.
        test: The test.
        alpha: The level.
        higher: Whether larger values are better.
    """
    means = {name: exact_mean([result.metrics[label] for result in results]) for name, results in rows.items()}
    best = (max if higher else min)(means, key=means.__getitem__)
    return standing_of(measurements, dataset, label, means, best, test=test, alpha=alpha, higher=higher)


def standings(
    root: Path,
    results: Sequence[Result],
    lower_is_better: Collection[str],
    *,
    undirected: Collection[str] = (),
    test: str = DEFAULT_TEST,
    alpha: float = 0.05,
) -> dict[TableColumn, Standing]:
    """Compare the configurations with the best, in every column of a table and on the very items that the table shows.

    These are the tests of ``marks.not_worse``, with all their numbers.

    Args:
        root: The store that has the values per user.
        results: The results that the table shows; those without a fit key are not tested.
        lower_is_better: The columns where the smallest value is the best.
        undirected: The columns of which nobody knows which values are better; they are not tested.
        test: ``bootstrap``, ``t``, ``randomisation`` or ``wilcoxon``.
        alpha: The level of each column.

    Returns:
        By dataset and column, how the configurations stand. A column with one configuration is left out, and so is one
        that somebody added to the table.

    Raises:
        StoreError: The store cannot be read.
        StatisticsError: A file is missing or damaged.
    """
    columns = {column: rows for column, rows in comparable_columns(results).items() if column[1] not in undirected}

    def look_up(reader: Reader) -> tuple[list[TableColumn], dict[str, Record]]:
        items = item_records(reader, columns)
        recorded = [column for column, rows in columns.items() if evaluation_keys(items, rows, column[1]) is not None]
        return recorded, with_evaluation_records(reader, items) if recorded else {}

    if not columns:
        return {}
    recorded, records = read(root / "store", look_up)
    item_names = {record["item"] for key, record in records.items() if RecordType.ITEM.has(key)}
    measurements = Measured(root, records, item_names)
    return {
        (dataset, label): standing_of_results(
            measurements,
            dataset,
            label,
            columns[dataset, label],
            test=test,
            alpha=alpha,
            higher=not has_label(lower_is_better, label),
        )
        for dataset, label in recorded
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
    rankings_by_label: dict[str, DatasetRanking | str] = {}
    for label, datasets in means.items():
        if len(datasets) > 1:
            try:
                rankings_by_label[label] = rank_means(
                    datasets, label, alpha=alpha, higher=not has_label(lower_is_better, label)
                )
            except StatisticsError as error:
                rankings_by_label[label] = str(error)
    return rankings_by_label
