"""The revision of a store: a number that changes with every record that its readable copies are made of.

It stands in the database, where triggers count, whoever writes (an earlier omnibench, too), and in the copies: so one
look tells whether they are behind.
"""

from __future__ import annotations

import sqlite3

from omnibench.store.schema import RecordType
from omnibench.store.schema_changes import change_once

_COUNTED = (RecordType.ITEM, RecordType.FIT, RecordType.PREDICT)
"""The types of records that the status and the results of items are made of."""

_TABLE = "CREATE TABLE Revision (store TEXT NOT NULL, number INTEGER NOT NULL)"

_QUERY = "SELECT store || '-' || number FROM Revision"


def _trigger(event: str, row: str) -> str:
    ranges = (record_type.bounds for record_type in _COUNTED)
    condition = " OR ".join(f"({row}.key >= '{first}' AND {row}.key < '{behind}')" for first, behind in ranges)
    return (
        f"CREATE TRIGGER Revision_{event} AFTER {event} ON Cache FOR EACH ROW WHEN {condition} "  # noqa: S608 - of constants
        "BEGIN UPDATE Revision SET number = number + 1; END"
    )


_TRIGGERS = {
    f"Revision_{event}": _trigger(event, row)
    for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD"))
}


def count_revisions(connection: sqlite3.Connection) -> None:
    """Have a database count its revisions; no write when it does so already."""
    change_once(connection, lambda: _is_counted(connection), lambda: _begin_to_count(connection))


def _is_counted(connection: sqlite3.Connection) -> bool:
    if _existing(connection) != {"Revision": _TABLE, **_TRIGGERS}:
        return False
    return bool(connection.execute("SELECT count(*) FROM Revision").fetchone()[0] == 1)


def _existing(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE name LIKE 'Revision%'").fetchall())


def _begin_to_count(connection: sqlite3.Connection) -> None:
    for name in _existing(connection).keys() & _TRIGGERS.keys():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("DROP TABLE IF EXISTS Revision")
    for sql in (_TABLE, *_TRIGGERS.values()):
        connection.execute(sql)
    # Another database, e.g. one that was rebuilt, must not come to a number that copies of this one have.
    connection.execute("INSERT INTO Revision VALUES (lower(hex(randomblob(4))), 0)")


def revision_of(connection: sqlite3.Connection) -> str:
    """Return the revision of the records that a connection reads; empty where nobody counts it yet."""
    try:
        row = connection.execute(_QUERY).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):  # of an earlier omnibench
            return ""
        raise
    return "" if row is None else str(row[0])
