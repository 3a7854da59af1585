"""What phases have cost, in a table of its own beside the records: few bytes of each, where its record has thousands.

Triggers keep it, whoever writes (an earlier omnibench, too), so it says of every phase what its record says. Who sums up the
costs of half a million phases reads this table; whether a record was damaged since it was written is not looked at then. Where a
database has no such table yet, and nobody may write it, the records are read.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Container, Iterator, Sequence
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
    """The costs of some phases.

    Attributes:
        members_of: What a text holds: the members of ``PhaseCosts``, in its order; nothing of a record that is no JSON.
        rows: Of each phase the number of its record's row, the position of its type among ``TYPES``, and its text, which metrics
            that were computed together have alike.
    """

    members_of: dict[bytes | None, list[Any]]
    rows: list[tuple[int, int, bytes | None]]


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


def blocks_of_costs(connection: sqlite3.Connection) -> Iterator[BlockOfCosts]:
    """Yield the costs of all phases by the thousand, in the order in which they were written; of a database that keeps the table."""
    rows = connection.execute(_ALL)
    while block := rows.fetchmany(_BLOCK):
        texts = list(
            dict.fromkeys([members for _, _, members in block])
        )  # metrics that were computed together have the same
        yield BlockOfCosts(dict(zip(texts, _parsed(texts), strict=True)), block)


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
    rows = connection.execute(_ALL if with_evaluations else _ALL_BUT_EVALUATIONS)
    types_and_numbers: list[tuple[int, int]] = []
    # What members begin with that name the item of the row before: the phases of an item follow each other.
    latest: bytes | tuple[()] = ()
    for number, position, members in rows:
        if members is not None and members.endswith(_NO_SEARCH):
            if members.startswith(latest):
                continue
            begin, fit_key, end = members[:2], members[2:66], members[66:67]
            if begin == b'["' and end == b'"' and fit_key.decode(errors="replace") in fit_keys:
                latest = members[:67]
                continue
        types_and_numbers.append((position, number))
    return [number for _, number in sorted(types_and_numbers)]


# As bytes: one text that is no UTF-8 any more would be an error of the whole query.
_COLUMNS = "number, type, CAST(members AS BLOB)"
_ALL = f"SELECT {_COLUMNS} FROM Costs ORDER BY number"  # noqa: S608 - of constants
_ALL_BUT_EVALUATIONS = f"SELECT {_COLUMNS} FROM Costs WHERE type <> {TYPES.index(RecordType.EVAL)} ORDER BY number"  # noqa: S608 - of constants
_NO_SEARCH = b",null]"


def _parsed(texts: Sequence[bytes | None]) -> list[list[Any]]:
    """Return the members in texts, in one call for all of them; none where a text is no JSON."""
    known = [text or b"[]" for text in texts]
    try:
        all_members: list[list[Any]] = json.loads(b"[%s]" % b",".join(known))
    except (ValueError, RecursionError):  # of a record that was damaged before the table was made
        return [[]] if len(known) == 1 else [members for text in known for members in _parsed([text])]
    return all_members
