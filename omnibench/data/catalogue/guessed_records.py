"""Raw files whose lines are no rows of a table: JSON, Python's literals, blocks, lists, and forms of single data sets."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from omnibench.data.catalogue.guessed_columns import Guess, named_columns
from omnibench.data.catalogue.guessed_times import time_of

_FEWEST = 2
"""Items of a line of them, and different keys of a block."""

_PAIR = re.compile(r"([\w/ -]{1,40}): (.*)")
_SHARE_OF_PAIRS = 0.9
_RELATION = re.compile(r"\w+\.\w+\t[^\t]*\t\d+\t\{.*\} (\{.*\})")


def of_records(lines: Sequence[str]) -> Guess | None:
    """Guess JSON or Python dictionaries, one a line; a list inside of them may have the interactions."""
    if not lines or not lines[0].lstrip().startswith("{"):
        return None
    for file_format, parse in (("json", json.loads), ("python", ast.literal_eval)):
        records: list[Any] = []
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            records = [parse(line) for line in lines]
        if records and all(isinstance(record, dict) for record in records):
            return _of_keys(file_format, records)
    return None


def _of_keys(file_format: str, records: Sequence[Mapping[str, Any]]) -> Guess:
    """Guess what keys are, of records or of the first entry of a list inside of them."""
    record = {key: value for entry in reversed(records) for key, value in entry.items()}
    nested = next((key for key, value in record.items() if isinstance(value, list) and _has_records(value)), None)
    values: dict[str, Any] = {"format": file_format}
    fields = [dict(entry) for entry in records]
    if nested is not None:
        values["nested"] = nested
        fields = [{**entry, **(entry.get(nested) or [{}])[0]} for entry in fields]
        record = {key: value for entry in reversed(fields) for key, value in entry.items()}
    names = [key for key, value in record.items() if isinstance(value, str | int | float)]
    return named_columns(values, names, [[str(field.get(name, "")) for name in names] for field in fields])


def _has_records(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(value, dict) for value in values)


def of_blocks(lines: Sequence[str]) -> Guess | None:
    """Guess lines of a key and a value, the same keys in block after block."""
    pairs = [match for line in lines if (match := _PAIR.fullmatch(line))]
    names = list(dict.fromkeys(pair[1] for pair in pairs))
    if len(pairs) < len(lines) * _SHARE_OF_PAIRS or len(names) < _FEWEST:
        return None
    return named_columns(
        {"format": "blocks"}, names, [[pair[2] if pair[1] == name else "" for name in names] for pair in pairs]
    )


def of_netflix(lines: Sequence[str]) -> Guess | None:
    """Guess an item above its ratings, as Netflix has written them: user, rating, date."""
    if not lines or not re.fullmatch(r"[^\s,:]+:", lines[0].strip()):
        return None
    fields = [line.split(",") for line in lines if not line.strip().endswith(":")]
    if {len(row) for row in fields} != {3}:
        return None
    return Guess({"format": "netflix", **_time([row[2] for row in fields])})


def of_behaviours(lines: Sequence[str]) -> Guess | None:
    """Guess impressions as MIND has them: their items end in -1 where they were clicked, else in -0."""
    rows = [line.split("\t") for line in lines]
    if not rows or not all(len(row) == 5 and re.fullmatch(r"(\S+-[01] ?)+", row[4]) for row in rows):  # noqa: PLR2004
        return None
    return Guess({"format": "behaviours", "use": "impressions", **_time([row[2] for row in rows])})


def of_relations(lines: Sequence[str]) -> Guess | None:
    """Guess Idomaar's relations between subjects and objects, whose types are those of the first line."""
    matches = [_RELATION.fullmatch(line) for line in lines]
    first = matches[0] if matches and all(matches) else None
    if first is None:
        return None
    try:
        linked = json.loads(first[1])
        types = {key: linked[f"{key}s"][0]["type"] for key in ("subject", "object")}
    except (ValueError, LookupError, TypeError):
        return None
    return Guess({"format": "idomaar", **types})


def of_json_lists(lines: Sequence[str]) -> Guess | None:
    """Guess the lists of all users' items in one list, as JSON has it."""
    if not lines or not lines[0].lstrip().startswith("[["):
        return None
    return Guess({"format": "adjacency", "user": "line"}, ("Each list is taken for the items of a user.",))


def of_lists(lines: Sequence[str]) -> Guess | None:
    """Guess lines of a user and its items; of numbers alone, where the first may count the others."""
    rows = [line.split() for line in lines]
    if not rows or max(map(len, rows)) < _FEWEST or not all(token.isdecimal() for row in rows for token in row):
        return None
    if all(int(row[0]) == len(row) - 1 for row in rows):
        return Guess({"format": "adjacency", "user": "line", "counted": True, "separator": " "})
    return Guess({"format": "adjacency", "user": "first"}, ("The first number of a line is taken for the user.",))


def _time(texts: Sequence[str]) -> dict[str, str]:
    time = time_of(texts)
    return {"time": time} if time else {}
