"""Indexes of the records by item, so that a question about one item reads its records and no others.

Both are of text as it stands, not of JSON: a damaged record must not make a write or an index fail. Every record that an
index leads to is read and checked as all are; where a database has no indexes yet, or nobody may write it, all are read.
"""

from __future__ import annotations

import sqlite3

from omnibench.store.schema import RecordType
from omnibench.store.schema_changes import change_once

_KEY_DIGITS = 64


def _behind(member: str) -> str:
    """Return the expression of the position at which the text of a member begins."""
    return f"""instr(value, '"{member}": "') + {len(member) + 5}"""


_FIRST_ITEM, _BEHIND_ITEMS = RecordType.ITEM.bounds
_HAS_FIT_KEY = """instr(value, '"fit_key": "') > 0"""
_FIT_KEY = f"substr(value, {_behind('fit_key')}, {_KEY_DIGITS})"
_IS_ITEM = f"key >= '{_FIRST_ITEM}' AND key < '{_BEHIND_ITEMS}'"
_NAME = f"""substr(value, {_behind("item")}, instr(substr(value, {_behind("item")}), '"') - 1)"""

_INDEXES = {
    "Records_of_item": f"CREATE INDEX Records_of_item ON Cache ({_FIT_KEY}) WHERE {_HAS_FIT_KEY}",
    "Names_of_items": f"CREATE INDEX Names_of_items ON Cache ({_NAME}) WHERE {_IS_ITEM}",
}

ROWS_OF_ITEM = f"FROM Cache WHERE {_HAS_FIT_KEY} AND {_FIT_KEY} = ? AND raw = 1 ORDER BY rowid"
"""The rows of the item with a fit key, in the order of a whole reading."""

FIT_KEYS = f"SELECT DISTINCT {_FIT_KEY} FROM Cache WHERE {_HAS_FIT_KEY} AND {_FIT_KEY} >= ? AND {_FIT_KEY} < ? LIMIT 2"  # noqa: S608 - of constants
"""At most two of the fit keys that lie in a range."""

KEYS_OF_NAME = f"SELECT key FROM Cache WHERE {_IS_ITEM} AND {_NAME} = ? AND raw = 1"  # noqa: S608 - of constants
"""The keys of the items that have a name, as JSON has it between its quotes."""

NAMES_WITH = f"SELECT 1 FROM Cache INDEXED BY Names_of_items WHERE {_IS_ITEM} AND instr({_NAME}, ?) > 0 LIMIT 1"  # noqa: S608 - of constants
"""Whether a text is a part of the name of any item."""


def create_indexes(connection: sqlite3.Connection) -> None:
    """Have a database index its records by item; no write when it does so already."""
    change_once(connection, lambda: is_indexed(connection), lambda: _renew(connection))


def _renew(connection: sqlite3.Connection) -> None:
    for name in _existing(connection):
        connection.execute(f"DROP INDEX {name}")
    for sql in _INDEXES.values():
        connection.execute(sql)


def is_indexed(connection: sqlite3.Connection) -> bool:
    """Whether a database indexes its records by item, as this omnibench does."""
    return _existing(connection) == _INDEXES


def _existing(connection: sqlite3.Connection) -> dict[str, str]:
    names = ", ".join(f"'{name}'" for name in _INDEXES)
    query = f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND name IN ({names})"  # noqa: S608 - of constants
    return dict(connection.execute(query).fetchall())
