"""The workers that a run starts on this machine, where the system does not let one be started."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omnibench.cluster.credentials import temporary_security
from omnibench.cluster.local_workers import LocalWorkers


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[subprocess.Popen[bytes]]:
    """The processes that are started, of which the second is refused."""
    started: list[subprocess.Popen[bytes]] = []
    start: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen

    def start_once(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        if started:
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        started.append(start(*arguments, **options))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", start_once)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return started


def test_workers_that_cannot_be_started(processes: list[subprocess.Popen[bytes]], tmp_path: Path) -> None:
    """Whoever wants them hears why, and those that were started end, with what was theirs."""
    with pytest.raises(BlockingIOError), LocalWorkers("tls://127.0.0.1:1", temporary_security(), 2):
        pass
    assert [process.returncode is None for process in processes] == [False]
    assert not list(tmp_path.iterdir())
