"""Tables of predictions and interactions, and what of them cannot be judged: each a sentence with the first example."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.data.numbers import RowName, row_name
from omnibench.errors import EvaluationError
from omnibench.metrics.hits import Truth
from omnibench.metrics.training import Pairs

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


class Table(NamedTuple):
    """A table of somebody's: predictions, or interactions.

    Attributes:
        columns: pandas Series by name: user and item; score, rank and rating of predictions, where there are some;
            rating of the test part, where there is one.
        source: Its name in errors.
        row_name: Returns what errors call a row.
        order: What decides about the order of its lists; see ``ordered.ordered``.
    """

    columns: Mapping[str, Any]
    source: str
    row_name: RowName = row_name
    order: str | None = None


def check_columns(table: Table) -> None:
    """Refuse a table without users, items or rows.

    Raises:
        EvaluationError: It is such a table.
    """
    for name in ("user", "item"):
        if name not in table.columns:
            raise EvaluationError(
                f"{table.source} has no column {name!r}; it has {', '.join(map(repr, table.columns)) or 'none'}. Name "
                f"the column of the {name}s {name!r}."
            )
    if len(table.columns["user"]) == 0:
        raise EvaluationError(f"{table.source} has no rows; give at least one.")


def refuse_repeats(
    user: npt.NDArray[np.int32],
    item: npt.NDArray[np.int32],
    user_ids: Sequence[Hashable],
    item_ids: Sequence[Hashable],
    source: str,
) -> None:
    """Refuse predictions of a pair that is there already.

    Raises:
        EvaluationError: There are such predictions.
    """
    pairs = user.astype(np.int64) * len(item_ids) + item
    distinct, first = np.unique(pairs, return_index=True)
    if len(distinct) < len(pairs):
        is_repeat = np.ones(len(pairs), dtype=bool)
        is_repeat[first] = False
        row = int(np.flatnonzero(is_repeat)[0])
        raise EvaluationError(
            f"{source} recommends {len(pairs) - len(distinct)} items twice, the first of them {item_ids[item[row]]!r} to user "
            f"{user_ids[user[row]]!r}; each would count twice. Give every item of a list once (and every fold for itself)."
        )


def refuse_strangers(
    predictions: Table,
    test: Table,
    user: npt.NDArray[np.int32],
    test_users: npt.NDArray[np.int32],
    item: npt.NDArray[np.int32],
    other_items: Sequence[npt.NDArray[np.int32]],
) -> None:
    """Refuse tables that have no user, or no item, in common: their ids are written differently, or not of one dataset.

    Raises:
        EvaluationError: They have none.
    """
    for noun, codes, counterparts in (("user", user, test_users), ("item", item, np.concatenate(other_items))):
        if not np.isin(codes, counterparts).any():
            predicted, tested = (_first_id(table, noun) for table in (predictions, test))
            raise EvaluationError(
                f"{predictions.source} and {test.source} have no {noun} in common: {predicted!r} ({type(predicted).__name__}) is "
                f"in the first, {tested!r} ({type(tested).__name__}) in the second. Are they of the same dataset, and is {noun} "
                "the right column?"
            )


def _first_id(table: Table, name: str) -> Any:
    import pandas as pd

    return pd.Series(table.columns[name]).iloc[:1].tolist()[0]


def refuse_overlap(
    test: Truth,
    parts: Sequence[Pairs],
    tables: Sequence[Table],
    tested: Table,
    user_ids: Sequence[Hashable],
    item_ids: Sequence[Hashable],
) -> None:
    """Refuse pairs of a test part that are in another part, too.

    Raises:
        EvaluationError: There are such pairs.
    """
    user = test.users[test.owner]
    for part, table in zip(parts, tables, strict=True):
        doubled = np.flatnonzero(pairs_among(user, test.item, [part], len(item_ids)))
        if len(doubled):
            first = int(doubled[0])
            raise EvaluationError(
                f"{len(doubled)} of the {len(user)} pairs of {tested.source} are in {table.source}, too, the first of them "
                f"user {user_ids[user[first]]!r}, item {item_ids[test.item[first]]!r}: what a model has learnt from is no "
                "test. Give parts without common pairs, or say allow_overlap=True where users have items again."
            )


def pairs_among(
    user: npt.NDArray[np.int32], item: npt.NDArray[np.int32], parts: Sequence[Pairs], n_items: int
) -> npt.NDArray[np.bool_]:
    """Return whether each pair is in one of several parts, shape (n,)."""
    if not parts:
        return np.zeros(len(user), dtype=bool)
    pairs = np.concatenate([of_user.astype(np.int64) * n_items + of_item for of_user, of_item in parts])
    return np.isin(user.astype(np.int64) * n_items + item, pairs)
