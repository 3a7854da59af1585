"""Bench files and bench functions as pytest's collectors."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from omnibench.engine.policy import check_directories
from omnibench.errors import OmnibenchError
from omnibench.experiment.evaluator import Evaluator
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.framework_resources import framework_resources
from omnibench.experiment.planning import check_order, experiments
from omnibench.experiment.recorded import RecordedKeys
from omnibench.experiment.refit import TRAIN
from omnibench.experiment.seeds import checked_seeds
from omnibench.metrics.base import Metric
from omnibench.naming import keyword, value_text
from omnibench.plugin import garbage
from omnibench.plugin.declare import RESULT, Benchmark, Declaration
from omnibench.plugin.items import BenchItem, ExperimentItem, FixtureItem, Refused
from omnibench.plugin.session import BenchSession
from omnibench.plugin.state import bench_session, collected_files_key
from omnibench.plugin.wire import RunMessage, digest
from omnibench.store.plans import file_of


class BenchModule(pytest.Module):
    """A bench file. When omnibench refuses what it declares, that is one failed item, not a broken run."""

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        try:
            yield from super().collect()
            self.config.stash.setdefault(collected_files_key, {})[self.nodeid] = True
        except OmnibenchError as error:
            yield Refused.from_parent(self, name="refused", error=error, source_line=self._source_line(error))

    def _source_line(self, error: OmnibenchError) -> str:
        """Return the line of this file that an error comes from."""
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(self.path)]
        return f"{self.path.name}:{frames[-1].lineno}: {frames[-1].line}" if frames else ""


def class_of_benchmarks(parent: pytest.Collector, name: str, definition: object) -> pytest.Class | Refused:
    """Return the collector of a class that has functions under ``@benchmark``."""
    unittest = sys.modules.get("unittest")  # without it there is no such class
    if unittest is not None and isinstance(definition, type) and issubclass(definition, unittest.TestCase):
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
        """Return, when asked for a class, the one around the function: fixtures and instances belong to that one."""
        return outer.getparent(cls) if cls is pytest.Class and (outer := self.parent) else super().getparent(cls)

    def collect(self) -> Iterator[pytest.Item]:
        garbage.pause()  # until everything is collected
        if self.config.pluginmanager.has_plugin("warnings"):  # else the mark is unknown, which may be an error
            self.add_marker(pytest.mark.filterwarnings("default::UserWarning:omnibench"), append=False)
        try:
            session = bench_session(self.config)
            self._check_function()
            check_order(self.declaration.datasets, self.declaration.plan, self.declaration.evaluator)
            benchmark = Benchmark.of(self.function, self.declaration, self._evaluator())
            declared = self._experiments(session, benchmark.evaluator)
        except OmnibenchError as error:
            self.config.stash.setdefault(collected_files_key, {})[file_of(self.nodeid)] = False
            yield Refused.from_parent(self, name="refused", error=error)
            return
        session.planned[self.nodeid] = items = list(self._items(session, benchmark, declared))
        yield from items

    def _items(
        self, session: BenchSession, benchmark: Benchmark, declared: list[Experiment]
    ) -> Iterator[ExperimentItem]:
        """Yield the items of the experiments that the function declares."""
        parent: Any = self.parent
        # What pytest would make of the function alone: one item, or one per set of parameters.
        templates = list(parent._genfunctions(self.name, self.function))  # noqa: SLF001 - pytest offers no other way
        traced = self.config.getoption("trace", False)  # --trace begins a debugger in pytest's own functions
        if not traced and all(_is_plain(template) for template in templates):
            self._take_marks()
            for experiment in declared:
                item = BenchItem.from_parent(
                    self, name=experiment.node_name, benchmark=benchmark, experiment=experiment, driver=session
                )
                yield self._with_keywords(item)
            return
        for experiment in declared:
            name = experiment.node_name
            for template in templates:
                callspec = getattr(template, "callspec", None)
                parameters = getattr(callspec, "id", "")
                fixture_item = FixtureItem.from_parent(
                    self,
                    name=f"{name}[{parameters}]" if parameters else name,
                    originalname=name,
                    benchmark=benchmark,
                    experiment=experiment,
                    driver=session,
                    callspec=callspec,
                    fixtureinfo=template._fixtureinfo,  # noqa: SLF001 - pytest offers no other way to fixtures
                    keywords={parameters: True} if parameters else None,
                )
                yield self._with_keywords(fixture_item)

    def _with_keywords(self, item: ExperimentItem) -> ExperimentItem:
        """Let ``-k "K=100"`` find an item by its hyperparameters, and ``-k K`` one of which K is searched."""
        search = item.experiment.configuration.search
        if search is not None and self.config.option.keyword:  # names of items have the values of all others
            item.extra_keyword_matches.update(search.space.names)
        if ":" in self.config.option.keyword:
            configuration = item.experiment.configuration
            experiment = item.experiment
            circumstances = {  # labels may have them, too
                "module": configuration.module,
                "seed": experiment.seed,
                "refit": experiment.refit or TRAIN,
            }
            values = {**circumstances, **configuration.parameters}
            item.extra_keyword_matches.update(keyword(name, value_text(value)) for name, value in values.items())
        return item

    def _take_marks(self) -> None:
        """Take the function's marks, for items that do not take them themselves."""
        for mark in getattr(self.function, "pytestmark", []):
            self.own_markers.append(mark)
            self.keywords[mark.name] = mark

    def _experiments(self, session: BenchSession, evaluator: Evaluator) -> list[Experiment]:
        declared = experiments(
            self.declaration.datasets,
            self.declaration.plan,
            evaluator.metrics,
            versions=session.environments.version,
            seeds=checked_seeds(self.declaration.seeds, self.declaration.random_state),
            device=session.device_of,
            salt=session.policy.salt,
            threads=session.threads_of,
            candidates=evaluator.candidates,
            recorded=RecordedKeys(session.directory, session.present, session.recorded_threads),
            refit=self.declaration.refit,
            validation=session.validation,
            snapshots=self.declaration.snapshots,
            resources=framework_resources(session.config.rootpath),
        )
        check_directories(declared, session.policy, session.directory)
        return declared

    def _evaluator(self) -> Evaluator:
        """Return the metrics to measure: the declared ones, and those that plugins add.

        Raises:
            OmnibenchError: What was declared is no evaluator, or what was added no metric.
        """
        declared = self.declaration.evaluator
        if not isinstance(declared, Evaluator):
            raise OmnibenchError(f"the evaluator is {declared!r}; give an Evaluator, e.g. Evaluator(NDCG(10)).")
        added = self._added()
        if not added:
            return declared
        metric_kinds = {metric.kind for metric in declared.metrics}
        fitting = [metric for metric in added if metric.kind in metric_kinds]
        return Evaluator(
            *declared.metrics,
            *fitting,
            convention=declared.convention,
            candidates=declared.candidates,
            relevant=declared.relevant,
        )

    def _added(self) -> list[Metric]:
        """Return the metrics that plugins add."""
        added: list[Metric] = []
        for metrics in self.ihook.pytest_omnibench_metrics(config=self.config):
            if not isinstance(metrics, (list, tuple)) or not all(isinstance(metric, Metric) for metric in metrics):
                raise OmnibenchError(
                    f"pytest_omnibench_metrics returned {metrics!r}; return a list of metrics, e.g. [Recall(50)]."
                )
            added += metrics
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


def _is_plain(template: pytest.Function) -> bool:
    """Whether a function needs nothing of pytest but to be called."""
    return template.cls is None and not hasattr(template, "callspec") and not set(template.fixturenames) - {RESULT}


def without_done(items: list[pytest.Item], message: RunMessage) -> list[pytest.Item]:
    """Return the items that a worker has to run: all but those that the controller says were done."""
    return [item for item in items if not isinstance(item, ExperimentItem) or digest(item.nodeid) not in message.done]
