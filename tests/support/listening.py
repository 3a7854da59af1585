"""What processes listen on, as the kernel says: what ``ss -ltnp`` shows."""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

_LISTENS = "0A"


class Listener(NamedTuple):
    """A socket that listens.

    Attributes:
        pid: Its process.
        host: The address, e.g. ``127.0.0.1``, ``0.0.0.0`` or ``::``.
        port: The port.
    """

    pid: int
    host: str
    port: int


def listeners(pids: Iterable[int]) -> set[Listener]:
    """What processes listen on with TCP, of both families."""
    by_inode = dict(_listening_inodes())
    return {Listener(pid, *by_inode[inode]) for pid in pids for inode in _inodes_of(pid) if inode in by_inode}


def listeners_by_ss(pids: Iterable[int]) -> set[Listener]:
    """The same as ``ss`` shows it to the user."""
    shown = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout.splitlines()
    wanted = set(pids)
    return {
        Listener(int(pid), host.strip("[]"), int(port))
        for line in shown
        for host, _, port in [line.split()[3].rpartition(":")]
        for pid in re.findall(r"pid=(\d+)", line)
        if int(pid) in wanted
    }


def _listening_inodes() -> Iterator[tuple[str, tuple[str, int]]]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == _LISTENS:
                host, _, port = columns[1].partition(":")
                words = struct.pack(
                    f"={len(host) // 8}I", *(int(host[at : at + 8], 16) for at in range(0, len(host), 8))
                )
                yield columns[9], (str(ip_address(words)), int(port, 16))


def _inodes_of(pid: int) -> Iterator[str]:
    with suppress(OSError):  # it has ended
        for descriptor in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                target = os.readlink(descriptor.path)
                if target.startswith("socket:["):
                    yield target[len("socket:[") : -1]


def descendants(pid: int) -> set[int]:
    """A process, and all that it and those have started and that are still theirs."""
    pids = {pid}
    with suppress(OSError):
        for task in os.scandir(f"/proc/{pid}/task"):
            with suppress(OSError):
                for child in Path(task.path, "children").read_text().split():
                    pids |= descendants(int(child))
    return pids


def answer_to(listener: Listener, content: bytes) -> bytes:
    """What a port answers to some bytes within a few seconds; nothing where it hangs up."""
    with socket.create_connection((listener.host, listener.port), timeout=5) as connection, suppress(OSError):
        connection.sendall(content)
        return connection.recv(4096)
    return b""
