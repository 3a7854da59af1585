"""Splits by time: all users at the same moment, or each user's own history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omnibench.arguments import checked_arguments
from omnibench.data.interactions import Interactions
from omnibench.data.moments import Date, describe_range, in_unit_of, moment
from omnibench.data.order import first_rows, ranks
from omnibench.data.parts import Parts, Split, parts_of
from omnibench.data.shares import (
    Counts,
    check_sizes,
    check_which,
    from_the_end,
    hold_out_first,
    needed_by_user,
    refuse_short_data,
    refuse_short_users,
    share,
)
from omnibench.data.step import is_int, is_number, random_keys
from omnibench.errors import DataError
from omnibench.guest.distinct import distinct

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


@checked_arguments
@dataclass(frozen=True)
class TimeBasedHoldout(Split):
    """Cut all interactions at two moments, the same for every user: training, then validation, then test.

    Interactions of one moment stay together, so a fraction or number is taken at least: a part begins with the first
    interaction of its moment. Test users and items may be unknown in training.

    Guarantees: every training interaction is before every validation interaction, and both are before every test
    interaction; no part that was asked for is empty, and training is not. The order of the rows does not matter.

    Args:
        validation_size: A float below 1 is a fraction of all interactions, an int a number of them, and a date (ISO
            8601 text, date, datetime; UTC unless it says otherwise) the moment at which the part begins.
        test_size: The same for the test part; above zero. A moment in a unit of its own is a date, too:
            ``pandas.Timestamp(881250949, unit="s")``.

    Raises:
        DataError: A size is none of these, the parts leave nothing to train on, or validation begins after test.
    """

    validation_size: int | float | Date = 0.1
    test_size: int | float | Date = 0.2

    @property
    def needs(self) -> tuple[str, ...]:
        return ("timestamp",)

    def check(self) -> None:
        for name in ("validation_size", "test_size"):
            size: Any = getattr(self, name)
            if not is_number(size) and not isinstance(size, bool | None):
                object.__setattr__(self, name, moment(size, f"TimeBasedHoldout: {name}"))
        numbers = [0 if isinstance(size, str) else size for size in (self.validation_size, self.test_size)]
        check_sizes(self, numbers[0], 1 if isinstance(self.test_size, str) else numbers[1])
        if (
            isinstance(self.validation_size, str)
            and isinstance(self.test_size, str)
            and self.validation_size >= self.test_size
        ):
            raise DataError(
                f"TimeBasedHoldout: validation begins at {self.validation_size} and test at {self.test_size}; "
                "validation comes first. Give an earlier validation_size, or 0 for none."
            )

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
        timestamp = interactions.timestamp
        assert timestamp is not None, "a recipe has looked for the columns that a step needs"
        n = len(timestamp)
        requested: tuple[Any, Any] = (self.validation_size, self.test_size)
        numbers = [0 if isinstance(size, str) else int(share(size, np.array([n]))[0]) for size in requested]
        refuse_short_data(self, n, sum(numbers) + 1)
        is_test = timestamp >= _begin(self.test_size, numbers[1], timestamp, timestamp)
        earlier = timestamp[~is_test]
        if len(earlier) == 0 or not is_test.any():
            raise self._impossible(timestamp, "test" if len(earlier) else "training")
        if self.validation_size == 0:
            return [parts_of(is_test)]
        is_validation = ~is_test & (timestamp >= _begin(self.validation_size, numbers[0], earlier, timestamp))
        parts = parts_of(is_test, is_validation)
        for name, part in (("training", parts.train), ("validation", parts.validation)):
            if len(part) == 0:
                raise self._impossible(timestamp, name)
        return [parts]

    def _impossible(self, timestamp: npt.NDArray[np.int64], empty: str) -> DataError:
        moments = len(distinct(timestamp))
        return DataError(
            f"{self} leaves no interaction for {empty}: the {len(timestamp)} timestamps go {describe_range(timestamp)} "
            f"and are {moments} different moments, which are not divided. Choose other sizes or dates."
        )


@checked_arguments
@dataclass(frozen=True)
class UserTimeBasedHoldout(Split):
    """Hold out the last share of every user's interactions; each user is cut at a time of their own.

    Guarantees: every user has at least one interaction in training and in each part whose size is above zero, and
    exactly the share that was asked for; no test interaction of a user is earlier than one in their training or
    validation, and no validation interaction earlier than one in their training. Of equal times the later row counts
    as later. Other users' training may be later than a user's test.

    Args:
        validation_size: Per user: a float below 1 is a fraction, an int a number of interactions.
        test_size: The same for the test part; above zero.

    Raises:
        DataError: A size is neither, or they leave nothing to train on.
    """

    validation_size: int | float = 0.1
    test_size: int | float = 0.2

    @property
    def needs(self) -> tuple[str, ...]:
        return ("timestamp",)

    @property
    def needs_order(self) -> bool:
        return True

    def check(self) -> None:
        check_sizes(self, self.validation_size, self.test_size)

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
        starts = first_rows(interactions.user, len(interactions.user_ids))
        refuse_short_users(self, interactions, starts, self._needed_counts)
        return [hold_out_first(starts, from_the_end(starts), self.validation_size, self.test_size)]

    def _needed_counts(self, counts: Counts) -> Counts:
        return needed_by_user(counts, self.validation_size, self.test_size)


@checked_arguments
@dataclass(frozen=True)
class LeaveNOut(Split):
    """Hold out the same number of interactions of every user: the last ones, or random ones.

    Guarantees: every user has exactly ``n`` interactions in test and ``validation_size`` in validation, and at least
    one in training. With ``last``, no test interaction of a user is earlier than one in their training or validation,
    and no validation interaction earlier than one in their training; of equal times the later row counts as later.

    Args:
        n: How many of a user's interactions are tested.
        validation_size: How many are validated: with ``last``, those before the tested ones.
        which: ``last`` in time, or ``random``.

    Raises:
        DataError: A number is no int or too small, or there is no such choice.
    """

    n: int = 1
    validation_size: int = 1
    which: str = "last"

    @property
    def needs(self) -> tuple[str, ...]:
        return ("timestamp",) if self.which == "last" else ()

    @property
    def needs_order(self) -> bool:
        return self.which == "last"

    def check(self) -> None:
        for name, minimum in (("n", 1), ("validation_size", 0)):
            number = getattr(self, name)
            if not is_int(number) or number < minimum:
                raise DataError(f"{type(self).__name__}: {name} is {number!r}; give an int of at least {minimum}.")
        check_which(self, self.which)

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
        starts = first_rows(interactions.user, len(interactions.user_ids))
        refuse_short_users(self, interactions, starts, self._needed_counts)
        by_chance = self.which == "random"
        rank = ranks(starts, random_keys(len(interactions), seed, position)) if by_chance else from_the_end(starts)
        return [hold_out_first(starts, rank, self.validation_size, self.n)]

    def _needed_counts(self, counts: Counts) -> Counts:
        return needed_by_user(counts, self.validation_size, self.n)


@checked_arguments
@dataclass(frozen=True, init=False, repr=False)
class LeaveLastOut(LeaveNOut):
    """Hold out every user's last interaction, and for validation the one before it: LeaveNOut with n=1.

    Guarantees: every user has exactly one interaction in test, none of theirs in training or validation is later; the
    rest as for LeaveNOut.

    Args:
        validation_size: How many of a user's interactions before the last are validated; 1 as is the custom.
    """

    def __init__(self, validation_size: int = 1) -> None:
        super().__init__(n=1, validation_size=validation_size)

    @property
    def identity(self) -> list[object]:
        return LeaveNOut(self.n, self.validation_size).identity

    def __repr__(self) -> str:
        return f"LeaveLastOut(validation_size={self.validation_size})"


def _begin(size: Any, number: int, remaining: npt.NDArray[np.int64], timestamp: npt.NDArray[np.int64]) -> float:
    """Return the first moment of a part that takes the latest of the remaining interactions.

    Args:
        size: The part's size as it was given.
        number: How many interactions it means, when it is no date.
        remaining: The timestamps that no later part has taken.
        timestamp: All timestamps, which tell the unit.
    """
    if isinstance(size, str):
        return in_unit_of(timestamp, size)
    index = max(0, len(remaining) - number)
    return int(np.partition(remaining, index)[index])
