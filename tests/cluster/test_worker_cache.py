"""The cache of files on workers: what goes, what stays, and what is never touched."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from omnibench.cluster.worker_cache import SIZE_VARIABLE, in_use, note_use, prune, worker_cache

DAY = 86400.0


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path / "cache"))


def cached(name: str, size: int, days: float) -> Path:
    """A file of the cache, and a link to it from a data set, that was used so many days ago."""
    path = worker_cache() / "files" / name[:2] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    used = time.time() - days * DAY
    os.utime(path, (used, used))
    link = worker_cache() / "directories" / f"of-{name}" / "fold_0" / "train.npy"
    link.parent.mkdir(parents=True)
    link.symlink_to(path)
    return path


def test_what_was_used_longest_ago_goes() -> None:
    """The newest stay as long as they fit, what is older than a month goes, and with files go the links to them."""
    newest, middle, oldest, expired = (
        cached("aa1", 60, 0),
        cached("bb2", 50, 1),
        cached("cc3", 40, 2),
        cached("dd4", 1, 31),
    )
    assert prune(most_bytes=100) == 51
    assert newest.exists()
    assert oldest.exists()
    assert not middle.exists()
    assert not expired.exists()
    assert {path.name for path in (worker_cache() / "directories").iterdir()} == {"of-aa1", "of-cc3"}


def test_use_counts_and_not_age() -> None:
    """A file that is used again is the newest, and processes that have verified it know it by its time of change."""
    old, new = cached("aa1", 60, 20), cached("bb2", 60, 1)
    changed = old.stat().st_mtime_ns
    note_use(old)
    assert prune(most_bytes=100) == 60
    assert old.stat().st_mtime_ns == changed
    assert not new.exists()


def test_nothing_goes_while_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as a request has files of the cache, none is removed; afterwards the variable's size holds."""
    monkeypatch.setenv(SIZE_VARIABLE, "10kB")
    path = cached("aa1", 20_000, 0)
    with in_use():
        assert prune() == 0
        assert path.exists()
    assert prune() == 20_000
    assert not path.exists()
