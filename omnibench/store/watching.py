"""Files that results are computed from, watched from when they were found intact until a result is recorded.

A file is read in full once per process. Afterwards ``stat`` tells whether somebody has written to it, for microseconds
a file. What changes a disk below its file system leaves no trace there, and is found by whoever reads the file next.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.store.artifacts import sha256_of
from omnibench.store.schema import Artifact

Stamp = tuple[int, int, int, int, int]
"""Device, inode, size, and the times of the last change of content and of the inode, in nanoseconds."""


class ChangedInputError(StoreError):
    """A file has changed while results were computed from it, so that they are not recorded.

    Args:
        artifacts: The files.
    """

    def __init__(self, artifacts: Iterable[Artifact]) -> None:
        self.artifacts = list(artifacts)
        paths = [artifact["path"] for artifact in self.artifacts]
        further = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        super().__init__(
            f"{paths[0]}{further} changed while it was in use, so what was computed from it is not recorded. Nothing but "
            "omnibench may write there; if nobody did, see to the disk"
        )


def stamp_of(path: str | Path) -> Stamp | None:
    """Return what changes whenever somebody writes to a file or puts another in its place; None when it is gone."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class Inputs:
    """The files that one item is computed from, as they were when this process found them intact.

    Args:
        root: The store's directory.
        stamps: The stamps of the files that this process has found intact, by path.
    """

    def __init__(self, root: Path, stamps: dict[str, Stamp | None]) -> None:
        self._root = root
        self._stamps = stamps
        self._watched: dict[str, tuple[Artifact, Stamp | None]] = {}

    def add(self, artifacts: Iterable[Artifact]) -> None:
        """Watch files that were found intact, or made, by this process."""
        for artifact in artifacts:
            path = artifact["path"]
            self._watched[path] = artifact, self._stamps.get(path) or stamp_of(f"{self._root}/{path}")

    def check(self) -> None:
        """Raise when a file has changed; to be called before a result is recorded.

        One whose times have changed alone is read again: somebody may have touched or linked it. A file in the place of
        another is a change whatever it holds, since nobody knows which of the two was read.

        Raises:
            ChangedInputError: There is such a file.
        """
        changed = []
        for path, (artifact, stamp) in self._watched.items():
            current = stamp_of(f"{self._root}/{path}")
            if current == stamp:
                continue
            if stamp is not None and current is not None and current[:3] == stamp[:3]:
                try:
                    intact = sha256_of(self._root / path) == artifact["sha256"]
                except OSError:
                    intact = False
                if intact:
                    self._stamps[path] = current
                    self._watched[path] = artifact, current
                    continue
            changed.append(artifact)
        if changed:
            raise ChangedInputError(changed)
