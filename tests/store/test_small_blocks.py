"""On a file system with blocks smaller than a page, a database is not used without a margin of room; see ``require_room``."""

from __future__ import annotations

import mmap
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from omnibench.errors import StoreError
from omnibench.store import CheckpointStore, small_blocks
from omnibench.store.reading import read_all


def test_a_margin_of_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only small blocks need one; without it, SQLite's own words say that the disk is full."""
    monkeypatch.setattr(small_blocks, "MARGIN", 2**60)
    small_blocks.require_room(tmp_path)
    monkeypatch.setattr(mmap, "PAGESIZE", 2 * os.statvfs(tmp_path).f_frsize)
    with pytest.raises(sqlite3.OperationalError, match="database or disk is full"):
        small_blocks.require_room(tmp_path)


def test_a_store_without_that_margin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written no more, which is said, opened no more, and can still be read; with room all goes on."""
    monkeypatch.setattr(mmap, "PAGESIZE", 2 * os.statvfs(tmp_path).f_frsize)
    with closing(CheckpointStore(tmp_path / "store", notify=lambda _: None)) as store:
        store.records.commit({"run/1": {"n": 1}})
        with monkeypatch.context() as full:
            full.setattr(small_blocks, "MARGIN", 2**60)
            with pytest.raises(StoreError, match=r"cannot be written \(database or disk is full"):
                store.records.commit({"run/1": {"n": 2}})
            assert read_all(store.records.directory) is not None
            with pytest.raises(StoreError, match=r"cannot be opened \(OperationalError: database or disk is full"):
                CheckpointStore(tmp_path / "store")
        store.records.commit({"run/1": {"n": 3}})
