"""How much a configuration's values vary over folds and seeds, and what users, folds and seeds contribute to that."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from omnibench.comparison.measured import Measured
from omnibench.errors import StatisticsError
from omnibench.results import Result
from omnibench.store.schema import Record, RecordLookup, RecordType
from omnibench.tables.seeds import distinct, seed_groups, seeds_of

if TYPE_CHECKING:
    from omnibench.statistics.components import VarianceComponents

COMPONENTS = ("user", "fold", "seed", "residual")
"""The parts of the variance of a user's value; what is left is the residual."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How a metric of a configuration with several seeds varies.

    Attributes:
        mean: The mean over folds and seeds.
        deviation: The sample standard deviation over folds and seeds; None of one value.
        seeds: The seeds.
        variances: The variance of a user's value by what contributes to it, one of ``COMPONENTS``, in the metric's unit
            squared; without those of which nothing can be said. Empty for a metric without values per user, and where
            the seeds changed nothing.
    """

    mean: float
    deviation: float | None
    seeds: tuple[int, ...]
    variances: Mapping[str, float]

    @property
    def shares(self) -> dict[str, float]:
        """The share of each component in the variance, from 0 to 1; empty where nothing varies."""
        total = sum(self.variances.values())
        return {name: variance / total for name, variance in self.variances.items()} if total else {}


def variances_of(measurements: Measured, dataset: str, label: str, name: str) -> dict[str, float]:
    """Return the variances of a user's value by what contributes to them; see ``statistics.components``.

    Args:
        measurements: The measurements of a store.
        dataset: The dataset's name.
        label: The metric's label.
        name: The configuration's name.

    Raises:
        StatisticsError: A file is missing or damaged.
    """
    folds = measurements.fold_values(dataset, label, name)
    if not folds or any(len(fold.users) < 2 for fold in folds):  # noqa: PLR2004 - one user does not vary
        return {}
    from omnibench.statistics.components import variance_components  # few stores have several seeds

    components: VarianceComponents = variance_components(
        [fold.values for fold in folds], [fold.users for fold in folds]
    )
    variances = {component: getattr(components, component) for component in COMPONENTS}
    return {component: variance for component, variance in variances.items() if variance is not None}


def spreads(lookup: RecordLookup, root: Path, results: Iterable[Result]) -> dict[tuple[str, str], dict[str, Spread]]:
    """Return how the metrics of those configurations vary that have several seeds.

    Args:
        lookup: From a record's key to the record, or None.
        root: The store's directory, which has the values per user; where it lacks them, the variance is not split.
        results: All results.

    Returns:
        By dataset and configuration (the name of that with the lowest seed), and by label.
    """
    all_results = list(results)
    groups = seed_groups(all_results)
    rows: dict[tuple[str, str], list[Result]] = {}
    for result in all_results:
        if result.algorithm in groups:
            rows.setdefault((result.dataset, groups[result.algorithm]), []).append(result)
    several = {name: of_name for name, of_name in rows.items() if len(seeds_of(of_name)) > 1}
    if not several:
        return {}
    records = _records(lookup, [result for of_name in several.values() for result in of_name])
    measurements = Measured(root, records)
    return {
        (dataset, name): _spreads_of(measurements, dataset, name, of_name)
        for (dataset, name), of_name in several.items()
    }


def _spreads_of(measurements: Measured, dataset: str, name: str, rows: Sequence[Result]) -> dict[str, Spread]:
    counted = distinct(rows)
    spreads_by_label: dict[str, Spread] = {}
    for label in dict.fromkeys(label for row in rows for label in row.metrics):
        values = [row.metrics[label] for row in counted if label in row.metrics]
        deviation = statistics.stdev(values) if len(values) > 1 else None
        variances: dict[str, float] = {}
        if len(counted) == len(rows) and _is_measured(measurements, dataset, label):
            try:
                variances = variances_of(measurements, dataset, label, name)
            except StatisticsError:  # the mean and the deviation hold all the same
                variances = {}
        spreads_by_label[label] = Spread(statistics.fmean(values), deviation, tuple(seeds_of(rows)), variances)
    return spreads_by_label


def _is_measured(measurements: Measured, dataset: str, label: str) -> bool:
    measured: Collection[str] = measurements.labels(dataset) if dataset in measurements.datasets else ()
    return label in measured


def _records(lookup: RecordLookup, results: Iterable[Result]) -> dict[str, Record]:
    """Return the records of the items behind results, and of their evaluations."""
    records: dict[str, Record] = {}
    for result in results:
        key = RecordType.ITEM.key(result.fit_key)
        item = lookup(key)
        if item is None:
            continue
        records[key] = item
        for metric in item["metrics"].values():
            evaluation_key = RecordType.EVAL.key(metric["key"])
            evaluation = lookup(evaluation_key)
            if evaluation is not None:
                records[evaluation_key] = evaluation
    return records
