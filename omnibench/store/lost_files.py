"""What dead processes have left in the database of the records of files that they had not synced; see ``unsynced_files``.

No end of a process loses what it has written to a file, so mostly the files are there, and are only made durable. After a loss
of power some are missing, empty or torn: these are written again.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.store.artifacts import make_directories, publish
from omnibench.store.beneath import LinkedFileError, has_link, open_file, read_bytes, write_new
from omnibench.store.damage import DamagedStoreError
from omnibench.store.durable_names import UnsyncedNames
from omnibench.store.leases import is_held
from omnibench.store.records import Records
from omnibench.store.schema import DROPPED, EXPORTED_PREDICTIONS, Record, RecordType, artifacts_of, current_key
from omnibench.store.unsynced_files import LARGEST, UnsyncedFile, is_private

_LIFELINE = re.compile(r"tmp/work\.\d+\.[0-9a-z_]{8}/\.lock")
"""The lock file that a process holds for life; see ``workspaces``."""

_NEVER_WRITTEN = bytes(64)
"""What a block has in it that a file system has given to a file, and whose content did not come."""


def write_lost_files(records: Records, root: Path) -> list[str]:
    """Make the files durable that dead processes have left unsynced, writing those again that are lost, and forget their contents.

    Call it under the store's opening lock. What a process that lives has left is its own. A file that cannot be written, or
    contents that cannot be removed now, do not keep the store from being opened: the database has them for the next time.

    Args:
        records: The records.
        root: The store's directory.

    Returns:
        Sentences about what was written, or could not be; none where nothing was lost.
    """
    numbers = _numbers_of_the_dead(records, root)
    if not numbers:
        return []
    recovery = _Recovery(records, root)
    try:
        durable = [number for number in numbers if recovery.has_made_durable(number)]
        durable = recovery.with_durable_names(durable)
    finally:
        recovery.unsynced.close()
    try:
        records.change(lambda connection: _remove(connection, durable), patience=0.0)
    except DamagedStoreError:
        raise
    except StoreError:  # e.g. the disk is full, which whoever opens the store may be about to mend
        pass
    return recovery.sentences


def _numbers_of_the_dead(records: Records, root: Path) -> list[int]:
    rows = records.rows("SELECT DISTINCT CAST(holder AS BLOB) FROM UnsyncedFiles")
    dead = {holder for (holder,) in rows if not _lives(holder.decode(errors="replace"), root)}
    if not dead:
        return []
    query = "SELECT number, CAST(holder AS BLOB) FROM UnsyncedFiles ORDER BY number"
    return [number for number, holder in records.rows(query) if holder in dead]


def _lives(holder: str, root: Path) -> bool:
    return _LIFELINE.fullmatch(holder) is not None and is_held(root / holder) is not None


def _remove(connection: sqlite3.Connection, numbers: list[int]) -> None:
    connection.executemany("DELETE FROM UnsyncedFiles WHERE number = ?", [(number,) for number in numbers])


class _Recovery:
    """Makes files durable, one after the other.

    Args:
        records: The records.
        root: The store's directory.
    """

    def __init__(self, records: Records, root: Path) -> None:
        self._records = records
        self._root = root
        self._may_write_models = is_private(root)
        self.unsynced = UnsyncedNames()
        self._n_written = 0
        self._errors: list[str] = []

    @property
    def sentences(self) -> list[str]:
        """What is to be said."""
        sentences = []
        if self._n_written:
            files = (
                "file that the power had taken was" if self._n_written == 1 else "files that the power had taken were"
            )
            sentences.append(f"{self._n_written} {files} written again from what the records' database had of them")
        if self._errors:
            sentences.append(
                f"{len(self._errors)} files that the power may have taken could not be written again ({self._errors[0]}); the next "
                "run, or `omnibench gc`, tries it again"
            )
        return sentences

    def has_made_durable(self, number: int) -> bool:
        """Make the file of a row durable, if any record needs it; return whether the row is of no use any more."""
        file = self._file_of(number)
        if file is None:
            return True
        try:
            if has_link(self._root, file.path):
                return True  # it is no file of ours any more, and is not followed
            role = self._role_of(file)
            if role is None or (role == "model" and not self._may_write_models and not self._is_whole(file, role)):
                return True
            if not (self._is_whole(file, role) and self._is_synced(file)):
                self._write(file)
        except LinkedFileError:
            return True
        except (OSError, StoreError) as error:
            self._errors.append(str(error))
            return False
        return True

    def with_durable_names(self, numbers: list[int]) -> list[int]:
        """Make the names of all these files durable; return the numbers of the rows that are of no use then."""
        try:
            self.unsynced.sync()
        except OSError as error:
            self._errors.append(str(error))
            return []
        return numbers

    def _file_of(self, number: int) -> UnsyncedFile | None:
        query = (
            "SELECT CAST(path AS BLOB), CAST(records AS BLOB), substr(CAST(content AS BLOB), 1, ?) FROM UnsyncedFiles "
            "WHERE number = ?"
        )
        for path, keys, content in self._records.rows(query, LARGEST, number):
            names = tuple(keys.decode(errors="replace").split("\n"))
            return UnsyncedFile(path.decode(errors="replace"), names, content)
        return None

    def _role_of(self, file: UnsyncedFile) -> str | None:
        """Return what a file is to its records, e.g. ``model``, or ``copy`` of a readable copy; None where none needs it."""
        directory, _, name = file.path.rpartition("/")
        for record in self._records_of(file):
            for artifact in artifacts_of(record):
                if artifact["path"] == file.path:
                    if artifact["sha256"] != hashlib.sha256(file.content).hexdigest():
                        break  # another file has its path by now
                    return next((role for role, value in record.items() if value == artifact), "artifact")
            else:
                is_of_item = not record.get(DROPPED) and directory == record.get("directory")
                if is_of_item and name in EXPORTED_PREDICTIONS:
                    return "copy"
        return None

    def _records_of(self, file: UnsyncedFile) -> Iterator[Record]:
        """Yield the records that may need a file; those of earlier generations have other keys."""
        keys = set(file.records)
        for key in file.records:
            if (record := self._records.get(key)) is not None:
                yield record
        query = "SELECT CAST(key AS BLOB) FROM Cache WHERE raw = 1 AND key >= ? AND key < ?"
        for (name,) in self._records.rows(query, *RecordType.OLD.bounds):
            key = name.decode(errors="replace")
            if current_key(key) in keys and (record := self._records.get(key)) is not None:
                yield record

    def _is_whole(self, file: UnsyncedFile, role: str) -> bool:
        """Whether a file is there and was not torn by the power."""
        try:
            content = read_bytes(self._root, file.path, LARGEST + 1)
        except OSError:
            return False
        if content == file.content:
            return True
        # A readable copy may be newer than what the database has; no record says what is in it.
        is_torn = file.content.startswith(content) or (len(content) == len(file.content) and _NEVER_WRITTEN in content)
        return role == "copy" and not is_torn

    def _is_synced(self, file: UnsyncedFile) -> bool:
        """Make a file durable; False where that fails, or has failed since somebody had it open."""
        with suppress(OSError):
            descriptor = open_file(self._root, file.path)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            directory = (self._root / file.path).parent
            self.unsynced.note(directory)
            self.unsynced.note_ancestors(directory, self._root)
            return True
        return False

    def _write(self, file: UnsyncedFile) -> None:
        final = self._root / file.path
        make_directories(final.parent, self._root, self.unsynced)
        publish(write_new(self._root, f"{file.path}.partial", file.content), final, self._root, self.unsynced)
        self._n_written += 1
