"""User and item ids as JSON: whatever is hashable and has a stable form, and back again."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Hashable
from typing import Any

from omnibench.errors import DataError


def encode(value: Hashable, place: str) -> Any:
    """Return JSON data for an id.

    Raises:
        DataError: The id has no form that is the same in the next process.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, tuple):
        return {"tuple": [encode(one, place) for one in value]}
    if isinstance(value, frozenset):
        return {"frozenset": sorted((encode(one, place) for one in value), key=repr)}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, uuid.UUID):
        return {"uuid": str(value)}
    if isinstance(value, datetime.datetime):  # pandas.Timestamp is one
        return {"datetime": value.isoformat()}
    if isinstance(value, datetime.date):
        return {"date": value.isoformat()}
    if hasattr(value, "dtype") and hasattr(value, "item"):
        return encode(value.item(), place)
    raise DataError(
        f"{place}: the id {value!r} of type {type(value).__name__} has no stable form. "
        "Use numbers, strings, bytes, dates, UUIDs, or tuples of these."
    )


def decode(value: Any) -> Hashable:
    """Return the id that ``encode`` was given."""
    if not isinstance(value, dict):
        return value  # type: ignore[no-any-return]
    ((kind, content),) = value.items()
    if kind == "tuple":
        return tuple(decode(one) for one in content)
    if kind == "frozenset":
        return frozenset(decode(one) for one in content)
    if kind == "bytes":
        return bytes.fromhex(content)
    if kind == "uuid":
        return uuid.UUID(content)
    if kind == "datetime":
        return datetime.datetime.fromisoformat(content)
    return datetime.date.fromisoformat(content)
