"""Texts and lists of texts as positions in the list of their different texts, which is in alphabetical order."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omnibench.guest.feature_types import NO_TEXT

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np


@dataclass(frozen=True, slots=True)
class TextEntries:
    """A text a row.

    Attributes:
        positions: int32 positions in ``texts``, -1 for what is missing; shape (rows,).
        texts: The different texts, in alphabetical order.
    """

    positions: npt.NDArray[np.int32]
    texts: Sequence[str]

    @classmethod
    def of(cls, codes: npt.NDArray[Any], texts: Sequence[str]) -> TextEntries:
        """Return texts by their codes, of which some may be missing (-1) or empty, which is missing, too.

        Args:
            codes: Positions in the texts, shape (rows,).
            texts: Different texts, in any order; some may have no row.
        """
        occurs = np.bincount(codes[codes >= 0], minlength=len(texts)) > 0
        ordered = sorted(position for position, text in enumerate(texts) if text and occurs[position])
        ordered.sort(key=texts.__getitem__)
        new = np.full(len(texts) + 1, NO_TEXT, dtype=np.int32)
        new[ordered] = np.arange(len(ordered), dtype=np.int32)
        return cls(new[codes], [str.__str__(texts[position]) for position in ordered])

    def select(self, rows: npt.NDArray[np.int64]) -> TextEntries:
        """Return some rows, of which -1 is one without a text."""
        return TextEntries.of(np.append(self.positions, np.int32(NO_TEXT))[rows], self.texts)

    def decoded(self) -> list[str | None]:
        """Return the texts, None for what is missing."""
        table: list[str | None] = [*self.texts, None]
        return [table[position] for position in self.positions.tolist()]


@dataclass(frozen=True, slots=True)
class ListEntries:
    """A list of texts a row, one behind the other.

    Attributes:
        first: Where each list begins, int64, shape (rows + 1,).
        members: The texts in the lists; the only member of a list that is missing is missing.
    """

    first: npt.NDArray[np.int64]
    members: TextEntries

    @classmethod
    def of(cls, lists: Sequence[Sequence[str] | None]) -> ListEntries:
        """Return lists of texts, None for what is missing."""
        import pandas as pd

        sizes = np.fromiter((1 if members is None else len(members) for members in lists), np.int64, len(lists))
        flat = np.empty(int(sizes.sum()), dtype=object)
        flat[:] = list(itertools.chain.from_iterable([None] if members is None else members for members in lists))
        codes, texts = pd.factorize(flat)
        return cls(_beginnings(sizes), TextEntries.of(codes, list(texts)))

    def select(self, rows: npt.NDArray[np.int64]) -> ListEntries:
        """Return some rows, of which -1 is one without a list."""
        sizes = np.append(np.diff(self.first), 1)[rows]
        begins = np.append(self.first[:-1], self.first[-1])[rows]  # behind all members stands the missing one
        first = _beginnings(sizes)
        positions = np.append(self.members.positions, np.int32(NO_TEXT))
        members = positions[np.repeat(begins - first[:-1], sizes) + np.arange(first[-1])]
        return ListEntries(first, TextEntries.of(members, self.members.texts))

    def decoded(self) -> list[list[str] | None]:
        """Return the lists, None for what is missing."""
        members, bounds = self.members.decoded(), self.first.tolist()
        lists: list[Any] = [members[begin:end] for begin, end in itertools.pairwise(bounds)]
        return [None if texts == [None] else texts for texts in lists]


def _beginnings(sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes)])
