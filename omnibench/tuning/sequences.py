"""Searches in which no trial depends on the result of another: random, Sobol's sequence, and the points of a grid."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from omnibench.keys import canonical, digest
from omnibench.tuning.budget import GRID, RANDOM, SOBOL
from omnibench.tuning.space import Space

_MOST_REPEATS = 200
"""Points in a row that were tried before; a space of which that much is tried is then gone through in a random order."""

_BLOCK = 64
"""Points of Sobol's sequence that are computed at once: a power of two, as its balance needs."""


class Untried:
    """What a search has left of its space: it proposes no point of a finite one twice, and ends after the last.

    Args:
        space: The space.
        points: Those that have been tried; what lies outside of the space does not count.
    """

    def __init__(self, space: Space, points: Iterable[Mapping[str, Any]]) -> None:
        self._size = space.size
        self._tried: set[str] = set()
        if self._size is not None:
            self._tried = {canonical(point) for point in points if space.contains(point)}

    @property
    def is_empty(self) -> bool:
        """Whether every point has been tried."""
        return self._size is not None and len(self._tried) >= self._size

    def take(self, point: Mapping[str, Any]) -> bool:
        """Note that a point is tried now; return whether it had not been before."""
        if self._size is None:
            return True
        before = len(self._tried)
        self._tried.add(canonical(point))
        return len(self._tried) > before


class PointSequence:
    """The points that a search tries behind the algorithm's defaults, in their order.

    Args:
        space: The space; a finite one where the sampler is ``grid``.
        sampler: ``random``, ``grid`` or ``sobol``.
        key: What the order is made of.
        points: Those that have been tried: the defaults, where they lie in the space.
    """

    def __init__(self, space: Space, sampler: str, key: str, points: Iterable[Mapping[str, Any]]) -> None:
        self._untried = Untried(space, points)
        self._candidates = _CANDIDATES[sampler](space, key)
        self._rest = in_random_order(space, key)
        self._proposed: list[dict[str, Any]] = []

    def point(self, position: int) -> dict[str, Any] | None:
        """Return the point at a position, from 0; None behind the last."""
        while len(self._proposed) <= position:
            following = self._next()
            if following is None:
                return None
            self._proposed.append(following)
        return dict(self._proposed[position])

    def _next(self) -> dict[str, Any] | None:
        if self._untried.is_empty:
            return None
        candidates = itertools.chain(itertools.islice(self._candidates, _MOST_REPEATS), self._rest)
        return next((point for point in candidates if self._untried.take(point)), None)


def seeded(*parts: Any) -> random.Random:
    """Return a generator whose numbers depend on the parts of a key only: they are the same in every process."""
    return random.Random(digest(list(parts)))  # noqa: S311 - nothing is kept secret with it


def in_random_order(space: Space, key: str) -> Iterator[dict[str, Any]]:
    """Yield every point of a finite space once: one that is larger than the budget is then tried in all its parts."""
    size = space.size or 0
    randomness = seeded("grid", key)
    moved: dict[int, int] = {}  # the shuffle of Fisher and Yates, with a memory for what it has moved only
    for position in range(size):
        drawn = position + int(randomness.random() * (size - position))
        index = moved.pop(drawn, drawn)
        if drawn != position:
            moved[drawn] = moved.pop(position, position)
        yield space.point(index)


def _random_points(space: Space, key: str) -> Iterator[dict[str, Any]]:
    randomness = seeded("random", key)
    while True:
        yield space.at([randomness.random() for _ in space.dimensions])


def _sobol_points(space: Space, key: str) -> Iterator[dict[str, Any]]:
    """Yield the points of Sobol's sequence, scrambled as Owen (1995) proposed."""
    from scipy.stats import qmc

    engine = qmc.Sobol(len(space.dimensions), scramble=True, seed=int(digest(["sobol", key])[:8], 16))
    while True:
        for shares in engine.random(_BLOCK).tolist():
            yield space.at(shares)


_CANDIDATES = {RANDOM: _random_points, GRID: in_random_order, SOBOL: _sobol_points}
