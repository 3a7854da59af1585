"""What phases have cost, in a table of its own beside the records: few bytes of each, where its record has thousands.

Triggers keep it, whoever writes (an earlier omnibench, too), so it says of every phase what its record says. Who sums up the
costs of half a million phases reads this table; whether a record was damaged since it was written is not looked at then. Where a
database has no such table yet, and nobody may write it, the records are read.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Container, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from omnibench.store.schema import RecordType
from omnibench.store.schema_changes import change_once

TYPES = (RecordType.FIT, RecordType.PREDICT, RecordType.EVAL)
"""Types of records of phases, of which there are the most."""

_TABLE = "CREATE TABLE Costs (number INTEGER PRIMARY KEY, type INTEGER NOT NULL, members TEXT)"


class PhaseCosts(NamedTuple):
    """The costs of a phase, as its record says them; whether they are of their form is for the caller to look at.

    Attributes:
        fit_key: The key of its item.
        seconds: Wall seconds.
        start_seconds: Seconds of waiting for its process.
        batch: What the metrics that were computed together have alike; None of other phases.
        search: The search whose trial it is part of; None of others.
    """

    fit_key: Any = None
    seconds: Any = None
    start_seconds: Any = None
    batch: Any = None
    search: Any = None


class BlockOfCosts(NamedTuple):
    """The costs of some phases that were written one after the other.

    Attributes:
        texts: Of each phase its text, the members of ``PhaseCosts`` as JSON, in its order; None where one of them has none, as of a
            record that is no JSON, and where they cannot be told apart.
        rows: Returns of each the number of its record's row, the position of its type among ``TYPES``, and its text.
    """

    texts: list[bytes] | None
    rows: Callable[[], list[tuple[int, int, bytes | None]]]


_MEMBERS = ", ".join(f"'$.{member}'" for member in PhaseCosts._fields)

_BLOCK = 1000
"""Rows that are read at a time."""


def _row(name: str) -> str:
    """Return SQL for the row of a record: several members that are asked for at once come as JSON, with every digit.

    Args:
        name: What the record's own row is called.
    """
    members = f"CASE WHEN typeof({name}.value) = 'text' AND json_valid({name}.value) THEN json_extract({name}.value, {_MEMBERS}) END"
    return f"{name}.rowid, {_type(name)}, {members}"


def _type(name: str) -> str:
    """Return SQL for the position of a record's type among ``TYPES``; nothing for other types."""
    cases = (
        f"WHEN {name}.key >= '{first}' AND {name}.key < '{behind}' THEN {position}"
        for position, (first, behind) in enumerate(record_type.bounds for record_type in TYPES)
    )
    return f"CASE {' '.join(cases)} END"


def _trigger(event: str, *statements: str) -> str:
    return f"CREATE TRIGGER Costs_{event} AFTER {event} ON Cache FOR EACH ROW BEGIN {' '.join(statements)} END"


_FORGET = "DELETE FROM Costs WHERE number = OLD.rowid;"
_KEEP = f"INSERT OR REPLACE INTO Costs SELECT {_row('NEW')} WHERE NEW.raw = 1 AND {_type('NEW')} IS NOT NULL;"
_TRIGGERS = {
    "Costs_INSERT": _trigger("INSERT", _KEEP),
    "Costs_UPDATE": _trigger("UPDATE", _FORGET, _KEEP),
    "Costs_DELETE": _trigger("DELETE", _FORGET),
}


def keep_costs(connection: sqlite3.Connection) -> None:
    """Have a database keep the table of costs; no write when it does so already."""
    change_once(connection, lambda: are_kept(connection), lambda: _begin(connection))


def are_kept(connection: sqlite3.Connection) -> bool:
    """Whether a database keeps the table of costs, as this omnibench does."""
    return _existing(connection) == {"Costs": _TABLE, **_TRIGGERS}


def _existing(connection: sqlite3.Connection) -> dict[str, str]:
    query = "SELECT name, sql FROM sqlite_master WHERE name = 'Costs' OR name LIKE 'Costs#_%' ESCAPE '#'"
    return dict(connection.execute(query).fetchall())


def _begin(connection: sqlite3.Connection) -> None:
    for name in _existing(connection).keys() & _TRIGGERS.keys():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("DROP TABLE IF EXISTS Costs")
    for sql in (_TABLE, *_TRIGGERS.values()):
        connection.execute(sql)
    rows = f"SELECT {_row('Cache')} FROM Cache WHERE raw = 1 AND {_type('Cache')} IS NOT NULL"  # noqa: S608 - of constants
    connection.execute(f"INSERT INTO Costs {rows}")


def blocks_of_costs(connection: sqlite3.Connection, *, with_evaluations: bool = True) -> Iterator[BlockOfCosts]:
    """Yield the costs of all phases by the thousand, in the order in which they were written; of a database that keeps the table.

    The texts of a block are read as one, in half of the time that so many rows take.

    Args:
        connection: A connection to the database.
        with_evaluations: Whether those of evaluations are among them, of which there are the most.
    """
    which = "" if with_evaluations else _BUT_EVALUATIONS
    (begin,) = connection.execute("SELECT MIN(number) FROM Costs").fetchone()
    while begin is not None:
        behind = connection.execute(f"{_BEHIND}{which} ORDER BY number LIMIT 1 OFFSET {_BLOCK}", (begin,)).fetchone()
        of_block = f"{_FROM}{which}{'' if behind is None else ' AND number < ?'}"
        bounds = (begin, *(behind or ()))
        count, known, content = connection.execute(f"{_JOINED}{of_block}", bounds).fetchone()
        texts = [] if content is None else content.split(b"\n")
        rows = partial(_rows_of, connection, f"{_ROWS}{of_block} ORDER BY number", bounds)
        yield BlockOfCosts(texts if len(texts) == count == known else None, rows)
        begin = None if behind is None else behind[0]


def _rows_of(connection: sqlite3.Connection, query: str, bounds: Sequence[int]) -> list[tuple[int, int, bytes | None]]:
    return connection.execute(query, bounds).fetchall()


def rows_of_others(
    connection: sqlite3.Connection, fit_keys: Container[str], *, with_evaluations: bool = True
) -> list[int]:
    """Return the numbers of the rows of phases that are not of some items, by type and in the order in which they were written.

    Trials are none of an item's phases. No members are parsed: most texts begin with the key of an item, and name no search in the end.

    Args:
        connection: Of a database that keeps the table.
        fit_keys: The keys of the items.
        with_evaluations: Whether anybody asks for the rows of evaluations, of which there are the most.
    """
    types_and_numbers: list[tuple[int, int]] = []
    for texts, rows in blocks_of_costs(connection, with_evaluations=with_evaluations):
        if texts is None or not _are_of(texts, fit_keys):
            types_and_numbers += [
                (position, number) for number, position, text in rows() if text is None or not _are_of([text], fit_keys)
            ]
    return [number for _, number in sorted(types_and_numbers)]


def _are_of(texts: Sequence[bytes], fit_keys: Container[str]) -> bool:
    """Whether all texts are of phases of some items, and none of a trial.

    Args:
        texts: Members of ``PhaseCosts`` as JSON.
        fit_keys: The keys of the items.
    """
    if sum([text.endswith(_NO_SEARCH) for text in texts]) < len(texts):
        return False
    beginnings = {text[:_BEHIND_KEY] for text in texts}  # the phases of an item have the same
    if {text[:2] + text[_BEHIND_KEY - 1 :] for text in beginnings} != {b'["' + b'"'}:
        return False
    keys = b"\n".join([text[2 : _BEHIND_KEY - 1] for text in beginnings]).decode(errors="replace").split("\n")
    return len(keys) == len(beginnings) and all(map(fit_keys.__contains__, keys))


_BEHIND_KEY = 67
"""Where the quotation mark is behind the key that members begin with, with what is before it."""

# As bytes: one text that is no UTF-8 any more would be an error of the whole query.
_ROWS = "SELECT number, type, CAST(members AS BLOB)"
_JOINED = "SELECT COUNT(*), COUNT(members), CAST(GROUP_CONCAT(members, CHAR(10)) AS BLOB)"
_FROM = " FROM Costs WHERE number >= ?"
_BEHIND = f"SELECT number{_FROM}"
_BUT_EVALUATIONS = f" AND type <> {TYPES.index(RecordType.EVAL)}"
_NO_SEARCH = b",null]"


def members_in(texts: Sequence[bytes | None]) -> list[list[Any]]:
    """Return the members in texts, in one call for all of them; none where a text is no JSON, or is missing."""
    known = [text or b"[]" for text in texts]
    try:
        all_members: list[list[Any]] = json.loads(b"[%s]" % b",".join(known))
    except (ValueError, RecursionError):  # of a record that was damaged before the table was made
        return [[]] if len(known) == 1 else [members for text in known for members in members_in([text])]
    return all_members
