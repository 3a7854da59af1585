"""The data sets of the catalogue that are nearest to some figures: what results may be compared with."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from omnibench.data.catalogue.definition import Definition


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A data set of the catalogue beside others.

    Attributes:
        definition: The data set.
        distance: Between its numbers of users, items and interactions and the others', Euclidean in decimal logarithms:
            1 where one of them is ten times as large.
    """

    definition: Definition
    distance: float

    @property
    def interactions(self) -> int:
        """Its interactions; its pairs where only these are known."""
        return self.definition.counts.interactions or self.definition.counts.pairs or 0

    @property
    def density(self) -> float:
        """The share of all pairs of a user and an item that have interactions."""
        counts = self.definition.counts
        return (counts.pairs or self.interactions) / ((counts.users or 1) * (counts.items or 1))


def neighbours(
    entries: Iterable[Definition], users: int, items: int, interactions: int, number: int = 5
) -> list[Neighbour]:
    """Return the data sets whose sizes are nearest, the nearest first; those with unknown counts are left out.

    Args:
        entries: The data sets to look among.
        users: Users, at least one.
        items: Items, at least one.
        interactions: Interactions, at least one.
        number: How many are returned.
    """
    candidates = []
    for entry in entries:
        counts = entry.counts
        size = counts.interactions or counts.pairs
        if counts.users and counts.items and size:
            ratios = (counts.users / users, counts.items / items, size / interactions)
            candidates.append(Neighbour(entry, math.hypot(*map(math.log10, ratios))))
    return sorted(candidates, key=lambda neighbour: (neighbour.distance, neighbour.definition.name))[:number]
