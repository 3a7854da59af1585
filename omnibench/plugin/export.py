"""The files of results that a run writes at its end, in the process that oversees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from omnibench.errors import ExportError, OmnibenchError
from omnibench.plugin.options import EXPORT, SORT, TABLE
from omnibench.report.files import check_files

if TYPE_CHECKING:
    from omnibench.plugin.items import ExperimentItem
    from omnibench.plugin.session import BenchSession
    from omnibench.plugin.summary import Summary
    from omnibench.report.contents import Contents, MissingItem
    from omnibench.results import Result
    from omnibench.store.reading import Reader


class Export:
    """Writes the results of this run's items into files.

    Args:
        config: pytest's configuration.
        summary: Who gathers the results.

    Raises:
        pytest.UsageError: A file cannot be written.
    """

    def __init__(self, config: pytest.Config, summary: Summary) -> None:
        self.config = config
        self._summary = summary
        self._said: list[str] = []
        try:
            self._files = check_files(Path(file) for file in EXPORT.paths(config))
        except ExportError as error:
            raise pytest.UsageError(f"{EXPORT.flag}: {error}") from error

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the files; where that fails, so does the run."""
        from omnibench.plugin.hooks import existing_session

        found = existing_session(self.config)
        if found is None or not found.items:
            if self.config.getoption(EXPORT.name):  # an ini file speaks of every run, also of those without benchmarks
                self._said.append(f"no benchmark was selected, so {EXPORT.flag} wrote nothing")
            return
        try:
            self._said += self._write(found)
        except (OmnibenchError, OSError) as error:
            self._said.append(str(error))
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _write(self, session: BenchSession) -> list[str]:
        from omnibench.report.contents import contents_of
        from omnibench.report.export import write_files
        from omnibench.report.sections import DEFAULT_LIMIT, Choices
        from omnibench.store.reading import read

        results = self._summary.results

        def take(reader: Reader) -> Contents:
            return contents_of(
                reader.get, results, _missing(reader, session.items, results), self._summary.lower_is_better()
            )

        contents = read(session.directory / "store", take, untouched=session.looks_only)
        most = None if TABLE.value(self.config) in ("mean", "folds") else DEFAULT_LIMIT
        choices = Choices(SORT.value(self.config), most, show_all=f"{TABLE.flag}=mean")
        return write_files(self._files, contents, session.directory, choices)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say what there is to be said, below the tables."""
        for one in self._said:
            terminalreporter.write_line(f"omnibench: {one}", red=True)
        if not self._said:
            terminalreporter.write_line(f"Exported: {', '.join(map(str, self._files))}")


def _missing(reader: Reader, items: list[ExperimentItem], results: list[Result]) -> Iterator[MissingItem]:
    """Return the items of a run that have no results, with what is recorded of them."""
    from omnibench.report.contents import MissingItem, missing_of
    from omnibench.store.schema import Status

    told = {result.fit_key for result in results}
    for experiment in {item.experiment.fit_key: item.experiment for item in items}.values():
        if experiment.fit_key not in told:
            record = reader.get(f"item/{experiment.fit_key}")
            unknown = record is None or record["status"] == Status.DONE
            yield MissingItem(experiment.name, "not run") if unknown or record is None else missing_of(record)
