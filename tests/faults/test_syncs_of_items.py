"""What an item pays for being safe: the syncs of its files and directories, and its transactions, in their order."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from faults import plant
from faults.sweeps import Mutation, in_one_transaction, in_transactions_of_their_own
from omnibench.engine import progress
from omnibench.store import CheckpointStore, durable_names
from omnibench.store.schema import Record, RecordType

FILES = {"Fit": ["model.pkl"], "Predict": ["predictions.json", "predictions.npy"], "Eval": ["per_user.parquet"]}


@pytest.mark.parametrize("recording", [in_one_transaction, in_transactions_of_their_own])
def test_what_is_synced_before_a_transaction(
    directory: Path, monkeypatch: pytest.MonkeyPatch, recording: Mutation
) -> None:
    """What a transaction names, once: each file, and the directory that has its name. A small item needs one transaction."""
    monkeypatch.setattr(progress, "_QUICK_SECONDS", progress._QUICK_SECONDS)  # which is changed now
    recording()
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
    directories = ["Shuffled/", "fold_1/"]
    if recording is in_one_transaction:
        last = acts[ends[-2] + 1 :]  # the second item of its configuration, whose directory is there
        assert last == [*FILES["Fit"], *FILES["Predict"], *FILES["Eval"], *directories, "commit"]
    else:
        last = acts[ends[-4] + 1 :]
        syncs = [act for phase in ("Predict", "Eval") for act in (*FILES[phase], "fold_1/", "commit")]
        assert last == [*FILES["Fit"], *directories, "commit", *syncs]
