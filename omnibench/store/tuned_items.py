"""Tuned items with their trials as of now: how far each search is, what it has chosen, what its budget went into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from omnibench.store.item_names import title_of
from omnibench.store.schema import COMPUTED, SEARCHED, Record, Status, TrialStatus, configuration_in
from omnibench.store.search_words import (
    SearchWords,
    edge_sentence,
    edges_of,
    ended_words,
    search_words,
    shortfall_sentence,
    survivor_sentence,
    values_text,
)
from omnibench.store.states import RecordsInMemory
from omnibench.store.trials import best_of, finished_trials, searches_of

OTHER_FOLDS = "tuned on the first fold for all: test interactions of the other folds took part in the choice"
"""What every output says of a search whose choice several folds take over."""


@dataclass(frozen=True)
class TunedItem:
    """An item whose hyperparameters a search chooses.

    Attributes:
        item: Its record, with its status and phase as of now.
        search_record: The record of its search; empty while there is none.
        trials: The records of the trials that its budget pays for, finished or not, in order of their numbers.
        words: How the search is set up.
    """

    item: Record
    search_record: Record
    trials: tuple[Record, ...]
    words: SearchWords

    @property
    def chosen(self) -> Mapping[str, Any]:
        """What the item's record says of the chosen trial; empty while the item is not done."""
        return self.item.get("chosen") or {}

    @cached_property
    def finished(self) -> list[Record]:
        """The trials that are done, failed or pruned."""
        return finished_trials(self.trials)

    @cached_property
    def best(self) -> Record | None:
        """The best trial so far, or None."""
        chosen = self.chosen.get("number")
        if chosen is not None:
            return next((trial for trial in self.finished if trial["number"] == chosen), None)
        return best_of(self.finished, higher_is_better=self.higher_is_better)

    @property
    def higher_is_better(self) -> bool:
        """Whether larger values of the metric are better."""
        return bool(self.search_record.get("higher_is_better", True))

    @property
    def metric(self) -> str:
        """The label of the metric that judges trials."""
        return str(self.search_record.get("metric") or self.chosen.get("metric") or "the metric")

    @property
    def value(self) -> float | None:
        """The best value so far."""
        value = self.best["value"] if self.best is not None else self.chosen.get("value")
        return None if value is None else float(value)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The hyperparameters of the best trial: those that were chosen, or that were proposed."""
        parameters = self.chosen.get("parameters")
        if parameters is None:
            parameters = self.best["parameters"] if self.best is not None else {}
        return dict(parameters)

    @property
    def sampler_text(self) -> str:
        """Sampler and pruner in one line, and whether the pruner had nothing to judge: no trial has told of epochs."""
        without = (
            self.words.pruner and self.best is not None and not any(trial.get("history") for trial in self.finished)
        )
        return f"{self.words.sampler_text}{' (no epochs to prune)' if without else ''}"

    @property
    def state(self) -> str:
        """``done``, ``running``, ``failed``, ``interrupted`` or ``pending``: the state of the search, not of the item."""
        status, phase = self.item["status"], self.item["phase"]
        if self.chosen or phase in COMPUTED or status == Status.DONE:
            return Status.DONE.value
        if status == Status.INTERRUPTED and not self.trials and not self.search_record:
            return Status.PENDING.value
        return str(status)

    def count(self, status: TrialStatus) -> int:
        """Return how many trials have a status."""
        return sum(trial["status"] == status for trial in self.trials)

    @property
    def limit(self) -> int | None:
        """How many trials the budget allows; None where only their seconds are limited."""
        limit = self.words.budget.get("trials")
        return None if limit is None else int(limit)

    @property
    def _is_exhausted(self) -> bool:
        """Whether its budget pays for no more trials, as far as their number tells."""
        if self.limit is not None and len(self.finished) >= self.limit:
            return True
        # Seconds or the points of a grid may have come to an end as well: that no trial has a value is found then only.
        return (
            self.state == Status.FAILED and len(self.finished) == len(self.trials) and not self.count(TrialStatus.DONE)
        )

    @property
    def seconds(self) -> float:
        """Wall seconds of all finished trials, also of those that were taken over."""
        return sum(trial.get("seconds") or 0.0 for trial in self.finished)

    @property
    def phase_seconds(self) -> dict[str, float]:
        """Wall seconds of the trials by phase."""
        seconds = dict.fromkeys((phase.value for phase in COMPUTED), 0.0)
        for trial in self.finished:
            for phase, cost in (trial.get("phases") or {}).items():
                seconds[phase] = seconds.get(phase, 0.0) + (cost or 0.0)
        return seconds

    def seconds_of(self, status: TrialStatus) -> float:
        """Return the wall seconds of the trials with a status."""
        return sum(trial.get("seconds") or 0.0 for trial in self.finished if trial["status"] == status)

    @property
    def reused(self) -> list[Record]:
        """The trials whose values were known before."""
        return [trial for trial in self.finished if trial.get("reused")]

    @property
    def edges(self) -> list[tuple[str, Any, str]]:
        """The hyperparameters of the best trial that lie at an edge of their range: name, value, ``low`` or ``high``."""
        recorded = self.chosen.get("edges")
        if recorded is not None:
            return [(str(name), value, str(side)) for name, value, side in recorded]
        return [] if self.best is None else edges_of(self.search_record, self.best["parameters"])

    @property
    def per_fold(self) -> bool:
        """Whether each fold has a search of its own."""
        recorded = self.chosen.get("per_fold")
        if recorded is None:  # else the plan that has begun the search may have been another
            recorded = self.words.per_fold if tuning_of(self.item) else self.search_record.get("per_fold")
        return recorded is not False

    @property
    def counts_text(self) -> str:
        """How many trials there are of how many, e.g. ``28 of 30 trials (2 pruned, 1 failed)`` or ``4 trials, of at most 1.5 s``."""
        total = f"{len(self.finished)}" + ("" if self.limit is None else f" of {self.limit}")
        plural = "" if (self.limit or len(self.finished)) == 1 else "s"
        limit = (
            f", of at most {self.words.budget_text}" if self.limit is None and self.words.budget.get("seconds") else ""
        )
        special = ended_words({status.value: self.count(status) for status in TrialStatus})
        return f"{total} trial{plural}{limit}" + (f" ({', '.join(special)})" if special else "")

    @property
    def parameters_text(self) -> str:
        """The hyperparameters of the best trial, e.g. ``l2=512.3``; ``the defaults`` where it is trial 0."""
        return parameters_text(self.parameters, self.search_record, self.chosen.get("defaults"))

    @property
    def progress_text(self) -> str:
        """How far the search is, e.g. ``trial 12 of 30, best so far NDCG@10 0.3121``."""
        number = len(self.finished) + (1 if self.state == Status.RUNNING else 0)
        total = "" if self.limit is None else f" of {self.limit}"
        best = "" if self.value is None else f", best so far {self.metric} {self.value:.4f}"
        return f"trial {min(number, self.limit or number)}{total}{best}"

    @property
    def statements(self) -> list[str]:
        """What a reader has to know of the search: edges, other folds, what was cut short."""
        sentences = [edge_sentence(name, [value], side) for name, value, side in self.edges]
        if self.state in (Status.INTERRUPTED, Status.FAILED) and self.trials and not self._is_exhausted:
            sentences.append(f"the search was not brought to its end: {self.counts_text}")
        if self.finished and not self.count(TrialStatus.DONE):
            sentences.append(f"no trial has a value: {self.counts_text}")
            if self.state == Status.FAILED:
                sentences.append(
                    f"`omnibench reset {self.item['item']} --what Tune` has the next run compute them again"
                )
        if self.chosen and (shortfall := shortfall_sentence(len(self.finished), self.words.budget)):
            sentences.append(shortfall)
        if sentence := survivor_sentence(self.chosen):
            sentences.append(sentence)
        if not self.per_fold and self.item.get("fold"):  # it is the first fold's own choice
            sentences.append(OTHER_FOLDS)
        return sentences


def parameters_text(
    parameters: Mapping[str, Any], search: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> str:
    """Return hyperparameters of a trial for people, without those that hold in all trials.

    Args:
        parameters: The hyperparameters.
        search: The record of the search, or its facts.
        defaults: What the searched ones are by default, where that is recorded.
    """
    fixed = search.get("fixed") or {}
    return values_text({name: value for name, value in parameters.items() if name not in fixed}, defaults)


def tuned_items(records: Mapping[str, Record], items: Mapping[str, Record]) -> Iterator[TunedItem]:
    """Yield every tuned item with its trials as of now.

    Args:
        records: All records.
        items: Those of the items, by name, with their status and phase as of now.
    """
    tuned = [item for item in items.values() if item.get(SEARCHED)]
    if not tuned:
        return
    searches = searches_by_key(records)
    yield from (tuned_item(item, *searches.get(item[SEARCHED], ({}, []))) for item in tuned)


def searches_by_key(records: Mapping[str, Record]) -> dict[str, tuple[Record, list[Record]]]:
    """Return the record of every search with those of its trials, in order, by the search's key.

    Args:
        records: All records.
    """
    return {search[SEARCHED]: (search, trials) for search, trials in searches_of(RecordsInMemory(records))}


def tuned_item(item: Record, search: Record, trials: Sequence[Record]) -> TunedItem:
    """Return a tuned item with its trials as of now.

    Args:
        item: Its record, with its status and phase as of now.
        search: The record of its search; empty while there is none.
        trials: The records of the search's trials, in order of their numbers.
    """
    words = search_words(search, tuning_of(item))
    return TunedItem(item, search, tuple(_paid(trials, words, item)), words)


def tuning_of(item: Record) -> Any:
    """Return the identity of an item's budget and sampler, or None where its record does not have it."""
    search = configuration_in(item).get("search")
    return search.get("tuning") if isinstance(search, dict) else None


def paid_trials(trials: Sequence[Record], search: Record, item: Record) -> Sequence[Record]:
    """Return the trials that the budget of an item pays for: another item may have added some to the same search.

    Args:
        trials: The records of the search's trials.
        search: The record of the search; empty while there is none.
        item: The record of the item.
    """
    return _paid(trials, search_words(search, tuning_of(item)), item)


def _paid(trials: Sequence[Record], words: SearchWords, item: Record) -> Sequence[Record]:
    """Return the trials that the budget of an item pays for: another item may have added some to the same search."""
    paid = (item.get("chosen") or {}).get("trials")
    limit = words.budget.get("trials") if paid is None else paid
    return trials if limit is None else [trial for trial in trials if trial["number"] < limit]


def facts_of(tuned: TunedItem, *, with_trials: bool = True) -> dict[str, Any]:
    """Return what is known of a tuned item as plain data.

    Args:
        tuned: The item.
        with_trials: Whether its trials are listed, too.
    """
    words, best = tuned.words, tuned.best
    facts: dict[str, Any] = {
        "item": tuned.item["item"],
        "title": title_of(tuned.item),
        "search": tuned.item[SEARCHED],
        "state": tuned.state,
        "metric": tuned.metric,
        "higher_is_better": tuned.higher_is_better,
        "fold": tuned.search_record.get("fold"),
        "per_fold": tuned.per_fold,
        "space": dict(words.space),
        "space_identity": tuned.search_record.get("space"),
        "fixed": tuned.search_record.get("fixed") or {},
        "budget": dict(words.budget),
        "override": bool(tuned.chosen.get("override", False)),
        "sampler": words.sampler,
        "pruner": words.pruner or None,
        "parallel": words.parallel,
        "counts_text": tuned.counts_text,
        "counts": {
            "finished": len(tuned.finished),
            **{status.value: tuned.count(status) for status in TrialStatus},
            "reused": len(tuned.reused),
        },
        "seconds": {
            "all": tuned.seconds,
            **tuned.phase_seconds,
            **{status.value: tuned.seconds_of(status) for status in (TrialStatus.PRUNED, TrialStatus.FAILED)},
            "reused": sum(trial.get("seconds") or 0.0 for trial in tuned.reused),
        },
        "best": best and {name: best[name] for name in ("number", "value", "parameters", "epochs")},
        "chosen": dict(tuned.chosen) or None,
        "edges": [list(edge) for edge in tuned.edges],
        "statements": tuned.statements,
    }
    return facts | ({"trials": list(tuned.trials)} if with_trials else {})


def tuning_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield lines for people that say what a search has chosen for an item, and among what.

    Args:
        facts: As ``facts_of`` returns them.
    """
    best = facts["best"]
    noun = "tuned" if facts["state"] == Status.DONE else facts["state"]
    if best is not None:
        value = f"{facts['metric']} {best['value']:.4f} on validation data"
        defaults = (facts["chosen"] or {}).get("defaults")
        yield f"{noun:16} {parameters_text(best['parameters'], facts, defaults)}: trial {best['number']}, {value}"
    space = "; ".join(f"{name}: {words}" for name, words in facts["space"].items())
    yield f"{'' if best is not None else noun:16} {facts['counts_text']} by {facts['sampler']}; {space}"
    yield from (f"{'':16} {sentence}" for sentence in facts["statements"])


def by_value(tuned: TunedItem) -> list[Record]:
    """Return all trials of a tuned item: those with values best first, then pruned, failed and open ones."""
    sign = -1.0 if tuned.higher_is_better else 1.0
    order = [TrialStatus.DONE, TrialStatus.PRUNED, TrialStatus.FAILED, TrialStatus.PROPOSED]

    def rank(trial: Record) -> tuple[int, float, int]:
        value = trial.get("value") if trial["status"] == TrialStatus.DONE else None
        return order.index(TrialStatus(trial["status"])), sign * (value or 0.0), trial["number"]

    return sorted(tuned.trials, key=rank)
