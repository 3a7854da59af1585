"""Steps in a row."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from omnibench.compat.omnirec.data_variants import DataVariant
from omnibench.compat.omnirec.preprocess.base import Preprocessor
from omnibench.compat.omnirec.recsys_data_set import RecSysDataSet
from omnibench.data.step import Step
from omnibench.errors import DataError

T = TypeVar("T", bound=DataVariant)


class Pipe(Generic[T]):
    """Steps that are applied one after the other.

    Args:
        steps: Steps of this package, of omnibench, or of your own.

    Raises:
        DataError: Something is no step.
    """

    def __init__(self, *steps: Preprocessor[Any, Any] | Step) -> None:
        for step in steps:
            if not (isinstance(step, Step) or callable(getattr(step, "process", None))) or isinstance(step, type):
                hint = f" Write {step.__name__}(...) with its arguments." if isinstance(step, type) else ""
                raise DataError(f"{step!r} is no step of a pipe.{hint}")
        self._steps = steps

    def process(self, data: RecSysDataSet[Any]) -> RecSysDataSet[T]:
        """Return the dataset after all steps.

        Raises:
            PreprocessorValidationError, DataError: A step does not fit.
        """
        return RecSysDataSet.of(data).pipe(*self._steps)
