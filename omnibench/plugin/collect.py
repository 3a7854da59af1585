"""Bench files, bench functions and their items as pytest nodes."""

from __future__ import annotations

import hashlib
import inspect
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from omnibench.errors import OmnibenchError
from omnibench.experiment import Experiment, experiments
from omnibench.plugin.declare import Declaration, is_trivial

if TYPE_CHECKING:
    from omnibench.evaluation import Evaluator


class BenchModule(pytest.Module):
    """A bench file. When omnibench refuses what it declares, that is one failed item, not a broken run."""

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        try:
            yield from super().collect()
        except OmnibenchError as error:
            yield Refused.from_parent(self, name="refused", error=error, place=self._place(error))

    def _place(self, error: OmnibenchError) -> str:
        """Return the line of this file that was refused."""
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(self.path)]
        return f"{self.path.name}:{frames[-1].lineno}: {frames[-1].line}" if frames else ""


class BenchFunction(pytest.Collector):
    """A function under ``@benchmark``: the parent of its items."""

    def __init__(self, *, function: Callable[..., Any], declaration: Declaration, **options: Any) -> None:
        super().__init__(**options)
        self.function = function
        self.declaration = declaration
        for mark in getattr(function, "pytestmark", []):
            self.own_markers.append(mark)
            self.keywords[mark.name] = mark

    def collect(self) -> Iterator[pytest.Item]:
        from omnibench.plugin.hooks import bench_session

        try:
            evaluator = self._checked_evaluator()
            self._check_signature()
            found = experiments(
                self.declaration.datasets,
                self.declaration.plan,
                evaluator.metrics,
                versions=bench_session(self.config).environments.version,
                seed=self.declaration.seed,
                salt=bench_session(self.config).policy.salt,
                candidates=evaluator.candidates,
            )
        except OmnibenchError as error:
            yield Refused.from_parent(self, name="refused", error=error)
            return
        for experiment in found:
            yield BenchItem.from_parent(self, name=experiment.name, experiment=experiment)

    def _checked_evaluator(self) -> Evaluator:
        from omnibench.evaluation import Evaluator

        evaluator = self.declaration.evaluator
        if not isinstance(evaluator, Evaluator):
            raise OmnibenchError(f"the evaluator is {evaluator!r}; give an Evaluator, e.g. Evaluator(NDCG(10)).")
        return evaluator

    def _check_signature(self) -> None:
        if inspect.iscoroutinefunction(self.function) or inspect.isgeneratorfunction(self.function):
            raise OmnibenchError(
                f"{self.name} is a coroutine or a generator, whose body would check nothing; use `def`."
            )
        if any(mark.name == "parametrize" for mark in self.own_markers):
            raise OmnibenchError(f"{self.name} is parametrized; use Grid([...]) in the plan, or several datasets.")
        names = list(inspect.signature(self.function).parameters)
        if names not in ([], ["result"]):
            raise OmnibenchError(
                f"{self.name} takes {', '.join(names)}; a bench function takes nothing, or one argument named result."
            )


class BenchItem(pytest.Item):
    """One experiment as a pytest item.

    Attributes:
        experiment: The experiment.
        told: What its report tells the controller: status, result, phase times; plain data.
    """

    parent: BenchFunction

    def __init__(self, *, experiment: Experiment, **options: Any) -> None:
        super().__init__(**options)
        self.experiment = experiment
        self.told: dict[str, Any] | None = None
        self.add_marker(pytest.mark.filterwarnings("default::UserWarning:omnibench"))

    @property
    def has_body(self) -> bool:
        """Whether the function has something to check."""
        return not is_trivial(self.parent.function)

    @property
    def evaluator(self) -> Any:
        """The metrics wanted of it."""
        return self.parent.declaration.evaluator

    def runtest(self) -> None:
        from omnibench.plugin.hooks import bench_session

        outcome = bench_session(self.config).run(self)
        self.tell(outcome)
        if outcome.status == "skipped":
            pytest.skip(f"failed in an earlier run ({outcome.error}); --omnirec-failed=retry runs it again")
        if outcome.error is not None:
            raise outcome.error
        self.check(outcome.result)

    def tell(self, outcome: Any) -> None:
        """Prepare what the report tells."""
        result = outcome.result
        self.told = {
            "status": outcome.status,
            "dataset": result.dataset,
            "algorithm": result.algorithm,
            "configuration": result.configuration,
            "fold": result.fold,
            "metrics": result.metrics,
            "seconds": outcome.seconds,
            "replayed": outcome.replayed,
            "lower_is_better": self.evaluator.lower_is_better,
        }
        self.user_properties += [
            ("omnibench.status", outcome.status),
            ("omnibench.key", self.experiment.fit_key),
            ("omnibench.configuration", result.configuration),
            *((f"omnibench.seconds.{phase}", round(seconds, 3)) for phase, seconds in outcome.seconds.items()),
            *result.metrics.items(),
        ]

    def check(self, result: Any) -> None:
        """Run the function's body."""
        function = self.parent.function
        if inspect.signature(function).parameters:
            function(result)
        else:
            function()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from omnibench.errors import PhaseError

        error = excinfo.value
        if isinstance(error, PhaseError):
            again = f"Run only this item: pytest {self.nodeid!r}"
            if self.told and self.told["replayed"]:
                again = f"This is the failure of an earlier run; nothing was tried now. {again}"
            return "\n".join(filter(None, [str(error), error.details.strip(), again]))
        if isinstance(error, OmnibenchError):
            return f"{type(error).__name__}: {error}"
        function_file = inspect.getsourcefile(self.parent.function)
        excinfo.traceback = excinfo.traceback.cut(path=function_file) if function_file else excinfo.traceback
        return super().repr_failure(excinfo, style="long")

    def reportinfo(self) -> tuple[Path, int | None, str]:
        line = self.parent.function.__code__.co_firstlineno - 1
        return self.path, line, f"{self.parent.name}/{self.name}"


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


def short_id(nodeid: str) -> str:
    """Return what stands for a node id in the message to workers: 16 hex digits instead of a long line."""
    return hashlib.sha256(nodeid.encode()).hexdigest()[:16]


def without_done(items: list[pytest.Item], done: str) -> list[pytest.Item]:
    """Return the items that are not in the controller's list of done ones (short ids without separators)."""
    gone = {done[start : start + 16] for start in range(0, len(done), 16)}
    return [item for item in items if not isinstance(item, BenchItem) or short_id(item.nodeid) not in gone]
