"""Parts that somebody else has made: a dataset whose training, validation and test rows are given, fold by fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.data.dataset import RecSysDataSet
from omnibench.data.digests import table_digest
from omnibench.data.frame_source import FrameSource
from omnibench.data.interactions import Interactions
from omnibench.data.membership import TEST, TRAIN, VALIDATION
from omnibench.data.parts import Parts, Split
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
else:
    from omnibench.lazy import np


class GivenParts(NamedTuple):
    """The parts of a fold, as frames with the columns user and item, and timestamp where there are times."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame


@dataclass(frozen=True)
class GivenSplit(Split):
    """The split that consists of given parts; what is in each of them is in the key.

    Args:
        digest: The digest of all parts.
        number: The number of folds, or None for a single split.
        assignments: Of each fold, a part's number by the texts of user and item.
    """

    digest: str
    number: int | None
    assignments: tuple[dict[tuple[str, str], int], ...] = field(repr=False, compare=False)

    @property
    def folds(self) -> int | None:
        return self.number

    @property
    def validates(self) -> bool:
        return any(VALIDATION in assignment.values() for assignment in self.assignments)

    @property
    def identity(self) -> list[object]:
        return [type(self).__name__, self.version, {"digest": self.digest, "number": self.number}]

    def split(self, interactions: Interactions, seed: int, position: int) -> list[Parts]:
        frame = interactions.frame()
        pairs = list(zip(frame["user"].astype(str), frame["item"].astype(str), strict=True))
        folds = []
        for assignment in self.assignments:
            parts = np.array([assignment[pair] for pair in pairs])
            folds.append(Parts(*(np.flatnonzero(parts == part) for part in (TRAIN, VALIDATION, TEST))))
        return folds


def dataset_of_parts(folds: Sequence[GivenParts], name: str, *, folded: bool) -> RecSysDataSet:
    """Return the dataset that has given parts; ratings are left out, so it is one for recommendations.

    Args:
        folds: The parts of each fold; of a single split, of the only one.
        name: What to call the dataset.
        folded: Whether these are folds, and no single split.

    Raises:
        DataError: Folds have different interactions, or an interaction is in two parts of one.
    """
    import pandas as pd

    tables = []
    for fold in folds:
        parts = [part.assign(part=number) for number, part in enumerate(fold)]
        table = pd.concat(parts, ignore_index=True)
        doubled = table.groupby(["user", "item"])["part"].nunique()
        if (doubled > 1).any():
            user, item = doubled.index[doubled > 1][0]
            raise DataError(f"{name}: user {user!r} has item {item!r} in two parts of one fold, so it was no split.")
        tables.append(
            table.drop_duplicates(["user", "item"], keep="last").sort_values(["user", "item"], ignore_index=True)
        )
    for table in tables[1:]:
        if not table[["user", "item"]].equals(tables[0][["user", "item"]]):
            raise DataError(f"{name}: its folds do not have the same interactions.")
    digest = table_digest(
        {"user": tables[0]["user"], "item": tables[0]["item"]}
        | {f"fold_{number}": table["part"] for number, table in enumerate(tables)}
    )
    assignments: tuple[dict[tuple[str, str], int], ...] = tuple(
        dict(
            zip(
                zip(table["user"].astype(str), table["item"].astype(str), strict=True),
                table["part"].tolist(),
                strict=True,
            )
        )
        for table in tables
    )
    columns = [column for column in ("user", "item", "timestamp") if column in tables[0].columns]
    source: Any = FrameSource(tables[0][columns], name)
    return RecSysDataSet(source, name, (GivenSplit(digest, len(folds) if folded else None, assignments),))
