"""Evaluations of metrics, of which nothing is kept: a store may have a million, and those of few are asked for."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from omnibench.store.phase_texts import has_users_in, user_file_in
from omnibench.store.reader import Reader
from omnibench.store.reading import read
from omnibench.store.schema import Record, RecordLookup, RecordType

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

_MOST_LOOK_UPS = 1000
"""After so many questions about one evaluation each, all of them are read in one pass, which takes a third of the time."""


class Evaluations(Protocol):
    """Evaluations by their keys."""

    def has_users(self, key: str) -> bool | None:
        """Whether an evaluation has values per user, or None where there is no sound record of it."""
        ...

    def records(self, keys: Sequence[str]) -> list[Record | None]:
        """Return the records of evaluations, None for those that have no sound one."""
        ...

    def user_files(self, keys: Sequence[str]) -> list[Record | None]:
        """Return of evaluations what ``per_user.read_per_user`` takes of their records, None for those that have no sound one."""
        ...


def has_user_values(evaluation: Record) -> bool:
    """Whether an evaluation has values per user; store formats 1 and 2 did not record where they are in the file."""
    return bool(evaluation.get("per_user")) and evaluation.get("place", True) is not None


class EvaluationsByLookup:
    """Evaluations that something else keeps.

    Args:
        lookup: From the key of a record to the record, or None.
    """

    def __init__(self, lookup: RecordLookup) -> None:
        self._lookup = lookup

    def has_users(self, key: str) -> bool | None:
        """See ``Evaluations``."""
        record = self._lookup(RecordType.EVAL.key(key))
        return None if record is None else has_user_values(record)

    def records(self, keys: Sequence[str]) -> list[Record | None]:
        """See ``Evaluations``."""
        return [self._lookup(RecordType.EVAL.key(key)) for key in keys]

    def user_files(self, keys: Sequence[str]) -> list[Record | None]:
        """See ``Evaluations``."""
        return self.records(keys)


class StoredEvaluations:
    """The evaluations of a store: read as of one moment as long as the store is open, and anew afterwards.

    Args:
        root: The store's directory.
        reader: Reads the records.
        untouched: Whether later readings leave no trace; see ``reading.read``.
    """

    def __init__(self, root: Path, reader: Reader, *, untouched: bool = False) -> None:
        self._root = root
        self._reader: Reader | None = reader
        self._untouched = untouched
        self._look_ups = 0
        self._have_users: _HaveUsers | None = None

    def close(self) -> None:
        """Do without the reader from now on."""
        self._reader = self._have_users = None

    def has_users(self, key: str) -> bool | None:
        """See ``Evaluations``; most records are not parsed for it."""
        if self._reader is None:
            (record,) = self.records([key])
            return None if record is None else has_user_values(record)
        record_key = RecordType.EVAL.key(key)
        self._look_ups += 1
        if self._look_ups == _MOST_LOOK_UPS:
            self._have_users = _HaveUsers(self._reader)
        if self._have_users and (is_known := self._have_users.of(record_key)) is not None:
            return is_known
        text = self._reader.sound_text(record_key)
        has_users = None if text is None else has_users_in(text)
        if has_users is None:
            record = self._reader.get(record_key)
            return None if record is None else has_user_values(record)
        return has_users

    def records(self, keys: Sequence[str]) -> list[Record | None]:
        """See ``Evaluations``."""
        return self._read(lambda reader: [reader.get(RecordType.EVAL.key(key)) for key in keys])

    def user_files(self, keys: Sequence[str]) -> list[Record | None]:
        """See ``Evaluations``; most records are not parsed for it."""
        return self._read(lambda reader: [_user_file(reader, RecordType.EVAL.key(key)) for key in keys])

    def _read(self, take: Callable[[Reader], list[Record | None]]) -> list[Record | None]:
        if self._reader is not None:
            return take(self._reader)
        return read(self._root / "store", take, untouched=self._untouched)


class _HaveUsers:
    """Whether evaluations have values per user, of all of a store: a million in eight megabytes.

    Args:
        reader: Reads the records.
    """

    def __init__(self, reader: Reader) -> None:
        # Keys are kept as their hashes; of two that have the same, and of records that have to be parsed, nothing is said.
        hashes_by_answer: dict[bool, array[int]] = {False: array("q"), True: array("q")}
        unknown: set[int] = set()
        for key, text in reader.sound_texts_of(RecordType.EVAL):
            has_users = has_users_in(text)
            if has_users is None:
                unknown.add(hash(key))
            else:
                hashes_by_answer[has_users].append(hash(key))
        self._unknown = unknown
        self._hashes = {has_users: _sorted(hashes) for has_users, hashes in hashes_by_answer.items()}

    def of(self, record_key: str) -> bool | None:
        """Whether an evaluation has values per user; None where its record has to be looked up to tell."""
        number = hash(record_key)
        if number in self._unknown:
            return None
        counts = {has_users: _count(hashes, number) for has_users, hashes in self._hashes.items()}
        return counts[True] == 1 if sum(counts.values()) == 1 else None


_MANY = 20_000
"""Numbers from which on numpy sorts them: a list of them would take five times their memory."""


def _sorted(hashes: array[int]) -> array[int]:
    """Return numbers, ascending."""
    if len(hashes) < _MANY:
        return array("q", sorted(hashes))
    np.frombuffer(hashes, "<i8").sort()  # where they are
    return hashes


def _count(hashes: array[int], number: int) -> int:
    """Return how often a number is among sorted ones: not at all, once, or twice for more."""
    begin = bisect_left(hashes, number)
    return hashes[begin : begin + 2].count(number)


def _user_file(reader: Reader, key: str) -> Record | None:
    text = reader.sound_text(key)
    return (None if text is None else user_file_in(text)) or reader.get(key)
