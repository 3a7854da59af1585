"""Published items in a directory, which may be the working tree of a git repository."""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from omnibench.errors import SharingError
from omnibench.sharing.layout import INDEX
from omnibench.sharing.locations import CHUNK, too_long
from omnibench.store.beneath import LinkedFileError, open_file
from omnibench.store.durable_names import sync_directory, sync_names_above

PARTIAL = ".partial"
"""Where files are until they are whole, beside a lock; git leaves it out."""

_FOR_GIT = {".gitignore": f"{PARTIAL}/\n", ".gitattributes": f"{INDEX} merge=union\n"}
"""Files that are written where they are not there: what git leaves out, and of what it joins the lines."""


class DirectoryLocation:
    """A directory with published items. No link in it is followed; it may be one itself.

    Args:
        root: The directory, which need not be there to be written to.
    """

    is_remote = False

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = str(root)
        self._durable: set[Path] = set()  # directories whose names are, since this process is the only one that writes

    def _opened(self, path: str) -> BinaryIO | None:
        try:
            return os.fdopen(open_file(self.root, path), "rb")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (LinkedFileError, OSError) as error:
            raise SharingError(f"{path} of {self.name} is not read: {error}") from error

    def read(self, path: str, most: int) -> bytes | None:
        """Return a file, or None where it is not there; see ``Location.read``."""
        file = self._opened(path)
        if file is None:
            return None
        with file:
            content = file.read(most + 1)
        if len(content) > most:
            raise too_long(self.name, path, most)
        return content

    def copy(self, path: str, size: int, target: BinaryIO) -> bool:
        """Write a file into another one; see ``Location.copy``."""
        file = self._opened(path)
        if file is None:
            return False
        with file:
            if os.fstat(file.fileno()).st_size != size:
                raise SharingError(f"{path} of {self.name} has not the {size:,} bytes that its record says.")
            target.seek(0)
            target.truncate()
            shutil.copyfileobj(file, target, CHUNK)
        return True

    def names(self, directory: str, ending: str) -> Sequence[str] | None:
        """Return the names of all files below a directory that end so."""
        walked = (names for _, _, names in os.walk(self.root / directory))
        return sorted(name for names in walked for name in names if name.endswith(ending))

    def has(self, path: str) -> bool:
        """Whether a file is there."""
        file = self._opened(path)
        if file is None:
            return False
        file.close()
        return True

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """Be the only process that writes here, and remove what others that were killed have left half done.

        Raises:
            SharingError: Another one writes, or nothing can be written.
        """
        partial = self.root / PARTIAL
        try:
            if partial.is_symlink():  # a clone may come from anybody: what it leads to is not ours to empty
                raise SharingError(f"{partial} is a link, which is not followed; remove it, then publish again.")
            self.root.mkdir(parents=True, exist_ok=True)
            sync_names_above(self.root)
            self._durable.clear()
            partial.mkdir(exist_ok=True)
            descriptor = os.open(partial / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise self._unwritable(error) from error
        with os.fdopen(descriptor, "rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise SharingError(
                    f"another process is publishing into {self.name}; try again when it is done."
                ) from error
            try:
                for path in partial.iterdir():
                    if path.name != "lock":
                        path.unlink()
            except OSError as error:
                raise self._unwritable(error) from error
            for name, text in _FOR_GIT.items():
                if not os.path.lexists(self.root / name):
                    self.write(name, text.encode())
            try:
                yield partial
            finally:
                with suppress(OSError):
                    shutil.rmtree(partial)

    def write(self, path: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        partial = self.root / PARTIAL / uuid.uuid4().hex
        try:
            partial.write_bytes(content)
        except OSError as error:
            raise self._unwritable(error) from error
        self.put(path, partial)

    def put(self, path: str, source: Path) -> None:
        """Write a file; see ``Location.put``."""
        final = self.root / PurePosixPath(path)
        try:
            self._make_directories(path)
            with source.open("rb") as file:
                os.fsync(file.fileno())
            source.replace(final)
            sync_directory(final.parent)
        except OSError as error:
            raise self._unwritable(error) from error

    def _make_directories(self, path: str) -> None:
        for parent in reversed([*PurePosixPath(path).parents][:-1]):
            directory = self.root / parent
            if directory.is_symlink():
                raise SharingError(f"{directory} is a link, which is not followed; nothing is written there.")
            if directory.is_dir() and directory in self._durable:
                continue
            directory.mkdir(exist_ok=True)
            # Also where it was there: the attempt that made it may have failed to do so.
            sync_directory(directory.parent)
            self._durable.add(directory)

    def _unwritable(self, error: OSError) -> SharingError:
        return SharingError(f"{self.name} cannot be written ({error.strerror or error}); give another directory.")
