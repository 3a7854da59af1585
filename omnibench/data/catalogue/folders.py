"""The shared folder of a data set in the user's cache: its raw files by name, and what is noted of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omnibench.data.catalogue.definition import Definition
from omnibench.data.catalogue.names import is_shipped
from omnibench.data.downloads.locks import only_process
from omnibench.errors import DataError
from omnibench.keys import digest
from omnibench.paths import cache_directory

_NOTES = "files.json"
_UNFINISHED = (".content-*", f".{_NOTES}.*", "*.partial.[0-9]*")
"""What is renamed once it is whole, and is left by a process that died before."""


@dataclass(frozen=True, slots=True)
class FileNote:
    """What is noted of a raw file when it is first used.

    Args:
        sha256: Its digest.
        url: The address of its source.
        size: In bytes.
        date: The day, as ``YYYY-MM-DD``.
    """

    sha256: str
    url: str
    size: int
    date: str


@dataclass(frozen=True, slots=True)
class DataFolder:
    """A folder with raw files of a data set.

    Args:
        path: The folder.
        is_cache: Whether it is the shared one, which every project of the user has.
    """

    path: Path
    is_cache: bool = True

    @classmethod
    def of(cls, definition: Definition) -> DataFolder:
        """Return the shared folder of a data set; definitions of a project's own have one for each of their files."""
        own = "" if is_shipped(definition) else f"-{digest(os.path.abspath(definition.file))[:8]}"
        return cls(datasets_directory() / f"{definition.name}{own}")

    def notes(self) -> dict[str, FileNote]:
        """Return what is noted of each file, by name."""
        try:
            notes = json.loads((self.path / _NOTES).read_text(encoding="utf-8"))
            return {name: FileNote(**note) for name, note in notes.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise DataError(
                f"{self.path / _NOTES} cannot be read ({error}); it has the digests of files at their first use. Remove it to "
                "trust the files that are there."
            ) from error

    def note(self, name: str, note: FileNote) -> None:
        """Note a file at its first use, or when a changed one is accepted; only while the folder is locked."""
        write_json(self.path / _NOTES, {key: asdict(value) for key, value in (self.notes() | {name: note}).items()})

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Be the only process that downloads, reads or notes anything here.

        Args:
            name: The data set, for the sentence to those who wait.

        Raises:
            DataError: The folder cannot be written.
        """
        waiting = f"waiting for another process, which fetches or reads {name}"
        with ExitStack() as stack:
            try:
                self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
                stack.enter_context(only_process(self.path / ".lock", waiting))
            except OSError as error:
                raise self.unwritable(name, error) from error
            for unfinished in _UNFINISHED:
                for left in self.path.glob(unfinished):
                    with suppress(OSError):
                        left.unlink()
            yield

    def unwritable(self, name: str, error: OSError) -> DataError:
        """Return what to say where nothing can be written.

        Args:
            name: The data set.
            error: What the operating system has refused.
        """
        if self.is_cache:
            return DataError(f"{name}: {_unwritable(self.path, error)}")
        problem = f"{error.filename or self.path} cannot be written ({error.strerror or error})"
        return DataError(f"{name}: {problem}; free some room there, or give --directory another one.")


def datasets_directory() -> Path:
    """Return the folder of everything that is downloaded or read for data sets of the catalogue."""
    return cache_directory() / "datasets"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file in one step, so that nobody reads half of it and none is lost with the power.

    Raises:
        DataError: It cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise DataError(_unwritable(path, error)) from error


def _unwritable(path: Path, error: OSError) -> str:
    return (
        f"{error.filename or path} cannot be written ({error.strerror or error}); free some room there, or set "
        "OMNIBENCH_CACHE_DIR to a directory that can."
    )
