"""Results for analysis: a row or an object for every value, with all recorded facts and every digit."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from omnibench.comparison.variance import COMPONENTS
from omnibench.keys import recorded_text
from omnibench.report.contents import Contents
from omnibench.report.item_facts import Uncertainty
from omnibench.results import Result
from omnibench.store.taken import Origin
from omnibench.tables.conditional import algorithm_of
from omnibench.tables.names import DisplayNames, display_names
from omnibench.tables.seeds import distinct, seed_groups, seeds_of

if TYPE_CHECKING:
    import pandas as pd

FORMAT = "omnibench.results/1"
"""The format that the JSON file names; its number changes when readers have to change."""

ROWS_AT_HAND = 5000
"""How many rows are made at a time."""

COLUMN_TYPES = {
    "dataset": "string",
    "dataset_label": "string",
    "dataset_key": "string",
    "algorithm": "string",
    "configuration": "string",
    "label": "string",
    "configuration_key": "string",
    "parameters": "string",
    "seed": "Int64",
    "refit": "string",
    "framework": "string",
    "framework_version": "string",
    "fold": "Int64",
    "metric": "string",
    "value": "float64",
    "stderr": "float64",
    "low": "float64",
    "high": "float64",
    "users": "Int64",
    "cold_users": "Int64",
    "cold_items": "Int64",
    "before_training_end": "Int64",
    "fit_seconds": "float64",
    "predict_seconds": "float64",
    "start_seconds": "float64",
    "peak_memory": "Int64",
    "fit_key": "string",
    "seeds": "Int64",
    "mean": "float64",
    "std": "float64",
    **{f"{component}_variance": "float64" for component in COMPONENTS},
    "chosen": "string",
    "tuning_metric": "string",
    "tuning_value": "float64",
    "tuning_trials": "Int64",
    "tuning_pruned": "Int64",
    "tuning_failed": "Int64",
    "tuning_seconds": "float64",
    "tuning_budget": "string",
    "tuning_override": "boolean",
    "tuning_per_fold": "boolean",
    "taken_from": "string",
    "taken_by": "string",
    "taken_time": "string",
    "taken_sha256": "string",
}
"""The columns of a row for every value, with their types in pandas."""


def frame(contents: Contents) -> pd.DataFrame:
    """Return one row per dataset, configuration, fold and metric.

    Columns: dataset (as its directory is called), dataset_label (as tables call it), dataset_key; algorithm (e.g.
    ``RecPack.EASE``), configuration (as its directory is called), label (as tables call it), configuration_key,
    parameters (canonical JSON of those that were given), seed, refit (the parts that the model was fitted on where
    that is not training alone), framework, framework_version; fold (missing for single splits), metric, value;
    stderr, low, high (standard error over users and 95 % interval), users; cold_users
    and cold_items (those of the test part that are unknown in training; missing where that was not counted);
    before_training_end (the test interactions that are earlier than the latest one of training; missing without times);
    fit_seconds, predict_seconds, start_seconds (of the framework's process, part of neither), peak_memory (bytes) of
    the item; fit_key; and of the configuration with all of its seeds: seeds (how many), mean and std (over folds and
    seeds, n - 1), and, where there are several seeds, the variance of a user's value by what contributes to it:
    user_variance, fold_variance, seed_variance, residual_variance. Of what was tuned: chosen (canonical JSON of the chosen
    hyperparameters), tuning_metric and tuning_value (on validation data), tuning_trials, tuning_pruned and
    tuning_failed (of these), tuning_seconds (what the search has cost), tuning_budget (canonical JSON), tuning_override
    (whether it is another budget than the plan's), tuning_per_fold (False where all folds take the first one's choice). Of what was taken over from another store: taken_from
    (which one), taken_by (who has computed it), taken_time (when), taken_sha256 (the digest of the text that was verified).
    """
    import pandas as pd

    return pd.DataFrame(list(rows_of(contents)), columns=list(COLUMN_TYPES)).astype(COLUMN_TYPES)


def blocks_of(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    """Yield rows by thousands: of a hundred thousand items, all of them together would take a gigabyte."""
    remaining = iter(rows)
    while block := list(islice(remaining, ROWS_AT_HAND)):
        yield block


def rows_of(contents: Contents) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of ``frame``, each with the values of ``COLUMN_TYPES``."""
    names = display_names(contents.results)
    with_seeds = _with_all_seeds(contents.results)
    summary = lru_cache(maxsize=ROWS_AT_HAND)(partial(_summary, contents))
    for result in contents.results:
        configuration = with_seeds[result.dataset, result.algorithm]
        seeds = len(seeds_of(configuration.rows))
        facts = contents.facts_of(result)
        counts = contents.split_counts(result)
        head = (
            result.dataset,
            names.dataset(result.dataset),
            facts.dataset_key,
            algorithm_of(result),
            result.algorithm,
            names.configuration(result.algorithm),
            facts.configuration_key,
            facts.parameters,
            result.seed,
            result.refit or None,
            facts.framework,
            facts.version,
            result.fold,
        )
        of_item = (
            counts.get("cold_users"),
            counts.get("cold_items"),
            counts.get("before_training_end"),
            facts.fit_seconds,
            facts.predict_seconds,
            facts.start_seconds,
            facts.peak_memory,
            result.fit_key,
            seeds,
        )
        tuning = tuple(_tuning(result).values())
        for label, value in result.metrics.items():
            uncertainty = facts.uncertainties.get(label, Uncertainty())
            yield (
                *head,
                label,
                _finite(value),
                _finite(uncertainty.stderr),
                _finite(uncertainty.low),
                _finite(uncertainty.high),
                uncertainty.users,
                *of_item,
                *summary(configuration, label).values(),
                *tuning,
                *_origin(facts.origin_of(label)).values(),
            )


def _tuning(result: Result) -> dict[str, Any]:
    """Return what was chosen for a tuned result, and with which effort; None of others."""
    chosen = result.chosen
    if chosen is None:
        names = ("metric", "value", "trials", "pruned", "failed", "seconds", "budget", "override", "per_fold")
        return dict.fromkeys(("chosen", *names))
    return {
        "chosen": recorded_text(chosen["parameters"]),
        "metric": chosen.get("metric"),
        "value": _finite(chosen.get("value")),
        **{name: chosen.get(name) for name in ("trials", "pruned", "failed")},
        "seconds": chosen.get("seconds"),
        "budget": recorded_text(chosen.get("budget") or {}),
        "override": chosen.get("override"),
        "per_fold": chosen.get("per_fold"),
    }


def _origin(origin: Origin | None) -> dict[str, str | None]:
    """Return where a metric was taken over from; None of others."""
    if origin is None:
        return dict.fromkeys(("from", "by", "time", "sha256"))
    return {"from": origin.source, "by": origin.by or None, "time": origin.time, "sha256": origin.sha256}


@dataclass(frozen=True, slots=True, eq=False)
class _WithSeeds:
    """A configuration on a dataset, with all of its seeds.

    Attributes:
        name: The display name of the configuration with the lowest seed.
        rows: The results of all seeds.
        counted: Those that count; see ``tables.seeds``.
    """

    name: str
    rows: list[Result]
    counted: list[Result]


def _with_all_seeds(results: Sequence[Result]) -> dict[tuple[str, str], _WithSeeds]:
    """Return each configuration with all of its seeds, by dataset and the display name with any of its seeds."""
    groups = seed_groups(results)
    rows: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        rows.setdefault((result.dataset, groups.get(result.algorithm, result.algorithm)), []).append(result)
    configurations = {key: _WithSeeds(key[1], of_key, distinct(of_key)) for key, of_key in rows.items()}
    return {
        (result.dataset, result.algorithm): configurations[
            result.dataset, groups.get(result.algorithm, result.algorithm)
        ]
        for result in results
    }


def _summary(contents: Contents, configuration: _WithSeeds, label: str) -> dict[str, float | None]:
    """Return the mean and the deviation of a metric over folds and seeds, and what contributes to its variance."""
    values = [row.metrics[label] for row in configuration.counted if label in row.metrics]
    mean = _finite(math.fsum(values) / len(values)) if values and all(map(math.isfinite, values)) else None
    deviation = _finite(statistics.stdev(values)) if mean is not None and len(values) > 1 else None
    variances = contents.variances.get((configuration.rows[0].dataset, configuration.name), {}).get(label, {})
    parts = {f"{component}_variance": _finite(variances.get(component)) for component in COMPONENTS}
    return {"mean": mean, "std": deviation, **parts}


def nested(contents: Contents) -> Iterator[bytes]:
    """Yield the values as nested JSON: datasets, configurations, folds, metrics; and the items that are missing."""
    names = display_names(contents.results)
    with_seeds = _with_all_seeds(contents.results)
    yield _encoded(f'{{\n "format": {json.dumps(FORMAT)},\n "datasets": [')
    separator = "\n"
    for group in _grouped(contents.results, lambda result: result.dataset):
        head = {
            "name": group[0].dataset,
            "label": names.dataset(group[0].dataset),
            "key": contents.facts_of(group[0]).dataset_key,
            **_counts_by_fold(contents, group[0].dataset),
        }
        opened = _indented(head, 2).removesuffix("\n  }")
        yield _encoded(f'{separator}{opened},\n   "configurations": [')
        separator = "\n"
        for rows in _grouped(group, lambda result: result.algorithm):
            of_seeds = with_seeds[rows[0].dataset, rows[0].algorithm]
            yield _encoded(f"{separator}{_indented(_configuration(contents, rows, names, of_seeds), 4)}")
            separator = ",\n"
        yield b"\n   ]\n  }"
    missing = [{"item": item.item, "status": item.status, "why": item.reason} for item in contents.missing]
    closed = "\n ]" if contents.results else "]"
    yield _encoded(f'{closed},\n "missing": {_indented(missing, 1).lstrip()}\n}}\n')


def _indented(data: Any, levels: int) -> str:
    """Return JSON as it stands inside of so many objects and lists; line breaks in texts are escaped."""
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)
    return " " * levels + text.replace("\n", "\n" + " " * levels)


def _encoded(text: str) -> bytes:
    return text.encode(errors="backslashreplace")


def _counts_by_fold(contents: Contents, dataset: str) -> dict[str, Any]:
    """Return how many test users and items are unknown in training, and what leaks, by fold; nothing where not counted."""
    summary = contents.dataset_summaries.get(dataset)
    if summary is None:
        return {}
    named = {"unknown_in_training": summary.counts.cold, "leakage": summary.counts.leakage}
    return {name: list(counted["folds"]) for name, counted in named.items() if counted}


def _configuration(
    contents: Contents, rows: list[Result], names: DisplayNames, with_seeds: _WithSeeds
) -> dict[str, Any]:
    facts = contents.facts_of(rows[0])
    summary = {label: _summary(contents, with_seeds, label) for label in _labels(rows)}
    return {
        "algorithm": algorithm_of(rows[0]),
        "name": rows[0].algorithm,
        "label": names.configuration(rows[0].algorithm),
        "key": facts.configuration_key,
        "parameters": _plain(facts.parameters),
        "seed": rows[0].seed,
        "refit": rows[0].refit or None,
        "framework": facts.framework,
        "framework_version": facts.version,
        "seeds": len(seeds_of(with_seeds.rows)),
        "summary": summary,
        "folds": [_fold(contents, result) for result in rows],
    }


def _plain(text: str) -> Any:
    """Return recorded data, in which texts stand for numbers that JSON does not have, e.g. ``Infinity``."""
    return json.loads(text, parse_constant=str)


def _labels(rows: Iterable[Result]) -> list[str]:
    return list(dict.fromkeys(label for row in rows for label in row.metrics))


def _fold(contents: Contents, result: Result) -> dict[str, Any]:
    facts = contents.facts_of(result)
    metrics: dict[str, dict[str, Any]] = {}
    for label, value in result.metrics.items():
        uncertainty = facts.uncertainties.get(label, Uncertainty())
        metrics[label] = {
            "value": _finite(value),
            "stderr": _finite(uncertainty.stderr),
            "low": _finite(uncertainty.low),
            "high": _finite(uncertainty.high),
            "users": uncertainty.users,
        }
        origin = facts.origin_of(label)
        if origin is not None:
            metrics[label]["taken"] = _origin(origin)
    return {
        "fold": result.fold,
        "fit_key": result.fit_key,
        "fit_seconds": facts.fit_seconds,
        "predict_seconds": facts.predict_seconds,
        "start_seconds": facts.start_seconds,
        "peak_memory": facts.peak_memory,
        **({"attempts": [dict(attempt) for attempt in facts.attempts]} if facts.attempts else {}),
        "metrics": metrics,
        **({"tuning": _nested_tuning(result)} if result.chosen is not None else {}),
    }


def _nested_tuning(result: Result) -> dict[str, Any]:
    facts = _tuning(result)
    return {**facts, "chosen": _plain(facts["chosen"]), "budget": _plain(facts["budget"])}


def _finite(value: float | None) -> float | None:
    """Return a value, or None where it is no number that every reader of a file knows."""
    return value if value is not None and math.isfinite(value) else None


def _grouped(results: Iterable[Result], key_of: Callable[[Result], str]) -> list[list[Result]]:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(key_of(result), []).append(result)
    return list(groups.values())
