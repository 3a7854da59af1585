"""Predictions beside a test part, both tables with anybody's ids, as the arrays that metrics are computed from."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from omnibench.data.numbers import LARGEST_RATING, numbers
from omnibench.errors import EvaluationError
from omnibench.guest.distinct import distinct
from omnibench.metrics.coded_checks import (
    Table,
    check_columns,
    pairs_among,
    refuse_overlap,
    refuse_repeats,
    refuse_strangers,
)
from omnibench.metrics.hits import Truth
from omnibench.metrics.joint_ids import IdColumn, joint_codes
from omnibench.metrics.judged import without_repeats
from omnibench.metrics.ordered import Ordered, RankedRows, ordered
from omnibench.metrics.training import Pairs, Training

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

Rows: TypeAlias = "npt.NDArray[np.bool_]"


class Reading(NamedTuple):
    """How predictions are read.

    Attributes:
        length: Where lists are cut; None for nowhere.
        repeats: Whether items that the user has in training or validation stay in the lists.
        unknown: Whether items unknown in training do.
        allow_overlap: Whether pairs of the test part may be in training or validation, too.
    """

    length: int | None = None
    repeats: bool = True
    unknown: bool = True
    allow_overlap: bool = False


_AS_IT_IS = Reading()


class Remarks(NamedTuple):
    """What a reader of the numbers should know of the tables, in numbers.

    Attributes:
        repeated: Repeated pairs of the test part, of which the last counts.
        without_list: Test users without a list.
        without_test: Users with a list, but without a test item.
        seen: Recommended items that the user has in training or validation.
        unknown: Recommended items that are unknown in training.
        rows: Rows of predictions of test users.
    """

    repeated: int
    without_list: int
    without_test: int
    seen: int
    unknown: int
    rows: int


class Coded(NamedTuple):
    """Predictions beside a test part as arrays.

    Attributes:
        user_ids: The users' ids by code; those of the test part come first, in the order in which they come there.
        item_ids: The items' ids by code.
        test: The test part, each pair once.
        lists: The lists, and what is to be said of them; None where they were not asked for.
        predicted: The predicted ratings of the pairs of ``test``, float32, shape (m,); likewise.
        training: The training facts.
        remarks: What is to be said of the tables.
    """

    user_ids: Sequence[Hashable]
    item_ids: Sequence[Hashable]
    test: Truth
    lists: Ordered | None
    predicted: npt.NDArray[np.float32] | None
    training: Training
    remarks: Remarks


def table_of(frame: Any, source: str, order: str | None = None) -> Table:
    """Return a pandas frame, or a mapping from names to columns, as a table.

    Args:
        frame: The frame.
        source: Its name in errors.
        order: What decides about the order of its lists; see ``ordered.ordered``.

    Raises:
        EvaluationError: It is neither.
    """
    names = frame if isinstance(frame, Mapping) else getattr(frame, "columns", None)
    if names is None:
        value = repr(frame) if isinstance(frame, str | PurePath) else f"a {type(frame).__name__}"
        raise EvaluationError(
            f"{source} is {value}; give calculate a pandas frame. omnibench.score takes files, and lists in other forms."
        )
    return Table({str(name): frame[name] for name in names}, source, order=order)


def coded(
    predictions: Table,
    test: Table,
    train: Table | None = None,
    validation: Table | None = None,
    *,
    items: IdColumn | None = None,
    reading: Reading = _AS_IT_IS,
    lists: bool = True,
    ratings: bool = False,
) -> Coded:
    """Return predictions beside a test part as arrays.

    Args:
        predictions: The predictions, each pair of user and item once.
        test: The test part.
        train: The training part, where metrics ask for it.
        validation: What else users have seen; likewise.
        items: All items of the dataset, where they are known; ties among equally popular ones go by their order.
        reading: How they are read.
        lists: Whether lists are asked for.
        ratings: Whether predicted ratings are.

    Raises:
        EvaluationError: A column is missing, a pair is predicted twice, no user or no item is in both tables, a test pair
            has no predicted rating, or the test part overlaps with another.
        DataError: An id or a number is none.
    """
    tables = [predictions, test, *(table for table in (train, validation) if table is not None)]
    for table in tables:
        check_columns(table)
    # Users in the order of the test part, as their values are added up; items in that of training, as ties go.
    user_codes, user_ids = joint_codes([_ids(table, "user") for table in (test, predictions, *tables[2:])])
    catalogue = [] if items is None else [items]
    item_codes, item_ids = joint_codes(
        [*catalogue, *(_ids(table, "item") for table in (*tables[2:], test, predictions))]
    )
    item_codes = item_codes[len(catalogue) :]
    user, item = user_codes[1], item_codes[-1]
    refuse_repeats(user, item, user_ids, item_ids, predictions.source)
    truth = Truth.of(user_codes[0], item_codes[-2], len(item_ids), _ratings(test))
    once = without_repeats(truth)
    refuse_strangers(predictions, test, user, once.users, item, item_codes[:-1])
    parts: list[Pairs] = [
        _once(of_user, of_item, len(item_ids))
        for of_user, of_item in zip(user_codes[2:], item_codes[: len(tables) - 2], strict=True)
    ]
    if not reading.allow_overlap:
        refuse_overlap(once, parts, tables[2:], test, user_ids, item_ids)
    training = Training(_before(parts, train), len(user_ids), len(item_ids), lambda: item_ids)
    is_seen, is_unknown = pairs_among(user, item, parts, len(item_ids)), _unknown(item, training, train)
    is_tested = np.isin(user, once.users)
    is_listed = is_tested & (reading.repeats | ~is_seen) & (reading.unknown | ~is_unknown)
    of_lists = None
    if lists:
        rows = _ranked_rows(predictions, user, item, is_listed)
        of_lists = ordered(rows, predictions.order, reading.length, predictions.source, user_ids, item_ids)
    predicted = _predicted(predictions, test, once, user, item, user_ids, item_ids) if ratings else None
    listed_users = distinct(user[is_listed])
    remarks = Remarks(
        repeated=len(truth.item) - len(once.item),
        without_list=len(once.users) - len(listed_users),
        without_test=len(distinct(user[~is_tested])),
        seen=int(np.count_nonzero(is_seen & is_tested)),
        unknown=int(np.count_nonzero(is_unknown & is_tested)),
        rows=int(np.count_nonzero(is_tested)),
    )
    return Coded(user_ids, item_ids, once, of_lists, predicted, training, remarks)


def _ids(table: Table, name: str) -> IdColumn:
    return IdColumn(table.columns[name], name, table.source, table.row_name)


def _ratings(table: Table) -> npt.NDArray[np.float32] | None:
    if "rating" not in table.columns:
        return None
    exact = numbers(table.columns["rating"], "rating", table.source, LARGEST_RATING, table.row_name)
    return exact.astype(np.float32)


def _ranked_rows(table: Table, user: npt.NDArray[np.int32], item: npt.NDArray[np.int32], is_listed: Rows) -> RankedRows:
    columns = {
        name: numbers(table.columns[name], name, table.source, sys.float_info.max, table.row_name)[is_listed]
        for name in ("score", "rank")
        if name in table.columns
    }
    if not columns and "rating" in table.columns:
        raise EvaluationError(
            f"{table.source} has predicted ratings, but nothing that says in which order the items of a list stand. Name "
            "the column score if more is better (or rank, where 1 is the best), or ask for metrics of ratings, e.g. RMSE."
        )
    return RankedRows(user[is_listed], item[is_listed], columns.get("score"), columns.get("rank"))


def _once(user: npt.NDArray[np.int32], item: npt.NDArray[np.int32], n_items: int) -> Pairs:
    pairs = distinct(user.astype(np.int64) * n_items + item)
    return (pairs // n_items).astype(np.int32), (pairs % n_items).astype(np.int32)


def _before(parts: Sequence[Pairs], train: Table | None) -> Callable[[], tuple[Pairs, Sequence[Pairs]]]:
    """Return what reads the parts before the test, for ``training.Training``."""

    def read() -> tuple[Pairs, Sequence[Pairs]]:
        if train is None:
            raise EvaluationError(
                "this metric is made of what is known in training, such as how popular items are; give the training part, "
                "train=..., or leave the metric out."
            )
        return parts[0], parts

    return read


def _unknown(item: npt.NDArray[np.int32], training: Training, train: Table | None) -> Rows:
    return np.zeros(len(item), dtype=bool) if train is None else ~training.is_candidate[item]


def _predicted(
    predictions: Table,
    test: Table,
    truth: Truth,
    user: npt.NDArray[np.int32],
    item: npt.NDArray[np.int32],
    user_ids: Sequence[Hashable],
    item_ids: Sequence[Hashable],
) -> npt.NDArray[np.float32]:
    """Return the predicted ratings of the test pairs, shape (m,)."""
    predicted = _ratings(predictions)
    if predicted is None:
        raise EvaluationError(
            f"{predictions.source} has no predicted ratings, which metrics such as RMSE judge; name their column rating. It "
            f"has {', '.join(map(repr, predictions.columns))}."
        )
    if truth.rating is None:
        raise EvaluationError(
            f"{test.source} has no ratings to compare predicted ones with; give it a column rating, or ask for metrics of "
            "lists, e.g. NDCG@10."
        )
    pairs = user.astype(np.int64) * len(item_ids) + item
    order = np.argsort(pairs)
    owner = truth.users[truth.owner]
    tested_pairs = owner.astype(np.int64) * len(item_ids) + truth.item
    row = order[np.minimum(np.searchsorted(pairs[order], tested_pairs), len(pairs) - 1)]
    missing = np.flatnonzero(pairs[row] != tested_pairs)
    if len(missing):
        first = int(missing[0])
        raise EvaluationError(
            f"{predictions.source} has no rating for {len(missing)} of the {len(owner)} test pairs, the first of them user "
            f"{user_ids[owner[first]]!r}, item {item_ids[truth.item[first]]!r}. Metrics of ratings need one for each: fill in "
            "what your model falls back on, e.g. the mean of training, or leave these pairs out of the test part."
        )
    of_pairs: npt.NDArray[np.float32] = predicted[row]
    return of_pairs
