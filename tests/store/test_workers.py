"""Workers: seen while they live, stopped or not, and seen to be gone when they are."""

from __future__ import annotations

import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from omnibench.errors import StoreError
from omnibench.store import CheckpointStore, heartbeats, workers
from omnibench.store.exports import Exports
from omnibench.store.item_records import pending_item
from omnibench.store.logbook import LogBook
from omnibench.store.queries import Store
from omnibench.store.schema import RecordType
from omnibench.store.states import sightings
from omnibench.store.workers import Worker

pytestmark = pytest.mark.usefixtures("made_up_records")

WORKER = """
import sys
from omnibench.store import CheckpointStore
from omnibench.store.workers import Worker
store = CheckpointStore(sys.argv[1])
worker = Worker(store, "run-1", "gw0")
worker.note_phase("D/A", "Fit")
worker.log.add(20, "omnibench", "begins", "D/A")
print(worker.id, flush=True)
sys.stdin.read()
worker.note_phase(None)
worker.end()
store.close()
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    opened = CheckpointStore(tmp_path / "checkpoints")
    yield opened
    opened.close()


@contextmanager
def working(store: CheckpointStore, name: str = "main") -> Iterator[Worker]:
    worker = Worker(store, "run-1", name)
    try:
        yield worker
    finally:
        worker.end()


def test_workers_of_a_process_share_what_progress_json_may_cost(store: CheckpointStore) -> None:
    """A thousand threads bring it up to date no more often than a single one would; each says for itself what it computes."""
    with working(store) as worker:
        twin = worker.for_thread("gw1")
        try:
            was_due = twin._exports.due
            worker._exports._next = math.inf
            assert (was_due, twin._exports.due) == (True, False)
            assert (twin._facts["run"], ".gw1." in twin.id) == ("run-1", True)
            assert [thread.name for thread in threading.enumerate()].count("omnibench-heartbeat") == 1
        finally:
            twin.end()


def test_a_phase_that_came_while_progress_json_was_young_is_written_later(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An item begins just after another thread or process has written the copies of a large store: its Fit stands there soon, too."""
    later = 0.0
    clock = SimpleNamespace(
        monotonic=lambda: time.monotonic() + later, time=lambda: time.time() + later, thread_time=time.thread_time
    )
    monkeypatch.setattr("omnibench.store.exports.time", clock)
    monkeypatch.setattr("omnibench.store.exports._FEW_ITEMS", 1)
    store.records.add({f"item/k{n}": pending_item({"item": f"i{n}", "fit_key": f"k{n}"}) for n in (1, 2)})
    exports = Exports(store)
    exports.refresh()
    exports._next, exports._pause = 0.0, 10.0
    no_thread: Any = mock.Mock()
    worker = Worker(store, "run", "main", exports, no_thread)
    worker.note_phase("i2", "Fit")
    record = worker.due_record()
    assert record is not None
    store.records.note({RecordType.WORKER.key(worker.id): record})

    def said() -> Any:
        return json.loads((store.root / "progress.json").read_text())["items"]["i2"]

    worker.bring_out(is_log_locked=False)
    assert (said()["status"], said()["phase"]) == ("pending", None)
    later = 10.0
    worker.bring_out(is_log_locked=False)
    assert (said()["status"], said()["phase"]) == ("interrupted", "Fit")


def test_a_worker_says_which_trial_it_computes(store: CheckpointStore) -> None:
    """While the framework reports its epochs, and while it starts; the next phase has nothing of it."""

    def progress(worker: Worker) -> Any:
        worker.note_unwritten()
        record = worker.due_record()
        return record and record["progress"]

    with working(store) as worker:
        worker.note_phase("D/A", "Tune")
        trial = {"trial": 2, "trials": 9, "best": 0.5, "metric": "NDCG@10"}
        worker.progress(trial)
        worker.note_phase("D/A", "no worker declares 1 GPU; waiting for a worker for Tune")
        worker.note_phase("D/A", "starting RecPack for Tune")
        worker.note_phase("D/A", "Tune")
        assert progress(worker) == trial
        worker.progress({"epoch": 1, "epochs": 3})
        assert progress(worker) == {**trial, "epoch": 1, "epochs": 3}
        worker.progress({**trial, "trial": 3})
        assert progress(worker) == {**trial, "trial": 3}
        worker.note_phase("D/A", "Fit")
        assert progress(worker) is None
        worker.progress({"epoch": 1, "metric": 0.1})
        worker.progress({"epoch": 2})
        assert progress(worker) == {"epoch": 2}


def test_a_worker_that_ends_leaves_those_beside_it(store: CheckpointStore) -> None:
    """Its last record says that it has ended, while the records of the others go on to be written."""
    with working(store) as worker:
        twin = worker.for_thread("gw1")
        twin.note_phase("D/B", "Fit")
        twin.note_phase(None)
        twin.end()
        assert seen(store, twin.id)["ended"]
        worker.note_phase("D/A", "Fit")
        until(lambda: seen(store, worker.id).get("item") == "D/A")
        assert seen(store, worker.id)["ended"] is None
        worker.note_phase(None)
    assert seen(store, worker.id)["ended"]


def test_a_locked_log_keeps_no_record_from_being_written(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is waited for once, not once for each of the workers of a process; each says that it has ended."""
    with working(store) as worker:
        twins = [worker.for_thread(f"gw{number}") for number in range(8)]
        worker.note("the log is made")
        until(lambda: logged(store))
        waits: list[str] = []

        def wait_for_nothing(log: LogBook, *_: Any) -> None:
            waits.append(log.worker)
            raise locked

        locked = sqlite3.OperationalError("database is locked")
        locked.sqlite_errorcode = sqlite3.SQLITE_BUSY
        monkeypatch.setattr(LogBook, "_write", wait_for_nothing)
        for twin in twins:
            twin.log.add(20, "omnibench", "cannot be written")
            twin.is_ending = True
        for twin in twins:
            twin.end()
        passes = len(waits)
        assert passes <= 3, "a pass or two of all workers, each of which waits once"
        assert all(seen(store, twin.id)["ended"] for twin in twins)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("trouble", ["its log", "its state"])
def test_a_worker_that_cannot_be_written_down_leaves_those_beside_it(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """Its trouble is shown, nobody waits for it, and the records of the others go on to be written."""
    shown: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda arguments: shown.append(str(arguments.exc_value)))
    with working(store) as worker:
        twin = worker.for_thread("gw1")
        if trouble == "its state":
            twin.progress({"loss": object()})
        else:
            monkeypatch.setattr(twin.log, "flush", mock.Mock(side_effect=RuntimeError("no log")))
        until(lambda: shown)
        twin.end()
        worker.note_phase("D/A", "Fit")
        until(lambda: seen(store, worker.id).get("item") == "D/A")
        worker.note_phase(None)
    assert seen(store, worker.id)["ended"]
    assert len(shown) == 1


@contextmanager
def working_elsewhere(root: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process is a worker until its stdin is closed."""
    command = [sys.executable, "-c", WORKER, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        process.kill()


def until(what: Callable[[], Any], seconds: float = 30) -> Any:
    """Return what a question is answered with as soon as that is something."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


def seen(store: CheckpointStore, worker: str) -> dict[str, Any]:
    """Return what anybody can ask the store about a worker."""
    found = {one["id"]: one for one in Store(store.root).workers(active=False)}
    return found.get(worker, {})


def logged(store: CheckpointStore) -> list[str]:
    """Return the messages in the log, none while the log is being made."""
    with closing(sqlite3.connect(store.root / "logs.db")) as connection, suppress(sqlite3.OperationalError):
        return [message for (message,) in connection.execute("SELECT message FROM logs")]
    return []


def test_a_worker_is_seen_from_its_beginning_to_its_end(store: CheckpointStore) -> None:
    """What it is at, what it has done, and that it has ended."""
    with working(store, "gw3") as worker:
        assert worker.id.startswith("run-1.gw3.")
        first = until(lambda: seen(store, worker.id))
        assert (first["pid"], first["host"], first["run"]) == (os.getpid(), os.uname().nodename, "run-1")
        assert (first["alive"], first["ended"], first["item"], first["completed"]) == (True, None, None, 0)
        worker.note_phase("D/A", "Fit")
        until(lambda: seen(store, worker.id)["phase"] == "Fit")
        worker.count_completed()
        worker.note_phase(None)
        until(lambda: seen(store, worker.id)["completed"] == 1)
    last = seen(store, worker.id)
    assert (last["alive"], last["item"], last["phase"], last["completed"]) == (False, None, None, 1)
    assert last["ended"] >= last["started"]
    assert Store(store.root).workers() == []


def test_the_heart_beats(store: CheckpointStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The heartbeat is written also while nothing changes."""
    monkeypatch.setattr(workers, "HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(heartbeats, "FLUSH_SECONDS", 0.05)
    with working(store) as worker:
        first = until(lambda: seen(store, worker.id))["heartbeat"]
        until(lambda: seen(store, worker.id)["heartbeat"] > first)


def test_the_log_is_flushed_while_it_works_and_when_it_ends(store: CheckpointStore) -> None:
    """Somebody who follows sees what happens; the last words are not lost."""
    with working(store) as worker:
        worker.log.add(20, "omnibench", "begins", "D/A")
        until(lambda: logged(store))
        worker.log.add(20, "omnibench", "ends", "D/A")
    assert [(one["message"], one["worker"]) for one in Store(store.root).logs()] == [
        ("begins", worker.id),
        ("ends", worker.id),
    ]


def test_ending_twice_is_no_error_and_leaves_no_thread(store: CheckpointStore) -> None:
    """Whoever closes, closes."""
    worker = Worker(store, "run-1")
    worker.end()
    worker.end()
    assert [one.name for one in threading.enumerate() if one.name == "omnibench-heartbeat"] == []


def test_a_worker_that_is_given_up_goes_on_to_name_its_item(store: CheckpointStore) -> None:
    """Its thread hangs or its disk does: what it was at was never recorded, and has to read as interrupted."""
    worker = Worker(store, "run-1", "gw0")
    worker.note_phase("D/A", "Predict")
    worker.end()
    record = store.records.get(f"worker/{worker.id}")
    assert record is not None
    assert (record["item"], record["phase"], record["ended"]) == ("D/A", "Predict", None)
    assert sightings(store.root, [record])["D/A"].phase == "Predict"


def test_a_killed_worker_is_not_alive(store: CheckpointStore) -> None:
    """At once, with no time-out: its last record says what it was at."""
    with working_elsewhere(store.root) as (process, worker):
        until(lambda: seen(store, worker).get("item"))
        assert seen(store, worker)["alive"]
        process.send_signal(signal.SIGKILL)
        process.wait()
        found = seen(store, worker)
        assert (found["alive"], found["ended"], found["item"], found["phase"]) == (False, None, "D/A", "Fit")
        assert Store(store.root).workers() == []


def test_a_stopped_worker_is_alive(store: CheckpointStore) -> None:
    """Somebody's Ctrl-Z is not a death, however old its heartbeat gets."""
    with working_elsewhere(store.root) as (process, worker):
        until(lambda: seen(store, worker))
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        assert seen(store, worker)["alive"]
        process.send_signal(signal.SIGCONT)
        process.communicate("", timeout=180)
        assert process.returncode == 0
        assert (seen(store, worker)["alive"], bool(seen(store, worker)["ended"])) == (False, True)


def test_two_workers_of_one_name_are_two(store: CheckpointStore) -> None:
    """A crashed worker's successor may be called like it."""
    with working(store, "gw0") as one, working(store, "gw0") as other:
        assert until(lambda: len(Store(store.root).workers()) == 2)
        assert one.id != other.id


def test_a_lock_outside_of_the_store_proves_no_life(store: CheckpointStore) -> None:
    """A record that points elsewhere is not believed, and nothing there is opened."""
    with working(store) as worker:
        until(lambda: seen(store, worker.id))
    record = store.records.get(f"worker/{worker.id}")
    assert record is not None
    (store.root.parent / "lock").write_text("")
    with store.lease("a"):
        for lock, alive in (("leases/a.lock", True), ("../lock", False), (str(store.root.parent / "lock"), False)):
            store.records.commit({f"worker/{worker.id}": {**record, "ended": None, "lock": lock}})
            assert seen(store, worker.id)["alive"] is alive


def test_a_heart_goes_on_after_it_could_not_be_written(store: CheckpointStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is out of reach for a moment costs a beat, not the worker."""
    monkeypatch.setattr(workers, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(heartbeats, "FLUSH_SECONDS", 0.05)
    place, note = store.root / "store", store.records.note
    beats: list[int] = []

    def beating(records: dict[str, Any]) -> None:
        beats.append(1)
        note(records)

    monkeypatch.setattr(store.records, "note", beating)
    with working(store) as worker:
        until(lambda: seen(store, worker.id))
        place.rename(place.with_name("moved"))
        worker.note_phase("D/A", "Fit")
        before = len(beats)
        until(lambda: len(beats) > before + 2)
        place.with_name("moved").rename(place)
        until(lambda: seen(store, worker.id)["item"] == "D/A")


def test_a_note_from_a_thread_that_cannot_open_the_database_is_a_store_error(store: CheckpointStore) -> None:
    """A note that cannot be written raises StoreError; SQLite's own error would end the heartbeat for good."""
    place = store.root / "store"
    caught: list[BaseException] = []

    def note() -> None:
        try:
            store.records.note({"worker/a": {}})
        except BaseException as error:
            caught.append(error)

    place.rename(place.with_name("moved"))
    thread = threading.Thread(target=note)
    thread.start()
    thread.join()
    place.with_name("moved").rename(place)
    assert [isinstance(error, StoreError) for error in caught] == [True], caught


@pytest.mark.syncs
def test_notes_of_one_thread_leave_the_others_durable(store: CheckpointStore) -> None:
    """Waiting for the disk is given up for heartbeats only."""
    with working(store) as worker:
        until(lambda: seen(store, worker.id))
        assert store.records._cache._sql("PRAGMA synchronous").fetchone() == (2,)
    with closing(sqlite3.connect(store.root / "store" / "cache.db")) as connection:
        settings = dict(connection.execute("SELECT key, value FROM Settings").fetchall())
    assert settings["sqlite_synchronous"] == 2


def test_a_worker_says_what_its_newest_snapshot_is_of(store: CheckpointStore) -> None:
    """For whoever watches it, until it comes to another phase."""
    members = {"name": "n", "iteration": 3, "iterations": 9, "unit": "epoch"}
    newest = {**members, "within": None, "made": "2026-01-01T00:00:00Z", "bytes": 7}
    with working(store) as worker:

        def is_noted(expected: object) -> bool:
            record = store.records.get(f"worker/{worker.id}") or {}
            return bool(record.get("snapshot") == expected)

        worker.note_phase("D/A", "Fit")
        worker.note_snapshot({**members, "finished": newest["made"], "size": 7})
        until(lambda: is_noted(newest))
        worker.note_phase("D/A", "Predict")
        until(lambda: is_noted(None))


def test_silence_of_a_guest_is_recorded_in_steps(store: CheckpointStore) -> None:
    """Counted in fives, so that it costs few writes; gone with the phase, or when the guest is heard again."""
    key = "worker/{}".format
    with working(store) as worker:

        def recorded(expected: object) -> bool:
            record = store.records.get(key(worker.id)) or {}
            return bool(record.get("silence") == expected)

        worker.note_phase("D/A", "Fit")
        worker.note_silence(13.7, True)
        until(lambda: recorded({"seconds": 10, "stopped": True}))
        worker.note_silence(0.0)
        until(lambda: recorded(None))
        worker.note_silence(20.0)
        until(lambda: recorded({"seconds": 20, "stopped": False}))
        worker.note_phase("D/A", "Predict")
        until(lambda: recorded(None))


def test_a_state_that_could_not_be_written_is_written_in_a_moment(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at the next heartbeat: who asks running Fits for a snapshot would not see one that has begun meanwhile."""
    monkeypatch.setattr(workers, "HEARTBEAT_SECONDS", 3600.0)
    note, refused = store.records.note, list[object]()

    def refuse_once(records: Any) -> None:
        if not refused and any(record["phase"] == "Fit" for record in records.values()):
            refused.append(records)
            raise StoreError("database is locked")
        note(records)

    monkeypatch.setattr(store.records, "note", refuse_once)
    with working(store) as worker:
        worker.note_phase("D/A", "Fit")
        until(lambda: (store.records.get(f"worker/{worker.id}") or {}).get("phase") == "Fit")
        assert refused
