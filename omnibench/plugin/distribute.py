"""The controller of a distributed run: collects once, reports what is done, and starts workers for the rest.

xdist's controller does not collect. For benchmarks it has to: the look at the records must happen once (a
worker that joins later would see a moving store), and where nothing is pending no worker is worth its start.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from omnibench.plugin.sent_paths import sendable_path
from omnibench.plugin.state import BENCH_FILES, automatic_key, existing_session, only_running
from omnibench.plugin.unfinished import Unfinished, ended_sentence, stop_soon
from omnibench.plugin.wire import RunMessage, digest
from omnibench.plugin.worker_ends import living, tear_down

if TYPE_CHECKING:  # a distributed run without benchmarks does not pay for it
    from omnibench.engine.estimates import Estimates


class Distribution:
    """The controller's plugin: collects, reports items that are done, and starts xdist's workers for the rest only."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._done: list[pytest.Item] = []
        self._message: RunMessage | None = None
        self._collected = 0
        self._remaining: int | None = None  # None: leave everything to xdist
        self._nodes: list[Any] = []
        self._ready_nodes: list[Any] = []
        self._finished_nodes: list[Any] = []
        self._while_running = ExitStack()
        self._live = ExitStack()
        self._estimates: Estimates | None = None
        self._usual_memory: Mapping[str, int] = {}
        self._unfinished = Unfinished((), ())

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Collect and look at the records: after pytest is ready for it, before xdist starts workers."""
        config = self.config
        if not _has_bench_files(config):
            return
        from omnibench.plugin import garbage, surroundings

        try:
            session.perform_collect()
        finally:
            garbage.resume()
            surroundings.refuse(config)
        self._collected = session.testscollected
        if session.testsfailed and not config.option.continue_on_collection_errors:
            self._remaining = 0
        else:
            self._start_run(session)
            self._expect_reports(session)
        if self._remaining == 0:  # xdist's display of workers cannot show none
            config.pluginmanager.unregister(name="terminaldistreporter")
        elif self._remaining is not None and all(spec == "popen" for spec in config.option.tx):
            config.option.tx = config.option.tx[: self._allowed_workers()]

    def _allowed_workers(self) -> int:
        """Return how many workers to start, which the limits of processes allow."""
        workers, benchmarks = self._most_workers(), existing_session(self.config)
        if benchmarks is None:
            return workers
        from omnibench.plugin import surroundings

        automatic = self.config.stash.get(automatic_key, False)
        return surroundings.allowed_workers(workers, automatic=automatic, notify=benchmarks.notify)

    def _most_workers(self) -> int:
        """Return how many workers to start: at most one per item or trial, and with ``-n auto`` no more than fit into memory."""
        assert self._remaining is not None, "it was counted"
        benchmarks, estimates = existing_session(self.config), self._estimates
        most = self._remaining
        if benchmarks is not None and benchmarks.pending:
            from omnibench.engine.parallel import most_workers

            most += most_workers(item.experiment for item in benchmarks.pending) - len(benchmarks.pending)
        requested = min(len(self.config.option.tx), most)
        if not self.config.stash.get(automatic_key, False) or benchmarks is None or estimates is None:
            return requested
        from omnibench.engine.parallel import fitting_workers, megabytes_per_worker, usable_memory

        available = usable_memory(benchmarks.policy.memory_limit)
        if available is None:
            return requested
        pending = [item.experiment for item in benchmarks.pending]
        frameworks, usual = {experiment.configuration.runner.name for experiment in pending}, self._usual_memory
        fitting = fitting_workers(available, estimates, frameworks, usual)
        if fitting < requested:
            megabytes = megabytes_per_worker(estimates, frameworks, usual)
            benchmarks.notify(
                f"{fitting} worker{'s' if fitting > 1 else ''} instead of {requested}: each may need {megabytes:.0f} MB of the "
                f"{available / 2**20:.0f} MB that are free (-n {requested} starts them all the same)"
            )
        return min(requested, fitting)

    def _start_run(self, session: pytest.Session) -> None:
        benchmarks = existing_session(self.config)
        if benchmarks is None:
            return
        from omnibench.plugin.begin import start_run
        from omnibench.plugin.items import ExperimentItem

        start_run(benchmarks, session.items)
        self._done = [item for item in session.items if isinstance(item, ExperimentItem) and item.is_done]
        self._remaining = len(session.items) - len(self._done)
        if self._remaining:
            from omnibench.plugin.live import estimates_of, usual_memory

            done = frozenset(digest(item.nodeid) for item in self._done)
            self._message = RunMessage(benchmarks.run_id, str(benchmarks.directory), done)
            self._estimates = estimates_of(benchmarks)
            if self.config.stash.get(automatic_key, False):
                self._usual_memory = usual_memory(benchmarks)
        benchmarks.build_environments()

    def _expect_reports(self, session: pytest.Session) -> None:
        """Have the run fail when workers leave out items, although pytest has seen them collected."""
        done = {item.nodeid for item in self._done}
        left = [item.nodeid for item in session.items if item.nodeid not in done]
        benchmarks = existing_session(self.config)
        of_benchmarks = {item.nodeid for item in benchmarks.items} if benchmarks is not None else set()
        self._unfinished = Unfinished(
            (nodeid for nodeid in left if nodeid in of_benchmarks),
            (nodeid for nodeid in left if nodeid not in of_benchmarks),
        )
        if left:
            self.config.pluginmanager.register(self._unfinished, "omnibench-unfinished")

    @pytest.hookimpl(tryfirst=True)
    def pytest_xdist_setupnodes(self, specs: list[Any]) -> None:
        """Start no worker when there is nothing to compute."""
        if self._remaining == 0:
            specs.clear()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Send the run and its finished items to a worker, also to one that replaces another."""
        self._nodes.append(node)
        node.workerinput["mainargv"] = [sendable_path(word) for word in node.workerinput.get("mainargv", ())]
        if self._message is not None:
            self._message.send(node.workerinput)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Note that a worker has run its last item; its process lives until all have."""
        self._finished_nodes.append(node)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        """Refuse benchmarks of which this process knows nothing, before they are computed and never shown."""
        self._ready_nodes.append(node)
        self._unfinished.collected(ids)
        benchmarks = existing_session(self.config)
        if self._remaining is not None and benchmarks is not None:
            from omnibench.plugin.unsteady import refuse_strange_items

            refuse_strange_items(benchmarks, node.gateway.id, ids)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Report the items that are done. If others are left, handle signals while workers run; else end the run."""
        if session.testsfailed and self._remaining == 0:
            errors = session.testsfailed
            raise session.Interrupted(f"{errors} error{'' if errors == 1 else 's'} during collection")
        if self._done:
            self._report_done(session)
        if self._remaining == 0:
            return True
        benchmarks = existing_session(self.config)
        if benchmarks is not None:
            from omnibench.plugin.live import live_display

            assert self._estimates is not None, "they were read when this run began"
            stopping = benchmarks.stopping
            stopping.on_first_signal, stopping.on_second_signal = self._ask_workers_to_stop, self._end_workers
            self._while_running.enter_context(stopping)
            self._while_running.enter_context(stopping.phases("every worker"))
            self._live.enter_context(live_display(benchmarks, self._estimates))
        return None

    def _report_done(self, session: pytest.Session) -> None:
        from omnibench.plugin.cached import report_together, run_all

        benchmarks = existing_session(self.config)
        assert benchmarks is not None, "it has looked at their records"
        single = report_together(benchmarks, self._done)
        self._collected -= len(self._done) - len(single)  # progress is counted in reports
        with only_running(session, single):
            run_all(single, session)
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if self._remaining and reporter is not None and reporter._tw.width_of_current_line:  # noqa: SLF001 - pytest has no way
            reporter._tw.line()  # noqa: SLF001 - or xdist writes on behind the letters

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Wait for the workers' ends, which a first signal does not cut short; then leave signals to others again."""
        self._live.close()
        benchmarks = existing_session(self.config)
        with self._while_running:
            nodes = getattr(self.config.pluginmanager.get_plugin("dsession"), "nodemanager", None)
            if nodes is not None and benchmarks is not None:
                if benchmarks.stopping.reason:
                    benchmarks.stopping.hurry()  # xdist has a limit of its own for what follows
                tear_down(nodes, self._nodes, benchmarks.notify)
        if benchmarks is not None and benchmarks.stopping.reason and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.INTERRUPTED

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Name the limit that an error in the midst of pytest comes from, e.g. of threads when xdist starts a worker."""
        benchmarks = existing_session(self.config)
        if benchmarks is not None:
            from omnibench.limits import limit_error

            limit = limit_error(excinfo.value)
            if limit is not None:
                benchmarks.notify(str(limit))

    def _ask_workers_to_stop(self) -> None:
        """Hand the signal on as it came: a worker says which it was, and hears a Ctrl-C from its terminal as well.

        A worker that has collected nothing yet would die of it, and another would start in its place.
        """
        benchmarks = existing_session(self.config)
        assert benchmarks is not None, "its signals are handled"
        self._signal_workers(self._ready_nodes, signal.Signals[benchmarks.stopping.reason])
        stop_soon(self.config, f"asked to stop by {benchmarks.stopping.reason}")

    def _end_workers(self) -> None:
        """Kill the workers that are left, and say what they were at.

        What guests have started is ended by their supervisors, and what own metrics have by the workers' guards, which get
        a moment to see it all while nobody starts anything any more.
        """
        from omnibench.guest.family_guard import LOOK_SECONDS

        benchmarks = existing_session(self.config)
        assert benchmarks is not None, "its signals are handled"
        if self._signal_workers(self._nodes, signal.SIGSTOP):
            time.sleep(1.5 * LOOK_SECONDS)
        ended = [node for node in self._signal_workers(self._nodes, signal.SIGKILL) if node not in self._finished_nodes]
        if ended:
            labels = {item.nodeid: item.experiment.label for item in benchmarks.items}
            begun = [labels.get(nodeid, nodeid) for nodeid in self._unfinished.begun]
            with suppress(RuntimeError):  # the signal came while this very thread was writing
                benchmarks.notify(ended_sentence([node.gateway.id for node in ended], begun))

    def _signal_workers(self, nodes: Iterable[Any], number: int) -> list[Any]:
        """Send a signal to those workers that live; return them."""
        processes = living(nodes)
        for process in processes.values():
            os.kill(process.pid, number)
        return list(processes)

    @pytest.hookimpl(tryfirst=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Give workers the longest items first, unless the user has chosen how to distribute."""
        benchmarks = existing_session(config)
        estimates = self._estimates
        if benchmarks is None or estimates is None or config.getvalue("dist") != "load":
            return None
        from omnibench.engine.equal_seeds import urgency
        from omnibench.engine.fit_needs import machine_capacity
        from omnibench.plugin.guest_starts import NO_START, start_of
        from omnibench.plugin.live import needs_of_pending
        from omnibench.plugin.schedule import QUICK_SECONDS, LongestFirst

        pending = [(item.nodeid, item.experiment) for item in benchmarks.pending]
        expected = {nodeid: urgency(experiment, estimates.expected(experiment)) for nodeid, experiment in pending}
        needs = needs_of_pending(benchmarks, len(config.getvalue("tx")))
        arguments: dict[str, Any] = (
            {} if needs is None else {"needs": needs, "capacity": machine_capacity(benchmarks.policy)}
        )
        starts = {nodeid: start_of(experiment, estimates) for nodeid, experiment in pending}
        alike = [
            (nodeid, experiment)
            for nodeid, experiment in pending
            if expected[nodeid] <= QUICK_SECONDS or not estimates.knows(experiment)
        ]
        kinds = {nodeid: (experiment.algorithm_name, experiment.dataset.key) for nodeid, experiment in alike}
        families = {nodeid: (experiment.configuration.name, experiment.dataset.key) for nodeid, experiment in alike}
        return LongestFirst(
            config,
            log,
            lambda nodeid: expected.get(nodeid, 0.0),
            start=lambda nodeid: starts.get(nodeid, NO_START),
            likeness=kinds.get,
            family=families.get,
            **arguments,
        )

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        """Record that a worker died of an item, which it could not record itself."""
        benchmarks = existing_session(self.config)
        if benchmarks is not None and not benchmarks.stopping.reason:
            prospect = benchmarks.note_death(crashitem, str(report.longrepr))
            if prospect:
                report.longrepr = f"{report.longrepr}\n{prospect}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self) -> None:
        """Count also the items that no worker collects, or the progress would run beyond 100 %."""
        session = self.config.pluginmanager.get_plugin("session")
        if isinstance(session, pytest.Session) and session.testscollected < self._collected:
            session.testscollected = self._collected


def _has_bench_files(config: pytest.Config) -> bool:
    """Whether the run may collect a benchmark; without one the controller leaves everything to xdist."""
    paths = (path for argument in config.args for path in _paths_of(argument.split("::")[0], config))
    return any(_leads_to_bench(path, config) for path in paths)


def _paths_of(argument: str, config: pytest.Config) -> list[Path]:
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
    paths = [Path(location, *rest) for location in spec.submodule_search_locations]
    return [path if path.is_dir() else path.with_suffix(".py") for path in paths]


def _leads_to_bench(path: Path, config: pytest.Config) -> bool:
    if path.is_file():
        return _may_be_bench(path)
    skipped = [*config.getini("norecursedirs"), "__pycache__"]
    collected = [BENCH_FILES, *config.getini("python_files")]
    for directory, directories, files in os.walk(path):
        names = (name for name in files if any(fnmatch(name, pattern) for pattern in collected))
        if any(_may_be_bench(Path(directory, name)) for name in names):
            return True
        directories[:] = [name for name in directories if not any(fnmatch(name, pattern) for pattern in skipped)]
    return False


def _may_be_bench(path: Path) -> bool:
    """Whether a file is a bench file, or a test file that mentions omnibench (reading costs less than importing)."""
    try:
        return fnmatch(path.name, BENCH_FILES) or b"omnibench" in path.read_bytes()
    except OSError:
        return False
