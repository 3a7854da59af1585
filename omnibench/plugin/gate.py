"""The regression gate of a run: reads the baseline before anything runs, judges at the end, and fails the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from omnibench.errors import OmnibenchError
from omnibench.metrics.cost import CostMetric
from omnibench.plugin.items import ExperimentItem
from omnibench.plugin.options import BASELINE, GATE, GATE_ALPHA, GATE_METRICS, GATE_TOLERANCE, PLAN
from omnibench.plugin.settings import path_of, share_of
from omnibench.plugin.state import existing_session
from omnibench.plugin.wire import ItemMessage
from omnibench.store.reading import Reader, read
from omnibench.store.schema import RecordType

if TYPE_CHECKING:  # half a second of imports, which a run without benchmarks saves
    from omnibench.gate.entries import Measurements
    from omnibench.gate.judgement import Judge
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
        self._partial = any("::" in argument for argument in config.args)
        self._reported = False
        self._sentences: list[tuple[str, str]] = []

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Note that only a part of the benchmarks runs."""
        self._partial = self._partial or bool(items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Read the baseline, in a run that has benchmarks.

        Raises:
            pytest.UsageError: It cannot be compared with, or no baseline could be written.
        """
        if not any(isinstance(item, ExperimentItem) for item in session.items) or PLAN.is_on(self.config):
            return
        from omnibench.gate.baseline import Baseline, refuse_other_files
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
            raise pytest.UsageError(str(error)) from error

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Note that there were benchmarks."""
        self._reported = self._reported or ItemMessage.carried(report) is not None

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
            measured = measurements(benchmarks)
            passed = exitstatus == pytest.ExitCode.OK
            if self._judge is not None:
                self._gate = self._judge.judge(measured, measured.entries, partial=self._partial)
                passed = passed and self._gate.passed
            if BASELINE.value(self.config):
                self._write(measured, passed=passed)
        except OmnibenchError as error:
            self._sentences.append((str(error), "red"))
            passed = False
        if not passed:
            self._fail(session)

    @staticmethod
    def _fail(session: pytest.Session) -> None:
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _write(self, measured: Measurements, *, passed: bool) -> None:
        from omnibench.gate.baseline import write
        from omnibench.gate.entries import summary
        from omnibench.provenance import git_of

        path = path_of(BASELINE, self.config)
        if not passed:
            self._sentences.append((f"{path}: no baseline was written, because this run has not passed", "red"))
            return
        written = write(path, measured, measured.entries, git_of(self.config.rootpath))
        self._sentences.append((f"{path}: the baseline has {summary(written.entries)} now", ""))

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
                terminalreporter.write_line(line.text, **_markup(line.colour))
        for sentence, colour in self._sentences:
            if colour or verbosity >= 0:
                terminalreporter.write_line(f"omnibench: {sentence}", **_markup(colour))


def measurements(session: BenchSession) -> Measurements:
    """Return the measurements of those items of a run that are done.

    Raises:
        OmnibenchError: The store cannot be read.
    """
    from omnibench.gate.entries import Measurements

    directions = directions_of(session.items)

    def take(reader: Reader) -> Measurements:
        records = (reader.get(RecordType.ITEM.key(key)) for key in directions)
        recorded = (record for record in records if record is not None)
        return Measurements(session.directory, reader.get, recorded, directions)

    return read(session.directory / "store", take, untouched=session.looks_only)


def directions_of(items: Iterable[ExperimentItem]) -> Mapping[str, Mapping[str, bool]]:
    """Return the columns of each item by its key, and whether larger values are better."""
    directions: dict[str, dict[str, bool]] = {}
    for item in items:
        columns = directions.setdefault(item.experiment.fit_key, {})
        for metric, label in item.evaluator.columns:
            if not isinstance(metric, CostMetric):
                columns[item.experiment.qualified(metric, label)] = metric.higher_is_better
    return directions


def _markup(colour: str) -> dict[str, bool]:
    return {colour: True} if colour else {}
