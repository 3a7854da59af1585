"""Ids of several tables as codes of one table: what is the same user in the predictions and in the test part."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from omnibench.data.coding import coded_ids, joined_codes
from omnibench.data.numbers import INTEGER, RowName, row_name

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

Codes: TypeAlias = "npt.NDArray[np.int32]"

_INTEGER = re.compile(INTEGER)


class IdColumn(NamedTuple):
    """A column of ids of a table.

    Attributes:
        values: A pandas Series or array.
        name: The column's name in errors.
        source: The table's name in errors.
        row_name: Returns what errors call a row.
    """

    values: Any
    name: str
    source: str
    row_name: RowName = row_name


def joint_codes(columns: Sequence[IdColumn]) -> tuple[list[Codes], list[Hashable]]:
    """Return the codes of several columns of ids, and the ids by code, in the order in which they come.

    A text and a number are the same id where the text is that number as it is usually written: files such as those of
    trec_eval have nothing but texts. They are numbers then where all texts are, and else texts.

    Args:
        columns: The columns.

    Raises:
        DataError: An id is missing, a fraction, not hashable, or of another type than the others of its column.
    """
    coded = [coded_ids(column.values, column.name, column.source, column.row_name) for column in columns]
    same_type = _of_same_type([ids for _, ids in coded])
    return joined_codes([(codes, ids) for (codes, _), ids in zip(coded, same_type, strict=True)])


def integer_of(text: str) -> int | str:
    """Return the number that a text is, as it is usually written; the text where it is none."""
    return int(text) if _INTEGER.fullmatch(text) else text


def _of_same_type(tables: Sequence[Sequence[Hashable]]) -> list[list[Any]]:
    """Return ids of several tables as numbers, or as texts, where some have numbers and others have texts."""
    types = [{type(own_id) for own_id in ids} for ids in tables]
    if not (all(of_table <= {int} or of_table <= {str} for of_table in types) and {int} in types and {str} in types):
        return [list(ids) for ids in tables]
    texts = (str(own_id) for ids, of_table in zip(tables, types, strict=True) if of_table == {str} for own_id in ids)
    as_type = int if all(_INTEGER.fullmatch(text) for text in texts) else str
    return [[as_type(own_id) for own_id in ids] for ids in tables]  # type: ignore[call-overload]  # texts or integers
