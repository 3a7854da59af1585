"""The scope of a judgement: what of a plan was asked for, and what of the baseline has to be there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from omnibench.gate.entries import Entry
from omnibench.gate.matching import Match
from omnibench.gate.verdicts import count

ACCEPTED_HINT = "--omnirec-gate-missing=ok (of `omnibench gate`: --missing=ok) accepts that"


def _is_covered(_: Entry) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a plan was asked for, so that nothing else is missed.

    Attributes:
        deselected: By an entry's key, the folds that the plan has and nobody asked for (``-k``, a node id, ``--lf``).
        covers: Whether an entry of the baseline would be in the plan if somebody still wanted it; not where it comes
            from a bench file that this run did not look at.
        covers_metrics: Whether everything that measured an entry of the baseline was looked at, so that each of its
            metrics has to be there; two bench functions may measure the same experiments in two ways.
        partial: Whether only a part of the plan was asked for, so that there may be nothing to compare.
        labels: The labels that the plan has; where only a part was asked for, another part may measure them.
        failed: The items that failed, by name.
        missing_ok: Whether what is missing is accepted.
        basis: As in ``Gate``.
    """

    deselected: Mapping[str, Collection[int]] = field(default_factory=dict)
    covers: Callable[[Entry], bool] = _is_covered
    covers_metrics: Callable[[Entry], bool] = _is_covered
    partial: bool = False
    labels: Collection[str] = ()
    failed: Sequence[str] = ()
    missing_ok: bool = False
    basis: str = ""

    def deselects(self, entry: Entry) -> Collection[int]:
        """Return the folds of an entry that nobody asked for."""
        return self.deselected.get(entry.key, ())


def folds_of(entry: Entry) -> set[int]:
    """Return the folds of an entry in which something was measured."""
    return {fold for score in entry.scores.values() for fold in score.folds}


def missing_sentences(
    matched: Match, scope: Scope, labels_of: Callable[[Entry], Iterable[str]]
) -> tuple[list[str], list[str]]:
    """Return what the baseline has and this run lacks, a sentence each: what has to be there, and what need not be.

    Args:
        matched: The entries of the plan, also those without results, matched with the baseline's.
        scope: What was asked for.
        labels_of: From an entry of the baseline to those of its labels that are judged.
    """
    covered = [entry for entry in matched.missing if scope.covers(entry)]
    elsewhere = [entry for entry in matched.missing if not scope.covers(entry)]
    unmeasured: list[Entry] = []
    fewer: list[Entry] = []
    deselected: list[Entry] = []
    labels: dict[str, int] = {}
    for current, baseline in matched.pairs:
        folds, baseline_folds = folds_of(current), folds_of(baseline)
        lacking = baseline_folds - folds - {*scope.deselects(current)}
        if lacking and not (current.scores and not folds):  # then each metric says itself that it has no value
            (fewer if folds else unmeasured).append(current)
        elif folds and baseline_folds - folds:
            deselected.append(current)
        for label in labels_of(baseline) if current.scores else ():
            is_elsewhere = (scope.partial and label in scope.labels) or not scope.covers_metrics(baseline)
            if label not in current.scores and not is_elsewhere:
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


def summarised(entries: Sequence[Entry], statement: str, limit: int = 3) -> Iterator[str]:
    """Yield a sentence about entries, of which it names the first few; nothing without entries.

    Args:
        entries: The entries.
        statement: What is said of them.
        limit: How many are named.
    """
    if entries:
        names = ", ".join(entry.name for entry in entries[:limit])
        more = f" and {len(entries) - limit} more" if len(entries) > limit else ""
        yield f"{names}{more}: {statement}"
