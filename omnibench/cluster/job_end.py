"""The end of a worker in a job: a module that ``dask worker --preload`` imports.

A worker that is asked to end, or has lost its scheduler, may wait for ever for what it has cancelled itself. Nothing that it could
still do is wanted, and a job that only waits costs its owner; so it gets some seconds.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

_LOOK_SECONDS = 0.5
_ENDING_SECONDS = 10.0


def dask_setup(_: Any) -> None:
    """Look after the end of this process; Dask calls it when the worker begins."""
    threading.Thread(target=_end_in_time, daemon=True, name="omnibench-job-end").start()


def _end_in_time() -> None:
    # Dask's command catches SIGTERM as long as its worker is to live, however that ends.
    while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        time.sleep(_LOOK_SECONDS)
    while signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        time.sleep(_LOOK_SECONDS)
    time.sleep(_ENDING_SECONDS)
    os._exit(0)
