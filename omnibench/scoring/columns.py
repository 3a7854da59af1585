"""Which columns of a table are users, items, scores and ranks: as their names say, or the user does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omnibench.data.usual_names import plain_name, usual_columns
from omnibench.errors import EvaluationError, nearest

PREDICTED = ("user", "item", "score", "rank", "rating")
"""The columns of predictions."""

TESTED = ("user", "item", "rating")
"""The columns of interactions that metrics look at."""

_SCORES = (
    "scores",
    "prediction",
    "predictions",
    "predicted",
    "pred",
    "predictedrating",
    "predictedscore",
    "estimate",
    "est",
)
"""What else scores and predicted ratings are called, in lower case without signs."""


def roles_of(
    names: Sequence[str], roles: Sequence[str], mapping: Mapping[str, str] | None, source: str
) -> tuple[dict[str, str], list[str]]:
    """Return the name of each column that is used, by what it is, and sentences about those that are guessed.

    Args:
        names: The names of all columns.
        roles: What columns may be.
        mapping: What columns are, by their names, where the user says it.
        source: The table's name in errors.

    Raises:
        EvaluationError: The mapping does not fit, or there are no users or items.
    """
    named = {} if mapping is None else _checked(mapping, names, roles, source)
    for role in roles:
        if role in names and role not in named and role not in named.values():
            named[role] = role
    guessed = _guessed([name for name in names if name not in named.values()], named, roles)
    for role in ("user", "item"):
        if role not in named and role not in guessed:
            raise EvaluationError(
                f"{source} has no column {role!r}; it has {', '.join(map(repr, names)) or 'none'}. Say which it is, e.g. "
                f"columns={{{(next(iter(names), 'id'))!r}: {role!r}}}."
            )
    sentences = [f"the column {name!r} is taken for the {role}, by its name" for role, name in guessed.items()]
    return {**named, **guessed}, sentences


def _checked(mapping: Mapping[str, str], names: Sequence[str], roles: Sequence[str], source: str) -> dict[str, str]:
    for name, role in mapping.items():
        if name not in names:
            raise EvaluationError(
                f"{source} has no column {name!r}{nearest(name, names) or '.'} It has {', '.join(map(repr, names))}."
            )
        if role not in roles:
            raise EvaluationError(
                f"{source}: the column {name!r} is to be {role!r}{nearest(role, roles)}; a column is one of {', '.join(roles)}."
            )
    if len(set(mapping.values())) < len(mapping):
        raise EvaluationError(f"{source}: columns is {dict(mapping)!r}, where two columns are the same; leave one out.")
    return {role: name for name, role in mapping.items()}


def _guessed(names: Sequence[str], named: Mapping[str, str], roles: Sequence[str]) -> dict[str, str]:
    """Return what columns may be whose names are usual, where nothing says it."""
    usual = usual_columns(names)
    guessed: dict[str, str] = {role: usual[role] for role in ("user", "item") if role not in named and role in usual}
    for role in ("rank", "score"):
        alike = [name for name in names if plain_name(name) == role]
        if role in roles and role not in named and len(alike) == 1:
            guessed[role] = alike[0]
    if "score" in roles and not {"score", "rank", "rating"} & {*named, *guessed}:
        scores = [name for name in names if plain_name(name) in _SCORES]
        if len(scores) == 1:
            guessed |= dict.fromkeys(("score", "rating"), scores[0])
    return guessed
