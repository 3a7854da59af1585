"""A session as the submitting process has it, where its task has ended before its time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from distributed import KilledWorker

from omnibench.cluster.locations import WorkerLocation
from omnibench.cluster.remote_session import RemoteSession
from omnibench.cluster.waits import Wait
from omnibench.errors import LostGuestError

WORKER: Any = SimpleNamespace(address="tls://192.0.2.7:1")


class _EndedTask:
    """A cluster where the task of a session has failed, whose worker is asked nothing: Dask would wait for its answer."""

    has_own_workers = True
    has_waiting = False

    def __init__(self, reason: Exception) -> None:
        self._future = SimpleNamespace(status="error", exception=lambda: reason)

    def begin(self, *_: object) -> tuple[str, Any, WorkerLocation]:
        return "token", self._future, WorkerLocation("tls://192.0.2.7:1", "lab7", True, "worker")

    def exchange(self, *_: object) -> None:
        raise AssertionError("the worker is asked")


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (KilledWorker("serve", WORKER, 0), "is gone"),
        (OSError(28, "No space left"), "has dropped the item: OSError: [Errno 28] No space left"),
    ],
)
def test_a_task_that_has_failed_is_not_asked(reason: Exception, words: str) -> None:
    """Whoever waits for a message hears as soon as the scheduler knows whether the worker is lost, or what the task has raised."""
    cluster: Any = _EndedTask(reason)
    session = RemoteSession(cluster, {}, lambda _: False, Wait())
    with pytest.raises(LostGuestError) as lost:
        session.receive(lambda: None)
    assert str(lost.value) == f"lab7 (tls://192.0.2.7:1) {words}"
