"""Changing many items at once: no more leases than there are descriptors for, and no failure in silence."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faults.children import Child
from support.stored import compute

from omnibench.errors import LimitReachedError, StoreError
from omnibench.store import CheckpointStore, gc
from omnibench.store.changes import MOST_ITEMS, portions, remove_trees
from omnibench.store.deletion import delete
from omnibench.store.generations import reset
from omnibench.store.models import drop_models
from omnibench.store.queries import Store
from omnibench.store.refusals import told_as_store_errors

NAMES = "abcdef"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with a few items; nobody has it open."""
    store = CheckpointStore(tmp_path / "checkpoints")
    for fold, name in enumerate(NAMES):
        compute(store, name, fold=fold)
    store.close()
    return store.root


def test_portions_are_as_large_as_the_limit_allows() -> None:
    """Each key once and in order; never more at once than there are descriptors for, and always at least one."""
    keys = [str(number) for number in range(250)]
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = len(os.listdir("/dev/fd"))
    try:
        for soft, largest in ((opened, 1), (opened + 30, 30), (opened + MOST_ITEMS + 60, MOST_ITEMS)):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, limits[1]))
            made = list(portions(keys))
            assert [key for portion in made for key in portion] == keys
            assert 1 <= max(map(len, made)) <= largest
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_any_number_of_items_can_be_changed_with_few_descriptors(root: Path, tmp_path: Path) -> None:
    """Models go, items are reset and deleted portion by portion, and no descriptor stays open."""
    keys = tuple(name * 64 for name in NAMES)

    def change() -> dict[str, Any]:
        store = CheckpointStore(root)
        store.snapshot()  # SQLite keeps the descriptor of a closed reader for the next one
        opened = len(os.listdir("/dev/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (opened + 23, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        largest = max(map(len, portions(keys)))
        changed = [drop_models(store, keys).items, reset(store, keys).items, delete(store, keys).items]
        stay_open = len(os.listdir("/dev/fd")) - opened
        store.close()
        return {"largest": largest, "changed": changed, "stay open": stay_open}

    # In a process of its own, where no thread opens anything at the same time.
    ended = Child(change, tmp_path / "log").wait()
    assert ended.outcome is not None, ended
    assert ended.outcome["largest"] < len(keys)
    assert ended.outcome["changed"] == [list(keys)] * 3
    assert ended.outcome["stay open"] == 0


CHANGES: dict[str, Callable[[Store], object]] = {
    "reset": lambda store: store.reset(),
    "delete": lambda store: store.delete(["*"]),
    "models": lambda store: store.delete(["*"], models=True),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_refused_is_an_error_of_the_store(root: Path, change: str) -> None:
    """Not a traceback, and not silence: the reason, and what to do."""
    lock = root / "leases" / f"{'c' * 64}.lock"
    lock.unlink()
    lock.mkdir()
    opened = Store(root)
    with pytest.raises(
        StoreError, match=r"not everything in .* could be (reset|removed) \(.*Is a directory.*once more"
    ):
        CHANGES[change](opened)


def test_what_is_refused_to_who_uses_a_store_alone_is_no_trouble_with_its_lock(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is that of the change, not that the store cannot be opened, and so is the advice."""
    (root / "datasets" / "D-eeeeeeee").mkdir(parents=True)
    monkeypatch.setattr("omnibench.store.deletion.unused_datasets", lambda *_: refuse(root / "datasets"))
    with pytest.raises(
        StoreError, match=r"not everything in .* could be removed \(.*Device or resource busy.*once more"
    ):
        Store(root).remove_datasets()


def test_directories_go_as_far_as_possible_and_what_stays_is_said(tmp_path: Path) -> None:
    """One that cannot be removed does not keep the others; what is gone already is nothing to say."""
    for name in ("a", "b"):
        (tmp_path / name / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "b", target_is_directory=True)  # which rmtree refuses
    with pytest.raises(OSError, match="symbolic link"):
        remove_trees([tmp_path / "link", tmp_path / "a", tmp_path / "gone"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "link"]


def test_gc_does_not_say_that_it_removed_what_is_still_there(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that cannot be removed is an error, where it was counted as removed."""
    aside = next(root.glob("D-*")) / "x.damaged-20260101T000000-0123abcd"
    aside.mkdir()
    monkeypatch.setattr("shutil.rmtree", refuse)
    with pytest.raises(StoreError, match=r"could be removed.*Device or resource busy"):
        gc.collect(root, aside_older_than=-1)


def refuse(path: Path, *, ignore_errors: bool = False) -> None:
    """As where a file system is mounted inside, which tests may not do."""
    if not ignore_errors:
        raise OSError(16, os.strerror(16), str(path))


def test_a_full_disk_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is wrong with it, as where a store is opened; too few descriptors are a limit, with its value."""
    monkeypatch.setattr("omnibench.store.refusals.current_trouble", lambda _: "; there is too little room on /")
    with (
        pytest.raises(
            StoreError, match=r"could be reset \(.*No space left.*; there is too little room on /\)\. Mend that"
        ),
        told_as_store_errors(root, "reset"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(LimitReachedError, match="RLIMIT_NOFILE"), told_as_store_errors(root, "reset"):
        raise OSError(errno.EMFILE, "Too many open files")
