"""The records of tuning: searches, their trials, and scores, how to build them and how to read them in order.

A search is known by its search key; its trials by that key and their numbers, so that the store lists them in order. A
trial has no item: its number, hyperparameters and value stand in its record, and its model, while it is kept, is an
ordinary fit. A score is the value alone, by a key that has nothing to do with any search: what another search or a plan
takes over.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count, takewhile
from typing import Any

from omnibench.store.builders import Origin
from omnibench.store.schema import SEARCHED, Record, RecordLookup, RecordType, TrialStatus, timestamp, trial_identity
from omnibench.store.states import RecordSource

FINISHED = frozenset({TrialStatus.DONE.value, TrialStatus.FAILED.value, TrialStatus.PRUNED.value})
"""The statuses of trials of which nothing is to come any more."""


def search_record(
    search: str,
    origin: Origin,
    *,
    item: str,
    algorithm: str,
    dataset: str,
    dataset_label: str,
    label: str,
    fold: int | None,
    data_key: str,
    metric: str,
    higher_is_better: bool,
    space: Any,
    fixed: Mapping[str, Any],
    tuning: Any,
    per_fold: bool,
) -> Record:
    """Return the record of a search that begins now.

    Args:
        search: Its key.
        origin: The run and worker that begin it, and the directory of the item that it belongs to, in whose manifest it
            and its trials are repeated.
        item: The name of that item.
        algorithm: The algorithm's name, with its framework and key, as in the item's record.
        dataset: The dataset's name, with its key.
        dataset_label: What people call the dataset.
        label: What people call the configuration, e.g. ``RecPack.EASE (tuned)``.
        fold: The fold whose validation part judges, or None when the dataset has no folds.
        data_key: The dataset's key.
        metric: The label of the metric that judges, e.g. ``NDCG@10``.
        higher_is_better: Whether larger values of it are better.
        space: The identity of the search space; see ``tuning.Space.identity``.
        fixed: The hyperparameters that hold in every trial.
        tuning: The identity of budget, sampler and pruner; see ``tuning.Tuning.identity``.
        per_fold: Whether each fold has a search of its own; else the other folds take over this choice.
    """
    return {
        SEARCHED: search,
        "item": item,
        "algorithm": algorithm,
        "dataset": dataset,
        "dataset_label": dataset_label,
        "label": label,
        "fold": fold,
        "data_key": data_key,
        "metric": metric,
        "higher_is_better": higher_is_better,
        "space": space,
        "fixed": dict(fixed),
        "tuning": tuning,
        "per_fold": per_fold,
        "begun": timestamp(),
        "run": origin.run,
        "worker": origin.worker,
        "directory": origin.directory,
    }


def trial_record(
    search: str,
    number: int,
    origin: Origin,
    parameters: Mapping[str, Any],
    *,
    status: TrialStatus,
    fit_key: str,
    metric: str,
    value: float | None = None,
    phases: Mapping[str, float] | None = None,
    epochs: int | None = None,
    history: Iterable[Sequence[float]] = (),
    pruned: Mapping[str, Any] | None = None,
    error: Mapping[str, str] | None = None,
    reused: bool = False,
    threads: int | None = None,
    peak_rss: int | None = None,
) -> Record:
    """Return the record of a trial, proposed or finished.

    Args:
        search: The search's key.
        number: The trial's number; 0 has the algorithm's defaults.
        origin: The run and worker that propose or finish it, and the directory of the search.
        parameters: What was proposed, without constants and fixed hyperparameters; empty for the defaults.
        status: Where it stands.
        fit_key: The fit key of the experiment that it is.
        metric: The label of the metric that judges.
        value: The metric on the validation part; None while there is none, and where it failed or was pruned.
        phases: The wall seconds of Fit, Predict and Eval, as far as it went through them.
        epochs: The epoch that validation found to be the best, or None where the algorithm has none.
        history: Epoch and validation value, of each epoch that was judged; one that is no number becomes None.
        pruned: ``epoch``, ``value`` and ``reason`` of a pruned one.
        error: ``phase``, ``message`` and ``details`` of a failed one.
        reused: Whether its value was taken over from an earlier computation.
        threads: The number of threads of the process that fitted it.
        peak_rss: The largest memory of its phases in bytes.
    """
    return {
        SEARCHED: search,
        "number": number,
        "status": status.value,
        "parameters": dict(parameters),
        "fit_key": fit_key,
        "value": value,
        "metric": metric,
        **_effort(phases, epochs, history, threads, peak_rss),
        "pruned": None if pruned is None else dict(pruned),
        "error": None if error is None else dict(error),
        "reused": reused,
        "finished": None if status is TrialStatus.PROPOSED else timestamp(),
        "run": origin.run,
        "worker": origin.worker,
        "directory": origin.directory,
    }


def score_record(
    origin: Origin,
    fit_key: str,
    metric: str,
    value: float,
    *,
    phases: Mapping[str, float] | None = None,
    epochs: int | None = None,
    history: Iterable[Sequence[float]] = (),
    threads: int | None = None,
    peak_rss: int | None = None,
) -> Record:
    """Return the record of a model's value on the validation part, for other searches and plans.

    Args:
        origin: The run and worker that computed it, and the directory of the model's item or search.
        fit_key: The fit key of the experiment.
        metric: The label of the metric.
        value: The value.
        phases: The wall seconds of Fit, Predict and Eval.
        epochs: The epoch that validation found to be the best, or None.
        history: Epoch and validation value, of each epoch that was judged.
        threads: The number of threads of the process that fitted it.
        peak_rss: The largest memory of its phases in bytes.
    """
    return {
        "fit_key": fit_key,
        "metric": metric,
        "value": value,
        **_effort(phases, epochs, history, threads, peak_rss),
        "finished": timestamp(),
        "run": origin.run,
        "worker": origin.worker,
        "directory": origin.directory,
    }


def _effort(
    phases: Mapping[str, float] | None,
    epochs: int | None,
    history: Iterable[Sequence[float]],
    threads: int | None,
    peak_rss: int | None,
) -> Record:
    seconds = dict(phases or {})
    return {
        "seconds": sum(seconds.values()) if phases is not None else None,
        "phases": seconds,
        "epochs": epochs,
        "history": [[int(epoch), value if math.isfinite(value) else None] for epoch, value in history],
        "threads": threads,
        "peak_rss": peak_rss,
    }


def chosen_trial(
    trial: Record,
    trials: Sequence[Record],
    *,
    parameters: Mapping[str, Any],
    edges: Iterable[tuple[str, float, str]],
    budget: Mapping[str, Any],
    override: bool,
    per_fold: bool = True,
    defaults: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what the record of a tuned item keeps of the trial that its search has chosen; its ``chosen``.

    Args:
        trial: The record of the trial.
        trials: The records of all trials that the choice was made among.
        parameters: The hyperparameters that the chosen configuration was given, constants and fixed ones among them.
        edges: Those of them that lie at an edge of their range: name, value, ``low`` or ``high``.
        budget: The budget that the search had; see ``tuning.Tuning.budget``.
        override: Whether the user has given this algorithm another budget than the rest of the plan.
        per_fold: Whether each fold has chosen for itself.
        defaults: The values that the searched hyperparameters have by default, as far as they are known.
    """
    return {
        "number": trial["number"],
        "parameters": dict(parameters),
        "fit_key": trial["fit_key"],
        "metric": trial["metric"],
        "value": trial["value"],
        "epochs": trial.get("epochs"),
        "trials": len(trials),
        **{
            status.value: sum(judged["status"] == status for judged in trials)
            for status in (TrialStatus.PRUNED, TrialStatus.FAILED)
        },
        "reused": sum(bool(judged.get("reused")) for judged in trials),
        "seconds": sum(judged.get("seconds") or 0.0 for judged in trials),
        "edges": [[name, value, side] for name, value, side in edges],
        "budget": dict(budget),
        "override": override,
        "per_fold": per_fold,
        **({"defaults": dict(defaults)} if defaults and not trial["number"] else {}),
    }


def trials_text(chosen: Mapping[str, Any]) -> str:
    """Return how many trials there were to choose from, e.g. ``8 trials, 2 failed``.

    Args:
        chosen: As ``chosen_trial`` returns it.
    """
    number = chosen["trials"]
    special = [
        f"{chosen[status.value]} {status.value}"
        for status in (TrialStatus.PRUNED, TrialStatus.FAILED)
        if chosen.get(status.value)
    ]
    return ", ".join([f"{number} trial{'' if number == 1 else 's'}", *special])


def trial_key(search: str, number: int) -> str:
    """Return the key of the record of a trial."""
    return RecordType.TRIAL.key(trial_identity(search, number))


def trials_of(records: RecordSource, search: str) -> list[Record]:
    """Return the records of all trials of a search, in order of their numbers.

    Args:
        records: All records, to be read one at a time: a reader, or ``RecordsInMemory``.
        search: The search's key.
    """
    prefix = RecordType.TRIAL.key(f"{search}/")
    return sorted((record for _, record in records.records(prefix)), key=_number)


def trials_by_number(search: str, lookup: RecordLookup) -> list[Record]:
    """Return what ``trials_of`` returns, where records can only be looked up: numbers have no gaps.

    Args:
        search: The search's key.
        lookup: From a record's key to the record, or None.
    """
    records = (lookup(trial_key(search, number)) for number in count())
    return list(takewhile(lambda record: record is not None, records))  # type: ignore[arg-type]


def finished_trials(trials: Iterable[Record]) -> list[Record]:
    """Return those trials that are done, failed or pruned."""
    return [trial for trial in trials if trial["status"] in FINISHED]


def open_trials(trials: Iterable[Record]) -> list[Record]:
    """Return those trials that were proposed, and whose value nobody has yet."""
    return [trial for trial in trials if trial["status"] == TrialStatus.PROPOSED]


def searches_of(records: RecordSource) -> Iterator[tuple[Record, list[Record]]]:
    """Yield the record of every search with those of its trials, in order of their numbers.

    Args:
        records: As of ``trials_of``.
    """
    trials: dict[str, list[Record]] = {}
    for _, trial in records.records(RecordType.TRIAL.prefix):
        trials.setdefault(trial[SEARCHED], []).append(trial)
    for _, search in records.records(RecordType.SEARCH.prefix):
        yield search, sorted(trials.get(search[SEARCHED], ()), key=_number)


def best_of(trials: Iterable[Record], *, higher_is_better: bool) -> Record | None:
    """Return the done trial with the best value, of equal ones the first; None while none is done."""
    done = [trial for trial in trials if trial["status"] == TrialStatus.DONE and trial.get("value") is not None]
    sign = 1 if higher_is_better else -1
    return max(done, key=lambda trial: (sign * trial["value"], -trial["number"]), default=None)


def _number(trial: Record) -> int:
    return int(trial["number"])
