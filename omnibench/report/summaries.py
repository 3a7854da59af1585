"""Configurations with all of their seeds, and what their values have in common: means, deviations, parts of the variance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from omnibench.comparison.variance import COMPONENTS, Variances
from omnibench.report.contents import Contents
from omnibench.report.folds import Folds
from omnibench.report.numbers import finite
from omnibench.results import Result
from omnibench.statistics.deviation import sample_deviation, sample_deviations
from omnibench.statistics.exact_means import exact_mean
from omnibench.store.number_texts import floats_in
from omnibench.tables.seeds import distinct, seed_groups, seeds_of

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

_MANY = 5000
"""Configurations from which on numpy, which takes a tenth of a second to import, makes their deviations sooner."""

_AHEAD = 500
"""How many of them have theirs made together."""


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


def _cells_of_all(
    contents: Contents,
    configurations: Sequence[WithSeeds],
    deviations_of: Callable[[list[Sequence[float]]], list[float]],
) -> list[dict[str, tuple[float | None, ...]]]:
    """Return the means and deviations of configurations, and what contributes to their variance, by label.

    Args:
        contents: The contents of files.
        configurations: The configurations.
        deviations_of: Returns the deviations of samples of the same size.
    """
    values = [_values_by_label(configuration) for configuration in configurations]
    means = [{label: _mean(of_label) for label, of_label in of_labels.items()} for of_labels in values]
    samples: dict[int, list[Sequence[float]]] = {}
    for of_labels, its_means in zip(values, means, strict=True):
        for label, of_label in of_labels.items():
            if its_means[label] is not None and len(of_label) > 1:
                samples.setdefault(len(of_label), []).append(of_label)
    deviations = {count: iter(deviations_of(of_size)) for count, of_size in samples.items()}
    all_cells = []
    for configuration, of_labels, its_means in zip(configurations, values, means, strict=True):
        variances = contents.variances.get((configuration.dataset, configuration.name), {})
        cells: dict[str, tuple[float | None, ...]] = {}
        for label, of_label in of_labels.items():
            mean, parts = its_means[label], variances.get(label)
            deviation = finite(next(deviations[len(of_label)])) if mean is not None and len(of_label) > 1 else None
            cells[label] = (mean, deviation, *(_parts(parts) if parts else _NO_VARIANCES))
        all_cells.append(cells)
    return all_cells


def _usual_cells(
    contents: Contents, configurations: Sequence[WithSeeds]
) -> dict[WithSeeds, dict[str, tuple[float | None, ...]]]:
    """Return what ``_cells_of_all`` does of those configurations whose items are plain, two or more, and have finite values."""
    alike: dict[tuple[tuple[str, ...], int], list[tuple[WithSeeds, str]]] = {}
    for configuration in configurations:
        first = configuration.folds[0]
        if len(configuration.folds) == 1 and first.items is not None and len(first) > 1 and first.labels:
            alike.setdefault((first.labels, len(first)), []).append((configuration, first.items.values_text))
    cells: dict[WithSeeds, dict[str, tuple[float | None, ...]]] = {}
    for (labels, count), of_labels in alike.items():
        numbers = floats_in(",".join([text for _, text in of_labels]))
        if not np.isfinite(numbers).all():
            continue
        samples = numbers.reshape(len(of_labels), count, len(labels)).transpose(0, 2, 1).reshape(-1, count)
        means = [finite(exact_mean(sample)) for sample in samples.tolist()]
        columns = zip(means, map(finite, sample_deviations(samples)), strict=True)
        for configuration, _ in of_labels:
            variances = contents.variances.get((configuration.dataset, configuration.name), {})
            cells[configuration] = {
                label: (*next(columns), *(_parts(parts) if (parts := variances.get(label)) else _NO_VARIANCES))
                for label in labels
            }
    return cells


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


def _mean(values: Sequence[float]) -> float | None:
    return finite(exact_mean(values)) if values else None  # none is where one of the values is not finite


def _parts(variances: Variances) -> list[float | None]:
    return [finite(variances.get(component)) for component in COMPONENTS]


_MEMBERS = ("mean", "std", *(f"{component}_variance" for component in COMPONENTS))
_NO_VARIANCES = (None,) * len(COMPONENTS)


class Summaries:
    """The mean and the deviation of each metric over folds and seeds, and what contributes to its variance, of each configuration.

    Where there are many, those of the next ones are made together with the one that is asked for: most ask for one after the other.

    Args:
        contents: The contents of files.
        configurations: The configurations, in the order of their folds.
    """

    def __init__(self, contents: Contents, configurations: Iterable[WithSeeds]) -> None:
        self._contents = contents
        different = list(dict.fromkeys(configurations))
        self._next = iter(different if len(different) >= _MANY else ())
        self._cells: dict[WithSeeds, dict[str, tuple[float | None, ...]]] = {}

    def cells_of(self, configuration: WithSeeds) -> dict[str, tuple[float | None, ...]]:
        """Return the cells of rows that say that of a configuration, by label."""
        if configuration not in self._cells:
            block = list(islice(self._next, _AHEAD))
            if configuration not in block:  # asked for out of order, or there are few
                block = [configuration]
            self._cells = _usual_cells(self._contents, block) if len(block) > 1 else {}
            rest = [of_block for of_block in block if of_block not in self._cells]
            of_rest = _cells_of_all(self._contents, rest, _deviations if len(block) == 1 else sample_deviations)
            self._cells |= dict(zip(rest, of_rest, strict=True))
        return self._cells[configuration]

    def members_of(self, configuration: WithSeeds) -> dict[str, dict[str, float | None]]:
        """Return the same by label and name."""
        cells = self.cells_of(configuration)
        return {label: dict(zip(_MEMBERS, of_label, strict=True)) for label, of_label in cells.items()}


def _deviations(samples: Iterable[Sequence[float]]) -> list[float]:
    return list(map(sample_deviation, samples))
