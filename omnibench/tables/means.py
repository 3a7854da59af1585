"""Means over folds and seeds, the best of them, and their order."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TypeGuard

from omnibench.metrics.labels import has_label
from omnibench.results import Result
from omnibench.statistics.exact_means import exact_mean
from omnibench.tables.seeds import distinct, seeds_of

DECIMALS = 4
"""Decimals of a value as tables print it; values that print alike are equally good."""


class Means:
    """The results of one dataset, with means and deviations over folds and seeds.

    Args:
        algorithms: The results of each algorithm, by its display name; of one with several seeds, those of all.
        lower_is_better: The columns where the smallest value is the best.

    Attributes:
        all_rows: These results, by fold and seed.
        algorithms: Those that count: seeds that changed nothing count once.
        labels: The metrics' labels, in the order in which they come.
        seeded: Whether an algorithm has several seeds.
    """

    def __init__(self, algorithms: Mapping[str, list[Result]], lower_is_better: Collection[str] = ()) -> None:
        self.all_rows = {name: sorted(rows, key=_fold_and_seed) for name, rows in algorithms.items()}
        self.algorithms = {name: distinct(rows) for name, rows in self.all_rows.items()}
        label_counts = Counter(label for rows in self.algorithms.values() for row in rows for label in row.metrics)
        self.labels = list(label_counts)
        # In the usual case every algorithm has every fold, and ``compared`` need not look at each.
        self._same_folds = len({tuple(row.fold for row in rows) for rows in self.algorithms.values()}) == 1
        several = len({row.seed for rows in algorithms.values() for row in rows}) > 1  # the usual case is that of one
        self.seeded = several and any(len(seeds_of(rows)) > 1 for rows in self.all_rows.values())
        total = sum(map(len, self.algorithms.values()))
        self._complete_labels = {label for label, occurrences in label_counts.items() if occurrences == total}
        self._lower_is_better = lower_is_better
        self._means: dict[str, dict[str, float | None]] = {}

    @property
    def folded(self) -> bool:
        """Whether there are folds."""
        return any(row.fold is not None for rows in self.algorithms.values() for row in rows)

    @property
    def averaged(self) -> bool:
        """Whether an algorithm has several folds or seeds: nothing is a mean over one."""
        return any(len(rows) > 1 for rows in self.algorithms.values())

    @property
    def averaged_over(self) -> str:
        """What means are over, e.g. ``folds and seeds``; empty where nothing is a mean."""
        rows = self.algorithms.values()
        nouns = {
            "folds": any(len({row.fold for row in own}) > 1 for own in rows),
            "seeds": any(len(seeds_of(own)) > 1 for own in rows),
        }
        return " and ".join(noun for noun, is_several in nouns.items() if is_several)

    @property
    def only_fold(self) -> int | None:
        """The fold of all results when they are of one fold; None for several, and without folds."""
        folds = {row.fold for rows in self.algorithms.values() for row in rows}
        return folds.pop() if len(folds) == 1 else None

    def values(self, algorithm: str, label: str) -> list[float]:
        """Return the values of a metric, one per fold and seed that has one."""
        return [row.metrics[label] for row in self.algorithms[algorithm] if label in row.metrics]

    def means(self, label: str) -> Mapping[str, float | None]:
        """Return the mean over folds and seeds of each algorithm, None without a value."""
        if label not in self._means:
            self._means[label] = {name: _mean(self.values(name, label)) for name in self.algorithms}
        return self._means[label]

    def mean(self, algorithm: str, label: str) -> float | None:
        """Return the mean over folds and seeds, or None without a value."""
        return self.means(label)[algorithm]

    def spread(self, algorithm: str, label: str) -> float | None:
        """Return the sample standard deviation over folds and seeds, or None for fewer than two values."""
        values, mean = self.values(algorithm, label), self.mean(algorithm, label)
        if mean is None or len(values) < 2:  # noqa: PLR2004 - as the docstring says
            return None
        if not math.isfinite(mean):
            return math.nan
        return math.hypot(*(value - mean for value in values)) / math.sqrt(len(values) - 1)

    def compared(self, label: str) -> set[str]:
        """Return the algorithms whose means of a metric are comparable: they have it on every fold that any has.

        Of an algorithm with several seeds, each has to: but algorithms need not have equally many seeds.
        """
        if self._same_folds and label in self._complete_labels:
            return set(self.algorithms)
        folds = {
            name: tuple(row.fold for row in rows if label in row.metrics) for name, rows in self.algorithms.items()
        }
        all_folds = {fold for covered in set(folds.values()) for fold in covered}
        if not self.seeded:
            return {name for name, covered in folds.items() if len(covered) == len(all_folds)}
        seeds = {name: len({row.seed for row in rows}) for name, rows in self.algorithms.items()}
        return {name for name, covered in folds.items() if len(covered) == len(all_folds) * seeds[name]}

    def best(self, label: str) -> set[str]:
        """Return the compared algorithms with the best mean: several when they print alike, none when fewer than two."""
        compared = self.compared(label)
        means = {
            name: round(mean, DECIMALS)
            for name, mean in self.means(label).items()
            if name in compared and _is_number(mean)
        }
        if len(means) < 2:  # noqa: PLR2004 - the best of one is no news
            return set()
        top = min(means.values()) if has_label(self._lower_is_better, label) else max(means.values())
        return {name for name, mean in means.items() if mean == top}

    def ranked(self, label: str) -> list[str]:
        """Return all algorithms, the best mean first, those without a mean last."""
        sign = 1 if has_label(self._lower_is_better, label) else -1
        means = {name: mean for name, mean in self.means(label).items() if _is_number(mean)}
        return [
            *sorted(means, key=lambda name: sign * means[name]),
            *(name for name in self.algorithms if name not in means),
        ]


def _fold_and_seed(row: Result) -> tuple[int, int]:
    return (-1 if row.fold is None else row.fold, -1 if row.seed is None else row.seed)


def _mean(values: Sequence[float]) -> float | None:
    return exact_mean(values) if values else None


def _is_number(value: float | None) -> TypeGuard[float]:
    """Whether a value can be compared: NaN is neither larger nor smaller than any value."""
    return value is not None and not math.isnan(value)
