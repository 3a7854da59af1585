"""The self-test of a file system: it passes where things work, says what does not, and happens once per device."""

from __future__ import annotations

import errno
import fcntl
import json
import mmap
import os
from pathlib import Path
from typing import Any

import pytest

from omnibench.errors import StoreError
from omnibench.store import CheckpointStore, selftest
from omnibench.store.refusals import cannot_be_written
from omnibench.store.selftest import flaws_of

pytestmark = pytest.mark.syncs


def test_the_disk_of_the_tests_passes(tmp_path: Path) -> None:
    """Locks, shared memory, renaming, links and syncs, with a second process."""
    assert list(flaws_of(tmp_path, with_process=True)) == []


def test_locks_that_do_not_exclude_are_found_by_the_second_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes no lock at all keeps nobody from taking it."""
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    monkeypatch.setattr(fcntl, "lockf", lambda *_: None)
    assert list(flaws_of(tmp_path, with_process=True)) == [
        "locks (flock) do not exclude",
        "locks (flock) of two processes do not exclude each other",
        "locks (fcntl) of two processes do not exclude each other",
    ]


def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no hard links, as FAT."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)


def test_what_does_not_work_is_refused_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names directory, file system and flaw; who insists is told of it, and nothing else happens."""
    without_links(monkeypatch)
    with pytest.raises(StoreError) as refused:
        CheckpointStore(tmp_path / "checkpoints")
    for part in ("hard link) (Operation not permitted)", "--omnirec-checkpoint-dir", "--omnirec-allow-network-fs"):
        assert part in str(refused.value)
    messages: list[str] = []
    CheckpointStore(tmp_path / "checkpoints", allow_network_fs=True, notify=messages.append).close()
    (message,) = messages
    assert message.endswith("at your own risk")


def test_an_unknown_file_system_is_warned_of_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first opening says so; later ones only where the directory has come to another device."""
    monkeypatch.setattr(selftest, "file_system_of", lambda _: "fuse.unheard-of")
    messages: list[str] = []
    for _ in range(2):
        CheckpointStore(tmp_path / "checkpoints", notify=messages.append).close()
    (message,) = messages
    assert "(fuse.unheard-of) that is not known" in message
    passed = tmp_path / "checkpoints" / "leases" / "file-system.json"
    passed.write_text(json.dumps({"device": -1}))
    CheckpointStore(tmp_path / "checkpoints", notify=messages.append).close()
    assert messages == [message, message]
    assert json.loads(passed.read_text())["device"] == tmp_path.stat().st_dev


def test_a_sound_file_system_is_tried_without_a_word(tmp_path: Path) -> None:
    """Nothing is said of the test, and nothing of it is left but its result."""
    messages: list[str] = []
    CheckpointStore(tmp_path / "checkpoints", notify=messages.append).close()
    assert messages == []
    assert list((tmp_path / "checkpoints" / "tmp").iterdir()) == []


def test_a_full_disk_says_nothing_of_its_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no reason to keep checkpoints elsewhere, and is told as what it is."""

    def full(_: Path) -> bool:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(selftest, "_syncs", full)
    with pytest.raises(OSError, match="No space left"):
        list(flaws_of(tmp_path, with_process=False))


def test_memory_is_tried_in_a_file_without_holes(tmp_path: Path) -> None:
    """On a full disk, writing to a mapped hole would end the process."""
    with selftest._opened_twice(tmp_path) as (file, _):
        os.fsync(file)
        assert os.fstat(file).st_blocks > 0


def test_small_blocks_are_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite maps a file of which it writes one byte a page: on a full file system with smaller blocks it gets SIGBUS."""
    monkeypatch.setattr(mmap, "PAGESIZE", 2 * os.statvfs(tmp_path).f_frsize)
    messages: list[str] = []
    CheckpointStore(tmp_path, notify=messages.append).close()
    CheckpointStore(tmp_path, notify=messages.append).close()
    (message,) = messages
    assert "counts as full when 256 KiB are left" in message


def test_who_finds_no_room_is_advised_to_make_some(tmp_path: Path) -> None:
    """A full disk cannot be made writable by any permission."""
    with pytest.raises(StoreError, match=r"--omnirec-checkpoint-dir, or make room\.$"), cannot_be_written(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(StoreError, match=r"or make it writable\.$"), cannot_be_written(tmp_path):
        raise OSError(errno.EACCES, "Permission denied")
