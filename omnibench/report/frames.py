"""Results for analysis: a row or an object for every value, with all recorded facts and every digit."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from omnibench.report.contents import Contents, Uncertainty
from omnibench.results import Result
from omnibench.tables.names import DisplayNames, display_names

if TYPE_CHECKING:
    import pandas as pd

FORMAT = "omnibench.results/1"
"""The format that the JSON file names; its number changes when readers have to change."""

_TYPES = {
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
    "fit_seconds": "float64",
    "predict_seconds": "float64",
    "start_seconds": "float64",
    "peak_memory": "Int64",
    "fit_key": "string",
}


def frame(contents: Contents) -> pd.DataFrame:
    """Return one row per dataset, configuration, fold and metric.

    Columns: dataset (as its directory is called), dataset_label (as tables call it), dataset_key; algorithm (e.g.
    ``RecPack.EASE``), configuration (as its directory is called), label (as tables call it), configuration_key,
    parameters (canonical JSON of those that were given), seed, refit (the parts that the model was fitted on where
    that is not training alone), framework, framework_version; fold (missing for single splits), metric, value; stderr, low, high (standard error over users and bootstrap interval, 95 %), users; cold_users
    and cold_items (those of the test part that are unknown in training; missing where that was not counted);
    fit_seconds, predict_seconds, start_seconds (of the framework's process, part of neither), peak_memory (bytes) of
    the item; fit_key.
    """
    import pandas as pd

    return pd.DataFrame(list(_rows(contents)), columns=list(_TYPES)).astype(_TYPES)


def _rows(contents: Contents) -> Iterator[tuple[Any, ...]]:
    names = display_names(contents.results)
    for result in contents.results:
        facts = contents.facts_of(result)
        cold = contents.cold_counts(result)
        for label, value in result.metrics.items():
            uncertainty = facts.uncertainties.get(label, Uncertainty())
            yield (
                result.dataset,
                names.dataset(result.dataset),
                facts.dataset_key,
                _algorithm(result),
                result.algorithm,
                names.configuration(result.algorithm),
                facts.configuration_key,
                facts.parameters,
                result.seed,
                result.refit or None,
                facts.framework,
                facts.version,
                result.fold,
                label,
                _finite(value),
                _finite(uncertainty.stderr),
                _finite(uncertainty.low),
                _finite(uncertainty.high),
                uncertainty.users,
                cold.get("cold_users"),
                cold.get("cold_items"),
                facts.fit_seconds,
                facts.predict_seconds,
                facts.start_seconds,
                facts.peak_memory,
                result.fit_key,
            )


def csv(contents: Contents) -> bytes:
    """Return the rows as CSV; floats have as many digits as it takes to read back the same ones."""
    text: str = frame(contents).to_csv(index=False, lineterminator="\n")
    return text.encode()


def parquet(contents: Contents) -> bytes:
    """Return the rows as Parquet."""
    buffer = io.BytesIO()
    frame(contents).to_parquet(buffer, index=False)
    return buffer.getvalue()


def nested(contents: Contents) -> bytes:
    """Return the values as nested JSON: datasets, configurations, folds, metrics; and the items that are missing."""
    names = display_names(contents.results)
    datasets = [
        {
            "name": group[0].dataset,
            "label": names.dataset(group[0].dataset),
            "key": contents.facts_of(group[0]).dataset_key,
            **_cold(contents, group[0].dataset),
            "configurations": [
                _configuration(contents, rows, names) for rows in _grouped(group, lambda result: result.algorithm)
            ],
        }
        for group in _grouped(contents.results, lambda result: result.dataset)
    ]
    missing = [{"item": item.item, "status": item.status, "why": item.reason} for item in contents.missing]
    document = {"format": FORMAT, "datasets": datasets, "missing": missing}
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode(
        errors="backslashreplace"
    )


def _cold(contents: Contents, dataset: str) -> dict[str, Any]:
    """Return how many test users and items are unknown in training, by fold; nothing where that was not counted."""
    summary = contents.dataset_summaries.get(dataset)
    return {"unknown_in_training": list(summary.cold["folds"])} if summary and summary.cold else {}


def _configuration(contents: Contents, rows: list[Result], names: DisplayNames) -> dict[str, Any]:
    facts = contents.facts_of(rows[0])
    return {
        "algorithm": _algorithm(rows[0]),
        "name": rows[0].algorithm,
        "label": names.configuration(rows[0].algorithm),
        "key": facts.configuration_key,
        "parameters": json.loads(facts.parameters),
        "seed": rows[0].seed,
        "refit": rows[0].refit or None,
        "framework": facts.framework,
        "framework_version": facts.version,
        "folds": [_fold(contents, result) for result in rows],
    }


def _fold(contents: Contents, result: Result) -> dict[str, Any]:
    facts = contents.facts_of(result)
    metrics = {}
    for label, value in result.metrics.items():
        uncertainty = facts.uncertainties.get(label, Uncertainty())
        metrics[label] = {
            "value": _finite(value),
            "stderr": _finite(uncertainty.stderr),
            "low": _finite(uncertainty.low),
            "high": _finite(uncertainty.high),
            "users": uncertainty.users,
        }
    return {
        "fold": result.fold,
        "fit_key": result.fit_key,
        "fit_seconds": facts.fit_seconds,
        "predict_seconds": facts.predict_seconds,
        "start_seconds": facts.start_seconds,
        "peak_memory": facts.peak_memory,
        "metrics": metrics,
    }


def _finite(value: float | None) -> float | None:
    """Return a value, or None where it is no number that every reader of a file knows."""
    return value if value is not None and math.isfinite(value) else None


def _algorithm(result: Result) -> str:
    return result.configuration.partition("(")[0]


def _grouped(results: Iterable[Result], key_of: Callable[[Result], str]) -> list[list[Result]]:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(key_of(result), []).append(result)
    return list(groups.values())
