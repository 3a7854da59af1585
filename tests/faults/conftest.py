"""Where the harness plants its faults."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let what the harness drives sync as users' runs do."""
    item.add_marker("syncs")


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory in memory where there is one: thousands of runs would wait for a disk's fsync."""
    parent = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    path = Path(tempfile.mkdtemp(prefix="omnibench-faults-", dir=parent))
    yield path
    shutil.rmtree(path, ignore_errors=True)
