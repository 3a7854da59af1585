"""Items: one experiment each, as pytest sees it.

There are two classes, because pytest's own functions cost too much for a cached item. A bench function that takes only
its result gets a ``BenchItem`` of a few fields; one that uses fixtures, is parametrized or stands in a class gets a
``FixtureItem``, which is one of pytest's functions.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from omnibench.engine.run import SKIPPED, Outcome
from omnibench.engine.survey import State
from omnibench.errors import OmnibenchError, PhaseError
from omnibench.experiment.evaluator import Evaluator
from omnibench.experiment.experiment import Experiment
from omnibench.plugin.declare import RESULT, Benchmark
from omnibench.plugin.options import FAILED
from omnibench.plugin.settings import command_for
from omnibench.plugin.wire import ItemMessage
from omnibench.results import Result
from omnibench.store.schema import Phase
from omnibench.store.trials import trials_text
from omnibench.terminal import terminal_line

_PROPERTY = "omnibench."
"""What the names of our JUnit properties begin with."""


class Driver(Protocol):
    """Runs items: the benchmarks' session of this process."""

    def run(self, item: ExperimentItem) -> Outcome:
        """Bring an item to Done, and return its outcome, also when that is a failure."""


class ExperimentItem(pytest.Item):
    """An experiment as pytest sees it, whatever its function takes.

    Attributes:
        parent: The collector of the function that declares the experiment.
        benchmark: The function.
        experiment: The experiment.
        driver: Runs it.
        state: Its state from the one look at the records; None on workers, which do not look.
        message: The message of its report to the overseeing process; None until it has ended.
        seconds_before: How long it was computed before pytest ran it.
    """

    parent: pytest.Collector
    benchmark: Benchmark
    experiment: Experiment
    driver: Driver
    state: State | None = None
    message: ItemMessage | None = None
    seconds_before: float = 0.0

    @property
    def evaluator(self) -> Evaluator:
        """The metrics that are measured."""
        return self.benchmark.evaluator

    @property
    def is_done(self) -> bool:
        """Whether the one look at the records showed that nothing is left to compute."""
        return self.state is not None and self.state.is_done

    @property
    def metrics(self) -> Mapping[str, float]:
        """The recorded metrics of an item that is done."""
        assert self.state is not None and self.state.metrics is not None, "only of items that are done"  # noqa: PT018 - one reason
        return self.state.metrics

    @property
    def recorded(self) -> Result:
        """The result of an item that is done."""
        return self.experiment.result(self.metrics, self.state.as_seed if self.state else None)

    def recorded_copy(self) -> Result:
        """Return the result of an item that is done, for a body, which may change its metrics."""
        return self.experiment.result(dict(self.metrics), self.state.as_seed if self.state else None)

    @property
    def has_body(self) -> bool:
        """Whether the function has something to check."""
        return not self.benchmark.is_trivial

    def getparent(self, cls: type[Any]) -> Any:
        return self.parent.getparent(cls) if cls is pytest.Class else super().getparent(cls)

    def run_phases(self) -> Outcome:
        """Bring the experiment to Done, and raise what went wrong.

        Raises:
            PhaseError: It failed.
        """
        outcome = self.driver.run(self)
        self.tell(outcome)
        if outcome.status == SKIPPED and outcome.blocked:
            pytest.skip(f"{outcome.error}")
        if outcome.status == SKIPPED:
            pytest.skip(f"failed in an earlier run ({outcome.error}); {FAILED.flag}=retry runs it again")
        if outcome.error is not None:
            raise outcome.error
        return outcome

    def tell(self, outcome: Outcome) -> None:
        """Prepare the message of the report, and the properties of a JUnit file."""
        result = outcome.result
        self.message = ItemMessage(
            status=str(outcome.status),
            # The body may do with its own what it likes; of what was chosen, records are read at the end.
            result=replace(result, metrics=dict(result.metrics), chosen=None),
            seconds=outcome.seconds,
            replayed=outcome.replayed,
            lower_is_better=tuple(self.evaluator.lower_is_better),
            trials=""
            if result.chosen is None or Phase.TUNE.value not in outcome.seconds
            else trials_text(result.chosen),
        )
        properties = {
            f"{_PROPERTY}status": str(outcome.status),
            f"{_PROPERTY}key": self.experiment.fit_key,
            f"{_PROPERTY}configuration": result.configuration,
            f"{_PROPERTY}seed": result.seed,
            **{f"{_PROPERTY}seconds.{phase}": round(seconds, 3) for phase, seconds in outcome.seconds.items()},
            # pytest escapes the values of properties, not their names.
            **{terminal_line(label): value for label, value in result.metrics.items()},
        }
        # Not added to those of an earlier attempt of a rerun.
        self.user_properties[:] = [pair for pair in self.user_properties if pair[0] not in properties]
        self.user_properties += properties.items()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        error = excinfo.value
        if isinstance(error, PhaseError):
            if self.config.getoption("tbstyle", "auto") == "line":
                return str(error)
            advice = f"Run only this item: {command_for(self)}"
            if self.message is not None and self.message.replayed:
                advice = f"This is the failure of an earlier run; nothing was tried now. {advice}"
            return "\n".join(filter(None, [str(error), error.details.strip(), error.prospect, advice]))
        if isinstance(error, OmnibenchError):
            return f"{type(error).__name__}: {error}"
        chosen_style = self.config.getoption("tbstyle", "auto")
        # What interrupts a computation, e.g. pytest-timeout, does so deep inside of what is no business of the user's.
        computing = any(entry.name == ExperimentItem.run_phases.__name__ for entry in excinfo.traceback)
        if chosen_style == "auto":
            return self._repr_failure_py(excinfo, style="short" if computing else "long")
        return self._repr_failure_py(excinfo, style=chosen_style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, self.benchmark.line, f"{self.parent.name}/{self.name}"


class BenchItem(ExperimentItem):
    """An item of a function that takes its result, or nothing."""

    __hash__ = object.__hash__  # pytest's own asks for the node id, many times of each item

    def __init__(self, *, benchmark: Benchmark, experiment: Experiment, driver: Driver, **options: Any) -> None:
        super().__init__(**options)
        self.benchmark = benchmark
        self.experiment = experiment
        self.driver = driver

    def runtest(self) -> None:
        self.check(self.run_phases().result)

    def _traceback_filter(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:
        """Leave out what is above the body, as pytest does for its functions."""
        file = inspect.getsourcefile(self.benchmark.function)
        if file is None or self.config.getoption("fulltrace", False):
            return excinfo.traceback
        body = excinfo.traceback.cut(path=file)
        return (body if len(body) < len(excinfo.traceback) else body.cut(path=__file__)).filter(excinfo)

    def check(self, result: Any) -> None:
        """Run the function's body."""
        if self.benchmark.takes_result:
            self.benchmark.function(result)
        else:
            self.benchmark.function()


class FixtureItem(ExperimentItem, pytest.Function):
    """An item of a function that uses fixtures, is parametrized, or stands in a class."""

    def __init__(self, *, benchmark: Benchmark, experiment: Experiment, driver: Driver, **options: Any) -> None:
        self._instance = _NO_INSTANCE
        self.benchmark = benchmark  # pytest asks for the function at once
        super().__init__(**options)
        self.experiment = experiment
        self.driver = driver

    # pytest's own only knows functions that are children of their class.
    @property
    def instance(self) -> Any:
        if self._instance is _NO_INSTANCE:
            self._instance = self.cls() if self.cls is not None else None
        return self._instance

    def _getobj(self) -> Any:
        function = self.benchmark.function
        return function if self.instance is None else function.__get__(self.instance)

    def setup(self) -> None:
        if self.benchmark.takes_result:
            self.funcargs[RESULT] = None  # or pytest looks for a fixture of this name
        pytest.Function.setup(self)

    def runtest(self) -> None:
        outcome = self.run_phases()
        if self.benchmark.takes_result:
            self.funcargs[RESULT] = outcome.result
        pytest.Function.runtest(self)


_NO_INSTANCE: Any = object()


class Refused(pytest.Item):
    """Stands for a benchmark that omnibench refuses; it fails with the reason."""

    def __init__(self, *, error: OmnibenchError, source_line: str = "", **options: Any) -> None:
        super().__init__(**options)
        self.error = error
        self.source_line = source_line

    def runtest(self) -> None:
        raise self.error

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, OmnibenchError):
            return "\n".join(filter(None, [self.source_line, f"{type(excinfo.value).__name__}: {excinfo.value}"]))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.parent.name if self.parent else self.path.name}"
