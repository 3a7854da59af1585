"""Configurations with all of their seeds, and what their values have in common: means, deviations, parts of the variance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from omnibench.comparison.variance import COMPONENTS, Variances
from omnibench.report.contents import Contents
from omnibench.results import Result
from omnibench.statistics.deviation import sample_deviation
from omnibench.store.packed_metrics import PackedValues
from omnibench.tables.seeds import distinct, seed_groups, seeds_of


@dataclass(frozen=True, slots=True, eq=False)
class WithSeeds:
    """A configuration on a dataset, with all of its seeds.

    Attributes:
        name: The display name of the configuration with the lowest seed.
        rows: The results of all seeds.
        counted: Those that count; see ``tables.seeds``.
        seeds: Its seeds.
    """

    name: str
    rows: list[Result]
    counted: list[Result]
    seeds: list[int]


def with_all_seeds(results: Sequence[Result]) -> dict[tuple[str, str], WithSeeds]:
    """Return each configuration with all of its seeds, by dataset and the display name with any of its seeds."""
    groups = seed_groups(results)
    rows: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        rows.setdefault((result.dataset, groups.get(result.algorithm, result.algorithm)), []).append(result)
    configurations = {
        key: WithSeeds(key[1], of_key, distinct(of_key), seeds_of(of_key)) for key, of_key in rows.items()
    }
    return {
        (result.dataset, result.algorithm): configurations[
            result.dataset, groups.get(result.algorithm, result.algorithm)
        ]
        for result in results
    }


def summaries_of(contents: Contents, configuration: WithSeeds) -> dict[str, dict[str, float | None]]:
    """Return the mean and the deviation of each metric over folds and seeds, and what contributes to its variance, by label."""
    values = _values_by_label(configuration)
    variances = contents.variances.get((configuration.rows[0].dataset, configuration.name), {})
    return {label: _summary(of_label, variances.get(label, {})) for label, of_label in values.items()}


def _values_by_label(configuration: WithSeeds) -> Mapping[str, Sequence[float]]:
    """Return the values that count of a configuration, by label."""
    rows = configuration.counted
    packed = [row.metrics for row in rows if isinstance(row.metrics, PackedValues)]
    labels = {metrics.labels for metrics in packed}
    if len(packed) == len(configuration.rows) and len(labels) == 1:  # most
        columns = zip(*[metrics.in_order for metrics in packed], strict=True)
        return dict(zip(labels.pop(), columns, strict=True))
    values: dict[str, list[float]] = {label: [] for row in configuration.rows for label in row.metrics}
    for row in rows:
        for label, value in row.metrics.items():
            values[label].append(value)
    return values


def _summary(values: Sequence[float], variances: Variances) -> dict[str, float | None]:
    mean = finite(math.fsum(values) / len(values)) if values and all(map(math.isfinite, values)) else None
    deviation = finite(sample_deviation(values)) if mean is not None and len(values) > 1 else None
    parts = {f"{component}_variance": finite(variances.get(component)) for component in COMPONENTS}
    return {"mean": mean, "std": deviation, **parts}


class Summaries:
    """The cells of a row that say what the values of a configuration have in common, of the one that was asked for last.

    Args:
        contents: The contents of files.
    """

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._summarised: WithSeeds | None = None
        self._cells: dict[str, tuple[float | None, ...]] = {}

    def cells_of(self, configuration: WithSeeds) -> dict[str, tuple[float | None, ...]]:
        """Return the cells of a configuration by label; its folds follow each other."""
        if configuration is not self._summarised:
            of_labels = summaries_of(self._contents, configuration).items()
            self._summarised, self._cells = configuration, {label: tuple(cells.values()) for label, cells in of_labels}
        return self._cells


def finite(value: float | None) -> float | None:
    """Return a value, or None where it is no number that every reader of a file knows."""
    return value if value is not None and math.isfinite(value) else None
