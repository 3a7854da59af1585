"""A run on a cluster: items are computed side by side elsewhere, and pytest reports each when it has ended."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from omnibench.engine.elsewhere import compute_elsewhere
from omnibench.engine.items import Item
from omnibench.engine.workbench import Workbench
from omnibench.errors import ClusterError, OmnibenchError, StoreError
from omnibench.plugin.items import ExperimentItem
from omnibench.plugin.live import estimates_of
from omnibench.plugin.session import BenchSession
from omnibench.plugin.state import existing_session
from omnibench.store.waiting import LockedStoreError

_LOOK_SECONDS = 0.2
_PATIENCE_SECONDS = 20.0
"""How long items in progress may take to end when the run ends before them."""

_CONDITIONS = ("skip", "skipif", "xfail")
"""What may keep pytest from running an item, which then is not to be computed before."""


class ClusterLoop:
    """The plugin of a run on a cluster, which runs items in the place of pytest's own loop."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run the items, if anything is to be computed."""
        benchmarks = existing_session(session.config)
        if benchmarks is None or not benchmarks.pending or benchmarks.looks_only:
            return None
        try:
            _ = benchmarks.coordinator  # opened in this thread, which is the one that hears signals
        except (StoreError, OSError):
            return None  # without checkpoints nothing is computed anywhere, and each item says why
        _run_on_cluster(benchmarks, session)
        return True


def _run_on_cluster(benchmarks: BenchSession, session: pytest.Session) -> None:
    """Run the items of a session: those that a cluster computes in the order in which they end, after all others.

    Fixtures of a smaller scope than the session are set up anew for each of them, for the next one may be of any module.

    Args:
        benchmarks: The benchmarks of the session.
        session: The session, with the items that are left to run.
    """
    pending = {id(item) for item in benchmarks.pending}
    elsewhere = [
        item
        for item in session.items
        if isinstance(item, ExperimentItem)
        and id(item) in pending
        and not any(item.get_closest_marker(name) for name in _CONDITIONS)
    ]
    computed = {id(item) for item in elsewhere}
    here = [item for item in session.items if id(item) not in computed]
    computation = Computation(benchmarks, elsewhere)
    with benchmarks.stopping.phases("every item"), computation:
        for number, item in enumerate(here, start=1):
            _run(item, here[number] if number < len(here) else _Stranger(session), session)
        for number, item in enumerate(computation.ended(), start=1):
            _run(item, _Stranger(session) if number < len(elsewhere) else None, session)


def _run(item: pytest.Item, following: Any, session: pytest.Session) -> None:
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)


class _Stranger:
    """Stands for the next item while nobody knows which that is: it has nothing in common with others but the session."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session

    def listchain(self) -> list[pytest.Session]:
        return [self._session]


class Computation:
    """Computes items in threads beside pytest's. Use it as a context manager.

    Args:
        benchmarks: The benchmarks of the session.
        items: The items.
    """

    def __init__(self, benchmarks: BenchSession, items: Sequence[ExperimentItem]) -> None:
        self._benchmarks, self._items = benchmarks, items
        self._ended: queue.SimpleQueue[ExperimentItem] = queue.SimpleQueue()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._compute, daemon=True, name="omnibench-computation")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._benchmarks.stopping.ask("the end of the run")
            self._benchmarks.stopping.hurry()
            self._thread.join(_PATIENCE_SECONDS)

    def _compute(self) -> None:
        benchmarks = self._benchmarks
        items = [Item.of(item.experiment, item.evaluator) for item in self._items]

        def compute(position: int, workbench: Workbench) -> None:
            item = self._items[position]
            try:
                benchmarks.computed[id(item)] = benchmarks.coordinator.run_item(items[position], workbench)
            except LockedStoreError:
                raise
            except OmnibenchError as error:  # as of any item: the others go on
                if isinstance(error, ClusterError) and error.ends_run:
                    raise
                benchmarks.computed[id(item)] = error
            self._ended.put(item)

        try:
            compute_elsewhere(benchmarks.coordinator, items, estimates_of(benchmarks), compute)
        except BaseException as error:
            self._error = error

    def ended(self) -> Iterator[ExperimentItem]:
        """Yield each item when it has ended.

        Raises:
            StoppedError: The run was asked to stop.
        """
        left = len(self._items)
        while left:
            was_alive = self._thread.is_alive()
            try:
                yield self._ended.get(timeout=_LOOK_SECONDS)
                left -= 1
            except queue.Empty:
                if not was_alive:
                    break
        if self._error is not None:
            self._raise(self._error)

    def _raise(self, error: BaseException) -> None:
        if isinstance(error, LockedStoreError | ClusterError):
            self._benchmarks.give_up(error)
        raise error
