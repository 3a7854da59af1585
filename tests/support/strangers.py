"""What listeners of a cluster say to somebody who has not the key of the run."""

from __future__ import annotations

import pickle
import socket
import ssl
from pathlib import Path
from typing import Any

import distributed
import pytest

from omnibench.cluster.credentials import temporary_security
from support.listening import Listener, answer_to

STRANGER = temporary_security()
"""Another run's key. Made here, for what that imports within a test pytester would take away, and its compiled part knows no other."""


class Touching:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def speaks_http(listener: Listener) -> bool:
    """Whether it is Dask's HTTP server."""
    return answer_to(listener, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").endswith(b"ok")


def assert_answers_no_stranger(listener: Listener, trap: Path) -> None:
    """Assert that it speaks to nobody without a certificate of its own CA, and unpickles nothing of theirs."""
    address = f"{listener.host}:{listener.port}"
    assert answer_to(listener, pickle.dumps(Touching(trap))) == b""
    with pytest.raises(OSError, match=r"."):
        distributed.Client(f"tcp://{address}", timeout=3)  # type: ignore[no-untyped-call]
    nobody = ssl.create_default_context()
    nobody.check_hostname, nobody.verify_mode = False, ssl.CERT_NONE
    with pytest.raises(OSError, match=r"(?i)certificate required|reset|closed|EOF|pipe"):
        _read_with(nobody, listener)
    with pytest.raises(OSError, match=r"."):
        distributed.Client(f"tls://{address}", timeout=3, security=STRANGER)  # type: ignore[no-untyped-call]


def _read_with(context: ssl.SSLContext, listener: Listener) -> None:
    with (
        socket.create_connection((listener.host, listener.port), timeout=5) as connection,
        context.wrap_socket(connection) as encrypted,
    ):
        if not encrypted.recv(1):  # where the alert is lost, there is an end
            raise ConnectionResetError("closed")
