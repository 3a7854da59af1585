"""Processes by more than their number: who is dead for certain, and who may live."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from omnibench.store.processes import described, is_dead, this_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells when a process was started")

DESCRIBED = """
import json, sys
from omnibench.store.processes import this_process
print(json.dumps(this_process()), flush=True)
sys.stdin.read()
"""


def test_a_process_lives_until_it_ends() -> None:
    """Also while it is stopped; and one that has ended, but that nobody has asked for, is dead."""
    command = [sys.executable, "-c", DESCRIBED]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        import json

        assert process.stdout is not None
        holder = json.loads(process.stdout.readline())
        assert holder["pid"] == process.pid
        assert not is_dead(holder)
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        assert not is_dead(holder)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie
        assert is_dead(holder)
        process.wait()
        assert is_dead(holder)


def test_a_number_that_was_given_again_is_another_process() -> None:
    """The moment of the start tells the two apart."""
    assert not is_dead(this_process())
    assert is_dead({**this_process(), "start": "1"})


@pytest.mark.parametrize(
    "changes",
    [
        {"namespaces": "pid:[1] time:[1]"},
        {"boot": "another"},
        {"start": None},
        {"boot": None},
        {"pid": 2**40, "namespaces": None},
        {"pid": "1"},
        {"pid": -1},
        {"pid": True},
    ],
)
def test_who_cannot_be_looked_at_may_live(changes: dict[str, Any]) -> None:
    """In another container, on another machine, written by an older omnibench, or no process at all."""
    dead = {**this_process(), "pid": 2**22 + 1}
    assert is_dead(dead)
    assert not is_dead({**dead, **changes})


@pytest.mark.parametrize("holder", [None, [], "", 1, {}, {"pid": 1}, {"pid": 10**30, "start": "1"}])
def test_nobody_is_not_dead(holder: Any) -> None:
    """A lock file may hold anything."""
    assert not is_dead(holder)
    assert described(holder) == "another process"


def test_a_process_in_words() -> None:
    """Number and machine are what people look for."""
    assert described(this_process()) == f"process {os.getpid()} on {os.uname().nodename}"
