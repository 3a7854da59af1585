"""Steps that select interactions: by rating, by time, by pruning, by sampling."""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from omnibench.arguments import checked_arguments
from omnibench.data.interactions import Interactions
from omnibench.data.moments import Date, describe_range, in_unit_of, moment
from omnibench.data.order import counts, lookup
from omnibench.data.step import Preprocessing, is_int, is_number, plain, random_keys
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


@checked_arguments
@dataclass(frozen=True, repr=False)
class MakeImplicit(Preprocessing):
    """Keep interactions rated at least the threshold, and drop the ratings.

    Guarantees: every interaction that stays was rated at least the threshold, every other one goes; no rating is left,
    unless they are kept: then those of the interactions that stay are what they were.

    Args:
        threshold: An int is a rating; a float from 0 to 1 is a fraction of the rating range, so that 0.5
            keeps what is rated at least (lowest + highest) / 2.
        keep: ``rating`` keeps the ratings beside the interactions, for algorithms and metrics that ask for them. The
            data is implicit all the same: interactions are ranked.

    Raises:
        DataError: The threshold is neither, or nothing else can be kept.
    """

    later: ClassVar[tuple[str, ...]] = ("keep",)

    threshold: int | float
    keep: str | None = None

    def __repr__(self) -> str:
        keep = "" if self.keep is None else f", keep={self.keep!r}"
        return f"MakeImplicit(threshold={self.threshold!r}{keep})"

    @property
    def needs(self) -> tuple[str, ...]:
        return ("rating",)

    def check(self) -> None:
        if not is_number(self.threshold):
            raise DataError(
                f"MakeImplicit: the threshold is {self.threshold!r} of type {type(self.threshold).__name__}; "
                "give an int (a rating) or a float from 0 to 1 (a fraction of the rating range)."
            )
        if self.keep not in (None, "rating"):
            raise DataError(f"MakeImplicit: keep is {self.keep!r}; give 'rating' to keep the ratings, or leave it out.")
        if isinstance(self.threshold, float) and not 0 <= self.threshold <= 1:
            raise DataError(
                f"MakeImplicit: the threshold is the float {self.threshold}, which is no fraction from 0 to 1; "
                f"{self._rating_advice(self.threshold)}."
            )

    @staticmethod
    def _rating_advice(threshold: float) -> str:
        """Return how a rating is written as a threshold."""
        if not math.isfinite(threshold):
            return "for a rating give an int, e.g. MakeImplicit(3)"
        if threshold.is_integer():
            return f"for a rating give an int: MakeImplicit({int(threshold)})"
        return f"for a rating between whole ones pipe RatingFilter({threshold}), MakeImplicit(0.0)"

    def apply(self, interactions: Interactions, seed: int, position: int) -> Interactions:
        rating = interactions.rating
        if rating is None:
            return interactions
        limit = _lowest_kept(self.threshold, rating)
        reduced = interactions if self.keep == "rating" else replace(interactions, rating=None)
        implicit = reduced.take(rating >= limit)
        if len(implicit) == 0:
            raise DataError(
                f"MakeImplicit({self.threshold!r}) leaves no interaction: no rating reaches {limit:g}. "
                "Lower the threshold."
            )
        return implicit


def _lowest_kept(threshold: float, rating: npt.NDArray[np.float32]) -> np.float32:
    """Return the rating that a threshold means, in the precision of ratings.

    A fraction is taken of the decimal numbers that people write: of 0.1 to 0.3, half is 0.2 and keeps 0.2, which in binary
    fractions lies below the middle of the others.
    """
    if is_int(threshold) or len(rating) == 0:
        return np.float32(threshold)
    from fractions import Fraction  # which runs that find everything done save

    lowest, highest = (Fraction(str(bound)) for bound in (rating.min(), rating.max()))
    return np.float32(float(lowest + Fraction(str(threshold)) * (highest - lowest)))


@checked_arguments
@dataclass(frozen=True)
class RatingFilter(Preprocessing):
    """Keep interactions rated within bounds; the ratings stay.

    Guarantees: ``lower <= rating <= upper`` for every interaction that stays, and for no other one.

    Args:
        lower: The lowest rating that stays, or None for any.
        upper: The highest rating that stays, or None for any.

    Raises:
        DataError: A bound is no number, none is given, or nothing lies between them.
    """

    lower: int | float | None = None
    upper: int | float | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        return ("rating",)

    def check(self) -> None:
        for name, bound in (("lower", self.lower), ("upper", self.upper)):
            if bound is not None and not (is_number(bound) and math.isfinite(bound)):
                raise DataError(f"RatingFilter: {name} is {bound!r}; give a rating, or None for no bound.")
            if isinstance(bound, float) and bound.is_integer():
                object.__setattr__(self, name, int(bound))  # 3.0 and 3 are one rating, so they are the same in keys
        if self.lower is None and self.upper is None:
            raise DataError("RatingFilter has no bound, so it would keep everything; give lower, upper or both.")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise DataError(f"RatingFilter: lower is {self.lower} and upper {self.upper}; no rating is in between.")

    def apply(self, interactions: Interactions, seed: int, position: int) -> Interactions:
        rating = interactions.rating
        assert rating is not None, "a recipe has looked for the columns that a step needs"
        is_kept = np.ones(len(rating), dtype=bool)
        if self.lower is not None:
            is_kept &= rating >= np.float32(self.lower)
        if self.upper is not None:
            is_kept &= rating <= np.float32(self.upper)
        if not is_kept.any():
            raise DataError(f"{self} leaves no interaction: ratings go from {rating.min():g} to {rating.max():g}.")
        return interactions.take(is_kept)


@checked_arguments
@dataclass(frozen=True)
class TimeFilter(Preprocessing):
    """Keep the interactions of a period.

    Guarantees: ``start <= timestamp < end`` for every interaction that stays, and for no other one.

    Args:
        start: Its first moment, or None for no bound: a number in the unit of the data's timestamps, or a date (ISO
            8601 text, date, datetime; UTC unless it says otherwise). For a date the unit of the data is told by the
            size of its numbers: seconds, milliseconds, microseconds or nanoseconds since 1970.
        end: The first moment after it, or None for no bound.

    Raises:
        DataError: A bound is no moment, none is given, or the period ends before it starts.
    """

    start: int | float | Date | None = None
    end: int | float | Date | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        return ("timestamp",)

    def check(self) -> None:
        for name in ("start", "end"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, moment(getattr(self, name), f"TimeFilter: {name}"))
        if self.start is None and self.end is None:
            raise DataError("TimeFilter has no bound, so it would keep everything; give start, end or both.")
        if type(self.start) is type(self.end) and self.start >= self.end:  # type: ignore[operator]  # of one type
            raise DataError(f"TimeFilter: the period starts at {self.start!r} and ends at {self.end!r}, not after it.")

    def apply(self, interactions: Interactions, seed: int, position: int) -> Interactions:
        timestamp = interactions.timestamp
        assert timestamp is not None, "a recipe has looked for the columns that a step needs"
        is_kept = np.ones(len(timestamp), dtype=bool)
        if self.start is not None:
            is_kept &= timestamp >= in_unit_of(timestamp, self.start)
        if self.end is not None:
            is_kept &= timestamp < in_unit_of(timestamp, self.end)
        if not is_kept.any():
            raise DataError(f"{self} leaves no interaction: the timestamps go {describe_range(timestamp)}.")
        return interactions.take(is_kept)


@checked_arguments
@dataclass(frozen=True, init=False, repr=False)
class CorePruning(Preprocessing):
    """Drop users and items with too few interactions, repeatedly until every one has enough.

    Guarantees: every user and every item that stays has at least its core of interactions (not with ``one_pass``);
    what stays is the largest such set, whatever the order of the rows.

    Args:
        core: The smallest number of interactions of a user and of an item, at least 1.
        user_core: The same for users alone.
        item_core: The same for items alone; where neither ``core`` nor this is given, items are not pruned.
        one_pass: Count once, drop once: who loses interactions by it may end below the core.

    Raises:
        DataError: A core is no such number, or none is given.
    """

    user_core: int
    item_core: int
    one_pass: bool

    def __init__(
        self,
        core: int | None = None,
        *,
        user_core: int | None = None,
        item_core: int | None = None,
        one_pass: bool = False,
    ) -> None:
        core, user_core, item_core = plain(core), plain(user_core), plain(item_core)
        for name, value in (("core", core), ("user_core", user_core), ("item_core", item_core)):
            if value is not None and (not is_int(value) or value < 1):
                raise DataError(f"CorePruning: {name} is {value!r}; give an int of at least 1.")
        if core is None and user_core is None and item_core is None:
            raise DataError("CorePruning has no core; give one, e.g. CorePruning(5) or CorePruning(user_core=5).")
        if core is not None and user_core is not None and item_core is not None:
            raise DataError("CorePruning: user_core and item_core leave nothing to core; leave it out.")
        if not isinstance(one_pass, bool):
            raise DataError(f"CorePruning: one_pass is {one_pass!r}; give True or False.")
        object.__setattr__(self, "user_core", user_core or core or 1)
        object.__setattr__(self, "item_core", item_core or core or 1)
        object.__setattr__(self, "one_pass", one_pass)

    @property
    def identity(self) -> list[object]:
        shared_core = {"core": self.user_core}
        cores = (
            shared_core
            if self.user_core == self.item_core
            else {"user_core": self.user_core, "item_core": self.item_core}
        )
        return [type(self).__name__, self.version, {**cores, **({"one_pass": True} if self.one_pass else {})}]

    def __repr__(self) -> str:
        separate_cores = f"user_core={self.user_core}, item_core={self.item_core}"
        cores = str(self.user_core) if self.user_core == self.item_core else separate_cores
        return f"CorePruning({cores}{', one_pass=True' if self.one_pass else ''})"

    def apply(self, interactions: Interactions, seed: int, position: int) -> Interactions:
        dropped = self._dropped(interactions, self.user_core, self.item_core)
        if dropped.all():
            raise DataError(
                f"{self} leaves no interaction of {len(interactions)}: no users and items with so many "
                f"interactions among each other. {self._advice(interactions)}"
            )
        return interactions.take(~dropped) if dropped.any() else interactions

    def _advice(self, interactions: Interactions) -> str:
        """Return which smaller cores leave something."""
        largest = max(self.user_core, self.item_core)

        def leaves_something(core: int) -> bool:
            cores = min(core, self.user_core), min(core, self.item_core)
            return not self._dropped(interactions, *cores).all()

        # Fewer are dropped with a smaller core; with 1, none.
        most = bisect.bisect_left(range(1, largest), True, key=lambda core: not leaves_something(core))
        smaller = CorePruning(
            user_core=min(most, self.user_core), item_core=min(most, self.item_core), one_pass=self.one_pass
        )
        return f"Choose a smaller core: the largest that leaves some is {smaller}."

    def _dropped(self, interactions: Interactions, user_core: int, item_core: int) -> npt.NDArray[np.bool_]:
        """Return which interactions go, shape (n,)."""
        user, item = interactions.user, interactions.item
        users, items = counts(user, len(interactions.user_ids)), counts(item, len(interactions.item_ids))
        dropped = np.zeros(len(user), dtype=bool)
        while True:
            few_users = (users > 0) & (users < user_core)
            few_items = (items > 0) & (items < item_core)
            if not (few_users.any() or few_items.any()):
                break
            newly_dropped = np.flatnonzero((lookup(few_users, user) | lookup(few_items, item)) & ~dropped)
            dropped[newly_dropped] = True
            if self.one_pass:
                break
            users -= np.bincount(user[newly_dropped], minlength=len(users))
            items -= np.bincount(item[newly_dropped], minlength=len(items))
        return dropped


_SAMPLED = ("interactions", "users", "items")


@checked_arguments
@dataclass(frozen=True)
class Subsample(Preprocessing):
    """Keep a random sample of the interactions, or of the users or items with all their interactions.

    Guarantees: exactly as many interactions (users, items) stay as were asked for, each as likely as any other; users
    and items that stay keep all their interactions when they are what is sampled.

    Args:
        sample_size: An int is a number; a float above 0 and up to 1 is a fraction, rounded, of at least one.
        of: What is sampled: ``interactions``, ``users`` or ``items``.

    Raises:
        DataError: The size is neither, or there is nothing of that name to sample.
    """

    later: ClassVar[tuple[str, ...]] = ("of",)

    sample_size: int | float
    of: str = "interactions"

    def check(self) -> None:
        size = self.sample_size
        if not is_number(size):
            raise DataError(f"Subsample: sample_size is {size!r}; give an int (a number) or a float (a fraction).")
        if not (0 < size <= 1 if isinstance(size, float) else size >= 1):
            raise DataError(f"Subsample: sample_size is {size!r}; give an int of at least 1 or a float in (0, 1].")
        if self.of not in _SAMPLED:
            raise DataError(f"Subsample: of is {self.of!r}; give one of {', '.join(map(repr, _SAMPLED))}.")

    def apply(self, interactions: Interactions, seed: int, position: int) -> Interactions:
        if self.of == "interactions":
            return interactions.take(self._draw(len(interactions), seed, position))
        codes = interactions.user if self.of == "users" else interactions.item
        ids = interactions.user_ids if self.of == "users" else interactions.item_ids
        present = np.flatnonzero(counts(codes, len(ids)))
        is_kept = np.zeros(len(ids), dtype=bool)
        is_kept[present[self._draw(len(present), seed, position)]] = True
        return interactions.take(lookup(is_kept, codes))

    def _draw(self, n: int, seed: int, position: int) -> npt.NDArray[np.int64]:
        """Draw which of n are kept, ascending."""
        size = max(1, round(self.sample_size * n)) if isinstance(self.sample_size, float) else self.sample_size
        if size > n:
            raise DataError(
                f"Subsample({self.sample_size}) asks for {size} {self.of}, but the steps before leave {n}. "
                "Give a smaller number, or a fraction as a float."
            )
        return np.sort(np.argsort(random_keys(n, seed, position), kind="stable")[:size])
