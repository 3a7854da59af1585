"""Tests leave out what only a loss of power shows, unless they are about that."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.syncs import without_syncs

from omnibench.store.records import Records


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    """The records of a new store."""
    with closing(Records(tmp_path)) as made:
        yield made


def safety(records: Records) -> int:
    """What SQLite waits for when the records are written: 0 for nothing, 2 for everything."""
    level: int = records._cache._sql("PRAGMA synchronous").fetchone()[0]
    return level


def test_nobody_waits_for_the_disk(records: Records) -> None:
    """Records are written without waiting, whatever the store has asked SQLite for, and still asks for."""
    records.commit({"a": {"n": 1}})
    assert (safety(records), records._cache.sqlite_synchronous) == (0, 2)


@pytest.mark.syncs
def test_a_marked_test_waits(records: Records) -> None:
    """With the marker, everything is as in the processes of users."""
    assert safety(records) == 2
    assert os.fsync.__module__ == "posix"
    assert sqlite3.connect.__module__ == "_sqlite3"


@pytest.mark.syncs
def test_a_closed_file_cannot_be_synced(tmp_path: Path) -> None:
    """A sync that is left out fails where it would have failed: of a file that is not open."""
    with (tmp_path / "a").open("w") as file:
        descriptor = file.fileno()
        with without_syncs():
            os.fsync(descriptor)
            os.fsync(file)
    with without_syncs():
        for closed in (descriptor, file):
            with pytest.raises((OSError, ValueError)):
                os.fsync(closed)


@pytest.mark.syncs
def test_a_broken_database_is_found_by_who_reads_it(tmp_path: Path) -> None:
    """Opening one reads nothing yet, as ever."""
    (tmp_path / "broken.db").write_text("no database" * 100)
    with (
        without_syncs(),
        closing(sqlite3.connect(tmp_path / "broken.db")) as connection,
        pytest.raises(sqlite3.DatabaseError),
    ):
        connection.execute("SELECT * FROM sqlite_master")
