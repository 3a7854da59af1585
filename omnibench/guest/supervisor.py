"""The supervisor of a guest: it ends whatever the guest has started, when the guest or its worker has ended.

A guest's interpreter forks as soon as it has started, before anything is imported: the parent becomes the supervisor, the
child the guest, with a session of its own. The kernel (Linux) gives the supervisor everything that the guest's descendants
leave behind, in whatever sessions and groups they are, and tells it when its worker has died. Elsewhere there is
no such thing: a guest leads a process group, which its worker ends.

This module is also run as a text by the interpreters of frameworks: it imports nothing of ours.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

_SET_DEATH_SIGNAL, _SET_NAME, _SET_SUBREAPER = 1, 15, 36
"""The numbers of prctl's requests."""
PATIENCE = 5.0
"""Seconds for which the supervisor waits for processes that it has killed: one that waits for a disk cannot die."""
_STREAMS = (0, 1, 2)
_NAME = b"omnibench-guard"
"""The name that ``ps`` and ``top`` show; the kernel cuts it after 15 characters."""


def supervise(parent: int) -> None:
    """Fork, and return in the child, which is to become the guest; the parent watches it and never returns.

    Args:
        parent: The worker's process, with which everything is to end.
    """
    if sys.platform != "linux":
        return
    try:
        import ctypes

        prctl = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):  # an interpreter without them runs its guest by itself
        return
    all_signals = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    prctl(_SET_SUBREAPER, 1, 0, 0, 0)
    prctl(_SET_DEATH_SIGNAL, int(signal.SIGTERM), 0, 0, 0)
    os.setsid()  # a signal to the group of the worker ends the worker, and then this process what is left
    if os.getppid() != parent:  # it died before the request could take effect
        os._exit(1)
    supervisor = os.getpid()
    guest = os.fork()
    if guest == 0:
        os.setsid()
        prctl(_SET_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != supervisor:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_SETMASK, all_signals)
        return
    status = 1
    try:
        prctl(_SET_NAME, _NAME, 0, 0, 0)
        _let_go()
        status = _watch(guest)
    finally:
        _end_like(status)


def descendants(root: int) -> list[int]:
    """Return all processes below a process, as /proc knows them right now; none where there is no /proc.

    Args:
        root: The process.
    """
    children: dict[int, list[int]] = {}
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    for name in names:
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    numbers = file.read().rpartition(b")")[2]
            except OSError:  # it has ended
                continue
            fields = numbers.split()
            children.setdefault(int(fields[1]), []).append(int(name))
    pids: list[int] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        pids += below
        waiting += below
    return pids


def end_all(pids: list[int]) -> None:
    """Kill processes that may have ended."""
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended, or has become somebody else's
            os.kill(pid, signal.SIGKILL)


def _let_go() -> None:
    """Hold none of the pipes: their ends are how others see that the guest has ended."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in _STREAMS:
        os.dup2(nothing, descriptor)
    if nothing not in _STREAMS:
        os.close(nothing)


def _watch(guest: int) -> int:
    """Wait until the guest has ended, or is to end; leave nobody behind, and return the guest's wait status."""
    signals = {signal.SIGCHLD, signal.SIGTERM}
    status: int | None = None
    while status is None and signal.sigwait(signals) != signal.SIGTERM:
        status, _ = _reap(guest)
    deadline = time.monotonic() + PATIENCE
    while True:
        last, remaining = _reap(guest)
        status = last if status is None else status
        if not remaining or time.monotonic() > deadline:
            return int(signal.SIGKILL) if status is None else status
        end_all(descendants(os.getpid()))
        signal.sigtimedwait({signal.SIGCHLD}, 0.05)


def _reap(guest: int) -> tuple[int | None, bool]:
    """Return the guest's wait status, if it has ended by now, and whether there are children left."""
    guest_status = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return guest_status, False
        if pid == 0:
            return guest_status, True
        if pid == guest:
            guest_status = status


def _end_like(status: int) -> None:
    """End as a process with this wait status has ended."""
    if os.WIFSIGNALED(status):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1)
