"""How comparisons and ranks are said: the same words and digits wherever they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from omnibench.statistics.best import Standing
from omnibench.statistics.paired import Comparison
from omnibench.statistics.ranks import Ranking

_SMALLEST_P = 1e-4


def heads(alpha: float) -> list[str]:
    """Return the names of the columns that ``cells`` fills but for the first."""
    return ["difference", f"{percent(alpha)} interval", "d_z", "p", "p (Holm)", ""]


def percent(alpha: float) -> str:
    """Return what an interval of a level covers, e.g. ``95 %``."""
    return f"{100 * (1 - alpha):.4g} %"


def cells(value: float, one: Comparison, adjusted: float | None, verdict: str) -> list[str]:
    """Return a mean and a comparison as the cells of a row."""
    interval = "-" if one.interval is None else f"{one.interval[0]:+.4f} to {one.interval[1]:+.4f}"
    size = "-" if one.effect_size is None else f"{one.effect_size:+.2f}"
    return [f"{value:.4f}", f"{one.difference:+.4f}", interval, size, p_text(one.p), p_text(adjusted), verdict]


def p_text(p: float | None) -> str:
    """Return a p as it is printed."""
    if p is None:
        return "-"
    return f"<{_SMALLEST_P:.4f}" if p < _SMALLEST_P else f"{p:.4f}"


def standing_rows(means: Mapping[str, float], found: Standing, *, higher: bool) -> list[list[str]]:
    """Return a row per configuration, the best first: its name, its mean, and how it compares with the best."""
    rows = [[found.best, f"{means[found.best]:.4f}", "", "", "", "", "", "the best"]]
    for name in sorted(found.comparisons, key=means.__getitem__, reverse=higher):
        one = found.comparisons[name]
        verdict = "not significantly worse" if name in found.not_worse else one.reason or "worse"
        rows.append([name, *cells(means[name], one, found.adjusted[name], verdict)])
    return rows


def pairs(found: Iterable[Comparison]) -> str:
    """Return what comparisons are paired over, e.g. ``943 users``."""
    corrected = " (t corrected for overlapping training sets)"
    said = (
        f"{one.pairs} {one.units}{corrected * (one.units == 'folds' and one.test == 't')}" for one in found if one.pairs
    )
    return ", ".join(dict.fromkeys(said))


def ranking_head(label: str, ranking: Ranking, alpha: float) -> str:
    """Return what a ranking over datasets tells, as a sentence without its ranks."""
    said = (
        ranking.reason
        if ranking.p is None
        else f"Friedman's chi-square {ranking.statistic:.2f}, Iman and Davenport's F {ranking.f:.2f}, p {p_text(ranking.p)}"
    )
    critical = f"critical difference {ranking.critical_difference:.2f} (Nemenyi, {alpha:g})"
    return f"{label}: average ranks over {ranking.datasets} datasets; {said}; {critical}"
