"""Tests that do not wait for disks: most of the time in which an inner run computes nothing."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

_PRAGMA = "PRAGMA synchronous"

_left_out: list[bool] = []


def are_made() -> bool:
    """Whether this process waits for the disk."""
    return not _left_out


@contextlib.contextmanager
def without_syncs() -> Iterator[None]:
    """Let this process, and what it forks meanwhile, leave what it writes to the kernel, without waiting for the disk.

    Only a loss of power tells the difference, and whoever looks at the calls themselves: such tests have the marker
    ``syncs``. Processes that are started sync as ever, other than runs that are forked (``support.forked_runs``), and so do
    databases that were opened before.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in ("fsync", "fdatasync"):
            if hasattr(os, name):
                patch.setattr(os, name, _checked)
        connect = sqlite3.connect

        def connected(*arguments: Any, factory: Any = sqlite3.Connection, **keywords: Any) -> Any:
            return connect(*arguments, factory=_unsynced(factory), **keywords)

        patch.setattr(sqlite3, "connect", connected)
        _left_out.append(True)
        try:
            yield
        finally:
            _left_out.pop()


def _checked(file: Any) -> None:
    """Do nothing with an open file, and fail as a sync does with a closed one."""
    os.fstat(file if isinstance(file, int) else file.fileno())


@cache
def _unsynced(factory: Any) -> Any:
    """Return a class of connections that never wait for the disk once they are asked or told whether to, as records are."""

    class Unsynced(factory):  # type: ignore[misc]
        def execute(self, statement: str, *arguments: Any) -> Any:
            if statement.startswith(_PRAGMA):  # not when it connects: that would read the database, which may be broken
                told = super().execute(f"{_PRAGMA} = OFF")
                if "=" in statement:
                    return told
            return super().execute(statement, *arguments)

    return Unsynced
