"""Compare several algorithms on several datasets: average ranks, Friedman's test, Nemenyi's critical difference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from omnibench.arguments import checked_call
from omnibench.errors import StatisticsError
from omnibench.statistics.paired import check_alpha

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

Ranks: TypeAlias = "npt.NDArray[np.float64]"


@dataclass(frozen=True, slots=True)
class Ranking:
    """The ranks of k algorithms on n datasets, and whether they differ.

    Attributes:
        ranks: The average rank of each algorithm, 1 is the best; shape (k,).
        statistic: Friedman's chi-square with k - 1 degrees of freedom, corrected for ties.
        f: Iman and Davenport's F of it, with k - 1 and (k - 1)(n - 1) degrees of freedom.
        p: The p of F, or None when nothing can be said.
        critical_difference: Average ranks that differ by less are not significantly different (Nemenyi).
        groups: The largest groups of algorithms (by position, best first) whose ranks differ by less.
        datasets: n.
        reason: Why nothing can be said, when p is None.
    """

    ranks: Ranks
    statistic: float
    f: float
    p: float | None
    critical_difference: float
    groups: tuple[tuple[int, ...], ...]
    datasets: int
    reason: str = ""


@checked_call
def friedman(scores: npt.ArrayLike, *, higher_is_better: bool = True, alpha: float = 0.05) -> Ranking:
    """Rank algorithms on several datasets, and test whether they differ at all.

    Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7, 2006, section 3.2; with the
    correction for ties of Conover, "Practical Nonparametric Statistics", 1999, section 5.8, which Demšar leaves out.
    p is never below what so few datasets could tell if their ranks all agreed, k! to the power of 1 - n.

    Args:
        scores: The metric's values, datasets x algorithms, shape (n, k), n at least 1 and k at least 2.
        higher_is_better: Whether the largest score is the best.
        alpha: The level of the critical difference.

    Raises:
        StatisticsError: The scores are no such table, or one is not finite.
    """
    from scipy.special import fdtrc
    from scipy.stats import rankdata

    check_alpha(alpha)
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or len(table) < 1 or table.shape[1] < 2:  # noqa: PLR2004 - a table, and something to compare
        raise StatisticsError(
            f"the scores have the shape {table.shape}; give datasets x algorithms, with at least two algorithms."
        )
    if not np.isfinite(table).all():
        raise StatisticsError("a score is not finite; leave its dataset or its algorithm out.")
    n, k = table.shape
    ranked = rankdata(-table if higher_is_better else table, axis=1)
    ranks: Ranks = ranked.mean(axis=0)
    untied = 1 - sum(_ties(row) for row in ranked) / (n * (k**3 - k))
    statistic = 12 * n / (k * (k + 1)) * float(((ranks - (k + 1) / 2) ** 2).sum()) / untied if untied else 0.0
    rest = n * (k - 1) - statistic
    f = (n - 1) * statistic / rest if rest > 1e-9 * n * k else math.inf
    smallest = math.exp((1 - n) * math.lgamma(k + 1))  # k! has no float above 170
    reason = "" if smallest <= alpha else f"too few datasets to say: with {n}, p cannot be below {smallest:.4g}"
    p = None if reason else max(smallest, float(fdtrc(k - 1, (k - 1) * (n - 1), f)))
    critical = _critical_difference(n, k, alpha)
    return Ranking(ranks, statistic, f, p, critical, _groups(ranks, critical), n, reason)


def _ties(ranks: Ranks) -> int:
    _, counts = np.unique(ranks, return_counts=True)
    return int((counts**3 - counts).sum())


def _critical_difference(n: int, k: int, alpha: float) -> float:
    """Return Nemenyi's critical difference, in units of ranks (Demšar 2006, table 5).

    It is made of the quantile of the studentised range, divided by the square root of 2.
    """
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1 - alpha, k, math.inf)) / math.sqrt(2)
    return q * math.sqrt(k * (k + 1) / (6 * n))


def _groups(ranks: Ranks, critical: float) -> tuple[tuple[int, ...], ...]:
    order = [int(position) for position in np.argsort(ranks, kind="stable")]
    groups: list[tuple[int, ...]] = []
    reached = 0
    for start in range(len(order)):
        end = start
        while end < len(order) and ranks[order[end]] - ranks[order[start]] < critical:
            end += 1
        if end > reached and end - start > 1:
            groups.append(tuple(order[start:end]))
        reached = max(reached, end)
    return tuple(groups)
