"""Adjacency lists: a user and the items of the user a line, or a JSON list of lists of items."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from omnibench.data.files.members import RawFile
from omnibench.data.readers.collected import collected, excerpt, numbered_lines, recoded
from omnibench.data.readers.reader import Reader
from omnibench.data.readers.rows import Batch
from omnibench.errors import DataError

Row = tuple[int, tuple[Any, ...]]


def read_adjacency(reader: Reader, stream: BinaryIO, file: RawFile) -> Iterator[Batch]:
    """Yield interactions of ``user item item ...`` a line.

    With ``user = "line"`` the user is the number of the line, from 1. In a JSON list of lists it is the position of a list,
    from 0 as its makers count, in a JSON object the key.

    Raises:
        DataError: A line does not have as many items as it says, or the JSON holds something else.
    """
    lines = numbered_lines(*recoded(stream, reader.options.get("encoding", "utf-8")), file)
    first = next(lines, None)
    if first is None:
        return
    if first[1].lstrip()[:1] in ("[", "{"):
        rows = _of_document(reader, "\n".join([first[1], *(line for _, line in lines)]), file)
    else:
        rows = _of_lines(reader, itertools.chain([first], lines), file)
    yield from collected(rows, ("user", "item"), (), file)


def _of_lines(reader: Reader, lines: Iterable[tuple[int, str]], file: RawFile) -> Iterator[Row]:
    separator = reader.options.get("separator", "whitespace")
    separator = None if not separator.strip(" ") or separator == "whitespace" else separator
    by_line = reader.options.get("user") == "line"
    is_counted = reader.options.get("counted", False)
    for number, line in lines:
        tokens = [token for token in line.split(separator) if token]
        user = str(number) if by_line else tokens.pop(0)
        if is_counted:
            count = tokens.pop(0) if tokens else ""
            if count != str(len(tokens)):
                raise DataError(
                    f"{file.label}, line {number} begins with the number of its items, {count}, and has {len(tokens)}: "
                    f"{excerpt(line)}. Mend the line, or leave counted out if the first number is an item."
                )
        for item in tokens:
            yield number, (user, item)


def _of_document(reader: Reader, text: str, file: RawFile) -> Iterator[Row]:
    try:
        document = json.loads(text, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{file.label} begins as JSON does and is none ({error}). A list of lists [[item, item], [item]] or an object "
            "{user: [item, item]} is read; JSON objects a line are format='json'."
        ) from error
    lists = list(document.items()) if isinstance(document, dict) else list(enumerate(document))
    for position, (user, items) in enumerate(lists):
        if not isinstance(items, list):
            raise DataError(
                f"{file.label}: entry {position} is {excerpt(items)}, no list of items; format='json' reads objects."
            )
        if reader.options.get("user") == "first" and isinstance(document, list):
            if not items:
                continue
            user, items = items[0], items[1:]  # noqa: PLW2901 - the first of a list is its user
        for item in items:
            yield position + 1, (str(user), item)
