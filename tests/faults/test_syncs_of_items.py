"""What an item pays for being safe: the syncs of its files and directories, and its transactions, in their order."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from faults import plant
from omnibench.store import CheckpointStore, durable_names
from omnibench.store.schema import Record, RecordType


def test_an_item_pays_three_transactions_and_eight_syncs(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a transaction names is synced before it, once: each file, and the directory that has its name."""
    acts: list[str] = []
    sync, sync_directory = os.fsync, durable_names.sync_directory

    def noted_sync(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.is_relative_to(directory / "checkpoints") and path.is_file():
            acts.append(re.sub(r"-[0-9a-f]{8}\.", ".", path.name))
        sync(descriptor)

    def noted_directory(synced: Path) -> None:
        acts.append(f"{synced.name.partition('-')[0]}/")
        sync_directory(synced)

    append = CheckpointStore._append_manifests

    def noted_manifest(
        store: CheckpointStore, written: dict[str, Record], gone: dict[str, Record], texts: dict[str, str]
    ) -> None:
        if any(kind.has(key) for key in written for kind in (RecordType.FIT, RecordType.PREDICT, RecordType.EVAL)):
            acts.append("commit")
        append(store, written, gone, texts)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(durable_names, "sync_directory", noted_directory)
    monkeypatch.setattr(CheckpointStore, "_append_manifests", noted_manifest)
    plant.Errand(directory / "checkpoints", directory / "work")()

    ends = [position for position, act in enumerate(acts) if act == "commit"]
    last = acts[ends[-4] + 1 :]  # the second item of its configuration, whose directory is there
    fit, predict, evaluation = ["model.pkl"], ["predictions.json", "predictions.npy"], ["per_user.parquet"]
    syncs = [act for files in (predict, evaluation) for act in (*files, "fold_1/", "commit")]
    assert last == [*fit, "Shuffled/", "fold_1/", "commit", *syncs]
