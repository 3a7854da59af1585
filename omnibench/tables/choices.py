"""What stands below tables about tuned rows: the chosen hyperparameters, with which effort, and what a reader has to know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from omnibench.results import Result
from omnibench.store.search_words import (
    UNREADABLE,
    edge_sentence,
    ended_words,
    search_words,
    shortfall_sentence,
    survivor_sentence,
    values_text,
)
from omnibench.store.tuned_items import OTHER_FOLDS

_MOST_FOLDS = 10
"""Folds whose choices a line lists."""


def choice_notes(rows: Mapping[str, Sequence[Result]]) -> Iterator[str]:
    """Yield the lines below a table about its tuned rows; none where no row is tuned.

    Args:
        rows: The results of each row, by what its first cell shows.
    """
    tuned = {
        label: chosen for label, results in rows.items() if (chosen := [result for result in results if result.chosen])
    }
    for label, results in tuned.items():
        yield f"{label}: {choice_text(results)}"
    yield from budget_notes(tuned)
    yield from statement_notes(tuned)


def choice_text(results: Sequence[Result]) -> str:
    """Return what was chosen in each fold, and with which effort.

    Args:
        results: The tuned results of a row, which have choices.

    Returns:
        Such as ``l2=512.3 in fold 0, l2=800 in fold 1; 30 trials each, by NDCG@10 on validation data``.
    """
    by_choice: dict[str, list[Result]] = {}
    distinct = of_searches(results)
    for result in distinct:
        by_choice.setdefault(chosen_values(result), []).append(result)
    parts = [f"{values}{_fold_words(members, distinct)}" for values, members in list(by_choice.items())[:_MOST_FOLDS]]
    more = len(by_choice) - _MOST_FOLDS
    metrics = dict.fromkeys(str(_chosen(result).get("metric") or "the metric") for result in results)
    listed = ", ".join([*parts, *([f"{more} more"] if more > 0 else [])])
    return f"{listed}; {_effort_text(distinct)}, by {' and '.join(metrics)} on validation data"


def of_searches(results: Sequence[Result]) -> list[Result]:
    """Return one result of those seeds that share a search, as far as they do."""
    if len({result.seed for result in results}) == 1:
        return list(results)
    by_fold: dict[int | None, list[Result]] = {}
    for result in results:
        by_fold.setdefault(result.fold, []).append(result)
    alike = all(len({_search_text(result) for result in members}) == 1 for members in by_fold.values())
    return [members[0] for members in by_fold.values()] if alike else list(results)


def _search_text(result: Result) -> str:
    """Return what tells the search that has chosen for a result from others of its fold."""
    chosen = _chosen(result)
    return f"{chosen_values(result)} {[chosen.get(name) for name in ('number', 'value', 'trials', 'seconds')]}"


def _effort_text(results: Sequence[Result]) -> str:
    """Return how many trials a row has taken, e.g. ``30 trials each (4 failed in all)`` or ``1.5 s each (4 trials)``.

    Args:
        results: One result of each fold.
    """
    is_once = len(results) > 1 and all(_chosen(result).get("per_fold") is False for result in results)
    chosen = [_chosen(result) for result in (results[:1] if is_once else results)]
    counts = sorted({int(choice.get("trials") or 0) for choice in chosen})
    number = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    trials = f"{number} trial{'' if counts == [1] else 's'}"
    several = " once, on the first fold" if is_once else " each" if len(results) > 1 else ""
    ended = ended_words({name: sum(choice.get(name) or 0 for choice in chosen) for name in ("pruned", "failed")})
    if ended and len(chosen) > 1:
        ended[-1] += " in all"
    budgets = {budget_text(choice.get("budget") or {}) for choice in chosen}
    if len(budgets) == 1 and all((choice.get("budget") or {}).get("trials") is None for choice in chosen):
        return f"{budgets.pop()}{several} ({', '.join([trials, *ended])})"
    return f"{trials}{several}" + (f" ({', '.join(ended)})" if ended else "")


def trials_text(result: Result) -> str:
    """Return how many trials a search has taken for a result, e.g. ``8 trials (2 failed)``."""
    count, ended = int(_chosen(result).get("trials") or 0), ended_words(_chosen(result))
    return f"{count} trial{'' if count == 1 else 's'}" + (f" ({', '.join(ended)})" if ended else "")


def chosen_values(result: Result) -> str:
    """Return the hyperparameters that a search has chosen, without those that the plan gives, e.g. ``l2=512.3``."""
    parameters: Mapping[str, Any] = _chosen(result).get("parameters") or {}
    values = {name: value for name, value in parameters.items() if name not in result.parameters}
    return values_text(values, _chosen(result).get("defaults"))


def _chosen(result: Result) -> Mapping[str, Any]:
    return result.chosen or {}


def _fold_words(members: Sequence[Result], results: Sequence[Result]) -> str:
    """Return in which folds, and with which seeds, a choice was made; nothing where there is only one."""
    if len(results) == 1:
        return ""
    if len(members) == len(results):
        return " everywhere"
    seeded = len({result.seed for result in results}) > 1
    names = [
        " ".join(([] if result.fold is None else [f"fold {result.fold}"]) + ([f"seed {result.seed}"] if seeded else []))
        for result in members
    ]
    return f" in {', '.join(filter(None, names))}"


def budget_notes(tuned: Mapping[str, Sequence[Result]]) -> Iterator[str]:
    """Yield what rows were not tuned alike in: budgets (an unequal effort makes any algorithm the winner), metrics, means.

    Args:
        tuned: The tuned results of each row, by its label.
    """
    budgets = {
        label: {budget_text(_chosen(result).get("budget") or {}) for result in results}
        for label, results in tuned.items()
    }
    if len(set().union(*budgets.values())) > 1:
        listed = ", ".join(
            f"{label} {' and '.join(sorted(texts))}{_override_words(tuned[label])}" for label, texts in budgets.items()
        )
        yield f"budgets differ: {listed}; with unequal effort, the better tuned algorithm seems to be the better one"
    judges = {label: {str(_chosen(result).get("metric")) for result in results} for label, results in tuned.items()}
    yield from _difference("tuned by different metrics", judges, "each is chosen for something else")
    means = {label: {_means_text(result) for result in results} - {""} for label, results in tuned.items()}
    yield from _difference("tuned by different means", means, "equal budgets are not equal effort")


def _difference(begin: str, texts: Mapping[str, set[str]], consequence: str) -> Iterator[str]:
    """Yield that rows differ in something, where they do."""
    if len(set().union(*texts.values())) > 1:
        listed = ", ".join(f"{label} {' and '.join(sorted(own))}" for label, own in texts.items() if own)
        yield f"{begin}: {listed}; {consequence}"


def _means_text(result: Result) -> str:
    """Return what has proposed and pruned the trials of a result; empty where that is not recorded."""
    words = search_words({}, _chosen(result).get("tuning"))
    return "" if words.sampler == UNREADABLE else f"({words.sampler}, {words.pruner or 'no pruner'})"


def _override_words(results: Iterable[Result]) -> str:
    return " (overrides the plan's)" if any(_chosen(result).get("override") for result in results) else ""


def budget_text(budget: Mapping[str, Any]) -> str:
    """Return a recorded budget in words, e.g. ``30 trials or 600 s``."""
    trials, seconds = budget.get("trials"), budget.get("seconds")
    parts = [f"{trials} trial{'' if trials == 1 else 's'}"] if trials is not None else []
    parts += [f"{seconds:g} s"] if isinstance(seconds, int | float) else []
    return " or ".join(parts) or "the whole grid"


def statement_notes(tuned: Mapping[str, Sequence[Result]]) -> Iterator[str]:
    """Yield what a reader has to know of tuned rows: values at the edge of their range, cut short, choices of another fold.

    Args:
        tuned: The tuned results of each row, by its label; they have choices.
    """
    labels_by_sentence: dict[str, list[str]] = {}
    for label, results in tuned.items():
        for sentence in _statements(results):
            labels_by_sentence.setdefault(sentence, []).append(label)
    yield from (f"{', '.join(labels)}: {sentence}" for sentence, labels in labels_by_sentence.items())


def _statements(results: Sequence[Result]) -> Iterator[str]:
    results = of_searches(results)
    folds_by_sentence: dict[str, list[Result]] = {}
    at_edge: dict[tuple[str, str], list[tuple[Any, Result]]] = {}
    for result in results:
        for name, value, side in _chosen(result).get("edges") or ():
            at_edge.setdefault((name, side), []).append((value, result))
    for (name, side), chosen in at_edge.items():
        sentence = edge_sentence(name, [value for value, _ in chosen], side)
        folds_by_sentence[sentence] = [result for _, result in chosen]
    for result in results:
        shortfall = shortfall_sentence(int(_chosen(result).get("trials") or 0), _chosen(result).get("budget") or {})
        for sentence in filter(None, (shortfall, survivor_sentence(_chosen(result)))):
            folds_by_sentence.setdefault(sentence, []).append(result)
    for sentence, members in folds_by_sentence.items():
        folds = _fold_words(members, results).lstrip() if len(members) < len(results) else ""
        yield f"{folds} {sentence}".lstrip()
    if any(_chosen(result).get("per_fold") is False and result.fold for result in results):
        yield OTHER_FOLDS
