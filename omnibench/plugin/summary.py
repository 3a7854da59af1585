"""The tables at the end of a run, made of what the items' reports tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from omnibench.plugin.options import RESUME, SORT, TABLE, checkpoint_dir

if TYPE_CHECKING:
    from omnibench.evaluation import Result
    from omnibench.plugin.items import BenchItem

_MOST = 100
"""Algorithms of a dataset that are shown when nobody said how many; their folds are not shown beyond that."""


class Summary:
    """Gathers results as reports come in, from this process or from workers, and prints them at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._told: dict[str, dict[str, Any]] = {}
        self._done: list[BenchItem] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep what a benchmark item's report tells."""
        told = getattr(report, "omnibench", None)
        if told is not None:
            self._told[report.nodeid] = told

    def take(self, items: list[BenchItem]) -> None:
        """Take in items that were found done, and of which there are no reports."""
        self._done += items

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print a table per dataset, and where the numbers are."""
        detail = TABLE.value(self.config)
        if detail == "none" or not (self._told or self._done):
            return
        results = self._results()
        if not results:
            return
        from omnibench.report.layout import Layout, tables
        from omnibench.report.terminal import render

        writer = terminalreporter._tw  # noqa: SLF001 - pytest offers the width and colour nowhere else
        many = not detail and _configurations(results) > _MOST
        layout = Layout(
            self._lower_is_better(),
            writer.fullwidth,
            detail or ("mean" if many else "folds"),
            SORT.value(self.config),
            _MOST if many else None,
        )
        for table in tables(results, layout):
            terminalreporter.write_line("")
            terminalreporter.write_line(render(table, colour=writer.hasmarkup))
        if RESUME.value(self.config) != "never":
            terminalreporter.write_line(f"Results and predictions: {checkpoint_dir(self.config)}")

    def _lower_is_better(self) -> set[str]:
        told = {label for one in self._told.values() for label in one["lower_is_better"]}
        return told.union(*({*item.parent.declaration.evaluator.lower_is_better} for item in self._done))

    def _results(self) -> list[Result]:
        """One result per dataset, algorithm and fold, with the metrics of every benchmark that measured it."""
        from omnibench.evaluation import Result
        from omnibench.plugin.hooks import existing_session

        merged: dict[tuple[Any, ...], Result] = {}

        def merge(result: Result) -> None:
            identity = (result.dataset, result.algorithm, result.fold)
            merged.setdefault(identity, result).metrics.update(result.metrics)

        session = existing_session(self.config)
        together = {id(item) for item in self._done}
        for item in session.items if session else ():
            if id(item) in together:
                assert item.state is not None, "it was found done"
                merge(Result.of(item.experiment, dict(item.state.metrics)))
            elif (told := self._told.get(item.nodeid)) and told["metrics"]:
                names = ("dataset", "algorithm", "configuration", "fold", "metrics")
                merge(Result(**{name: told[name] for name in names}))
        return list(merged.values())


def _configurations(results: list[Result]) -> int:
    return len({(result.dataset, result.algorithm) for result in results})
