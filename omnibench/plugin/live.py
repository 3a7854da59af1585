"""What a run is doing now: a block below pytest's output on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

import pytest

from omnibench.engine import live
from omnibench.engine.estimates import Estimates
from omnibench.engine.live import estimates_in
from omnibench.engine.run import SKIPPED
from omnibench.plugin.items import ExperimentItem
from omnibench.plugin.lines import prints_are_shown
from omnibench.plugin.session import BenchSession
from omnibench.plugin.wire import ItemMessage
from omnibench.runners.machine import available_cores
from omnibench.store.schema import Status

if TYPE_CHECKING:  # rich, which is imported when something is displayed
    from omnibench.engine.requirements import Requirements
    from omnibench.plugin.screen import Screen
    from omnibench.store.admission import Needs
    from omnibench.store.reader import Reader


_NAME = "omnibench-live"


class Tally(live.Tally):
    """How many items there are, how they ended, and how long the others will take, by pytest's reports.

    Args:
        items: The benchmark items that this run is to bring to their end.
        cached: How many were done before.
        estimates: How long items are expected to take, by earlier ones.
    """

    def __init__(self, items: list[ExperimentItem], cached: int, estimates: Estimates) -> None:
        super().__init__({item.nodeid: item.experiment for item in items}, cached, estimates)

    def count_report(self, report: Any) -> None:
        """Count the item that a report ends; other reports change nothing."""
        if not (report.passed or report.failed or report.skipped):
            return  # e.g. the outcome "rerun" of pytest-rerunfailures: another attempt follows
        if report.when not in ("call", "???") and report.passed:
            return
        message = ItemMessage.carried(report)
        status = message.status if message is not None and report.passed else None
        ended = status or (SKIPPED if report.skipped else Status.FAILED.value)
        self.count(report.nodeid, ended, message.seconds if message is not None else {})


class Live(live.LiveView):
    """Shows a run while it goes on; register it as a plugin, and use it as a context manager around the run.

    Args:
        session: The benchmarks of the overseeing process.
        tally: The items.
    """

    def __init__(self, session: BenchSession, tally: Tally) -> None:
        super().__init__(session.directory, session.run_id, tally)
        self._session = session
        self._items: Tally = tally
        self._reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
        self._screen: Screen | None = None
        self._hidden = self._is_quiet = getattr(session.config.option, "verbose", 0) < 0

    def __enter__(self) -> Self:
        from omnibench.plugin.screen import Screen

        with contextlib.suppress(OSError, AttributeError, ValueError):  # e.g. a file that is none
            self._screen = Screen(self._reporter._tw)  # noqa: SLF001 - the terminal is nowhere else
        if self._screen is not None:
            self._session.say = self._screen.say
            self._start_watching()
        return self

    def __exit__(self, *_: object) -> None:
        if self._screen is not None:
            self._end_watching()
            self._session.say = None
            self._screen.close()

    @property
    def _on_terminal(self) -> bool:
        """Whether to draw a block: on a terminal that somebody watches, and that items do not print to."""
        return bool(
            self._reporter.isatty
            and os.environ.get("TERM") != "dumb"
            and not os.environ.get("CI")
            and (_is_distributed(self._session) or not prints_are_shown(self._session.config))
        )

    @property
    def _processes(self) -> int:
        """How many processes compute items: xdist's workers, of which one entry may stand for several."""
        specifications = getattr(self._session.config.option, "tx", None) or ()
        numbers = [specification.partition("*")[0] for specification in specifications]
        return sum(int(number) if number.isdigit() else 1 for number in numbers) or 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Count the item that a report ends."""
        self._items.count_report(report)

    def pytest_enter_pdb(self) -> None:
        """Leave the terminal to the debugger."""
        self._hidden = True
        if self._screen is not None:
            self._screen.show([])

    def pytest_leave_pdb(self) -> None:
        """Show the run again after the debugger has ended."""
        self._hidden = self._is_quiet


def _is_distributed(session: BenchSession) -> bool:
    return bool(getattr(session.config.option, "dist", "no") != "no")


@contextlib.contextmanager
def live_display(session: BenchSession, estimates: Estimates) -> Iterator[None]:
    """Show a run while it goes on, unless nothing is pending or the user wants it quiet: then only what workers notify of."""
    manager = session.config.pluginmanager
    reporter = manager.get_plugin("terminalreporter")
    pending, verbosity = session.pending, session.config.getoption("verbose", 0)
    is_silent = verbosity < -1 or (verbosity < 0 and not _is_distributed(session))
    is_hidden = reporter is None or manager.is_blocked(_NAME)
    if not pending or session.looks_only or is_hidden or is_silent:
        yield
        return
    display = Live(session, Tally(pending, len(session.items) - len(pending), estimates))
    manager.register(display, _NAME)
    try:
        with display:
            yield
    finally:
        manager.unregister(display)


def estimates_of(session: BenchSession) -> Estimates:
    """Return how long items are expected to take, by the records of earlier ones."""
    return estimates_in(session.directory, untouched=session.looks_only)


def usual_memory(session: BenchSession) -> Mapping[str, int]:
    """Return the bytes that the pending Fits of each framework usually need; see ``Requirements.usual``."""
    return _requirements(session).usual(item.experiment for item in session.pending)


def needs_of_pending(session: BenchSession, workers: int) -> Callable[[str], Needs] | None:
    """Return what says of a node id what its Fit needs; None where no pending item asks for anything.

    Args:
        session: The benchmarks.
        workers: How many workers share the machine.
    """
    from omnibench.engine.fit_needs import needs_of_all
    from omnibench.store.admission import Needs

    experiments = [item.experiment for item in session.pending]
    needs = needs_of_all(experiments, _requirements(session), session.policy, available_cores() / max(1, workers))
    if needs is None:
        return None
    by_node = dict(zip((item.nodeid for item in session.pending), needs, strict=True))
    return lambda nodeid: by_node.get(nodeid, Needs())


def _requirements(session: BenchSession) -> Requirements:
    from omnibench.engine.requirements import Requirements  # most runs do not ask
    from omnibench.store.reading import read

    def look(take: Callable[[Reader], Any]) -> Any:
        return read(session.directory / "store", take, untouched=session.looks_only)

    return Requirements(look)
