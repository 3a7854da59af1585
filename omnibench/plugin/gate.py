"""The regression gate of a run: reads the baseline before anything runs, judges at the end, and fails the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from omnibench.errors import OmnibenchError
from omnibench.plugin.items import ExperimentItem
from omnibench.plugin.lines import usage_error, write_line
from omnibench.plugin.options import BASELINE, GATE, GATE_ALPHA, GATE_METRICS, GATE_MISSING, GATE_TOLERANCE, PLAN
from omnibench.plugin.plan import CollectedFiles, columns_of
from omnibench.plugin.settings import path_of, share_of
from omnibench.plugin.state import existing_session
from omnibench.plugin.wire import ItemMessage
from omnibench.store.reader import Reader
from omnibench.store.reading import read
from omnibench.store.schema import Record, RecordType, Status
from omnibench.terminal import terminal_line

if TYPE_CHECKING:  # half a second of imports, which a run without benchmarks saves
    from omnibench.gate.judgement import Judge
    from omnibench.gate.measurements import Measurements
    from omnibench.gate.scope import Scope
    from omnibench.gate.series import Series
    from omnibench.gate.verdicts import Gate
    from omnibench.plugin.session import BenchSession


_UNSEEN = (
    "the benchmarks stand in files that do not mention omnibench, so only the workers of -n saw them, and nothing was "
    "compared, nor written; name the files bench_*.py, or run without -n"
)


class RegressionGate:
    """The gate of a run, in its overseeing process; registered only if there is a baseline to compare with or to write.

    Args:
        config: pytest's configuration.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._judge: Judge | None = None
        self._gate: Gate | None = None
        self._reported = False
        self._failed: dict[str, None] = {}
        self._sentences: list[tuple[str, str]] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Read the baseline, in a run that has benchmarks.

        Raises:
            pytest.UsageError: It cannot be compared with, or no baseline could be written.
        """
        if not any(isinstance(item, ExperimentItem) for item in session.items) or PLAN.is_on(self.config):
            return
        from omnibench.gate.baseline import Baseline
        from omnibench.gate.baseline_file import refuse_other_files
        from omnibench.gate.judgement import Judge

        metrics = [label.strip() for label in GATE_METRICS.value(self.config).split(",") if label.strip()]
        try:
            if GATE.value(self.config):
                self._judge = Judge(
                    Baseline(path_of(GATE, self.config)),
                    share_of(GATE_TOLERANCE, self.config),
                    share_of(GATE_ALPHA, self.config),
                    metrics,
                )
            if BASELINE.value(self.config):
                refuse_other_files(path_of(BASELINE, self.config))
        except OmnibenchError as error:
            raise usage_error(error) from error

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Note that there were benchmarks, and what failed."""
        self._reported = self._reported or ItemMessage.carried(report) is not None
        if report.failed:
            self._failed.setdefault(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Judge what was measured, write the new baseline, and fail a run that has passed so far."""
        benchmarks = existing_session(self.config)
        if PLAN.is_on(self.config):
            return
        if benchmarks is None or not benchmarks.items:
            if self._reported:
                self._sentences.append((_UNSEEN, "red"))
                self._fail(session)
            return
        if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            self._sentences.append(("the run was not finished, so nothing was compared, nor written", "red"))
            return
        try:
            passed = self._decide(benchmarks, has_failed=exitstatus == pytest.ExitCode.TESTS_FAILED)
        except OmnibenchError as error:
            self._sentences.append((str(error), "red"))
            passed = False
        if self._judge is not None:
            report_to_junit(self.config, self._gate, [sentence for sentence, colour in self._sentences if colour])
        if not passed:
            self._fail(session)

    def _decide(self, benchmarks: BenchSession, *, has_failed: bool) -> bool:
        """Judge, and write the new baseline; return whether the run passes.

        Raises:
            OmnibenchError: The store cannot be read, or the baseline cannot be written.
        """
        measured = measurements(benchmarks)
        passed = not has_failed
        if self._judge is not None:
            failed = [*self._failed] or (["an error outside of items"] if has_failed else [])
            scope = scope_of(benchmarks, measured, failed)
            self._gate = self._judge.judge(measured, [*measured.entries, *measured.without_results], scope)
            passed = passed and self._gate.passed
        if BASELINE.value(self.config):
            self._write(measured, passed=passed)
        return passed

    @staticmethod
    def _fail(session: pytest.Session) -> None:
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _write(self, measured: Measurements, *, passed: bool) -> None:
        from omnibench.gate.baseline import write
        from omnibench.gate.series import spread_notice, summary
        from omnibench.provenance import git_of

        path = path_of(BASELINE, self.config)
        if not passed:
            self._sentences.append((f"{path}: no baseline was written, because this run has not passed", "red"))
            return
        written = write(path, measured, measured.entries, git_of(self.config.rootpath))
        self._sentences.append((f"{path}: the baseline has {summary(written.entries)} now", ""))
        self._sentences += [(notice, "") for notice in (spread_notice(written.entries),) if notice]

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the verdicts below the table."""
        if self._gate is None and not self._sentences:
            return
        if GATE.value(self.config):
            terminalreporter.write_sep("=", "regression gate")
        verbosity = self.config.option.verbose
        if self._gate is not None:
            from omnibench.gate.report import lines

            width = terminalreporter._tw.fullwidth  # noqa: SLF001 - pytest offers the width nowhere else
            for line in lines(self._gate, width, verbosity=verbosity):
                write_line(terminalreporter, terminal_line(line.text), **_markup(line.colour))
        for sentence, colour in self._sentences:
            if colour or verbosity >= 0:
                write_line(terminalreporter, f"omnibench: {sentence}", **_markup(colour))


def measurements(session: BenchSession) -> Measurements:
    """Return the measurements of a run's plan: of the selected items that are done, and which others there are.

    Raises:
        OmnibenchError: The store cannot be read.
    """
    from omnibench.engine.records import labels_of
    from omnibench.gate.measurements import Measurements
    from omnibench.store.evaluations import StoredEvaluations
    from omnibench.store.item_records import pending_item

    planned = {item.experiment.fit_key: item for items in session.planned.values() for item in items}
    selected = {item.experiment.fit_key: item for item in session.items}
    sources: dict[str, list[str]] = {}
    for source, items in session.planned.items():
        for fit_key in dict.fromkeys(item.experiment.fit_key for item in items):
            sources.setdefault(fit_key, []).append(source)

    def record_of(reader: Reader, fit_key: str, item: ExperimentItem) -> Record:
        record = reader.get(RecordType.ITEM.key(fit_key)) if fit_key in selected else None
        is_done = record is not None and record["status"] == Status.DONE
        return record if record is not None and is_done else pending_item(labels_of(item.experiment).item_members)

    def take(reader: Reader) -> Measurements:
        evaluations = StoredEvaluations(session.directory, reader, untouched=session.looks_only)
        try:
            return Measurements(
                session.directory,
                reader.get,
                (record_of(reader, fit_key, item) for fit_key, item in (planned | selected).items()),
                directions_of(session.items),
                sources=sources,
                deselected=planned.keys() - selected.keys(),
                evaluations=evaluations,
            )
        finally:
            evaluations.close()

    return read(session.directory / "store", take, untouched=session.looks_only)


def scope_of(session: BenchSession, measured: Measurements, failed: Sequence[str]) -> Scope:
    """Return what of the plan a run has asked for.

    Args:
        session: The benchmarks of the run.
        measured: Its measurements.
        failed: The items that failed, and other tests.
    """
    from omnibench.gate.scope import Scope

    collected = CollectedFiles(session)
    selected = {id(item) for item in session.items}

    def covers(series: Series) -> bool:
        """Whether this run has collected a bench function that a series of the baseline comes from, or should have."""
        if not series.sources:  # of a baseline that does not say
            return collected.whole
        return any(source in session.planned or collected.lacks(source) for source in series.sources)

    def covers_metrics(series: Series) -> bool:
        if not series.sources:
            return collected.whole
        return all(source in session.planned or collected.lacks(source) for source in series.sources)

    return Scope(
        measured.deselected,
        covers,
        covers_metrics,
        partial=len(selected) < sum(len(items) for items in session.planned.values()) or not collected.whole,
        labels={label for items in session.planned.values() if items for label in columns_of(items[0])},
        failed=failed,
        missing_ok=GATE_MISSING.value(session.config) == "ok",
    )


def directions_of(items: Iterable[ExperimentItem]) -> Mapping[str, Mapping[str, bool]]:
    """Return the columns of each item by its key, and whether larger values are better."""
    directions: dict[str, dict[str, bool]] = {}
    for item in items:
        directions.setdefault(item.experiment.fit_key, {}).update(columns_of(item))
    return directions


def report_to_junit(config: pytest.Config, gate: Gate | None, sentences: Sequence[str]) -> None:
    """Add a test case of the gate to the JUnit file, which is what CI shows; nothing without such a file.

    Args:
        config: pytest's configuration.
        gate: The verdicts, or None where nothing could be judged.
        sentences: What went wrong beside.
    """
    from _pytest.junitxml import xml_key

    junit = config.stash.get(xml_key, None)
    if junit is None:
        return
    from omnibench.gate.report import lines

    passed = gate is not None and gate.passed and not sentences
    judged = [line.text for line in lines(gate, 120)] if gate else []
    text = "\n".join([*judged[-1:], *sentences, *judged[:-1]])  # what CI shows first is whether it passed
    properties = [] if gate is None else [*gate.properties().items()]
    nodeid = "omnibench::regression gate"
    for when in ("call", "teardown"):
        failed = when == "call" and not passed
        junit.pytest_runtest_logreport(
            pytest.TestReport(
                nodeid,
                ("omnibench", None, "regression gate"),
                {},
                "failed" if failed else "passed",
                text if failed else None,
                when,
                sections=[("Captured stdout call", text)] if passed else [],
                user_properties=properties,
            )
        )


def _markup(colour: str) -> dict[str, bool]:
    return {colour: True} if colour else {}
