"""Canonical JSON and the sha256 keys made of it.

Two values have the same canonical text exactly when they mean the same: types are kept apart (1 is not
1.0, True is not 1), the order of mappings and sets does not matter, and whatever has no canonical form is
refused, with its location in the value, instead of being turned into ``str()``.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import json.encoder
import math
import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import PurePath
from typing import Any

from omnibench.errors import KeyValueError

DISPLAY_DIGITS = 8
"""Digits of a key that are shown and used in directory names; the identity is always all 64."""

_MOST_BYTES = 255 - 1 - 64
"""Of a name in the name of a directory, which file systems limit, with a hyphen and a whole key behind it."""

_TAG = "$"

_JSON_TYPES = frozenset({type(None), bool, int})


def encode_of(encoder: json.JSONEncoder) -> Callable[[Any], str]:
    """Return what ``encode`` of an encoder without an indent does, in half of the time that few members take: it makes one in C for each call.

    What contains itself ends in a RecursionError instead of a ValueError.

    Args:
        encoder: The encoder.
    """
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    text_of = json.encoder.encode_basestring_ascii if encoder.ensure_ascii else json.encoder.encode_basestring
    separators = encoder.key_separator, encoder.item_separator
    flags = encoder.sort_keys, encoder.skipkeys, encoder.allow_nan
    try:
        encode = make(None, encoder.default, text_of, None, *separators, *flags)
    except TypeError:  # a Python without it, or one that makes it in another way, which it documents nowhere
        return encoder.encode
    return lambda data: "".join(encode(data, 0))


_ENCODE = encode_of(json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False))
"""``json.dumps`` would make an encoder for every value."""


def canonical(value: Any) -> str:
    """Return the canonical JSON text of a value.

    Args:
        value: None, bool, int, float, str, bytes, enum member, numpy scalar, dataclass, or mappings,
            sequences and sets of these.

    Raises:
        KeyValueError: The value, or something inside it, has no canonical form; the message says where.
    """
    return _text(value, "value")


def recorded_text(data: Any) -> str:
    """Return the canonical text of data that was itself parsed from canonical text, as records keep it."""
    return _ENCODE(data)


def digest(value: Any) -> str:
    """Return the sha256 of ``canonical(value)`` as 64 hex digits."""
    return sha256(canonical(value))


def sha256(text: str) -> str:
    """Return the sha256 of a canonical text as 64 hex digits."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


@functools.lru_cache(maxsize=4096)
def display(name: str, key: str, digits: int = DISPLAY_DIGITS) -> str:
    """Return a display name with the first digits of a key, e.g. ``MovieLens100K-a3f8e2c1``.

    What would break a pytest node id, a shell command or a file name is replaced by ``_``.
    """
    return f"{_plain_name(name)}-{key[:digits]}"


def overlong_label(name: str) -> str:
    """Return what is wrong with a name that is too long for directories, with a whole key behind it, or nothing."""
    size = len(_plain_name(name).encode())
    if size <= _MOST_BYTES:
        return ""
    return f"has {size} bytes, and at most {_MOST_BYTES} are possible, because directories are called so"


def _plain_name(name: str) -> str:
    return re.sub(r"[^\w.+-]", "_", name)


def _text(value: Any, location: str) -> str:
    try:
        return _ENCODE(_plain(value, location))
    except RecursionError:
        raise KeyValueError(f"{location} contains itself, or is nested too deeply to be part of a key.") from None
    except ValueError as error:  # Python's limit on the digits of an int
        raise KeyValueError(f"{location} cannot be written as text ({error}).") from error


def _plain(value: Any, location: str) -> Any:  # noqa: C901, PLR0912 - one branch per kind of value is the table itself
    """Return JSON data for a value; everything that JSON has no type for becomes ``{"$": tag, ...}``."""
    if type(value) in _JSON_TYPES:
        return value
    if isinstance(value, enum.Enum):
        return _plain(value.value, location)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _plain_float(float(value))
    if isinstance(value, str):
        return _plain_text(value, location)
    if isinstance(value, bytes):
        return {_TAG: "bytes", "hex": value.hex()}
    if isinstance(value, PurePath):
        raise KeyValueError(
            f"{location} is the path {str(value)!r}; a path says nothing about content, so it cannot be part of a "
            "key. Give the content, or a name and a version."
        )
    if isinstance(value, Mapping):
        return _plain_mapping(value, location)
    if isinstance(value, AbstractSet):
        return {_TAG: "set", "items": sorted(_text(item, f"{location}{{{item!r}}}") for item in value)}
    if isinstance(value, Sequence) and not isinstance(value, bytearray | memoryview):
        return [_plain(item, f"{location}[{index}]") for index, item in enumerate(value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {
            _TAG: type(value).__name__,
            "fields": {name: _plain(item, f"{location}.{name}") for name, item in fields.items()},
        }
    if hasattr(value, "dtype") and getattr(value, "ndim", None) == 0:  # a numpy scalar, without importing numpy
        item = value.item()
        # A longdouble's item is itself again, and a moment's may be a bare count of nanoseconds.
        if type(item) is not type(value) and getattr(value.dtype, "kind", "") not in "mM":
            return _plain(item, location)
    raise KeyValueError(
        f"{location} is {value!r} of type {type(value).__name__}, which has no canonical form. "
        "Use numbers, strings, booleans, None, and lists or dictionaries of them."
    )


def _plain_float(value: float) -> Any:
    if math.isnan(value):
        return {_TAG: "float", "value": "nan"}
    if math.isinf(value):
        return {_TAG: "float", "value": "inf" if value > 0 else "-inf"}
    return 0.0 if value == 0 else value


def _plain_text(value: str, location: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise KeyValueError(f"{location} is {value!r}, which is no valid Unicode text ({error.reason}).") from error
    return str.__str__(value)  # the text itself, whatever a subclass (an enum, say) prints


def _plain_mapping(value: Mapping[Any, Any], location: str) -> Any:
    if all(isinstance(name, str) for name in value) and _TAG not in value:
        return {_plain_text(name, location): _plain(item, f"{location}[{name!r}]") for name, item in value.items()}
    members = {_text(name, f"the name {name!r} in {location}"): (name, item) for name, item in value.items()}
    if len(members) < len(value):
        raise KeyValueError(f"{location} has two names that mean the same, among {list(value)!r}.")
    return {
        _TAG: "mapping",
        "pairs": [
            [text, _plain(item, f"{location}[{name!r}]")]
            for text, (name, item) in sorted(members.items(), key=lambda pair: pair[0])
        ],
    }
