"""Deleting for good: all of an item goes and nothing of another; models are a cache; a kill leaves nothing half gone."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from support.stored import DATA, assert_sound, compute, files, prepare

from omnibench.errors import StoreError
from omnibench.sizes import size_text
from omnibench.store import CheckpointStore, gc, recovery
from omnibench.store.artifacts import is_intact
from omnibench.store.deletion import delete, remove_datasets, tidy
from omnibench.store.generations import reset
from omnibench.store.models import drop_models, is_spare, worse_models
from omnibench.store.queries import Store
from omnibench.store.reader import Reader
from omnibench.store.reading import Answer, read_all
from omnibench.store.schema import Record, RecordType, artifacts_of
from omnibench.store.sizes import sizes_of

STORES = Path(__file__).parent.parent / "assets" / "stores"
A, B, C = ("a" * 64, "b" * 64, "c" * 64)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with three items, one of them computed twice, and a dataset; nobody has it open."""
    store = CheckpointStore(tmp_path / "checkpoints")
    compute(store, "a")
    reset(store, [A], keep=True)
    compute(store, "a")
    compute(store, "b", fold=1)
    compute(store, "c", fold=0)
    prepare(store, "d")
    store.close()
    return store.root


def about(root: Path, fit_key: str) -> set[str]:
    return {key for key, record in read_all(root / "store").items() if record.get("fit_key") == fit_key}


@pytest.mark.parametrize("fit_key", [A, B])
def test_all_of_an_item_goes_and_nothing_of_another(fit_key: str, root: Path) -> None:
    """Its records of all generations, its files and its copies; also after a rebuild it stays gone."""
    other = B if fit_key == A else A
    before, theirs = files(root), about(root, other)
    size = sum(
        path.stat().st_size
        for path in root.glob(f"D-*/Algorithm-{fit_key[:8]}/**/*")
        if path.name != ".key" and path.is_file()
    )
    store = CheckpointStore(root)
    deleted = delete(store, [fit_key])
    store.close()
    assert (deleted.items, deleted.busy, deleted.size) == ([fit_key], [], size)
    assert about(root, fit_key) == set()
    assert about(root, other) == theirs
    gone = before - files(root)
    assert gone == {name for name in before if f"Algorithm-{fit_key[:8]}" in name and not name.endswith(".key")}
    assert gc.collect(root).files == []
    tidy(root)
    assert not list(root.glob(f"D-*/Algorithm-{fit_key[:8]}"))
    assert_sound(root)
    assert about(root, fit_key) == set()


def test_a_dry_run_deletes_nothing(root: Path) -> None:
    """It tells what would go, and that is what goes then."""
    before, recorded = files(root), read_all(root / "store")
    store = CheckpointStore(root)
    told = delete(store, [A, B], dry_run=True)
    assert (files(root), read_all(root / "store")) == (before, recorded)
    assert delete(store, [A, B]) == told
    store.close()


def test_what_somebody_computes_is_left_alone(root: Path) -> None:
    """Its lease is held, so it is told as busy; the others go."""
    store, other = CheckpointStore(root), CheckpointStore(root)
    with other.lease(A):
        assert delete(store, [A, B]).busy == [A]
        assert drop_models(store, [A, C]).busy == [A]
    assert about(root, A) != set()
    assert about(root, B) == set()
    store.close()
    other.close()


def test_a_lease_that_was_lost_deletes_nothing(root: Path) -> None:
    """Somebody removed the lock file and took the lease: the transaction sees that, and nothing is gone."""
    before = files(root)
    store = CheckpointStore(root)
    original = store.read

    def read(take: Callable[[Reader], Answer]) -> Answer:
        (root / "leases" / f"{A}.lock").write_text("{}")
        return original(take)

    store.read = read  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="was lost to another process"):
        delete(store, [A])
    with pytest.raises(StoreError, match="was lost to another process"):
        drop_models(store, [A])
    store.close()
    assert files(root) == before
    assert about(root, A) != set()


def test_what_is_not_ours_stays(root: Path, tmp_path: Path) -> None:
    """Notes of the user's in an item's directory, and what a link leads to."""
    item = next(root.glob("D-*/Algorithm-bbbbbbbb/fold_1"))
    (item / "notes.txt").write_text("mine")
    (tmp_path / "model.bin").write_text("mine")
    (item / "model.linked").symlink_to(tmp_path / "model.bin")
    store = CheckpointStore(root)
    delete(store, [B])
    store.close()
    assert sorted(path.name for path in item.iterdir()) == ["model.linked", "notes.txt"]
    assert (tmp_path / "model.bin").read_text() == "mine"
    gc.collect(root)
    assert sorted(path.name for path in item.iterdir()) == ["model.linked", "notes.txt"]


KILLED = """
import os, signal, sys
from pathlib import Path
from omnibench.store import CheckpointStore
from omnibench.store.deletion import delete
from omnibench.store.models import drop_models
unlink, left = Path.unlink, [int(sys.argv[3])]
def kill(path, missing_ok=False):
    ours = "Algorithm-" in str(path)
    if ours and not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= ours
    unlink(path, missing_ok=missing_ok)
Path.unlink = kill
{"delete": delete, "models": drop_models}[sys.argv[2]](CheckpointStore(sys.argv[1]), ["a" * 64, "b" * 64])
"""


@pytest.mark.parametrize("removed", [0, 1, 3, 6, 9, 12])
def test_a_killed_deletion_leaves_no_record_of_files_that_are_gone(removed: int, root: Path) -> None:
    """Records go first; gc removes the files that are left, copies and manifests too, as if nothing had happened."""
    command = [sys.executable, "-c", KILLED, str(root), "delete", str(removed)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert about(root, A) == about(root, B) == set()
    store = CheckpointStore(root)
    recovery.rebuild(store.records, root)  # what was deleted does not come back
    store.close()
    assert about(root, A) == about(root, B) == set()
    gc.collect(root)
    left = {name for name in files(root) if name.startswith("D-")}
    assert {name.split("/")[1] for name in left if name.count("/") > 1} == {"Algorithm-cccccccc"}
    assert_sound(root)


@pytest.mark.parametrize("removed", [0, 1])
def test_a_kill_while_models_are_dropped_loses_no_number(removed: int, root: Path) -> None:
    """The record says that the model is gone before the file goes; gc removes the file."""
    command = [sys.executable, "-c", KILLED, str(root), "models", str(removed)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    recorded = read_all(root / "store")
    assert all(is_intact(artifact, root) for record in recorded.values() for artifact in artifacts_of(record))
    gc.collect(root, kept=True)
    assert not list(root.glob("D-*/Algorithm-aaaaaaaa/generation_1/model.bin"))
    assert_sound(root)


def test_models_go_and_everything_else_stays(root: Path) -> None:
    """The fit's record stays with what it cost; gc, rebuild, views and files know that the model is gone."""
    before, recorded = files(root), read_all(root / "store")
    store = CheckpointStore(root)
    dropped = drop_models(store, [A, B, "f" * 64])
    store.close()
    assert dropped.items == [A, B]
    assert {Path(name).name for name in before - files(root)} == {"model.bin"}
    now = read_all(root / "store")
    assert now.keys() == recorded.keys()
    changed = {key for key in now if now[key] != recorded[key]}
    assert changed == {f"fit/{A}", f"fit/{B}"}
    assert now[f"fit/{A}"] == {**recorded[f"fit/{A}"], "dropped": now[f"fit/{A}"]["dropped"]}
    opened = Store(root)
    assert not any(path.name == "model.bin" for path in opened.files(A))
    paths = opened.sql("SELECT path FROM files")["path"].tolist()
    assert [path for path in paths if path.endswith("model.bin")] == [recorded[f"fit/{C}"]["model"]["path"]]
    assert [item["status"] for item in opened.items().values()] == ["done"] * 3
    assert gc.collect(root, dry_run=True).files == []
    assert_sound(root)
    assert Store(root).items()[now[f"item/{A}"]["item"]]["status"] == "done"


def test_a_model_that_is_still_needed_stays(root: Path) -> None:
    """Of an item without predictions it is all that there is: dropping it would lose a phase."""
    store = CheckpointStore(root)
    reset(store, [B], "Predict")
    dropped = drop_models(store, [B, C])
    store.close()
    assert (dropped.items, dropped.needed) == ([C], [B])
    assert is_intact(read_all(root / "store")[f"fit/{B}"]["model"], root)


@pytest.mark.parametrize(
    ("keep", "size", "seconds", "spare"),
    [
        ("none", 10, 1e6, True),
        ("all", 10**12, 0.0, False),
        ("best", 10**12, 0.0, False),
        ("auto", 999_999, 0.0, False),
        ("auto", 7_000_000, 0.5, True),
        ("auto", 7_000_000, 6.9, True),
        ("auto", 7_000_000, 7.1, False),
        ("auto", 7_000_000, None, True),
    ],
)
def test_which_models_are_worth_their_space(keep: str, size: int, seconds: float | None, spare: bool) -> None:
    """A second of fitting is worth a megabyte to auto; small models always stay."""
    fit = {"model": {"path": "m", "size": size, "sha256": ""}, "seconds": seconds}
    assert is_spare(fit, keep) is spare
    assert is_spare({**fit, "dropped": "2026-01-01T00:00:00Z"}, keep) is False


def _measured(
    algorithm: str, fold: int, value: float, status: str = "done", label: str = "NDCG@10"
) -> tuple[str, Record]:
    fit_key = f"{algorithm}{fold}"
    metrics = {label: {"value": value}} if status == "done" else {}
    item = {
        "dataset": "D-1",
        "algorithm": algorithm,
        "fold": fold,
        "fit_key": fit_key,
        "status": status,
        "metrics": metrics,
    }
    return RecordType.ITEM.key(fit_key), item


def test_best_keeps_the_best_configuration_of_each_algorithm() -> None:
    """The mean over folds decides; what is not done in all folds, or no metric tells apart, is left alone."""
    values = {"KNN-1": (0.1, 0.5), "KNN-2": (0.3, 0.2), "EASE-1": (0.0, 0.0)}
    records = dict(_measured(name, fold, value) for name, pair in values.items() for fold, value in enumerate(pair))
    assert sorted(worse_models(records)) == ["KNN-20", "KNN-21"]
    records |= [_measured("KNN-3", 0, 0.9), _measured("KNN-3", 1, 0.0, "pending")]
    assert sorted(worse_models(records)) == ["KNN-20", "KNN-21"]
    records |= [_measured("KNN-3", 1, 0.9)]
    assert sorted(worse_models(records)) == ["KNN-10", "KNN-11", "KNN-20", "KNN-21"]
    lower = dict(_measured(name, 0, value, label="RMSE") for name, value in (("A-1", 0.9), ("A-2", 0.8)))
    assert worse_models(lower) == ["A-10"]
    unknown = dict(_measured(name, 0, value, label="mine") for name, value in (("A-1", 0.9), ("A-2", 0.8)))
    assert worse_models(unknown) == []


def test_datasets_of_no_item_go_when_asked_for(root: Path) -> None:
    """Those of items, and those that a plan names, stay; what goes does not come back by a rebuild."""
    store = CheckpointStore(root)
    prepare(store, "e")
    store.records.commit({"recipe/" + "f" * 64: {"name": "F", "identity": []}})
    store.close()
    assert remove_datasets(root, dry_run=True)[0] == ["datasets/D-eeeeeeee"]
    assert remove_datasets(root, lambda key: key == "e" * 64)[0] == []
    prepare_again = CheckpointStore(root)
    with pytest.raises(StoreError, match="is in use"):
        remove_datasets(root)
    prepare_again.close()
    assert remove_datasets(root) == (["datasets/D-eeeeeeee"], len(b"users") + 64)
    assert [path.name for path in (root / "datasets").iterdir()] == ["D-dddddddd"]
    assert {key for key in read_all(root / "store") if key.startswith(("data/", "recipe/"))} == {f"data/{DATA}"}
    assert_sound(root)
    store = CheckpointStore(root)
    delete(store, [A, B, C])
    store.close()
    collected = gc.collect(root, datasets=True)
    assert [path.name for path in collected.files] == ["D-dddddddd"]


def test_sizes_are_those_of_the_disk(root: Path) -> None:
    """Sizes are summed by part, and of each item by part; a link counts as itself."""
    sizes = sizes_of(root)
    assert sizes.total == sum(path.lstat().st_size for path in root.rglob("*") if path.is_symlink() or path.is_file())
    (directory,) = {record["directory"] for record in read_all(root / "store").values() if record.get("fit_key") == B}
    item = root / directory
    assert sizes.items[directory] == {
        "models": (item / "model.bin").stat().st_size,
        "predictions": sum(path.stat().st_size for path in item.glob("predictions*")),
        "per_user": (item / "per_user-0123abcd.npy").stat().st_size,
        "records": (item / "records.jsonl").stat().st_size,
    }
    assert sizes.parts["datasets"] == 5 + 64 + (root / "datasets" / "D-dddddddd" / "records.jsonl").stat().st_size
    assert sizes.parts["other"] == 0
    assert [size_text(size) for size in (0, 999, 1000, 7_340_000, 2.5e10)] == [
        "0 bytes", "999 bytes", "1.0 kB", "7.3 MB", "25.0 GB"
    ]  # fmt: skip


def test_what_is_exported_follows(root: Path) -> None:
    """progress.json and results.json no longer name what was deleted."""
    store = Store(root)
    outcome = store.delete(["*fold_1"])
    assert outcome.items == (B,)
    progress = json.loads((root / "progress.json").read_text())["items"]
    assert sorted(item["fit_key"] for item in progress.values()) == [A, C]
    assert not list(root.glob("D-*/Algorithm-bbbbbbbb"))


@pytest.mark.parametrize("frozen", sorted(STORES.glob("format-*")), ids=lambda path: path.name)
def test_stores_of_earlier_formats_lose_what_is_deleted_and_nothing_else(frozen: Path, tmp_path: Path) -> None:
    """They are migrated as by a run; the numbers of the other items, and of an item without its model, are as before."""
    root = Path(shutil.copytree(frozen, tmp_path / "checkpoints"))
    store = Store(root)
    first, second, *_ = store.completed
    before = store.results()
    assert store.delete([second], models=True).size > 0
    assert store.delete([first]).items
    after = Store(root).results()
    pd.testing.assert_frame_equal(after, before[before["item"] != first].reset_index(drop=True))
    assert Store(root).items()[second]["status"] == "done"
    assert first not in Store(root).items()
    assert not (root / first).exists()
