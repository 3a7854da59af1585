"""What users, folds and seeds contribute to the variance of a configuration's values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omnibench.errors import StatisticsError, StoreError
from omnibench.results import Result
from omnibench.store.schema import Record, RecordLookup, RecordType
from omnibench.tables.seeds import distinct, seed_groups, seeds_of

if TYPE_CHECKING:
    from omnibench.comparison.measured import Measured
    from omnibench.statistics.components import VarianceComponents

COMPONENTS: tuple[str, ...] = ("user", "fold", "seed", "residual")
"""The parts of the variance of a user's value; what is left is the residual."""


Variances = Mapping[str, float]
"""The variance of a user's value by what contributes to it, one of ``COMPONENTS``, in the metric's unit squared; without those
of which nothing can be said."""


def variances_of(measurements: Measured, dataset: str, label: str, name: str) -> Variances:
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


def seed_variances(
    lookup: RecordLookup, root: Path, results: Iterable[Result], notify: Callable[[str], None] = lambda _: None
) -> dict[tuple[str, str], dict[str, Variances]]:
    """Return what contributes to the variance of a user's value, of the configurations that have several seeds.

    Args:
        lookup: From a record's key to the record, or None.
        root: The store's directory, which has the values per user; where it lacks them, the variance is not split.
        results: All results.
        notify: Called with a sentence where a file is missing or damaged.

    Returns:
        By dataset and configuration (the name of that with the lowest seed), and by label; without metrics that users have no
        values of, and without configurations in which the seeds changed nothing.
    """
    all_results = list(results)
    groups = seed_groups(all_results)
    rows: dict[tuple[str, str], list[Result]] = {}
    for result in all_results:
        if result.algorithm in groups:
            rows.setdefault((result.dataset, groups[result.algorithm]), []).append(result)
    several = {
        name: of_name
        for name, of_name in rows.items()
        if len(seeds_of(of_name)) > 1 and len(distinct(of_name)) == len(of_name)
    }
    if not several:
        return {}
    from omnibench.comparison.measured import Measured  # a tenth of a second, which exports of values need not

    measurements = Measured(root, _records(lookup, [result for of_name in several.values() for result in of_name]))
    return {
        (dataset, name): _by_label(measurements, dataset, name, of_name, notify)
        for (dataset, name), of_name in several.items()
    }


def _by_label(
    measurements: Measured, dataset: str, name: str, rows: Sequence[Result], notify: Callable[[str], None]
) -> dict[str, Variances]:
    variances: dict[str, Variances] = {}
    for label in dict.fromkeys(label for row in rows for label in row.metrics):
        if _is_measured(measurements, dataset, label):
            try:
                variances[label] = variances_of(measurements, dataset, label, name)
            except StatisticsError as error:
                if isinstance(error.__cause__, StoreError):  # a file is missing or damaged
                    notify(f"the variance of {label} is not split: {error}")
    return {label: components for label, components in variances.items() if components}


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
