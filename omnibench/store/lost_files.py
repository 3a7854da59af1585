"""What dead processes have left in the database of the records of files that they had not synced; see ``unsynced_files``.

No end of a process loses what it has written to a file, so mostly the files are there, and are only made durable. After a loss
of power some are missing, empty or torn: these are written again.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.store.artifacts import make_directories, publish
from omnibench.store.beneath import LinkedFileError, has_link, read_bytes, write_new
from omnibench.store.damage import DamagedStoreError
from omnibench.store.durable_names import UnsyncedNames
from omnibench.store.leases import DIRECTORY, is_held, lease
from omnibench.store.records import Records
from omnibench.store.schema import DROPPED, EXPORTED_PREDICTIONS, Record, RecordType, artifacts_of, current_key
from omnibench.store.unsynced_files import LARGEST, UnsyncedFile, is_private, remove_rows, sync_file

_LIFELINE = re.compile(r"tmp/work\.\d+\.[0-9a-z_]{8}/\.lock")
"""The lock file that a process holds for life; see ``workspaces``."""

_BATCH = 64
"""Files whose directories are held open at a time."""

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
    recovery = _Recovery(records, root)
    for start in range(0, len(numbers), _BATCH):
        durable = recovery.made_durable(numbers[start : start + _BATCH])
        try:
            records.change(partial(remove_rows, numbers=durable), patience=0.0)
        except DamagedStoreError:
            raise
        except StoreError:  # e.g. the disk is full, which whoever opens the store may be about to mend
            break
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


@dataclass(frozen=True, slots=True)
class _Need:
    """How a record needs a file.

    Attributes:
        fit_key: The key of its item, whose lease who writes its files holds; empty where it has none.
        is_copy: Whether it is a readable copy, which no record describes.
    """

    fit_key: str
    is_copy: bool = False


class _InUseError(StoreError):
    pass


def _refuse_to_wait(holder: str) -> None:
    raise _InUseError(holder)


class _Recovery:
    """Makes files durable, one after the other.

    Args:
        records: The records.
        root: The store's directory.
    """

    def __init__(self, records: Records, root: Path) -> None:
        self._records = records
        self._root = root
        # Where others may write, any file may have been put into the database; written again it would be this user's own.
        self._may_write = is_private(root)
        self._n_written = self._n_refused = 0
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
        if self._n_refused:
            sentences.append(
                f"{self._n_refused} files that the power has taken are not written again from the records' database, for others "
                "may write to this store; what needs them computes them again"
            )
        if self._errors:
            sentences.append(
                f"{len(self._errors)} files that the power may have taken could not be written again ({self._errors[0]}); the next "
                "run, or `omnibench gc`, tries it again"
            )
        return sentences

    def made_durable(self, numbers: list[int]) -> list[int]:
        """Make the files of some rows durable, with their names; return the numbers of the rows that are of no use then."""
        names = UnsyncedNames()
        try:
            durable = [number for number in numbers if self._has_made_durable(number, names)]
            names.sync()
        except OSError as error:
            self._errors.append(str(error))
            return []
        else:
            return durable
        finally:
            names.close()

    def _has_made_durable(self, number: int, names: UnsyncedNames) -> bool:
        """Make the file of a row durable, if any record needs it; return whether the row is of no use any more."""
        file = self._file_of(number)
        try:
            # What is no file of ours any more is not followed.
            if file is None or has_link(self._root, file.path) or (need := self._need_of(file)) is None:
                return True
            if self._is_whole(file, need) and self._is_synced(file, names):
                return True
            if not self._may_write:
                is_own = os.stat(self._root).st_uid == os.geteuid()
                self._n_refused += is_own
                return is_own  # else its owner will write it
            with self._lease(need):
                if not self._is_whole(file, need) or not self._is_synced(file, names):
                    self._write(file, names)
        except LinkedFileError:
            return True
        except _InUseError:
            return False  # who computes the item may be about to record another file at its path
        except (OSError, StoreError) as error:
            self._errors.append(str(error))
            return False
        return True

    def _lease(self, need: _Need) -> AbstractContextManager[object]:
        if not need.fit_key:
            return nullcontext()
        return lease(self._root / DIRECTORY / f"{need.fit_key}.lock", _refuse_to_wait)

    def _file_of(self, number: int) -> UnsyncedFile | None:
        query = (
            "SELECT CAST(path AS BLOB), CAST(records AS BLOB), substr(CAST(content AS BLOB), 1, ?) FROM UnsyncedFiles "
            "WHERE number = ?"
        )
        for path, keys, content in self._records.rows(query, LARGEST, number):
            names = tuple(keys.decode(errors="replace").split("\n"))
            return UnsyncedFile(path.decode(errors="replace"), names, content)
        return None

    def _need_of(self, file: UnsyncedFile) -> _Need | None:
        """Return how a record needs a file; None where none does."""
        directory, _, name = file.path.rpartition("/")
        for record in self._records_of(file):
            fit_key = str(record.get("fit_key", ""))
            described = [artifact for artifact in artifacts_of(record) if artifact["path"] == file.path]
            if described:
                if described[0]["sha256"] == hashlib.sha256(file.content).hexdigest():
                    return _Need(fit_key)
            elif not record.get(DROPPED) and directory == record.get("directory") and name in EXPORTED_PREDICTIONS:
                return _Need(fit_key, is_copy=True)
        return None

    def _records_of(self, file: UnsyncedFile) -> Iterator[Record]:
        """Yield the records that may need a file; those of earlier generations have other keys."""
        for key in file.records:
            if (record := self._records.get(key)) is not None:
                yield record
        for old_key in itertools.chain.from_iterable(self._old_keys.get(key, ()) for key in file.records):
            if (record := self._records.get(old_key)) is not None:
                yield record

    @cached_property
    def _old_keys(self) -> dict[str, list[str]]:
        """The keys of records of earlier generations, by those that they had."""
        query = "SELECT CAST(key AS BLOB) FROM Cache WHERE raw = 1 AND key >= ? AND key < ?"
        keys: dict[str, list[str]] = {}
        for (name,) in self._records.rows(query, *RecordType.OLD.bounds):
            key = name.decode(errors="replace")
            keys.setdefault(current_key(key), []).append(key)
        return keys

    def _is_whole(self, file: UnsyncedFile, need: _Need) -> bool:
        """Whether a file is there and was not torn by the power."""
        try:
            content = read_bytes(self._root, file.path, LARGEST + 1)
        except OSError:
            return False
        if content == file.content:
            return True
        # A readable copy may be newer than what the database has; no record says what is in it.
        is_unwritten = len(content) == len(file.content) and _NEVER_WRITTEN in content
        return need.is_copy and not file.content.startswith(content) and not is_unwritten

    def _is_synced(self, file: UnsyncedFile, names: UnsyncedNames) -> bool:
        """Make a file durable; False where that fails, or has failed since somebody had it open."""
        with suppress(OSError):
            sync_file(file.path, self._root, names)
            return True
        return False

    def _write(self, file: UnsyncedFile, names: UnsyncedNames) -> None:
        final = self._root / file.path
        make_directories(final.parent, self._root, names)
        publish(write_new(self._root, f"{file.path}.partial", file.content), final, self._root, names)
        self._n_written += 1
