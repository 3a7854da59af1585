"""The state that the plugin keeps with pytest's configuration, and how its modules get at it.

Everything here sees pytest alone: the benchmarks' own state is a ``BenchSession``, which is imported when it is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # half a second of imports, which sessions without benchmarks save
    from omnibench.plugin.session import BenchSession

BENCH_FILES = "bench_*.py"
"""The files that are collected without any setting."""

automatic_key = pytest.StashKey[bool]()
"""Whether the number of workers was left to us (``-n auto``)."""

collected_files_key = pytest.StashKey[dict[str, bool]]()
"""The files that were collected, also those that declare nothing, and whether all of their benchmarks are known."""

session_key = pytest.StashKey["BenchSession"]()
"""The state of this session's benchmarks."""


def bench_session(config: pytest.Config) -> BenchSession:
    """Return the state of this session's benchmarks, making it on first use."""
    if session_key not in config.stash:
        from omnibench.plugin.session import BenchSession

        config.stash[session_key] = BenchSession(config)
    return config.stash[session_key]


def existing_session(config: pytest.Config) -> BenchSession | None:
    """Return the state of this session's benchmarks, or None while it has none."""
    return config.stash.get(session_key, None)


@contextmanager
def only_running(session: pytest.Session, items: list[pytest.Item]) -> Iterator[None]:
    """Let pytest run, and count its progress by, some of the collected items only."""
    collected, testscollected = session.items, session.testscollected
    session.items, session.testscollected = items, len(items)
    try:
        yield
    finally:
        session.items, session.testscollected = collected, testscollected
