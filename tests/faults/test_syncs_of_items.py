"""What an item pays for being safe: the syncs of its files and directories, and its transactions, in their order."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from faults import plant
from omnibench.store import durable_names, unsynced_files
from omnibench.store.records import Records
from omnibench.store.schema import RecordType

_PHASES = (RecordType.FIT, RecordType.PREDICT, RecordType.EVAL)


def _acts_of_an_item(directory: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what a run does for the last of its items, the second of its configuration, and what it does behind that."""
    acts: list[str] = []
    sync, sync_directory, commit = os.fsync, durable_names.sync_directory, Records.commit_texts

    def noted_sync(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.is_relative_to(directory / "checkpoints") and path.is_file():
            acts.append(re.sub(r"-[0-9a-f]{8}\.", ".", path.name))
        sync(descriptor)

    def noted_directory(synced: Path) -> None:
        acts.append(f"{synced.name.partition('-')[0]}/")
        sync_directory(synced)

    def noted_commit(records: Records, texts: dict[str, str], *arguments: Any, **options: Any) -> None:
        commit(records, texts, *arguments, **options)
        if any(phase.has(key) for key in texts for phase in _PHASES):
            acts.append("durable commit" if options.get("is_durable", True) else "commit")

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(durable_names, "sync_directory", noted_directory)
    monkeypatch.setattr(unsynced_files, "sync_file_system", lambda _: acts.append("file system"))
    monkeypatch.setattr(Records, "commit_texts", noted_commit)
    plant.Errand(directory / "checkpoints", directory / "work")()
    ends = [position for position, act in enumerate(acts) if act == "durable commit"]
    return acts[ends[-2] + 1 :]


@pytest.mark.skipif(not unsynced_files.may_leave_unsynced(Path("/")), reason="the file system cannot be synced at once")
def test_a_small_item_waits_for_the_disk_once(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the transaction that makes it done. What its files have is in the transactions, until the store is closed."""
    monkeypatch.setattr(unsynced_files, "_FEW_FILES", 0)
    assert _acts_of_an_item(directory, monkeypatch) == ["commit", "commit", "durable commit", "file system"]


def test_files_are_synced_where_the_file_system_cannot_be(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a transaction names is synced before it, once: each file, and the directory that has its name."""
    monkeypatch.setattr(unsynced_files, "may_leave_unsynced", lambda _: False)
    phases = [["model.pkl", "Shuffled/"], ["predictions.json", "predictions.npy"], ["per_user.parquet"]]
    before = [act for files in phases for act in (*files, "fold_1/", "commit")]
    assert _acts_of_an_item(directory, monkeypatch) == [*before[:-1], "durable commit"]


def test_a_long_phase_is_durable_by_itself(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What took a second is not computed again, whenever the power fails."""
    monkeypatch.setattr("omnibench.engine.records._QUICK_SECONDS", 0.0)
    monkeypatch.setattr(unsynced_files, "sync_file_system", lambda _: None)
    durable: list[bool] = []
    commit = Records.commit_texts

    def noted_commit(records: Records, texts: dict[str, str], *arguments: Any, **options: Any) -> None:
        commit(records, texts, *arguments, **options)
        if any(phase.has(key) for key in texts for phase in _PHASES):
            durable.append(options.get("is_durable", True))

    monkeypatch.setattr(Records, "commit_texts", noted_commit)
    plant.Errand(directory / "checkpoints", directory / "work")()
    assert durable == [True] * 3 * len(plant.items())
