"""What execnet does not carry by itself: whole numbers below -2**31, and texts with half characters.

The names of files that are not UTF-8 have such halves.
"""

from __future__ import annotations

from typing import Any

_LOWEST = -(2**31)
_TAG = "omnibench: a whole number"
_TEXT_TAG = "omnibench: a text"


def sendable(data: Any) -> Any:
    """Return plain data as execnet can carry it.

    Args:
        data: None, numbers, texts, bytes, and dictionaries, lists and tuples of these.
    """
    if type(data) is int:
        return data if data >= _LOWEST else {_TAG: str(data)}
    if type(data) is str:
        return data if is_utf8(data) else {_TEXT_TAG: data.encode("utf-8", "surrogatepass")}
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
        if _TEXT_TAG in data:
            return bytes(data[_TEXT_TAG]).decode("utf-8", "surrogatepass")
        return {key: received(value) for key, value in data.items()}
    if type(data) in (list, tuple):
        return type(data)(map(received, data))
    return data


def is_utf8(text: str) -> bool:
    """Whether a text can be encoded: the names of files may have half characters, which stand for bytes."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False
