"""Holm's correction of p values for several comparisons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omnibench.arguments import checked_call
from omnibench.errors import StatisticsError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


@checked_call
def holm(p_values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Adjust p values so that rejecting all up to alpha keeps the chance of any false rejection at alpha.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979;
    adjusted as in Wright, "Adjusted p-values for simultaneous inference", Biometrics 48, 1992.

    Args:
        p_values: One per comparison, shape (m,).

    Returns:
        The adjusted ones in the same order, at most 1, shape (m,).

    Raises:
        StatisticsError: Something is no probability.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1:
        raise StatisticsError(f"the p values have the shape {p.shape}; give one per comparison, shape (m,).")
    wrong = np.flatnonzero(~((p >= 0) & (p <= 1)))
    if len(wrong):
        raise StatisticsError(f"p value number {wrong[0]} is {p[wrong[0]]}; probabilities are from 0 to 1.")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    steps = p[order] * np.arange(len(p), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
