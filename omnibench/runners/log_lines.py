"""What guests print, as whole lines: through pipes, so that the last words of one that crashed are not lost."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable, Iterator
from typing import Any

from omnibench.masking import safe_cut

_CHUNK = 65536


def whole_lines(pipe: Any, ended: Callable[[], bool]) -> Iterator[bytes]:
    """Yield a pipe's content in chunks of whole lines, until its writer has ended.

    Args:
        pipe: The pipe, opened without blocking.
        ended: Whether its writer has ended.
    """
    pending = b""
    written = False
    while True:
        readable, _, _ = select.select([pipe], [], [], 0.2)
        chunk = pipe.read(_CHUNK) if readable else None
        if chunk:
            written = True
            complete, newline, pending = (pending + chunk).rpartition(b"\n")
            if newline:
                yield complete + newline
            if len(pending) > _CHUNK:
                cut = safe_cut(pending)
                yield pending[:cut] + b"\n"
                pending = pending[cut:]
        elif chunk == b"" and (written or ended()):
            if ended():
                break
            threading.Event().wait(0.05)  # the guest may have closed its stream and go on computing
        elif chunk == b"":
            threading.Event().wait(0.02)  # nobody has opened the other end yet
        elif ended():
            break
    if pending:
        yield pending + b"\n"
