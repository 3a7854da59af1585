"""What of a distributed run has not ended: a run is never green while items are left that nobody ran.

xdist ends a run whose workers have died as if there had been nothing to do, and this process has collected, so that
pytest takes it for a run in which all is well.
"""

from __future__ import annotations

import _thread
from collections.abc import Generator, Iterable, Sequence
from typing import Any

import pytest

from omnibench.naming import first_few


class Unfinished:
    """Follows items by the reports of workers; register it as a plugin.

    Args:
        benchmarks: The node ids of the benchmark items that are to be computed.
        other_tests: Those of the other items, which count once a worker has collected them: a plugin may leave some out there.
    """

    def __init__(self, benchmarks: Iterable[str], other_tests: Iterable[str]) -> None:
        self._left = dict.fromkeys(benchmarks)
        self._other_tests = dict.fromkeys(other_tests)
        self._total = len(self._left) + len(self._other_tests)
        self._begun: dict[str, None] = {}
        self._has_collected = False

    @property
    def begun(self) -> list[str]:
        """The node ids of what some worker has begun and not ended."""
        return list(self._begun)

    def collected(self, nodeids: Sequence[str]) -> None:
        """Note what a worker has collected.

        Args:
            nodeids: The node ids of its items.
        """
        if not self._has_collected:
            self._has_collected = True
            of_worker = {self._known_as(nodeid) for nodeid in nodeids}
            absent = [nodeid for nodeid in self._other_tests if nodeid not in of_worker]
            for nodeid in absent:
                del self._other_tests[nodeid]
            self._total -= len(absent)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note that a worker begins an item."""
        self._begun[nodeid] = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Note that a worker has ended an item."""
        self._begun.pop(nodeid, None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Note that an item has ended; another outcome, such as "rerun", says that another attempt follows."""
        if (report.passed or report.failed or report.skipped) and (report.when in ("call", "???") or not report.passed):
            nodeid = self._known_as(report.nodeid)
            self._left.pop(nodeid, None)
            self._other_tests.pop(nodeid, None)
            if report.when == "???":  # its worker has died
                self._begun.pop(report.nodeid, None)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Fail a run that ends as if all were well while items are left.

        Raises:
            pytest.Session.Failed: There are such items.
        """
        ended = yield
        left = [*self._left, *self._other_tests]
        if left and not session.shouldstop and not session.shouldfail:
            session.shouldfail = (
                f"{len(left)} of {self._total} items not run, no worker has reported them: {first_few(left, 3)}; what workers "
                "printed when they died stands above, and the next run goes on with the rest"
            )
            raise session.Failed(session.shouldfail)
        return ended

    def _known_as(self, nodeid: str) -> str:
        """Return the node id that this process knows; with ``--dist=loadgroup`` xdist adds ``@group``."""
        if nodeid in self._left or nodeid in self._other_tests:
            return nodeid
        return nodeid.rpartition("@")[0] or nodeid


def ended_sentence(workers: Sequence[str], begun: Sequence[str]) -> str:
    """Return what is said of workers that were killed, because they had not ended.

    Args:
        workers: Their names.
        begun: The names of what they were at.
    """
    which = "worker" if len(workers) == 1 else "workers"
    were = "was" if len(workers) == 1 else "were"
    at = f" in the middle of {first_few(begun, 3)}" if begun else ""
    return (
        f"{which} {first_few(workers, 8)} had not ended and {were} killed{at}; what was recorded before is safe, and the "
        "next run goes on with it"
    )


def stop_soon(config: pytest.Config, reason: str) -> None:
    """Have xdist let its workers end; from a signal's handler, of which xdist hears nothing while no worker reports.

    Args:
        config: pytest's configuration.
        reason: Why, for pytest's last line.
    """
    session: Any = config.pluginmanager.get_plugin("dsession")

    def stop() -> None:
        session.shouldstop = session.shouldstop or reason

    session.worker_asked_to_stop = stop  # so it calls what an event of this name means, in its own thread
    # Not from this thread: it may be the one that holds the queue's lock.
    _thread.start_new_thread(session.queue.put, (("asked_to_stop", {}),))
