"""The logbook: entries that are written when there is time, and that no result depends on."""

from __future__ import annotations

import logging
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from omnibench.store import logbook
from omnibench.store.logbook import LogBook


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a?b#c" / "logs.db"


@pytest.fixture
def book(path: Path) -> LogBook:
    path.parent.mkdir()
    return LogBook(path, "run", "worker")


def entries(path: Path, columns: str = "message") -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(f"SELECT {columns} FROM logs ORDER BY id").fetchall()
    return [row[0] if len(row) == 1 else row for row in rows]


def test_what_is_added_is_written_when_it_is_flushed(book: LogBook, path: Path) -> None:
    """Not before: whoever adds does not wait for a disk. Nothing to write makes no file."""
    book.flush()
    book.add(logging.WARNING, "omnibench", "careful", "D/A")
    assert not path.exists()
    book.flush()
    book.flush()
    columns = "id, run, worker, item, level, level_name, logger, message"
    assert entries(path, columns) == [(1, "run", "worker", "D/A", 30, "WARNING", "omnibench", "careful")]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entries(path, "time")[0])


def test_ids_go_on_after_entries_were_removed(book: LogBook, path: Path) -> None:
    """Ids go on after entries were removed, so that nobody who follows by the last id misses one."""
    book.add(20, "omnibench", "one")
    book.flush()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM logs")
    book.add(20, "omnibench", "two")
    book.flush()
    assert entries(path, "id, item, message") == [(2, None, "two")]


@pytest.mark.parametrize(
    "message", ["", "several\nlines", "half \udcff character", "zero \0 byte", "日本", "'; DROP TABLE logs"]
)
def test_any_message_is_kept(message: str, book: LogBook, path: Path) -> None:
    """Half characters are written as JSON would write them."""
    book.add(20, "omnibench", message)
    book.flush()
    assert entries(path) == [message.replace("\udcff", "\\udcff")]
    assert book.lost == 0


def test_lines_of_a_guest_become_entries(book: LogBook, path: Path) -> None:
    """Each line of a guest becomes an entry, whatever bytes it holds."""
    book.add_lines(logging.INFO, "guest.stdout", b"one\n\xff two\r\n\nthree", "D/A")
    book.flush()
    assert entries(path) == ["one", "\ufffd two", "", "three"]


def test_a_guest_that_talks_without_end_is_cut_short(
    book: LogBook, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guest's lines are limited per item, and the last entry says where the rest is; omnibench's own do not count."""
    monkeypatch.setattr(logbook, "_MOST_LINES", 3)
    for item in ("A", "B"):
        for _ in range(5):
            book.add_lines(20, "guest.stdout", b"line\nline\n", item)
    book.add(20, "omnibench", "A is done", "A")
    book.flush()
    end = "... more of this item's lines are in out.log and err.log only"
    assert entries(path, "item, message") == [
        *(("A", text) for text in ("line", "line", end)),
        *(("B", text) for text in ("line", "line", end)),
        ("A", "A is done"),
    ]


def test_a_damaged_log_is_set_aside(book: LogBook, path: Path) -> None:
    """It is kept for looking at, and the new entries are in a new one."""
    path.write_bytes(b"not a database " * 1000)
    path.with_name("logs.db-wal").write_bytes(b"stale")
    book.add(20, "omnibench", "goes on")
    book.flush()
    assert (entries(path), book.lost) == (["goes on"], 0)
    (aside,) = path.parent.glob("logs.db.damaged-*")
    assert aside.read_bytes().startswith(b"not a database")


def test_a_log_that_was_moved_away_is_begun_anew(book: LogBook, path: Path) -> None:
    """Entries go into the file that lies there now, not into one that somebody has set aside or removed meanwhile."""
    book.add(20, "omnibench", "before")
    book.flush()
    for file in path.parent.glob("logs.db*"):
        file.rename(file.with_name(f"aside-{file.name}"))
    book.add(20, "omnibench", "goes on")
    book.flush()
    assert (entries(path), book.lost) == (["goes on"], 0)
    assert entries(path.with_name("aside-logs.db")) == ["before"]


@pytest.mark.skipif(shutil.which("strace") is None, reason="only strace sees what is synced")
def test_flushes_wait_for_no_disk(tmp_path: Path) -> None:
    """Entries may be lost, so that nobody waits for them: a flush syncs nothing, and the end of the run once."""
    code = """
import sys
from pathlib import Path
from omnibench.store.logbook import LogBook
book = LogBook(Path(sys.argv[1]), "run", "worker")
book.add(20, "omnibench", "first")
book.flush()
Path(sys.argv[2]).touch()
for number in range(50):
    book.add(20, "omnibench", f"{number}")
    book.flush()
Path(sys.argv[3]).touch()
book.finish()
"""
    trace, marks = tmp_path / "trace", (tmp_path / "begin", tmp_path / "end")
    command = [sys.executable, "-c", code, str(tmp_path / "logs.db"), *map(str, marks)]
    traced = ["strace", "-f", "-o", str(trace), "-e", "trace=fsync,fdatasync,openat"]
    subprocess.run([*traced, *command], check=True)
    text = trace.read_text()
    between = text[text.index(str(marks[0])) : text.index(str(marks[1]))]
    assert "sync(" not in between
    assert entries(tmp_path / "logs.db")[-1] == "49"


def test_a_log_that_breaks_in_the_middle_is_set_aside(book: LogBook, path: Path) -> None:
    """A log that breaks in the middle is set aside, also when its first page is sound."""
    for number in range(200):
        book.add(20, "omnibench", f"{number} " + "x" * 1000)
    book.finish()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(bytes(content))
    book.add(20, "omnibench", "goes on")
    book.flush()
    assert (entries(path), book.lost) == (["goes on"], 0)
    assert len(list(path.parent.glob("logs.db.damaged-*"))) == 1


def test_entries_that_cannot_be_written_are_counted(book: LogBook, path: Path) -> None:
    """No error for whoever computes; the next ones are written when there is a place for them again."""
    path.mkdir()
    for _ in range(3):
        book.add(20, "omnibench", "lost")
    book.flush()
    assert book.lost == 3
    path.rmdir()
    book.add(20, "omnibench", "kept")
    book.flush()
    assert (entries(path), book.lost) == (["kept"], 3)


def test_a_log_whose_disk_is_full_is_not_damaged(book: LogBook, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was in it stays in it."""
    book.add(20, "omnibench", "before")
    book.finish()

    def small(*given: Any, **named: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = original(*given, **named)
        connection.execute("PRAGMA max_page_count = 4")
        return connection

    original = sqlite3.connect
    with monkeypatch.context() as full:
        full.setattr(sqlite3, "connect", small)
        book.add(20, "omnibench", "x" * 100_000)
        book.flush()
    assert (entries(path), book.lost) == (["before"], 1)
    assert list(path.parent.glob("*.damaged-*")) == []


def test_threads_add_and_flush_at_once(book: LogBook, path: Path) -> None:
    """Every entry is written once."""

    def add(name: str) -> None:
        for number in range(50):
            book.add(20, "omnibench", f"{name}{number}")
            if number % 10 == 0:
                book.flush()

    threads = [threading.Thread(target=add, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    book.flush()
    assert sorted(entries(path)) == sorted(f"{name}{number}" for name in "abc" for number in range(50))


def test_processes_write_at_once(book: LogBook, path: Path) -> None:
    """Workers of one run share the file."""
    code = """
import sys
from pathlib import Path
from omnibench.store.logbook import LogBook
book = LogBook(Path(sys.argv[1]), "run", sys.argv[2])
for number in range(20):
    book.add(20, "omnibench", f"{number}")
    book.flush()
assert book.lost == 0
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in "abc"]
    for number in range(20):
        book.add(20, "omnibench", f"{number}")
        book.flush()
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert book.lost == 0
    for name in ("a", "b", "c", "worker"):
        assert [m for w, m in entries(path, "worker, message") if w == name] == [str(number) for number in range(20)]


def test_entries_wait_while_another_process_locks_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are written when the log is free again; those that are left at the end are counted."""
    monkeypatch.setattr(logbook, "_WAIT_SECONDS", 0.01)
    log = LogBook(tmp_path / logbook.NAME, "run", "worker")
    log.add(logging.INFO, "omnibench", "first")
    log.flush()
    with closing(sqlite3.connect(tmp_path / logbook.NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        log.add(logging.INFO, "omnibench", "second")
        log.flush()
        other.execute("ROLLBACK")
        log.flush()
        other.execute("BEGIN IMMEDIATE")
        log.add(logging.INFO, "omnibench", "third")
        log.finish()
    assert log.lost == 1
    assert [entry.message for entry in logbook.entries(tmp_path, "run", "omnibench")] == ["first", "second"]
