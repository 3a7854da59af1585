"""Small files that are not synced: the database has their content until they are, and whoever opens the store next writes lost ones again."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.errors import StoreError
from omnibench.store import CheckpointStore, unsynced_files
from omnibench.store.filesystems import Mount
from omnibench.store.schema import Record
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
        store.commit(lease, {key: {"directory": "D/A", **({"model": described} if name == "model.pkl" else {})}})
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
    store: CheckpointStore, name: str, content: bytes, *, key: str = "fit/a", is_recorded: bool = False
) -> Path:
    final = store.root / "D" / "A" / name
    with store.temporary() as scratch, store.lease("a") as lease:
        (scratch / name).write_bytes(content)
        described = store.publish(
            scratch / name, final, until_commit=True, is_unrecorded=not is_recorded, of_records=[key]
        )
        store.commit(lease, {key: {"directory": "D/A", "model": described}})
    return final


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
    assert "model.pkl" in synced
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
    assert "1 file that the power had taken was written again" in capsys.readouterr().err


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


def test_a_shared_store_gets_no_file_from_its_database(left: Path) -> None:
    """A member of the group may have put any model there; written again it would be the reader's own, which is loaded."""
    (left / "store").chmod(0o2770)
    (left / "D" / "A" / "model.pkl").unlink()
    assert not unsynced_files.may_leave_unsynced(left)
    CheckpointStore(left).close()
    assert not (left / "D" / "A" / "model.pkl").exists()


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


def test_a_disk_that_cannot_be_synced_loses_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The contents stay in the database, for whoever opens the store next."""

    def refused(_: int) -> None:
        raise OSError(5, "broken")

    store = CheckpointStore(root)
    path = published(store, "model.pkl", b"content")
    with monkeypatch.context() as broken:
        broken.setattr(unsynced_files, "sync_file_system", refused)
        store.close()
    assert rows_of(root) == ["D/A/model.pkl"]
    path.unlink()
    CheckpointStore(root).close()
    assert path.read_bytes() == b"content"
    assert rows_of(root) == []


def test_many_files_are_synced_while_the_run_goes_on(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a thread, once there are so many; the next transaction removes their contents."""
    monkeypatch.setattr(unsynced_files, "_MOST_FILES", 3)
    synced = threading.Event()
    sync = unsynced_files.sync_file_system
    monkeypatch.setattr(unsynced_files, "sync_file_system", lambda path: (sync(path), synced.set()))
    with closing(CheckpointStore(root)) as store:
        for number in range(3):
            published(store, f"model-{number}", b"content", key=f"fit/{number}")
        assert synced.wait(60)
        store._unsynced_files._syncing.join()
        published(store, "model-3", b"content", key="fit/3")
        assert rows_of(root) == ["D/A/model-3"]


def test_a_transaction_that_fails_takes_the_contents_along_the_next_time(root: Path) -> None:
    """Until it is committed a file is no part of the database."""
    with closing(CheckpointStore(root)) as store:
        with store.temporary() as scratch:
            (scratch / "model.pkl").write_bytes(b"content")
            store.publish(
                scratch / "model.pkl", root / "model.pkl", until_commit=True, is_unrecorded=True, of_records=["fit/a"]
            )

        def refuse() -> None:
            raise StoreError("no")

        with pytest.raises(StoreError, match="no"):
            store.records.commit({"fit/a": {}}, check=refuse)
        assert rows_of(root) == []
        store.records.commit({"fit/a": {}})
        assert rows_of(root) == ["model.pkl"]


def test_a_database_that_is_given_up_leaves_nothing_unsynced(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was damaged while it was open: what it alone had is synced, and numbers of its rows mean nothing in the next one."""
    sync, n_syncs = unsynced_files.sync_file_system, []
    monkeypatch.setattr(unsynced_files, "sync_file_system", lambda path: n_syncs.append(sync(path)))
    with closing(CheckpointStore(root)) as store:
        published(store, "model-0", b"content", key="fit/0")
        store._open_records_again()
        assert len(n_syncs) == 1
        published(store, "model-1", b"content", key="fit/1")
        assert "D/A/model-1" in rows_of(root)
    CheckpointStore(root).close()
    assert rows_of(root) == []


class Database:
    """A database of two processes' files, and what it should have of each."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        unsynced_files.create_table(self.connection)
        self.processes = [UnsyncedFiles(Path("/"), holder, str) for holder in ("first", "second")]
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
    """Whatever two processes do in whatever order: none loses what the other has left, and in the end none keeps what is synced."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unsynced_files, "sync_file_system", lambda _: None)
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
            with store.temporary() as scratch:
                (scratch / "model").write_bytes(b"content")
                final = root / "D" / f"{thread}-{number}"
                store.publish(scratch / "model", final, until_commit=True, is_unrecorded=True, of_records=[key])
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
