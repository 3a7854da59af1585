"""Splits into training, validation and test."""

from __future__ import annotations

import datetime as dt
from typing import TypeAlias, TypeVar

from omnibench.compat.omnirec.data_variants import DataVariant, FoldedData, RawData, SplitData
from omnibench.compat.omnirec.preprocess.base import BuiltIn
from omnibench.compat.omnirec.preprocess.validation import RequiredColumn, ValidationRule
from omnibench.data import split as native
from omnibench.data import temporal
from omnibench.data.step import Step
from omnibench.errors import DataError

U = TypeVar("U", bound=DataVariant)

Cut: TypeAlias = float | dt.datetime
"""A fraction, a number of interactions, or the moment at which a part begins."""


class DataSplit(BuiltIn[RawData, U]):
    """Base of the splits.

    Args:
        validation_size: A float is a fraction, an int a number.
    """

    def __init__(self, validation_size: Cut) -> None:
        super().__init__()
        self._valid_size = validation_size


class UserHoldout(DataSplit[SplitData]):
    """Hold out a random share of every user's interactions.

    Args:
        validation_size: Per user: a float is a fraction, an int a number.
        test_size: The same for the test part.
    """

    def __init__(self, validation_size: float, test_size: float) -> None:
        super().__init__(validation_size)
        self._step = native.UserHoldout(validation_size, test_size)

    def steps(self) -> tuple[Step, ...]:
        return (self._step,)


class RandomHoldout(DataSplit[SplitData]):
    """Hold out a random share of all interactions.

    Args:
        validation_size: A float is a fraction, an int a number.
        test_size: The same for the test part.
    """

    def __init__(self, validation_size: float, test_size: float) -> None:
        super().__init__(validation_size)
        self._step = native.RandomHoldout(validation_size, test_size)

    def steps(self) -> tuple[Step, ...]:
        return (self._step,)


class UserCrossValidation(DataSplit[FoldedData]):
    """Cut every user's interactions into folds; each is the test part once.

    Args:
        num_folds: How many folds.
        validation_size: What each fold takes for validation, per user.
    """

    def __init__(self, num_folds: int, validation_size: float) -> None:
        super().__init__(validation_size)
        self._step = native.UserCrossValidation(num_folds, validation_size)

    def steps(self) -> tuple[Step, ...]:
        return (self._step,)


class RandomCrossValidation(DataSplit[FoldedData]):
    """Cut all interactions into folds; each is the test part once.

    Args:
        num_folds: How many folds.
        validation_size: What each fold takes for validation.
    """

    def __init__(self, num_folds: int, validation_size: float) -> None:
        super().__init__(validation_size)
        self._step = native.RandomCrossValidation(num_folds, validation_size)

    def steps(self) -> tuple[Step, ...]:
        return (self._step,)


class TimeBasedHoldout(DataSplit[SplitData]):
    """Cut all interactions at two moments: training, then validation, then test.

    Args:
        validation: A float is a fraction, an int a number of the latest interactions before the test part; a
            ``pandas.Timestamp`` is the moment at which it begins.
        test: The same for the test part; of the same type.

    Raises:
        DataError: They are of two types, or leave nothing to train on.
    """

    def __init__(self, validation: Cut, test: Cut) -> None:
        super().__init__(validation)
        if isinstance(validation, dt.datetime) != isinstance(test, dt.datetime):
            raise DataError(
                f"TimeBasedHoldout: validation is {validation!r} and test {test!r}; give two sizes or two moments."
            )
        self._step = temporal.TimeBasedHoldout(validation, test)

    def steps(self) -> tuple[Step, ...]:
        return (self._step,)

    def validation_rules(self) -> list[ValidationRule]:
        message = "TimeBasedHoldout needs timestamps, but there are none."
        return [ValidationRule(RequiredColumn("timestamp"), message=message)]
