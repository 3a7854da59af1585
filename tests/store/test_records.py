"""Records: JSON texts that stay, that survive their writer, and that are never pickles."""

from __future__ import annotations

import json
import os
import pickle
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import diskcache
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from omnibench.errors import StoreError
from omnibench.store import records as records_module
from omnibench.store import waiting
from omnibench.store.damage import DamagedStoreError
from omnibench.store.indexes import create_indexes
from omnibench.store.reading import read, read_all
from omnibench.store.records import Records
from omnibench.store.revision import count_revisions
from omnibench.store.sealing import CHECK, seal, unseal
from omnibench.store.views import create_views
from omnibench.store.waiting import LockedStoreError, LockWait

pytestmark = pytest.mark.usefixtures("made_up_records")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "a?b#c %20" / "store"


@pytest.fixture
def records(directory: Path) -> Iterator[Records]:
    opened = Records(directory)
    yield opened
    opened.close()


def database(directory: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(directory / "cache.db", isolation_level=None))


texts = st.text(max_size=8)
keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
contents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@example({"x": {"status": [1]}})  # which only an item may not have
@given(st.dictionaries(keys, st.dictionaries(texts.filter(lambda name: name != CHECK), contents)))
def test_what_is_committed_is_read(records: Records, directory: Path, committed: dict[str, dict[str, Any]]) -> None:
    """Committed records are read by key and in bulk, with every kind of text and number, half characters included."""
    records.commit(committed)
    everything = read_all(directory)
    for key, record in committed.items():
        assert records.get(key) == record == everything[key]


def test_a_missing_record_is_none(records: Records, directory: Path) -> None:
    """So is every record of a directory that is not there."""
    assert records.get("fit/x") is None
    assert read_all(directory) == {}
    assert read_all(directory / "nowhere") == {}


def test_a_commit_is_all_or_nothing(records: Records, directory: Path) -> None:
    """What is raised inside the transaction, or cannot be written, leaves everything as it was."""
    records.commit({"kept": {"a": 1}})

    def refuse() -> None:
        raise StoreError("lost the lease")

    with pytest.raises(StoreError, match="lost the lease"):
        records.commit({"new": {}}, delete=["kept"], check=refuse)
    with pytest.raises(TypeError):
        records.commit({"new": {}, "bad": {"a": object()}}, delete=["kept"])
    with pytest.raises(StoreError, match="is no text"):
        records.commit({"new": {}, 3: {}}, delete=["kept"])  # type: ignore[dict-item]
    assert read_all(directory) == {"kept": {"a": 1}}


def test_deleting_and_writing_happen_at_once(records: Records, directory: Path) -> None:
    """A key that is deleted and written stays with what is written; unknown keys do no harm."""
    records.commit({"a": {"n": 1}, "b": {}})
    records.commit({"a": {"n": 2}}, delete=["a", "b", "never"])
    assert read_all(directory) == {"a": {"n": 2}}


@pytest.mark.syncs
def test_the_settings_keep_records(records: Records, directory: Path) -> None:
    """No eviction, no limit, no value files, full synchronisation: as asked for, in the database, for good."""
    cache = records._cache
    assert cache.eviction_policy == "none"
    assert (cache.cull_limit, cache.size_limit, cache.disk_min_file_size) == (0, 2**62, 2**31 - 1)
    assert cache.sqlite_synchronous == 2
    assert cache._sql("PRAGMA synchronous").fetchone() == (2,)
    assert cache._sql("PRAGMA journal_mode").fetchone() == ("wal",)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_nothing_is_evicted_and_no_file_is_written(records: Records, directory: Path) -> None:
    """Records far beyond diskcache's default limits for files and culling stay, inside the database."""
    large = {f"large/{number}": {"text": str(number) * 200_000} for number in range(10)}
    small = {f"small/{number}": {"n": number} for number in range(2000)}
    records.commit(large)
    records.commit(small)
    records._cache.cull()
    records._cache.expire()
    assert read_all(directory) == {**large, **small}
    assert {file.name for file in directory.iterdir()} <= {"cache.db", "cache.db-wal", "cache.db-shm"}


def test_settings_of_another_program_are_put_right(directory: Path) -> None:
    """Somebody opened the database with diskcache's defaults: opening it again restores what keeps records."""
    diskcache.Cache(str(directory), size_limit=1000, cull_limit=10, eviction_policy="least-recently-stored").close()
    with closing(Records(directory)) as records:
        records.commit({f"r/{number}": {"text": "x" * 1000} for number in range(50)})
        assert len(read_all(directory)) == 50
        assert records._cache.eviction_policy == "none"


def test_settings_that_do_not_hold_are_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Better no run than one whose results may be dropped."""
    original = diskcache.Cache.reset

    def stubborn(self: Any, key: str, *given: Any, **named: Any) -> Any:
        if key == "cull_limit":
            self.cull_limit = 10
            return 10
        return original(self, key, *given, **named)

    monkeypatch.setattr(diskcache.Cache, "reset", stubborn)
    with pytest.raises(StoreError, match="cull_limit=10, which may drop results"):
        Records(directory)


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.mkdir, (os.environ["BOMB"],)


@pytest.fixture
def bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BOMB", str(tmp_path / "exploded"))
    return tmp_path / "exploded"


def aside(directory: Path) -> list[dict[str, Any]]:
    """What was set aside, each line of which is sealed under its record's key."""
    lines = (directory.parent / "damaged-records.jsonl").read_text(encoding="utf-8").splitlines()
    return [unseal(json.loads(line)["key"], line) for line in lines]


def test_a_planted_pickle_is_set_aside_unread(records: Records, directory: Path, bomb: Path) -> None:
    """A planted pickle (value, file or key) is set aside unread; the bulk read does not see it (CVE-2025-69872)."""
    records.commit({"fit/a": {}, "fit/b": {}, "fit/c": {}})
    payload = pickle.dumps(Bomb())
    (directory / "payload.val").write_bytes(payload)
    with database(directory) as connection:
        connection.execute("UPDATE Cache SET mode = 4, value = ? WHERE key = 'fit/a'", (payload,))
        connection.execute("UPDATE Cache SET mode = 4, value = NULL, filename = 'payload.val' WHERE key = 'fit/b'")
    assert read_all(directory) == {"fit/c": {}}
    for key in ("fit/a", "fit/b"):
        with pytest.warns(UserWarning, match=f"the record {key} is damaged .*a pickle or a file.* set aside"):
            assert records.get(key) is None
        assert records.get(key) is None
    assert [one["key"] for one in aside(directory)] == ["fit/a", "fit/b"]
    assert aside(directory)[0]["found"] == payload.decode(errors="backslashreplace")
    with database(directory) as connection:
        connection.execute("UPDATE Cache SET raw = 0, key = ? WHERE key = 'fit/c'", (payload,))
    assert read_all(directory) == {}
    with pytest.raises(StoreError, match="pickled key"):
        list(records._cache)
    assert not bomb.exists()


def test_only_text_goes_in(records: Records) -> None:
    """Whatever diskcache would pickle is refused before it is written."""
    for key, value in ((1, "text"), ("key", {"a": 1}), ("key", b"bytes"), (("key",), "text")):
        with pytest.raises(StoreError, match="is no text"):
            records._cache.set(key, value)


@pytest.mark.parametrize("damaged", ["{", "[]", "3", "", '{"n": 1}', seal("fit/other", {"n": 1}), 3, b"{}"])
def test_a_damaged_record_is_set_aside(records: Records, directory: Path, damaged: object) -> None:
    """Said once, kept for looking at, and none from then on: not a JSONDecodeError, and never a wrong record."""
    records.commit({"fit/a": {}, "fit/b": {"n": 2}})
    with database(directory) as connection:
        connection.execute("UPDATE Cache SET value = ? WHERE key = 'fit/a'", (damaged,))
        (found,) = connection.execute("SELECT CAST(value AS TEXT) FROM Cache WHERE key = 'fit/a'").fetchone()
    noticed: list[str] = []
    assert read_all(directory, noticed.append) == {"fit/b": {"n": 2}}
    assert noticed == ["fit/a"]
    with pytest.warns(UserWarning, match=r"the record fit/a is damaged .*set aside in damaged-records\.jsonl"):
        assert records.get("fit/a") is None
    assert [(one["key"], one["found"]) for one in aside(directory)] == [("fit/a", found)]
    assert stat.S_IMODE((directory.parent / "damaged-records.jsonl").stat().st_mode) == 0o600
    assert records.get("fit/a") is None


def test_adding_does_not_overwrite(records: Records) -> None:
    """It writes what is not there and leaves what is."""
    records.commit({"a": {"n": 1}})
    records.add({"a": {"n": 2}, "b": {"n": 2}})
    assert records.all() == {"a": {"n": 1}, "b": {"n": 2}}


def test_a_record_survives_the_death_of_its_writer(directory: Path) -> None:
    """Killed right after the commit returned: the record is there."""
    code = f"""
import os, signal
from pathlib import Path
from omnibench.store.records import Records
records = Records(Path({str(directory)!r}))
for number in range(20):
    records.commit({{f"fit/{{number}}": {{"n": number}}}})
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    expected = {f"fit/{number}": {"n": number} for number in range(20)}
    assert read_all(directory) == expected
    with closing(Records(directory)) as records:
        assert all(records.get(key) == record for key, record in expected.items())


def test_a_writer_killed_inside_a_transaction_leaves_nothing_and_no_lock(directory: Path) -> None:
    """Half a commit is none, and the next one goes through."""
    code = f"""
import os, signal
from pathlib import Path
from omnibench.store.records import Records
records = Records(Path({str(directory)!r}))
records.commit({{"kept": {{}}}})
cache = records._cache
with cache.transact():
    cache.set("half", "{{}}")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert read_all(directory) == {"kept": {}}
    with closing(Records(directory)) as records:
        records.commit({"next": {}})
    assert read_all(directory) == {"kept": {}, "next": {}}


def test_several_processes_write_at_once(directory: Path) -> None:
    """No record of any of them is lost."""
    code = """
import sys
from pathlib import Path
from omnibench.store.records import Records
records = Records(Path(sys.argv[1]))
for number in range(25):
    records.commit({f"{sys.argv[2]}/{number}": {"n": number}})
records.close()
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, str(directory), name]) for name in "abcd"]
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    assert len(read_all(directory)) == 100


@pytest.mark.parametrize("replaced", [False, True])
def test_a_commit_into_a_removed_database_is_refused(directory: Path, replaced: bool) -> None:
    """It would "succeed" into a file that nobody can open again; also when another store took its place."""
    records = Records(directory)
    directory.rename(directory.with_name("moved"))
    other = Records(directory) if replaced else None
    with pytest.raises(StoreError, match="were removed while they were in use"):
        records.commit({"fit/a": {}})
    records.close()
    if other is not None:
        other.close()


def test_a_damaged_database_is_an_error_of_its_own(directory: Path) -> None:
    """Whoever opens the store sets it aside and rebuilds it; here it is left as it is."""
    with closing(Records(directory)) as records:
        records.commit({"fit/a": {}})
    for file in directory.iterdir():
        file.write_bytes(b"not a database " * 100)
    for opening in (read_all, Records):
        with pytest.raises(DamagedStoreError, match="are damaged"):
            opening(directory)
    assert (directory / "cache.db").read_bytes().startswith(b"not a database")
    assert [one.name for one in directory.parent.iterdir()] == ["store"]


def test_a_place_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """A directory below a file is nothing to set aside; the error says the way out."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot be opened .*--omnirec-checkpoint-dir"):
        Records(tmp_path / "file" / "store")
    assert (tmp_path / "file").read_text() == ""


def test_thousands_of_keys_are_looked_for_together(records: Records, directory: Path) -> None:
    """Of any number of keys those that have a record are returned, also where the record is damaged."""
    records.commit({f"item/{number}": {"number": number} for number in range(0, 1200, 2)})
    with database(directory) as connection:
        connection.execute("UPDATE Cache SET value = 'torn' WHERE key = 'item/0'")
    looked_for = [f"item/{number}" for number in range(1200)]
    present = read(directory, lambda reader: reader.present(looked_for))
    assert present == {f"item/{number}" for number in range(0, 1200, 2)}
    assert read(directory, lambda reader: reader.present([])) == set()
    numbers = read(directory, lambda reader: reader.members(looked_for, "number"))
    assert numbers == {f"item/{number}": number for number in range(2, 1200, 2)}, "without what is no JSON any more"
    assert read(directory, lambda reader: reader.members(["item/2"], "name")) == {"item/2": None}


@pytest.mark.parametrize("prepare", [count_revisions, create_indexes, create_views])
def test_who_is_overtaken_while_it_prepares_a_database_finds_it_prepared(
    tmp_path: Path, prepare: Callable[[sqlite3.Connection], None]
) -> None:
    """Another process may have had the lock between the look and the change."""
    path = tmp_path / "cache.db"

    class Overtaken(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if sql == "BEGIN IMMEDIATE":
                with closing(sqlite3.connect(path, isolation_level=None)) as other:
                    prepare(other)
            return super().execute(sql, *parameters)

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE Cache (key, raw, mode, value)")
    with closing(sqlite3.connect(path, isolation_level=None, factory=Overtaken)) as connection:
        prepare(connection)
        before = connection.execute("SELECT name, sql FROM sqlite_master").fetchall()
        prepare(connection)
        assert connection.execute("SELECT name, sql FROM sqlite_master").fetchall() == before


def test_threads_write_in_turn(records: Records) -> None:
    """A commit waits for that of another thread, a note gives up; whoever fails inside leaves the turn to the next one."""
    is_inside, may_end = threading.Event(), threading.Event()

    def check() -> None:
        is_inside.set()
        may_end.wait(180)
        raise StoreError("its lease was lost")

    with ThreadPoolExecutor() as threads:
        first = threads.submit(records.commit, {"item/first": {}}, check=check)
        assert is_inside.wait(180)
        with pytest.raises(LockedStoreError):
            threads.submit(records.note, {"worker/busy": {}}).result(180)
        second = threads.submit(records.commit, {"item/second": {}})
        assert not second.done()
        may_end.set()
        second.result(180)
        with pytest.raises(StoreError, match="lost"):
            first.result(180)
    assert list(records.all()) == ["item/second"]


def test_many_threads_that_write_in_turn_keep_nothing_locked(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for the short turns of many others is told of no lock, unless a turn takes as long as one look."""
    look = 0.2
    monkeypatch.setattr(records_module, "LOOK_SECONDS", look)
    monkeypatch.setattr(waiting, "TOLD_AFTER_SECONDS", 0.0)
    said: list[str] = []
    moments: list[float] = []

    def check() -> None:
        moments.append(time.monotonic())
        time.sleep(look / 5)

    with closing(Records(directory, waiting=LockWait(said.append))) as records, ThreadPoolExecutor(16) as threads:
        commits = [threads.submit(records.commit, {f"item/{number}": {}}, check=check) for number in range(16)]
        for commit in commits:
            commit.result(60)
        assert len(records.all()) == 16
    longest = max(after - before for before, after in pairwise(moments))
    assert not said or longest >= look


def test_a_signal_that_comes_while_the_lock_is_waited_for_leaves_no_transaction(
    records: Records, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has interrupted is recorded afterwards, by this process and by others."""

    class Interrupted(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupted

    begin = Records._begin
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with closing(
            sqlite3.connect(directory / "cache.db", isolation_level=None, check_same_thread=False)
        ) as connection:

            def end() -> None:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
                connection.execute("COMMIT")

            ending = threading.Timer(0.1, end)

            def begin_and_wait(opened: Records, own: sqlite3.Connection, *, is_durable: bool) -> None:
                ending.start()
                begin(opened, own, is_durable=is_durable)

            connection.execute("BEGIN IMMEDIATE")
            monkeypatch.setattr(Records, "_begin", begin_and_wait)
            with pytest.raises(Interrupted):
                records.commit({"item/first": {}})
            ending.join()
            monkeypatch.undo()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    finally:
        signal.signal(signal.SIGUSR1, before)
    records.commit({"item/second": {}})
    assert list(records.all()) == ["item/second"]
