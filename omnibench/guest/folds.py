"""The prepared dataset as guests read it, and the masking and top-k that all frameworks share.

A guest gets a directory and a fold number. The arrays are memory-mapped, so that opening a fold costs the same whatever
its size. Of a single split all processes share the pages of its parts; several folds share their rows, out of which a
process gathers the columns that it needs. What a framework writes into a column stays its own. Users and items are dense
int32 codes over the whole prepared dataset, so a code means the same in every part and fold.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from . import TRAIN_AND_VALIDATION, VALIDATION
from .features import FeatureTable, read_features
from .parts import Ints, Part, columns_in, empty_part, joined, latest_rows, rows_of
from .seen import Seen, SeenParts, SeenRows
from .shared_rows import MEMBERSHIP, PARTS, Membership, SelectedPart, SharedRows, mapped

Scores = npt.NDArray[np.float32] | npt.NDArray[np.float64]
"""Scores in the precision that the framework computes them in, which decides the order."""

NO_ITEM = -1
"""Pads the tail of a list that is shorter than k."""


class Fold:
    """One fold of a prepared dataset directory.

    Args:
        directory: A directory published by ``omnibench.data.prepare``.
        fold: The fold's number, 0 for a single split.
        refit: ``train+validation`` for a fold whose training part is both parts together, and whose validation part is
            empty; by default they are as the split made them.
        repeats: Whether items that a user has in history or validation may be recommended.
        unknown: Whether items unknown in training may.
        judged: ``validation`` for a fold whose test part is the validation part, as configurations are chosen by; its
            validation part is empty, so that nothing of it is taken for seen. By default the parts are as they are.

    Raises:
        ValueError: A model that is fitted on the validation part is to be judged by it.
    """

    def __init__(
        self,
        directory: str | Path,
        fold: int,
        refit: str = "",
        *,
        repeats: bool = False,
        unknown: bool = False,
        judged: str = "",
    ) -> None:
        if refit and judged:
            raise ValueError(f"a model that is fitted on {refit} cannot be judged by {judged}")
        self.directory = Path(directory)
        self.number = fold
        self.refit = refit
        self.judged = judged
        self.repeats = repeats
        self.unknown = unknown
        manifest = json.loads((self.directory / "manifest.json").read_text(encoding="utf-8"))
        self.n_users: int = manifest["users"]
        self.n_items: int = manifest["items"]
        self.explicit: bool = manifest["feedback"] == "explicit"
        self._columns: list[str] = manifest["columns"]
        self.folds_in: bool = manifest.get("given", False)
        self.keeps_repeats: bool = manifest.get("repeats", False)
        self._has_prefixes: bool = manifest.get("prefixes", False)

    @property
    def _files(self) -> Path:
        return self.directory / f"fold_{self.number}"

    @cached_property
    def _membership(self) -> Membership | None:
        """The part of each row of the dataset; None of a fold that has copies of its rows."""
        path = self._files / MEMBERSHIP
        return mapped(path) if path.is_file() else None

    @cached_property
    def _rows(self) -> SharedRows:
        return SharedRows(self.directory, self._columns)

    def _part(self, name: str) -> Part:
        if self._membership is not None:
            return SelectedPart(self._rows, self._membership, PARTS.index(name))
        file = np.load(self._files / f"{name}.npy", mmap_mode="c")
        column = columns_in(file, self._columns) if file.ndim > 1 else self._columns_at(file)
        return Part(column["user"], column["item"], column.get("rating"), column.get("timestamp"))

    def _columns_at(self, rows: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
        """Gather the columns of row numbers, which are the content of parts in the older format ``prepared/1``."""
        return {name: np.load(self.directory / f"{name}.npy", mmap_mode="r")[rows] for name in self._columns}

    @cached_property
    def train(self) -> Part:
        """The interactions that a model is fitted on; with ``refit`` those of the validation part among them.

        Of users who are in validation but not in training, as where users are folded in, what is given is among them.
        """
        if self.refit != TRAIN_AND_VALIDATION:
            return self._part("train")
        parts = [self._part("train"), self._part("validation")]
        if self.folds_in:
            histories = self._part("given")
            users = self._whole(parts[1].user, histories) if self._has_prefixes else parts[1].user
            parts[1] = rows_of(parts[1], np.isin(parts[1].user, users))
            parts.append(rows_of(histories, np.isin(histories.user, users)))
        return joined(parts)

    def _whole(self, users: Ints, histories: Part) -> Ints:
        """Return those users that are whole sessions: the next one is not the same session with an event more.

        Args:
            users: The codes of beginnings of sessions, by session and length.
            histories: What is given of them, which is one event of the shortest of a session.
        """
        counts = np.diff(histories.first_rows(self.n_users), append=len(histories))
        whole: Ints = users[counts[users + 1] != counts[users] + 1]
        return whole

    @cached_property
    def validation(self) -> Part:
        """The interactions for early stopping; empty without a validation part, with ``refit``, and with ``judged``."""
        is_elsewhere = self.refit == TRAIN_AND_VALIDATION or self.judged == VALIDATION
        return empty_part(self._columns) if is_elsewhere else self._part("validation")

    @cached_property
    def test(self) -> Part:
        """The interactions that predictions are judged by. An adapter may read their pairs, never their ratings."""
        return self._part(VALIDATION if self.judged == VALIDATION else "test")

    @cached_property
    def history(self) -> Part:
        """The histories of the users to recommend for: training, or the given part of users who are not in training."""
        return self._part("given") if self.folds_in else self.train

    @cached_property
    def inputs(self) -> Part:
        """What sequences are made of to recommend from: histories and the validation part together, by user and time.

        Of one user and time what is in the history is before what is in validation, and rows of a part are in its order.
        """
        return self.history if len(self.validation) == 0 else joined([self.history, self.validation])

    @cached_property
    def users(self) -> Ints:
        """The users to recommend for: those of the test part that have a history, ascending."""
        return np.flatnonzero(self._occurs(self.test) & self._occurs(self.history)).astype(np.int32)

    def _occurs(self, part: Part) -> npt.NDArray[np.bool_]:
        """Return whether each user has rows in a part, shape (n_users,)."""
        return np.diff(part.first_rows(self.n_users)) > 0

    def interactions_before(self) -> tuple[tuple[Ints, Ints], list[tuple[Ints, Ints]]]:
        """Return the user and item codes of training, and of the parts with the items that users have seen; no pair twice."""
        seen = [self._pairs(part) for part in (self.history, self.validation)]
        return self._pairs(self.train), seen

    def _pairs(self, part: Part) -> tuple[Ints, Ints]:
        if not self.keeps_repeats:
            return part.user, part.item
        latest = latest_rows(part, self.n_items)
        return part.user[latest], part.item[latest]

    @cached_property
    def candidates(self) -> npt.NDArray[np.bool_]:
        """Whether an item occurs in training, so that it may be recommended; shape (n_items,)."""
        return self.train.items_occurring(self.n_items)

    @property
    def rankable(self) -> npt.NDArray[np.bool_]:
        """Whether an item may be recommended to those who have not seen it; shape (n_items,)."""
        return np.ones(self.n_items, dtype=bool) if self.unknown else self.candidates

    @cached_property
    def first_rows_of_histories(self) -> npt.NDArray[np.int64]:
        """The first row of each user in ``history``, and at the end the number of rows; shape (n_users + 1,)."""
        return np.searchsorted(self.history.user, np.arange(self.n_users + 1, dtype=np.int32)).astype(
            np.int64, copy=False
        )

    @cached_property
    def _seen(self) -> Seen:
        """What the users to recommend for have in their history or in validation."""
        if self._membership is None:
            return SeenParts([self.history, self.validation], self.n_users)
        numbers = [PARTS.index("train"), *([] if self.judged == VALIDATION else [PARTS.index("validation")])]
        return SeenRows(self._rows, self._membership, numbers)

    @cached_property
    def seen_counts(self) -> npt.NDArray[np.int64]:
        """The number of rows that each user has in history or validation, shape (n_users,)."""
        history, validation = (np.diff(part.first_rows(self.n_users)) for part in (self.history, self.validation))
        counts: npt.NDArray[np.int64] = history + validation
        return counts

    def seen_pairs(self) -> Iterator[tuple[Ints, Ints]]:
        """Yield user and item codes of history and validation, ascending by user, so many at a time as fit into memory."""
        return self._seen.pairs()

    @cached_property
    def seen_table(self) -> npt.NDArray[np.bool_]:
        """Whether each user has each item in history or validation, shape (n_users, n_items): of few users and items."""
        table = np.zeros((self.n_users, self.n_items), dtype=bool)
        for pairs in self.seen_pairs():
            table[pairs] = True
        return table

    def features(self, subject: str) -> FeatureTable | None:
        """Return what is known about the items or users of all folds; None for nothing.

        Args:
            subject: ``items`` or ``users``.

        Raises:
            ValueError: There are no other subjects.
        """
        return read_features(self.directory, subject)

    def seen(self, user: int) -> Ints:
        """Return the items that a user has in training or validation."""
        return self.seen_of(np.array([user], dtype=np.int32))[1]

    def seen_of(self, users: Ints) -> tuple[npt.NDArray[np.int64], Ints]:
        """Return what some users have in training or validation: pairs of a user's position among them and an item."""
        return self._seen.pairs_of(users)

    def masked(self, user: int) -> Ints:
        """Return the items that must not be recommended to a user because of what the user has seen."""
        return np.zeros(0, dtype=np.int32) if self.repeats else self.seen(user)

    def masked_pairs(self, users: Ints) -> tuple[npt.NDArray[np.int64], Ints]:
        """Return what must not be recommended because users have seen it, as pairs of a user's place and an item's code.

        Args:
            users: User codes, shape (b,).
        """
        if self.repeats:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32)
        return self._seen.pairs_of(users)

    def mask(self, users: Ints, scores: Scores) -> None:
        """Set the scores of items that must not be recommended to -inf, in place.

        These are the items that the user has in their history or validation, and items unknown in training, unless the
        fold allows them.

        Args:
            users: User codes, shape (b,).
            scores: Scores, shape (b, n_items), one row per user.
        """
        self._mark(users, scores, -np.inf)

    def block(self, users: Ints, is_blocked: npt.NDArray[np.bool_]) -> None:
        """Set whether items must not be recommended, in place, as ``mask`` does with scores; shape (b, n_items)."""
        is_blocked[:] = False
        self._mark(users, is_blocked, True)

    def _mark(self, users: Ints, table: npt.NDArray[Any], mark: float | bool) -> None:
        if len(self._unrankable):
            table[:, self._unrankable] = mark
        table[self.masked_pairs(users)] = mark

    @cached_property
    def _unrankable(self) -> npt.NDArray[np.intp]:
        """The items that may be recommended to nobody, ascending."""
        return np.flatnonzero(~self.rankable)


def recommendation_dtype(k: int, score: str = "<f4") -> np.dtype[np.void]:
    """Return the type of a recommendation file's row: a user, its k items, their k scores."""
    return np.dtype([("user", "<i4"), ("item", "<i4", (k,)), ("score", score, (k,))])


LIST_SCORE = "<f8"
"""The type of scores that float32 would round, and of those beside lists in an order of their own, where scores may tie."""

RATING_DTYPE = np.dtype([("user", "<i4"), ("item", "<i4"), ("rating", "<f4")])
"""The type of a rating-prediction file's row: a test pair and the predicted rating."""


_SMALL_BYTES = 1 << 16
"""Arrays of so many bytes are written in one piece."""


class _WriteOnlyFile:
    """A file that numpy writes to in Python: to a real one it writes in C, and ignores errors at the end."""

    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write


def save_array(path: str | Path, *arrays: npt.NDArray[Any]) -> None:
    """Write an array as ``.npy``, or several, one behind the other, of which ``np.load`` reads the first.

    Unlike ``np.save``, raise OSError when the end cannot be written.
    """
    with open(path, "wb") as file:
        for array in map(np.asanyarray, arrays):
            if array.nbytes <= _SMALL_BYTES and array.flags.c_contiguous and not array.dtype.hasobject:
                file.write(_header(array.shape, array.dtype) + array.tobytes())
            else:
                np.lib.format.write_array(_WriteOnlyFile(file), array, allow_pickle=False)


@lru_cache(maxsize=64)
def _header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """Return what stands before the values of an array by rows in its file: for few values it takes longer to make than all else."""
    file, array = io.BytesIO(), np.empty(shape, dtype)
    np.lib.format.write_array(file, array, allow_pickle=False)
    return file.getvalue()[: file.tell() - array.nbytes]
