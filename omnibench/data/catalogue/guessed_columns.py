"""What the columns of a raw file are, guessed from their names, or from their values where they have none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from omnibench.data.catalogue.guessed_times import time_of
from omnibench.data.numbers import is_numeral
from omnibench.data.time_units import FIRST_COUNT
from omnibench.data.usual_names import plain_name, usual_columns

ROLE = "<user, item, rating or timestamp>"
"""Stands where only the author of a file can know what a column is."""

_TIME = "<seconds, milliseconds, iso, or a format such as %d/%m/%Y>"

_ENDINGS = {
    "user": ("userid", "customerid", "visitorid", "username"),
    "item": (
        "itemid",
        "productid",
        "articleid",
        "placeid",
        "movieid",
        "bookid",
        "songid",
        "trackid",
        "appid",
        "newsid",
    ),
}
"""What the names of columns end with, in lower case without signs, where they begin in a way of their own."""

_SHORT_NUMBER = re.compile(r"\s*[+-]?\d+(\.\d{1,2})?\s*")
"""A number that may be an id or a rating, and no coordinate."""

_SAMPLES = 3
"""Values that tell a reader what is in a column."""


@dataclass(frozen=True, slots=True)
class Guess:
    """How a raw file may be read.

    Attributes:
        values: The table ``[reader]`` of a definition.
        remarks: What to check, as sentences.
        samples: Some values of each column, by its name, where names do not tell what the columns are.
    """

    values: Mapping[str, Any]
    remarks: tuple[str, ...] = ()
    samples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def named_columns(values: Mapping[str, Any], names: Sequence[str], rows: Sequence[Sequence[str]]) -> Guess:
    """Return a guess with what the columns are, by their names; placeholders where these do not tell user and item.

    Args:
        values: What is known of the reader.
        names: The names of the columns.
        rows: Some values of each, row by row.
    """
    role_of = {name: role for role, name in usual_columns(names).items()}
    left = [name for name in names if name and name not in role_of]
    for role, endings in _ENDINGS.items():
        candidates = [name for name in left if plain_name(name).endswith(endings)]
        if role not in role_of.values() and len(candidates) == 1:
            role_of[candidates[0]] = role
    times = [name for name in left if name not in role_of and _is_time([row[names.index(name)] for row in rows])]
    if "timestamp" not in role_of.values() and len(times) == 1:
        role_of[times[0]] = "timestamp"
    is_clear = {"user", "item"} <= set(role_of.values())
    columns = {name: role_of.get(name, ROLE) for name in names if name and (name in role_of or not is_clear)}
    guessed = _with_time(values, columns, names, rows)
    if is_clear:
        return guessed
    samples = {name: tuple(dict.fromkeys(row[number] for row in rows))[:_SAMPLES] for number, name in enumerate(names)}
    return replace(guessed, samples=samples)


def columns_in_order(values: Mapping[str, Any], rows: Sequence[Sequence[str]]) -> Guess:
    """Return a guess with what columns without names are, by their values in the usual order: user, item, rating, time.

    Args:
        values: What is known of the reader.
        rows: Some rows.
    """
    roles = [""] * len(rows[0])
    for number in range(len(roles)):
        texts = [row[number] for row in rows]
        is_numeric = all(map(is_numeral, texts))
        if number and "timestamp" not in roles and _is_time(texts):
            roles[number] = "timestamp"
        elif is_numeric and not all(map(_SHORT_NUMBER.fullmatch, texts)):
            continue
        elif "item" not in roles:
            roles[number] = "item" if "user" in roles else "user"
        elif is_numeric and "rating" not in roles:
            roles[number] = "rating"
    names = [f"column {number + 1}" for number in range(len(roles))]
    guessed = _with_time(values, dict(zip(names, roles, strict=True)), names, rows)
    remark = "The columns have no names: which of them is the user, and which the item, is guessed from their order."
    return Guess({**guessed.values, "columns": roles}, (remark,))


def _with_time(
    values: Mapping[str, Any], columns: Mapping[str, str], names: Sequence[str], rows: Sequence[Sequence[str]]
) -> Guess:
    """Return a guess with the unit or format of the timestamps; texts that are like none have a placeholder."""
    guessed = {**values, "columns": dict(columns)}
    column = next((name for name, role in columns.items() if role == "timestamp"), None)
    if column is None:
        return Guess(guessed)
    return Guess({**guessed, "time": time_of([row[names.index(column)] for row in rows]) or _TIME})


def _is_time(texts: Sequence[str]) -> bool:
    """Whether values are moments: dates, or numbers that are too large for ratings."""
    present = [text for text in texts if text.strip()]
    time = time_of(present)
    if not time or "%" in time:
        return bool(time)
    return not all(map(is_numeral, present)) or min(float(text) for text in present) >= FIRST_COUNT
