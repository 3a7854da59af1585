"""``omnibench compare``: whether configurations differ by more than chance."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from omnibench.commands.parsing import ITEM, add_all, add_parser, add_test, note_left_out, say, say_text
from omnibench.comparison.choices import find_configuration, find_dataset, with_named
from omnibench.comparison.configurations import (
    DatasetRanking,
    compare_members,
    compare_with_best,
    measured,
    rank_configurations,
)
from omnibench.comparison.measured import Measured
from omnibench.comparison.variance import Variances, variances_of
from omnibench.errors import StatisticsError
from omnibench.metrics.directions import direction
from omnibench.metrics.labels import alternatives, chosen_labels
from omnibench.report.comparisons import (
    VARIANCE_HEADS,
    aligned,
    cells,
    heads,
    jsonable,
    legend,
    pairs,
    ranking_head,
    standing_rows,
    variance_cells,
    verdict_of,
)
from omnibench.results import Result
from omnibench.statistics.best import Standing
from omnibench.statistics.holm import holm
from omnibench.statistics.paired import SEEDS_TEST, Comparison, check_alpha
from omnibench.store.item_records import result_of
from omnibench.tables.choices import budget_notes, statement_notes
from omnibench.tables.conditional import algorithm_of, conditional_note, conditional_sentence
from omnibench.tables.legend import fitted_on
from omnibench.tables.picking import picking


def compare(arguments: argparse.Namespace) -> int:
    """Say whether two configurations differ by more than chance, or all of them from the best of their dataset."""
    if len(arguments.configurations) not in (0, 2):
        raise StatisticsError(
            f"{', '.join(map(repr, arguments.configurations))}: two configurations can be compared, or all; name two or "
            "none."
        )
    check_alpha(arguments.alpha)
    store = measured(arguments.store)
    store = with_named(store, *arguments.configurations, dataset=arguments.dataset)
    if arguments.all:
        store = store.of_all_items()
    note_left_out(store.left_out)
    datasets = store.datasets if arguments.dataset is None else [find_dataset(arguments.dataset, store)]
    if not datasets:
        raise StatisticsError(f"no item in {arguments.store!r} is done, so there is nothing to compare.")
    for label in arguments.metric or ():
        labels = [measured_label for dataset in datasets for measured_label in store.labels(dataset)]
        if not chosen_labels(labels, [label]):
            raise StatisticsError(
                f"{label!r} was not measured on {' or '.join(datasets)}; {alternatives(label, labels)}"
            )
    report = (
        _compare_two(store, datasets, arguments)
        if arguments.configurations
        else _compare_all(store, datasets, arguments)
    )
    report["lines"] += _fitted_on(store, datasets, arguments.configurations)
    report["lines"] += _tuned_alike(store, datasets, arguments.configurations)
    if arguments.json:
        say_text(json.dumps(jsonable(report["json"]), indent=1))
    else:
        for line in report["lines"]:
            say(line)
    return 0


def _fitted_on(store: Measured, datasets: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Return the sentence about models that are not fitted on training alone, if there are such among those compared."""
    named = [find_configuration(text, store, datasets).configuration for text in texts]
    examples = {item["algorithm"]: item for item in store.items.values() if item["dataset"] in datasets}
    refits = {
        store.described(store.members(name)): result_of(item).refit
        for name, item in examples.items()
        if not named or name in named
    }
    sentence = fitted_on(refits)
    return [f"{sentence[0].upper()}{sentence[1:]}."] if sentence else []


def _tuned_alike(store: Measured, datasets: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Return what those compared were not tuned alike in: budgets, metrics, samplers; and what else a reader has to know."""
    choices = [find_configuration(text, store, datasets) for text in texts]
    named = {member for choice in choices for member in choice.members}
    rows: dict[str, list[Result]] = {}
    for item in store.items.values():
        if item["dataset"] in datasets and item.get("chosen") and (not named or item["algorithm"] in named):
            rows.setdefault(store.described(store.members(item["algorithm"])), []).append(result_of(item))
    differences = [f"{sentence[0].upper()}{sentence[1:]}." for sentence in budget_notes(rows)]
    return [*differences, *(f"{sentence}." for sentence in statement_notes(rows))]


def _labels(store: Measured, dataset: str, arguments: argparse.Namespace) -> list[str]:
    labels = store.labels(dataset)
    return chosen_labels(labels, arguments.metric) if arguments.metric else labels


def _direction(label: str, arguments: argparse.Namespace) -> bool | None:
    """Whether larger values of a metric are better, or None when neither omnibench nor the user says."""
    return direction(label, None if arguments.better is None else arguments.better == "higher")


def _compare_two(store: Measured, datasets: Sequence[str], arguments: argparse.Namespace) -> dict[str, Any]:
    choices = [find_configuration(text, store, datasets) for text in arguments.configurations]
    first, second = (choice.configuration for choice in choices)
    members = [choice.members for choice in choices]
    common_datasets = [dataset for dataset in datasets if all(dataset in choice.datasets for choice in choices)]
    if not common_datasets:
        raise StatisticsError(f"{first} and {second} were measured on no dataset that both have.")
    comparisons = {
        (dataset, label): compare_members(store, dataset, label, *members, test=arguments.test, alpha=arguments.alpha)
        for dataset in common_datasets
        for label in _labels(store, dataset, arguments)
        if {first, second} <= store.means(dataset, label).keys()
    }
    if not comparisons:
        raise StatisticsError(
            f"{first} and {second} have no such metric in common; `omnibench show ITEM` lists an item's."
        )
    p_values = {key: comparison.p for key, comparison in comparisons.items() if comparison.p is not None}
    adjusted = dict(zip(p_values, holm(list(p_values.values())).tolist(), strict=True))
    condition = _condition(store, common_datasets, *members)
    lines = [f"{store.described(members[0])} minus {store.described(members[1])}"]
    for dataset in dict.fromkeys(dataset for dataset, _ in comparisons):
        rows = [["", "first", "second", *heads(arguments.alpha)]]
        by_label = {label: comparison for (name, label), comparison in comparisons.items() if name == dataset}
        for label, comparison in by_label.items():
            p = adjusted.get((dataset, label))
            verdict = verdict_of(comparison, p, arguments.alpha, higher=_direction(label, arguments))
            rows.append([label, f"{comparison.first:.4f}", *cells(comparison.second, comparison, p, verdict)])
        lines += ["", f"{store.names.dataset(dataset)}: paired over {pairs(by_label.values())}", *aligned(rows)]
    return {
        "lines": [
            *lines,
            "",
            legend(arguments.test, comparisons.values(), len(p_values)),
            *_seed_legend(comparisons.values()),
            *_sentence(condition),
        ],
        "json": [
            {"dataset": dataset, "metric": label, "first": members[0][0], "second": members[1][0]}
            | {"members": [list(names) for names in members]}
            | {"means": [comparison.first, comparison.second]}
            | {name: value for name, value in asdict(comparison).items() if name not in ("first", "second")}
            | {"p_holm": adjusted.get((dataset, label)), "condition": condition}
            for (dataset, label), comparison in comparisons.items()
        ],
    }


def _compare_all(store: Measured, datasets: Sequence[str], arguments: argparse.Namespace) -> dict[str, Any]:
    lines: list[str] = []
    standings: list[dict[str, Any]] = []
    tested: list[Comparison] = []
    for dataset in datasets:
        for label in _labels(store, dataset, arguments):
            higher = _direction(label, arguments)
            if higher is None:
                lines += [
                    f"{store.names.dataset(dataset)}, {label}: omnibench does not know whether more of it is better; say --better.",
                    "",
                ]
                continue
            means = store.means(dataset, label)
            standing = compare_with_best(
                store, dataset, label, test=arguments.test, alpha=arguments.alpha, higher=higher
            )
            title = f"{store.names.dataset(dataset)}, {label}"
            variances = _variances(store, dataset, label, means)
            rows = [*_standing_lines(store, means, title, standing, arguments.alpha, higher)]
            lines += [*rows, *_variance_lines(store, variances), ""]
            plain = {"members": {name: list(store.members(name)) for name in means}, "variances": variances}
            standings.append({"dataset": dataset, "metric": label, **_standing_plain(means, standing), **plain})
            tested += standing.comparisons.values()
    condition = _condition(store, datasets)
    lines += [legend(arguments.test, tested), *_seed_legend(tested), *_sentence(condition)]
    rankings: list[dict[str, Any]] = []
    if len(datasets) > 1:
        for label in dict.fromkeys(label for dataset in datasets for label in _labels(store, dataset, arguments)):
            try:
                ranking = rank_configurations(store, label, alpha=arguments.alpha, higher=_direction(label, arguments))
            except StatisticsError as error:
                lines += ["", f"{label} over datasets: {error}"]
                continue
            lines += ["", *_ranking_lines(store, label, ranking, arguments.alpha)]
            rankings.append({"metric": label, **_ranking_plain(ranking)})
    picked = picking(result_of(item) for item in store.items.values() if item["dataset"] in datasets)
    if picked is not None:
        lines += ["", f"{picked.sentence[0].upper()}{picked.sentence[1:]}:", f"  {picked.call}"]
    plain = {"standings": standings, "rankings": rankings, "condition": condition}
    return {"lines": lines, "json": plain}


def _standing_lines(
    store: Measured, means: dict[str, float], title: str, standing: Standing, alpha: float, higher: bool
) -> list[str]:
    named_rows = standing_rows(means, standing, higher=higher)
    described = ((store.described(store.members(name)), texts) for name, *texts in named_rows)
    rows = [["", "mean", *heads(alpha)], *([name, *texts] for name, texts in described)]
    comparisons = standing.comparisons.values()
    pairing = f"paired over {pairs(comparisons)}" if comparisons else "nothing to compare with"
    return [f"{title}: {pairing}", *aligned(rows)]


def _variances(store: Measured, dataset: str, label: str, names: Iterable[str]) -> dict[str, Variances]:
    """Return what users, folds and seeds contribute to the variance of configurations with several seeds."""
    several = [name for name in names if len(store.members(name)) > 1 and not store.is_unmoved(name)]
    variances = {name: variances_of(store, dataset, label, name) for name in several}
    return {name: components for name, components in variances.items() if components}


def _variance_lines(store: Measured, variances: Mapping[str, Variances]) -> list[str]:
    if not variances:
        return []
    rows = [["", *VARIANCE_HEADS]]
    rows += [[store.described(store.members(name)), *variance_cells(parts)] for name, parts in variances.items()]
    return ["  where the variance of a user's value comes from", *aligned([[*row, ""] for row in rows])]


def _standing_plain(means: dict[str, float], standing: Standing) -> dict[str, Any]:
    return {
        "best": standing.best,
        "not_worse": list(standing.not_worse),
        "undecided": list(standing.undecided),
        "means": means,
        "comparisons": {
            name: asdict(comparison) | {"p_holm": standing.adjusted[name]}
            for name, comparison in standing.comparisons.items()
        },
    }


def _ranking_lines(store: Measured, label: str, measured_ranking: DatasetRanking, alpha: float) -> list[str]:
    ranking = measured_ranking.ranking
    names = [store.names.configuration(name) for name in measured_ranking.configurations]
    order = sorted(range(len(names)), key=lambda position: ranking.ranks[position])
    rows = [[f"{ranking.ranks[position]:.2f}", names[position]] for position in order]
    groups = [
        f"  not significantly different: {', '.join(names[position] for position in group)}"
        for group in (ranking.groups if ranking.p is not None else ())
    ]
    return [ranking_head(label, ranking, alpha), *(f"  {rank:>6}  {name}" for rank, name in rows), *groups]


def _ranking_plain(measured_ranking: DatasetRanking) -> dict[str, Any]:
    ranking, names = measured_ranking.ranking, measured_ranking.configurations
    return {
        "datasets": list(measured_ranking.datasets),
        "ranks": dict(zip(names, ranking.ranks.tolist(), strict=True)),
        "statistic": ranking.statistic,
        "f": ranking.f,
        "p": ranking.p,
        "critical_difference": ranking.critical_difference,
        "groups": [[names[position] for position in group] for group in ranking.groups],
        "reason": ranking.reason,
    }


def _condition(store: Measured, datasets: Sequence[str], *members: Sequence[str]) -> str:
    """Return that tests speak of the fitted models alone, where another seed may make other ones; see ``conditional``.

    Args:
        store: The measurements.
        datasets: The datasets that are looked at.
        *members: The names, of all seeds, of each configuration that is compared; all by default.
    """
    results = [result_of(item) for item in store.items.values() if item["dataset"] in datasets]
    if not members:
        return conditional_note(results)
    # Two seeds of a configuration may be compared with each other; each of them is one model.
    groups = ([result for result in results if result.algorithm in names] for names in members)
    single = (rows[0] for rows in groups if rows and len({row.seed for row in rows}) == 1)
    return conditional_sentence((algorithm_of(result), result.deterministic) for result in single)


def _sentence(condition: str) -> list[str]:
    """Return a condition as a line; none where there is no condition."""
    return [f"The tests speak {condition}. With seeds=5 they speak of other seeds, too."] if condition else []


def _seed_legend(comparisons: Iterable[Comparison]) -> list[str]:
    """Return how configurations with several seeds are tested, where there are some."""
    if not any(comparison.test == SEEDS_TEST for comparison in comparisons):
        return []
    return ["With several seeds, these are a random factor, as users are, so p and interval hold for other seeds, too."]


def add_parsers(commands: Any) -> None:
    """Declare the command to argparse."""
    parser = add_parser(commands, "compare", compare)
    parser.add_argument(
        "configurations",
        metavar="CONFIGURATION",
        nargs="*",
        help=f"two configurations, each by {ITEM} (default: all)",
    )
    parser.add_argument(
        "--metric", action="append", metavar="LABEL", help="e.g. NDCG@10; may be repeated (default: all)"
    )
    parser.add_argument("--dataset", metavar="NAME", help="its name, with or without the hash (default: all)")
    add_test(parser)
    add_all(parser)
    parser.add_argument(
        "--better", choices=["higher", "lower"], help="which values are better (known of omnibench's own metrics)"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
