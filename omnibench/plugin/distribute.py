"""The controller of a distributed run: it collects once, runs what is done itself, and starts workers for the rest.

xdist's controller does not collect. For benchmarks it has to: the look at the records must happen once (a
worker that joins later would see a moving store), and where nothing is pending no worker is worth its start.
"""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from omnibench.plugin.hooks import BENCH_FILES, automatic_key, begin, existing_session, only, resume_garbage

if TYPE_CHECKING:
    from omnibench.engine.estimates import Estimates

_WORKER_MEGABYTES = 150
_MEMORY_SHARE = 0.8
"""Of the memory that is free; the rest is for what grows, and for others."""


class Distribution:
    """Registered beside xdist's session on the controller."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._done: list[pytest.Item] = []
        self._collected = 0
        self._remaining: int | None = None  # None: leave everything to xdist
        self._nodes: list[Any] = []
        self._hearing = ExitStack()
        self._estimates: Estimates | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Collect and look at the records: after pytest is ready for it, before xdist starts workers."""
        config = self.config
        if not _has_bench_files(config):
            return
        try:
            session.perform_collect()
        finally:
            resume_garbage()
        self._collected = session.testscollected
        if session.testsfailed and not config.option.continue_on_collection_errors:
            self._remaining = 0
        else:
            self._begin(session)
        if self._remaining == 0:  # xdist's display of workers cannot show none
            config.pluginmanager.unregister(name="terminaldistreporter")
        elif self._remaining is not None and all(spec == "popen" for spec in config.option.tx):
            config.option.tx = config.option.tx[: self._most_workers()]

    def _most_workers(self) -> int:
        """Return how many workers are worth their start; of a number that the user has chosen, no fewer for memory."""
        assert self._remaining is not None, "it was counted"
        wished = min(len(self.config.option.tx), self._remaining)
        found, estimates = existing_session(self.config), self._estimates
        if not self.config.stash.get(automatic_key, False) or found is None or estimates is None:
            return wished
        from omnibench.runners.machine import available_memory

        available = available_memory()
        if available is None:
            return wished
        each = megabytes_per_worker(estimates, {item.experiment.configuration.runner.name for item in found.pending})
        possible = max(1, int(_MEMORY_SHARE * available / 2**20 / each))
        if possible < wished:
            found.notify(
                f"{possible} worker{'s' if possible > 1 else ''} instead of {wished}: each may need {each:.0f} MB of the "
                f"{available / 2**20:.0f} MB that are free (-n {wished} starts them all the same)"
            )
        return min(wished, possible)

    def _begin(self, session: pytest.Session) -> None:
        begin(session)
        found = existing_session(self.config)
        if found is not None:
            from omnibench.plugin.items import ExperimentItem

            self._done = [item for item in session.items if isinstance(item, ExperimentItem) and item.is_done]
            self._remaining = len(session.items) - len(self._done)
            if self._remaining:
                from omnibench.plugin.live import estimates_of

                self._estimates = estimates_of(found)
            found.build_environments()

    @pytest.hookimpl(tryfirst=True)
    def pytest_xdist_setupnodes(self, specs: list[Any]) -> None:
        """Start no worker when there is nothing to compute."""
        if self._remaining == 0:
            specs.clear()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker, also one that replaces another, what was done when the run began."""
        self._nodes.append(node)
        found = existing_session(self.config)
        if found is None:
            return
        node.workerinput["omnibench_run"] = found.run_id
        node.workerinput["omnibench_directory"] = str(found.directory)
        if not self._done:
            return
        from omnibench.plugin.collect import short_id

        node.workerinput["omnibench_done"] = "".join(short_id(item.nodeid) for item in self._done)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Report what is done; where there is nothing else, that was the run. Then hear signals while workers run."""
        if session.testsfailed and self._remaining == 0:
            errors = session.testsfailed
            raise session.Interrupted(f"{errors} error{'' if errors == 1 else 's'} during collection")
        if self._done:
            self._report_done(session)
        if self._remaining == 0:
            return True
        found = existing_session(self.config)
        if found is not None:
            from omnibench.plugin.live import shown

            assert self._estimates is not None, "they were read when this run began"
            found.stopping.on_first, found.stopping.on_second = self._ask_workers_to_stop, self._kill_workers
            self._hearing.enter_context(found.stopping)
            self._hearing.enter_context(found.stopping.phases("every worker"))
            self._hearing.enter_context(shown(found, self._estimates))
        return None

    def _report_done(self, session: pytest.Session) -> None:
        from omnibench.plugin.cached import report_together, run_all

        found = existing_session(self.config)
        assert found is not None, "it has found them done"
        rest = report_together(found, self._done)
        self._collected -= len(self._done) - len(rest)  # progress is counted in reports
        with only(session, rest):
            run_all(rest, session)
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if self._remaining and reporter is not None and reporter._tw.width_of_current_line:  # noqa: SLF001 - pytest has no way
            reporter._tw.line()  # noqa: SLF001 - or xdist writes on behind the letters

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Leave signals to others again."""
        self._hearing.close()

    def _ask_workers_to_stop(self) -> None:
        self._signal_workers(signal.SIGTERM)

    def _kill_workers(self) -> None:
        self._signal_workers(signal.SIGKILL)

    def _signal_workers(self, number: int) -> None:
        for node in self._nodes:
            process = getattr(getattr(node.gateway, "_io", None), "popen", None)
            if process is not None and process.poll() is None:
                os.kill(process.pid, number)

    @pytest.hookimpl(tryfirst=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Give workers the longest items first, unless the user has chosen how to distribute."""
        found = existing_session(config)
        estimates = self._estimates
        if found is None or estimates is None or config.getvalue("dist") != "load":
            return None
        from omnibench.plugin.schedule import LongestFirst

        expected = {item.nodeid: estimates.expected(item.experiment) for item in found.pending}
        return LongestFirst(config, log, lambda nodeid: expected.get(nodeid, 0.0))

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        """Record what its worker could not: that an item's process died of it."""
        found = existing_session(self.config)
        if found is not None and not found.stopping.reason:
            found.note_death(crashitem, str(report.longrepr))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self) -> None:
        """Count the items that no worker collects, or the percentages run beyond a hundred."""
        session = self.config.pluginmanager.get_plugin("session")
        if isinstance(session, pytest.Session) and session.testscollected < self._collected:
            session.testscollected = self._collected


def megabytes_per_worker(estimates: Estimates, frameworks: set[str]) -> float:
    """Return what a worker and the guests that it keeps may need, in MB.

    Args:
        estimates: What the frameworks' processes were measured to hold.
        frameworks: Which ones there are items of.
    """
    from omnibench.runners.pool import MOST_GUESTS

    largest = sorted((estimates.megabytes([name]) for name in frameworks), reverse=True)
    return _WORKER_MEGABYTES + sum(largest[:MOST_GUESTS])


def _has_bench_files(config: pytest.Config) -> bool:
    """Whether the run may collect a benchmark; without one the controller leaves everything to xdist."""
    return any(_leads_to_bench(place, config) for one in config.args for place in _places(one.split("::")[0], config))


def _places(argument: str, config: pytest.Config) -> list[Path]:
    """Return the file or directory that an argument means; with ``--pyargs`` it may be a module's name."""
    path = config.invocation_params.dir / argument
    if path.exists() or not config.option.pyargs:
        return [path]
    package, *rest = argument.split(".")
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):  # pytest says so
        return []
    if spec is None or spec.submodule_search_locations is None:
        return [Path(spec.origin)] if spec is not None and spec.origin else []
    found = [Path(place, *rest) for place in spec.submodule_search_locations]
    return [place if place.is_dir() else place.with_suffix(".py") for place in found]


def _leads_to_bench(path: Path, config: pytest.Config) -> bool:
    if path.is_file():
        return _may_be_bench(path)
    skipped = [*config.getini("norecursedirs"), "__pycache__"]
    collected = [BENCH_FILES, *config.getini("python_files")]
    for place, directories, files in os.walk(path):
        named = (name for name in files if any(fnmatch(name, pattern) for pattern in collected))
        if any(_may_be_bench(Path(place, name)) for name in named):
            return True
        directories[:] = [name for name in directories if not any(fnmatch(name, pattern) for pattern in skipped)]
    return False


def _may_be_bench(path: Path) -> bool:
    """Whether a file is a bench file, or a test file that mentions omnibench (reading costs less than importing)."""
    try:
        return fnmatch(path.name, BENCH_FILES) or b"omnibench" in path.read_bytes()
    except OSError:
        return False
