"""Uncertainty of a mean over users: its standard error, and a confidence interval."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from omnibench.metrics.base import Values
from omnibench.statistics.means import interval_of_few

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

FEW = 50
"""The number of users below which the bootstrap's intervals are too narrow."""
REPLICATES = 1000
LEVEL = 0.95
_SEED = 20101
_BLOCK_SIZE = 1 << 20
"""Size of a block of replicates, in numbers."""
_CACHED_SIZE = 1 << 21
"""Size up to which all replicates are kept, in numbers, for the next item with as many users."""

Counts: TypeAlias = "npt.NDArray[np.float32]"


def standard_errors(per_user: Values) -> Values:
    """Return the standard error of the mean of each metric; NaN where fewer than two users count.

    Args:
        per_user: One row per metric, NaN for users who do not count; shape (metrics, n).
    """
    errors = np.full(len(per_user), np.nan)
    for index, row in enumerate(per_user):  # one at a time: all at once would take several times their memory
        values = row[~np.isnan(row)]
        if len(values) > 1:  # as `values.std(ddof=1)` does it, which takes several times as long for few users
            centred = values - values.sum() / len(values)
            errors[index] = math.sqrt((centred * centred).sum() / (len(values) - 1)) / math.sqrt(len(values))
    return errors


def mean_intervals(per_user: Values) -> Values:
    """Return the interval of each metric's mean, shape (metrics, 2); NaN where fewer than two users count.

    The level is 95 %. It is the bootstrap's, but that covers less than it says of fewer than 50 users; of these it is
    ``interval_of_few``.

    Args:
        per_user: One row per metric, NaN for users who do not count; shape (metrics, n).
    """
    if not per_user.size:
        return np.full((len(per_user), 2), np.nan)
    is_counted: npt.NDArray[np.bool_] = np.logical_not(np.isnan(per_user))
    counts = is_counted.sum(axis=1)
    many = counts >= FEW
    intervals = np.full((len(per_user), 2), np.nan)
    if many.any():
        chosen = slice(None) if many.all() else many  # a slice needs no memory
        intervals[many] = _bootstrap_intervals(per_user[chosen], is_counted[chosen])
    for index in np.flatnonzero(~many & (counts > 1)):
        intervals[index] = interval_of_few(per_user[index][is_counted[index]], 1 - LEVEL)
    return intervals


def _bootstrap_intervals(per_user: Values, is_counted: npt.NDArray[np.bool_]) -> Values:
    """Return the percentile interval of each metric's mean, shape (metrics, 2).

    Users are drawn with replacement, 1000 times, the same ones for all metrics and every time that there are as many of
    them: Efron & Tibshirani, "An introduction to the bootstrap", 1993, chapter 13.

    Args:
        per_user: One row per metric, shape (metrics, n).
        is_counted: Whether a user counts; each row has at least 50 who do.
    """
    some_missing = not is_counted.all()
    # Differences from the first value keep the sums small, so that single precision loses nothing that is shown.
    centre = np.array([row[present][0] for row, present in zip(per_user, is_counted, strict=True)])
    values = np.empty(per_user.shape, dtype=np.float32)
    for target, row, present, origin in zip(values, per_user, is_counted, centre, strict=True):
        target[:] = np.where(present, row - origin, 0.0)
    presence = is_counted.astype(np.float32).T if some_missing else None
    means = []
    for counts in _replicates(per_user.shape[1]):
        sample_sizes = np.float32(per_user.shape[1]) if presence is None else counts @ presence
        with np.errstate(invalid="ignore"):
            means.append((counts @ values.T) / sample_sizes)
        del counts  # before the next block is drawn
    tail = (1 - LEVEL) / 2
    with np.errstate(invalid="ignore"):
        quantiles = np.nanquantile(np.concatenate(means).astype(np.float64), [tail, 1 - tail], axis=0).T
    intervals: Values = quantiles + centre[:, None]
    return intervals


def _replicates(users: int) -> Iterator[Counts]:
    """Yield blocks of replicates: how often each user is drawn, shape (replicates of the block, users)."""
    if users * REPLICATES <= _CACHED_SIZE:
        yield _remembered(users)
        return
    generator = np.random.default_rng(_SEED)
    step = max(1, _BLOCK_SIZE // users)
    for begin in range(0, REPLICATES, step):
        yield _draw(generator, min(step, REPLICATES - begin), users)


@lru_cache(maxsize=4)
def _remembered(users: int) -> Counts:
    return _draw(np.random.default_rng(_SEED), REPLICATES, users)


def _draw(generator: np.random.Generator, replicates: int, users: int) -> Counts:
    counts = np.empty((replicates, users), dtype=np.float32)
    for row in counts:
        row[:] = np.bincount(generator.integers(0, users, users), minlength=users)
    return counts
