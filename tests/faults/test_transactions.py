"""Neighbours with an open transaction: nobody waits for readers; who keeps writers waiting is named, and fails no item."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from support.markers import starts_guests
from support.projects import Project

from faults import invariants, plant
from faults.children import run
from faults.transactions import holding
from omnibench.commands.main import main
from omnibench.errors import StoreError
from omnibench.store import CheckpointStore, holders, waiting
from omnibench.store.waiting import LockedStoreError

pytestmark = pytest.mark.usefixtures("made_up_records")

linux = pytest.mark.skipif(not holders.LOCKS.exists(), reason="only Linux tells who holds a lock")


@pytest.fixture
def finished(directory: Path) -> None:
    """Finish a store."""
    ended = run(plant.Errand(directory / "store", directory / "work"), directory / "log")
    assert ended.outcome is not None


@pytest.mark.usefixtures("finished")
def test_an_end_does_not_wait_for_a_reader(directory: Path) -> None:
    """A notebook has an open transaction: a run that computes more ends all the same, and others can write meanwhile."""
    with holding(directory / "store", "read"):
        store = CheckpointStore(directory / "store")
        store.records.commit({"note/x": {}})
        ending = threading.Thread(target=store.close)
        ending.start()
        ending.join(180)
        assert not ending.is_alive()
        with closing(sqlite3.connect(directory / "store" / "store" / "cache.db", timeout=0)) as other:
            other.execute("BEGIN IMMEDIATE")
        second = run(plant.Errand(directory / "store", directory / "work", plant.ONE_MORE), directory / "log")
        assert not second.hung
        assert second.outcome is not None


@linux
@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_who_keeps_the_records_locked_is_named_and_no_item_failed(
    directory: Path, *, stopped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends with the process that holds the lock; when that has ended, the next run does what was left."""
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 1.0)
    reference = run(
        plant.Errand(directory / "other", directory / "uncounted", plant.ONE_MORE), directory / "log"
    ).outcome
    assert reference is not None
    with holding(directory / "store", "write", stopped=stopped) as holder:
        refused = run(plant.Errand(directory / "store", directory / "work", plant.ONE_MORE), directory / "log")
        assert refused.error["type"] == LockedStoreError.__name__
        assert f"process {holder.pid} (python" in refused.error["message"]
        assert ("it is stopped: `kill -CONT" in refused.error["message"]) == stopped
        records = invariants.records_of(directory / "store")
        assert "failed" not in {record.get("status") for record in records.values()}
    again = run(plant.Errand(directory / "store", directory / "work", plant.ONE_MORE), directory / "log")
    assert not invariants.broken_end(directory / "store", again, reference)


@linux
@pytest.mark.usefixtures("finished", "made_up_records")
def test_a_long_wait_is_told_and_its_end(directory: Path) -> None:
    """Whom the process waits for is said after a while, once for all of its threads; a commit goes through then."""
    messages: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "TOLD_AFTER_SECONDS", 0.0)
        told = threading.Event()

        def note(line: str) -> None:
            messages.append(line)
            told.set()

        store = CheckpointStore(directory / "store", notify=note)
        with holding(directory / "store", "write") as holder:
            threads = [
                threading.Thread(target=store.records.commit, args=({f"note/{number}": {}},)) for number in (1, 2)
            ]
            for thread in threads:
                thread.start()
            assert told.wait(180)
            assert store.snapshot()  # which nobody has to wait for
        for thread in threads:
            thread.join(180)
        assert {"note/1", "note/2"} <= set(store.snapshot())
        store.close()
    assert messages[0].startswith(f"waiting for process {holder.pid} (python")
    assert messages[1].startswith("the records are free again after ")
    assert len(messages) == 2


@pytest.mark.usefixtures("finished")
def test_who_waits_can_give_up(directory: Path) -> None:
    """A Ctrl-C is heard while others write: whoever is asked to stop waits no longer."""

    def stop() -> None:
        raise KeyboardInterrupt

    store = CheckpointStore(directory / "store", while_waiting=stop)
    with holding(directory / "store", "write"):
        with pytest.raises(KeyboardInterrupt):
            store.records.commit({"fit/x": {}})
        store.waiting.hurry()
        with pytest.raises(StoreError, match="are locked"):
            store.records.commit({"fit/x": {}}, patience=0.0)
        store.close()


@linux
@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize("command", [("reset", "--yes"), ("delete", "*", "--yes"), ("gc",), ("rebuild",)])
def test_a_command_that_waits_says_for_whom(
    directory: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It does not seem to hang, and ends with the holder and exit status 2."""
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(waiting, "TOLD_AFTER_SECONDS", 0.0)
    with holding(directory / "store", "write") as holder:
        assert main([*command, "--store", str(directory / "store")]) == 2
    lines = capfd.readouterr().err.splitlines()
    assert lines[0].startswith(f"omnibench: waiting for process {holder.pid} (python")
    assert f"are locked: process {holder.pid}" in lines[-1]


@linux
@starts_guests
def test_a_run_of_pytest_ends_as_an_interruption(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says who keeps the records locked, has exit status 2 and no failure; the next run computes the items."""
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.5)
    project.bench()
    project.first_run()
    project.bench("plan.add_algorithm(Popular, {'noise': 1})")
    root = project.pytester.path / "checkpoints"
    with holding(root, "write", stopped=True) as holder:
        ended = project.run()
    assert ended.ret == pytest.ExitCode.INTERRUPTED
    ended.stdout.fnmatch_lines([f"*records in *are locked: process {holder.pid} (python*it is stopped*"])
    ended.assert_outcomes()
    project.run().assert_outcomes(passed=2)
