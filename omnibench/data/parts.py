"""Splits in general: a split is the step that ends a recipe and decides the parts of each fold."""

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
    """Ascending row numbers of the parts of one fold, none of them twice.

    They are all rows, but for those that a fold does not have: of another period, or those that a split that folds in gives
    to test users, see ``Split.history_rows``.
    """

    train: Rows
    validation: Rows
    test: Rows


class Folds(Sequence[Parts]):
    """The parts of each fold, computed on access: together they would be larger than the interactions.

    Args:
        number: The number of folds.
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
            return [self._make(number) for number in self._folds[fold]]
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
        """Whether test users are not in training; ``history_rows`` then says what is known of them."""
        return False

    @property
    def has_prefixes(self) -> bool:
        """Whether users of validation and test are the beginnings of sessions, each one event longer than the one before it."""
        return False

    @property
    def validation_argument(self) -> str:
        """The name of the argument that says how much is validated; empty of a split that has none."""
        return next((name for name in ("validation_size", "validation_users") if hasattr(self, name)), "")

    @property
    def validation_advice(self) -> str:
        """How a dataset with this split gets a validation part, as a sentence begins."""
        argument = self.validation_argument or "validation_size"
        return f"Give it one, e.g. {type(self).__name__}(..., {argument}=0.1)"

    @property
    def validates(self) -> bool | None:
        """Whether it makes a validation part; None where only its rows tell."""
        argument = self.validation_argument
        return getattr(self, argument) != 0 if argument else None

    def tested_rows(self, interactions: Interactions) -> Interactions:
        """Return the rows that are split: those of the data, but where a split tests a user more than once.

        Args:
            interactions: Canonical rows.
        """
        return interactions

    def history_rows(self, interactions: Interactions, parts: Parts) -> Rows:
        """Return the rows that users are recommended for from, where they are not in training: those that are in no part.

        Args:
            interactions: The rows that were split.
            parts: The parts of a fold.
        """
        is_in_no_part = np.ones(len(interactions), dtype=bool)
        for rows in parts:
            is_in_no_part[rows] = False
        return np.flatnonzero(is_in_no_part)

    def split(self, interactions: Interactions, seed: int, position: int) -> Sequence[Parts]:
        """Return the parts of each fold.

        Args:
            interactions: Canonical rows.
            seed: The dataset's seed.
            position: The step's position in the recipe.
        """
        raise NotImplementedError


def parts_of(is_test: Mask, is_validation: Mask | None = None) -> Parts:
    """Return the parts that two masks of the rows define; rows in neither mask are training."""
    if is_validation is None:
        return Parts(np.flatnonzero(~is_test), np.empty(0, dtype=np.int64), np.flatnonzero(is_test))
    return Parts(np.flatnonzero(~is_test & ~is_validation), np.flatnonzero(is_validation), np.flatnonzero(is_test))
