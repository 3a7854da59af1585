"""The divergence of two stores: which items only one of them has, and what differs between those that both have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from omnibench.store.contrast import Contrast, Difference, contrast, difference_line
from omnibench.store.pairs import SETTINGS, FactSequence, Subject, digests_of, pair_subjects, rank_of

_MOST_VALUES = 3
"""Pairs of values of the same part that get a line each."""

_MOST_ROWS = 20
"""Rows of a list that are shown when nobody asks for all."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """How two stores differ.

    Attributes:
        a: The directory of the first store.
        b: The directory of the second.
        contrasts: What differs between the items that are about the same, for each pair.
        only_a: The items that only the first has, by their names.
        only_b: Likewise, of the second.
    """

    a: str
    b: str
    contrasts: tuple[Contrast, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether both have the same items, with the same keys, states and metrics."""
        return not (self.only_a or self.only_b) and all(
            not pair.keys and not pair.metrics and pair.states[0] == pair.states[1] for pair in self.contrasts
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        pairs = [pair.as_json() for pair in self.contrasts]
        only = {"only_a": list(self.only_a), "only_b": list(self.only_b)}
        return {"a": self.a, "b": self.b, "agrees": self.agrees, "pairs": pairs, **only}

    def lines(self, *, unabridged: bool = False) -> Iterator[str]:
        """Yield it as lines for people.

        Args:
            unabridged: Whether to list everything, however much there is.
        """
        most = None if unabridged else _MOST_ROWS
        same_key = sum(not pair.keys for pair in self.contrasts)
        yield f"A: {self.a}: {len(self.contrasts) + len(self.only_a)} items"
        yield f"B: {self.b}: {len(self.contrasts) + len(self.only_b)} items"
        changed = len(self.contrasts) - same_key
        matched = f", {changed} matched by dataset, configuration and fold" if changed else ""
        yield f"{len(self.contrasts)} items are in both: {same_key} with the same key{matched}."
        for side, items in (("A", self.only_a), ("B", self.only_b)):
            yield from _listed(f"Only in {side}: {_items(len(items))}", items, most)
        states = Counter(pair.states for pair in self.contrasts if pair.states[0] != pair.states[1])
        rows = [f"{a} -> {b}: {_items(count)}" for (a, b), count in states.most_common()]
        yield from _listed("Their states differ", rows, most)
        yield from _listed("What keys are made of differs", _grouped(pair.keys for pair in self.contrasts), most)
        circumstances = _grouped(pair.circumstances for pair in self.contrasts)
        yield from _listed("How they were computed, which is part of no key, differs", circumstances, most)
        differing = [(pair, number) for pair in self.contrasts for number in pair.metrics]
        equal = sum(len(pair.equal) for pair in self.contrasts)
        if differing or equal:
            yield f"{equal} of {equal + len(differing)} metrics are equal to the last digit."
        numbers = [(pair.titles[0], number) for pair, number in sorted(differing, key=lambda row: -_size(row[1]))]
        width = max((len(name) for name, _ in numbers), default=0)
        labelled = [
            f"{name:{width}}  {difference_line(_unprefixed(number), len(number.part) - len('metrics.'))}"
            for name, number in numbers
        ]
        yield from _listed("Metrics differ, the furthest apart first", labelled, most)


def diverge(a: str, items_a: FactSequence, b: str, items_b: FactSequence) -> Divergence:
    """Return how two stores differ; items go by their keys, and what is left as ``pairs.pair_subjects`` has it.

    Args:
        a: The directory of the first store.
        items_a: The facts about each of its items.
        b: The directory of the second store.
        items_b: Likewise.
    """
    keys_a, keys_b = ({fit_key: number for number, fit_key in enumerate(side.fit_keys)} for side in (items_a, items_b))
    left_a, left_b = (
        [number for fit_key, number in own.items() if fit_key not in keys_there]
        for own, keys_there in ((keys_a, keys_b), (keys_b, keys_a))
    )
    ranked: list[tuple[tuple[bool, str], Contrast]] = []
    matched_digests: tuple[set[bytes], ...] = tuple(set() for _ in SETTINGS)
    for fit_key, number in keys_a.items():
        if fit_key in keys_b:
            pair = items_a[number], items_b[keys_b[fit_key]]
            ranked.append((rank_of(pair[0]), contrast(*pair)))
            if left_a and left_b:
                for digests, *of_pair in zip(matched_digests, *map(digests_of, pair), strict=True):
                    digests.update(of_pair)
    contrasts = [of_pair for _, of_pair in sorted(ranked, key=lambda entry: entry[0])]
    subjects_a, subjects_b = (
        [Subject.of(number, side[number]) for number in left] for side, left in ((items_a, left_a), (items_b, left_b))
    )
    matched = pair_subjects(subjects_a, subjects_b, matched_digests)
    contrasts += [
        contrast(items_a[subject_a.number], items_b[subject_b.number]) for subject_a, subject_b in matched.pairs
    ]
    only_a, only_b = (tuple(subject.name for subject in side) for side in (matched.only_a, matched.only_b))
    return Divergence(a, b, tuple(contrasts), only_a, only_b)


def _items(count: int) -> str:
    return f"{count} item{'' if count == 1 else 's'}"


def _listed(heading: str, rows: Sequence[str], most: int | None) -> Iterator[str]:
    if not rows:
        return
    yield heading
    yield from (f"  {row}" for row in rows[:most])
    if most is not None and len(rows) > most:
        yield f"  ... {len(rows) - most} more; `--all` lists them"


def _grouped(differences_of_pairs: Iterable[Sequence[Difference]]) -> list[str]:
    """Return a line for each difference, with the number of pairs that have it, the most frequent ones first.

    What nearly every pair has values of its own of, as a digest, gets a line for all of them.
    """
    pairs = list(differences_of_pairs)
    width = max((len(difference.part) for differences in pairs for difference in differences), default=0)
    by_part: dict[str, Counter[str]] = {}
    for differences in pairs:
        for difference in differences:
            by_part.setdefault(difference.part, Counter())[difference_line(difference, width)] += 1
    counts: Counter[str] = Counter()
    for part, lines in by_part.items():
        alike = lines if len(lines) <= _MOST_VALUES else {f"{part:{width}}  each in its own way": lines.total()}
        counts.update(alike)
    return [f"{line}  [{_items(count)}]" for line, count in counts.most_common()]


def _size(difference: Difference) -> float:
    """Return how far apart two values are, in relation to them; what one side lacks is furthest."""
    a, b = difference.a, difference.b
    if a is None or b is None:
        return float("inf")
    return float(abs(b - a) / max(abs(a), abs(b)))


def _unprefixed(number: Difference) -> Difference:
    return Difference(number.part.removeprefix("metrics."), number.a, number.b)
