"""Comparisons and ranks as texts: the same words and digits wherever they are shown."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from omnibench.statistics.best import Standing
from omnibench.statistics.paired import SEEDS_TEST, Comparison
from omnibench.statistics.ranks import Ranking

_SMALLEST_P = 1e-4


def heads(alpha: float) -> list[str]:
    """Return the headings of the columns that ``cells`` fills, without that of the first."""
    return ["difference", f"{percent(alpha)} interval", "d_z", "p", "p (Holm)", ""]


TESTS = {
    "bootstrap": "bootstrap test",
    "t": "t test",
    "randomisation": "randomisation test",
    "wilcoxon": "Wilcoxon test",
}
"""What the paired tests are called."""

VARIANCE_HEADS = ("users", "folds", "seeds", "rest", "std of seeds")
"""The headings of the columns that ``variance_cells`` fills."""


def variance_cells(variances: Mapping[str, float]) -> list[str]:
    """Return the shares of users, folds, seeds and the rest in a variance, and what seeds move the mean by, as cells."""
    total = sum(variances.values())
    parts = [variances.get(name) for name in ("user", "fold", "seed", "residual")]
    shares = ["-" if part is None else f"{100 * part / total if total else 0:.1f} %" for part in parts]
    return [*shares, f"{math.sqrt(variances['seed']):.4f}" if "seed" in variances else "-"]


def percent(alpha: float) -> str:
    """Return the coverage of an interval at a level as a text, e.g. ``95 %``."""
    return f"{100 * (1 - alpha):.4g} %"


def cells(value: float, comparison: Comparison, adjusted: float | None, verdict: str) -> list[str]:
    """Return a mean and a comparison as the cells of a row."""
    interval = "-" if comparison.interval is None else f"{comparison.interval[0]:+.4f} to {comparison.interval[1]:+.4f}"
    size = "-" if comparison.effect_size is None else f"{comparison.effect_size:+.2f}"
    difference, p = f"{comparison.difference:+.4f}", p_text(comparison.p)
    return [f"{value:.4f}", difference, interval, size, p, p_text(adjusted), verdict]


def p_text(p: float | None) -> str:
    """Return a p value as it is printed."""
    if p is None:
        return "-"
    return f"<{_SMALLEST_P:.4f}" if p < _SMALLEST_P else f"{p:.4f}"


def standing_rows(means: Mapping[str, float], standing: Standing, *, higher: bool) -> list[list[str]]:
    """Return a row per configuration, the best first: its name, its mean, and how it compares with the best."""
    rows = [[standing.best, f"{means[standing.best]:.4f}", "", "", "", "", "", "the best"]]
    for name in sorted(standing.comparisons, key=means.__getitem__, reverse=higher):
        comparison = standing.comparisons[name]
        verdict = "not significantly worse" if name in standing.not_worse else comparison.reason or "worse"
        rows.append([name, *cells(means[name], comparison, standing.adjusted[name], verdict)])
    return rows


def pairs(comparisons: Iterable[Comparison]) -> str:
    """Return the users or folds that comparisons are paired over, e.g. ``943 users``; of groups, ``39 to 943 users``."""
    numbers: dict[tuple[str, str], set[int]] = {}
    for comparison in comparisons:
        if comparison.pairs:
            corrected = comparison.units == "folds" and comparison.test == "t"
            note = " (t corrected for overlapping training sets)" if corrected else ""
            numbers.setdefault((comparison.units, note), set()).add(comparison.pairs)
    texts = []
    for (units, note), counts in numbers.items():
        least, most = min(counts), max(counts)
        texts.append(f"{f'{least} to ' * (least < most)}{most} {units.removesuffix('s') if most == 1 else units}{note}")
    return ", ".join(texts)


def ranking_head(label: str, ranking: Ranking, alpha: float) -> str:
    """Return the test and the critical difference of a ranking over datasets, as a sentence."""
    f = f"{ranking.f:.2f}" if math.isfinite(ranking.f) else "without bound, for all datasets agree"
    result = (
        ranking.reason
        if ranking.p is None
        else f"Friedman's chi-square {ranking.statistic:.2f}, Iman and Davenport's F {f}, p {p_text(ranking.p)}"
    )
    critical = f"critical difference {ranking.critical_difference:.2f} (Nemenyi, {alpha:g})"
    return f"{label}: average ranks over {ranking.datasets} datasets; {result}; {critical}"


def verdict_of(comparison: Comparison, adjusted: float | None, alpha: float, *, higher: bool | None) -> str:
    """Return in words which of two configurations is better.

    Args:
        comparison: The comparison.
        adjusted: Its p after Holm's correction; None where nothing can be said.
        alpha: The level.
        higher: Whether larger values are better; None where nobody says.
    """
    if adjusted is None:
        return comparison.reason
    if adjusted > alpha:
        return "no significant difference"
    if higher is None:
        return "different"
    return "the first is better" if (comparison.difference > 0) == higher else "the second is better"


def legend(test: str, tested: Collection[Comparison], comparisons: int | None = None) -> str:
    """Return the line below comparisons that says which test was used.

    Args:
        test: The test.
        tested: The comparisons.
        comparisons: How many of them p is corrected over; all of a metric's where it is not said.
    """
    family = "the comparisons of a metric"
    if comparisons is not None:
        family = f"{comparisons} comparison{'' if comparisons == 1 else 's'}"
    name = f"Paired {TESTS[test]}"
    if tested and all(comparison.test == SEEDS_TEST for comparison in tested):
        name = "Test over users and seeds"
    return f"{name}; p (Holm) is corrected over {family}; intervals and d_z (Cohen's) are of single comparisons."


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines with columns as wide as they need to be: the first and the last to the left, numbers to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    last = len(widths) - 1
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if position in (0, last) else cell.rjust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def jsonable(value: Any) -> Any:
    """Return what JSON can express of a value: an infinite effect size is null."""
    if isinstance(value, dict):
        return {name: jsonable(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(element) for element in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
