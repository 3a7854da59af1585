"""Deduplicate and KeepRepeats: what is kept when a user has an item several times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from omnibench.arguments import checked_arguments
from omnibench.data.interactions import Interactions, warn_of_lost_digits
from omnibench.data.membership import separate_items
from omnibench.data.order import repeats
from omnibench.data.step import Preprocessing
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

_CHOICES_BY_RATING = ("highest", "sum")
_CHOICES = ("first", "last", *_CHOICES_BY_RATING)


@checked_arguments
@dataclass(frozen=True)
class Deduplicate(Preprocessing):
    """Make one interaction of each (user, item) pair, however often it occurs.

    Without this step the last one of each pair counts, with a warning, before any other step. With it, the steps
    before it see all of them; pipe it first if they should not.

    Guarantees: every pair that occurs stays exactly once, of a published split once in each part that it is in; ``sum``
    keeps the sum of all ratings, up to float32.

    Args:
        keep: ``first`` or ``last`` in time (in the order of the rows without timestamps, and where they are equal);
            ``highest``, the last of the highest rated; ``sum``, the last one with the sum of all ratings.

    Raises:
        DataError: There is no such choice.
    """

    keep: str = "last"

    @property
    def needs_order(self) -> bool:
        return True

    def check(self) -> None:
        if self.keep not in _CHOICES:
            raise DataError(f"Deduplicate: keep is {self.keep!r}; give one of {', '.join(map(repr, _CHOICES))}.")

    @property
    def needs(self) -> tuple[str, ...]:
        return ("rating",) if self.keep in _CHOICES_BY_RATING else ()

    def apply(self, interactions: Interactions, seed: int, position: int) -> Interactions:
        parts = interactions.parts
        item = interactions.item if parts is None else separate_items(interactions.item, parts)
        order, is_repeat = repeats(interactions.user, item, len(interactions.user_ids))
        if not is_repeat.any():
            return interactions
        starts = np.flatnonzero(~is_repeat)
        ends = np.append(starts[1:], len(order)) - 1
        if self.keep == "first":
            return interactions.take(np.sort(order[starts]))
        if self.keep == "last":
            return interactions.take(np.sort(order[ends]))
        assert interactions.rating is not None, "a recipe has looked for the columns that a step needs"
        rating = interactions.rating[order]
        pair = np.cumsum(~is_repeat) - 1
        if self.keep == "highest":
            best = np.flatnonzero(rating == np.maximum.reduceat(rating, starts)[pair])
            ends[pair[best]] = best  # the last one written stays
            return interactions.take(np.sort(order[ends]))
        # bincount adds one after the other, so that a sum is the same on every machine.
        sums = np.bincount(pair, weights=rating).astype(np.float64, copy=False)
        if np.abs(sums).max() > np.finfo(np.float32).max:
            raise DataError("Deduplicate('sum'): a sum of ratings is too large for a 32-bit float; scale the ratings.")
        warn_of_lost_digits(sums, "Deduplicate('sum')")
        summed = interactions.rating.copy()
        summed[order[ends]] = sums
        return replace(interactions, rating=summed).take(np.sort(order[ends]))


@checked_arguments
@dataclass(frozen=True)
class KeepRepeats(Preprocessing):
    """Keep all interactions of each (user, item) pair, so that a user may have in test what is in training as well.

    Rankings of such data are judged with ``AllItems(repeats=True)``. The frameworks learn from each pair once, with its
    last rating; a class of the user's own gets all rows.

    Guarantees: the interactions stay what they are, and no other step of the recipe drops repeats.
    """

    def apply(self, interactions: Interactions, seed: int, position: int) -> Interactions:
        return interactions
