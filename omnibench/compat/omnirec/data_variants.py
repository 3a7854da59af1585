"""The three forms in which a dataset's frames come: raw, split, folded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, TypeAlias, TypedDict

from omnibench.errors import DataError, nearest

if TYPE_CHECKING:
    import pandas as pd

Part: TypeAlias = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")


class DataVariant:
    """Base of the forms in which a dataset's frames come."""


@dataclass
class RawData(DataVariant):
    """All interactions as one frame."""

    df: pd.DataFrame


@dataclass
class SplitData(DataVariant):
    """The three parts of a split."""

    train: pd.DataFrame
    val: pd.DataFrame
    test: pd.DataFrame

    def get(self, split: Part) -> pd.DataFrame:
        """Return a part by name.

        Args:
            split: ``train``, ``val`` or ``test``.

        Raises:
            DataError: It is none of these.
        """
        if split not in PARTS:
            raise DataError(f"a split has no part {split!r}{nearest(split, PARTS) or '.'} It has {', '.join(PARTS)}.")
        part: pd.DataFrame = getattr(self, split)
        return part

    def iter_splits(self) -> Iterator[tuple[Part, pd.DataFrame]]:
        """Yield each part with its name."""
        for name in PARTS:
            yield name, self.get(name)


class SplitDataDict(TypedDict, total=False):
    """The parts of a split as a dictionary."""

    train: pd.DataFrame
    val: pd.DataFrame
    test: pd.DataFrame


@dataclass
class FoldedData(DataVariant):
    """The parts of each fold, by fold number."""

    folds: dict[int, SplitData]

    @classmethod
    def from_split_dict(cls, raw: Mapping[int, SplitDataDict]) -> Self:
        """Return folds of dictionaries with the parts ``train``, ``val`` and ``test``."""
        return cls({number: SplitData(**parts) for number, parts in raw.items()})
