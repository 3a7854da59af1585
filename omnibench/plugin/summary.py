"""The tables at the end of a run, made of what the items' reports tell."""

from __future__ import annotations

from typing import Any

import pytest

from omnibench.plugin.options import RESUME, checkpoint_dir


class Summary:
    """Gathers results as reports come in, from this process or from workers, and prints them at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._told: dict[str, dict[str, Any]] = {}
        self.order: dict[str, int] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep what a benchmark item's report tells."""
        told = getattr(report, "omnibench", None)
        if told is not None:
            self._told[report.nodeid] = told

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print a table per dataset, and where the numbers are."""
        nodes = sorted(self._told, key=lambda node: self.order.get(node, len(self.order)))
        told = [self._told[node] for node in nodes if self._told[node]["metrics"]]
        if not told:
            return
        from omnibench.report.terminal import render, tables

        lower = {label for one in told for label in one["lower_is_better"]}
        writer = terminalreporter._tw  # noqa: SLF001 - pytest offers the width and colour nowhere else
        results = _merged(told)
        not_worse = self._not_worse(terminalreporter, results, lower)
        for table in tables(results, lower, writer.fullwidth, not_worse):
            terminalreporter.write_line("")
            terminalreporter.write_line(render(table, colour=writer.hasmarkup))
        if RESUME.value(self.config) != "never":
            terminalreporter.write_line(f"Results and predictions: {checkpoint_dir(self.config)}")

    def _not_worse(self, reporter: Any, results: list[Any], lower: set[str]) -> dict[tuple[str, str], tuple[str, ...]]:
        """Test which configurations are not significantly worse than the best; without a store there are no users."""
        if RESUME.value(self.config) == "never":
            return {}
        from omnibench.errors import OmnibenchError
        from omnibench.statistics.marks import not_worse

        try:
            return not_worse(checkpoint_dir(self.config), results, lower)
        except OmnibenchError as error:
            reporter.write_line(f"omnibench: what is not significantly worse than the best is not marked: {error}")
            return {}


def _merged(told: list[dict[str, Any]]) -> list[Any]:
    """One result per dataset, algorithm and fold, with the metrics of every benchmark that measured it."""
    from omnibench.evaluation import Result

    merged: dict[tuple[Any, ...], Result] = {}
    for one in told:
        identity = (one["dataset"], one["algorithm"], one["fold"])
        if identity not in merged:
            merged[identity] = Result(one["dataset"], one["algorithm"], one["configuration"], one["fold"], {})
        merged[identity].metrics.update(one["metrics"])
    return list(merged.values())
