"""A session as the submitting process has it, where its worker is lost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from omnibench.cluster.locations import WorkerLocation
from omnibench.cluster.remote_session import RemoteSession
from omnibench.errors import LostGuestError


class _LostWorker:
    """A cluster whose scheduler has given a session up with its worker, which is asked nothing: Dask would wait for its answer."""

    has_own_workers = True
    has_waiting = False

    def begin(self, *_: object) -> tuple[str, Any, WorkerLocation]:
        return "token", SimpleNamespace(status="error"), WorkerLocation("tls://192.0.2.7:1", "lab7", True, "worker")

    def exchange(self, *_: object) -> None:
        raise AssertionError("the worker is asked")


def test_a_worker_that_is_gone_is_not_asked() -> None:
    """Whoever waits for a message hears that it is gone as soon as the scheduler has noticed."""
    cluster: Any = _LostWorker()
    session = RemoteSession(cluster, {}, lambda _: False, lambda: None)
    with pytest.raises(LostGuestError, match=r"lab7 \(tls://192\.0\.2\.7:1\) is gone"):
        session.receive(lambda: None)
