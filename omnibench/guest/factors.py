"""Scores that are products of users' and items' factors: multiplied by tiles of items, of which only the best are kept.

A tile of scores stays in the processor's cache while it is masked and cut, so that the scores of all items are never
written to memory, nor read from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .candidates import CandidateSets
from .folds import NO_ITEM, Fold, Scores
from .parts import Ints
from .score_forms import SparseScores
from .screening import RoughFactors, Screen
from .tiles import BestOfTiles

_USERS = 1024
"""Users whose factors are multiplied together: with fewer, BLAS copies the items' factors too often."""
_TILE = 1536
"""Items whose factors are multiplied together: so many scores of so many users fit into the cache of a processor, and rows
of tiles that do not begin at multiples of the size of a memory page fit better."""
_PAIRS = 1 << 15
"""Pairs of users and candidates whose factors are gathered together: each pair has copies of both."""
_FEW = 8
"""Items for each user up to which scoring them by themselves costs less than the tile that they are in."""
_IN_VAIN = 2
"""Tiles of which half the precision may tell too little, or half of all tiles, before it is given up."""
_DOUBTFUL = 2
"""Of so many groups of users one may have to be multiplied again, all items, before it is given up."""
Factors = Any
"""Factors of shape (n, d): an array of numpy, or a tensor of PyTorch on the CPU, which multiplies in its own way."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemFactors:
    """What a model has learned of its items.

    Attributes:
        factor: The items' factors, shape (n, d).
        code: Their item codes, int32, ascending in each tile; items that may be recommended to nobody need not be among them.
        bias: What is added to an item's scores, shape (n,); None for nothing.
        zero_is_none: Whether a score of exactly zero stands for no score.
        link: What the sums are turned into, in place, such as a probability; None for nothing.
        rough: The same in half the precision, where that tells which few items have to be multiplied in full.
        is_split: Whether items of the same length and bias are in another tile, shape (n,); None where no item has any. Those
            may have the same factors, and score the same for everybody.
    """

    factor: Factors
    code: Ints
    bias: npt.NDArray[Any] | None = None
    zero_is_none: bool = False
    link: Callable[[Scores], object] | None = None
    rough: RoughFactors | None = None
    is_split: npt.NDArray[np.bool_] | None = None

    @classmethod
    def of(
        cls,
        factor: Factors,
        code: npt.NDArray[np.integer[Any]],
        fold: Fold,
        bias: npt.NDArray[Any] | None = None,
        *,
        zero_is_none: bool = False,
        link: Callable[[Scores], object] | None = None,
    ) -> ItemFactors:
        """Take the items that occur in training. Those that can score most come first: then few others reach their scores.

        Args:
            factor: The factors of all items of the model, shape (m, d).
            code: Their codes, in any order, shape (m,).
            fold: The fold.
            bias: As above, shape (m,).
            zero_is_none: As above.
            link: As above.
        """
        highest = np.linalg.norm(np.asarray(factor), axis=1) + (0 if bias is None else bias)
        order = np.argsort(-highest, kind="stable")
        order = order[fold.candidates[code[order]]]
        firsts = np.arange(_TILE, len(order), _TILE)
        shared = highest[order[firsts]][highest[order[firsts]] == highest[order[firsts - 1]]]
        tiles = [order[first : first + _TILE] for first in range(0, len(order), _TILE)]
        order = np.concatenate([order[:0], *(tile[np.argsort(code[tile], kind="stable")] for tile in tiles)])
        bias, factor = None if bias is None else bias[order], factor[order]
        rough = None if link is not None else RoughFactors.of(factor, bias, _TILE)
        is_split = np.isin(highest[order], shared) if len(shared) else None
        return cls(factor, np.asarray(code[order], dtype=np.int32), bias, zero_is_none, link, rough, is_split)


@dataclass(frozen=True, slots=True, eq=False)
class FactorScores:
    """The scores of a batch of users as products of factors, in the factors' precision.

    Attributes:
        user: The users' factors, shape (b, d); of the same library as the items'.
        items: The items' factors.
        is_scored: Whether a user has any, shape (b,); others have no scores.
        bias: What is added to a user's scores, shape (b,); None for nothing.
    """

    user: Factors
    items: ItemFactors
    is_scored: npt.NDArray[np.bool_]
    bias: npt.NDArray[Any] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of users."""
        return self.is_scored.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the scores."""
        return np.asarray(self.user[:0]).dtype

    def lists(
        self, fold: Fold, users: Ints, k: int, candidates: CandidateSets | None
    ) -> Iterator[tuple[slice, Ints, Scores]]:
        """Yield the rows of the batch that come together, their k best items and the items' scores, as ``top_k``.

        Args:
            fold: The fold.
            users: The codes of the batch's users, shape (b,).
            k: The length of the lists.
            candidates: What may be recommended, where not all unseen items may.
        """
        column = np.full(fold.n_items, -1, dtype=np.int32)
        column[self.items.code] = np.arange(len(self.items.code))
        rough, n_doubtful = self.items.rough, 0
        if len(self.items.code) <= _TILE:  # which is multiplied in full
            rough = None
        for n_before, start in enumerate(range(0, len(users), _USERS)):
            rows = slice(start, min(start + _USERS, len(users)))
            if candidates is None:
                seen = _SeenByTile.of(fold, users[rows], column, len(self.items.code))
                screen = None if rough is None else Screen.of(rough, self.user[rows], self._width)
                items, scores, is_paired, is_of_use = self._best(rows, k, seen, screen)
                if rough is not None and self._is_any_doubtful(rows, rough, column, items, scores, is_paired):
                    # Of all of these users: BLAS rounds the same factors otherwise among others' factors.
                    items, scores, *_ = self._best(rows, k, seen)
                    n_doubtful += 1
                    is_of_use = is_of_use and (n_doubtful - 1) * _DOUBTFUL <= n_before
                if not is_of_use:  # what does not tell some users' items apart does not tell others'
                    rough = None
            else:
                items, scores = self._best_candidates(fold, users, rows, k, column, candidates)
            items[~self.is_scored[rows]], scores[~self.is_scored[rows]] = NO_ITEM, 0
            yield rows, items, scores

    def _best(
        self, rows: slice, k: int, seen: _SeenByTile, screen: Screen | None = None
    ) -> tuple[Ints, Scores, npt.NDArray[np.bool_], bool]:
        """Return the k best items of some users, of all that they have not seen.

        The first tile is multiplied in full: as it has the items that can score most, its k best leave few of other tiles.

        Args:
            rows: The users.
            k: The length of the lists.
            seen: What they have seen.
            screen: What tells which items of other tiles have to be multiplied in full; None to multiply all.

        Returns:
            The items, their scores, who has any whose scores are of pairs, and whether half the precision told enough apart.
        """
        n_users, n_in_vain = rows.stop - rows.start, 0
        best = BestOfTiles(n_users, k, self._width, self.dtype)
        is_paired = np.zeros(n_users, dtype=bool)
        bias = None if self.bias is None else self.bias[rows]
        for number, columns in enumerate(self._tiles()):
            codes = self.items.code[columns]
            if screen is not None and number > 0:
                best.settle_if_due()
                row, place = screen.reaching(number, columns, seen.of_tile(number), best.bounds, bias)
                if len(row) <= _FEW * n_users:
                    is_paired[row] = True
                    scores = self._scores_of_pairs(rows, row, columns.start + place)
                    is_any = scores > -np.inf  # a score of zero may be none
                    best.take(row[is_any], codes[place[is_any]], scores[is_any])
                    continue
                n_in_vain += 1
                if n_in_vain > max(_IN_VAIN, number // 2):
                    screen = None
            self._multiply(rows, columns, best.tile.table(len(codes)))
            best.tile.block(*seen.of_tile(number))
            best.add(codes)
        return *best.result(), is_paired, screen is not None

    def _is_any_doubtful(
        self,
        rows: slice,
        rough: RoughFactors,
        column: Ints,
        items: Ints,
        scores: Scores,
        is_paired: npt.NDArray[np.bool_],
    ) -> bool:
        """Return whether any of some users' lists might be others if all items were multiplied as those of a tile are.

        Scores of tiles and of pairs are rounded in different ways. So ties with equal items of another tile might not be seen;
        and where a score of zero is none, one of them might be zero and the other not, which matters to lists that are short, or
        end close to zero. Different items whose scores tie for one user are in either order, as they are with another order of
        additions.

        Args:
            rows: The users.
            rough: The items' factors in half the precision.
            column: The position of each item's factors, -1 for none; shape (fold.n_items,).
            items: Their lists, shape (users, k).
            scores: The scores of these.
            is_paired: Whose lists were made of scores of pairs as well, shape (users,); those of others are as good as any.
        """
        user = np.asarray(self.user[rows])
        is_paired = is_paired & self.is_scored[rows] & user.any(axis=1)  # nothing is rounded in products of zeros
        if not is_paired.any() or items.shape[1] == 0:
            return False
        if (
            self.items.is_split is not None
            and (self.items.is_split[column[items]] & (items != NO_ITEM))[is_paired].any()
        ):
            return True
        if not self.items.zero_is_none:
            return False
        bias = None if self.bias is None else self.bias[rows]
        is_close = scores[:, -1] <= rough.rounding_of(user, bias)
        return bool((is_close & is_paired).any())

    @property
    def _width(self) -> int:
        """The number of items of the widest tile."""
        return min(_TILE, len(self.items.code))

    def _tiles(self) -> Iterator[slice]:
        """Yield the items that are multiplied together."""
        n_items = len(self.items.code)
        for first in range(0, n_items, _TILE):
            yield slice(first, min(first + _TILE, n_items))

    def _multiply(self, rows: slice, columns: slice, out: Scores) -> None:
        """Write the scores of some users for a tile of items."""
        user, item = self.user[rows], self.items.factor[columns]
        if isinstance(user, np.ndarray):
            np.matmul(user, item.T, out=out)
        else:
            import torch

            torch.mm(user, item.T, out=torch.from_numpy(out))
        if self.items.bias is not None:
            out += self.items.bias[columns]
        if self.bias is not None:
            out += self.bias[rows, None]
        if self.items.link is not None:
            self.items.link(out)
        if self.items.zero_is_none:
            out[out == 0] = -np.inf

    def _best_candidates(
        self, fold: Fold, users: Ints, rows: slice, k: int, column: Ints, candidates: CandidateSets
    ) -> tuple[Ints, Scores]:
        """Return the k best candidates of some users; only theirs are multiplied."""
        is_blocked = np.empty((rows.stop - rows.start, fold.n_items), dtype=bool)
        fold.block(users[rows], is_blocked)
        row, item = candidates.pairs_of(users[rows])
        has_factors = column[item] >= 0
        row, item = row[has_factors], item[has_factors]
        scores = self._scores_of_pairs(rows, row, column[item])
        starts = np.searchsorted(row, np.arange(len(is_blocked) + 1))
        return SparseScores(starts, item, scores).top_k(0, is_blocked, k)

    def _scores_of_pairs(self, rows: slice, row: npt.NDArray[np.int64], column: Ints) -> npt.NDArray[Any]:
        """Return the scores of pairs of users, by their position among some, and of items, by their factors' position."""
        factors = [np.asarray(factor) for factor in (self.user[rows], self.items.factor)]
        scores = np.empty(len(row), dtype=self.dtype)
        for start in range(0, len(row), _PAIRS):
            pairs = slice(start, start + _PAIRS)
            np.einsum("ij,ij->i", factors[0][row[pairs]], factors[1][column[pairs]], out=scores[pairs])
        if self.items.bias is not None:
            scores += self.items.bias[column]
        if self.bias is not None:
            scores += self.bias[rows][row]
        if self.items.link is not None:
            self.items.link(scores)
        if self.items.zero_is_none:
            scores[scores == 0] = -np.inf
        return scores


@dataclass(frozen=True, slots=True, eq=False)
class _SeenByTile:
    """What some users must not get because they have seen it, tile by tile.

    Attributes:
        row: The user's position, ascending by tile; shape (m,).
        within: The item's position in its tile, shape (m,).
        ends: The first entry of each tile, and the end.
    """

    row: npt.NDArray[np.int64]
    within: npt.NDArray[np.integer[Any]]
    ends: npt.NDArray[np.int64]

    @classmethod
    def of(cls, fold: Fold, users: Ints, column: Ints, n_items: int) -> _SeenByTile:
        """Look up what users have seen.

        Args:
            fold: The fold.
            users: User codes, shape (b,).
            column: The position of each item's factors, -1 for none; shape (fold.n_items,).
            n_items: How many items have factors.
        """
        row, item = fold.masked_pairs(users)
        seen = column[item]
        row, seen = row[seen >= 0], seen[seen >= 0]  # the others have no factors
        tile, within = np.divmod(seen, _TILE)
        order = np.argsort(tile.astype(np.int16), kind="stable")
        ends = np.cumsum(np.bincount(tile + 1, minlength=1 + -(-n_items // _TILE)))
        return cls(row[order], within[order], ends)

    def of_tile(self, tile: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.integer[Any]]]:
        """Return whose scores of which items of a tile do not count, by their places."""
        masked = slice(self.ends[tile], self.ends[tile + 1])
        return self.row[masked], self.within[masked]
