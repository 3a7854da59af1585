"""Python's garbage collector, stopped while much is read: it would look at a hundred thousand records again and again."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector() -> Iterator[None]:
    """Stop the collector inside of a ``with`` block of the main thread, and start it again if it ran before.

    In other threads nothing is stopped: what the user's code in the main thread says of the collector meanwhile is to stay.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
