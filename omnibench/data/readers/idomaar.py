"""Idomaar's relations: a line an event, with the entities that it links, as 30Music has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from omnibench.data.files.members import RawFile
from omnibench.data.readers.collected import collected, excerpt, numbered_lines
from omnibench.data.readers.reader import Reader
from omnibench.data.readers.rows import Batch
from omnibench.errors import DataError

_FIELDS = 4
"""Type, id, time, and the rest: a JSON object of properties, and one of entities, with a blank between them."""

_DECODER = json.JSONDecoder(parse_float=str)


def read_idomaar(reader: Reader, stream: BinaryIO, file: RawFile) -> Iterator[Batch]:
    """Yield the pairs of subjects and objects of events; within a session the time of a play is that of its beginning.

    Raises:
        DataError: A line has other fields, or there is no entity of the types that the reader names.
    """
    rows = _rows(stream, reader.options.get("subject", "user"), reader.options.get("object", "track"), file)
    yield from collected(rows, ("user", "item", "timestamp"), (), file)


def _rows(stream: BinaryIO, subject: str, linked: str, file: RawFile) -> Iterator[tuple[int, tuple[Any, ...]]]:
    types: dict[str, None] = {}
    has_rows = False
    for number, line in numbered_lines(stream, "utf-8", file):
        fields = line.split("\t", _FIELDS - 1)
        entities = _entities(fields, number, line, file)
        users = [entity for entity in entities["subjects"] if entity.get("type") == subject]
        items = [entity for entity in entities["objects"] if entity.get("type") == linked]
        if not has_rows:
            types.update(dict.fromkeys(str(entity.get("type")) for part in entities.values() for entity in part))
        for user in users:
            for item in items:
                has_rows = True
                yield number, (user.get("id"), item.get("id"), _time(fields[2], item))
    if types and not has_rows:
        raise DataError(
            f"{file.label}: no event links the subject {subject!r} with the object {linked!r}; there are "
            f"{', '.join(map(repr, types))}. Name two of them."
        )


def _entities(fields: list[str], number: int, line: str, file: RawFile) -> dict[str, list[dict[str, Any]]]:
    try:
        rest = fields[_FIELDS - 1].lstrip()
        _, end = _DECODER.raw_decode(rest)
        entities = json.loads(rest[end:])
        return {part: [dict(entity) for entity in entities.get(part) or []] for part in ("subjects", "objects")}
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise DataError(
            f"{file.label}, line {number} is no event of Idomaar (type, id, time, properties and entities): "
            f"{excerpt(line)}. Mend or drop the line."
        ) from error


def _time(session: str, item: dict[str, Any]) -> str | int:
    begin = item.get("playstart")
    return int(session) + begin if isinstance(begin, int) and session.isdecimal() else session
