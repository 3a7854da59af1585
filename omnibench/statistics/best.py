"""Find the best configuration, and those that are not significantly worse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnibench.arguments import checked_call
from omnibench.errors import StatisticsError, nearest
from omnibench.statistics.holm import holm
from omnibench.statistics.paired import DEFAULT_TEST, Comparison, check_alpha, compare
from omnibench.statistics.samples import checked_sample

if TYPE_CHECKING:
    import numpy.typing as npt
else:
    from omnibench.lazy import npt


@dataclass(frozen=True, slots=True)
class Standing:
    """The comparisons of configurations with the best of them, and which are not significantly worse.

    Attributes:
        best: The best one's name.
        comparisons: Every other one minus the best, by name.
        adjusted: The p of these after Holm's correction; None where there is none.
        not_worse: Those that are not significantly worse than the best.
        undecided: Those of which nothing can be said.
    """

    best: str
    comparisons: Mapping[str, Comparison]
    adjusted: Mapping[str, float | None]
    not_worse: tuple[str, ...]
    undecided: tuple[str, ...]


@checked_call
def against_best(
    values: Mapping[str, npt.ArrayLike],
    higher_is_better: bool = True,
    alpha: float = 0.05,
    *,
    best: str | None = None,
    test: str = DEFAULT_TEST,
) -> Standing:
    """Compare every configuration with the best one, with Holm's correction over these comparisons.

    The tests are two-sided. The best one is picked by the same values that it is then compared by. What that leaves is
    a statement about the best: the truly best configuration is called worse in at most alpha of all cases (multiple
    comparisons with the best: Hsu, "Constrained simultaneous confidence intervals for multiple comparisons with the
    best", Annals of Statistics 12, 1984). It is none about every other one: of ten that are all equally good, some one
    is called worse in 15 % of all cases at a level of 5 %. For that, say beforehand who is to be compared with:
    ``best``.

    Args:
        values: Values per user by configuration, each of shape (n,), of the same users in the same order.
        higher_is_better: Whether the largest mean is the best.
        alpha: The level.
        best: The best one, where something else than the mean of these values decides.
        test: As in ``compare``.

    Raises:
        StatisticsError: There is no configuration, or their values cannot be compared.
    """
    if not values:
        raise StatisticsError("there is no configuration to compare; give the values of some.")
    if best is None:
        means = {name: float(checked_sample(sample, name).mean()) for name, sample in values.items()}
        best = (max if higher_is_better else min)(means, key=means.__getitem__)
    elif best not in values:
        raise StatisticsError(f"there are no values of {best!r}{nearest(best, values) or '.'}")
    comparisons = {
        name: compare(sample, values[best], test, alpha=alpha) for name, sample in values.items() if name != best
    }
    return standing(best, comparisons, higher_is_better=higher_is_better, alpha=alpha)


def standing(best: str, comparisons: Mapping[str, Comparison], *, higher_is_better: bool, alpha: float) -> Standing:
    """Return which configurations are not significantly worse than the best, from their comparisons with it.

    Args:
        best: The best one's name.
        comparisons: Every other one minus the best, by name.
        higher_is_better: Whether larger values are better.
        alpha: The level.
    """
    check_alpha(alpha)
    p_values = {name: comparison.p for name, comparison in comparisons.items() if comparison.p is not None}
    adjusted: dict[str, float | None] = dict.fromkeys(comparisons)
    adjusted |= dict(zip(p_values, holm(list(p_values.values())).tolist(), strict=True))
    not_worse, undecided = [], []
    for name, comparison in comparisons.items():
        p = adjusted[name]
        loses = comparison.difference < 0 if higher_is_better else comparison.difference > 0
        if p is None:
            undecided.append(name)
        elif p > alpha or not loses:
            not_worse.append(name)
    return Standing(best, comparisons, adjusted, tuple(not_worse), tuple(undecided))
