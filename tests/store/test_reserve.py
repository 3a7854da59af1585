"""A store keeps a little room for the commands that make some; see also ``faults/test_upkept.py``."""

from __future__ import annotations

import errno
import os
from contextlib import closing
from pathlib import Path

import pytest

from omnibench.store import CheckpointStore, reserve


def reserved(root: Path) -> int:
    path = root / reserve.NAME
    return path.lstat().st_size if os.path.lexists(path) else 0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    with closing(CheckpointStore(tmp_path / "checkpoints")):
        return tmp_path / "checkpoints"


def test_room_is_kept_where_there_is_much(root: Path, tmp_path: Path) -> None:
    """A new store sets some aside, with its bytes allocated; where there is little, nothing."""
    assert reserved(root) == reserve.SIZE
    assert (root / reserve.NAME).stat().st_blocks * 512 >= reserve.SIZE
    (tmp_path / "small" / "leases").mkdir(parents=True)
    reserve.keep(tmp_path / "small", 2**62)
    assert not reserved(tmp_path / "small")


def test_what_a_kill_has_begun_is_finished(root: Path) -> None:
    """A file that is too small is filled up by whoever opens the store next."""
    (root / reserve.NAME).write_bytes(b"")
    with closing(CheckpointStore(root)):
        assert reserved(root) == reserve.SIZE


def test_it_is_given_free_only_where_no_room_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room it stays; without any it is gone while a command works, and there again afterwards."""
    with reserve.released(root) as is_tight:
        assert (is_tight, reserved(root)) == (False, reserve.SIZE)
    monkeypatch.setattr(reserve, "probe", lambda _: errno.ENOSPC)
    with reserve.released(root) as is_tight:
        assert (is_tight, reserved(root)) == (True, 0)
    assert reserved(root) == reserve.SIZE


def test_a_link_in_its_place_is_left_alone(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a foreign store has there leads nowhere, and is neither written through nor removed."""
    (root / reserve.NAME).unlink()
    (tmp_path / "target").write_text("theirs")
    (root / reserve.NAME).symlink_to(tmp_path / "target")
    monkeypatch.setattr(reserve, "probe", lambda _: errno.ENOSPC)
    reserve.keep(root)
    with reserve.released(root):
        assert (root / reserve.NAME).is_symlink()
    assert (tmp_path / "target").read_text() == "theirs"
