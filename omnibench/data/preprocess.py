"""Steps that change which interactions there are: MakeImplicit, CorePruning, Subsample."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from omnibench.data.interactions import Interactions
from omnibench.errors import DataError


def random_keys(n: int, *entropy: int) -> npt.NDArray[np.uint64]:
    """Return n random 64-bit keys of a stream of their own.

    The raw stream of PCG64 is the part of numpy's random module that is promised never to change.

    Args:
        n: How many.
        entropy: Seed, step position, fold: what makes the stream its own.
    """
    return np.random.PCG64(np.random.SeedSequence(entropy)).random_raw(n)


def is_int(value: object) -> bool:
    """Whether a step's argument is a whole number; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether a step's argument is a number; True and False are none."""
    return is_int(value) or isinstance(value, float)


@dataclass(frozen=True)
class Step:
    """A step of a dataset's recipe. Its name, version and fields are part of the dataset's key."""

    version: ClassVar[int] = 1

    @property
    def identity(self) -> list[object]:
        """What the step adds to the key."""
        return [type(self).__name__, self.version, dict(self.__dict__)]


@dataclass(frozen=True)
class Preprocessing(Step):
    """A step from interactions to interactions."""

    def apply(self, interactions: Interactions, seed: int, position: int) -> Interactions:
        """Return what is left.

        Args:
            interactions: What the steps before left.
            seed: The dataset's seed.
            position: The step's position in the recipe, so that equal steps draw differently.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class MakeImplicit(Preprocessing):
    """Keep interactions rated at least the threshold, and drop the ratings.

    Args:
        threshold: An int is a rating; a float from 0 to 1 is a fraction of the rating range, so that 0.5
            keeps what is rated at least (lowest + highest) / 2.

    Raises:
        DataError: The threshold is neither.
    """

    threshold: int | float

    def __post_init__(self) -> None:
        if not is_number(self.threshold):
            raise DataError(
                f"MakeImplicit: the threshold is {self.threshold!r} of type {type(self.threshold).__name__}; "
                "give an int (a rating) or a float from 0 to 1 (a fraction of the rating range)."
            )
        if isinstance(self.threshold, float) and not 0 <= self.threshold <= 1:
            rating = round(self.threshold) if math.isfinite(self.threshold) else 3
            raise DataError(
                f"MakeImplicit: the threshold is the float {self.threshold}, which is no fraction from 0 to 1; "
                f"for a rating give an int, e.g. MakeImplicit({rating})."
            )

    def apply(self, interactions: Interactions, seed: int, position: int) -> Interactions:
        rating = interactions.rating
        if rating is None:
            return interactions
        limit = float(self.threshold)
        if isinstance(self.threshold, float) and len(rating):
            lowest, highest = float(rating.min()), float(rating.max())
            limit = lowest + self.threshold * (highest - lowest)
        kept = interactions.take(rating >= limit)
        if len(kept) == 0:
            raise DataError(
                f"MakeImplicit({self.threshold!r}) leaves no interaction: no rating reaches {limit:g}. "
                "Lower the threshold."
            )
        return replace(kept, rating=None)


@dataclass(frozen=True)
class CorePruning(Preprocessing):
    """Drop users and items with fewer than ``core`` interactions, again and again until none is left.

    Args:
        core: The smallest number of interactions, at least 1.

    Raises:
        DataError: The core is no such number.
    """

    core: int

    def __post_init__(self) -> None:
        if not is_int(self.core) or self.core < 1:
            raise DataError(f"CorePruning: core is {self.core!r}; give an int of at least 1.")

    def apply(self, interactions: Interactions, seed: int, position: int) -> Interactions:
        kept = interactions
        while len(kept):
            users = np.bincount(kept.user, minlength=len(kept.user_ids))
            items = np.bincount(kept.item, minlength=len(kept.item_ids))
            stay = (users[kept.user] >= self.core) & (items[kept.item] >= self.core)
            if stay.all():
                return kept
            kept = kept.take(stay)
        raise DataError(
            f"CorePruning({self.core}) leaves no interaction of {len(interactions)}: no users and items with "
            f"{self.core} interactions among each other. Choose a smaller core."
        )


@dataclass(frozen=True)
class Subsample(Preprocessing):
    """Keep a random sample of the interactions.

    Args:
        sample_size: An int is a number of interactions; a float above 0 and up to 1 is a fraction.

    Raises:
        DataError: The size is neither.
    """

    sample_size: int | float

    def __post_init__(self) -> None:
        size = self.sample_size
        if not is_number(size):
            raise DataError(f"Subsample: sample_size is {size!r}; give an int (a number) or a float (a fraction).")
        if not (0 < size <= 1 if isinstance(size, float) else size >= 1):
            raise DataError(f"Subsample: sample_size is {size!r}; give an int of at least 1 or a float in (0, 1].")

    def apply(self, interactions: Interactions, seed: int, position: int) -> Interactions:
        n = len(interactions)
        size = max(1, round(self.sample_size * n)) if isinstance(self.sample_size, float) else self.sample_size
        if size > n:
            raise DataError(
                f"Subsample({self.sample_size}) asks for {size} interactions, but the steps before leave {n}. "
                "Give a smaller number, or a fraction as a float."
            )
        drawn = np.argsort(random_keys(n, seed, position), kind="stable")[:size]
        return interactions.take(np.sort(drawn))
