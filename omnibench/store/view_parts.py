"""The parts that SQL views over records are made of: conditions, members of JSON, SELECTs over a type of record."""

from __future__ import annotations

from omnibench.store.schema import RecordType

SOUND = "raw = 1 AND mode = 1 AND json_valid(value)"
"""What tells a record from anything else, as far as SQL can."""


def within(record_type: RecordType) -> str:
    """Return the condition that a record is of a type: a range of the table's index."""
    first, behind = record_type.bounds
    return f"key >= '{first}' AND key < '{behind}'"


def member(name: str, alias: str = "") -> str:
    """Return the column of a member of records, named as that is or otherwise."""
    return f"json_extract(value, '$.{name}') AS \"{alias or name.rpartition('.')[2]}\""


def members(*names: str) -> str:
    """Return the columns of members of records, named as these are."""
    return ", ".join(member(name) for name in names)


def view(record_type: RecordType, *columns: str, condition: str = "", table: str = "Cache") -> str:
    """Return a SELECT over the records of a type."""
    return f"SELECT {', '.join(columns)} FROM {table} WHERE {SOUND} AND {within(record_type)}{condition}"  # noqa: S608 - of constants


def text(value: str) -> str:
    """Return one of our words as SQL writes a text."""
    return f"'{value}'"


LABELS = members("item", "dataset", "algorithm", "fold")
"""The columns that say what a row is about."""
