"""What an item pays for being safe: the syncs of its files and directories, and its transactions, in their order."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from faults import plant
from omnibench.store import CheckpointStore, artifacts
from omnibench.store.schema import Record, RecordType

_FIT, _PREDICT, _EVAL = ["model.pkl"], ["predictions.json", "predictions.npy"], ["per_user.parquet"]


def test_an_item_pays_three_transactions_and_eight_syncs(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a transaction names is synced before it, once: each file, and the directory that has its name."""
    first, *others = [[*files, "fold_1/", "commit"] for files in (_FIT, _PREDICT, _EVAL)]
    made = ["Shuffled/", *first[1:]]
    assert _acts_of_an_item(directory, monkeypatch, held=0.0) == [*_FIT, *made, *others[0], *others[1]]


def test_a_quick_item_pays_one_transaction_and_six_syncs(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Phases that take no tenth of a second together are recorded together, with their files synced as ever before."""
    expected = [*_FIT, *_PREDICT, *_EVAL, "Shuffled/", "fold_1/", "commit"]
    assert _acts_of_an_item(directory, monkeypatch, held=math.inf) == expected


def _acts_of_an_item(directory: Path, monkeypatch: pytest.MonkeyPatch, held: float) -> list[str]:
    """Return the syncs and the transactions of the second item of a configuration, whose directory is there."""
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

    def noted_manifest(
        store: CheckpointStore, written: dict[str, Record], gone: dict[str, Record], texts: dict[str, str]
    ) -> None:
        if any(kind.has(key) for key in written for kind in (RecordType.FIT, RecordType.PREDICT, RecordType.EVAL)):
            acts.append("commit")
        append(store, written, gone, texts)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(artifacts, "sync_directory", noted_directory)
    monkeypatch.setattr(CheckpointStore, "_append_manifests", noted_manifest)
    plant.Errand(directory / "checkpoints", directory / "work", held=held)()

    ends = [position for position, act in enumerate(acts) if act == "commit"]
    return acts[ends[-2 if held else -4] + 1 :]
