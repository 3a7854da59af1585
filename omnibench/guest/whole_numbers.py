"""Whole numbers on their way through execnet, which cannot carry those below -2**31; all others arrive as they are."""

from __future__ import annotations

from typing import Any

_LOWEST = -(2**31)
_TAG = "omnibench: a whole number"


def sendable(data: Any) -> Any:
    """Return plain data as execnet can carry it.

    Args:
        data: None, numbers, texts, bytes, and dictionaries, lists and tuples of these.
    """
    if type(data) is int:
        return data if data >= _LOWEST else {_TAG: str(data)}
    if isinstance(data, dict):
        return {key: sendable(value) for key, value in data.items()}
    if type(data) in (list, tuple):
        return type(data)(map(sendable, data))
    return data


def received(data: Any) -> Any:
    """Return the data that ``sendable`` was given."""
    if isinstance(data, dict):
        if _TAG in data:
            return int(data[_TAG])
        return {key: received(value) for key, value in data.items()}
    if type(data) in (list, tuple):
        return type(data)(map(received, data))
    return data
