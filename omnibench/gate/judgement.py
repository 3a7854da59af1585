"""The judgement of current measurements by a baseline: are they worse by more than chance and the tolerance?

A comparison is a metric of a configuration on a dataset, paired over users. The test is one-sided: the null hypothesis
is a loss of at most the tolerance. Holm's correction counts only the comparisons in which a value differs: without a
difference a test can never reject, so it need not be corrected for (Tarone, "A modified Bonferroni method for discrete
data", Biometrics 46, 1990). So a gate over thousands of configurations, one of which has changed, is as powerful as one
over that configuration; and a change that makes nothing worse fails the gate with a probability of at most alpha.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from omnibench.comparison.user_values import paired_user_means
from omnibench.errors import BaselineError, OmnibenchError, nearest
from omnibench.gate.baseline import Baseline
from omnibench.gate.entries import Dataset, Entry, JudgedSource, Score, ValuesByFold
from omnibench.gate.matching import match
from omnibench.gate.scope import ACCEPTED_HINT, Scope, folds_of, missing_sentences, summarised
from omnibench.gate.verdicts import IMPROVED, SAME, TOLERATED, UNDECIDED, WORSE, Gate, Verdict, count
from omnibench.statistics.change import relative_change
from omnibench.statistics.holm import holm
from omnibench.statistics.paired import Comparison, check_alpha, compare
from omnibench.statistics.samples import Sample

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

_EXACT_TEST_LIMIT = 16
"""How many users may differ for all patterns of signs to be tried: the t test is not exact where most differences are 0."""

_ROUNDING = 1e-9
"""The relative difference up to which values count as equal: sums of the same numbers in another order differ as much."""

_NEW_BASELINE_HINT = "write a new baseline (`omnibench baseline FILE`, or pytest with --omnirec-baseline=FILE)"


class _TestedVerdict(NamedTuple):
    """A verdict, and the p values that decide it once they are corrected.

    Attributes:
        verdict: The verdict if nothing is significant.
        p_loss: The p of a loss, or None where it is not tested.
        p_beyond_tolerance: The p of a loss of more than the tolerance.
        p_gain: The p of a gain.
    """

    verdict: Verdict
    p_loss: float | None = None
    p_beyond_tolerance: float = 1.0
    p_gain: float = 1.0


@dataclass
class Judge:
    """Judges current measurements by a baseline.

    Args:
        baseline: The baseline.
        tolerance: The relative loss that is accepted, from 0 to below 1.
        alpha: The level.
        metrics: The labels to judge; all by default.

    Raises:
        BaselineError: The tolerance is impossible, or the baseline has no such metric.
        StatisticsError: Alpha is impossible.
    """

    baseline: Baseline
    tolerance: float = 0.0
    alpha: float = 0.05
    metrics: Collection[str] = ()
    _problems: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        if not 0 <= self.tolerance < 1:
            raise BaselineError(f"the tolerance is {self.tolerance!r}; give a share from 0 to below 1, e.g. 0.01.")
        check_alpha(self.alpha)
        labels = sorted({label for entry in self.baseline.entries for label in entry.scores})
        for label in self.metrics:
            if label not in labels:
                hint = nearest(label, labels) or f"; it has {', '.join(labels) or 'none'}."
                raise BaselineError(f"the baseline {str(self.baseline.path)!r} has no metric {label!r}{hint}")

    def judge(self, source: JudgedSource, entries: Sequence[Entry], scope: Scope | None = None) -> Gate:
        """Compare entries with the baseline's.

        Args:
            source: The source of their values per user.
            entries: All that is planned, also what has no results; those lack scores.
            scope: What of it was asked for; everything by default.
        """
        scope = scope or Scope()
        self._problems = []
        matched = match(entries, self.baseline.entries)
        self._problems += [self._resplit_problem(*datasets) for datasets in matched.resplit]
        self._problems += [f"{sentence}; {_NEW_BASELINE_HINT}" for sentence in matched.ambiguities]
        tested = [
            comparison for current, baseline in matched.pairs for comparison in self._compare(source, current, baseline)
        ]
        missing, left_out = missing_sentences(matched, scope, self._labels_of)
        is_missed = missing and not scope.missing_ok
        if not tested and not self._problems and not scope.partial:
            measured = sum(bool(folds_of(entry)) for entry in entries)
            self._problems.append(
                f"nothing of this run is in the baseline ({count(measured, 'configuration')} here, "
                f"{len(self.baseline.entries)} there), so nothing was compared; name its baseline, or "
                f"{_NEW_BASELINE_HINT}"
            )
        verdicts = self._corrected(tested)
        if is_missed:
            missing.append(f"where that is meant, {_NEW_BASELINE_HINT}, or {ACCEPTED_HINT}")
        notes = [
            f"{current}: hyperparameters have changed; compared with {baseline}"
            for current, baseline in matched.reparametrised
            if current.scores
        ]
        new = [entry for entry in matched.new if folds_of(entry)]
        notes += [*summarised(new, "new, so there is nothing to compare with"), *left_out]
        return Gate(
            str(self.baseline.path),
            self.baseline.age,
            self.tolerance,
            self.alpha,
            tuple(verdicts),
            tuple(self._problems),
            tuple(missing),
            scope.missing_ok,
            tuple(scope.failed),
            scope.basis,
            tuple(notes),
            sum(comparison.p_loss is not None for comparison in tested),
        )

    @staticmethod
    def _resplit_problem(current: Dataset, baseline: Dataset) -> str:
        changed = (
            "its test part"
            if current.key == baseline.key
            else f"its data or its split (it was {baseline.display_name}), or another omnibench has split it"
        )
        return (
            f"{current.display_name} has changed {changed}, so users cannot be paired with the baseline's; "
            f"{_NEW_BASELINE_HINT}"
        )

    def _labels_of(self, baseline: Entry) -> list[str]:
        """Return the labels of an entry that are judged."""
        return [label for label in baseline.scores if not self.metrics or label in self.metrics]

    def _compare(self, source: JudgedSource, current: Entry, baseline: Entry) -> Iterator[_TestedVerdict]:
        """Compare the metrics that both sides have, reading values only where something may differ."""
        labels = [label for label in self._labels_of(baseline) if label in current.scores]
        values: tuple[ValuesByFold, ValuesByFold] | None = None
        for label in labels:
            score, baseline_score = current.scores[label], baseline.scores[label]
            folds = sorted(score.folds.keys() & baseline_score.folds.keys())
            if baseline_score.folds and not score.folds:
                self._add_problem(
                    f"{current} has no {label} in this run, though it was asked for, and the baseline has it"
                )
            if not folds:
                continue
            if score.identity != baseline_score.identity:
                self._add_problem(
                    f"{label} means something else than in the baseline ({baseline_score.identity}); "
                    f"{_NEW_BASELINE_HINT}"
                )
                continue
            means = [float(np.mean([side.folds[fold] for fold in folds])) for side in (baseline_score, score)]
            draft = _unchanged(current, baseline, label, means, len(folds))
            if current.key == baseline.key and all(score.folds[fold] == baseline_score.folds[fold] for fold in folds):
                yield _TestedVerdict(draft)
                continue
            try:
                if values is None:
                    values = source.values(current), self.baseline.values(baseline)
                yield self._test(draft, source, current, (score, baseline_score), values, folds)
            except OmnibenchError as error:
                self._add_problem(str(error))

    def _add_problem(self, problem: str) -> None:
        if problem not in self._problems:
            self._problems.append(problem)

    def _test(
        self,
        draft: Verdict,
        source: JudgedSource,
        entry: Entry,
        scores: tuple[Score, Score],
        values: tuple[ValuesByFold, ValuesByFold],
        folds: Sequence[int],
    ) -> _TestedVerdict:
        """Test one comparison.

        Args:
            draft: The verdict if nothing differs.
            source: Knows how many rows are trained on and tested.
            entry: The current entry.
            scores: The metric's scores, the current one and the baseline's.
            values: The values per user, likewise.
            folds: The folds that both have.
        """
        higher = _higher_is_better(scores)
        columns = [(draft.metric, fold) for fold in folds]
        if all(column in side for side in values for column in columns):
            current, baseline = paired_user_means(
                draft.dataset, *([side[column] for column in columns] for side in values)
            )
            units, test_to_train = "users", 0.0
        else:
            current, baseline = (np.array([score.folds[fold] for fold in folds], dtype=np.float64) for score in scores)
            units, test_to_train = "folds", 0.0
        current = np.where(np.isclose(current, baseline, rtol=_ROUNDING, atol=1e-12), baseline, current)
        different = int(np.count_nonzero(current != baseline))
        change, interval = relative_change(current, baseline, self.alpha)
        if units == "folds" and different and len(folds) > 1:
            test_to_train = source.test_to_train(entry, folds)
            _, interval = relative_change(current, baseline, self.alpha, test_to_train)
        draft = replace(
            draft,
            baseline=float(baseline.mean()),
            now=float(current.mean()),
            change=change,
            interval=interval,
            pairs=len(current),
            units=units,
        )
        if not different:
            return _TestedVerdict(draft)
        if higher is None:
            reason = "omnibench does not know whether more of it is better; pytest notes that in --omnirec-baseline"
            return _TestedVerdict(replace(draft, verdict=UNDECIDED, p=None, reason=reason))
        loss, gain = ("less", "greater") if higher else ("greater", "less")
        test = "randomisation" if units == "users" and different <= _EXACT_TEST_LIMIT else "t"

        def compared(alternative: str, reference: Sample, test: str) -> Comparison:
            return compare(
                current,
                reference,
                test,
                alternative=alternative,
                alpha=self.alpha,
                units=units,
                test_to_train=test_to_train,
            )

        worse, better = compared(loss, baseline, test), compared(gain, baseline, test)
        if worse.p is None or better.p is None:
            return _TestedVerdict(replace(draft, verdict=UNDECIDED, p=None, reason=worse.reason))
        if not self.tolerance:
            return _TestedVerdict(draft, worse.p, worse.p, better.p)
        # A loss beyond the tolerance is one from the baseline less what is tolerated, user by user.
        sign = -1 if higher == (draft.baseline >= 0) else 1
        beyond = compared(loss, baseline * (1 + sign * self.tolerance), "t")
        return _TestedVerdict(draft, worse.p, max(worse.p, 1.0 if beyond.p is None else beyond.p), better.p)

    def _corrected(self, tested: Sequence[_TestedVerdict]) -> Iterator[Verdict]:
        """Correct the p values over all comparisons, and yield the verdict that follows for each."""
        testable = [comparison for comparison in tested if comparison.p_loss is not None]
        losses = iter(holm([comparison.p_loss or 0.0 for comparison in testable]).tolist())
        losses_beyond_tolerance = iter(holm([comparison.p_beyond_tolerance for comparison in testable]).tolist())
        gains = iter(holm([comparison.p_gain for comparison in testable]).tolist())
        for comparison in tested:
            verdict = comparison.verdict
            if comparison.p_loss is None:
                yield verdict
                continue
            p_loss, p_beyond_tolerance, p_gain = next(losses), next(losses_beyond_tolerance), next(gains)
            if p_beyond_tolerance <= self.alpha:
                yield replace(verdict, verdict=WORSE, p=p_beyond_tolerance)
            elif p_loss <= self.alpha:
                yield replace(verdict, verdict=TOLERATED, p=p_beyond_tolerance)
            elif p_gain <= self.alpha:
                yield replace(verdict, verdict=IMPROVED, p=p_gain)
            else:
                yield replace(verdict, verdict=SAME, p=p_beyond_tolerance)


def _unchanged(current: Entry, baseline: Entry, label: str, means: Sequence[float], folds: int) -> Verdict:
    """Return the verdict on a metric that has not changed.

    Args:
        current: The entry that is judged.
        baseline: The baseline's entry.
        label: The metric's label.
        means: The mean over folds of the baseline and of now.
        folds: How many folds both have.
    """
    return Verdict(
        dataset=current.dataset.display_name,
        algorithm=current.display_name,
        metric=label,
        verdict=SAME,
        then=baseline.display_name,
        baseline=means[0],
        now=means[1],
        change=0.0 if means[0] else None,
        interval=None,
        p=1.0,
        pairs=0,
        units="users",
        folds=folds,
        label=current.label,
        then_label=baseline.label,
    )


def _higher_is_better(scores: Iterable[Score]) -> bool | None:
    """Whether larger values are better, as the first of the scores says that has a direction."""
    return next((score.higher_is_better for score in scores if score.higher_is_better is not None), None)
