"""A record as text: JSON that carries its own checksum, so that one flipped bit cannot become a wrong number."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from omnibench.keys import encode_of
from omnibench.store.schema import Record

CHECK = "check"
_encode = encode_of(json.JSONEncoder())
_DIGITS = 16
_RAW = 1
"""diskcache's mode of a value that stands in the table as it is."""

_BEGIN = f'"{CHECK}": "'
_BEGIN_BYTES = _BEGIN.encode()
_TAIL = len(_BEGIN) + _DIGITS + len('"}')
_SEPARATED_BEGIN = b", " + _BEGIN_BYTES
_DIGITS_BEGIN = -_DIGITS - len('"}')
_SEPARATED = _DIGITS_BEGIN - len(_SEPARATED_BEGIN)
"""Where the checksum of a record with members begins, with what separates it from them."""

_LETTERS = 3
"""No two types of records begin with the same letters, so many."""


class DamagedRecordError(ValueError):
    """The text of a record has changed, or belongs to another key."""


def text_of(mode: Any, value: Any) -> str:
    """Return the text that a value of the table holds.

    Raises:
        DamagedRecordError: It is no text.
    """
    if mode != _RAW or not isinstance(value, bytes):
        raise DamagedRecordError("it is a pickle or a file, which omnibench never writes and does not read")
    return _decoded(value)


def body_of(key: str, mode: Any, value: Any) -> str:
    """Return the JSON, unread, that a sealed value of the table holds: ``checked`` of ``text_of``, and never decoded to be hashed.

    Raises:
        DamagedRecordError: It is no text, does not belong to the key, or has changed.
    """
    if mode != _RAW or not isinstance(value, bytes):
        raise DamagedRecordError("it is a pickle or a file, which omnibench never writes and does not read")
    # What `seal` writes, in as few steps as it takes: a store has half a million of them. Any other text is looked at below.
    if value[_SEPARATED:_DIGITS_BEGIN] == _SEPARATED_BEGIN and value.isascii():
        body = value[:_SEPARATED] + b"}"
        key_bytes = key.encode("utf-8", "surrogatepass")
        checksum = sha256(key_bytes + b"\n" + body).hexdigest()
        if value[_DIGITS_BEGIN:] == checksum[:_DIGITS].encode() + b'"}':
            return body.decode()
    return _decoded(_checked_bytes(key.encode("utf-8", "surrogatepass"), value))


def add_sound(
    rows: Iterable[tuple[bytes, Any, Any]], by_prefix: Mapping[bytes, tuple[list[bytes], list[bytes]]]
) -> list[str]:
    """Add the keys and the JSON, encoded and unread, of the sound records among rows of the table; return the keys of the others.

    Args:
        rows: Key, mode and value of each.
        by_prefix: Where they are added, by the beginning of their keys up to the slash.
    """
    damaged = []
    by_letters = {prefix[:_LETTERS]: added for prefix, added in by_prefix.items()}
    separated, begin, separated_begin = _SEPARATED, _DIGITS_BEGIN, _SEPARATED_BEGIN
    for key, mode, value in rows:
        keys, bodies = by_letters[key[:_LETTERS]]
        # As in `body_of`; these loops are most of what it takes to read half a million records.
        if (
            mode == _RAW
            and type(value) is bytes
            and value[separated:begin] == separated_begin
            and value.isascii()
            and key.isascii()
        ):
            body = value[:separated] + b"}"
            if value[begin:] == sha256(key + b"\n" + body).hexdigest()[:_DIGITS].encode() + b'"}':
                keys.append(key)
                bodies.append(body)
                continue
        text = key.decode(errors="replace")
        try:
            body = body_of(text, mode, value).encode()
        except DamagedRecordError:
            damaged.append(text)
        else:
            keys.append(text.encode())
            bodies.append(body)
    return damaged


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise DamagedRecordError(f"it is no text ({error.reason})") from error


def seal(key: str, record: Record) -> str:
    """Return the text of a record: its JSON, with a last member that is a checksum of the rest and of the key."""
    members = dict(record)
    members.pop(CHECK, None)
    body = _encode(members)
    separator = ", " if len(body) > len("{}") else ""
    checksum = sha256(f"{key}\n{body}".encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f'{body[:-1]}{separator}"{CHECK}": "{checksum}"}}'


def checked(key: str, text: Any) -> str:
    """Return the JSON of a sealed text, unread.

    Raises:
        DamagedRecordError: Key and text do not belong together, or the text has changed.
    """
    if not isinstance(text, str):
        raise DamagedRecordError("it has no checksum")
    body = _checked_bytes(key.encode("utf-8", "surrogatepass"), text.encode("utf-8", "surrogatepass"))
    return body.decode("utf-8", "surrogatepass")


def _checked_bytes(key: bytes, text: bytes) -> bytes:
    """Return the JSON of a sealed text, encoded; see ``checked``."""
    end = len(text) - _TAIL
    if end < 0 or not text.startswith(_BEGIN_BYTES, end):
        raise DamagedRecordError("it has no checksum")
    body = text[: end - 2 if text.endswith(b", ", 0, end) else end] + b"}"
    checksum = sha256(b"%b\n%b" % (key, body)).hexdigest()[:_DIGITS]
    if not text.endswith(checksum.encode() + b'"}'):
        raise DamagedRecordError("it differs from its checksum")
    return body


def unseal(key: str, text: Any) -> Record:
    """Return the record that a text holds.

    Raises:
        DamagedRecordError: Key and text do not belong together, or the text has changed.
    """
    record = json.loads(checked(key, text))
    if not isinstance(record, dict):
        raise DamagedRecordError(f"it is a {type(record).__name__}")
    return record


def unsealed(key: str, text: Any) -> Record:
    """Return the record of a text of store format 1, which had no checksums, or of a sealed one.

    Raises:
        DamagedRecordError: It is neither.
    """
    if isinstance(text, str) and is_sealed(text):
        return unseal(key, text)
    try:
        record = json.loads(text)
    except (ValueError, TypeError) as error:
        raise DamagedRecordError(f"it is no JSON ({error})") from error
    if not isinstance(record, dict):
        raise DamagedRecordError(f"it is a {type(record).__name__}")
    return record


def is_sealed(text: str) -> bool:
    """Whether a text ends as sealed records do; those of store format 1 do not."""
    return text.endswith('"}') and text.startswith(_BEGIN, -_TAIL)
