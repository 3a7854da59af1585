"""What guests print, as whole lines: through pipes, so that the last words of one that crashed are not lost."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from pathlib import Path

from omnibench.guest import forks
from omnibench.masking import safe_cut

_CHUNK = 65536
"""Bytes that are read at once: as many as a pipe holds."""


class LogPipe:
    """A named pipe that a guest prints to, and the thread that reads it until its writer has ended.

    Args:
        path: Where the pipe is made.
        ended: Whether its writer has ended.
        handle: Called with chunks of whole lines, in the thread or in ``catch_up``, never in both at once.
    """

    def __init__(self, path: Path, ended: Callable[[], bool], handle: Callable[[bytes], None]) -> None:
        os.mkfifo(path, 0o600)
        # Reading without a writer would block the opening, and end at once; holding a writer ourselves would never end.
        self._pipe = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0)
        forks.withhold_file(self._pipe)
        self._ended, self._handle = ended, handle
        self._pending = b""
        self._reading = threading.Lock()
        self._thread = threading.Thread(target=self._read, daemon=True, name=f"{path.stem}-log")
        self._thread.start()

    def catch_up(self) -> None:
        """Handle the whole lines that were printed before; the thread need not have come to them."""
        with self._reading:
            if not self._pipe.closed:
                self._read_chunk()

    def join(self, timeout: float) -> None:
        """Wait until all was read, or for some seconds."""
        self._thread.join(timeout)

    def _read(self) -> None:
        while True:
            has_ended = self._ended()  # asked first: what it has written until then is read below
            readable, _, _ = select.select([self._pipe], [], [], 0.2)
            with self._reading:
                chunk = self._read_chunk() if readable else None
            if has_ended and not chunk:
                break
            if chunk == b"":  # nobody has opened the other end yet, or the guest has closed it and goes on computing
                threading.Event().wait(0.05)
        with self._reading:
            if self._pending:
                self._handle(self._pending + b"\n")
            self._pipe.close()

    def _read_chunk(self) -> bytes | None:
        """Read what the pipe holds, and return it: None for nothing yet, empty where nobody has it open for writing."""
        chunk: bytes | None = self._pipe.read(_CHUNK)
        if not chunk:
            return chunk
        complete, newline, self._pending = (self._pending + chunk).rpartition(b"\n")
        if newline:
            self._handle(complete + newline)
        if len(self._pending) > _CHUNK:
            cut = safe_cut(self._pending)
            self._handle(self._pending[:cut] + b"\n")
            self._pending = self._pending[cut:]
        return chunk
