"""What a split is: a step that ends a recipe and tells the parts of each fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, overload

from omnibench.data.interactions import Interactions
from omnibench.data.order import Rows
from omnibench.data.step import Step

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

Mask: TypeAlias = "npt.NDArray[np.bool_]"


class Parts(NamedTuple):
    """Ascending row numbers of the parts of one fold: all rows, none of them twice.

    A split that folds in leaves out the rows that are given to test users, see ``Split.folds_in``.
    """

    train: Rows
    validation: Rows
    test: Rows


class Folds(Sequence[Parts]):
    """The parts of each fold, made when they are looked at: together they would be larger than the interactions.

    Args:
        number: How many folds.
        make: Called with a fold's number.
    """

    def __init__(self, number: int, make: Callable[[int], Parts]) -> None:
        self._folds = range(number)
        self._make = make

    def __len__(self) -> int:
        return len(self._folds)

    @overload
    def __getitem__(self, fold: int) -> Parts: ...
    @overload
    def __getitem__(self, fold: slice) -> list[Parts]: ...
    def __getitem__(self, fold: int | slice) -> Parts | list[Parts]:
        if isinstance(fold, slice):
            return [self._make(one) for one in self._folds[fold]]
        return self._make(self._folds[fold])


@dataclass(frozen=True)
class Split(Step):
    """A step from interactions to folds.

    What each split guarantees, it guarantees for any interactions that it does not refuse.
    """

    @property
    def folds(self) -> int | None:
        """The number of folds, or None for a single split."""
        return None

    @property
    def folds_in(self) -> bool:
        """Whether training does not know the test users, who are given their rows that are in no part instead."""
        return False

    def split(self, interactions: Interactions, seed: int, position: int) -> Sequence[Parts]:
        """Return the parts of each fold.

        Args:
            interactions: Canonical rows.
            seed: The dataset's seed.
            position: The step's position in the recipe.
        """
        raise NotImplementedError


def parts_of(tested: Mask, validated: Mask | None = None) -> Parts:
    """Return the parts that masks of the rows tell; what is in neither is training."""
    if validated is None:
        return Parts(np.flatnonzero(~tested), np.empty(0, dtype=np.int64), np.flatnonzero(tested))
    return Parts(np.flatnonzero(~tested & ~validated), np.flatnonzero(validated), np.flatnonzero(tested))


def given_rows(n: int, parts: Parts) -> Rows:
    """Return the rows, of n, that are in no part: what test users are given of their history."""
    given = np.ones(n, dtype=bool)
    for rows in parts:
        given[rows] = False
    return np.flatnonzero(given)
