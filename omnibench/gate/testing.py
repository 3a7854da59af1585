"""The test of one comparison: is a metric worse than in the baseline, for these models or for all seeds?

A deterministic algorithm is tested over users. A stochastic one is tested over users and seeds, where a side has seeds
enough to know how much they differ; a side with one seed is then taken to vary as the other one does. Without that, the
test over users speaks of the fitted models alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnibench.gate.samples import PairedRows, SeedRows, without_equal_rows
from omnibench.gate.series import LEAST_SEEDS
from omnibench.statistics.change import relative_change
from omnibench.statistics.paired import Comparison, compare
from omnibench.statistics.seeds import compare_seeds

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

_RELATED = 0.5
"""The correlation from which on two fits with the same seed count as variants of one model, so that they are paired."""


@dataclass(frozen=True, slots=True)
class Tests:
    """The tests of one comparison.

    Attributes:
        loss: Of a loss.
        beyond_tolerance: Of a loss of more than the tolerance.
        gain: Of a gain.
        change: The relative change; None where the baseline's mean is 0.
        interval: Its interval, of this comparison alone.
        seeds: The numbers of seeds, now and in the baseline, where the tests are over seeds, too; else None.
        of_fitted_models: Whether another seed might have led to another result, and nothing tells how often.
    """

    loss: Comparison
    beyond_tolerance: Comparison
    gain: Comparison
    change: float | None
    interval: tuple[float, float] | None
    seeds: tuple[int, int] | None
    of_fitted_models: bool


@dataclass(frozen=True, slots=True)
class _Tester:
    """Tests what two sides have in common.

    Attributes:
        current: The current values, shape (seeds, n); one row where all seeds make the same model.
        baseline: The baseline's, likewise.
        is_deterministic: Of each side, whether all seeds make the same model.
        is_paired: Whether the rows of both sides are pairs, made by the same seed.
        units: ``users`` or ``folds``: what a column is.
        alpha: The level.
        test_to_train: As in ``compare``.
    """

    current: SeedRows
    baseline: SeedRows
    is_deterministic: tuple[bool, bool]
    is_paired: bool
    units: str
    alpha: float
    test_to_train: float

    @property
    def over_seeds(self) -> bool:
        """Whether the tests are over seeds, too."""
        return not all(self.is_deterministic) and max(len(self.current), len(self.baseline)) >= LEAST_SEEDS

    def compared(self, alternative: str, factor: float = 1.0) -> Comparison:
        """Compare the current values with a multiple of the baseline's.

        Args:
            alternative: ``less`` or ``greater``.
            factor: The share of the baseline that counts.
        """
        current, baseline = self.current, self.baseline * factor
        if not self.over_seeds:
            return compare(
                current.mean(axis=0),
                baseline.mean(axis=0),
                alternative=alternative,
                alpha=self.alpha,
                units=self.units,
                test_to_train=self.test_to_train,
            )
        first_is_deterministic, second_is_deterministic = self.is_deterministic
        if self.is_paired:
            current, baseline, second_is_deterministic = current - baseline, np.zeros_like(baseline[:1]), True
        has_few = min(len(current), len(baseline)) < LEAST_SEEDS
        return compare_seeds(
            current,
            baseline,
            alternative=alternative,
            alpha=self.alpha,
            units=self.units,
            test_to_train=self.test_to_train,
            deterministic_first=first_is_deterministic,
            deterministic_second=second_is_deterministic,
            equal_spread=has_few and not (first_is_deterministic or second_is_deterministic),
        )

    def change(self, comparison: Comparison) -> tuple[float | None, tuple[float, float] | None]:
        """Return the relative change with its interval.

        Args:
            comparison: A comparison of the values with the whole baseline.
        """
        if not self.over_seeds:
            return relative_change(
                self.current.mean(axis=0), self.baseline.mean(axis=0), self.alpha, self.test_to_train
            )
        baseline = float(self.baseline.mean())
        if not baseline:
            return None, None
        low, high = comparison.interval or (None, None)
        interval = None if low is None or high is None else (low / abs(baseline), high / abs(baseline))
        return (float(self.current.mean()) - baseline) / abs(baseline), interval


def tests_of(
    rows: PairedRows,
    is_deterministic: tuple[bool, bool],
    *,
    higher: bool,
    tolerance: float,
    alpha: float,
    test_to_train: float,
) -> Tests:
    """Test a comparison for a loss, a loss beyond the tolerance, and a gain.

    Args:
        rows: The values of both sides.
        is_deterministic: Of each side, whether it is known that all seeds make the same model.
        higher: Whether larger values are better.
        tolerance: The relative loss that is accepted.
        alpha: The level.
        test_to_train: As in ``compare``.
    """
    tester = _tester(rows, is_deterministic, alpha, test_to_train)
    loss, gain = ("less", "greater") if higher else ("greater", "less")
    worse = tester.compared(loss)
    # A loss beyond the tolerance is one from the baseline less what is tolerated, user by user.
    sign = -1 if higher == (float(rows.baseline.mean()) >= 0) else 1
    beyond = tester.compared(loss, 1 + sign * tolerance) if tolerance else worse
    return Tests(
        worse,
        beyond,
        tester.compared(gain),
        *tester.change(worse),
        (len(tester.current), len(tester.baseline)) if tester.over_seeds else None,
        not tester.over_seeds and not all(tester.is_deterministic),
    )


def _tester(rows: PairedRows, is_known: tuple[bool, bool], alpha: float, test_to_train: float) -> _Tester:
    """Return what tests the values; where all seeds of a side have made the same model, one of them stands for all."""
    reduced = [
        side[:1] if known else without_equal_rows(side)
        for side, known in zip((rows.current, rows.baseline), is_known, strict=True)
    ]
    numbers = len(rows.current), len(rows.baseline)
    is_equal = [known or len(left) < number for known, left, number in zip(is_known, reduced, numbers, strict=True)]
    # Where many seeds of one side have turned out to be equal, the one seed of the other side is no draw of chance, either.
    is_found = any(equal and number >= LEAST_SEEDS for equal, number in zip(is_equal, numbers, strict=True))
    first, second = (equal or (is_found and len(left) == 1) for equal, left in zip(is_equal, reduced, strict=True))
    is_paired = rows.has_same_seeds and not (first or second) and _correlation(rows.current, rows.baseline) > _RELATED
    return _Tester(reduced[0], reduced[1], (first, second), is_paired, rows.units, alpha, test_to_train)


def _correlation(first: SeedRows, second: SeedRows) -> float:
    """Return how alike two fits with the same seed are, beside what all seeds have in common.

    It is that of what neither users nor seeds explain, which says nothing of the difference between the means, so that
    it may decide how that is tested.

    Args:
        first: Shape (seeds, users).
        second: Of the same seeds and users.
    """

    def deviations(rows: SeedRows) -> SeedRows:
        centred = rows - rows.mean(axis=0)
        return np.asarray(centred - centred.mean(axis=1, keepdims=True))

    left, right = deviations(first), deviations(second)
    scale = float(np.sqrt((left * left).sum() * (right * right).sum()))
    return float((left * right).sum()) / scale if scale else 0.0
