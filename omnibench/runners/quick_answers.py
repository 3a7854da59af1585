"""Answers of ``recommend`` in their usual forms, read by columns; whatever is unusual or wrong is left to ``answers``.

What is read here says the same as there: the order of a list, its scores, and that no item is there twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from omnibench.guest.parts import Ints
from omnibench.guest.ranked_lists import RankedList, RankedLists

_NUMBERS = frozenset({float, np.float64, np.float32, int})
"""Types of scores that float64 holds exactly, whole numbers up to ``_HIGHEST``."""
_HIGHEST = 2.0**53
_SPARSE = 4
"""A table of the codes of whole numbers may have so many entries for each item."""
_FEW_SCORES = 3
"""As in ``answers``: lists whose scores only rise are refused there if one has so many different ones."""


class ItemCodes:
    """The codes of a dataset's items, to be looked up by one id or by many.

    Args:
        ids: The user's own ids, by code.
    """

    def __init__(self, ids: Sequence[Any]) -> None:
        self.code_of = {item: code for code, item in enumerate(ids)}
        self.has_tuples = any(isinstance(item, tuple) for item in ids)
        self.index = pd.Index(list(ids), tupleize_cols=False)
        self._last = np.empty(len(ids), dtype=np.int64)
        self._table, self._lowest = self._numbered(ids)

    def _numbered(self, ids: Sequence[Any]) -> tuple[Ints | None, int]:
        if not ids or any(type(item) is not int for item in ids):
            return None, 0
        lowest, highest = min(ids), max(ids)
        if highest - lowest >= _SPARSE * len(ids) or max(-lowest, highest) >= 2**62:
            return None, 0
        table = np.full(highest - lowest + 1, -1, dtype=np.int32)
        table[np.array(ids) - lowest] = np.arange(len(ids))
        return table, lowest

    def of_list(self, items: Sequence[Any]) -> Ints | None:
        """Return the codes of items; None where one is unknown, or there twice."""
        try:
            codes = np.fromiter(map(self.code_of.__getitem__, items), np.int32, len(items))
        except (KeyError, TypeError):
            return None
        return codes if self._are_distinct(codes) else None

    def of_array(self, items: npt.NDArray[Any]) -> Ints | None:
        """Return the codes of whole numbers, as ``of_list``; None also for other types."""
        if items.dtype.kind not in "iu" or self._table is None:
            return self.of_list(items.tolist())
        if len(items) == 0:
            return np.zeros(0, dtype=np.int32)
        if int(items.min()) < self._lowest or int(items.max()) - self._lowest >= len(self._table):
            return None
        codes = self._table[items.astype(np.int64, copy=False) - self._lowest]
        return codes if (codes >= 0).all() and self._are_distinct(codes) else None

    def _are_distinct(self, codes: Ints) -> bool:
        numbers = np.arange(len(codes))
        self._last[codes] = numbers
        return bool((self._last[codes] == numbers).all())


def quick_lists(answer: Any, users: Sequence[Any], codes: ItemCodes) -> RankedLists | None:
    """Return the lists of some users; None of an answer that ``read_recommendations`` has to read.

    Args:
        answer: What ``recommend(users, k)`` returned.
        users: The users that it was asked for.
        codes: The codes of the dataset's items.
    """
    if type(answer) is pd.DataFrame:
        return _of_frame(answer, users, codes)
    if type(answer) is dict:
        if len(answer) > len(users) or not answer.keys() <= set(users):
            return None
        entries: list[Any] = [answer.get(user, ()) for user in users]
    elif (type(answer) is list or (type(answer) is np.ndarray and answer.ndim > 0)) and len(answer) == len(users):
        entries = list(answer)
    else:
        return None
    reader = _Reader(codes)
    lists = []
    for entry in entries:
        ranked = reader.read(entry)
        if ranked is None:
            return None
        lists.append(ranked)
    return RankedLists.of(lists) if reader.is_directed() else None


class _Reader:
    """Reads a user's list after the other; what is like the one before is not read again.

    Args:
        codes: The codes of the dataset's items.
    """

    def __init__(self, codes: ItemCodes) -> None:
        self._codes = codes
        self._by_id: dict[int, RankedList] = {}
        self._latest: tuple[list[Any], RankedList] | None = None
        self._falls = self._rises = False

    def read(self, entry: Any) -> RankedList | None:
        """Return a list as codes and scores; None of one that is unusual."""
        if id(entry) not in self._by_id:  # entries live as long as the answer
            ranked = self._read(entry)
            if ranked is None:
                return None
            self._by_id[id(entry)] = ranked
        return self._by_id[id(entry)]

    def is_directed(self) -> bool:
        """Whether scores say nothing against the order of the lists that they stand in."""
        return self._falls or not self._rises

    def _read(self, entry: Any) -> RankedList | None:
        if type(entry) is np.ndarray:
            return None if entry.ndim != 1 or entry.dtype.kind not in "iuU" else _unscored(self._codes.of_array(entry))
        if type(entry) not in (list, tuple):
            return None
        if len(entry) == 0:
            return _unscored(np.zeros(0, dtype=np.int32))
        if type(entry[0]) is tuple:
            return None if self._codes.has_tuples else self._pairs(entry)
        if type(entry[0]) not in (int, str):
            return None
        if self._latest is not None and _is_equal(self._latest[0], entry):
            return self._latest[1]
        ranked = _unscored(self._codes.of_list(entry))
        if ranked is not None and type(entry) is list:
            self._latest = entry, ranked
        return ranked

    def _pairs(self, entry: Sequence[Any]) -> RankedList | None:
        """Return a list of (item, score) pairs, ranked by score, ties as they came."""
        if set(map(type, entry)) != {tuple} or set(map(len, entry)) != {2}:
            return None
        items, numbers = zip(*entry, strict=True)
        if not _NUMBERS.issuperset(map(type, numbers)):
            return None
        try:
            codes, scores = self._codes.of_list(items), np.array(numbers, dtype=np.float64)
        except OverflowError:  # a whole number of more than 308 digits
            return None
        if codes is None or np.isnan(scores).any() or np.isposinf(scores).any():
            return None
        if int in map(type, numbers) and (np.abs(scores[np.isfinite(scores)]) >= _HIGHEST).any():
            return None
        self._falls |= bool((scores[1:] < scores[:-1]).any())
        if not self._falls:
            self._rises |= len(set(numbers)) >= _FEW_SCORES
        return _ranked(codes, scores)


def _is_equal(items: list[Any], entry: Any) -> bool:
    """Whether lists are equal; what are the same objects is not compared further."""
    try:
        return bool(items == entry)
    except Exception:  # whatever an item raises that is no plain id
        return False


def _unscored(codes: Ints | None) -> RankedList | None:
    return None if codes is None else (codes, 0.0 - np.arange(len(codes), dtype=np.float64))


def _ranked(codes: Ints, scores: npt.NDArray[np.float64]) -> RankedList:
    if (scores[1:] > scores[:-1]).any():
        order = np.argsort(-scores, kind="stable")
        codes, scores = codes[order], scores[order]
    length = int(np.count_nonzero(scores != -np.inf))
    return codes[:length], scores[:length]


def _of_frame(frame: pd.DataFrame, users: Sequence[Any], codes: ItemCodes) -> RankedLists | None:
    """Return the lists of a frame with the columns user, item and perhaps score."""
    names = frame.columns.tolist()
    has_scores = sorted(names) == ["item", "score", "user"] if len(names) == 3 else False  # noqa: PLR2004
    if not has_scores and sorted(map(str, names)) != ["item", "user"]:
        return None
    if has_scores and (not isinstance(frame["score"].dtype, np.dtype) or frame["score"].dtype.kind != "f"):
        return None
    positions = _positions(pd.Index(list(users), tupleize_cols=False), frame["user"])
    item = _positions(codes.index, frame["item"])
    if positions is None or item is None:
        return None
    score = frame["score"].to_numpy(dtype=np.float64) if has_scores else np.zeros(len(frame))
    if np.isnan(score).any() or np.isposinf(score).any():
        return None
    pairs = np.sort(positions * len(codes.index) + item)
    if (pairs[1:] == pairs[:-1]).any():
        return None
    order = np.lexsort((-score, positions)) if has_scores else np.argsort(positions, kind="stable")
    order = order[score[order] != -np.inf]
    length = np.bincount(positions[order], minlength=len(users))
    begin = np.cumsum(length) - length
    if not has_scores:
        score = np.empty(len(order))
        score[order] = 0.0 - (np.arange(len(order)) - np.repeat(begin, length))
    return RankedLists(begin, length, item[order].astype(np.int32), score[order])


def _positions(index: pd.Index, column: pd.Series) -> npt.NDArray[np.int64] | None:
    """Return where the values of a column stand in an index of plain ids; None where one does not, or is of another type."""
    if not isinstance(column.dtype, np.dtype) and not isinstance(column.dtype, pd.StringDtype):
        return None
    is_number = column.dtype.kind in "iu"
    if not index.is_unique or is_number != (index.dtype.kind in "iu"):
        return None
    if not is_number and pd.api.types.infer_dtype(column, skipna=False) != "string":
        return None
    positions = index.get_indexer(pd.Index(column))
    return None if (positions < 0).any() else positions.astype(np.int64)
