"""The regression gate of a run: reads the baseline before anything runs, judges at the end, and fails the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from omnibench.errors import OmnibenchError
from omnibench.metrics.cost import CostMetric
from omnibench.plugin.items import ExperimentItem
from omnibench.plugin.options import BASELINE, GATE, GATE_ALPHA, GATE_METRICS, GATE_TOLERANCE, path_of, share_of
from omnibench.store.reading import Reader, read

if TYPE_CHECKING:
    from omnibench.gate.entries import Measurements
    from omnibench.gate.judgement import Judge
    from omnibench.gate.verdicts import Gate
    from omnibench.plugin.session import BenchSession


_UNSEEN = (
    "the benchmarks stand in files that do not mention omnibench, so only the workers of -n saw them, and nothing was "
    "compared, nor written; name the files bench_*.py, or run without -n"
)


class RegressionGate:
    """Registered in the overseeing process of a run that has a baseline to compare with, or to write.

    Args:
        config: pytest's configuration.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._judge: Judge | None = None
        self._gate: Gate | None = None
        self._partial = any("::" in argument for argument in config.args)
        self._reported = False
        self._said: list[tuple[str, str]] = []

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Note that there is more than what runs."""
        self._partial = self._partial or bool(items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Read the baseline, in a run that has benchmarks.

        Raises:
            pytest.UsageError: It cannot be compared with, or no baseline could be written.
        """
        if not any(isinstance(item, ExperimentItem) for item in session.items) or self.config.getoption("omnirec_plan"):
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
        self._reported = self._reported or hasattr(report, "omnibench")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Judge what was measured, write the new baseline, and fail a run that has passed so far."""
        from omnibench.plugin.hooks import existing_session

        found = existing_session(self.config)
        if self.config.getoption("omnirec_plan"):
            return
        if found is None or not found.items:
            if self._reported:
                self._said.append((_UNSEEN, "red"))
                self._fail(session)
            return
        if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            self._said.append(("the run was not finished, so nothing was compared, nor written", "red"))
            return
        try:
            measured = measurements(found)
            passed = exitstatus == pytest.ExitCode.OK
            if self._judge is not None:
                self._gate = self._judge.judge(measured, measured.entries, partial=self._partial)
                passed = passed and self._gate.passed
            if BASELINE.value(self.config):
                self._write(measured, passed=passed)
        except OmnibenchError as error:
            self._said.append((str(error), "red"))
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
            self._said.append((f"{path}: no baseline was written, because this run has not passed", "red"))
            return
        written = write(path, measured, measured.entries, git_of(self.config.rootpath))
        self._said.append((f"{path}: the baseline has {summary(written.entries)} now", ""))

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the verdicts below the table."""
        if self._gate is None and not self._said:
            return
        if GATE.value(self.config):
            terminalreporter.write_sep("=", "regression gate")
        verbosity = self.config.option.verbose
        if self._gate is not None:
            from omnibench.gate.report import lines

            width = terminalreporter._tw.fullwidth  # noqa: SLF001 - pytest offers the width nowhere else
            for line in lines(self._gate, width, verbosity=verbosity):
                terminalreporter.write_line(line.text, **_markup(line.colour))
        for sentence, colour in self._said:
            if colour or verbosity >= 0:
                terminalreporter.write_line(f"omnibench: {sentence}", **_markup(colour))


def measurements(session: BenchSession) -> Measurements:
    """Return what the store has of the items of a run, as far as they are done.

    Raises:
        OmnibenchError: The store cannot be read.
    """
    from omnibench.gate.entries import Measurements

    wanted = wanted_of(session.items)

    def take(reader: Reader) -> Measurements:
        records = (reader.get(f"item/{key}") for key in wanted)
        return Measurements(session.directory, reader.get, (one for one in records if one is not None), wanted)

    return read(session.directory / "store", take, untouched=session.looks_only)


def wanted_of(items: Iterable[ExperimentItem]) -> Mapping[str, Mapping[str, bool]]:
    """Return the columns of each item by its key, and whether more of them is better."""
    found: dict[str, dict[str, bool]] = {}
    for item in items:
        columns = found.setdefault(item.experiment.fit_key, {})
        for metric, label in item.evaluator.columns:
            if not isinstance(metric, CostMetric):
                columns[item.experiment.qualified(metric, label)] = metric.higher_is_better
    return found


def _markup(colour: str) -> dict[str, bool]:
    return {colour: True} if colour else {}
