"""Checks of what tests are asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence

from omnibench.errors import StatisticsError, nearest


def check_choice(noun: str, choice: str, choices: Sequence[str]) -> None:
    """Refuse what is not among the choices.

    Args:
        noun: The name of what is chosen, e.g. ``test``.
        choice: The choice.
        choices: All that there are.

    Raises:
        StatisticsError: It is not among them.
    """
    if choice not in choices:
        raise StatisticsError(
            f"there is no {noun} {choice!r}{nearest(choice, choices)}; there are {', '.join(choices)}."
        )


def check_overlap(test_to_train: float) -> None:
    """Refuse what cannot be a number of test rows divided by one of training rows.

    Raises:
        StatisticsError: It cannot.
    """
    if not (0 <= test_to_train < math.inf):
        raise StatisticsError(f"test_to_train is {test_to_train!r}; give test rows divided by training rows.")


def check_pairs(first: int, second: int) -> None:
    """Refuse unequal numbers of values.

    Args:
        first: How many users the first side has.
        second: How many the second one has.

    Raises:
        StatisticsError: They are not equal.
    """
    if first != second:
        raise StatisticsError(
            f"there are {first} and {second} values, but a paired test needs both of every user; "
            "give those of the same users, in the same order."
        )
