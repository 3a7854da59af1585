"""Evaluations of metrics, of which nothing is kept: a store may have a million, and those of few are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from omnibench.store.phase_texts import has_users_in
from omnibench.store.reader import Reader
from omnibench.store.reading import read
from omnibench.store.schema import Record, RecordLookup, RecordType

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
        # By the hash of the key, as whoever has asked for many asks for most of a million; None where a record has to be parsed.
        self._have_users: dict[int, bool | None] | None = None

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
            self._have_users = _read_in_one_pass(self._reader)
        if self._have_users and (is_known := self._have_users.get(hash(record_key))) is not None:
            return is_known
        text = self._reader.sound_text(record_key)
        has_users = None if text is None else has_users_in(text)
        if has_users is None:
            record = self._reader.get(record_key)
            return None if record is None else has_user_values(record)
        return has_users

    def records(self, keys: Sequence[str]) -> list[Record | None]:
        """See ``Evaluations``."""
        if self._reader is not None:
            return _records(self._reader, keys)
        return read(self._root / "store", lambda reader: _records(reader, keys), untouched=self._untouched)


def _read_in_one_pass(reader: Reader) -> dict[int, bool | None]:
    """Return whether evaluations have values per user, by the hash of the key; of two keys that have it alike nothing is said."""
    have_users: dict[int, bool | None] = {}
    for key, text in reader.sound_texts_of(RecordType.EVAL):
        number = hash(key)
        have_users[number] = None if number in have_users else has_users_in(text)
    return have_users


def _records(reader: Reader, keys: Sequence[str]) -> list[Record | None]:
    return [reader.get(RecordType.EVAL.key(key)) for key in keys]
