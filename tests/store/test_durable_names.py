"""Durable names: of the directories above a file, before a record of it is; each is synced once."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from omnibench.errors import StoreError
from omnibench.store import CheckpointStore, durable_names, snapshots
from omnibench.store.records import Records

pytestmark = pytest.mark.usefixtures("made_up_records")

KEY = "a3f8e2c1" + "0" * 56


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    opened = CheckpointStore(tmp_path / "deep" / "checkpoints")
    yield opened
    opened.close()


def test_a_new_store_has_durable_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its directory, and those above it, do not vanish with all that is recorded in them; once they are durable, they stay.

    What a first opening made, and failed to sync, is synced by the next.
    """
    root = tmp_path / "deep" / "checkpoints"
    synced: list[Path] = []

    def refused(_: Path) -> None:
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as broken:
        broken.setattr(durable_names, "sync_directory", refused)
        with pytest.raises(StoreError, match="broken"):
            CheckpointStore(root)
    assert root.is_dir()
    monkeypatch.setattr(durable_names, "sync_directory", synced.append)
    CheckpointStore(root).close()
    assert {tmp_path, tmp_path / "deep"} <= set(synced)
    synced.clear()
    CheckpointStore(root).close()
    assert synced == []


def test_a_snapshot_outside_of_the_store_has_durable_names(
    store: CheckpointStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of all directories above it: its record is durable, and of no use without them."""
    synced: list[Path] = []
    monkeypatch.setattr(durable_names, "sync_directory", synced.append)
    final = tmp_path / "snapshots" / "D" / "A" / "fold_0" / "1"
    for _ in range(2):  # the second time all directories are there
        synced.clear()
        partial = tmp_path / "partial"
        partial.mkdir()
        (partial / "state").write_bytes(b"state")
        snapshots.publish(store, partial, final, "identity")
        assert set(synced) >= {tmp_path, *list(final.parents)[:4]}
        shutil.rmtree(final)


@pytest.mark.parametrize("has_another_file", [True, False])
def test_names_of_one_phase_become_durable_at_once(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, has_another_file: bool
) -> None:
    """Files of a phase in one directory cost one sync of it, which is done before the record of the phase is written."""
    directory = store.root / "D"
    store.make_directory(directory)
    acts = noted_acts(monkeypatch, store)
    with store.temporary() as scratch, store.lease("a") as lease:
        for name in ("copy", "predictions"):
            (scratch / name).write_text(name)
        store.publish(scratch / "copy", directory / "copy", until_commit=True)
        if has_another_file:
            store.publish(scratch / "predictions", directory / "predictions")
        store.commit(lease, {"x/a": {"value": 1}})
        store.commit(lease, {"x/b": {"value": 1}})
    assert acts == ["sync checkpoints", "sync D", "commit", "commit"]


def noted_acts(monkeypatch: pytest.MonkeyPatch, *stores: CheckpointStore) -> list[str]:
    """Return a list that gets the syncs of directories and the commits of some stores from now on."""
    acts: list[str] = []
    sync, commit = durable_names.sync_directory, Records.commit_texts

    def noted_sync(path: Path) -> None:
        acts.append(f"sync {path.name}")
        sync(path)

    def noted_commit(*given: Any, **options: Any) -> None:
        acts.append("commit")
        commit(*given, **options)

    monkeypatch.setattr(durable_names, "sync_directory", noted_sync)
    for store in stores:
        monkeypatch.setattr(store.records, "commit_texts", partial(noted_commit, store.records))
    return acts


def claimed_item(store: CheckpointStore, fold: int) -> Path:
    directory = store.claim(store.claim(store.root, "D", KEY), "A", KEY) / f"fold_{fold}"
    store.make_directory(directory)
    return directory


def commit_file(store: CheckpointStore, directory: Path) -> None:
    with store.temporary() as scratch, store.lease(directory.name) as lease:
        (scratch / "model").write_text("model")
        store.publish(scratch / "model", directory / "model", until_commit=True, is_unrecorded=True)
        store.commit(lease, {f"fit/{directory.name}": {"n": 1}})


def test_directories_become_durable_with_the_first_record_beneath_them(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each name on the way to a file is synced before the record of the file; for the next one only those that are new are."""
    acts = noted_acts(monkeypatch, store)
    first, second = claimed_item(store, 0), claimed_item(store, 1)
    assert acts == []
    commit_file(store, first)
    assert acts == ["sync checkpoints", "sync D-a3f8e2c1", "sync A-a3f8e2c1", "sync fold_0", "commit"]
    acts.clear()
    commit_file(store, second)
    assert acts == ["sync A-a3f8e2c1", "sync fold_1", "commit"]


def test_directories_of_another_process_are_durable_before_a_record_beneath_them(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has made a directory may come to its own record much later; who records something in it first makes it durable."""
    with closing(CheckpointStore(store.root)) as other:
        acts = noted_acts(monkeypatch, store, other)
        claimed_item(other, 0)
        commit_file(store, claimed_item(store, 1))
        assert acts == ["sync checkpoints", "sync D-a3f8e2c1", "sync A-a3f8e2c1", "sync fold_1", "commit"]


def make_anew_elsewhere(directory: Path) -> None:
    """Remove a directory and make it in another process, which on ext4 gives it the inode of the one before."""
    code = "import os, shutil, sys; shutil.rmtree(sys.argv[1]); os.makedirs(sys.argv[2])"
    subprocess.run([sys.executable, "-c", code, str(directory.parent), str(directory)], check=True)


@pytest.mark.parametrize("remove", [lambda path: shutil.rmtree(path.parent), make_anew_elsewhere])
def test_a_directory_that_was_made_anew_is_made_durable_again(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, remove: Callable[[Path], object]
) -> None:
    """That the one before it was durable says nothing of it, whoever has made it; the inode is not told to be the same."""
    directory = claimed_item(store, 0)
    commit_file(store, directory)
    remove(directory)
    acts = noted_acts(monkeypatch, store)
    commit_file(store, claimed_item(store, 0))
    assert acts == ["sync D-a3f8e2c1", "sync A-a3f8e2c1", "sync fold_0", "commit"]


@pytest.mark.parametrize("removed", ["fold_0", "A-a3f8e2c1", "D-a3f8e2c1"])
def test_no_other_directory_gets_the_inode_of_one_that_is_known_to_be_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removed: str
) -> None:
    """It is held open. On a file system that gives an inode again at once, a directory would be taken for the one before."""
    unsynced = durable_names.UnsyncedNames()
    synced: list[Path] = []
    monkeypatch.setattr(durable_names, "sync_directory", synced.append)
    fold = tmp_path / "D-a3f8e2c1" / "A-a3f8e2c1" / "fold_0"
    fold.mkdir(parents=True)
    unsynced.note_ancestors(fold, tmp_path)
    unsynced.sync()
    gone = next(path for path in (fold, *fold.parents) if path.name == removed)
    inodes = {path.stat().st_ino for path in (gone, *gone.rglob("*"))}
    for _ in range(20):
        shutil.rmtree(gone)
        fold.mkdir(parents=True)
        assert inodes.isdisjoint(path.stat().st_ino for path in (gone, *gone.rglob("*")))
    synced.clear()
    unsynced.note_ancestors(fold, tmp_path)
    unsynced.sync()
    assert gone.parent in synced


def test_what_was_removed_before_it_was_synced_is_not_known_to_be_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor what was removed, made again and noted by nobody; of others the descriptors are few, and closed in the end."""
    n_open = len(os.listdir("/proc/self/fd"))
    unsynced, sync = durable_names.UnsyncedNames(), durable_names.sync_directory
    synced: list[Path] = []

    def noted_sync(path: Path) -> None:
        sync(path)
        synced.append(path)

    monkeypatch.setattr(durable_names, "sync_directory", noted_sync)
    inner = tmp_path / "D" / "A"
    inner.mkdir(parents=True)
    unsynced.note_ancestors(inner, tmp_path)
    shutil.rmtree(tmp_path / "D")
    unsynced.sync()
    assert synced == [tmp_path]
    inner.mkdir(parents=True)
    unsynced.note_ancestors(inner, tmp_path)
    unsynced.sync()
    assert synced == [tmp_path, tmp_path, tmp_path / "D"]
    for number in range(100):
        (tmp_path / str(number)).mkdir()
        unsynced.note_ancestors(tmp_path / str(number), tmp_path)
        unsynced.sync()
    assert len(os.listdir("/proc/self/fd")) <= n_open + durable_names._MOST_DURABLE
    unsynced.close()
    assert len(os.listdir("/proc/self/fd")) == n_open


@pytest.mark.parametrize("root", [".", "s", "/"])
def test_all_names_below_a_root_are_made_durable(root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the root is written: that of the current directory is as long as a name in it."""
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "a" / "b" if root == "/" else Path(root, "a", "b")
    directory.mkdir(parents=True)
    synced: list[Path] = []
    monkeypatch.setattr(durable_names, "sync_directory", synced.append)
    unsynced = durable_names.UnsyncedNames()
    unsynced.note_ancestors(directory, Path(root))
    unsynced.sync()
    above = [directory.parent, *directory.parent.parents]
    assert set(synced) == set(above[: above.index(Path(root)) + 1])


def test_names_of_an_earlier_store_of_the_process_are_made_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that was closed before its commit leaves directories that nobody has synced: that they were reached says nothing."""
    with closing(CheckpointStore(tmp_path / "checkpoints")) as first:
        generation = claimed_item(first, 0) / "generation_1"
        with first.temporary() as scratch:
            (scratch / "model").write_text("model")
            first.publish(scratch / "model", generation / "model", until_commit=True, is_unrecorded=True)
    with closing(CheckpointStore(tmp_path / "checkpoints")) as second:
        acts = noted_acts(monkeypatch, second)
        claimed_item(second, 0)
        commit_file(second, generation)
        ways = ["sync checkpoints", "sync D-a3f8e2c1", "sync A-a3f8e2c1", "sync fold_0", "sync generation_1"]
        assert acts == [*ways, "commit"]


def test_a_published_directory_has_durable_names_above_it_though_a_sync_has_failed(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That its parent was made by the attempt before does not make the parent's name durable."""

    def publish() -> None:
        with store.temporary() as scratch:
            (scratch / "d").mkdir()
            (scratch / "d" / "user.npy").write_bytes(b"content")
            store.publish_directory(scratch / "d", store.root / "datasets" / "inner" / "D")

    def refused(_: Path) -> None:
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as broken:
        broken.setattr(durable_names, "sync_directory", refused)
        with pytest.raises(OSError, match="broken"):
            publish()
    acts = noted_acts(monkeypatch)
    publish()
    assert set(acts) >= {"sync checkpoints", "sync datasets", "sync inner"}


def test_names_that_a_disk_refused_are_tried_again(store: CheckpointStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is recorded beneath a directory whose name is not durable, however often that is tried; what was synced is not again."""
    directory, sync = claimed_item(store, 0), durable_names.sync_directory

    def refused(path: Path) -> None:
        if path.name == "D-a3f8e2c1":
            raise OSError(errno.EIO, "broken")
        sync(path)

    with monkeypatch.context() as broken:
        broken.setattr(durable_names, "sync_directory", refused)
        for _ in range(2):
            with pytest.raises(OSError, match="broken"):
                commit_file(store, directory)
    assert store.records.get("fit/fold_0") is None
    acts = noted_acts(monkeypatch, store)
    commit_file(store, claimed_item(store, 0))
    assert acts == ["sync D-a3f8e2c1", "sync A-a3f8e2c1", "sync fold_0", "commit"]


def test_a_directory_that_was_removed_needs_no_sync(store: CheckpointStore) -> None:
    """An item whose directory somebody has removed does not keep the next item from being recorded."""
    directory = store.root / "D"
    store.make_directory(directory)
    with store.temporary() as scratch, store.lease("a") as lease:
        (scratch / "copy").write_text("copy")
        store.publish(scratch / "copy", directory / "copy", until_commit=True)
        shutil.rmtree(directory)
        store.commit(lease, {"x/a": {"value": 1}})
    assert store.records.get("x/a") is not None
