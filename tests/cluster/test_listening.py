"""What listens where while a run is in progress, and who may speak to it; docs/cluster.md has the table."""

from __future__ import annotations

import pickle
import ssl
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import distributed
import pytest
from support.clusters import marks, running_pytest, wait_for
from support.listening import Listener, answer_to, descendants, listeners
from support.projects import Project

from omnibench.cluster.credentials import temporary_security

pytestmark = pytest.mark.slow

WORKERS = 2


class Touching:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def speaks_http(listener: Listener) -> bool:
    return answer_to(listener.port, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").endswith(b"ok")


def test_what_a_local_cluster_listens_on(project: Project, tmp_path: Path) -> None:
    """Two ports of the scheduler and of each worker, on the loopback alone; no dashboard; nothing to say without the key of the run."""
    gate = project.pytester.path / "gate"
    project.bench(f"plan.add_algorithm(Gated, {{'gate': {str(gate)!r}}})")
    with running_pytest(project.pytester.path, f"--omnirec-cluster=local:{WORKERS}") as run:
        wait_for(lambda: len(marks(project.fits, "begin-")) == WORKERS)
        listening = listeners(descendants(run.pid))
        assert {listener.host for listener in listening} == {"127.0.0.1"}
        assert sorted(Counter(listener.pid for listener in listening).values()) == [2] * (1 + WORKERS)
        assert sum(listener.pid == run.pid for listener in listening) == 2
        http = {listener for listener in listening if speaks_http(listener)}
        assert Counter(listener.pid for listener in http) == dict.fromkeys({each.pid for each in listening}, 1)
        for listener, page in product(http, ("/status", "/info/main/workers.html", "/json/counts.json", "/metrics")):
            assert answer_to(listener.port, f"GET {page} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()).startswith(
                b"HTTP/1.1 404"
            )
        for listener in listening - http:
            assert_answers_no_stranger(listener.port, tmp_path / "unpickled")
        gate.touch()
        output, _ = run.communicate(timeout=300)
    assert "2 passed" in output
    assert not (tmp_path / "unpickled").exists()
    assert not listeners({run.pid})


def assert_answers_no_stranger(port: int, trap: Path) -> None:
    """Assert that a port speaks to nobody without a certificate of its own CA, and unpickles nothing of theirs."""
    assert answer_to(port, pickle.dumps(Touching(trap))) == b""
    with pytest.raises(OSError, match=r"."):
        distributed.Client(f"tcp://127.0.0.1:{port}", timeout=3)  # type: ignore[no-untyped-call]
    nobody = ssl.create_default_context()
    nobody.check_hostname, nobody.verify_mode = False, ssl.CERT_NONE
    with pytest.raises(OSError, match=r"(?i)certificate required|reset|closed|EOF|pipe"):
        _read_with(nobody, port)
    with pytest.raises(OSError, match=r"."):
        distributed.Client(f"tls://127.0.0.1:{port}", timeout=3, security=temporary_security())  # type: ignore[no-untyped-call]


def _read_with(context: ssl.SSLContext, port: int) -> None:
    import socket

    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as connection,
        context.wrap_socket(connection) as encrypted,
    ):
        if not encrypted.recv(1):  # where the alert is lost, there is an end
            raise ConnectionResetError("closed")
