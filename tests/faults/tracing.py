"""Faults below Python: strace ends the process at a system call, or makes the call fail; its log tells the order."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from faults.children import Child, Ended

CHANGING = (
    "write,pwrite64,fsync,fdatasync,syncfs,rename,renameat,renameat2,mkdir,unlink,unlinkat,rmdir,ftruncate,link,linkat"
)
"""The system calls that change the disk, but for openat (which strace cannot select by its flags)."""
_ATTACH_SECONDS = 120.0
_CALL = re.compile(r"^(\w+)\((.*)$")


class NotPermittedError(Exception):
    """Processes cannot be traced here."""


@dataclass(frozen=True)
class Call:
    """One system call of a log.

    Attributes:
        name: Which.
        number: The how manieth of this name in its thread, from 1.
        text: Its arguments and result, with the paths of descriptors.
    """

    name: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.name} {self.number}: {self.text[:160]}"


def traced(action: Callable[[], dict[str, Any]], log: Path, trace: Path, options: Sequence[str]) -> Ended:
    """Run an action in a child under strace, which sees only its main thread: that is the same in every run.

    Args:
        action: What the child does.
        log: Takes its output.
        trace: Takes the log of strace.
        options: What to trace and to inject.

    Raises:
        NotPermittedError: Processes cannot be traced here.
    """
    child = Child(action, log, stopped=True)
    _wait_until(lambda: _status(child.pid, "State").startswith(("T", "t")))
    command = ["strace", "-qq", "-y", "-s", "0", "-o", str(trace), *options, "-p", str(child.pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as tracer:
        try:
            _wait_until(lambda: _status(child.pid, "TracerPid") == str(tracer.pid) or tracer.poll() is not None)
            if tracer.poll() is not None:
                child.send(signal.SIGKILL)
                child.wait()
                assert tracer.stderr is not None
                raise NotPermittedError(tracer.stderr.read().decode(errors="replace"))
            child.send(signal.SIGCONT)
            return child.wait()
        finally:
            if child.poll(1.0) is None:
                child.send(signal.SIGKILL)
            tracer.wait(_ATTACH_SECONDS)


def _status(pid: int, name: str) -> str:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return line.partition(":")[2].strip()
    return ""


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _ATTACH_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise NotPermittedError("strace does not attach")
        time.sleep(0.001)


@cache
def why_not() -> str:
    """Return why nothing can be traced here, or nothing."""
    if sys.platform != "linux":
        return "strace is for Linux"
    if shutil.which("strace") is None:
        return "there is no strace"
    try:
        null = Path(os.devnull)
        ended = traced(dict, null, null, ["-e", "trace=getpid"])
    except NotPermittedError as error:
        return f"processes cannot be traced: {error}"
    return "" if ended.outcome == {} else f"a traced process ended with {ended}"


def calls(trace: Path) -> Iterator[Call]:
    """Yield the calls of a log, in order."""
    numbers: Counter[str] = Counter()
    for line in trace.read_text(encoding="utf-8", errors="replace").splitlines():
        match = _CALL.match(line)
        if match is None:
            continue
        name, text = match.groups()
        numbers[name] += 1
        yield Call(name, numbers[name], text)


def killed_at(call: Call) -> list[str]:
    """Return the options that end the process at a call, before it happens."""
    return ["-e", f"trace={call.name}", "-e", f"inject={call.name}:signal=SIGKILL:when={call.number}"]


def failed_at(call: Call, error: str, *, lasting: bool = False) -> list[str]:
    """Return the options that make a call fail, or it and all later ones of its name."""
    when = f"{call.number}{'+' if lasting else ''}"
    return ["-e", f"trace={call.name}", "-e", f"inject={call.name}:error={error}:when={when}"]


_PATHS = re.compile(r'"((?:[^"\\]|\\.)*)"|<([^>]*)>')


def paths_in(call: Call) -> list[str]:
    """Return the paths in a call's arguments: texts, and what its descriptors stand for."""
    return [quoted or plain for quoted, plain in _PATHS.findall(call.text)]


def renamed(call: Call) -> tuple[str, str]:
    """Return the old and the new path of a renaming or a link, also of one below descriptors of directories."""
    directory, paths = "", []
    for quoted, plain in _PATHS.findall(call.text):
        if plain:
            directory = plain
        else:
            paths.append(os.path.join(directory, quoted))
    return paths[0], paths[1]


def broken_order(log: Sequence[Call], artifact: str, root: str, *, was_there: bool = False) -> str:
    """Say how the publication of an artifact was out of order, or nothing.

    In order is: fsync of the file, rename to its final name (or of a directory above it), fsync of the directory
    that holds the new name, and only then the write of the commit to the database's log, with an fsync. A file whose name
    nothing has had before may be synced after it got it, by a rename or a link. Directories that were made on its way have to
    be in their parents, and these synced, before the commit.

    Args:
        log: The calls.
        artifact: The artifact's path, relative to the root.
        root: The store's directory.
        was_there: Whether something had the artifact's name before the log begins.
    """
    final = f"{root}/{artifact}"
    moves: list[tuple[int, str, str]] = [
        (position, *renamed(call))
        for position, call in enumerate(log)
        if call.name.startswith(("rename", "link"))
        and call.text.endswith("= 0")
        and (final + "/").startswith(renamed(call)[1] + "/")
    ]
    if not moves:
        return f"{artifact} was never renamed into place"
    moved, source, target = moves[-1]
    partial = source + final.removeprefix(target)
    wal = f"{root}/store/cache.db-wal"
    synced = [position for position in _of(log, ("fsync", "fdatasync"), partial) if position < moved]
    written = [position for position in _of(log, ("write", "pwrite64"), partial) if position < moved]
    if len(moves) == 1 and target == final and not was_there:  # strace tells a linked file by any of its names
        synced += [
            position
            for path in (partial, final)
            for position in _of(log, ("fsync", "fdatasync"), path)
            if position > moved
        ]
    if not synced or (written and written[-1] > synced[-1]):
        return f"{artifact} was renamed into place before its content was on disk"
    named = [position for position in _of(log, ("fsync",), str(Path(target).parent)) if position > moved]
    commits = [position for position in _of(log, ("pwrite64",), wal) if position > moved]
    lasting = [position for position in _of(log, ("fsync", "fdatasync"), wal) if commits and position > commits[0]]
    if not named:
        return f"the directory of {artifact} was never made durable"
    if not commits or not lasting:
        return f"no commit on disk follows {artifact}"
    if commits[0] < named[0]:
        return f"{artifact} was recorded before its name was on disk"
    if commits[0] < min(synced):
        return f"{artifact} was recorded before its content was on disk"
    nameless = _undurable_directories(log[: commits[0]], target)
    return f"{artifact} was recorded before the name of {nameless[0]} was on disk" if nameless else ""


def _undurable_directories(log: Sequence[Call], target: str) -> list[str]:
    """Return the directories on the way to a path that were made in a log, and whose parents were not synced afterwards."""
    made = [
        (position, paths_in(call)[0])
        for position, call in enumerate(log)
        if call.name == "mkdir" and call.text.endswith("= 0")
    ]
    return [
        directory
        for position, directory in made
        if target.startswith(f"{directory}/")
        and all(synced < position for synced in _of(log, ("fsync",), os.path.dirname(directory)))
    ]


def _of(log: Sequence[Call], names: Sequence[str], path: str) -> list[int]:
    return [position for position, call in enumerate(log) if call.name in names and path in paths_in(call)]
