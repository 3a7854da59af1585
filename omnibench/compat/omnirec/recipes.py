"""Sources and steps that omnibench's recipes need to follow OmniRec: numbered ids, parts that are given, its threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from omnibench.compat.omnirec.data_variants import PARTS, FoldedData, RawData, SplitData
from omnibench.data.dataset import RecSysDataSet, Source
from omnibench.data.digests import table_digest
from omnibench.data.from_frame import from_frame
from omnibench.data.interactions import COLUMNS, Interactions
from omnibench.data.parts import Parts, Split
from omnibench.data.preprocess import MakeImplicit
from omnibench.errors import DataError
from omnibench.guest.distinct import distinct

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class NumberedSource:
    """A source whose users and items go by numbers from 0, in the order in which they first appear."""

    source: Source

    @property
    def columns(self) -> tuple[str, ...]:
        return self.source.columns

    @property
    def fingerprint(self) -> Any:
        return ["numbered", self.source.fingerprint]

    def load(self) -> Interactions:
        rows = self.source.load()
        return replace(rows, user_ids=range(len(rows.user_ids)), item_ids=range(len(rows.item_ids)))


@dataclass(frozen=True)
class DerivedSource:
    """What a recipe leaves, as the source of another one with another seed."""

    dataset: RecSysDataSet

    @property
    def columns(self) -> tuple[str, ...]:
        implicit = self.dataset.feedback == "implicit"
        return tuple(name for name in self.dataset.source.columns if not (implicit and name == "rating"))

    @property
    def fingerprint(self) -> Any:
        return ["derived", self.dataset.identity]

    def load(self) -> Interactions:
        return self.dataset.interactions()


@dataclass(frozen=True)
class MakeImplicitByFraction(MakeImplicit):
    """Keep what is rated at least a fraction of the highest rating, as OmniRec counts it, and drop the ratings.

    The limit is ``round(fraction * (|highest| + |lowest|)) - |lowest|``: 2 of 1 to 5 stars for 0.5, where
    ``omnibench.MakeImplicit`` takes the middle of the range, 3.
    """

    def apply(self, interactions: Interactions, seed: int, position: int) -> Interactions:
        rating = interactions.rating
        if rating is None or len(rating) == 0:
            return interactions
        lowest, highest = abs(float(rating.min())), abs(float(rating.max()))
        limit = round((highest + lowest) * self.threshold) - lowest
        return replace(interactions, rating=None).take(rating >= limit)


@dataclass(frozen=True, init=False, repr=False, eq=False)
class GivenSplit(Split):
    """Parts that somebody else made, e.g. those of an ``.rsds`` file.

    Args:
        folds: The parts of each fold.
        single: Whether this is one split and no cross-validation.
    """

    version: ClassVar[int] = 1

    pairs: Sequence[Mapping[str, pd.DataFrame]]
    digest: str
    single: bool

    def __init__(self, folds: Sequence[SplitData], *, single: bool) -> None:
        pairs = [{name: _pairs(frame, name) for name, frame in fold.iter_splits()} for fold in folds]
        digests = [table_digest(_columns(frame)) for fold in pairs for frame in fold.values()]
        for name, value in (("pairs", pairs), ("digest", "/".join(digests)), ("single", single)):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"GivenSplit({'parts' if self.single else f'{len(self.pairs)} folds'})"

    @property
    def identity(self) -> list[object]:
        return ["GivenSplit", self.version, {"parts": self.digest, "single": self.single}]

    @property
    def folds(self) -> int | None:
        return None if self.single else len(self.pairs)

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
        import pandas as pd

        rows = pd.MultiIndex.from_frame(interactions.frame()[["user", "item"]])
        every_part = []
        for fold in self.pairs:
            parts = [np.flatnonzero(rows.isin(pd.MultiIndex.from_frame(fold[name]))) for name in PARTS]
            shared = sum(map(len, parts)) - len(distinct(np.concatenate(parts)))
            if shared:
                raise DataError(
                    f"{shared} pairs of user and item lie in two parts of one split; a pair must lie in one."
                )
            if len(parts[0]) == 0 or len(parts[2]) == 0:
                raise DataError("a split that was given has no interaction in training or in test; both need some.")
            every_part.append(Parts(*parts))
        return every_part


def _pairs(frame: pd.DataFrame, part: str) -> pd.DataFrame:
    """Return the pairs of user and item of a part, which may be empty and then lack the columns."""
    if len(frame) and not {"user", "item"} <= set(frame.columns):
        raise DataError(f"the part {part!r} of a split has the columns {list(frame.columns)}; it needs user and item.")
    return frame.reindex(columns=["user", "item"])


def _columns(frame: pd.DataFrame) -> dict[str, Any]:
    return {name: frame[name] for name in COLUMNS if name in frame.columns}


def digest_of(data: RawData | SplitData | FoldedData) -> str:
    """Return a digest of the content of all frames, by which a change is noticed."""
    return "/".join(table_digest(_columns(frame)) if len(frame.columns) else "" for _, frame in frames_of(data))


def frames_of(data: RawData | SplitData | FoldedData) -> list[tuple[str, pd.DataFrame]]:
    """Return every frame with its name: ``raw``, ``train``, ``validation``, ``test``, or these behind ``fold_0/``."""
    if isinstance(data, RawData):
        return [("raw", data.df)]
    if isinstance(data, SplitData):
        return [("validation" if name == "val" else name, frame) for name, frame in data.iter_splits()]
    if isinstance(data, FoldedData):
        return [
            (f"fold_{number}/{name}", frame) for number, fold in data.folds.items() for name, frame in frames_of(fold)
        ]
    raise DataError(f"{data!r} is no data of a dataset; give RawData(df), SplitData(train, val, test) or FoldedData.")


def recipe_of(data: RawData | SplitData | FoldedData, name: str) -> RecSysDataSet:
    """Return omnibench's dataset of frames.

    Raises:
        DataError: The frames lack a column, or folds disagree about the rating or time of a pair.
    """
    import pandas as pd

    if isinstance(data, RawData):
        return from_frame(data.df, name)
    folds = [data] if isinstance(data, SplitData) else [data.folds[number] for number in sorted(data.folds)]
    parts = [frame for fold in folds for _, frame in fold.iter_splits() if len(frame)]
    if not parts:
        raise DataError(f"{name} has no interactions.")
    rows = pd.concat(parts, ignore_index=True)
    rows = rows[[column for column in COLUMNS if column in rows.columns]].drop_duplicates()
    if not isinstance(data, SplitData) and rows.duplicated(["user", "item"]).any():
        raise DataError(
            f"{name}: folds disagree about the rating or time of the same pair of user and item. Make one dataset of "
            "each fold, as SplitData, and run them together."
        )
    return from_frame(rows, name).pipe(GivenSplit(folds, single=isinstance(data, SplitData)))
