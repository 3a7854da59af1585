"""What is published outlives a power cut: an entry reaches the disk after the files that it names, each with all of its directories."""

from __future__ import annotations

import errno
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.shared_items import key_of, record_item

from omnibench.commands.main import main
from omnibench.sharing.layout import entry_path
from omnibench.store import CheckpointStore


class Disk:
    """What of a directory would be left after a power cut.

    Args:
        root: The directory.

    Attributes:
        contents: The numbers of the files whose content was synced.
        names: The paths whose directory was synced since they had their name.
        cuts: Of each file, what would be lost that was published before it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.contents: set[int] = set()
        self.names: set[Path] = set()
        self.cuts: dict[str, list[Path]] = {}

    def plant(self, patch: pytest.MonkeyPatch) -> None:
        """Note every sync and every rename from now on."""
        fsync, replace = os.fsync, Path.replace

        def noted_fsync(descriptor: int) -> None:
            fsync(descriptor)
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            self.names |= set(path.iterdir()) if path.is_dir() else set()
            self.contents |= {os.fstat(descriptor).st_ino}

        def noted_replace(path: Path, target: Any) -> Path:
            self.names.discard(Path(target))
            self.cuts[Path(target).relative_to(self.root).as_posix()] = self.lost()
            return replace(path, target)

        patch.setattr(os, "fsync", noted_fsync)
        patch.setattr(Path, "replace", noted_replace)

    def lost(self) -> list[Path]:
        """The published files that a power cut would take now."""
        paths = (path for path in self.root.rglob("*") if path.is_file() and ".partial" not in path.parts)
        return [
            path
            for path in paths
            if path.stat().st_ino not in self.contents
            or not {path, *path.parents} - {*self.root.parents, self.root} <= self.names
        ]


def test_what_an_entry_names_is_on_the_disk_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was published before, all of it, at each file and at the end; and so is the directory itself."""
    with closing(CheckpointStore(tmp_path / "store")) as store:
        for name in ("A", "B"):
            record_item(store, name, metrics={"NDCG@10": 0.5}, predictions=1)
    disk = Disk(tmp_path / "table")
    disk.plant(monkeypatch)
    assert main(["publish", str(disk.root), "--store", str(tmp_path / "store"), "--what", "all"]) == 0
    assert {entry_path(key_of(name)) for name in ("A", "B")} <= disk.cuts.keys()
    assert not any(disk.cuts.values())
    assert disk.lost() == []
    assert disk.root in disk.names


def test_what_an_attempt_has_made_and_failed_to_sync_is_synced_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That a directory is there does not make its name durable."""
    with closing(CheckpointStore(tmp_path / "store")) as store:
        record_item(store, "A", metrics={"NDCG@10": 0.5}, predictions=1)
    disk = Disk(tmp_path / "deep" / "table")
    arguments = ["publish", str(disk.root), "--store", str(tmp_path / "store"), "--what", "all"]
    fsync = os.fsync

    def made() -> set[Path]:
        return {path for path in disk.root.iterdir() if path.is_dir() and path.name != ".partial"}

    def fails_where_an_item_is(descriptor: int) -> None:
        fsync(descriptor)
        if Path(os.readlink(f"/proc/self/fd/{descriptor}")) == disk.root and made():
            raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fails_where_an_item_is)
        assert main(arguments) != 0
    assert made()
    disk.plant(monkeypatch)
    assert main(arguments) == 0
    assert made() <= disk.names
    assert {disk.root, disk.root.parent} <= disk.names
