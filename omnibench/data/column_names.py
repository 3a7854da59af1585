"""Which columns of a frame or file are users, items, ratings and timestamps: as their names say, or the user does."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from omnibench.caller_warnings import warn_caller
from omnibench.data.interactions import COLUMNS
from omnibench.data.usual_names import candidate_columns, usual_columns
from omnibench.errors import DataError, nearest

Columns = Mapping[Any, str | None] | Sequence[str | None] | None
"""The argument ``columns``: omnibench's names by the file's own, or the names of all columns of a file without a header.

A name of None is for a column that is not used, so that nobody has to be warned of it."""

REQUIRED = ("user", "item")


def listed_names(columns: Sequence[str | None], source: str) -> list[str | None]:
    """Return the names of all columns as they were listed.

    Raises:
        DataError: They are no names, or not all different.
    """
    listed = [] if isinstance(columns, str) or not isinstance(columns, Sequence) else list(columns)
    names: list[Any] = [name for name in listed if name is not None]
    if not all(isinstance(name, str) and name for name in names) or not names:
        raise DataError(
            f"{source}: columns is {columns!r}; give a mapping such as {{'userId': 'user'}}, or for a file without a header "
            "the names of all its columns, e.g. ['user', 'item', None, 'timestamp']."
        )
    doubled = [name for name in names if names.count(name) > 1]
    if doubled:
        raise DataError(f"{source}: columns lists {doubled[0]!r} twice; give each name once.")
    return listed


def left_out(columns: Columns) -> frozenset[Any]:
    """Return the columns that the user says are not used, of a mapping of names."""
    return (
        frozenset(own for own, role in columns.items() if role is None) if isinstance(columns, Mapping) else frozenset()
    )


def renamed_columns(
    header: Sequence[Hashable],
    mapping: Mapping[Any, str | None],
    source: str,
    own_role: Callable[[Any], Any],
    hint: Callable[[], str],
    *,
    guesses: bool = True,
) -> tuple[dict[Any, str], dict[Any, str]]:
    """Return omnibench's names of the columns that are used, by their own, and those of them that are guessed.

    Nothing is guessed where the columns that interactions need are called user and item, or the mapping says which they
    are, and of several columns that may be meant none is.

    Args:
        header: The names of all columns.
        mapping: omnibench's names by the columns' own, where the user says them; None of those that are not used.
        source: The name of the data in errors.
        own_role: Returns what a column is by its own name.
        hint: Returns what to add to the error where a column is not there.
        guesses: Whether other usual names may tell what a column is.

    Raises:
        DataError: The mapping does not fit, there are no users or items, or one of these columns is there twice.
    """
    _check_mapping(mapping, header, source)
    renamed: dict[Any, str] = {}
    usable = [column for column in header if column not in left_out(mapping)]
    for column in usable:
        role = mapping.get(column) or own_role(column)
        is_free = role in COLUMNS and role not in renamed.values()
        if is_free and (column in mapping or role not in mapping.values()):
            renamed[column] = role
    guessed: dict[Any, str] = {}
    if not set(REQUIRED) <= set(renamed.values()):
        left = [column for column in usable if guesses and column not in renamed]
        missing = [role for role in COLUMNS if role not in renamed.values()]
        candidates = candidate_columns(left, missing)
        guessed = {columns[0]: role for role, columns in candidates.items() if len(columns) == 1}
        if not set(REQUIRED) <= {*renamed.values(), *guessed.values()}:
            doubts = [
                f" Of {', '.join(map(repr, candidates[role]))} each may be the {role}."
                for role in REQUIRED
                if len(candidates.get(role, ())) > 1
            ]
            require_columns({*renamed.values(), *guessed.values()}, header, source, "".join(doubts) + hint())
    roles = {**renamed, **guessed}
    for column in roles:
        if list(header).count(column) > 1:
            raise DataError(f"{source} has the column {column!r} twice; it has {list(header)}. Rename or drop one.")
    return {column: roles[column] for column in header if column in roles}, guessed


def require_columns(roles: Any, header: Sequence[Hashable], source: str, hint: str = "") -> None:
    """Refuse data without users or items.

    Args:
        roles: What its columns are.
        header: The names of all columns.
        source: The name of the data in errors.
        hint: What to add to the error.

    Raises:
        DataError: There are none.
    """
    for role in REQUIRED:
        if role not in roles:
            raise DataError(
                f"{source} has no column {role!r}{nearest(role, [str(column) for column in header]) or '.'} It has "
                f"{list(header)}. Interactions need columns user and item, and may have rating and timestamp; rename what is "
                f"called otherwise.{hint}"
            )


def _check_mapping(mapping: Mapping[Any, str | None], header: Sequence[Hashable], source: str) -> None:
    for column, role in mapping.items():
        if column not in header:
            names = [str(name) for name in header]
            raise DataError(f"{source} has no column {column!r}{nearest(column, names) or '.'} It has {list(header)}.")
        if role is None:
            continue
        if role not in COLUMNS:
            raise DataError(
                f"{source}: the column {column!r} is to be {role!r}, which omnibench does not know"
                f"{nearest(role, COLUMNS)}; known are {', '.join(COLUMNS)}, and None for a column that is not used."
            )
        if list(mapping.values()).count(role) > 1:
            raise DataError(f"{source}: two columns are to be {role!r}; give one.")


def warn_of_guesses(renamed: Mapping[Any, str], guessed: Mapping[Any, str], source: str) -> None:
    """Warn of columns whose names tell what they are, with the argument that says so.

    Args:
        renamed: omnibench's names of all columns that are used, by their own.
        guessed: Those of them that nobody has said.
        source: The name of the data.
    """
    if not guessed:
        return
    words = ", ".join(f"{column!r} is taken for the {role}" for column, role in guessed.items())
    argument = {column: role for column, role in renamed.items() if column != role}
    warn_caller(f"{source}: {words}, by the names. Where that is right, say so: columns={argument}.")


def warn_of_unused_columns(unused: Sequence[Hashable], used: Sequence[str], source: str) -> None:
    """Warn of columns that a dataset drops; row numbers that pandas or R has written are nobody's loss.

    Args:
        unused: Their names.
        used: What the others are.
        source: The name of the data.
    """
    named = [column for column in unused if str(column) and not str(column).startswith(("Unnamed:", "__index_level_"))]
    if not named:
        return
    missing = [column for column in COLUMNS if column not in used]
    usual = {role: column for role, column in usual_columns(named).items() if role in missing}
    role, column = next(iter(usual.items()), (missing[-1] if missing else "", named[0]))
    call = f" If {column!r} is the {role}, say so in columns: {{{column!r}: {role!r}}}." if missing else ""
    warn_caller(
        f"{source}: a dataset keeps user, item, rating and timestamp, and drops {', '.join(map(repr, named))}.{call} What "
        "is known about items or users is given in a table of its own, a row for each: items=... or users=..., a frame or a file. If "
        "they are not needed, give them the name None in columns."
    )
