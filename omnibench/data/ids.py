"""User and item ids to JSON and back: anything hashable that has a stable form."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Callable, Hashable
from typing import Any

from omnibench.errors import DataError


def encode(value: Hashable, location: str) -> Any:  # noqa: C901 - one branch per kind of id is the table itself
    """Return JSON data for an id.

    Args:
        value: The id.
        location: The place of the id, for the error.

    Raises:
        DataError: The id has no form that is the same in the next process.
    """
    if isinstance(value, str):
        return _text(value, location)
    if value is None or type(value) in (bool, int, float):
        return value
    if isinstance(value, tuple):
        return {"tuple": [encode(member, location) for member in value]}
    if isinstance(value, frozenset):
        return {"frozenset": sorted((encode(member, location) for member in value), key=repr)}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, uuid.UUID):
        return {"uuid": str(value)}
    if isinstance(value, decimal.Decimal):
        return {"decimal": str(value)}
    if isinstance(value, dt.datetime):  # pandas.Timestamp is one, and knows nanoseconds
        return {"timestamp" if getattr(value, "nanosecond", 0) else "datetime": value.isoformat()}
    if isinstance(value, dt.date):
        return {"date": value.isoformat()}
    if hasattr(value, "dtype") and hasattr(value, "item"):
        return encode(value.item(), location)
    raise DataError(
        f"{location}: the id {value!r} of type {type(value).__name__} has no stable form. "
        "Use numbers, strings, bytes, dates, UUIDs, or tuples and frozensets of these."
    )


def _text(value: str, location: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(f"{location}: the id {value!r} is no valid Unicode text ({error.reason}).") from error
    return str.__str__(value)  # a subclass equals its text


def decode(value: Any) -> Hashable:
    """Return the id that JSON data made by ``encode`` stands for."""
    if not isinstance(value, dict):
        return value  # type: ignore[no-any-return]  # JSON's own types need no decoding
    ((tag, content),) = value.items()
    return _DECODERS[tag](content)


def _timestamp(text: str) -> Hashable:
    import pandas as pd

    return pd.Timestamp(text)


_DECODERS: dict[str, Callable[[Any], Hashable]] = {
    "tuple": lambda content: tuple(decode(member) for member in content),
    "frozenset": lambda content: frozenset(decode(member) for member in content),
    "bytes": bytes.fromhex,
    "uuid": uuid.UUID,
    "decimal": decimal.Decimal,
    "timestamp": _timestamp,
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
}
