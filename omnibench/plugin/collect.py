"""Bench files and bench functions as pytest's collectors."""

from __future__ import annotations

import hashlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from omnibench.errors import OmnibenchError
from omnibench.experiment.experiment import Experiment, experiments
from omnibench.plugin import garbage
from omnibench.plugin.declare import Declaration, is_trivial
from omnibench.plugin.items import RESULT, ExperimentItem, Refused, items_of

if TYPE_CHECKING:
    from omnibench.experiment.evaluator import Evaluator
    from omnibench.metrics.base import Metric
    from omnibench.plugin.session import BenchSession


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


def class_of_benchmarks(parent: pytest.Collector, name: str, found: object) -> pytest.Class | Refused:
    """Return the collector of a class that has functions under ``@benchmark``."""
    unittest = sys.modules.get("unittest")  # without it there is no such class
    if unittest is not None and isinstance(found, type) and issubclass(found, unittest.TestCase):
        error = OmnibenchError(
            f"{name} is a unittest.TestCase, whose setUp would not be run for benchmarks; make it a class without a base."
        )
        return Refused.from_parent(parent, name=name, error=error)
    return pytest.Class.from_parent(parent, name=name)


class BenchFunction(pytest.Class):
    """A function under ``@benchmark``: the parent of its items.

    A class, because VS Code's test explorer knows no other collectors below a file, and loses parametrized items whose
    parent is something else. To its items it is none: see ``getparent``.
    """

    def __init__(self, *, function: Any, declaration: Declaration, **options: Any) -> None:
        super().__init__(**options)
        self.unbound = isinstance(function, (staticmethod, classmethod))
        self.function: Callable[..., Any] = function.__func__ if self.unbound else function
        self.obj = self.function
        self.declaration = declaration

    def getparent(self, cls: type[Any]) -> Any:
        """Leave it to the class that the function stands in, if any, to have fixtures of its scope and instances."""
        return above.getparent(cls) if cls is pytest.Class and (above := self.parent) else super().getparent(cls)

    @cached_property
    def takes_result(self) -> bool:
        """Whether the body wants the item's result."""
        return RESULT in inspect.signature(self.function).parameters

    @cached_property
    def is_trivial(self) -> bool:
        """Whether the body checks nothing."""
        return is_trivial(self.function)

    @cached_property
    def line(self) -> int:
        """The line of the function in its file, from 0."""
        return self.function.__code__.co_firstlineno - 1

    def mark(self) -> None:
        """Take the function's marks, for items that do not take them themselves."""
        for mark in getattr(self.function, "pytestmark", []):
            self.own_markers.append(mark)
            self.keywords[mark.name] = mark

    def collect(self) -> Iterator[pytest.Item]:
        from omnibench.plugin.hooks import bench_session

        garbage.pause()  # until everything is collected
        if self.config.pluginmanager.has_plugin("warnings"):  # else the mark is unknown, which may be an error
            self.add_marker(pytest.mark.filterwarnings("default::UserWarning:omnibench"), append=False)
        try:
            session = bench_session(self.config)
            self._check_function()
            found = self._experiments(session)
        except OmnibenchError as error:
            yield Refused.from_parent(self, name="refused", error=error)
            return
        parent: Any = self.parent
        templates = list(parent._genfunctions(self.name, self.function))  # noqa: SLF001 - pytest offers no other way
        yield from items_of(self, found, templates)

    def _experiments(self, session: BenchSession) -> list[Experiment]:
        return experiments(
            self.declaration.datasets,
            self.declaration.plan,
            self.evaluator.metrics,
            versions=session.environments.version,
            seed=self.declaration.seed,
            device=session.device_of,
            salt=session.policy.salt,
            candidates=self.evaluator.candidates,
        )

    @cached_property
    def evaluator(self) -> Evaluator:
        """The wanted metrics: the declared ones, and those that plugins add.

        Raises:
            OmnibenchError: What was declared is no evaluator, or what was added no metric.
        """
        from omnibench.experiment.evaluator import Evaluator

        declared = self.declaration.evaluator
        if not isinstance(declared, Evaluator):
            raise OmnibenchError(f"the evaluator is {declared!r}; give an Evaluator, e.g. Evaluator(NDCG(10)).")
        added = self._added()
        if not added:
            return declared
        kinds = {metric.kind for metric in declared.metrics}
        fitting = [metric for metric in added if metric.kind in kinds]
        return Evaluator(*declared.metrics, *fitting, convention=declared.convention, candidates=declared.candidates)

    def _added(self) -> list[Metric]:
        """Return the metrics that plugins add."""
        from omnibench.metrics.base import Metric

        added: list[Metric] = []
        for some in self.ihook.pytest_omnibench_metrics(config=self.config):
            if not isinstance(some, (list, tuple)) or not all(isinstance(metric, Metric) for metric in some):
                raise OmnibenchError(
                    f"pytest_omnibench_metrics returned {some!r}; return a list of metrics, e.g. [Recall(50)]."
                )
            added += some
        return added

    def _check_function(self) -> None:
        if self.unbound:
            raise OmnibenchError(
                f"{self.name} is a static or class method, which gets no instance; use a plain method."
            )
        if inspect.iscoroutinefunction(self.function) or inspect.isgeneratorfunction(self.function):
            raise OmnibenchError(
                f"{self.name} is a coroutine or a generator, whose body would check nothing; use `def`."
            )


def short_id(nodeid: str) -> str:
    """Return what stands for a node id in the message to workers: 16 hex digits instead of a long line."""
    return hashlib.sha256(nodeid.encode()).hexdigest()[:16]


def without_done(items: list[pytest.Item], done: str) -> list[pytest.Item]:
    """Return the items that are not in the controller's list of done ones (short ids without separators)."""
    gone = {done[start : start + 16] for start in range(0, len(done), 16)}
    return [item for item in items if not isinstance(item, ExperimentItem) or short_id(item.nodeid) not in gone]
