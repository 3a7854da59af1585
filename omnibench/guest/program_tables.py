"""The files that a program reads and writes: lines of columns that tabs part, without a heading."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from .parts import Floats, Ints, Part
from .program_commands import AS_WRITTEN, BY_RANK, BY_SCORE, ProgramError
from .ranked_lists import RankedLists

_SHOWN_CHARACTERS = 80


def write_part(path: Path, part: Part) -> None:
    """Write interactions: user, item, and as far as the data has them rating and timestamp."""
    columns = [part.user, part.item, *(column for column in (part.rating, part.timestamp) if column is not None)]
    write_columns(path, columns)


def write_columns(path: Path, columns: Sequence[npt.NDArray[Any]]) -> None:
    """Write columns of numbers, each of shape (n,)."""
    table = pa.table({str(number): np.ascontiguousarray(column) for number, column in enumerate(columns)})
    csv.write_csv(table, path, csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none"))


def read_lists(path: Path, order: str, users: Ints, lengths: Ints, n_items: int, *, may_be_short: bool) -> RankedLists:
    """Read the lists that a program has written: user, item, and where that decides a score or a rank.

    Args:
        path: The file.
        order: What decides the order of a list: ``score``, ``rank`` or ``order``.
        users: The codes of those who were asked for, ascending, shape (u,).
        lengths: How long the list of each has to be, shape (u,).
        n_items: The number of items.
        may_be_short: Whether lists may be shorter than that, and users may have none.

    Raises:
        ProgramError: It is not there, or a line or a list is wrong; the message has the number of the line.
    """
    _require_file(path)
    user, item, value = _columns(path, has_value=order != AS_WRITTEN)
    _refuse(
        path,
        (item < 0) | (item >= n_items),
        f"item {{item}} is unknown; items are the codes 0 to {n_items - 1}",
        item=item,
    )
    position = np.minimum(np.searchsorted(users, user), max(len(users) - 1, 0))
    is_stranger = users[position] != user if len(users) else np.ones(len(user), dtype=bool)
    _refuse(path, is_stranger, "user {user} was not asked for; recommend to the users of {{users}} alone", user=user)
    _refuse(path, ~np.isfinite(value), f"the {order} is {{value}}; give a number, or leave the line out", value=value)
    _refuse_twice(path, user, item, "user {user} has item {value} twice, here and in line {line}")
    if order == BY_RANK:
        _refuse_twice(path, user, value, "user {user} has rank {value:g} twice, here and in line {line}")
    scores = {BY_SCORE: value, BY_RANK: -value}.get(order, -np.arange(len(user), dtype=np.float64))
    lines = np.lexsort((-scores, position))  # which keeps the order of lines where scores tie
    length = np.bincount(position, minlength=len(users)).astype(np.int64)
    if may_be_short and len(users) and not len(user):
        raise ProgramError(
            f"the program has recommended nothing to any of the {len(users)} users that it was asked for"
        )
    if not may_be_short:
        _refuse_short(users, lengths, length)
    return RankedLists(np.cumsum(length) - length, length, item[lines].astype(np.int32), scores[lines])


def read_ratings(path: Path, users: Ints, items: Ints) -> Floats:
    """Read the ratings that a program has written: user, item, rating.

    Args:
        path: The file.
        users: The users of the pairs that were asked for, ascending, shape (p,).
        items: Their items, ascending for each user, shape (p,).

    Returns:
        The rating of each pair, shape (p,).

    Raises:
        ProgramError: It is not there, a line is wrong, or a pair has no rating; the message has the number of the line.
    """
    _require_file(path)
    user, item, rating = _columns(path, has_value=True)
    pairs = np.stack([users, items], axis=1).astype(np.int64).reshape(-1, 2)
    written = np.stack([user, item], axis=1).reshape(-1, 2)
    both, position = np.unique(np.concatenate([pairs, written]), axis=0, return_inverse=True)
    row_of = np.full(len(both), -1)
    position = position.ravel()
    row_of[position[: len(pairs)]] = np.arange(len(pairs))
    row = row_of[position[len(pairs) :]]
    _refuse(
        path, row < 0, "user {user} and item {item} were not asked for; rate the {{pairs}} alone", user=user, item=item
    )
    largest = np.finfo(np.float32).max  # predictions are stored in this precision
    _refuse(
        path,
        ~(np.abs(rating) <= largest),
        f"the rating is {{value}}; give a number from {-largest:.4g} to {largest:.4g}",
        value=rating,
    )
    _refuse_twice(path, user, item, "user {user} has item {value} twice, here and in line {line}")
    ratings = np.full(len(pairs), np.nan)
    ratings[row] = rating
    missing = np.flatnonzero(np.isnan(ratings))
    if len(missing):
        first = missing[0]
        raise ProgramError(
            f"user {users[first]} and item {items[first]} have no rating ({len(missing)} of {len(pairs)} pairs have none); rate every "
            "line of {pairs}"
        )
    return ratings.astype(np.float32)


def _require_file(path: Path) -> None:
    """Refuse what is no file that can be read to its end: nothing at all, a directory, a pipe."""
    if not path.is_file():
        made = f"made something that is no file for its {path.stem}" if path.exists() else f"written no {path.stem}"
        raise ProgramError(f"the program has {made}; it is to write them to {{output}}, which was {path}")


def _columns(
    path: Path, *, has_value: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return users, items and scores or ranks of all lines; zeros in the place of the last where there are none."""
    types = {"user": pa.int64(), "item": pa.int64(), **({"value": pa.float64()} if has_value else {})}
    try:
        table = csv.read_csv(
            path,
            csv.ReadOptions(column_names=list(types), use_threads=False),
            csv.ParseOptions(delimiter="\t", quote_char=False, ignore_empty_lines=False),
            csv.ConvertOptions(column_types=types, null_values=[]),
        )
        columns = [table[name].to_numpy() for name in types]
    except pa.ArrowInvalid:  # nothing in it, blanks in the place of tabs, or a line that is wrong
        columns = _columns_by_line(path, len(types))
    value = columns[2] if has_value else np.zeros(len(columns[0]))
    return columns[0], columns[1], value


def _columns_by_line(path: Path, count: int) -> list[npt.NDArray[Any]]:
    """Read what any blanks part, line by line, so that an error has the number of its line."""
    rows: list[tuple[int, int, float]] = []
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            words = line.split()
            if len(words) != count:
                problem = f"there {'is 1 column' if len(words) == 1 else f'are {len(words)} columns'} where there have to be {count}"
                if path.stem == "lists" and count - 1 == len(words) == 2:  # noqa: PLR2004 - user and item
                    problem += '; where the lines are in the order of the list, the description says output = "order"'
                raise _wrong(path, number, problem, line)
            try:
                rows.append((int(words[0]), int(words[1]), float(words[2]) if count > 2 else 0.0))  # noqa: PLR2004 - user and item
            except ValueError:
                names = "user, item" if count == 2 else "user, item, number"  # noqa: PLR2004
                raise _wrong(
                    path, number, f"it is not of the form {names}, both codes being whole numbers", line
                ) from None
            if max(abs(rows[-1][0]), abs(rows[-1][1])) > np.iinfo(np.int64).max:
                raise _wrong(path, number, "no user and no item has a code as large as that", line)
    user, item, value = zip(*rows, strict=True) if rows else ((), (), ())
    return [np.array(user, dtype=np.int64), np.array(item, dtype=np.int64), np.array(value, dtype=np.float64)][:count]


def _wrong(path: Path, number: int, problem: str, line: str = "") -> ProgramError:
    excerpt = f" ({line.rstrip()[:_SHOWN_CHARACTERS]!r})" if line else ""
    return ProgramError(f"the {path.stem} that the program has written, line {number}{excerpt}: {problem}")


def _refuse(path: Path, is_wrong: npt.NDArray[np.bool_], problem: str, **columns: npt.NDArray[Any]) -> None:
    """Refuse the first line that is wrong, with what it has in some columns."""
    rows = np.flatnonzero(is_wrong)
    if len(rows):
        values = {name: column[rows[0]] for name, column in columns.items()}
        raise _wrong(path, int(rows[0]) + 1, problem.format(**values))


def _refuse_twice(path: Path, user: npt.NDArray[np.int64], value: npt.NDArray[Any], problem: str) -> None:
    """Refuse the first line that has what an earlier line of its user has."""
    lines = np.lexsort((value, user))  # which keeps equal ones in the order of their lines
    is_same = (user[lines[1:]] == user[lines[:-1]]) & (value[lines[1:]] == value[lines[:-1]])
    if not is_same.any():
        return
    later, earlier = lines[1:][is_same], lines[:-1][is_same]
    first = int(np.argmin(later))
    row = int(later[first])
    raise _wrong(path, row + 1, problem.format(user=user[row], value=value[row], line=int(earlier[first]) + 1))


def _refuse_short(users: Ints, lengths: Ints, length: npt.NDArray[np.int64]) -> None:
    """Refuse lists that have fewer items than were asked for."""
    short = np.flatnonzero(length < lengths)
    if len(short):
        first = short[0]
        raise ProgramError(
            f"the list of user {users[first]} has {length[first]} items where {lengths[first]} were asked for ({len(short)} of "
            f"{len(users)} lists are too short): what a user has seen is left out afterwards. Recommend as many as {{users}} says for "
            "each; where fewer can be right, say short_lists = true"
        )
