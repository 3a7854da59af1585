"""The order of members in phases' records, as ``builders`` makes them: patterns for their texts are made of these.

Which numbers are captured, and how they may be written, is for the modules that search: patterns that capture less take less time.
"""

from __future__ import annotations

from omnibench.store.json_patterns import INTEGER
from omnibench.store.schema import COSTS, SEARCHED

SECONDS, STDERR, START = ', "seconds": ', ', "stderr": ', ', "start_seconds": '
VERSION, IDENTITY = ', "version": ', ', "identity": '
EPOCHS = rf'(?:, "epochs": {INTEGER})?'
"""A pattern of what a fit says between the two where its model has been trained for a number of epochs."""
ATTEMPTS = '"attempts": '
OF_TRIAL = f'"{SEARCHED}": "'


def costs_pattern(*numbers: str) -> str:
    """Return a pattern of a phase's costs.

    Args:
        numbers: The pattern of each number of ``schema.COSTS``, in that order.
    """
    return ", ".join(f'"{name}": {number}' for name, number in zip(COSTS, numbers, strict=True))


def uncertainty_pattern(stderr: str, low: str, high: str, users: str, counted: str = "") -> str:
    """Return a pattern of an evaluation's uncertainty, up to where its values per user are.

    Args:
        stderr: The pattern of the standard error.
        low: The pattern of the lower end of the interval.
        high: The pattern of its upper end.
        users: The pattern of the number of users who were asked for.
        counted: The pattern of the number of those of whom it is the mean, which earlier formats do not say; without it, the pattern is
            of what has an interval and does not say that number.
    """
    interval = rf"\[{low}, {high}\]"
    if counted:
        interval, users = f"(?:null|{interval})", f'{users}(?:, "counted": {counted})?'
    return f'"stderr": {stderr}, "interval": {interval}, "users": {users}, "place": '
