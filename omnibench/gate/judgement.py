"""Whether what is measured now is worse than a baseline, by more than chance and by more than is accepted.

A comparison is a metric of a configuration on a dataset, paired over users. The question is one-sided: the null hypothesis
is that now loses at most the tolerance. Holm's correction is over all comparisons of a gate in which anything differs: one
in which nothing does could not be rejected whatever chance does, and need not be paid for (Tarone, "A modified Bonferroni
method for discrete data", Biometrics 46, 1990). So a gate over thousands of configurations of which one has changed finds
as much as a gate over that one, and of changes that make nothing worse at most alpha fail a gate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from omnibench.comparison.measured import over_users
from omnibench.errors import BaselineError, OmnibenchError, nearest
from omnibench.gate.baseline import Baseline
from omnibench.gate.entries import Dataset, Entry, Present, Score, Values
from omnibench.gate.matching import match
from omnibench.gate.verdicts import IMPROVED, SAME, TOLERATED, UNDECIDED, WORSE, Gate, Verdict, count
from omnibench.statistics.change import relative_change
from omnibench.statistics.holm import holm
from omnibench.statistics.paired import Comparison, check_alpha, compare

_FEW = 16
"""Users who differ up to which all patterns of signs are tried: the t test is not exact where most differences are 0."""

_ROUNDING = 1e-9
"""What two values may differ by, relatively, and count as equal: sums in another order do."""

Array = npt.NDArray[np.float64]


class _Tested(NamedTuple):
    """A comparison before the correction.

    Attributes:
        verdict: What is said so far.
        worse: The p of a loss, or None where it is not tested.
        beyond: The p of a loss of more than the tolerance.
        better: The p of a gain.
    """

    verdict: Verdict
    worse: float | None = None
    beyond: float = 1.0
    better: float = 1.0


@dataclass
class Judge:
    """Judges what is measured now by a baseline.

    Args:
        baseline: What was measured then.
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
        known = sorted({label for entry in self.baseline.entries for label in entry.scores})
        for label in self.metrics:
            if label not in known:
                near = nearest(label, known) or f"; it has {', '.join(known) or 'none'}."
                raise BaselineError(f"the baseline {str(self.baseline.path)!r} has no metric {label!r}{near}")

    def judge(self, source: Present, entries: Sequence[Entry], *, partial: bool = False) -> Gate:
        """Compare entries with the baseline's.

        Args:
            source: Where their values per user come from.
            entries: What was measured now.
            partial: Whether only a part of what there is was asked for, so that there may be nothing to compare.
        """
        self._problems = []
        found = match(entries, self.baseline.entries)
        self._problems += [self._recut(*both) for both in found.recut]
        self._problems += [f"{sentence}; {_ANEW}" for sentence in found.unclear]
        tested = [one for now, then in found.pairs for one in self._compare(source, now, then)]
        if not tested and not self._problems and not partial:
            self._problems.append(
                f"nothing of this run is in the baseline ({count(len(entries), 'configuration')} here, "
                f"{len(self.baseline.entries)} there), so nothing was compared; name its baseline, or {_ANEW}"
            )
        verdicts = self._corrected(tested)
        notes = [f"{now.name}: hyperparameters have changed; compared with {then.shown}" for now, then in found.changed]
        notes += [*_listed("new, so there is nothing to compare with", found.new)]
        if not partial:
            notes += [*_listed("in the baseline, but without a result in this run", found.gone)]
        notes += self._missing(found.pairs)
        return Gate(
            str(self.baseline.path),
            self.baseline.age,
            self.tolerance,
            self.alpha,
            tuple(verdicts),
            tuple(self._problems),
            tuple(notes),
            sum(one.worse is not None for one in tested),
        )

    @staticmethod
    def _recut(now: Dataset, then: Dataset) -> str:
        what = "its test part" if now.key == then.key else f"its data or its split (it was {then.shown})"
        return f"{now.shown} has changed {what}, so users cannot be paired with the baseline's; {_ANEW}"

    def _missing(self, pairs: Iterable[tuple[Entry, Entry]]) -> Iterator[str]:
        """Say which of the baseline's metrics and folds were not measured now."""
        labels: dict[str, int] = {}
        fewer = []
        for now, then in pairs:
            for label in self._chosen(then):
                if label not in now.scores:
                    labels[label] = labels.get(label, 0) + 1
            folds, before = (len({fold for one in side.scores.values() for fold in one.folds}) for side in (now, then))
            if folds < before:
                fewer.append(now)
        for label, number in labels.items():
            yield f"{label} is in the baseline, but was not measured now of {count(number, 'configuration')}"
        if fewer:
            yield from _listed("has fewer folds than in the baseline, and was compared by those", fewer)

    def _chosen(self, then: Entry) -> list[str]:
        return [label for label in then.scores if not self.metrics or label in self.metrics]

    def _compare(self, source: Present, now: Entry, then: Entry) -> Iterator[_Tested]:
        """Compare the metrics that both sides have, reading values only where something may differ."""
        labels = [label for label in self._chosen(then) if label in now.scores]
        read: tuple[Values, Values] | None = None
        for label in labels:
            one, other = now.scores[label], then.scores[label]
            folds = sorted(one.folds.keys() & other.folds.keys())
            if other.folds and not one.folds:
                self._note(f"{now.name} has no {label} in this run, though it was asked for, and the baseline has it")
            if not folds:
                continue
            if one.identity != other.identity:
                self._note(f"{label} means something else than in the baseline ({other.identity}); {_ANEW}")
                continue
            means = [float(np.mean([side.folds[fold] for fold in folds])) for side in (other, one)]
            draft = _draft(now, then, label, means, len(folds))
            if now.key == then.key and all(one.folds[fold] == other.folds[fold] for fold in folds):
                yield _Tested(draft)
                continue
            try:
                if read is None:
                    read = source.values(now), self.baseline.values(then)
                yield self._test(draft, source, now, (one, other), read, folds)
            except OmnibenchError as error:
                self._note(str(error))

    def _note(self, problem: str) -> None:
        if problem not in self._problems:
            self._problems.append(problem)

    def _test(
        self,
        draft: Verdict,
        source: Present,
        entry: Entry,
        scores: tuple[Score, Score],
        values: tuple[Values, Values],
        folds: Sequence[int],
    ) -> _Tested:
        """Test one comparison; see ``_Tested``."""
        higher = _higher(scores)
        wanted = [(draft.metric, fold) for fold in folds]
        if all(one in side for side in values for one in wanted):
            now, then = over_users(draft.dataset, *([side[one] for one in wanted] for side in values))
            units, overlap = "users", 0.0
        else:
            now, then = (np.array([score.folds[fold] for fold in folds], dtype=np.float64) for score in scores)
            units, overlap = "folds", 0.0
        now = np.where(np.isclose(now, then, rtol=_ROUNDING, atol=1e-12), then, now)
        differ = int(np.count_nonzero(now != then))
        change, interval = relative_change(now, then, self.alpha)
        if units == "folds" and differ and len(folds) > 1:
            overlap = source.test_to_train(entry, folds)
            _, interval = relative_change(now, then, self.alpha, overlap)
        draft = replace(
            draft,
            baseline=float(then.mean()),
            now=float(now.mean()),
            change=change,
            interval=interval,
            pairs=len(now),
            units=units,
        )
        if not differ:
            return _Tested(draft)
        if higher is None:
            reason = "omnibench does not know whether more of it is better; pytest notes that in --omnirec-baseline"
            return _Tested(replace(draft, verdict=UNDECIDED, p=None, reason=reason))
        loss, gain = ("less", "greater") if higher else ("greater", "less")
        test = "randomisation" if units == "users" and differ <= _FEW else "t"

        def tested(alternative: str, against: Array, test: str) -> Comparison:
            return compare(
                now, against, test, alternative=alternative, alpha=self.alpha, units=units, test_to_train=overlap
            )

        worse, better = tested(loss, then, test), tested(gain, then, test)
        if worse.p is None or better.p is None:
            return _Tested(replace(draft, verdict=UNDECIDED, p=None, reason=worse.reason))
        if not self.tolerance:
            return _Tested(draft, worse.p, worse.p, better.p)
        # A loss beyond the tolerance is one from the baseline less what is tolerated, user by user.
        down = -1 if higher == (draft.baseline >= 0) else 1
        beyond = tested(loss, then * (1 + down * self.tolerance), "t")
        return _Tested(draft, worse.p, max(worse.p, beyond.p or 0.0), better.p)

    def _corrected(self, tested: Sequence[_Tested]) -> Iterator[Verdict]:
        """Correct p over all comparisons, and say what that makes of each."""
        open_ones = [one for one in tested if one.worse is not None]
        families = ([one.worse or 0.0 for one in open_ones], [one.beyond for one in open_ones])
        worse, beyond = (iter(holm(family).tolist()) for family in families)
        better = iter(holm([one.better for one in open_ones]).tolist())
        for one in tested:
            if one.worse is None:
                yield one.verdict
                continue
            p_worse, p_beyond, p_better = next(worse), next(beyond), next(better)
            if p_beyond <= self.alpha:
                yield replace(one.verdict, verdict=WORSE, p=p_beyond)
            elif p_worse <= self.alpha:
                yield replace(one.verdict, verdict=TOLERATED, p=p_beyond)
            elif p_better <= self.alpha:
                yield replace(one.verdict, verdict=IMPROVED, p=p_better)
            else:
                yield replace(one.verdict, verdict=SAME, p=p_beyond)


_ANEW = "write a new baseline (`omnibench baseline FILE`, or pytest with --omnirec-baseline=FILE)"


def _draft(now: Entry, then: Entry, label: str, means: Sequence[float], folds: int) -> Verdict:
    """Return the verdict on what is the same."""
    change = 0.0 if means[0] else None
    return Verdict(
        now.dataset.shown, now.shown, label, SAME, then.shown, means[0], means[1], change, None, 1.0, 0, "users", folds
    )


def _higher(scores: Iterable[Score]) -> bool | None:
    """Whether more is better, as the first one says who knows."""
    return next((score.higher_is_better for score in scores if score.higher_is_better is not None), None)


def _listed(what: str, entries: Sequence[Entry], most: int = 3) -> Iterator[str]:
    """Yield a sentence about some entries, of which the first few are named."""
    if entries:
        named = ", ".join(entry.name for entry in entries[:most])
        more = f" and {len(entries) - most} more" if len(entries) > most else ""
        yield f"{named}{more}: {what}"
