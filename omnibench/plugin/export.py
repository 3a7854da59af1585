"""The files of results that a run writes at its end, in the process that oversees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from omnibench.errors import ExportError, OmnibenchError
from omnibench.plugin.lines import usage_error, write_line
from omnibench.plugin.options import EXPORT, SORT, TABLE
from omnibench.plugin.state import existing_session
from omnibench.plugin.summary import Summary
from omnibench.report.files import check_files

if TYPE_CHECKING:  # an ini file may ask for files in every run, also in those without benchmarks
    from collections.abc import Callable

    from omnibench.plugin.items import ExperimentItem
    from omnibench.plugin.session import BenchSession
    from omnibench.report.contents import Contents, MissingItem
    from omnibench.results import Result
    from omnibench.store.reader import Reader


class Export:
    """Writes the results of this run's items into files.

    Args:
        config: pytest's configuration.
        summary: Gathers the results.

    Raises:
        pytest.UsageError: A file cannot be written.
    """

    def __init__(self, config: pytest.Config, summary: Summary) -> None:
        self.config = config
        self._summary = summary
        self._problems: list[str] = []
        self._is_written = False
        try:
            self._files = check_files(Path(file) for file in EXPORT.paths(config))
        except ExportError as error:
            raise usage_error(f"{EXPORT.flag}: {error}") from error

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the files; where that fails, so does the run."""
        benchmarks = existing_session(self.config)
        if benchmarks is None or not benchmarks.items:
            if self.config.getoption(EXPORT.name):  # an ini file speaks of every run, also of those without benchmarks
                self._problems.append(f"no benchmark was selected, so {EXPORT.flag} wrote nothing")
            return
        try:
            self._problems += self._write(benchmarks)
            self._is_written = True
        except (OmnibenchError, OSError) as error:
            self._problems.append(str(error))
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _write(self, session: BenchSession) -> list[str]:
        from omnibench.report.choices import DEFAULT_LIMIT, Choices
        from omnibench.report.contents import contents_of
        from omnibench.report.export import write_files
        from omnibench.report.impersonal import hider
        from omnibench.store.reading import read
        from omnibench.store.schema import RecordType

        results = self._summary.results

        def take(reader: Reader) -> tuple[Contents, Callable[[str], str]]:
            contents = contents_of(
                reader.get,
                results,
                _missing(reader, session.items, results),
                self._summary.lower_is_better(),
                root=session.directory,
            )
            runs = (record for _, record in reader.records(RecordType.RUN.prefix))
            return contents, hider(runs, session.directory)

        contents, hide = read(session.directory / "store", take, untouched=session.looks_only)
        most = None if TABLE.value(self.config) in ("mean", "folds") else DEFAULT_LIMIT
        choices = Choices(SORT.value(self.config), most, show_all=f"{TABLE.flag}=mean")
        return write_files(self._files, contents, session.directory, choices, hide)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Name the files below the tables, or what went wrong."""
        for problem in self._problems:
            write_line(terminalreporter, f"omnibench: {problem}", red=True)
        files = ", ".join(map(str, self._files))
        if self._is_written:
            write_line(terminalreporter, f"Exported: {files}")
        elif not self._problems:  # the end of the run was cut short, e.g. by a file of pytest's own
            write_line(terminalreporter, f"omnibench: not exported: {files}; `omnibench export` writes them", red=True)


def _missing(reader: Reader, items: list[ExperimentItem], results: list[Result]) -> Iterator[MissingItem]:
    """Yield the items of a run that have no results, with what is recorded of them."""
    from omnibench.report.contents import MissingItem, missing_of
    from omnibench.store.schema import RecordType, Status
    from omnibench.store.stops import failed_later

    with_results = {result.fit_key for result in results}
    for experiment in {item.experiment.fit_key: item.experiment for item in items}.values():
        if experiment.fit_key not in with_results:
            record = reader.get(RecordType.ITEM.key(experiment.fit_key))
            record = failed_later(record) if record is not None else None
            unknown = record is None or record["status"] == Status.DONE
            yield (
                MissingItem(experiment.name, "not run", label=experiment.label)
                if unknown or record is None
                else missing_of(record, reader.get)
            )
