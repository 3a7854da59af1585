"""Results for analysis: a row or an object for every value, with everything that is known of it, and every digit."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from omnibench.report.contents import Contents, Spread
from omnibench.results import Result

if TYPE_CHECKING:
    import pandas as pd

FORMAT = "omnibench.results/1"
"""What the JSON file says of itself; the number changes when a reader would have to."""

_TYPES = {
    "dataset": "string",
    "dataset_key": "string",
    "algorithm": "string",
    "configuration": "string",
    "configuration_key": "string",
    "parameters": "string",
    "framework": "string",
    "framework_version": "string",
    "fold": "Int64",
    "metric": "string",
    "value": "float64",
    "stderr": "float64",
    "low": "float64",
    "high": "float64",
    "users": "Int64",
    "fit_seconds": "float64",
    "predict_seconds": "float64",
    "peak_memory": "Int64",
    "fit_key": "string",
}


def frame(contents: Contents) -> pd.DataFrame:
    """Return one row per dataset, configuration, fold and metric.

    Columns: dataset, dataset_key; algorithm (e.g. ``RecPack.EASE``), configuration (as tables name it),
    configuration_key, parameters (canonical JSON of those that were given), framework, framework_version; fold (missing
    for single splits), metric, value; stderr, low, high (standard error over users and bootstrap interval, 95 %), users;
    fit_seconds, predict_seconds, peak_memory (bytes) of the item; fit_key.
    """
    import pandas as pd

    return pd.DataFrame(list(_rows(contents)), columns=list(_TYPES)).astype(_TYPES)


def _rows(contents: Contents) -> Iterator[tuple[Any, ...]]:
    for result in contents.results:
        facts = contents.facts_of(result)
        for label, value in result.metrics.items():
            spread = facts.spreads.get(label, Spread())
            yield (
                result.dataset,
                facts.dataset_key,
                _algorithm(result),
                result.algorithm,
                facts.configuration_key,
                facts.parameters,
                facts.framework,
                facts.version,
                result.fold,
                label,
                value,
                spread.stderr,
                spread.low,
                spread.high,
                spread.users,
                facts.fit_seconds,
                facts.predict_seconds,
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
    """Return the same as JSON: datasets, their configurations, their folds, their metrics; and what is missing."""
    datasets = [
        {
            "name": name,
            "key": contents.facts_of(some[0]).dataset_key,
            "configurations": [_configuration(contents, rows) for rows in _grouped(some, lambda one: one.algorithm)],
        }
        for some in _grouped(contents.results, lambda one: one.dataset)
        for name in [some[0].dataset]
    ]
    missing = [{"item": one.item, "status": one.status, "why": one.why} for one in contents.missing]
    told = {"format": FORMAT, "datasets": datasets, "missing": missing}
    return (json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode(errors="backslashreplace")


def _configuration(contents: Contents, rows: list[Result]) -> dict[str, Any]:
    facts = contents.facts_of(rows[0])
    return {
        "algorithm": _algorithm(rows[0]),
        "name": rows[0].algorithm,
        "key": facts.configuration_key,
        "parameters": json.loads(facts.parameters),
        "framework": facts.framework,
        "framework_version": facts.version,
        "folds": [_fold(contents, one) for one in rows],
    }


def _fold(contents: Contents, result: Result) -> dict[str, Any]:
    facts = contents.facts_of(result)
    metrics = {}
    for label, value in result.metrics.items():
        spread = facts.spreads.get(label, Spread())
        metrics[label] = {
            "value": _finite(value),
            "stderr": _finite(spread.stderr),
            "low": _finite(spread.low),
            "high": _finite(spread.high),
            "users": spread.users,
        }
    return {
        "fold": result.fold,
        "fit_key": result.fit_key,
        "fit_seconds": facts.fit_seconds,
        "predict_seconds": facts.predict_seconds,
        "peak_memory": facts.peak_memory,
        "metrics": metrics,
    }


def _finite(value: float | None) -> float | None:
    """Return what JSON can say of a value."""
    return value if value is not None and math.isfinite(value) else None


def _algorithm(result: Result) -> str:
    return result.configuration.partition("(")[0]


def _grouped(results: Iterable[Result], by: Any) -> list[list[Result]]:
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(by(result), []).append(result)
    return list(found.values())
