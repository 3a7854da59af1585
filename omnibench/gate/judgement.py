"""The judgement of current measurements by a baseline: are they worse by more than chance and the tolerance?

A comparison is a metric of a configuration on a dataset, paired over users. The test is one-sided: the null hypothesis
is a loss of at most the tolerance. Holm's correction counts only the comparisons in which a value differs: without a
difference a test can never reject, so it need not be corrected for (Tarone, "A modified Bonferroni method for discrete
data", Biometrics 46, 1990). So a gate over thousands of configurations, one of which has changed, is as powerful as one
over that configuration; and a change that makes nothing worse fails the gate with a probability of at most alpha.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from omnibench.errors import BaselineError, OmnibenchError, nearest
from omnibench.gate.baseline import Baseline
from omnibench.gate.entries import Dataset, Entry, EntrySource, JudgedSource, ValuesByFold
from omnibench.gate.matching import match
from omnibench.gate.samples import Side, paired_rows
from omnibench.gate.scope import ACCEPTED_HINT, Scope, missing_sentences, summarised
from omnibench.gate.scores import Score
from omnibench.gate.searches import has_other_search, search_sentence
from omnibench.gate.series import Series, condition, series_of
from omnibench.gate.testing import tests_of
from omnibench.gate.verdicts import IMPROVED, SAME, TOLERATED, UNDECIDED, WORSE, Gate, Verdict, count
from omnibench.metrics.labels import has_label, requested_label
from omnibench.statistics.change import relative_change
from omnibench.statistics.holm import holm
from omnibench.statistics.paired import check_alpha

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
        metrics: The labels to judge; all by default. ``NDCG@10 by gender`` stands for the columns of all groups.

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
            if label not in labels and label not in map(requested_label, labels):
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
        conditional = {
            (comparison.verdict.dataset, comparison.verdict.algorithm)
            for comparison in tested
            if comparison.verdict.of_fitted_models and comparison.p_loss is not None
        }
        missing, left_out = missing_sentences(matched, scope, self._labels_of)
        is_missed = missing and not scope.missing_ok
        if not tested and not self._problems and not scope.partial:
            measured = sum(bool(series.folds) for series in series_of(entries))
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
            if current.labels and not current.is_tuned
        ]
        tuned = [pair for pair in matched.pairs if pair[0].is_tuned and pair[0].labels]
        notes += [sentence for pair in tuned if (sentence := search_sentence(*pair))]
        retuned = frozenset(search_sentence(*pair) for pair in tuned if has_other_search(*pair))
        new = [series for series in matched.new if series.folds]
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
            condition(
                current
                for current, _ in matched.pairs
                if (current.dataset.display_name, current.display_name) in conditional
            ),
            retuned,
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

    def _labels_of(self, baseline: Series) -> list[str]:
        """Return the labels of a series that are judged."""
        return [label for label in baseline.labels if not self.metrics or has_label(self.metrics, label)]

    def _compare(self, source: JudgedSource, current: Series, baseline: Series) -> Iterator[_TestedVerdict]:
        """Compare the metrics that both sides have, reading values only where something may differ."""
        readers = _reader(source), _reader(self.baseline)
        for label in self._labels_of(baseline):
            if label not in current.labels:
                continue
            entries, baseline_entries = (
                [entry for entry in series.entries if (score := entry.scores.get(label)) and score.folds]
                for series in (current, baseline)
            )
            if baseline_entries and not entries:
                self._add_problem(
                    f"{current} has no {label} in this run, though it was asked for, and the baseline has it"
                )
            folds = _common_folds(label, entries, baseline_entries)
            if not folds:
                continue
            entries, baseline_entries = (
                [entry for entry in side if {*folds} <= entry.scores[label].folds.keys()]
                for side in (entries, baseline_entries)
            )
            if not entries or not baseline_entries:
                self._add_problem(
                    f"{current}: no seed has all folds of {label} that others have, so they cannot be compared together; "
                    "run all of them"
                )
                continue
            identities = [{entry.scores[label].identity for entry in side} for side in (entries, baseline_entries)]
            if identities[0] != identities[1]:
                self._add_problem(
                    f"{label} means something else than in the baseline ({', '.join(sorted(identities[1]))}); "
                    f"{_NEW_BASELINE_HINT}"
                )
                continue
            sides = [
                Side(side, series.is_deterministic)
                for side, series in ((entries, current), (baseline_entries, baseline))
            ]
            draft = _unchanged(current, baseline, label, sides, folds)
            if _is_unchanged(sides, label, folds):
                yield _TestedVerdict(replace(draft, baseline=draft.now))
                continue
            try:
                values = [[read(entry) for entry in side.entries] for read, side in zip(readers, sides, strict=True)]
                yield self._test(draft, source, sides, values, folds)
            except OmnibenchError as error:
                self._add_problem(str(error))

    def _add_problem(self, problem: str) -> None:
        if problem not in self._problems:
            self._problems.append(problem)

    def _test(
        self,
        draft: Verdict,
        source: JudgedSource,
        sides: Sequence[Side],
        values: Sequence[Sequence[ValuesByFold]],
        folds: Sequence[int],
    ) -> _TestedVerdict:
        """Test one comparison.

        Args:
            draft: The verdict if nothing differs.
            source: Knows how many rows are trained on and tested.
            sides: What was measured now, and what the baseline has.
            values: The values per user of their entries.
            folds: The folds that all of these have.
        """
        label = draft.metric
        higher = _higher_is_better(entry.scores[label] for side in sides for entry in side.entries)
        current, baseline = sides
        rows = paired_rows(current, baseline, values, label, folds, draft.dataset)
        if not rows.differing:
            rows = rows.of_twins()
        test_to_train = 0.0
        if rows.units == "folds" and rows.differing and len(folds) > 1:
            test_to_train = source.test_to_train(current.entries[0], folds)
        draft = replace(
            draft,
            baseline=float(rows.baseline.mean()),
            now=float(rows.current.mean()),
            pairs=rows.current.shape[1],
            units=rows.units,
        )
        if not rows.differing:
            change, interval = relative_change(rows.current.mean(axis=0), rows.baseline.mean(axis=0), self.alpha)
            return _TestedVerdict(replace(draft, change=change, interval=interval))
        tests = tests_of(
            rows,
            (current.is_deterministic, baseline.is_deterministic),
            higher=higher is not False,
            tolerance=self.tolerance,
            alpha=self.alpha,
            test_to_train=test_to_train,
        )
        draft = replace(
            draft,
            change=tests.change,
            interval=tests.interval,
            seeds=tests.seeds,
            test=tests.loss.test,
            of_fitted_models=tests.of_fitted_models,
        )
        if higher is None:
            reason = "omnibench does not know whether more of it is better; pytest notes that in --omnirec-baseline"
            return _TestedVerdict(replace(draft, verdict=UNDECIDED, p=None, reason=reason))
        if tests.loss.p is None or tests.gain.p is None:
            reason = tests.loss.reason or tests.gain.reason
            return _TestedVerdict(replace(draft, verdict=UNDECIDED, p=None, reason=reason))
        beyond = 1.0 if tests.beyond_tolerance.p is None else tests.beyond_tolerance.p
        return _TestedVerdict(draft, tests.loss.p, max(tests.loss.p, beyond), tests.gain.p)

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


def _reader(source: EntrySource) -> Callable[[Entry], ValuesByFold]:
    """Return a function that reads the values of an entry once."""
    values: dict[int, ValuesByFold] = {}

    def read(entry: Entry) -> ValuesByFold:
        if entry.index not in values:
            values[entry.index] = source.values(entry)
        return values[entry.index]

    return read


def _common_folds(label: str, *sides: Sequence[Entry]) -> list[int]:
    """Return the folds in which some seed of every side has a metric, ascending."""
    folds = [{fold for entry in side for fold in entry.scores[label].folds} for side in sides]
    return sorted(set.intersection(*folds))


def _is_unchanged(sides: Sequence[Side], label: str, folds: Sequence[int]) -> bool:
    """Whether every current entry is one of the baseline's, with the same values."""
    by_key = {entry.key: entry.scores[label].folds for entry in sides[1].entries}
    for entry in sides[0].entries:
        earlier = by_key.get(entry.key)
        if earlier is None:
            return False
        current = entry.scores[label].folds
        if any(current[fold] != earlier[fold] for fold in folds):
            return False
    return True


def _unchanged(current: Series, baseline: Series, label: str, sides: Sequence[Side], folds: Sequence[int]) -> Verdict:
    """Return the verdict on a metric that has not changed.

    Args:
        current: The series that is judged.
        baseline: The baseline's series.
        label: The metric's label.
        sides: The entries of both that are compared.
        folds: The folds that these have.
    """
    now, then = (side.mean(label, folds) for side in sides)
    return Verdict(
        dataset=current.dataset.display_name,
        algorithm=current.display_name,
        metric=label,
        verdict=SAME,
        then=baseline.display_name,
        baseline=then,
        now=now,
        change=0.0 if then else None,
        interval=None,
        p=1.0,
        pairs=0,
        units="users",
        folds=len(folds),
        label=current.label,
        then_label=baseline.label,
    )


def _higher_is_better(scores: Iterable[Score]) -> bool | None:
    """Whether larger values are better, as the first of the scores says that has a direction."""
    return next((score.higher_is_better for score in scores if score.higher_is_better is not None), None)
