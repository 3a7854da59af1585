"""Directories of a store that belong to a key: named after its first digits, with the whole key in a file."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.keys import DISPLAY_DIGITS
from omnibench.store.artifacts import make_directories
from omnibench.store.beneath import is_reached, read_bytes, relative_path
from omnibench.store.workspaces import Workspace

_LONGEST_KEY = 1000
"""Bytes of a file that says whose a directory is; ours have 64."""

_LONGEST_STEM = 150
"""Bytes of a name that go into a directory name; file systems allow 255 in all."""

_MOST_KNOWN = 64
"""Directories of which a process remembers whose they are: all folds of a configuration ask for the same two."""


class Claims:
    """Finds and makes the directories of keys in a store.

    Args:
        root: The store's directory.
        workspace: Where files are made before they get their names.
    """

    def __init__(self, root: Path, workspace: Workspace) -> None:
        self._root = root
        self._workspace = workspace
        self._directories: dict[tuple[Path, str, str], Path] = {}

    def claim(self, parent: Path, name: str, key: str) -> Path:
        """Return the directory for a key, such as ``MovieLens100K-a3f8e2c1``, making it when needed.

        Two keys that begin with the same eight digits get longer names, as in git.

        Args:
            parent: A directory of this store.
            name: The name; characters that a file name cannot have are replaced.
            key: Its full key.

        Raises:
            StoreError: The parent is outside of the store, or what marks its directories is damaged.
        """
        directory_before = self._directories.get((parent, name, key))
        if directory_before is not None and is_reached(self._root, relative_path(directory_before, self._root)):
            return directory_before
        stem = re.sub(r"[^\w.+-]", "_", name).encode()[:_LONGEST_STEM].decode(errors="ignore")
        for digits in (DISPLAY_DIGITS, 12, 16, 32, len(key)):
            directory = parent / f"{stem}-{key[:digits]}"
            make_directories(directory, self._root, None)
            if self._owner(directory, key) == key:
                if len(self._directories) >= _MOST_KNOWN:
                    self._directories.clear()
                self._directories[parent, name, key] = directory
                return directory
        raise StoreError(f"{parent} holds another {name} with the key {key}; its .key files are damaged")

    def _owner(self, directory: Path, key: str) -> str:
        """Return the key of the owner of a directory; one that nobody owns is given this key."""
        owner = directory / ".key"
        if not os.path.lexists(owner):
            with self._workspace.temporary() as scratch:
                (scratch / "key").write_text(key, encoding="utf-8")
                with suppress(FileExistsError):
                    owner.hardlink_to(scratch / "key")  # fails when the name exists: the first one wins
        return read_bytes(self._root, relative_path(owner, self._root), _LONGEST_KEY).decode(errors="replace")
