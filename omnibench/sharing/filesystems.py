"""Published items wherever fsspec reaches, which can be read and written."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from omnibench.errors import SharingError
from omnibench.masking import masked
from omnibench.sharing.locations import CHUNK, public_name, too_long


class FsspecLocation:
    """A place that fsspec reaches: s3, Hugging Face, memory and many more.

    Args:
        address: The address as fsspec has it.

    Raises:
        SharingError: fsspec, or what it needs for this, is not installed, or does not know it.
    """

    is_remote = True

    def __init__(self, address: str) -> None:
        self.name = public_name(address)
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise SharingError(
                f"{self.name} is reached by fsspec, which is not installed: pip install 'omnibench[sharing]'. Directories and "
                "addresses that begin with https:// work without it."
            ) from None
        try:
            self._files, root = url_to_fs(address)
        except ImportError as error:
            raise SharingError(f"{self.name} cannot be reached: {error}") from error
        except ValueError as error:
            raise SharingError(f"{self.name} is no place that fsspec knows: {masked(str(error))}") from error
        except Exception as error:  # ftp and others connect at once, and raise what they like
            raise SharingError(
                f"{self.name} cannot be reached ({type(error).__name__}: {masked(str(error))})."
            ) from error
        self._root: str = root.rstrip("/")
        self._files.invalidate_cache()  # fsspec hands out what it has made before, with the listings of then

    def _path(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _opened(self, path: str) -> Any:
        try:
            return self._files.open(self._path(path), "rb")
        except FileNotFoundError:
            return None
        except Exception as error:  # whatever a back end raises
            raise self._trouble(path, error) from error

    def _trouble(self, path: str, error: Exception) -> SharingError:
        return SharingError(f"{path} of {self.name} cannot be used ({type(error).__name__}: {masked(str(error))}).")

    def read(self, path: str, most: int) -> bytes | None:
        """Return a file, or None where it is not there; see ``Location.read``."""
        file = self._opened(path)
        if file is None:
            return None
        try:
            with file:
                content: bytes = file.read(most + 1)
        except Exception as error:
            raise self._trouble(path, error) from error
        if len(content) > most:
            raise too_long(self.name, path, most)
        return content

    def copy(self, path: str, size: int, target: BinaryIO) -> bool:
        """Write a file into another one; see ``Location.copy``."""
        file = self._opened(path)
        if file is None:
            return False
        target.seek(0)
        target.truncate()
        read = 0
        try:
            with file:
                while read <= size and (chunk := file.read(CHUNK)):
                    read += len(chunk)
                    target.write(chunk)
        except Exception as error:
            raise self._trouble(path, error) from error
        if read != size:
            raise SharingError(f"{path} of {self.name} has not the {size:,} bytes that its record says.")
        return True

    def names(self, directory: str, ending: str) -> Sequence[str] | None:
        """Return the names of all files below a directory that end so."""
        try:
            paths = self._files.find(self._path(directory))
        except FileNotFoundError:
            return []
        except Exception as error:
            raise self._trouble(directory, error) from error
        return sorted(path.rpartition("/")[2] for path in paths if path.endswith(ending))

    def has(self, path: str) -> bool:
        """Whether a file is there."""
        try:
            return bool(self._files.exists(self._path(path)))
        except Exception as error:
            raise self._trouble(path, error) from error

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """Return a context in which files are written, each as soon as it is there; see ``Location.writing``."""
        with tempfile.TemporaryDirectory(prefix="omnibench-publish-") as scratch:
            yield Path(scratch)

    def write(self, path: str, content: bytes) -> None:
        """Write a file; object stores show it whole or not at all."""
        self._written(path, lambda final: self._files.pipe_file(final, content))

    def put(self, path: str, source: Path) -> None:
        """Write a file; see ``Location.put``."""
        self._written(path, lambda final: self._files.put_file(str(source), final))
        source.unlink()

    def _written(self, path: str, write: Callable[[str], object]) -> None:
        """Write a file, after its directory was made where the place has such; object stores have none."""
        final = self._path(path)
        try:
            try:
                write(final)
            except FileNotFoundError:
                self._make_directories(final)
                write(final)
        except Exception as error:
            raise self._trouble(path, error) from error

    def _make_directories(self, final: str) -> None:
        """Make the directories of a file from the place itself down. What is above it is not made: that may be a bucket."""
        parents = [str(parent) for parent in PurePosixPath(final).parents if len(str(parent)) >= len(self._root)]
        for directory in reversed(parents):
            if "/" in directory.strip("/"):
                with suppress(FileExistsError):
                    self._files.mkdir(directory, create_parents=False)
