"""Small files that are not synced: the database has their content until they are, and whoever opens the store next writes lost ones again."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.errors import StoreError
from omnibench.store import CheckpointStore, leases, lost_files, unsynced_files
from omnibench.store.filesystems import Mount
from omnibench.store.records import Records
from omnibench.store.schema import Record
from omnibench.store.sealing import seal, unseal
from omnibench.store.unsynced_files import UnsyncedFiles

pytestmark = [
    pytest.mark.usefixtures("made_up_records"),
    pytest.mark.skipif(not unsynced_files.may_leave_unsynced(Path("/")), reason="files are synced here"),
]

_LEAVING = """
import os, sys
from pathlib import Path
from omnibench.store import CheckpointStore
from omnibench.store import forms
store = CheckpointStore(sys.argv[1])
forms.record_of = lambda key, text: __import__("json").loads(text)
with store.temporary() as scratch, store.lease("a") as lease:
    for name, key in (("model.pkl", "fit/a"), ("predictions.json", "predict/a")):
        (scratch / name).write_bytes(b"content of " + name.encode())
        described = store.publish(
            scratch / name, store.root / "D" / "A" / name, until_commit=True, is_unrecorded=True, of_records=[key]
        )
        store.commit(lease, {key: {"directory": "D/A", "fit_key": "f" * 64, **({"model": described} if name == "model.pkl" else {})}})
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


@pytest.fixture
def left(root: Path) -> Path:
    """A store whose process was killed behind its commits, with a model and a readable copy that nobody has synced."""
    ended = subprocess.run([sys.executable, "-c", _LEAVING, str(root)], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert rows_of(root) == ["D/A/model.pkl", "D/A/predictions.json"]
    return root


def rows_of(root: Path) -> list[str]:
    """Return the paths of the files whose contents the database has."""
    with closing(sqlite3.connect(root / "store" / "cache.db")) as connection:
        return [path for (path,) in connection.execute("SELECT path FROM UnsyncedFiles ORDER BY number")]


def published(
    store: CheckpointStore,
    name: str,
    content: bytes,
    *,
    key: str = "fit/a",
    is_recorded: bool = False,
) -> Path:
    final = store.root / "D" / "A" / name
    with store.temporary() as scratch, store.lease("a") as lease:
        (scratch / "file").write_bytes(content)
        described = store.publish(
            scratch / "file", final, until_commit=True, is_unrecorded=not is_recorded, of_records=[key]
        )
        store.commit(lease, {key: {"directory": "D/A", "model": described}})
    return final


def publish_unrecorded(store: CheckpointStore, final: Path, key: str) -> None:
    """Publish a file that a record needs which comes later."""
    with store.temporary() as scratch:
        (scratch / "file").write_bytes(b"content")
        store.publish(scratch / "file", final, until_commit=True, is_unrecorded=True, of_records=[key])


def test_the_database_has_a_small_file_until_the_store_is_closed(root: Path) -> None:
    """The transaction that records it has its content; when the store is closed the file system is synced, and it goes."""
    with closing(CheckpointStore(root)) as store:
        published(store, "model.pkl", b"content")
        assert rows_of(root) == ["D/A/model.pkl"]
    assert rows_of(root) == []
    assert (root / "D" / "A" / "model.pkl").read_bytes() == b"content"


@pytest.mark.parametrize("how", ["large", "recorded", "no syncfs", "FUSE"])
def test_other_files_are_synced_themselves(root: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Large ones, those that replace what a record names, and all where the file system cannot be synced at once."""
    if how == "no syncfs":
        monkeypatch.setattr(unsynced_files, "_syncfs", lambda: None)
    if how == "FUSE":
        monkeypatch.setattr(unsynced_files, "mount_of", lambda _: Mount("fuse.fuse-overlayfs"))
    synced: list[str] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        sync(descriptor)

    content = bytes(unsynced_files.LARGEST + (how == "large"))
    with closing(CheckpointStore(root)) as store:
        monkeypatch.setattr(os, "fsync", noted)
        published(store, "model.pkl", content, is_recorded=how == "recorded")
        assert rows_of(root) == []
    assert "file" in synced  # as it is called until it is published
    assert "A" in synced


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:3])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def remove_with_directory(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()
    path.parent.rmdir()
    path.parent.parent.rmdir()


@pytest.mark.parametrize("lose", [Path.unlink, tear, empty, remove_with_directory])
def test_what_the_power_took_is_written_again(
    left: Path, capsys: pytest.CaptureFixture[str], lose: Callable[[Path], object]
) -> None:
    """Whatever became of the file; the record is as good as before, and nothing of it stays in the database."""
    lose(left / "D" / "A" / "model.pkl")
    with closing(CheckpointStore(left)) as store:
        record = store.records.get("fit/a")
        assert record is not None
        assert store.usable(record["model"], "full") == left / "D" / "A" / "model.pkl"
        assert rows_of(left) == []
    assert (left / "D" / "A" / "predictions.json").read_bytes() == b"content of predictions.json"
    assert "that the power had taken w" in capsys.readouterr().err


def test_a_readable_copy_that_the_power_took_is_written_again(left: Path) -> None:
    """No record names it, but that of its predictions is there."""
    tear(left / "D" / "A" / "predictions.json")
    CheckpointStore(left).close()
    assert (left / "D" / "A" / "predictions.json").read_bytes() == b"content of predictions.json"


def test_a_kill_costs_nothing(left: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a process has written is there; the next one removes it from the database without a word."""
    status = (left / "D" / "A" / "model.pkl").stat()
    CheckpointStore(left).close()
    assert (left / "D" / "A" / "model.pkl").stat() == status
    assert rows_of(left) == []
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("record", [None, {"directory": "D/A", "dropped": True}, {"directory": "D/A"}])
def test_what_no_record_needs_is_not_written_again(left: Path, record: Record | None) -> None:
    """A model that was dropped, or whose item was removed, stays away."""
    with closing(sqlite3.connect(left / "store" / "cache.db")) as connection:
        rows = connection.execute("SELECT holder, path, records, content FROM UnsyncedFiles").fetchall()
        connection.execute("DELETE FROM UnsyncedFiles")
        connection.commit()
    with closing(CheckpointStore(left)) as store, store.lease("a") as lease:
        store.commit(lease, {} if record is None else {"fit/a": record}, {"fit/a": {}} if record is None else None)
    with closing(sqlite3.connect(left / "store" / "cache.db")) as connection:
        connection.executemany("INSERT INTO UnsyncedFiles (holder, path, records, content) VALUES (?, ?, ?, ?)", rows)
        connection.commit()
    (left / "D" / "A" / "model.pkl").unlink()
    CheckpointStore(left).close()
    assert not (left / "D" / "A" / "model.pkl").exists()
    assert rows_of(left) == []


def test_what_a_living_process_has_left_is_its_own(root: Path) -> None:
    """Who opens the store beside it neither looks at its files nor forgets their contents."""
    with closing(CheckpointStore(root)) as store:
        path = published(store, "model.pkl", b"content")
        path.unlink()  # as it may be about to do
        CheckpointStore(root).close()
        assert rows_of(root) == ["D/A/model.pkl"]
        assert not path.exists()


def share(root: Path) -> None:
    (root / "store").chmod(0o2770)


def open_to_others(root: Path) -> None:
    root.chmod(0o777)


def open_to_group(root: Path) -> None:
    root.chmod(0o775)


@pytest.mark.parametrize("widen", [share, open_to_others, open_to_group])
def test_where_others_may_write_nothing_comes_from_the_database(
    left: Path, capsys: pytest.CaptureFixture[str], widen: Callable[[Path], None]
) -> None:
    """Written again a model would be the reader's own, which is loaded, whoever has put it there. It is computed again."""
    widen(left)
    for name in ("model.pkl", "predictions.json"):
        (left / "D" / "A" / name).unlink()
    assert not unsynced_files.may_leave_unsynced(left)
    CheckpointStore(left).close()
    assert [path.name for path in (left / "D" / "A").iterdir()] == ["records.jsonl"]
    assert rows_of(left) == []
    assert "2 files that the power has taken are not written again" in capsys.readouterr().err


def test_another_user_leaves_the_contents_to_the_owner(left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E.g. root, who looks at a store with gc: the files would be root's."""
    (left / "D" / "A" / "model.pkl").unlink()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with closing(Records(left / "store")) as records:
        assert lost_files.write_lost_files(records, left) == []
    assert not (left / "D" / "A" / "model.pkl").exists()
    assert rows_of(left) == ["D/A/model.pkl"]


def test_a_file_of_an_item_that_is_computed_is_left_alone(left: Path) -> None:
    """Who holds its lease may have put another file there, whose record comes next."""
    path = left / "D" / "A" / "model.pkl"
    path.write_bytes(b"another")
    with leases.lease(left / "leases" / f"{'f' * 64}.lock"):
        CheckpointStore(left).close()
        assert path.read_bytes() == b"another"
        assert rows_of(left) == ["D/A/model.pkl"]
    CheckpointStore(left).close()
    assert path.read_bytes() == b"content of model.pkl"
    assert rows_of(left) == []


def test_many_files_of_the_dead_take_few_descriptors(root: Path) -> None:
    """Each lies in a directory of its own, and all names are made durable."""
    n_files = 300
    with closing(CheckpointStore(root)) as store:
        for number in range(n_files):
            published(store, f"{number}/model.pkl", b"content", key=f"fit/{number}")
        with closing(sqlite3.connect(root / "store" / "cache.db")) as connection:
            rows = connection.execute("SELECT * FROM UnsyncedFiles").fetchall()
    with closing(sqlite3.connect(root / "store" / "cache.db")) as connection:
        connection.executemany(
            "INSERT INTO UnsyncedFiles VALUES (?, 'tmp/work.1.abcdefgh/.lock', ?, ?, ?)",
            [(number, path, records, content) for number, _, path, records, content in rows],
        )
        connection.commit()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    n_open = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (n_open + 150, before[1]))
    try:
        CheckpointStore(root).close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert rows_of(root) == []


def test_a_store_that_is_not_opened_keeps_no_descriptor(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run may try it for each of a thousand items."""

    def refused(*_: object) -> None:
        raise StoreError("locked")

    CheckpointStore(root).close()
    n_open = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr("omnibench.store.recovery.open_records", refused)
    for _ in range(3):
        with pytest.raises(StoreError, match="locked"):
            CheckpointStore(root)
    assert len(os.listdir("/proc/self/fd")) == n_open


def test_a_store_opens_where_the_file_system_cannot_be_synced(left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E.g. on macOS, to which it was copied after a kill."""
    monkeypatch.setattr(unsynced_files, "_syncfs", lambda: None)
    (left / "D" / "A" / "model.pkl").unlink()
    CheckpointStore(left).close()
    assert (left / "D" / "A" / "model.pkl").read_bytes() == b"content of model.pkl"
    assert rows_of(left) == []


def put_a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent.parent.parent.parent / "outside")


def put_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("put", [put_a_link, put_a_directory])
def test_what_is_no_file_any_more_does_not_keep_a_store_closed(left: Path, put: Callable[[Path], None]) -> None:
    """It is not followed and not replaced, and its content goes."""
    put(left / "D" / "A" / "model.pkl")
    before = (left / "D" / "A" / "model.pkl").lstat()
    CheckpointStore(left).close()
    assert (left / "D" / "A" / "model.pkl").lstat() == before
    assert rows_of(left) == []
    assert not (left.parent / "outside").exists()


def test_a_file_that_cannot_be_written_does_not_keep_a_store_closed(
    left: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its content stays, for whoever opens the store when the disk has room."""

    def refused(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = left / "D" / "A" / "model.pkl"
    path.unlink()
    with monkeypatch.context() as full:
        full.setattr(lost_files, "publish", refused)
        CheckpointStore(left).close()
    assert "could not be written again ([Errno 28] No space left on device)" in capsys.readouterr().err
    assert rows_of(left) == ["D/A/model.pkl"]
    CheckpointStore(left).close()
    assert path.read_bytes() == b"content of model.pkl"


def test_a_newer_readable_copy_stays(left: Path) -> None:
    """Another run has replaced it, and was killed: the older one is not what the power has taken."""
    copy = left / "D" / "A" / "predictions.json"
    copy.write_bytes(b"a longer list of another content")
    CheckpointStore(left).close()
    assert copy.read_bytes() == b"a longer list of another content"


def test_files_of_earlier_generations_are_written_again(left: Path) -> None:
    """Their records have other keys since the item was reset."""
    with closing(sqlite3.connect(left / "store" / "cache.db")) as connection:
        connection.execute("UPDATE Cache SET key = 'old/0/fit/a' WHERE key = 'fit/a'")
        ((text,),) = connection.execute("SELECT value FROM Cache WHERE key = 'old/0/fit/a'").fetchall()
        record = unseal("fit/a", text)
        connection.execute("UPDATE Cache SET value = ? WHERE key = 'old/0/fit/a'", (seal("old/0/fit/a", record),))
        connection.commit()
    (left / "D" / "A" / "model.pkl").unlink()
    CheckpointStore(left).close()
    assert (left / "D" / "A" / "model.pkl").read_bytes() == b"content of model.pkl"


def test_a_write_that_failed_behind_our_back_is_made_up_for(left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is there in memory, and that its sync says is not on disk, is written again."""
    path, sync = left / "D" / "A" / "model.pkl", os.fsync
    inode = path.stat().st_ino

    def refused(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == inode:
            raise OSError(5, "broken")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", refused)
    CheckpointStore(left).close()
    assert path.read_bytes() == b"content of model.pkl"
    assert path.stat().st_ino != inode
    assert rows_of(left) == []


@pytest.mark.parametrize(
    "row",
    [
        ("../../outside", "../outside", "fit/a", b"evil"),
        ("tmp/work.1.abcdefgh/.lock", "/tmp/outside", "fit/a", b"evil"),
        ("tmp/work.1.abcdefgh/.lock", "D/A/../../../outside", "predict/a", b"evil"),
        (b"\xff\xfe", b"\xff", b"\xff", "a text"),
        (7, 7, 7, 7),
    ],
)
def test_rows_from_a_stranger_write_nothing_elsewhere(left: Path, row: tuple[object, ...]) -> None:
    """Whatever they say they are gone, and the store opens."""
    before = sorted(left.parent.rglob("*"))
    with closing(sqlite3.connect(left / "store" / "cache.db")) as connection:
        connection.execute("INSERT INTO UnsyncedFiles (holder, path, records, content) VALUES (?, ?, ?, ?)", row)
        connection.commit()
    CheckpointStore(left).close()
    assert rows_of(left) == []
    assert not set(left.parent.iterdir()) - {left, *before}


def test_a_table_of_another_form_is_made_anew(root: Path) -> None:
    """It has nothing that could be written again."""
    CheckpointStore(root).close()
    with closing(sqlite3.connect(root / "store" / "cache.db")) as connection:
        connection.execute("DROP TABLE UnsyncedFiles")
        connection.execute("CREATE TABLE UnsyncedFiles (x)")
        connection.commit()
    with closing(CheckpointStore(root)) as store:
        published(store, "model.pkl", b"content")
        assert rows_of(root) == ["D/A/model.pkl"]


@pytest.mark.parametrize("n_few", [0, 64])
def test_a_disk_that_cannot_be_synced_loses_nothing(root: Path, monkeypatch: pytest.MonkeyPatch, n_few: int) -> None:
    """The contents stay in the database, for whoever opens the store next."""

    def refused(*_: object) -> None:
        raise OSError(5, "broken")

    store = CheckpointStore(root)
    path = published(store, "model.pkl", b"content")
    with monkeypatch.context() as broken:
        broken.setattr(unsynced_files, "_FEW_FILES", n_few)
        broken.setattr(unsynced_files, "sync_file_system" if n_few == 0 else "sync_file", refused)
        store.close()
    assert rows_of(root) == ["D/A/model.pkl"]
    path.unlink()
    CheckpointStore(root).close()
    assert path.read_bytes() == b"content"
    assert rows_of(root) == []


def test_after_a_failed_sync_files_are_synced_themselves(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """That a later one succeeds says nothing of what the failed one has lost: its contents stay, and the user is told."""
    outcomes = iter([OSError(5, "broken"), None])

    def sync(_: int) -> None:
        if (error := next(outcomes)) is not None:
            raise error

    monkeypatch.setattr(unsynced_files, "_FEW_FILES", 0)
    monkeypatch.setattr(unsynced_files, "sync_file_system", sync)
    with closing(CheckpointStore(root)) as store:
        published(store, "model-0", b"content", key="fit/0")
        store._unsynced_files.sync()
        published(store, "model-1", b"content", key="fit/1")
        assert rows_of(root) == ["D/A/model-0"]
    assert rows_of(root) == ["D/A/model-0"]
    assert "could not be synced ([Errno 5] broken)" in capsys.readouterr().err


def test_a_machine_without_a_thread_left_records_all_the_same(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are synced at the end."""

    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(unsynced_files, "_MOST_FILES", 1)
    monkeypatch.setattr(threading.Thread, "start", refused)
    with closing(CheckpointStore(root)) as store:
        published(store, "model.pkl", b"content")
    assert rows_of(root) == []


def test_a_transaction_takes_no_contents_of_others_along(root: Path) -> None:
    """A small record is not refused on a full disk for what another item has in its hands."""
    with closing(CheckpointStore(root)) as store:
        publish_unrecorded(store, root / "model", "fit/a")
        store.records.commit({"fit/b": {}})
        assert rows_of(root) == []
        store.records.commit({"fit/a": {}})
        assert rows_of(root) == ["model"]


@pytest.mark.parametrize("replace", [Path.unlink, put_a_link, put_a_directory])
def test_a_file_that_somebody_has_replaced_does_not_keep_a_store_open(
    root: Path, replace: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is none of ours any more."""
    with closing(CheckpointStore(root)) as store:
        replace(published(store, "model.pkl", b"content"))
    assert rows_of(root) == []
    assert capsys.readouterr().err == ""


def test_a_locked_database_does_not_keep_a_store_open(root: Path) -> None:
    """Whoever opens it next removes the contents."""
    store = CheckpointStore(root)
    published(store, "model.pkl", b"content")
    with closing(sqlite3.connect(root / "store" / "cache.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        store.close()
        took = time.monotonic() - began
    assert took < 30  # it would wait for ten minutes
    assert rows_of(root) == ["D/A/model.pkl"]
    CheckpointStore(root).close()
    assert rows_of(root) == []


@pytest.mark.syncs
def test_a_signal_leaves_no_durable_commit_without_a_sync(root: Path) -> None:
    """It comes when the connection has been told not to wait for the disk, and before anybody has noted that."""

    class Interrupting:
        def __init__(self, connection: sqlite3.Connection) -> None:
            self.connection = connection

        def execute(self, statement: str) -> None:
            self.connection.execute(statement)
            raise KeyboardInterrupt

    with closing(CheckpointStore(root)) as store:
        connection = store.records._connection
        with pytest.raises(KeyboardInterrupt):
            store.records._wait_for_disk(cast(sqlite3.Connection, Interrupting(connection)), is_durable=False)
        assert connection.execute("PRAGMA synchronous").fetchone() == (1,)
        store.records.commit({"fit/a": {}})
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_many_files_are_synced_while_the_run_goes_on(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a thread, once there are so many; the next transaction removes their contents."""
    monkeypatch.setattr(unsynced_files, "_MOST_FILES", 3)
    monkeypatch.setattr(unsynced_files, "_FEW_FILES", 0)
    synced = threading.Event()
    sync = unsynced_files.sync_file_system

    def noted_sync(descriptor: int) -> None:
        sync(descriptor)
        synced.set()

    monkeypatch.setattr(unsynced_files, "sync_file_system", noted_sync)
    with closing(CheckpointStore(root)) as store:
        for number in range(3):
            published(store, f"model-{number}", b"content", key=f"fit/{number}")
        assert synced.wait(60)
        assert store._unsynced_files._syncing is not None
        store._unsynced_files._syncing.join()
        published(store, "model-3", b"content", key="fit/3")
        assert rows_of(root) == ["D/A/model-3"]


def test_a_transaction_that_fails_takes_the_contents_along_the_next_time(root: Path) -> None:
    """Until it is committed a file is no part of the database."""
    with closing(CheckpointStore(root)) as store:
        publish_unrecorded(store, root / "model.pkl", "fit/a")

        def refuse() -> None:
            raise StoreError("no")

        with pytest.raises(StoreError, match="no"):
            store.records.commit({"fit/a": {}}, check=refuse)
        assert rows_of(root) == []
        store.records.commit({"fit/a": {}})
        assert rows_of(root) == ["model.pkl"]


def test_a_database_that_is_given_up_leaves_nothing_unsynced(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was damaged while it was open: what it alone had is synced, and numbers of its rows mean nothing in the next one."""
    descriptors: list[int] = []
    monkeypatch.setattr(unsynced_files, "_FEW_FILES", 0)
    monkeypatch.setattr(unsynced_files, "sync_file_system", descriptors.append)
    with closing(CheckpointStore(root)) as store:
        published(store, "model-0", b"content", key="fit/0")
        store._open_records_again()
        assert len(descriptors) == 1
        published(store, "model-1", b"content", key="fit/1")
        assert "D/A/model-1" in rows_of(root)
    CheckpointStore(root).close()
    assert rows_of(root) == []


class Database:
    """A database of two processes' files, and what it should have of each."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        unsynced_files.create_table(self.connection)
        self.processes = [UnsyncedFiles(Path("/"), holder, lambda _: None) for holder in ("first", "second")]
        self.noted: list[set[str]] = [set(), set()]
        self.unsynced: list[set[str]] = [set(), set()]

    def commit(self, process: int, paths: set[str], *, how: str) -> None:
        self.connection.execute("BEGIN")
        note_committed = self.processes[process].write(self.connection, paths)
        if how == "fail":
            self.connection.execute("ROLLBACK")
            return
        self.connection.execute("COMMIT")
        taken = self.noted[process] & paths
        if how == "commit":  # else a signal comes in between
            note_committed()
            self.noted[process] -= taken
            self.unsynced[process] |= taken

    def rows(self, holder: str) -> set[str]:
        query = "SELECT path FROM UnsyncedFiles WHERE holder = ?"
        return {path for (path,) in self.connection.execute(query, (holder,))}


_PATHS = ("a", "b", "c")


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.sampled_from(["note", "commit", "interrupted", "fail", "sync", "forget"]),
            st.sets(st.sampled_from(_PATHS), min_size=1),
        ),
        max_size=30,
    )
)
def test_a_content_is_in_the_database_from_its_commit_until_it_is_synced(
    steps: list[tuple[int, str, set[str]]],
) -> None:
    """Whatever two processes do in whatever order, and though a signal comes behind a commit: none loses what is not synced."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unsynced_files, "sync_file_system", lambda _: None)
        patch.setattr(unsynced_files, "_FEW_FILES", 0)
        database = Database()
        for process, step, paths in steps:
            files = database.processes[process]
            if step == "sync":
                files.sync()
                database.unsynced[process].clear()
            elif step in ("note", "forget"):
                for path in paths:
                    files.note(path, [path], b"content") if step == "note" else files.forget(path)
                database.noted[process] -= paths
                database.unsynced[process] -= paths
                database.noted[process] |= paths if step == "note" else set()
            else:
                database.commit(process, paths, how=step)
            for number, holder in enumerate(("first", "second")):
                assert database.rows(holder) >= database.unsynced[number]
        for process, holder in enumerate(("first", "second")):
            database.commit(process, set(_PATHS), how="commit")
            database.commit(process, set(), how="commit")
            assert database.rows(holder) >= database.unsynced[process]
            database.processes[process].sync()
            database.commit(process, set(), how="commit")
            database.processes[process].close(lambda _: None)
        database.connection.close()


def test_threads_that_commit_at_once_lose_no_content(root: Path) -> None:
    """Whose transaction takes whose file along does not matter: each is in the database when its own record is committed."""
    n_threads, n_files = 4, 60
    missing: list[str] = []

    def publish_many(store: CheckpointStore, thread: int) -> None:
        connection = sqlite3.connect(root / "store" / "cache.db")
        for number in range(n_files):
            key = f"fit/{thread}-{number}"
            publish_unrecorded(store, root / "D" / f"{thread}-{number}", key)
            store.records.commit({key: {}}, is_durable=bool(number % 2))
            query = "SELECT count(*) FROM UnsyncedFiles WHERE path = ?"
            if connection.execute(query, (f"D/{thread}-{number}",)).fetchone() != (1,):
                missing.append(key)
        connection.close()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with closing(CheckpointStore(root)) as store:
            threads = [threading.Thread(target=publish_many, args=(store, number)) for number in range(n_threads)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        sys.setswitchinterval(before)
    assert missing == []
    assert rows_of(root) == []


@pytest.fixture(autouse=True)
def without_threads_left() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "omnibench-syncfs" and thread.is_alive()]
