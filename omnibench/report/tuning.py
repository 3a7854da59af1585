"""What a report says of searches for hyperparameters: spaces, budgets and choices, and what the recorded trials tell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

from omnibench.results import Result
from omnibench.store.schema import Record, RecordLookup, RecordType, TrialStatus
from omnibench.store.search_words import UNREADABLE, ended_words, seconds_text
from omnibench.store.trials import trials_by_number
from omnibench.store.tuned_items import TunedItem, tuned_item
from omnibench.tables.choices import budget_notes, chosen_values, of_searches, statement_notes

TUNING = "Search spaces, budget, chosen values"
"""The heading of the table of searches."""

_HEAD = ("Algorithm", "Search space", "Budget", "Chosen on validation data")


def tuned_items_of(results: Iterable[Result], lookup: RecordLookup) -> dict[str, TunedItem]:
    """Return the tuned items among results with their trials, by fit key.

    Args:
        results: The results.
        lookup: From a record's key to the record, or None.
    """
    tuned: dict[str, TunedItem] = {}
    for result in results:
        item = lookup(RecordType.ITEM.key(result.fit_key)) if result.tuned else None
        search_key = item and item.get("search")
        if item is not None and search_key:
            search = lookup(RecordType.SEARCH.key(search_key)) or {}
            tuned[result.fit_key] = tuned_item(item, search, trials_by_number(search_key, lookup))
    return tuned


@dataclass(frozen=True, slots=True)
class TunedRow:
    """A tuned configuration of a table.

    Attributes:
        label: What people call it.
        results: Its results, with what was chosen.
        searches: The items of these with their trials, in the same order.
    """

    label: str
    results: Sequence[Result]
    searches: Sequence[TunedItem]

    @property
    def space(self) -> list[str]:
        """The search space, a line per hyperparameter; then what holds in all trials."""
        words = self.searches[0].words
        fixed = self.searches[0].search_record.get("fixed") or {}
        lines = [f"{name}: {text}" for name, text in words.space.items()] or [UNREADABLE]
        return [*lines, *(f"{name} = {value!r}" for name, value in fixed.items())]

    @property
    def budget(self) -> list[str]:
        """The budget, what it has gone into, and what proposes trials, a line each."""
        words, seconds = self.searches[0].words, sum(search.seconds for search in self.distinct)
        counts = {status: sum(search.count(status) for search in self.distinct) for status in TrialStatus}
        folds = {result.fold for result in self.results}
        each_fold = "" if len(folds) == 1 else " per fold" if self.searches[0].per_fold else " once, on the first fold"
        ended = ended_words({status.value: count for status, count in counts.items()})
        finished = sum(len(search.finished) for search in self.distinct)
        spent = f"{finished} trial{'' if finished == 1 else 's'} in {seconds_text(seconds)}"
        spent += f" ({', '.join(ended)})" if ended else ""
        override = ["other than the plan's"] if any(search.chosen.get("override") for search in self.searches) else []
        return [f"{words.budget_text}{each_fold}", *override, self.searches[0].sampler_text, spent]

    @property
    def distinct(self) -> list[TunedItem]:
        """One item of each search: folds may share one."""
        return list({search.item["search"]: search for search in self.searches}.values())

    def _choices(self, metric: str) -> list[str]:
        """Return what was chosen, with its value on validation data, a line per fold.

        Args:
            metric: The metric that the heading names; another one is named here.
        """
        lines = []
        distinct = of_searches(self.results)  # seeds may share one
        seeded = len(distinct) > len({result.fold for result in distinct})
        for result, search in zip(self.results, self.searches, strict=True):
            if result not in distinct:
                continue
            names = [] if result.fold is None else [f"fold {result.fold}"]
            names += [f"seed {result.seed}"] if seeded else []
            begin = f"{', '.join(names)}: " if names else ""
            judge = "" if search.metric == metric else f"{search.metric} "
            value = "" if search.value is None else f" ({judge}{search.value:.4f})"
            lines.append(f"{begin}{chosen_values(result)}{value}")
        return lines

    def cells(self, metric: str) -> list[list[str]]:
        """Return the cells of the table of searches, each as lines.

        Args:
            metric: The metric that the heading names.
        """
        return [[self.label], self.space, self.budget, self._choices(metric)]


def tuning_table(rows: Sequence[TunedRow]) -> tuple[list[str], list[list[list[str]]]]:
    """Return the headings of the table of searches, and its rows of cells, each as lines.

    Args:
        rows: The tuned rows of a dataset.
    """
    metrics = {search.metric for row in rows for search in row.searches}
    metric = metrics.pop() if len(metrics) == 1 else ""
    head = [*_HEAD[:-1], f"{_HEAD[-1]} ({metric})" if metric else _HEAD[-1]]
    return head, [row.cells(metric) for row in rows]


def tuned_rows(rows: Mapping[str, Sequence[Result]], tuned: Mapping[str, TunedItem]) -> list[TunedRow]:
    """Return the tuned rows of a table, in its order.

    Args:
        rows: The results of each row, by what people call it.
        tuned: The tuned items, by fit key.
    """
    chosen = {
        label: [result for result in results if result.chosen and result.fit_key in tuned]
        for label, results in rows.items()
    }
    return [
        TunedRow(label, results, [tuned[result.fit_key] for result in results])
        for label, results in chosen.items()
        if results
    ]


def tuning_notes(rows: Sequence[TunedRow]) -> list[str]:
    """Return what a reader has to know of the searches of a table, a sentence each.

    Args:
        rows: Its tuned rows.
    """
    labelled = {row.label: row.results for row in rows}
    differences = [f"{sentence[0].upper()}{sentence[1:]}." for sentence in budget_notes(labelled)]
    return [
        *differences,
        *(f"{sentence}." for sentence in statement_notes(labelled)),
    ]  # which begin with a user's label


class Step(NamedTuple):
    """The best value of a search from some point on.

    Attributes:
        at: The number of a trial, or the seconds that trials have cost until then.
        value: The best value.
    """

    at: float
    value: float


def best_by_trial(search: TunedItem) -> list[Step]:
    """Return the best value of a search after each trial that has improved it."""
    return _improvements(search, [trial["number"] for trial in search.finished])


def best_by_seconds(search: TunedItem) -> list[Step]:
    """Return the best value of a search after so many seconds of trials, in order of their numbers."""
    return _improvements(search, list(accumulate(float(trial.get("seconds") or 0.0) for trial in search.finished)))


def _improvements(search: TunedItem, positions: Sequence[float]) -> list[Step]:
    steps: list[Step] = []
    for trial, position in zip(search.finished, positions, strict=True):
        value = value_of(trial)
        if value is not None and (not steps or is_better(value, steps[-1].value, search)):
            steps.append(Step(position, value))
    return steps


def value_of(trial: Record) -> float | None:
    """Return the value of a trial that is done and has a finite one, else None."""
    value = trial.get("value") if trial["status"] == TrialStatus.DONE else None
    return float(value) if value is not None and math.isfinite(value) else None


def is_better(value: float, previous: float, search: TunedItem) -> bool:
    """Whether a value is better than an earlier one, by the metric of a search."""
    return value > previous if search.higher_is_better else value < previous


def mean_by_seconds(searches: Sequence[TunedItem]) -> list[Step]:
    """Return the mean over folds of the best value after so many seconds per fold; from where all folds have one.

    Args:
        searches: The searches of a configuration, one per fold.
    """
    by_fold = [best_by_seconds(search) for search in searches]
    if not all(by_fold):
        return []
    begin = max(steps[0].at for steps in by_fold)
    moments = sorted({begin, *(step.at for steps in by_fold for step in steps if step.at > begin)})
    return [
        Step(moment, sum(at_moment(steps, moment) or 0.0 for steps in by_fold) / len(by_fold)) for moment in moments
    ]


def at_moment(steps: Sequence[Step], moment: float) -> float | None:
    """Return the best value at a moment, or None before the first one."""
    reached = [step.value for step in steps if step.at <= moment]
    return reached[-1] if reached else None


class Race(NamedTuple):
    """The tuned configurations of a dataset that one metric judges, by what they reach in which time.

    Attributes:
        metric: The metric's label.
        higher_is_better: Whether larger values of it are better.
        lines: The best validation value after so many seconds, by configuration.
        ends: How many seconds the trials of each have cost, per fold.
    """

    metric: str
    higher_is_better: bool
    lines: Mapping[str, Sequence[Step]]
    ends: Mapping[str, float]

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return heading and rows: after which seconds which configuration has which value, and who is the best."""
        first = min(steps[0].at for steps in self.lines.values())
        moments = list(_round_moments(first, max(self.ends.values())))
        names = list(self.lines)
        rows = []
        for moment in moments:
            values = {name: value for name in names if (value := at_moment(self.lines[name], moment)) is not None}
            best = (max if self.higher_is_better else min)(values, key=lambda name: values[name]) if values else ""
            rows.append([f"{moment:g} s", best, *(f"{values[name]:.4f}" if name in values else "-" for name in names)])
        return ["Seconds per fold", "best", *names], rows


def _round_moments(first: float, last: float) -> Iterator[float]:
    """Yield 1, 2, 5, 10, ... from just above a moment to just behind another."""
    power = math.floor(math.log10(first)) if first > 0 else -2
    while True:
        for factor in (1, 2, 5):
            moment = factor * 10.0**power
            if moment >= first:
                yield moment
                if moment >= last:
                    return
        power += 1


def races(rows: Sequence[TunedRow]) -> list[Race]:
    """Return what configurations have reached in which time, of each metric that judges some.

    Args:
        rows: The tuned rows of a table.
    """
    by_metric: dict[tuple[str, bool], dict[str, TunedRow]] = {}
    for row in rows:
        judged = (row.searches[0].metric, row.searches[0].higher_is_better)
        if mean_by_seconds(row.searches):
            by_metric.setdefault(judged, {})[row.label] = row
    return [
        Race(
            metric,
            higher,
            {label: mean_by_seconds(row.searches) for label, row in labelled.items()},
            {label: max(search.seconds for search in row.searches) for label, row in labelled.items()},
        )
        for (metric, higher), labelled in by_metric.items()
    ]


def hyperparameters(row: TunedRow) -> dict[str, list[tuple[Any, float, Record, TunedItem]]]:
    """Return each hyperparameter that trials have tried, with value, validation value, trial and search.

    Args:
        row: A tuned row; trials without a value, and those of the defaults, have none.
    """
    tried: dict[str, list[tuple[Any, float, Record, TunedItem]]] = {}
    for search in row.distinct:
        for trial in search.finished:
            value = value_of(trial)
            if value is not None:
                for name, setting in trial["parameters"].items():
                    tried.setdefault(name, []).append((setting, value, trial, search))
    return dict(sorted(tried.items()))
