"""Items: one experiment each, as pytest sees it.

Two kinds, because pytest's fixtures cost more than a cached item may: a function that takes nothing but its result
gets items of a few fields; one that uses fixtures, is parametrized or stands in a class gets pytest's own functions.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from omnibench.errors import OmnibenchError, PhaseError
from omnibench.experiment.experiment import Experiment
from omnibench.plugin.options import alone
from omnibench.results import Result

if TYPE_CHECKING:
    from omnibench.engine.run import Outcome
    from omnibench.engine.survey import State
    from omnibench.plugin.collect import BenchFunction

RESULT = "result"
"""The argument of a bench function that is no fixture."""

_OURS = "omnibench."


class ExperimentItem(pytest.Item):
    """What both kinds of items have in common.

    Attributes:
        parent: The function that declares the experiment.
        experiment: The experiment.
        state: What the one look at the records found; None on workers, which do not look.
        told: What its report tells the controller: status, result, phase times; plain data.
    """

    parent: BenchFunction
    experiment: Experiment
    state: State | None = None
    told: dict[str, Any] | None = None

    @property
    def evaluator(self) -> Any:
        """The metrics wanted of it."""
        return self.parent.evaluator

    @property
    def is_done(self) -> bool:
        """Whether the one look at the records found nothing left to compute."""
        return self.state is not None and self.state.is_done

    @property
    def metrics(self) -> Mapping[str, float]:
        """What is recorded of an item that is done."""
        assert self.state is not None and self.state.metrics is not None, "it was found done"  # noqa: PT018 - one reason
        return self.state.metrics

    @property
    def recorded(self) -> Result:
        """The result of an item that is done."""
        return self.experiment.result(self.metrics)

    @property
    def has_body(self) -> bool:
        """Whether the function has something to check."""
        return not self.parent.is_trivial

    def getparent(self, cls: type[Any]) -> Any:
        return self.parent.getparent(cls) if cls is pytest.Class else super().getparent(cls)

    def run_phases(self) -> Outcome:
        """Bring the experiment to Done, and raise what went wrong.

        Raises:
            PhaseError: It failed.
        """
        from omnibench.plugin.hooks import bench_session

        outcome = bench_session(self.config).run(self)
        self.tell(outcome)
        if outcome.status == "skipped":
            pytest.skip(f"failed in an earlier run ({outcome.error}); --omnirec-failed=retry runs it again")
        if outcome.error is not None:
            raise outcome.error
        return outcome

    def tell(self, outcome: Outcome) -> None:
        """Prepare what the report tells."""
        result = outcome.result
        self.told = {
            "status": str(outcome.status),
            "dataset": result.dataset,
            "algorithm": result.algorithm,
            "configuration": result.configuration,
            "fold": result.fold,
            "fit_key": self.experiment.fit_key,
            "metrics": dict(result.metrics),  # the body gets the result, and may do with it what it likes
            "seconds": outcome.seconds,
            "replayed": outcome.replayed,
            "lower_is_better": self.evaluator.lower_is_better,
        }
        ours = {
            f"{_OURS}status": str(outcome.status),
            f"{_OURS}key": self.experiment.fit_key,
            f"{_OURS}configuration": result.configuration,
            **{f"{_OURS}seconds.{phase}": round(seconds, 3) for phase, seconds in outcome.seconds.items()},
            **result.metrics,
        }
        # Not added to what an earlier attempt of a rerun has told.
        self.user_properties[:] = [one for one in self.user_properties if one[0] not in ours] + list(ours.items())

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        error = excinfo.value
        if isinstance(error, PhaseError):
            if self.config.getoption("tbstyle", "auto") == "line":
                return str(error)
            again = f"Run only this item: {alone(self)}"
            if self.told and self.told["replayed"]:
                again = f"This is the failure of an earlier run; nothing was tried now. {again}"
            return "\n".join(filter(None, [str(error), error.details.strip(), again]))
        if isinstance(error, OmnibenchError):
            return f"{type(error).__name__}: {error}"
        chosen = self.config.getoption("tbstyle", "auto")
        # What interrupts a computation, e.g. pytest-timeout, does so deep inside of what is no business of the user's.
        computing = any(entry.name == ExperimentItem.run_phases.__name__ for entry in excinfo.traceback)
        return self._repr_failure_py(excinfo, style=chosen if chosen != "auto" else "short" if computing else "long")

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, self.parent.line, f"{self.parent.name}/{self.name}"


class BenchItem(ExperimentItem):
    """An item of a function that takes its result, or nothing."""

    __hash__ = object.__hash__  # pytest's own asks for the node id, many times of each item

    def __init__(self, *, experiment: Experiment, **options: Any) -> None:
        super().__init__(**options)
        self.experiment = experiment

    def runtest(self) -> None:
        self.check(self.run_phases().result)

    def _traceback_filter(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:
        """Leave out what is above the body, as pytest does for its functions."""
        file = inspect.getsourcefile(self.parent.function)
        if file is None or self.config.getoption("fulltrace", False):
            return excinfo.traceback
        found = excinfo.traceback.cut(path=file)
        return (found if len(found) < len(excinfo.traceback) else found.cut(path=__file__)).filter(excinfo)

    def check(self, result: Any) -> None:
        """Run the function's body."""
        if self.parent.takes_result:
            self.parent.function(result)
        else:
            self.parent.function()


class FixtureItem(ExperimentItem, pytest.Function):
    """An item of a function that uses fixtures, is parametrized, or stands in a class."""

    def __init__(self, *, experiment: Experiment, **options: Any) -> None:
        self._instance = _UNMADE
        super().__init__(**options)
        self.experiment = experiment

    # pytest's own only knows functions that are children of their class.
    @property
    def instance(self) -> Any:
        if self._instance is _UNMADE:
            self._instance = self.cls() if self.cls is not None else None
        return self._instance

    def _getobj(self) -> Any:
        function = self.parent.function
        return function if self.instance is None else function.__get__(self.instance)

    def setup(self) -> None:
        if self.parent.takes_result:
            self.funcargs[RESULT] = None  # or pytest looks for a fixture of this name
        pytest.Function.setup(self)

    def runtest(self) -> None:
        outcome = self.run_phases()
        if self.parent.takes_result:
            self.funcargs[RESULT] = outcome.result
        pytest.Function.runtest(self)


_UNMADE: Any = object()


class Refused(pytest.Item):
    """Stands for a benchmark that omnibench refuses; it fails with the reason."""

    def __init__(self, *, error: OmnibenchError, place: str = "", **options: Any) -> None:
        super().__init__(**options)
        self.error = error
        self.place = place

    def runtest(self) -> None:
        raise self.error

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, OmnibenchError):
            return "\n".join(filter(None, [self.place, f"{type(excinfo.value).__name__}: {excinfo.value}"]))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.parent.name if self.parent else self.path.name}"


def items_of(parent: BenchFunction, experiments: list[Experiment], templates: list[pytest.Function]) -> Iterator[Any]:
    """Yield the items of a bench function.

    Args:
        parent: The function.
        experiments: What it declares.
        templates: What pytest would make of the function alone: one item, or one per set of parameters.
    """
    traced = parent.config.getoption("trace", False)  # --trace begins a debugger in pytest's own functions
    if not traced and all(_is_plain(one) for one in templates):
        parent.mark()
        for experiment in experiments:
            yield BenchItem.from_parent(parent, name=experiment.name, experiment=experiment)
        return
    for experiment in experiments:
        for template in templates:
            callspec = getattr(template, "callspec", None)
            id_ = getattr(callspec, "id", "")
            yield FixtureItem.from_parent(
                parent,
                name=f"{experiment.name}[{id_}]" if id_ else experiment.name,
                originalname=experiment.name,
                experiment=experiment,
                callspec=callspec,
                fixtureinfo=template._fixtureinfo,  # noqa: SLF001 - pytest offers no other way to fixtures
                keywords={id_: True} if id_ else None,
            )


def _is_plain(template: pytest.Function) -> bool:
    """Whether a function needs nothing of pytest but to be called."""
    return template.cls is None and not hasattr(template, "callspec") and not set(template.fixturenames) - {RESULT}
