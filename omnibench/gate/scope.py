"""The scope of a judgement: what of a plan was asked for, and what of the baseline has to be there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from omnibench.gate.entries import Entry
from omnibench.gate.matching import Match
from omnibench.gate.series import Series, named
from omnibench.gate.verdicts import count
from omnibench.metrics.labels import has_label

ACCEPTED_HINT = "--omnirec-gate-missing=ok (of `omnibench gate`: --missing=ok) accepts that"


def _is_covered(_: Series) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a plan was asked for, so that nothing else is missed.

    Attributes:
        deselected: By an entry's key, the folds that the plan has and nobody asked for (``-k``, a node id, ``--lf``).
        covers: Whether a series of the baseline would be in the plan if somebody still wanted it; not where it comes
            from a bench file that this run did not look at.
        covers_metrics: Whether everything that measured a series of the baseline was looked at, so that each of its
            metrics has to be there; two bench functions may measure the same experiments in two ways.
        partial: Whether only a part of the plan was asked for, so that there may be nothing to compare.
        labels: The labels that the plan has; where only a part was asked for, another part may measure them.
        failed: The items that failed, by name.
        missing_ok: Whether what is missing is accepted.
        basis: As in ``Gate``.
    """

    deselected: Mapping[str, Collection[int]] = field(default_factory=dict)
    covers: Callable[[Series], bool] = _is_covered
    covers_metrics: Callable[[Series], bool] = _is_covered
    partial: bool = False
    labels: Collection[str] = ()
    failed: Sequence[str] = ()
    missing_ok: bool = False
    basis: str = ""

    def deselects(self, entry: Entry) -> Collection[int]:
        """Return the folds of an entry that nobody asked for."""
        return self.deselected.get(entry.key, ())


def missing_sentences(
    matched: Match, scope: Scope, labels_of: Callable[[Series], Iterable[str]]
) -> tuple[list[str], list[str]]:
    """Return what the baseline has and this run lacks, a sentence each: what has to be there, and what need not be.

    Args:
        matched: The series of the plan, also those without results, matched with the baseline's.
        scope: What was asked for.
        labels_of: From a series of the baseline to those of its labels that are judged.
    """
    covered = [series for series in matched.missing if scope.covers(series)]
    elsewhere = [series for series in matched.missing if not scope.covers(series)]
    unmeasured: list[Series] = []
    fewer: list[Series] = []
    deselected: list[Series] = []
    labels: dict[str, int] = {}
    for current, baseline in matched.pairs:
        shares = {_share_of(entry, baseline.folds, scope) for entry in current.entries}
        if _NOTHING in shares:
            unmeasured.append(current)
        elif _LESS in shares:
            fewer.append(current)
        elif current.folds and baseline.folds - current.folds:
            deselected.append(current)
        for label in labels_of(baseline) if current.labels else ():
            is_elsewhere = (scope.partial and has_label(scope.labels, label)) or not scope.covers_metrics(baseline)
            if label not in current.labels and not is_elsewhere:
                labels[label] = labels.get(label, 0) + 1
    missing = [
        *summarised(
            covered, f"in the baseline, but {'without a result' if scope.basis else 'not in the plan any more'}"
        ),
        *summarised(unmeasured, "in the baseline, but without a result in this run"),
        *summarised(fewer, "has fewer folds than in the baseline"),
        *(
            f"{label} is in the baseline, but was not measured now of {count(number, 'configuration')}"
            for label, number in labels.items()
        ),
    ]
    notes = [
        *summarised(elsewhere, "in the baseline, from a bench file that this run did not look at"),
        *summarised(deselected, "has fewer folds than in the baseline, and was compared by those"),
    ]
    return missing, notes


_NOTHING, _LESS, _ALL = "nothing", "less", "all"


def _share_of(entry: Entry, baseline_folds: Collection[int], scope: Scope) -> str:
    """Return how much an entry has of the baseline's folds, as far as they were asked for: nothing, less or all."""
    folds = {fold for score in entry.scores.values() for fold in score.folds}
    lacking = {*baseline_folds} - folds - {*scope.deselects(entry)}
    if not lacking or (entry.scores and not folds):  # then each metric says itself that it has no value
        return _ALL
    return _LESS if folds else _NOTHING


def summarised(series: Sequence[Series], statement: str) -> Iterator[str]:
    """Yield a sentence about series, of which it names the first few; nothing without series.

    Args:
        series: The series.
        statement: What is said of them.
    """
    if series:
        yield f"{named(series)}: {statement}"
