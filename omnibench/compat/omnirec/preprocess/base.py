"""The base of all steps: validate, apply, note in the lineage."""

from __future__ import annotations

import functools
import inspect
import time
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, cast, final

from omnibench.compat.omnirec.data_variants import DataVariant
from omnibench.compat.omnirec.lineage import Trace
from omnibench.compat.omnirec.preprocess.validation import (
    PreprocessorValidationError,
    RequiredColumn,
    ValidationFailureMode,
    ValidationRule,
)
from omnibench.compat.omnirec.recsys_data_set import RecSysDataSet
from omnibench.compat.omnirec.settings import root_logger
from omnibench.data.step import Step

T = TypeVar("T", bound=DataVariant)
U = TypeVar("U", bound=DataVariant)


class Preprocessor(ABC, Generic[T, U]):
    """A step of a dataset. Subclasses implement ``_process``; callers call ``process``."""

    logger = root_logger.getChild("preprocess")
    _arguments: dict[str, Any]

    def __init_subclass__(cls) -> None:
        """Have constructors note their arguments for the lineage; the outermost one's count."""
        super().__init_subclass__()
        if "__init__" not in vars(cls):
            return
        constructor = cls.__init__

        @functools.wraps(constructor)
        def noting(self: Preprocessor[T, U], *args: Any, **kwargs: Any) -> None:
            if "_arguments" not in vars(self):
                bound = inspect.signature(constructor).bind(self, *args, **kwargs)
                bound.apply_defaults()
                self._arguments = dict(list(bound.arguments.items())[1:])
            constructor(self, *args, **kwargs)

        cls.__init__ = noting  # type: ignore[method-assign]

    def __init__(self) -> None:
        self.__dict__.setdefault("_arguments", {})

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in vars(self).get("_arguments", {}).items())
        return f"{type(self).__name__}({arguments})"

    def validation_rules(self) -> list[ValidationRule]:
        """Return the rules that every frame of the input has to satisfy, in the order in which they are checked."""
        return []

    @abstractmethod
    def _process(self, dataset: RecSysDataSet[T]) -> RecSysDataSet[U]:
        """Return the dataset after this step, which may be the one that was given, with other frames."""

    @final
    def process(self, dataset: RecSysDataSet[T]) -> RecSysDataSet[U]:
        """Check the input, apply the step, and note it in the lineage of the result.

        Args:
            dataset: The dataset. The steps of omnibench leave it as it is; use what is returned.

        Returns:
            The dataset after this step; the one that was given when a rule says that the step is to be left out.

        Raises:
            PreprocessorValidationError: The input breaks a rule.
            DataError: The step does not fit.
        """
        dataset = RecSysDataSet.of(dataset)
        if not self._is_applicable(dataset):
            return cast("RecSysDataSet[U]", dataset)
        trace = Trace(type(self).__name__, dict(vars(self).get("_arguments", {})), datetime.now(UTC))
        if isinstance(self, BuiltIn) and type(self)._process is BuiltIn._process:
            return cast("RecSysDataSet[U]", dataset.with_steps(*self.steps(), trace=trace))
        dataset.fill_in_counts()  # of the steps before, which this one may change in place
        trace.before_rows, trace.before_columns = dataset.num_interactions(), dataset.num_columns()
        begin = time.perf_counter()
        processed = self._process(dataset)
        trace.runtime = time.perf_counter() - begin
        trace.after_rows, trace.after_columns = processed.num_interactions(), processed.num_columns()
        processed._lineage.append(trace)
        return processed

    def _is_applicable(self, dataset: RecSysDataSet[T]) -> bool:
        for rule in self.validation_rules():
            if isinstance(rule.schema, RequiredColumn):
                verdicts = [rule.holds(dataset.has_column(rule.schema.name), dataset.meta.name)]
            else:
                verdicts = [rule.is_valid(frame, name, dataset.meta.name) for name, frame in dataset.iter_dataframes()]
            for satisfied, message in verdicts:
                if satisfied:
                    continue
                if rule.on_error == ValidationFailureMode.RAISE:
                    raise PreprocessorValidationError(message)
                if rule.on_error == ValidationFailureMode.SKIP:
                    self.logger.warning("%s\n%s is left out.\nSkipping %s", message, self, type(self).__name__)
                    return False
                self.logger.warning("%s\nContinuing anyway.", message)
        return True


class BuiltIn(Preprocessor[T, U]):
    """A step that omnibench has: it becomes part of the dataset's recipe, and is computed when it is needed."""

    @abstractmethod
    def steps(self) -> tuple[Step, ...]:
        """Return omnibench's steps; none for a step that changes nothing."""

    def _process(self, dataset: RecSysDataSet[T]) -> RecSysDataSet[U]:
        return cast("RecSysDataSet[U]", dataset.with_steps(*self.steps()))
