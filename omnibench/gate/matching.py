"""Which entry of a baseline is which of now: keys differ by the nature of what the gate is for."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from omnibench.gate.entries import Dataset, Entry
from omnibench.keys import canonical

Thing = TypeVar("Thing")
Kind = TypeVar("Kind", bound=Hashable)


@dataclass(frozen=True)
class Match:
    """What belongs together.

    Attributes:
        pairs: Entries of now with those of the baseline.
        changed: Those of them whose hyperparameters have changed.
        recut: Datasets of now with those of the baseline, whose test parts differ; their users cannot be paired.
        unclear: What cannot be told apart, in sentences.
        new: Entries that the baseline does not have.
        gone: Entries that only the baseline has.
    """

    pairs: list[tuple[Entry, Entry]] = field(default_factory=list)
    changed: list[tuple[Entry, Entry]] = field(default_factory=list)
    recut: list[tuple[Dataset, Dataset]] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    new: list[Entry] = field(default_factory=list)
    gone: list[Entry] = field(default_factory=list)


def match(now: Sequence[Entry], then: Sequence[Entry]) -> Match:
    """Match what was measured now with what was measured then.

    Datasets go by their keys, and what is left of one name by its test parts and then, where there is one on each side, by
    the name alone. Configurations on a dataset go by their keys, then by algorithm, hyperparameters and what else is
    configured; where one of an algorithm is left on each side, its hyperparameters have changed.

    Args:
        now: What was measured now.
        then: What the baseline has.
    """
    found = Match()
    ours, theirs = _by_dataset(now), _by_dataset(then)
    datasets, new, gone = _paired(ours, theirs, (lambda one: one.key, lambda one: (one.name, one.tests), _name))
    for one, other in datasets:
        if one.tests != other.tests:
            found.recut.append((one, other))
        else:
            _match_configurations(found, ours[one], theirs[other])
    new, gone = _without_unclear(found, new, gone, _name)
    found.new.extend(entry for one in new for entry in ours[one])
    found.gone.extend(entry for one in gone for entry in theirs[one])
    return found


def _match_configurations(found: Match, now: Sequence[Entry], then: Sequence[Entry]) -> None:
    def alike(*names: str) -> Callable[[Entry], Hashable]:
        return lambda one: (*_point(one), canonical([one.configuration.get(name) for name in names]))

    kinds = (alike("seed", "device", "version", "code"), alike("seed", "device"), alike("seed"), alike())
    pairs, new, gone = _paired(now, then, (lambda one: one.key, *kinds))
    found.pairs.extend(pairs)
    new, gone = _without_unclear(found, new, gone, _point)
    changed, new, gone = _paired(new, gone, (lambda one: one.algorithm,))
    found.pairs.extend(changed)
    found.changed.extend(changed)
    found.new.extend(new)
    found.gone.extend(gone)


def _without_unclear(
    found: Match, new: Sequence[Thing], gone: Sequence[Thing], kind: Callable[[Thing], Hashable]
) -> tuple[list[Thing], list[Thing]]:
    """Note what cannot be told apart, of one kind on both sides and several on one, and return the others."""
    ours, theirs = _by_kind(new, kind), _by_kind(gone, kind)
    both = ours.keys() & theirs.keys()
    for of in both:
        here, there = (", ".join(str(one) for one in side[of]) for side in (ours, theirs))
        found.unclear.append(f"{here} may be any of the baseline's {there}")
    return [one for one in new if kind(one) not in both], [one for one in gone if kind(one) not in both]


def _point(entry: Entry) -> tuple[str, str]:
    """Return an algorithm and the point of its grid."""
    return entry.algorithm, entry.parameters


def _name(dataset: Dataset) -> str:
    return dataset.name


def _by_dataset(entries: Iterable[Entry]) -> dict[Dataset, list[Entry]]:
    return _by_kind(entries, lambda one: one.dataset)


def _by_kind(things: Iterable[Thing], kind: Callable[[Thing], Kind]) -> dict[Kind, list[Thing]]:
    found: dict[Kind, list[Thing]] = {}
    for one in things:
        found.setdefault(kind(one), []).append(one)
    return found


def _paired(
    ours: Iterable[Thing], theirs: Iterable[Thing], steps: Sequence[Callable[[Thing], Hashable]]
) -> tuple[list[tuple[Thing, Thing]], list[Thing], list[Thing]]:
    """Pair what is the only one of its kind on both sides, by one notion of kind after the other.

    Returns:
        The pairs, and what is left on each side.
    """
    pairs: list[tuple[Thing, Thing]] = []
    for kind in steps:
        mine, yours = _by_kind(ours, kind), _by_kind(theirs, kind)
        pairs += [(some[0], yours[of][0]) for of, some in mine.items() if len(some) == len(yours.get(of, ())) == 1]
        settled = {id(one) for pair in pairs for one in pair}
        ours, theirs = ([one for one in things if id(one) not in settled] for things in (ours, theirs))
    return pairs, list(ours), list(theirs)
