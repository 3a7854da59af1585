"""Other processes with an open transaction on a store's records: a notebook's reader, a writer, a stopped one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
connection.execute({"read": "BEGIN", "write": "BEGIN IMMEDIATE"}[sys.argv[2]])
connection.execute("SELECT count(*) FROM Cache").fetchall()
print("holds", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def holding(root: Path, mode: str, *, stopped: bool = False) -> Iterator[subprocess.Popen[str]]:
    """Keep a transaction on a store's records open in a process of its own.

    Args:
        root: The checkpoint directory.
        mode: ``read`` or ``write``.
        stopped: Whether the process is stopped within its transaction, as by Ctrl-Z.
    """
    command = [sys.executable, "-c", _HOLD, str(root / "store" / "cache.db"), mode]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "holds\n"
        if stopped:
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        yield process
    finally:
        process.kill()
        process.communicate()
