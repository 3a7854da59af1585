"""Configurations with all of their seeds, and what their values have in common: means, deviations, parts of the variance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from omnibench.comparison.variance import COMPONENTS, Variances
from omnibench.report.contents import Contents
from omnibench.report.folds import Folds
from omnibench.report.numbers import finite
from omnibench.results import Result
from omnibench.statistics.deviation import sample_deviation
from omnibench.statistics.exact_means import exact_mean
from omnibench.tables.seeds import distinct, seed_groups, seeds_of


@dataclass(frozen=True, slots=True, eq=False)
class WithSeeds:
    """A configuration on a dataset, with all of its seeds.

    Attributes:
        name: The display name of the configuration with the lowest seed.
        folds: The results of all seeds.
        seeds: Its seeds.
    """

    name: str
    folds: list[Folds]
    seeds: list[int]

    @property
    def dataset(self) -> str:
        """The dataset."""
        return self.folds[0].alike.dataset

    @property
    def rows(self) -> list[Result]:
        """The results, each."""
        return [result for folds in self.folds for result in folds.results]


def with_all_seeds(all_folds: Sequence[Folds]) -> dict[tuple[str, str], WithSeeds]:
    """Return each configuration with all of its seeds, by dataset and the display name with any of its seeds."""
    groups = seed_groups(folds.alike for folds in all_folds)
    by_group: dict[tuple[str, str], list[Folds]] = {}
    for folds in all_folds:
        name = groups.get(folds.alike.algorithm, folds.alike.algorithm)
        by_group.setdefault((folds.alike.dataset, name), []).append(folds)
    configurations = {
        key: WithSeeds(key[1], of_key, seeds_of(folds.alike for folds in of_key)) for key, of_key in by_group.items()
    }
    return {
        (folds.alike.dataset, folds.alike.algorithm): configurations[
            folds.alike.dataset, groups.get(folds.alike.algorithm, folds.alike.algorithm)
        ]
        for folds in all_folds
    }


def summaries_of(contents: Contents, configuration: WithSeeds) -> dict[str, dict[str, float | None]]:
    """Return the mean and the deviation of each metric over folds and seeds, and what contributes to its variance, by label."""
    cells = _cells_of(contents, configuration)
    return {label: dict(zip(_MEMBERS, of_label, strict=True)) for label, of_label in cells.items()}


def _cells_of(contents: Contents, configuration: WithSeeds) -> dict[str, tuple[float | None, ...]]:
    """Return the same as tuples."""
    values = _values_by_label(configuration)
    variances = contents.variances.get((configuration.dataset, configuration.name), {})
    return {label: _summary(of_label, variances.get(label)) for label, of_label in values.items()}


def _values_by_label(configuration: WithSeeds) -> Mapping[str, Sequence[float]]:
    """Return the values that count of a configuration, by label; see ``tables.seeds``."""
    labels = {folds.labels for folds in configuration.folds}
    if len(labels) == 1 and all(folds.are_packed for folds in configuration.folds):  # most, of which each counts
        (labels_of_all,) = labels
        numbers = [float(text) for folds in configuration.folds for text in folds.all_value_texts(repr)]
        return {label: numbers[column :: len(labels_of_all)] for column, label in enumerate(labels_of_all)}
    rows = configuration.rows
    values: dict[str, list[float]] = {label: [] for row in rows for label in row.metrics}
    for row in distinct(rows):
        for label, value in row.metrics.items():
            values[label].append(value)
    return values


def _summary(values: Sequence[float], variances: Variances | None) -> tuple[float | None, ...]:
    mean = finite(exact_mean(values)) if values else None  # none is where one of the values is not finite
    deviation = finite(sample_deviation(values)) if mean is not None and len(values) > 1 else None
    if not variances:  # of one seed
        return mean, deviation, *_NO_VARIANCES
    return mean, deviation, *[finite(variances.get(component)) for component in COMPONENTS]


_MEMBERS = ("mean", "std", *(f"{component}_variance" for component in COMPONENTS))
_NO_VARIANCES = (None,) * len(COMPONENTS)


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
            self._summarised, self._cells = configuration, _cells_of(self._contents, configuration)
        return self._cells
