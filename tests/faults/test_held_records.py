"""What an item of short phases pays: one transaction, one sync of its directory, and no less safety than a long one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from faults import plant
from faults.children import KILLED, run
from faults.invariants import broken_work, committed
from omnibench.engine import checkpoint
from omnibench.engine.held import HELD_SECONDS, HeldRecords
from omnibench.errors import StoreError
from omnibench.store import CheckpointStore, artifacts, per_user
from omnibench.store.leases import Lease
from omnibench.store.records import Records
from omnibench.store.schema import Record, RecordType

LONG = 10 * HELD_SECONDS
FIT, PREDICT = {"x/fit": {"value": 1}}, {"x/predict": {"value": 2}}


class Commits:
    """Counts the transactions of a store that write records of items, and what each writes.

    Args:
        monkeypatch: Puts it in the place of ``Records.commit``.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.keys: list[list[str]] = []
        commit = Records.commit

        def noted(records: Records, written: dict[str, Record], *arguments: Any, **options: Any) -> None:
            if not any(map(RecordType.WORKER.has, written)):
                self.keys.append(list(written))
            commit(records, written, *arguments, **options)

        monkeypatch.setattr(Records, "commit", noted)


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> Commits:
    """The transactions of a test."""
    return Commits(monkeypatch)


def kinds(keys: list[str]) -> list[str]:
    """Return the types of records, in their order, each once in a row."""
    types = [key.partition("/")[0] for key in keys]
    return [kind for number, kind in enumerate(types) if number == 0 or types[number - 1] != kind]


def with_lease(root: Path, act: Callable[[CheckpointStore, Lease], None]) -> None:
    """Do something with a store under a lease."""
    store = CheckpointStore(root)
    try:
        with store.lease("a") as lease:
            act(store, lease)
    finally:
        store.close()


def test_an_item_of_short_phases_pays_one_transaction_and_six_syncs(
    directory: Path, commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fit, Predict, Eval and the item are one transaction; four files and two directories are synced, all before it."""
    acts: list[str] = []
    sync, sync_directory = os.fsync, artifacts.sync_directory

    def noted_sync(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.is_relative_to(directory / "checkpoints") and path.is_file():
            acts.append(path.name)
        sync(descriptor)

    def noted_directory(synced: Path) -> None:
        acts.append(f"{synced.name.partition('-')[0]}/")
        sync_directory(synced)

    append = CheckpointStore._append_manifests

    def noted_manifest(store: CheckpointStore, written: dict[str, Record], gone: dict[str, Record]) -> None:
        if any(map(RecordType.EVAL.has, written)):
            acts.append("commit")
        append(store, written, gone)

    monkeypatch.setattr(checkpoint, "HELD_SECONDS", 1000.0)  # this machine may be busy
    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(artifacts, "sync_directory", noted_directory)
    monkeypatch.setattr(CheckpointStore, "_append_manifests", noted_manifest)
    plant.Errand(directory / "checkpoints", directory / "work")()

    of_items = [keys for keys in commits.keys if any(map(RecordType.EVAL.has, keys))]
    assert [kinds(keys) for keys in of_items] == [["fit", "predict", "eval", "item"]] * len(plant.items())
    assert not any("fit" in kinds(keys) for keys in commits.keys if keys not in of_items)
    ends = [position for position, act in enumerate(acts) if act == "commit"]
    last = acts[ends[-2] + 1 : ends[-1]]  # the second item of its configuration, whose directory is there
    files = ["model.pkl", "predictions.json", "predictions.npy", "per_user.parquet"]
    assert last == ["Shuffled/", *files, "fold_1/"]


def test_a_long_phase_is_recorded_at_once(directory: Path, commits: Commits) -> None:
    """A phase that took its time waits for nothing, and takes with it what is held."""

    def act(store: CheckpointStore, lease: Lease) -> None:
        records = HeldRecords(store, lease)
        records.add(FIT, HELD_SECONDS / 2)
        assert (commits.keys, records.get("x/fit")) == ([], FIT["x/fit"])
        records.add(PREDICT, LONG)
        assert commits.keys == [["x/fit", "x/predict"]]

    with_lease(directory / "checkpoints", act)


def test_short_phases_are_held_up_to_a_sum(directory: Path, commits: Commits) -> None:
    """However many phases there are, they do not hold more than ``HELD_SECONDS`` of work together."""

    def act(store: CheckpointStore, lease: Lease) -> None:
        records = HeldRecords(store, lease)
        for number in range(3):
            records.add({f"x/{number}": {"value": number}}, HELD_SECONDS * 0.4)
        assert commits.keys == [["x/0", "x/1", "x/2"]]
        records.add(FIT, HELD_SECONDS * 0.4)
        assert len(commits.keys) == 1
        records.settle()
        records.settle()
        assert commits.keys[1:] == [["x/fit"]]

    with_lease(directory / "checkpoints", act)


def test_what_is_held_while_the_next_phase_goes_on_is_recorded_after_a_moment(
    directory: Path, commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a guest is waited for, the record of the phase before is written once it has been held for so long."""
    now = [100.0]
    monkeypatch.setattr("omnibench.engine.held.time.monotonic", lambda: now[0])

    def act(store: CheckpointStore, lease: Lease) -> None:
        records = HeldRecords(store, lease)
        records.add(FIT, HELD_SECONDS / 2)
        records.settle(if_late=True)
        assert commits.keys == []
        now[0] += 2 * HELD_SECONDS
        records.settle(if_late=True)
        assert commits.keys == [["x/fit"]]

    with_lease(directory / "checkpoints", act)


def test_what_cannot_be_committed_stays_held(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure of the store loses nothing that was held: whoever records the interruption tries it again."""

    def act(store: CheckpointStore, lease: Lease) -> None:
        records = HeldRecords(store, lease)
        records.add(FIT, 0.0)
        with monkeypatch.context() as broken:
            broken.setattr(store.records, "commit", _refuse)
            with pytest.raises(StoreError, match="full"):
                records.commit(PREDICT)
        records.commit({})
        fit = store.records.get("x/fit")
        assert fit is not None
        assert (fit["value"], store.records.get("x/predict")) == (1, None)

    with_lease(directory / "checkpoints", act)


def _refuse(*_: Any, **__: Any) -> None:
    raise StoreError("the disk is full")


class Constant:
    """A metric of a user's own."""

    k = 5

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> float:
        """Say the same of whatever it is."""
        return 0.5


class _Killing:
    """A run that ends by SIGKILL when the metrics of its second item are computed, before anything of it is recorded."""

    def __init__(self, errand: plant.Errand) -> None:
        self._errand = errand

    def __call__(self) -> dict[str, Any]:
        write, begun = per_user.write_per_user, [0]

        def kill(*arguments: Any) -> Any:
            begun[0] += 1
            if begun[0] == 2:
                os.kill(os.getpid(), 9)
            return write(*arguments)

        setattr(checkpoint, "write_per_user", kill)  # noqa: B010 - a name that the module has imported
        setattr(checkpoint, "HELD_SECONDS", 1000.0)  # noqa: B010 - likewise
        return self._errand()


def test_a_kill_between_short_phases_costs_the_item_in_flight_alone(directory: Path) -> None:
    """Its Fit and Predict are done again, once; the item before it is not touched, and the files are whole."""
    root, work = directory / "checkpoints", directory / "work"
    errand = plant.Errand(root, work)
    ended = run(_Killing(errand), directory / "log")
    assert ended.status == KILLED
    first, done = plant.executed(work), committed(root)
    assert [operation for operation, _ in first] == ["fit", "predict"] * 2
    assert done == set(first[:2])
    again = run(errand, directory / "log")
    assert again.outcome is not None
    second = plant.executed(work)[len(first) :]
    alone = [(operation, key.fit_key) for key in plant.items() for operation in ("fit", "predict")]
    assert broken_work(first, second, alone, done) == []
    assert second[:2] == first[2:]


def test_own_metrics_find_the_phases_before_recorded(directory: Path, commits: Commits) -> None:
    """A class of the user's may end this process, or take hours: nothing is held while it computes."""
    metrics: tuple[Any, ...] = (*plant.METRICS, Constant())
    outcome = plant.Errand(directory / "checkpoints", directory / "work", metrics)()
    assert not outcome["failed"]
    of_items = [kinds(keys) for keys in commits.keys if {"fit", "predict"} & set(kinds(keys))]
    assert all("eval" not in kinds_of_one for kinds_of_one in of_items)
    assert sum("predict" in kinds_of_one for kinds_of_one in of_items) == len(plant.items())
