"""The guard of a process that computes code of the user's: it ends what that code has started, when the process has ended.

A worker of pytest, or the process of a whole run, cannot get a supervisor above itself, as guests have: it is there before
us, and other things are started in it, which are not ours to end. So its guard stands beside it, is told of every section
in which code of the user's computes, and notes what is started in one: children that Python forks report themselves,
programs inherit a mark in their environment, and what has neither is seen in a look at /proc every quarter of a second.

This file is run by itself: it imports nothing of ours.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time

NAME = b"omnibench-guard"
"""What ``ps`` and ``top`` show, as for the supervisors of guests."""
LOOK_SECONDS = 0.25
_IDLE_SECONDS = 1.0
_ENDING_LOOK_SECONDS = 0.05
_GENTLE_SECONDS = 1.0
"""So long after SIGTERM, which lets trackers of shared memory clean up, what is left gets SIGKILL."""
_BEGINNING_SECONDS = 2.0
"""So long the guard waits for who has only just begun: a child to report itself, a program to have its environment."""
_PATIENCE = 6.0
"""Seconds for which the guard waits for processes that it has killed: one that waits for a disk cannot die."""
_KERNEL = b"2"
"""The parent of the kernel's threads."""
_STATE, _PARENT, _START = 0, 1, 19
"""Positions in ``/proc/PID/stat`` behind the name."""


def numbers_of(pid: int) -> tuple[bytes, list[bytes]]:
    """Return the name of a living process and what stat tells behind it; nothing of another."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            name, _, rest = file.read().partition(b"(")[2].rpartition(b")")
    except OSError:
        return b"", []
    fields = rest.split()
    return name, fields if fields and fields[_STATE] not in (b"Z", b"X") else []


def children_by_thread(pid: int) -> dict[int, list[int]]:
    """Return the children of a process by the thread that has started them; the first one has those of threads that ended."""
    children: dict[int, list[int]] = {}
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                children[int(thread)] = [int(child) for child in file.read().split()]
    return children


def children_of(pid: int, outside_threads: frozenset[int] = frozenset()) -> list[int]:
    """Return the children of a process, without those of some of its threads."""
    return [
        child for thread, pids in children_by_thread(pid).items() if thread not in outside_threads for child in pids
    ]


class Family:
    """What code of the user's has started in a process, as far as it lives, and what else that process has started.

    Args:
        parent: The process.
        mark: What programs that were started within sections have in their environment.
    """

    def __init__(self, parent: int, mark: bytes) -> None:
        self.parent = parent
        self._mark = mark
        self.members: dict[int, bytes] = {}
        self._since = int(numbers_of(os.getpid())[1][_START])
        self._outside: dict[int, bytes] = {}
        self._sections: dict[int, frozenset[int]] = {}
        self._unread = b""
        self.is_told_all = False
        """Whether all who could send messages are gone."""

    def messages(self) -> list[bytes]:
        """Return the messages that have come."""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(0, 65536):
                self._unread += chunk
            self.is_told_all = True
        *lines, self._unread = self._unread.split(b"\n")
        return lines

    def hear(self, line: bytes) -> bool:
        """Note a message; return whether it asks to end all members. Of two long ones at once nothing can be read."""
        with contextlib.suppress(ValueError, IndexError):
            return self._hear(line)
        return False

    def _hear(self, line: bytes) -> bool:
        """See ``hear``.

        A section begins (``b THREAD other threads / children``) and ends (``e THREAD / children of its threads``), a child
        reports itself (``f PID START``), and ``k`` asks for the end. A child belongs to the section in which it appears.
        """
        word, _, rest = line.partition(b" ")
        before, _, behind = rest.partition(b"/")
        numbers, pids = [int(number) for number in before.split()], [int(pid) for pid in behind.split()]
        if word == b"f":
            pid, start = numbers
            if _start_of(pid) == b"%d" % start:
                self.members[pid] = b"%d" % start
        elif word == b"b":
            self._sections[numbers[0]] = frozenset(numbers[1:])
            self._take(self._outside, [pid for pid in pids if pid not in self.members])
        elif word == b"e":
            self._take(self.members, [pid for pid in pids if pid not in self._outside])
            self._sections.pop(numbers[0], None)
        return word == b"k"

    def _take(self, group: dict[int, bytes], pids: list[int]) -> None:
        for pid in pids:
            name, fields = numbers_of(pid)
            if fields and int(fields[_PARENT]) == self.parent and name != NAME:
                group[pid] = fields[_START]

    @property
    def is_idle(self) -> bool:
        """Whether nobody has to be watched."""
        return not self.members and not self._sections

    def look(self) -> None:
        """Note what sections have started since the last look, and what members have."""
        for group in (self.members, self._outside):
            for pid, start in tuple(group.items()):
                if _start_of(pid) != start:
                    del group[pid]
        if self._sections:
            outside_threads = frozenset.intersection(*self._sections.values())
            children = children_by_thread(self.parent)
            # A section may have ended before they were started; and threads that live on get the children of one that dies.
            if not _has_message() and all(numbers_of(thread)[1] for thread in self._sections):
                for thread, pids in children.items():
                    group, contrast = (
                        (self._outside, self.members) if thread in outside_threads else (self.members, self._outside)
                    )
                    self._take(group, [pid for pid in pids if pid not in contrast])
        waiting = list(self.members)
        while waiting:
            for pid in children_of(waiting.pop()):
                if pid not in self.members and (start := _start_of(pid)):
                    self.members[pid] = start
                    waiting.append(pid)

    def look_for_marked(self) -> bool:
        """Note programs that were started since the last look; only once the parent is dead, as it takes all of /proc.

        Returns:
            Whether a program that is younger than the guard has no environment: it may have one in a moment.
        """
        is_beginning = False
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) not in self.members and int(name) not in self._outside:
                name_of_program, fields = numbers_of(int(name))
                if not fields or name_of_program == NAME:
                    continue
                with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
                    environment = file.read()
                    if self._mark in environment.split(b"\0"):
                        self.members[int(name)] = fields[_START]
                    is_young = int(fields[_START]) >= self._since and fields[_PARENT] != _KERNEL
                    is_beginning |= is_young and not environment
        return is_beginning

    def end(self, *, marked: bool) -> None:
        """End all members, and what they start meanwhile.

        Args:
            marked: Also whoever has the mark.
        """
        begun = time.monotonic()
        terminated: dict[int, bytes] = {}
        while (seconds := time.monotonic() - begun) < _PATIENCE:
            for line in self.messages():
                self.hear(line)
            self.look()
            is_beginning = marked and (self.look_for_marked() or not self.is_told_all)
            if not self.members and not (is_beginning and seconds < _BEGINNING_SECONDS):
                return
            for pid, start in self.members.items():
                if seconds >= _GENTLE_SECONDS:
                    _send(pid, start, signal.SIGKILL)
                elif terminated.get(pid) != start:
                    terminated[pid] = start
                    _send(pid, start, signal.SIGTERM)
            time.sleep(_ENDING_LOOK_SECONDS)


def _has_message() -> bool:
    return bool(select.select([0], [], [], 0)[0])


def _start_of(pid: int) -> bytes:
    """Return when a process that lives was started; nothing of another, or of a guest's supervisor."""
    name, fields = numbers_of(pid)
    return fields[_START] if fields and name != NAME else b""


def _send(pid: int, start: bytes, number: int) -> None:
    """Send a signal to a process, and to nobody who has got its number since."""
    with contextlib.suppress(OSError):
        try:
            descriptor = os.pidfd_open(pid)
        except (AttributeError, OSError):  # an old kernel
            descriptor = -1
        try:
            if _start_of(pid) == start:
                if descriptor >= 0:
                    signal.pidfd_send_signal(descriptor, number)
                else:
                    os.kill(pid, number)
        finally:
            if descriptor >= 0:
                os.close(descriptor)


def _guard(parent: int, mark: bytes) -> None:
    """Watch a process until it has ended, then end its family."""
    family = Family(parent, mark)
    poll = select.poll()
    poll.register(0, select.POLLIN)
    idle_seconds = _IDLE_SECONDS
    with contextlib.suppress(AttributeError, OSError):
        poll.register(os.pidfd_open(parent), select.POLLIN)
        idle_seconds = 60.0
    os.set_blocking(0, False)
    is_alive = True
    while is_alive:
        poll.poll(1000 * (idle_seconds if family.is_idle else LOOK_SECONDS))
        is_alive = os.getppid() == parent
        for line in family.messages():
            if family.hear(line):
                family.end(marked=False)
        if family.is_told_all:
            with contextlib.suppress(KeyError):
                poll.unregister(0)
        if is_alive:
            family.look()
    family.end(marked=True)


if __name__ == "__main__":
    os.closerange(3, 1024)
    os.chdir("/")
    with contextlib.suppress(OSError), open("/proc/self/comm", "wb") as comm:
        comm.write(NAME)
    _guard(int(sys.argv[1]), os.fsencode(sys.argv[2]))
