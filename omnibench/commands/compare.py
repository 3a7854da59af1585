"""``omnibench compare``: whether configurations differ by more than chance."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from omnibench.commands.store import add_parser
from omnibench.comparison.configurations import (
    DatasetRanking,
    compare_configurations,
    compare_with_best,
    configurations,
    find,
    measured,
    rank_configurations,
)
from omnibench.comparison.measured import Measured
from omnibench.errors import StatisticsError
from omnibench.metrics.labels import direction
from omnibench.report.comparisons import cells, heads, pairs, ranking_head, standing_rows
from omnibench.statistics.best import Standing
from omnibench.statistics.holm import holm
from omnibench.statistics.paired import TESTS, Comparison, check_alpha


def compare(given: argparse.Namespace) -> int:
    """Say whether two configurations differ by more than chance, or all of them from the best of their dataset."""
    if len(given.configurations) not in (0, 2):
        raise StatisticsError(
            f"{', '.join(map(repr, given.configurations))}: two configurations can be compared, or all; name two or "
            "none."
        )
    check_alpha(given.alpha)
    known = measured(given.store)
    datasets = known.datasets if given.dataset is None else [find(given.dataset, known.datasets, "dataset")]
    if not datasets:
        raise StatisticsError(f"no item in {given.store!r} is done, so there is nothing to compare.")
    for label in given.metric or ():
        if not any(label in known.labels(place) for place in datasets):
            known.means(datasets[0], label)  # says what there is
    told = _two(known, datasets, given) if given.configurations else _all(known, datasets, given)
    print(json.dumps(_plain(told["json"]), indent=1) if given.json else "\n".join(told["lines"]))  # noqa: T201
    return 0


def _labels(known: Measured, dataset: str, given: argparse.Namespace) -> list[str]:
    measured_there = known.labels(dataset)
    return [label for label in given.metric if label in measured_there] if given.metric else measured_there


def _direction(label: str, given: argparse.Namespace) -> bool | None:
    """Whether larger values of a metric are better, or None when neither omnibench nor the user says."""
    return direction(label, None if given.better is None else given.better == "higher")


def _two(known: Measured, datasets: Sequence[str], given: argparse.Namespace) -> dict[str, Any]:
    names = configurations(known, datasets)
    first, second = (find(name, names, "configuration") for name in given.configurations)
    both = [place for place in datasets if {first, second} <= configurations(known, [place])]
    if not both:
        raise StatisticsError(f"{first} and {second} were measured on no dataset that both have.")
    found = {
        (place, label): compare_configurations(
            known, first, second, label, dataset=place, test=given.test, alpha=given.alpha
        )
        for place in both
        for label in _labels(known, place, given)
        if {first, second} <= known.means(place, label).keys()
    }
    if not found:
        raise StatisticsError(
            f"{first} and {second} have no such metric in common; `omnibench show ITEM` lists an item's."
        )
    tested = {key: one.p for key, one in found.items() if one.p is not None}
    adjusted = dict(zip(tested, holm(list(tested.values())).tolist(), strict=True))
    lines = [f"{first} minus {second}"]
    for place in dict.fromkeys(place for place, _ in found):
        rows = [["", "first", "second", *heads(given.alpha)]]
        for (where, label), one in found.items():
            if where == place:
                verdict = _verdict(
                    one,
                    adjusted.get((where, label)),
                    given.alpha,
                    higher=_direction(label, given),
                )
                rows.append([label, f"{one.first:.4f}", *cells(one.second, one, adjusted.get((where, label)), verdict)])
        lines += [
            "",
            f"{place}: paired over {pairs(one for (where, _), one in found.items() if where == place)}",
            *_aligned(rows),
        ]
    return {
        "lines": [*lines, "", _legend(given.test, len(tested))],
        "json": [
            {"dataset": place, "metric": label, "first": first, "second": second}
            | {"means": [one.first, one.second]}
            | {name: value for name, value in asdict(one).items() if name not in ("first", "second")}
            | {"p_holm": adjusted.get((place, label))}
            for (place, label), one in found.items()
        ],
    }


def _all(known: Measured, datasets: Sequence[str], given: argparse.Namespace) -> dict[str, Any]:
    lines: list[str] = []
    plain: list[dict[str, Any]] = []
    for place in datasets:
        for label in _labels(known, place, given):
            higher = _direction(label, given)
            if higher is None:
                lines += [f"{place}, {label}: omnibench does not know whether more of it is better; say --better.", ""]
                continue
            found = compare_with_best(known, place, label, test=given.test, alpha=given.alpha, higher=higher)
            lines += [*_standing_lines(known.means(place, label), place, label, found, given.alpha, higher), ""]
            plain.append({"dataset": place, "metric": label, **_standing_plain(known.means(place, label), found)})
    lines.append(_legend(given.test))
    rankings: list[dict[str, Any]] = []
    if len(datasets) > 1:
        for label in dict.fromkeys(label for place in datasets for label in _labels(known, place, given)):
            try:
                ranking = rank_configurations(known, label, alpha=given.alpha, higher=_direction(label, given))
            except StatisticsError as error:
                lines += ["", f"{label} over datasets: {error}"]
                continue
            lines += ["", *_ranking_lines(label, ranking, given.alpha)]
            rankings.append({"metric": label, **_ranking_plain(ranking)})
    return {"lines": lines, "json": {"standings": plain, "rankings": rankings}}


def _standing_lines(
    means: dict[str, float], place: str, label: str, found: Standing, alpha: float, higher: bool
) -> list[str]:
    rows = [["", "mean", *heads(alpha)], *standing_rows(means, found, higher=higher)]
    said = f"paired over {pairs(found.comparisons.values())}" if found.comparisons else "nothing to compare with"
    return [f"{place}, {label}: {said}", *_aligned(rows)]


def _standing_plain(means: dict[str, float], found: Standing) -> dict[str, Any]:
    return {
        "best": found.best,
        "not_worse": list(found.not_worse),
        "undecided": list(found.undecided),
        "means": means,
        "comparisons": {
            name: asdict(one) | {"p_holm": found.adjusted[name]} for name, one in found.comparisons.items()
        },
    }


def _ranking_lines(label: str, found: DatasetRanking, alpha: float) -> list[str]:
    ranking = found.ranking
    order = sorted(range(len(found.configurations)), key=lambda position: ranking.ranks[position])
    rows = [[f"{ranking.ranks[position]:.2f}", found.configurations[position]] for position in order]
    groups = [
        f"  not significantly different: {', '.join(found.configurations[position] for position in group)}"
        for group in (ranking.groups if ranking.p is not None else ())
    ]
    return [ranking_head(label, ranking, alpha), *(f"  {rank:>6}  {name}" for rank, name in rows), *groups]


def _ranking_plain(found: DatasetRanking) -> dict[str, Any]:
    ranking = found.ranking
    return {
        "datasets": list(found.datasets),
        "ranks": dict(zip(found.configurations, ranking.ranks.tolist(), strict=True)),
        "statistic": ranking.statistic,
        "f": ranking.f,
        "p": ranking.p,
        "critical_difference": ranking.critical_difference,
        "groups": [[found.configurations[position] for position in group] for group in ranking.groups],
        "reason": ranking.reason,
    }


def _verdict(one: Comparison, adjusted: float | None, alpha: float, *, higher: bool | None) -> str:
    if adjusted is None:
        return one.reason
    if adjusted > alpha:
        return "no significant difference"
    if higher is None:
        return "different"
    return "the first is better" if (one.difference > 0) == higher else "the second is better"


def _legend(test: str, comparisons: int | None = None) -> str:
    over = "over the comparisons of a metric"
    if comparisons is not None:
        over = f"over {comparisons} comparison{'' if comparisons == 1 else 's'}"
    named = "Wilcoxon" if test == "wilcoxon" else test
    return f"Paired {named} test; p (Holm) is corrected {over}; intervals and d_z (Cohen's) are of single comparisons."


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as they need to be: the first and the last to the left, numbers to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    last = len(widths) - 1
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if place in (0, last) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _plain(value: Any) -> Any:
    """What JSON can say: an infinite effect size is none."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def add_test(parser: argparse.ArgumentParser) -> None:
    """Declare how is tested."""
    parser.add_argument("--test", choices=TESTS, default="t", help="the paired test (default: t)")
    parser.add_argument("--alpha", type=float, default=0.05, help="the level (default: 0.05)")


def add_parsers(commands: Any) -> None:
    """Declare the command to argparse."""
    parser = add_parser(commands, "compare", compare)
    parser.add_argument(
        "configurations",
        metavar="CONFIGURATION",
        nargs="*",
        help="two configurations as tables name them, or as much of their names as is clear (default: all)",
    )
    parser.add_argument(
        "--metric", action="append", metavar="LABEL", help="e.g. NDCG@10; may be repeated (default: all)"
    )
    parser.add_argument("--dataset", metavar="NAME", help="its name, or as much of it as is clear (default: all)")
    add_test(parser)
    parser.add_argument(
        "--better", choices=["higher", "lower"], help="which values are better (known of omnibench's own metrics)"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
