"""Pair the items of two stores that are about the same though their keys differ: by dataset, configuration and fold."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from omnibench.keys import recorded_text

Facts = Mapping[str, Any]
"""The facts about an item; see ``facts.FactSource``."""

SETTINGS = (("seed", "device", "threads"), ("seed", "device"), ("seed",), ())
"""What two items have to share beside dataset, configuration and fold, from the closest match on."""


class FactSequence(Protocol):
    """The facts about the items of a store, made one at a time; see ``facts_in_turn.FactsInTurn``."""

    @property
    def fit_keys(self) -> Sequence[str]:
        """The key of each item."""

    def __getitem__(self, number: int) -> Facts:
        """Return the facts about an item."""


class Subject(NamedTuple):
    """What an item is about, in a few bytes.

    Attributes:
        number: Its position among the items of its store.
        name: Its names for people and as its directory is called.
        rank: Of several items about the same, the one that ranks highest counts: done ones before others, then the latest.
        digests: What it is about, as digests, from the closest match on.
    """

    number: int
    name: str
    rank: tuple[bool, str]
    digests: tuple[bytes, ...]

    @classmethod
    def of(cls, number: int, facts: Facts) -> Subject:
        """Return what an item is about."""
        return cls(number, f"{facts['title']} ({facts['item']})", rank_of(facts), digests_of(facts))


@dataclass(frozen=True, slots=True)
class Pairs:
    """The items of two stores.

    Attributes:
        pairs: Items that are about the same, of the first and of the second store.
        only_a: Items that only the first has.
        only_b: Items that only the second has.
    """

    pairs: tuple[tuple[Subject, Subject], ...]
    only_a: tuple[Subject, ...]
    only_b: tuple[Subject, ...]


def pair_subjects(
    a: Sequence[Subject], b: Sequence[Subject], matched: Sequence[Collection[bytes]] | None = None
) -> Pairs:
    """Pair the items of two stores that do not have their keys in common.

    They go by dataset and steps, algorithm, hyperparameters, fold, seed, device and threads, then without threads, device and
    seed: not by versions of frameworks, an own class's code, or the data itself, which are what one wants to hear of. Where a
    store has several such items, as of earlier versions of an own class, the one counts that ranks highest.

    Args:
        a: The items of the first store.
        b: Likewise, of the second.
        matched: For each digest, those of the items that have their match by key: other versions of these are no match for others.
    """
    pairs: list[tuple[Subject, Subject]] = []
    for level in range(len(SETTINGS)):
        paired = {subject.digests[level] for subject, _ in pairs}.union(matched[level] if matched else ())
        best_a, best_b = (
            {subject.digests[level]: subject for subject in sorted(subjects, key=lambda subject: subject.rank)}
            for subjects in (a, b)
        )
        pairs += [
            (subject, best_b[digest]) for digest, subject in best_a.items() if digest in best_b and digest not in paired
        ]
    matched_a, matched_b = ({pair[side].number for pair in pairs} for side in (0, 1))
    return Pairs(
        tuple(pairs),
        tuple(subject for subject in a if subject.number not in matched_a),
        tuple(subject for subject in b if subject.number not in matched_b),
    )


def rank_of(facts: Facts) -> tuple[bool, str]:
    """Return what tells which of several items about the same counts; see ``Subject``."""
    finished = max((str(phase["finished"]) for phase in facts["phases"].values()), default="")
    return facts["status"] == "done", finished


def digests_of(facts: Facts) -> tuple[bytes, ...]:
    """Return what an item is about: the digests of its dataset's name and steps, its configuration and its fold; see ``Subject``."""
    dataset, algorithm = facts["dataset"], facts["algorithm"]
    alike = (dataset["words"], algorithm["name"], algorithm["parameters"], facts["fold"])
    texts = (recorded_text([*alike, [algorithm.get(name) for name in names]]) for names in SETTINGS)
    return tuple(hashlib.sha256(text.encode()).digest() for text in texts)
