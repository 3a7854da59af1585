"""No thread to be had: a limit of the machine is told as one, with its name and value, and is no item's failure."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from omnibench.errors import StoreError
from omnibench.limits import LimitReachedError
from omnibench.runners.shortage import is_shortage, shortage_told

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a thread's stack counts as address space")

SCRIPT = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from omnibench.limits import LimitReachedError
from omnibench.runners.environments import Environments
from omnibench.runners.pool import GuestPool
from omnibench.runners.registry import get_runner

pool = GuestPool(Environments.parse("current"), Path(sys.argv[1]), 1, lambda *_: None, print)
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
hard = resource.getrlimit(resource.RLIMIT_AS)[1]
resource.setrlimit(resource.RLIMIT_AS, (size + 2**20, hard))
try:
    pool.get(get_runner("Own"))
except LimitReachedError as error:
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    print(error)
"""


@pytest.mark.guests
def test_a_guest_that_gets_no_thread_names_the_limit(tmp_path: object) -> None:
    """Nothing is said of a Fit that failed; the run that follows the advice goes on."""
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert process.stdout.startswith("the start of Own needs a thread, a process or memory"), process.stderr
    assert "of address space (RLIMIT_AS)" in process.stdout
    assert "no item counts as failed" in process.stdout


def test_other_errors_are_what_they_are() -> None:
    """Only a shortage is told as one; it ends the run as trouble of the store does."""
    assert issubclass(LimitReachedError, StoreError)
    assert is_shortage("RuntimeError: can't start new thread")
    assert not is_shortage(OSError(errno.ENOENT, "no such file"))
    with pytest.raises(RuntimeError, match="another"), shortage_told("this"):
        raise RuntimeError("another")
    with (
        pytest.raises(LimitReachedError, match=r"this needs .*Resource temporarily unavailable"),
        shortage_told("this"),
    ):
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
