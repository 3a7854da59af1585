"""What is in a dataset, in figures: sizes, density, activity, popularity, concentration, ratings, time span, repeats."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omnibench.data.doubts import Doubt, Frequencies, doubts, typical_moment
from omnibench.data.interactions import Interactions
from omnibench.data.order import counts
from omnibench.data.time_units import PER_SECOND, unit_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The shares of users, items or ratings whose quantiles are described."""

_MOST_VALUES = 11
"""Of ratings with more different values, such as counts of plays, only quantiles are described."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How numbers are spread.

    Attributes:
        least: The least of them.
        most: The largest.
        mean: Their mean.
        quantiles: By a share, the least number that at least this share of them does not exceed.
    """

    least: float
    most: float
    mean: float
    quantiles: Mapping[float, float]


@dataclass(frozen=True, slots=True)
class Side:
    """Users or items by their interactions.

    Attributes:
        count: How many have any.
        spread: Of their numbers of interactions.
        gini: Of these numbers: 0 where all are equal, near 1 where few have nearly all.
        single: How many have one interaction only.
    """

    count: int
    spread: Spread
    gini: float
    single: int


@dataclass(frozen=True, slots=True)
class RatingFigures:
    """The ratings of a dataset.

    Attributes:
        spread: Of their values.
        frequencies: How often each value occurs, ascending; empty where there are many.
    """

    spread: Spread
    frequencies: Mapping[float, int]


@dataclass(frozen=True, slots=True)
class TimeFigures:
    """The timestamps of a dataset.

    Attributes:
        first: The first one, in ``unit`` since 1970.
        last: The last one.
        unit: What they look like: ``seconds``, ``milliseconds``, ...; the interactions keep them as they are.
        moments: How many different ones there are.
    """

    first: int
    last: int
    unit: str
    moments: int

    @property
    def days(self) -> float:
        """The days between the first and the last one."""
        return (self.last - self.first) / PER_SECOND[self.unit] / 86_400

    def date(self, timestamp: int) -> str:
        """Return a timestamp as a date in UTC, ``YYYY-MM-DD``; as it is where it is of no such date."""
        try:
            return str(dt.datetime.fromtimestamp(timestamp // PER_SECOND[self.unit], dt.UTC).date())
        except (OverflowError, ValueError, OSError):
            return str(timestamp)


@dataclass(frozen=True, slots=True)
class Description:
    """What is in a dataset.

    Attributes:
        interactions: Rows.
        repeated: Rows whose pair of a user and an item occurs in a row before.
        users: The users.
        items: The items.
        ratings: None where there are none.
        times: None where there are none.
        doubts: What looks like a code for a missing value, or otherwise not like what it should be.
    """

    interactions: int
    repeated: int
    users: Side
    items: Side
    ratings: RatingFigures | None
    times: TimeFigures | None
    doubts: tuple[Doubt, ...]

    @property
    def pairs(self) -> int:
        """Different pairs of a user and an item."""
        return self.interactions - self.repeated

    @property
    def density(self) -> float:
        """The share of all pairs of a user and an item that have interactions."""
        return self.pairs / (self.users.count * self.items.count)


def describe(rows: Interactions) -> Description:
    """Describe interactions.

    Args:
        rows: At least one, in any order, repeated pairs included.
    """
    by_user, by_item = counts(rows.user, len(rows.user_ids)), counts(rows.item, len(rows.item_ids))
    ratings = None if rows.rating is None else _frequencies(rows.rating)
    return Description(
        interactions=len(rows),
        repeated=len(rows) - _different_pairs(rows),
        users=_side(by_user[by_user > 0]),
        items=_side(by_item[by_item > 0]),
        ratings=None if ratings is None else _ratings(*ratings),
        times=None if rows.timestamp is None else _times(rows.timestamp),
        doubts=tuple(doubts(rows, by_user, by_item, ratings)),
    )


def _different_pairs(rows: Interactions) -> int:
    pairs = rows.user.astype(np.int64)
    pairs *= len(rows.item_ids)
    pairs += rows.item
    pairs.sort()
    return 1 + int(np.count_nonzero(pairs[1:] != pairs[:-1]))


def _frequencies(ratings: npt.NDArray[np.float32]) -> Frequencies:
    """Return the different values, ascending, and how often each occurs; hashed, since most ratings are of a few values."""
    import pandas as pd

    series: Any = pd.Series(ratings).value_counts(sort=False).sort_index()
    return series.index.to_numpy(), series.to_numpy()


def gini(numbers: npt.NDArray[np.int64]) -> float:
    """Return the Gini coefficient of counts: 0 where all are equal, ``1 - 1/n`` where one of n has everything.

    ``sum((2 i - n - 1) x_i) / (n sum(x))`` over the ascending counts, as Wikipedia's "Gini coefficient" has it.

    Args:
        numbers: At least one, not all zero; shape (n,).
    """
    ascending = np.sort(numbers).astype(np.float64)
    n = len(ascending)
    weights = 2.0 * np.arange(1, n + 1) - n - 1
    return float((weights * ascending).sum() / (n * ascending.sum()))


def _side(numbers: npt.NDArray[np.int64]) -> Side:
    spread = _spread(*np.unique(numbers, return_counts=True))
    return Side(len(numbers), spread, gini(numbers), int((numbers == 1).sum()))


def _spread(values: npt.NDArray[Any], frequencies: npt.NDArray[np.int64]) -> Spread:
    """Return how numbers are spread.

    Args:
        values: The different ones, ascending; shape (n,).
        frequencies: How often each occurs; shape (n,).
    """
    below = np.cumsum(frequencies)
    ranks = np.ceil(np.array(QUANTILES) * below[-1])
    quantiles = values[np.searchsorted(below, ranks)]
    return Spread(
        float(values[0]),
        float(values[-1]),
        float((values * frequencies).sum() / below[-1]),
        dict(zip(QUANTILES, quantiles.tolist(), strict=True)),
    )


def _ratings(values: npt.NDArray[np.float32], frequencies: npt.NDArray[np.int64]) -> RatingFigures:
    decimals = [float(str(value)) for value in values[: _MOST_VALUES + 1]]  # 3.3 and not 3.299999952316284
    few = dict(zip(decimals, frequencies.tolist(), strict=True)) if len(values) <= _MOST_VALUES else {}
    return RatingFigures(_spread(values.astype(np.float64), frequencies), few)


def _times(timestamp: npt.NDArray[np.int64]) -> TimeFigures:
    import pandas as pd

    unit = unit_of(abs(typical_moment(timestamp))).name
    moments = len(pd.unique(timestamp))
    return TimeFigures(int(timestamp.min()), int(timestamp.max()), unit, moments)
