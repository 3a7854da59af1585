"""Plain data on its way between processes.

Between a host and its guest it goes as one byte string: what execnet makes of each value by itself, in Python, takes longer than
some Fits. Neither side lets the other name anything to import. Between processes of pytest it goes as execnet has it, which does
not carry whole numbers below -2**31, and texts with half characters; the names of files that are not UTF-8 have such halves.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, NoReturn

_PROTOCOL = 4
"""That of the oldest Python of a guest."""

_LOWEST = -(2**31)
_TAG = "omnibench: a whole number"
_TEXT_TAG = "omnibench: a text"


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: object) -> NoReturn:
        raise TypeError(f"a {type(value).__name__} is no plain data, and cannot be sent between processes")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"a message names {module}.{name}, and is to have plain data alone")


def packed(data: Any) -> bytes:
    """Return plain data as one byte string.

    Args:
        data: None, numbers, texts, bytes, and dictionaries, lists, tuples and sets of these.

    Raises:
        TypeError: It has something else, such as a number of NumPy's.
    """
    buffer = io.BytesIO()
    _Pickler(buffer, _PROTOCOL).dump(data)
    return buffer.getvalue()


def unpacked(message: bytes) -> Any:
    """Return the data that ``packed`` was given.

    Raises:
        pickle.UnpicklingError: The message has more than plain data.
    """
    return _Unpickler(io.BytesIO(message)).load()


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
