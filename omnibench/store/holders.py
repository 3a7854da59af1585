"""Who holds a lock on a file: the processes that the kernel names, with their command, their user and their state.

Only Linux tells, and only of processes of this container (of all of them outside of one).
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from omnibench.masking import masked_arguments
from omnibench.owners import login_name
from omnibench.proc import PROCESSES, groups_of, stat_of, text_of

LOCKS = Path("/proc/locks")
_LONGEST_COMMAND = 60
_MOST_WORDS = 4

_LINE = re.compile(
    r"^\d+: (?P<type>POSIX|OFDLCK|FLOCK)\s+\S+\s+(?P<mode>READ|WRITE)\s+(?P<pid>-?\d+)\s+"
    r"(?P<major>[0-9a-f]+):(?P<minor>[0-9a-f]+):(?P<inode>\d+)\s+(?P<start>\d+)\s+(?P<end>\d+|EOF)",
    re.MULTILINE,
)

# Offsets of SQLite's file formats: in the shared memory file of a database with a log, and in one without.
_LOG_WRITE_LOCKS = range(120, 123)
"""Writing, checkpointing, recovering."""
_PENDING, _AFTER_SHARED = 0x40000000, 0x40000200


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a lock.

    Attributes:
        pid: Its number.
        command: The beginning of its command line; empty where nobody tells.
        user: The name of its user, or the number; empty where nobody tells.
        stopped: Whether it does not run: ``stopped`` (Ctrl-Z, SIGSTOP), ``frozen`` (``docker pause``), or nothing.
    """

    pid: int
    command: str = ""
    user: str = ""
    stopped: str = ""

    @property
    def advice(self) -> str:
        """What lets it go on, where it does not run; else nothing."""
        if self.stopped == "stopped":
            return f"it is stopped: `kill -CONT {self.pid}` lets it go on, `kill -9 {self.pid}` ends it"
        return "its container is paused: `docker unpause` or the like lets it go on" if self.stopped else ""

    def __str__(self) -> str:
        facts = ", ".join(filter(None, [self.command, self.user and f"of user {self.user}"]))
        described = "; ".join(filter(None, [facts, self.advice]))
        return f"process {self.pid}" + (f" ({described})" if described else "")


def writers(database: Path) -> list[Holder]:
    """Return the processes, this one too, that hold the lock which keeps others from writing to an SQLite database."""
    shared_memory = database.with_name(f"{database.name}-shm")
    pids = [pid for pid, start, _ in _write_locks(shared_memory) if start in _LOG_WRITE_LOCKS]
    pids += [pid for pid, start, _ in _write_locks(database) if _PENDING <= start < _AFTER_SHARED]
    return [holder_of(pid) for pid in dict.fromkeys(pids) if pid > 0]


def lockers(path: Path) -> list[Holder]:
    """Return the processes that hold an ``flock`` on a file."""
    pids = [pid for pid, _, lock_type in _locks(path) if lock_type == "FLOCK"]
    return [holder_of(pid) for pid in dict.fromkeys(pids) if pid > 0]


def holder_of(pid: int) -> Holder:
    """Describe a process, as far as this one may know."""
    directory = PROCESSES / str(pid)
    command = user = ""
    with suppress(OSError):
        command = _short((directory / "cmdline").read_bytes())
    with suppress(OSError):
        uid = (directory / "status").stat().st_uid
        user = login_name(uid) or str(uid)
    state = stat_of(pid)[:1]
    return Holder(pid, command, user, "stopped" if state in (["T"], ["t"]) else "frozen" if _is_frozen(pid) else "")


def _write_locks(path: Path) -> Iterator[tuple[int, int, str]]:
    return (lock for lock in _locks(path, mode="WRITE") if lock[2] != "FLOCK")


def _locks(path: Path, mode: str = "") -> Iterator[tuple[int, int, str]]:
    """Yield process, first byte and type of each lock on a file."""
    try:
        status, text = path.stat(), LOCKS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return
    locks = [match for match in _LINE.finditer(text) if int(match["inode"]) == status.st_ino]
    # btrfs and overlays tell the kernel's table another device than stat; then the inode has to do.
    device = (os.major(status.st_dev), os.minor(status.st_dev))
    same_device = [match for match in locks if (int(match["major"], 16), int(match["minor"], 16)) == device]
    for match in same_device or locks:
        if not mode or match["mode"] == mode:
            yield int(match["pid"]), int(match["start"]), match["type"]


def _short(command_line: bytes) -> str:
    """Return the beginning of a command line: what it is, and not what it may have been told in confidence."""
    words = masked_arguments(word.decode(errors="replace") for word in command_line.rstrip(b"\0").split(b"\0"))
    visible_words = [Path(words[0]).name]
    for word in words[1:_MOST_WORDS]:
        if "=" in word or "://" in word or "\n" in word:
            break
        visible_words.append(word)
    text = " ".join(
        part if part.isprintable() else repr(part) for part in map(shlex.quote, visible_words) if part != "''"
    )
    return text if len(text) <= _LONGEST_COMMAND else f"{text[: _LONGEST_COMMAND - 3]}..."


def _is_frozen(pid: int) -> bool:
    """Whether a process's control group, or one that it lies in, is frozen, as by ``docker pause`` (versions 1 and 2)."""
    texts = (
        text_of(group / name) for group in groups_of(pid, "freezer") for name in ("cgroup.events", "freezer.state")
    )
    return any(re.search(r"^(frozen 1|FROZEN)$", text, re.MULTILINE) for text in texts)
