"""The records of a store as of one moment, read one at a time or by their keys."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Any

from omnibench.store.checks import is_cost, is_name, is_natural
from omnibench.store.cost_queries import COSTS_OF_PHASES, PEAKS_OF_FITS
from omnibench.store.damage import check_content
from omnibench.store.fit_identities import FitIdentity, identity_in, identity_of
from omnibench.store.formats import SEALED_SINCE
from omnibench.store.forms import record_of
from omnibench.store.indexes import FIT_KEYS, KEYS_OF_NAME, NAMES_WITH, ROWS_OF_ITEM, is_indexed
from omnibench.store.known_folds import LightItems
from omnibench.store.phase_costs import BlockOfCosts, are_kept, blocks_of_costs, rows_of_others
from omnibench.store.revision import revision_of
from omnibench.store.schema import Record, RecordType, Status
from omnibench.store.sealing import DamagedRecordError, add_sound, body_of, text_of, unseal, unsealed
from omnibench.store.stops import settled

MOST_KEYS = 500
"""Keys that one query asks for; older versions of sqlite take no more than 999 variables."""

_BLOCK = 100
"""Records that are read at a time where nobody looks at each alone: with three times as many, processors keep fewer at hand."""

_OF_PREFIX = " AND key >= ? AND key < ?"
_FIRST = 2000
"""Rows that are looked through for the first records of a type: to sort the rows of 100,000 takes a fifteenth of a second."""
_BELOW = f"Cache NOT INDEXED WHERE raw = 1{_OF_PREFIX} AND rowid < ? ORDER BY rowid"
_SORTED = f"""
(SELECT rowid AS number FROM Cache WHERE raw = 1{_OF_PREFIX} AND +rowid >= ? ORDER BY rowid LIMIT -1) AS sorted
CROSS JOIN Cache ON Cache.rowid = sorted.number
"""  # noqa: S608 - of constants
"""The rows of a range of keys in the order in which they were written; values are not sorted, they are many.

Without its LIMIT, which is none, SQLite would leave out the ORDER BY of what is joined.
"""


class Reader:
    """The records as of one moment; see ``reading.read``.

    Attributes:
        version: The database's format.
    """

    def __init__(self, connection: sqlite3.Connection, on_damage: Callable[[str], None]) -> None:
        self._connection = connection
        self._on_damage = on_damage
        self.version: int = connection.execute("PRAGMA user_version").fetchone()[0]

    def check(self) -> None:
        """Read the whole database and check it.

        Raises:
            DamagedStoreError: Something in it is broken.
        """
        check_content(self._connection)

    @property
    def revision(self) -> str:
        """The revision of the records; empty where nobody counts it yet."""
        return revision_of(self._connection)

    def texts(
        self, prefix: str = "", *, in_order: bool = False, may_end: bool = False
    ) -> Iterator[tuple[str, int, bytes]]:
        """Yield key, mode and value as they stand, of every record whose key begins with a prefix.

        Args:
            prefix: The prefix; without one, the records come in the order in which they were written.
            in_order: Whether they do so with a prefix, too, instead of by their keys.
            may_end: Whether the first of them may be all that are asked for: then nothing is sorted for these. For types of which there
                are many.
        """
        # As bytes: one text that is no UTF-8 any more would be an error of the whole query.
        query = "SELECT CAST(key AS BLOB), mode, CAST(value AS BLOB) FROM"
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else ""
        if prefix and in_order:
            tables = [_BELOW, _SORTED] if may_end else [_SORTED]
            parameters: tuple[str | int, ...] = (prefix, end, _FIRST if may_end else 0)
        else:
            tables = [f"Cache WHERE raw = 1{_OF_PREFIX if prefix else ''}"]
            parameters = (prefix, end) if prefix else ()
        for table in tables:
            for key, mode, value in self._connection.execute(f"{query} {table}", parameters):
                yield key.decode(errors="replace"), mode, value

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that begin with a prefix, of records that are not read, so that they may be damaged."""
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        query = "SELECT CAST(key AS BLOB) FROM Cache WHERE raw = 1 AND key >= ? AND key < ?"
        return (key.decode(errors="replace") for (key,) in self._connection.execute(query, (prefix, end)))

    def texts_of(self, keys: Iterable[str]) -> Iterator[tuple[str, int, bytes]]:
        """Yield key, mode and value as they stand, of the records that have some keys."""
        query = "SELECT key, mode, CAST(value AS BLOB) FROM Cache WHERE key = ? AND raw = 1"
        for key in keys:
            yield from self._connection.execute(query, (key,))

    def sound_texts(self, prefix: str, *, in_order: bool = False, may_end: bool = False) -> Iterator[tuple[str, str]]:
        """Yield key and JSON, unread, of every sound record whose key begins with a prefix; of old stores none."""
        texts = self.texts(prefix, in_order=in_order, may_end=may_end)
        for key, mode, value in texts if self.version >= SEALED_SINCE else ():
            try:
                yield key, body_of(key, mode, value)
            except DamagedRecordError:
                self._on_damage(key)

    def sound_texts_of(self, *record_types: RecordType) -> Iterator[tuple[str, str]]:
        """Yield what ``sound_texts`` does, of several types in one pass over all records, in the order in which they were written.

        That is for types that most records are of: as many look-ups by key take three times as long.
        """
        rows = self._rows_of_types(record_types)
        for key_bytes, mode, value in rows:
            key = key_bytes.decode(errors="replace")
            try:
                yield key, body_of(key, mode, value)
            except DamagedRecordError:
                self._on_damage(key)

    def _rows_of_types(self, record_types: Sequence[RecordType]) -> sqlite3.Cursor:
        """Return key, mode and value of every record of some types, in the order in which they were written; of old stores none."""
        ranges = " OR ".join(["(key >= ? AND key < ?)"] * len(record_types))
        # Without an index, which would have the rows sorted by their keys.
        query = (
            f"SELECT CAST(key AS BLOB), mode, CAST(value AS BLOB) FROM Cache NOT INDEXED WHERE raw = 1 AND ({ranges})"  # noqa: S608 - of constants
        )
        bounds = [bound for record_type in record_types for bound in record_type.bounds]
        if self.version < SEALED_SINCE:
            return self._connection.execute("SELECT 1 WHERE 0")
        return self._connection.execute(query, bounds)

    def sound_blocks_of(self, *record_types: RecordType) -> Iterator[tuple[RecordType, list[bytes], list[bytes]]]:
        """Yield what ``sound_texts_of`` does by the hundred: a type, the keys of some of its records, and their JSON, all encoded."""
        types_by_prefix = {record_type.prefix.encode(): record_type for record_type in record_types}
        rows = self._rows_of_types(record_types)
        while block := rows.fetchmany(_BLOCK):
            by_prefix: dict[bytes, tuple[list[bytes], list[bytes]]] = {prefix: ([], []) for prefix in types_by_prefix}
            for key in add_sound(block, by_prefix):
                self._on_damage(key)
            for prefix, (keys, texts) in by_prefix.items():
                if keys:
                    yield types_by_prefix[prefix], keys, texts

    def sound_text(self, key: str) -> str | None:
        """Return the JSON, unread, of a sound record; None where there is none, and of old stores."""
        query = "SELECT mode, CAST(value AS BLOB) FROM Cache WHERE key = ? AND raw = 1"
        row = self._connection.execute(query, (key,)).fetchone() if self.version >= SEALED_SINCE else None
        try:
            return None if row is None else body_of(key, *row)
        except DamagedRecordError:
            self._on_damage(key)
            return None

    def unformed(self, prefix: str, *, in_order: bool = False) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield key and members of every record whose key begins with a prefix and whose checksum fits.

        Whether it is of the form of its type is not looked at, which takes longer than all else: whoever uses a member checks it.
        """
        for key, mode, value in self.texts(prefix, in_order=in_order):
            try:
                text = text_of(mode, value)
                members = unseal(key, text) if self.version >= SEALED_SINCE else unsealed(key, text)
            except (ValueError, RecursionError):
                self._on_damage(key)
            else:
                yield key, members

    def records(self, prefix: str = "", *, in_order: bool = False) -> Iterator[tuple[str, Record]]:
        """Yield every sound record whose key begins with a prefix; see ``texts``."""
        for key, mode, value in self.texts(prefix, in_order=in_order):
            record = self._sound(key, mode, value)
            if record is not None:
                yield key, record

    def light_items(
        self,
        *,
        with_nodes: bool = False,
        with_metrics: bool = True,
        is_taken: Callable[[str, str], bool] = lambda *_: False,
    ) -> Iterator[tuple[str, Record, bool]]:
        """Yield key and record of every item in the order in which they were written, and whether it is a light one.

        Light ones are as ``item_texts.light_item_in`` returns them; the others are whole.

        Args:
            with_nodes: Whether light ones say their node ids.
            with_metrics: Whether they have their metrics, packed, and the keys of their predictions.
            is_taken: Whether an item, by its key and the JSON of its record, is taken by somebody else, and is not yielded.
        """
        light_items = LightItems(with_node=with_nodes, with_metrics=with_metrics)
        for key, mode, value in self.texts(RecordType.ITEM.prefix, in_order=True):
            light = None
            if self.version >= SEALED_SINCE:
                try:
                    text = body_of(key, mode, value)
                    if is_taken(key, text):
                        continue
                    light = light_items.record_in(key, RecordType.ITEM.identity(key), text)
                except DamagedRecordError:
                    self._on_damage(key)
                    continue
            record = self._sound(key, mode, value) if light is None else light
            if record is not None:
                yield key, record, light is not None

    def fits(self) -> Iterator[tuple[str, FitIdentity]]:
        """Yield key and identity of the fit of every item, in the order in which they were written; those of trials are left out."""
        prefix = RecordType.FIT.prefix
        if self.version < SEALED_SINCE:
            parsed = ((key, identity_of(record)) for key, record in self.records(prefix, in_order=True))
            yield from ((key, identity) for key, identity in parsed if identity is not None)
            return
        for key, text in self.sound_texts(prefix, in_order=True, may_end=True):
            identity = identity_in(text)
            if identity is None and (record := self.get(key)) is not None:
                identity = identity_of(record)
            if identity is not None:
                yield key, identity

    def records_of(self, *record_types: RecordType | None) -> Iterator[tuple[str, Record]]:
        """Yield every sound record of some types, in the order in which they were written."""
        for key, mode, value in self.texts():
            if RecordType.of(key) in record_types:
                record = self._sound(key, mode, value)
                if record is not None:
                    yield key, record

    def text(self, key: str) -> str:
        """Return the text of a record that is there, as it stands.

        Raises:
            DamagedRecordError: It is no text.
        """
        query = "SELECT mode, CAST(value AS BLOB) FROM Cache WHERE key = ? AND raw = 1"
        return text_of(*self._connection.execute(query, (key,)).fetchone())

    def get(self, key: str) -> Record | None:
        """Return a sound record, or None."""
        query = "SELECT mode, CAST(value AS BLOB) FROM Cache WHERE key = ? AND raw = 1"
        row = self._connection.execute(query, (key,)).fetchone()
        return None if row is None else self._sound(key, *row)

    @property
    def is_indexed(self) -> bool:
        """Whether the records of an item can be read without all others."""
        return self.version >= SEALED_SINCE and is_indexed(self._connection)

    def of_item(self, fit_key: str) -> Iterator[tuple[str, Record]]:
        """Yield every sound record of the item with a fit key, those of earlier generations too; of an indexed database."""
        query = f"SELECT CAST(key AS BLOB), mode, CAST(value AS BLOB) {ROWS_OF_ITEM}"
        for key_bytes, mode, value in self._connection.execute(query, (fit_key,)):
            key = key_bytes.decode(errors="replace")
            record = self._sound(key, mode, value)
            if record is not None and record.get("fit_key") == fit_key:
                yield key, record

    def phase_costs(self) -> Iterator[BlockOfCosts] | None:
        """Return the costs of all phases without their records, which may be damaged; None where nobody has kept them.

        They are as ``phase_costs.blocks_of_costs`` yields them.
        """
        if self.version < SEALED_SINCE or not are_kept(self._connection):
            return None
        return blocks_of_costs(self._connection)

    def rows_of_other_phases(self, fit_keys: Container[str], *, with_evaluations: bool = True) -> list[int] | None:
        """Return the numbers of the rows of phases that are not of some items, for ``in_rows``; None where nobody has kept costs."""
        if self.version < SEALED_SINCE or not are_kept(self._connection):
            return None
        return rows_of_others(self._connection, fit_keys, with_evaluations=with_evaluations)

    def phases_of_others(self) -> tuple[Iterable[tuple[str, Record]], set[str]]:
        """Return the sound records of the phases of all items but some that seem to be done, and the fit keys of these.

        What is said of an item that seems to be done is not checked: it may be damaged. Where nobody keeps costs there are none.
        """
        query = "SELECT CAST(key AS BLOB) FROM Cache WHERE raw = 1 AND key >= ? AND key < ? AND CASE WHEN json_valid(value) THEN json_extract(value, '$.status') END = ?"
        rows = self._connection.execute(query, (*RecordType.ITEM.bounds, Status.DONE.value))
        done = {RecordType.ITEM.identity(key.decode(errors="replace")) for (key,) in rows}
        numbers = self.rows_of_other_phases(done)
        if numbers is None:
            return (
                pair for phase in (RecordType.FIT, RecordType.PREDICT) for pair in self.records(phase.prefix)
            ), set()
        return self.in_rows(numbers), done

    def in_rows(self, numbers: Iterable[int]) -> Iterator[tuple[str, Record]]:
        """Yield the sound records in the rows that have some numbers."""
        query = "SELECT CAST(key AS BLOB), mode, CAST(value AS BLOB) FROM Cache WHERE rowid = ?"
        for number in numbers:
            key_bytes, mode, value = self._connection.execute(query, (number,)).fetchone()
            key = key_bytes.decode(errors="replace")
            record = self._sound(key, mode, value)
            if record is not None:
                yield key, record

    def keys_named(self, name: str) -> list[str]:
        """Return the keys of the items that have a name; of an indexed database."""
        return [key for (key,) in self._connection.execute(KEYS_OF_NAME, (json.dumps(name)[1:-1],))]

    def item_key(self, text: str) -> str | None:
        """Return the fit key of the only item that has a text as its name, or as the beginning of its key.

        Of an indexed database. None also says that all items have to be looked at to tell what the text stands for.

        Args:
            text: The text, of which the caller knows whether it may be the beginning of a key.
        """
        keys = self.keys_named(text)
        if keys:
            return RecordType.ITEM.identity(keys[0]) if len(keys) == 1 else None
        if not text or self._connection.execute(NAMES_WITH, (text,)).fetchone():  # its own hash may begin so as well
            return None
        keys = self._connection.execute(FIT_KEYS, (text, f"{text}g")).fetchall()  # "g" follows all hexadecimal digits
        return str(keys[0][0]) if len(keys) == 1 else None

    def present(self, keys: Sequence[str]) -> set[str]:
        """Return those of some keys that have a record, which is not read, so that it may be damaged."""
        return {key for (key,) in self._rows_of(keys, "SELECT key FROM Cache WHERE raw = 1")}

    def members(self, keys: Sequence[str], member: str) -> dict[str, Any]:
        """Return one member of each record that some keys have, None where it has no such member.

        Whether a record is damaged is not looked at; one that is no JSON any more is left out, and so is what is neither
        a name nor a count.
        """
        query = f"SELECT key, json_extract(value, '$.{member}') FROM Cache WHERE raw = 1 AND json_valid(value)"  # noqa: S608 - a name of ours
        rows = self._rows_of(keys, query)
        return {key: value for key, value in rows if value is None or is_name(value) or is_natural(value)}

    def _rows_of(self, keys: Sequence[str], query: str) -> Iterator[tuple[Any, ...]]:
        """Yield what a query returns of the records with some keys."""
        for start in range(0, len(keys), MOST_KEYS):
            block = keys[start : start + MOST_KEYS]
            yield from self._connection.execute(f"{query} AND key IN ({', '.join('?' * len(block))})", block)

    def costs(self) -> Iterator[tuple[str, str, str, float | None, int | None]]:
        """Yield dataset, algorithm and phase with the mean of its seconds and its largest memory in bytes.

        For estimates only: whether a record is damaged is not looked at, only what is used of it.

        Raises:
            sqlite3.Error: The records cannot be read so.
        """
        for dataset, algorithm, phase, seconds, peak in self._connection.execute(COSTS_OF_PHASES):
            if is_cost(seconds) and is_cost(peak) and isinstance(dataset, str) and isinstance(algorithm, str):
                yield dataset, algorithm, phase, seconds, peak

    def peaks_of_fits(self, algorithm: str) -> Iterator[tuple[str, dict[str, Any], int]]:
        """Yield the datasets that an algorithm was fitted on, with its hyperparameters and the largest memory in bytes.

        As ``costs`` does, for estimates only. Records of other algorithms are passed over without being parsed.

        Args:
            algorithm: The algorithm's name, with that of its framework.

        Raises:
            sqlite3.Error: The records cannot be read so.
        """
        words = f'"algorithm": {json.dumps(algorithm)[:-1]}-'
        for dataset, parameters, peak in self._connection.execute(PEAKS_OF_FITS, (words,)):
            if is_natural(peak) and peak and isinstance(dataset, str) and isinstance(parameters, str):
                yield dataset, json.loads(parameters), peak

    def _sound(self, key: str, mode: int, value: bytes) -> Record | None:
        try:
            text = text_of(mode, value)
            return settled(key, record_of(key, text, sealed=self.version >= SEALED_SINCE))
        except DamagedRecordError:
            self._on_damage(key)
            return None
