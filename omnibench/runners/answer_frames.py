"""Frames that a user's own class returns from ``recommend``, and what a list is before its order is known."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import pandas as pd

EXPECTED = (
    "{user: [item, ...]} with the best item first, such lists in the order of the users, or a frame with the columns "
    "user and item (and score or rank); an item may be an (item, score) pair"
)
_OTHER_SCORES = frozenset(
    {"score", "scores", "prediction", "predictions", "predicted_rating", "rating", "ratings", "estimate", "est"}
)
"""What else a column of scores is called, in lower case; ``score`` itself here stands for ``Score``."""


class Scored(NamedTuple):
    """A user's items in the order that they came in, their scores if they have any, and whether the order means something."""

    items: list[Any]
    scores: list[Any] | None = None
    is_list: bool = False


def lists_of_frame(frame: pd.DataFrame) -> dict[Any, Scored]:
    """Return the list of each user from a frame with the columns user and item.

    Raises:
        ValueError: It cannot be read, or contradicts itself.
    """
    if "user" not in frame.columns:
        hint = " (it is the index; add .reset_index())" if "user" in frame.index.names else ""
        raise ValueError(
            f"recommend() returned a frame without the column user{hint}; it has {list(frame.columns)}. It has to return "
            f"{EXPECTED}."
        )
    return {
        plain(user): list_of_rows(user, rows)
        for user, rows in frame.groupby("user", sort=False, dropna=False, observed=True)
    }


def list_of_rows(user: Any, rows: pd.DataFrame) -> Scored:
    """Return a user's list from the rows of a frame: in the order of its ranks, else of its rows.

    Raises:
        ValueError: It cannot be read, or contradicts itself.
    """
    if "item" not in rows.columns:
        raise ValueError(
            f"recommend() returned a frame without the column item; it has {list(rows.columns)}. It has to return "
            f"{EXPECTED}."
        )
    for name in ("item", "rank", "score"):
        if rows.columns.tolist().count(name) > 1:
            raise ValueError(
                f"recommend() returned a frame with several columns {name}; leave all but one of them out."
            )
    if "rank" not in rows.columns:
        if "score" not in rows.columns:
            _check_other_scores(user, rows)
        return Scored(rows["item"].tolist(), rows["score"].tolist() if "score" in rows.columns else None)
    if rows["rank"].isna().any():
        raise ValueError(f"recommend() gave user {user!r} an item without a rank; give every row one, from 1 on.")
    if not pd.api.types.is_any_real_numeric_dtype(rows["rank"].dtype):  # as texts, "10" stands before "2"
        try:
            rows = rows.assign(rank=pd.to_numeric(rows["rank"].astype(object)))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"recommend() gave user {user!r} ranks that are no numbers, such as {typed(rows['rank'].iloc[0])}; give "
                "every row one, from 1 on."
            ) from error
    return _by_rank(user, rows)


def _by_rank(user: Any, rows: pd.DataFrame) -> Scored:
    """Return a user's list in the order of numeric ranks; scores decide between equal ones.

    Raises:
        ValueError: Scores contradict the ranks.
    """
    ordered = rows.sort_values("rank", kind="stable")
    items = ordered["item"].tolist()
    if "score" not in ordered.columns:
        return Scored(items)
    scores = [number_of(user, item, score) for item, score in zip(items, ordered["score"].tolist(), strict=True)]
    ranks = ordered["rank"].tolist()
    order = sorted(range(len(items)), key=lambda row: (ranks[row], -scores[row]))  # scores decide between equal ranks
    items, scores = [items[row] for row in order], [scores[row] for row in order]
    for number, (score, following) in enumerate(pairwise(scores)):
        if following > score:
            raise ValueError(
                f"recommend() contradicts itself for user {user!r}: by rank item {items[number]!r} stands before "
                f"{items[number + 1]!r}, by score ({score!r} and {following!r}) behind it. Leave out one of the columns, "
                "or negate scores where less is better."
            )
    return Scored(items, scores)


def _check_other_scores(user: Any, rows: pd.DataFrame) -> None:
    """Refuse rows whose order isn't that of a column which other packages call the score.

    Raises:
        ValueError: Whether the order or the column is meant is a guess.
    """
    for name in rows.columns:
        if str(name).lower() not in _OTHER_SCORES or not pd.api.types.is_any_real_numeric_dtype(rows[name].dtype):
            continue
        if (rows[name].diff() > 0).any():
            raise ValueError(
                f"recommend() returned a frame whose rows of user {user!r} do not fall by {name!r}. Name that column score if "
                "it decides (or rank, where 1 is the best), or leave it out if the order of the rows does."
            )


def number_of(user: Any, item: Any, score: Any) -> float:
    """Return a score as Python's own number.

    Raises:
        ValueError: It is none, or NaN, or infinite.
    """
    score = plain(score)
    try:
        rounded = float(score)
    except (TypeError, ValueError, OverflowError):  # the last of whole numbers of more than 308 digits
        rounded = math.nan
    number: float = score if isinstance(score, int) and not math.isnan(rounded) else rounded
    if math.isnan(number) or number == math.inf:
        raise ValueError(
            f"recommend() gave user {user!r} the item {plain(item)!r} with the score {score!r}, which is no number to "
            "rank by; give a finite number, or leave the item out (-inf leaves it out, too)."
        )
    return number


def plain(value: Any) -> Any:
    """Return Python's own value of a scalar of numpy, PyTorch or the like."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value


def typed(value: Any) -> str:
    """Return a value as text, with its type."""
    return f"{value!r} ({type(value).__name__})"
