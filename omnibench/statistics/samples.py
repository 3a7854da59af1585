"""Samples: the values of a metric that a test compares, one per user or fold."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from omnibench.errors import StatisticsError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

Sample: TypeAlias = "npt.NDArray[np.float64]"
"""One value per user or fold; shape (n,)."""

_NOISE = 1e-12
"""Differences that vary by less than this share of the values are equal but for their last bits."""


def checked_sample(values: npt.ArrayLike, which: str) -> Sample:
    """Check values and return them as a sample.

    Args:
        values: The values, shape (n,), n at least 1.
        which: The name of the values in messages, e.g. ``first``.

    Returns:
        The values as float64, shape (n,).

    Raises:
        StatisticsError: They are not numbers, have another shape, or one of them is not finite.
    """
    sample = _numbers(values, which)
    if sample.ndim != 1 or len(sample) == 0:
        raise StatisticsError(f"the {which} values have the shape {sample.shape}; give one value per pair, shape (n,).")
    if not np.isfinite(sample).all():
        wrong = np.flatnonzero(~np.isfinite(sample))
        raise StatisticsError(
            f"{len(wrong)} of the {which} values are not finite, the first is number {wrong[0]} ({sample[wrong[0]]}); "
            "leave these pairs out of both."
        )
    return sample


def checked_seed_samples(values: npt.ArrayLike, which: str) -> npt.NDArray[np.float64]:
    """Check values of several seeds and return them.

    Args:
        values: The values, shape (seeds, n), both at least 1.
        which: The name of the values in messages, e.g. ``first``.

    Returns:
        The values as float64, shape (seeds, n).

    Raises:
        StatisticsError: They are not numbers, have another shape, or one of them is not finite.
    """
    samples = _numbers(values, which)
    if samples.ndim != 2 or samples.size == 0:  # noqa: PLR2004 - a row per seed
        raise StatisticsError(
            f"the {which} values have the shape {samples.shape}; give a row of values per seed, shape (seeds, n)."
        )
    if not np.isfinite(samples).all():
        seed, column = np.argwhere(~np.isfinite(samples))[0]
        raise StatisticsError(
            f"the {which} values are not all finite, number {column} of seed number {seed} is {samples[seed, column]}; "
            "leave this column out of both sides."
        )
    return samples


def noise_of(*samples: npt.NDArray[np.float64]) -> float:
    """Return the size up to which differences between values are rounding errors."""
    return _NOISE * max(float(np.abs(sample).max()) for sample in samples)


def _numbers(values: npt.ArrayLike, which: str) -> npt.NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError(f"the {which} values are no numbers ({error}); give an array of floats.") from error
