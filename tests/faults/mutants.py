"""Wrong protocols. Each changes omnibench in a child; the harness has to notice every one of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from omnibench.store import CheckpointStore, artifacts, durable_names, unsynced_files
from omnibench.store.schema import Artifact
from omnibench.store.watching import Inputs


def _describe(file: Path, final: Path, root: Path) -> Artifact:
    size, sha256 = file.stat().st_size, artifacts.sha256_of(file)
    return {"path": final.relative_to(root).as_posix(), "size": size, "sha256": sha256}


def _change(name: str, method: Any) -> None:
    setattr(CheckpointStore, name, method)


def record_before_artifact() -> None:
    """Commit a record, then move its artifact into place."""
    waiting: list[tuple[Path, Path]] = []
    real = CheckpointStore.commit

    def publish(self: CheckpointStore, partial: Path, final: Path, **_: bool) -> Artifact:
        artifacts.make_directories(final.parent, self.root, self._unsynced)
        waiting.append((partial, final))
        return _describe(partial, final, self.root)

    def commit(self: CheckpointStore, *arguments: Any, **options: Any) -> None:
        real(self, *arguments, **options)
        while waiting:
            partial, final = waiting.pop(0)
            partial.replace(final)

    _change("publish", publish)
    _change("commit", commit)
    setattr(Inputs, "check", lambda *_: None)  # noqa: B010 - else it is seen that the file comes later


def write_in_place() -> None:
    """Write an artifact at its final name."""

    def publish(self: CheckpointStore, partial: Path, final: Path, **_: bool) -> Artifact:
        artifacts.make_directories(final.parent, self.root, self._unsynced)
        with final.open("wb") as file:
            file.write(partial.read_bytes())
            os.fsync(file.fileno())
        durable_names.sync_directory(final.parent)
        return _describe(final, final, self.root)

    _change("publish", publish)


def without_fsync() -> None:
    """Move an artifact into place before it is on disk."""

    def publish(self: CheckpointStore, partial: Path, final: Path, **_: bool) -> Artifact:
        artifacts.make_directories(final.parent, self.root, self._unsynced)
        partial.replace(final)
        durable_names.sync_directory(final.parent)
        return _describe(final, final, self.root)

    _change("publish", publish)


def without_contents() -> None:
    """Leave small files unsynced, and their contents out of the database."""
    setattr(unsynced_files.UnsyncedFiles, "note", lambda *_: None)  # noqa: B010 - a method


def every_file_synced() -> None:
    """Sync small files as large ones are, and where the file system cannot be synced at once: a protocol that is right."""
    setattr(unsynced_files, "may_leave_unsynced", lambda _: False)  # noqa: B010 - a function of a module


def named_before_it_is_synced() -> None:
    """Move each artifact first, also where something has its name, and sync it where it lies."""

    def move_and_sync(partial: Path, descriptor: int, name: str, parent: int, **_: bool) -> os.stat_result:
        os.replace(partial, name, dst_dir_fd=parent)
        os.fsync(descriptor)
        return os.stat(name, dir_fd=parent, follow_symlinks=False)

    every_file_synced()
    setattr(artifacts, "_move_and_sync", move_and_sync)  # noqa: B010 - a function of a module


def without_durable_directories() -> None:
    """Record what lies in directories whose names are not on disk."""
    setattr(durable_names.UnsyncedNames, "note_ancestors", lambda *_: None)  # noqa: B010 - a method of a class


def without_verification() -> None:
    """Use whatever lies where a record points."""

    def usable(self: CheckpointStore, artifact: Artifact, *_: Any, **__: Any) -> Path | None:
        path = self.root / artifact["path"]
        return path if path.exists() else None

    _change("usable", usable)


def reset_with_rmtree() -> None:
    """Remove an item's files before its records are forgotten."""
    real = CheckpointStore.commit

    def commit(self: CheckpointStore, lease: Any, records: Any, forget: Any = None, **options: bool) -> None:
        for record in (forget or {}).values():
            for role in ("model", "predictions"):
                if role in record:
                    shutil.rmtree((self.root / record[role]["path"]).parent, ignore_errors=True)
        real(self, lease, records, forget, **options)

    _change("commit", commit)
