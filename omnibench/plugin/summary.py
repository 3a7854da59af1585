"""The tables at the end of a run, made of the messages that the items' reports carry."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from functools import cached_property, partial
from numbers import Real
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from omnibench.plugin.lines import write_line
from omnibench.plugin.options import NAMES, RESUME, SORT, TABLE, TRACK
from omnibench.plugin.settings import checkpoint_dir
from omnibench.plugin.state import existing_session
from omnibench.plugin.wire import ItemMessage

if TYPE_CHECKING:  # every pytest session imports this module, and few have benchmarks
    from omnibench.metrics.base import Metric
    from omnibench.plugin.items import BenchItem, ExperimentItem
    from omnibench.plugin.session import BenchSession
    from omnibench.results import Result
    from omnibench.tables.layout import NotWorse

_TUNE = "Tune"
"""The phase ``store.schema.Phase.TUNE``."""


def _as_declared(session: BenchSession) -> list[ExperimentItem]:
    """Return the items of this run in the order of the bench files: ``--ff`` and pytest-randomly run them in others."""
    declared = (item.nodeid for items in session.planned.values() for item in items)
    positions = {nodeid: position for position, nodeid in enumerate(declared)}
    return sorted(session.items, key=lambda item: positions.get(item.nodeid, len(positions)))


class Summary:
    """Gathers results as reports come in, from this process or from workers, and prints them at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._messages: dict[str, ItemMessage] = {}
        self._done: list[BenchItem] = []
        self._wrong_columns: dict[str, None] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> Generator[None]:
        """Keep the message of a benchmark item; show its phases below it, and among the durations."""
        message = ItemMessage.carried(report)
        if message is None:
            result = yield
            self._announce_ended(report)
            return result
        self._messages[report.nodeid] = message
        result = yield
        if report.passed or report.failed or report.skipped:  # else another attempt follows, of pytest-rerunfailures
            status = message.status if report.passed else report.outcome
            self._announce(report.nodeid, status, message.result, message.seconds)
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            self._show_phases(reporter, report.nodeid, message)
        return result

    def _show_phases(self, reporter: Any, nodeid: str, message: ItemMessage) -> None:
        phases = message.seconds
        # Not reports of their own: they would count twice in the times of JUnit files.
        durations = [SimpleNamespace(nodeid=nodeid, when=phase, duration=phases[phase]) for phase in phases]
        reporter.stats.setdefault("", []).extend(durations)
        if self.config.getoption("verbose", 0) > 0 and phases:
            reporter.ensure_newline()
            for phase, seconds in phases.items():
                trials = f"  ({message.trials})" if message.trials and phase == _TUNE else ""
                write_line(reporter, f"    {phase:8} {seconds:9.3f} s{trials}")

    def add_cached(self, items: list[BenchItem]) -> None:
        """Add items that were done before, and of which there are no reports."""
        self._done += items
        if self.config.hook.pytest_omnibench_item_finished.get_hookimpls():
            from omnibench.engine.run import CACHED

            for item in items:
                self._announce(item.nodeid, CACHED, item.recorded, {})

    def _announce_ended(self, report: Any) -> None:
        """Announce an item that ended before its report could carry a message, e.g. in a fixture or with its worker."""
        if report.when == "teardown" or not (report.failed or report.skipped):
            return
        if not self.config.hook.pytest_omnibench_item_finished.get_hookimpls():
            return
        session = existing_session(self.config)
        for item in session.items if session else ():
            if item.nodeid == report.nodeid:
                self._announce(item.nodeid, report.outcome, item.experiment.result({}), {})

    def _announce(self, nodeid: str, status: str, result: Result, seconds: Mapping[str, float]) -> None:
        """Tell the hook of an item that has come to its end."""
        from omnibench.plugin.hookspec import Finished

        finished = Finished(nodeid, status, result, seconds, result.fit_key)
        self.config.hook.pytest_omnibench_item_finished(config=self.config, finished=finished)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print a table per dataset, and where the numbers are."""
        if self._messages or self._done:
            from omnibench.plugin import garbage

            with garbage.paused():
                self._print(terminalreporter)

    def _print(self, terminalreporter: Any) -> None:
        detail = TABLE.value(self.config)
        if detail == "none":
            return
        results = self.results
        if not results:
            return
        from omnibench.engine.summary import default_layout
        from omnibench.store.choices import with_recorded_choices
        from omnibench.tables.layout import tables
        from omnibench.tables.terminal import render

        writer = terminalreporter._tw  # noqa: SLF001 - pytest offers the width and colour nowhere else
        encoding = getattr(writer._file, "encoding", None) or "utf-8"  # noqa: SLF001 - nor the encoding
        lower = self.lower_is_better()
        layout = replace(
            default_layout(results, lower, writer.fullwidth, detail, SORT.value(self.config)),
            names=NAMES.value(self.config),
        )
        if (session := existing_session(self.config)) is not None:
            results = with_recorded_choices(results, session.directory)
        for table in tables(results, layout, partial(self._not_worse, terminalreporter, lower)):
            terminalreporter.write_line("")
            terminalreporter.write_line(render(table, colour=writer.hasmarkup, encoding=encoding))
        for sentence in (*self._without_column(results), *self._about_data(results)):
            write_line(terminalreporter, sentence)
        for label in self._ambiguous():
            write_line(
                terminalreporter,
                f"{label} is not one metric: benchmarks of a dataset measure it in different ways, and of each result "
                "the last is shown. Give one of them another name.",
            )
        for wrong in self._wrong_columns:
            write_line(terminalreporter, f"A column is missing: pytest_omnibench_columns {wrong}.")
        if RESUME.value(self.config) != "never":
            write_line(terminalreporter, f"Results and predictions: {checkpoint_dir(self.config)}")

    def lower_is_better(self) -> set[str]:
        """Return the columns where the smallest value is the best."""
        reported = {label for message in self._messages.values() for label in message.lower_is_better}
        evaluators = {id(item.parent): item.evaluator for item in self._done}
        return reported.union(*(evaluator.lower_is_better for evaluator in evaluators.values()))

    def _not_worse(self, reporter: Any, lower: set[str], results: list[Result]) -> NotWorse:
        """Return which configurations are not significantly worse than the best; none without a store."""
        session = existing_session(self.config)
        if session is None or RESUME.value(self.config) == "never":
            return {}
        from omnibench.engine.summary import not_worse_or_notice

        def notify(sentence: str) -> None:
            write_line(reporter, f"omnibench: {sentence}")

        return not_worse_or_notice(session.directory, results, lower, session.remember, notify)

    @cached_property
    def results(self) -> list[Result]:
        """One result per dataset, algorithm and fold, with the metrics of every benchmark that measured it, as declared."""
        merged: dict[tuple[Any, ...], Result] = {}

        def merge(result: Result) -> None:
            identity = (result.dataset, result.algorithm, result.fold)
            first = merged.setdefault(identity, result)
            if first is not result:
                merged[identity] = _with(first, result.metrics)

        session = existing_session(self.config)
        together = {id(item) for item in self._done}
        for item in _as_declared(session) if session else ():
            if id(item) in together:
                merge(item.recorded)
            elif (message := self._messages.get(item.nodeid)) and message.result.metrics:
                merge(message.result)
        results = list(merged.values())
        if self.config.hook.pytest_omnibench_columns.get_hookimpls():
            return [_with(result, self._columns(result)) for result in results]
        return results

    def _ambiguous(self) -> list[str]:
        """Return the columns under which several benchmarks of a dataset have different metrics."""
        session = existing_session(self.config)
        items = session.items if session else ()
        examples = {(id(item.parent), id(item.experiment.dataset)): item for item in items}.values()
        metrics: dict[tuple[str, str], set[str]] = {}
        for item in examples:
            for name, (metric, label) in zip(item.evaluator.labels, item.evaluator.columns, strict=True):
                metrics.setdefault((item.experiment.dataset.key, name), set()).add(metric.canonical_identity(label))
        return list(dict.fromkeys(name for (_, name), identities in metrics.items() if len(identities) > 1))

    def _without_column(self, results: list[Result]) -> list[str]:
        """Return which metrics were asked for and have no value in any item, a sentence each."""
        session = existing_session(self.config)
        benchmarks = {id(item.benchmark): item for item in (session.items if session else ())}
        from omnibench.metrics.labels import requested_label

        columns: dict[str, Metric] = {}
        for item in benchmarks.values():
            for metric, label in item.evaluator.columns:
                columns.setdefault(item.experiment.qualified(metric, label), metric)
        for result in results:
            for label in result.metrics:
                columns.pop(requested_label(label) if " " in label else label, None)
            if not columns:
                return []
        from omnibench.metrics.cost import CostMetric

        sort = SORT.value(self.config)
        return [
            f"{label}: no item has a value of it, so there is no such column"
            + (f", and nothing is sorted by it ({SORT.flag})" if label == sort else "")
            + (f"; {TRACK.flag} says what is measured" if isinstance(metric, CostMetric) else "")
            for label, metric in columns.items()
        ]

    def _about_data(self, results: list[Result]) -> list[str]:
        """Return how many users are in each group of columns, and what of splits is unknown in training, or leaks, a sentence each."""
        session = existing_session(self.config)
        if session is None:
            return []
        from omnibench.engine.group_sizes import group_sentences
        from omnibench.engine.summary import split_sentences
        from omnibench.store.taken import taken_sentences
        from omnibench.tables.names import display_names

        planned = (item.experiment for item in session.items)
        names, untouched = display_names(results, NAMES.value(self.config)), session.looks_only
        return [
            *group_sentences(session.directory, results, names, untouched=untouched),
            *split_sentences(session.directory, planned, names, untouched=untouched),
            *taken_sentences(session.directory, [result.fit_key for result in results], untouched=untouched),
        ]

    def _columns(self, result: Result) -> dict[str, float]:
        """Return the columns that plugins add; a wrong one must not hide the results, so it is only noted."""
        try:
            added = self.config.hook.pytest_omnibench_columns(config=self.config, result=result)
        except Exception as error:
            self._wrong_columns.setdefault(f"raised {type(error).__name__}: {error}")
            return {}
        values: dict[str, float] = {}
        for columns in added:
            if isinstance(columns, Mapping) and all(isinstance(value, Real) for value in columns.values()):
                values.update({str(name): float(value) for name, value in columns.items()})
            else:
                self._wrong_columns.setdefault(f"returned {columns!r}; it has to return numbers by column name")
        return values


def _with(result: Result, metrics: Mapping[str, float]) -> Result:
    return replace(result, metrics={**result.metrics, **metrics})
