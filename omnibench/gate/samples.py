"""The values that a comparison is made of: a row per seed, a column per user, or per fold where users have no values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from omnibench.comparison.user_values import means_over_folds, values_of_seeds
from omnibench.gate.entries import Entry, ValuesByFold

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

SeedRows: TypeAlias = "npt.NDArray[np.float64]"
"""A row of values per seed; shape (seeds, users), or (seeds, folds)."""

_ROUNDING = 1e-9
"""The relative difference up to which values count as equal: sums of the same numbers in another order differ as much."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison.

    Attributes:
        entries: The entries that are compared, by seed.
        is_deterministic: Whether another seed is known to give the same lists.
    """

    entries: Sequence[Entry]
    is_deterministic: bool

    def mean(self, label: str, folds: Sequence[int]) -> float:
        """Return the mean of a metric over seeds and folds, of the values that tables show."""
        by_fold = [entry.scores[label].folds for entry in self.entries]
        return float(np.mean([[of_entry[fold] for fold in folds] for of_entry in by_fold]))


@dataclass(frozen=True, slots=True)
class PairedRows:
    """The values of both sides, of the same users or folds.

    Attributes:
        current: What was measured now, shape (seeds, n).
        baseline: What the baseline has, shape (its seeds, n).
        twins: For each current row the baseline's row of the same seed, or None.
        units: ``users`` or ``folds``: what a column is.
    """

    current: SeedRows
    baseline: SeedRows
    twins: Sequence[int | None]
    units: str

    @property
    def has_same_seeds(self) -> bool:
        """Whether both sides have the same seeds, several of them."""
        return len(self.baseline) > 1 and [*self.twins] == [*range(len(self.baseline))]

    def of_twins(self) -> PairedRows:
        """Return the same, with those of the baseline's rows alone whose seeds the current ones have."""
        rows = [0 if twin is None else twin for twin in self.twins]  # a new seed is equal to any
        return PairedRows(self.current, self.baseline[rows], tuple(range(len(rows))), self.units)

    @property
    def differing(self) -> int:
        """In how many columns a seed has another value than in the baseline, a new seed than any of the baseline."""
        differs = np.zeros(self.current.shape[1], dtype=bool)
        for row, twin in zip(self.current, self.twins, strict=True):
            differs |= row != self.baseline[twin] if twin is not None else ~_equal(row, self.baseline).all(axis=0)
        return int(np.count_nonzero(differs))


def paired_rows(
    current: Side,
    baseline: Side,
    values: Sequence[Sequence[ValuesByFold]],
    label: str,
    folds: Sequence[int],
    dataset: str,
) -> PairedRows:
    """Return the values of a metric, of the users whom all seeds of both sides have.

    A user's value is the mean over the folds in which it is defined with every seed. Values that differ from those of
    the same seed by rounding errors are taken for equal.

    Args:
        current: What was measured now.
        baseline: What the baseline has.
        values: The values per user of the entries of both.
        label: The metric's label.
        folds: The folds, which all entries have.
        dataset: The dataset's name, for messages.

    Raises:
        StatisticsError: There is no user of whom all are defined.
    """
    columns = [(label, fold) for fold in folds]
    entries = [*current.entries, *baseline.entries]
    measured = [values_by_fold for side in values for values_by_fold in side]
    if all(column in values_by_fold for values_by_fold in measured for column in columns):
        by_fold = [values_of_seeds([values_by_fold[column] for values_by_fold in measured]) for column in columns]
        rows = means_over_folds(dataset, by_fold)
        units = "users"
    else:
        rows = np.array([[entry.scores[label].folds[fold] for fold in folds] for entry in entries], dtype=np.float64)
        units = "folds"
    current_rows, baseline_rows = rows[: len(current.entries)], rows[len(current.entries) :]
    positions = {entry.seed: position for position, entry in enumerate(baseline.entries)}
    if len(current_rows) == len(baseline_rows) == 1:
        positions = {current.entries[0].seed: 0}  # what is compared is one model with another, whatever their seeds
    twins = [positions.get(entry.seed) for entry in current.entries]
    for position, twin in enumerate(twins):
        if twin is not None:
            current_rows[position] = np.where(
                _equal(current_rows[position], baseline_rows[twin]), baseline_rows[twin], current_rows[position]
            )
    return PairedRows(current_rows, baseline_rows, twins, units)


def without_equal_rows(rows: SeedRows) -> SeedRows:
    """Return the first row alone where all are equal but for rounding: those seeds have made the same model."""
    return rows[:1] if _equal(rows, rows[:1]).all() else rows


def _equal(first: SeedRows, second: SeedRows) -> npt.NDArray[np.bool_]:
    """Return where values are equal but for rounding."""
    return np.isclose(first, second, rtol=_ROUNDING, atol=1e-12)
