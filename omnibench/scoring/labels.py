"""Metrics by the labels of their columns, such as ``NDCG@10``, ``NDCG[relevant=4]@10`` or ``NDCG[lenskit]@10``."""

from __future__ import annotations

import inspect
import re
from typing import Any

import omnibench.metrics
from omnibench.errors import EvaluationError, nearest
from omnibench.metrics.base import DEFAULT_CONVENTION, PEERS, Metric
from omnibench.metrics.cost import CostMetric
from omnibench.metrics.groups import Activity, ColdItems, Grouping, Popularity
from omnibench.metrics.ranking_metric import RankingMetric

_LABEL = re.compile(
    r"(?P<name>\w+)(?:\((?P<arguments>[^)]*)\))?(?:\[(?P<notes>[^]]*)\])?(?:@(?P<k>[\d,]+))?(?: by (?P<by>.+))?"
)
_NOT_NAMED = ("Metric", "HitMetric")


def metric_of(label: str) -> Metric:
    """Return the metric of omnibench that a label names, as columns of results are called.

    Args:
        label: E.g. ``NDCG@10``, ``NDCG@10,20``, ``RMSE``, ``NDCG[gains=rating]@10``, ``NDCG[relevant=4, trec]@10`` or
            ``PopularityStratifiedRecall(beta=0.3)@10``; by groups ``NDCG@10 by gender``, ``by popularity``, ``by activity(3)``.

    Raises:
        EvaluationError: There is no such metric, or it needs more than a label says.
    """
    match = _LABEL.fullmatch(label.strip())
    if match is None:
        raise EvaluationError(f"{label!r} is no label of a metric; write one such as NDCG@10 or NDCG[relevant=4]@10.")
    definition = _definition(match["name"], label)
    if issubclass(definition, RankingMetric) != bool(match["k"]):
        name = match["name"]
        raise EvaluationError(
            f"the metric {label!r}: "
            + (f"{name} has no list length, write {name}." if match["k"] else f"give its list length, {name}@10.")
        )
    _check_parameters(definition, label)
    arguments, convention = _arguments(label, match["arguments"], match["notes"])
    if match["by"]:
        arguments["by"] = _grouping(match["by"])
    lengths = [int(k) for k in (match["k"] or "").split(",") if k]
    try:
        metric: Metric = definition(**({"k": lengths} if lengths else {}), **arguments)
    except TypeError:
        raise EvaluationError(
            f"the metric {label!r}: {match['name']} takes {_options_of(definition)}, but not {', '.join(arguments)}; leave out what it "
            "does not take."
        ) from None
    return metric.under(convention) if convention != DEFAULT_CONVENTION else metric


def _definition(name: str, label: str) -> Any:
    names = [metric for metric in omnibench.metrics.__all__ if metric not in _NOT_NAMED]
    definition: Any = getattr(omnibench.metrics, name) if name in names else None
    if definition is None:
        raise EvaluationError(f"the metric {label!r}: omnibench has no metric {name!r}{nearest(name, names) or '.'}")
    if issubclass(definition, CostMetric):
        raise EvaluationError(
            f"the metric {label!r} is what a fit or a prediction costs, which no list tells; leave it out."
        )
    return definition


def _check_parameters(definition: Any, label: str) -> None:
    parameters = inspect.signature(definition).parameters.values()
    required = [entry.name for entry in parameters if entry.default is entry.empty and entry.name != "k"]
    if required:
        raise EvaluationError(
            f"the metric {label!r} needs {', '.join(required)}, which no label says; give the metric itself to omnibench.score: "
            f"{definition.__name__}(...)."
        )


def _arguments(label: str, arguments: str | None, notes: str | None) -> tuple[dict[str, Any], str]:
    """Return what a label says in parentheses and brackets: arguments by name, and the convention."""
    values: dict[str, Any] = {}
    convention = DEFAULT_CONVENTION
    for part in f"{arguments or ''},{notes or ''}".split(","):
        name, separator, value = (text.strip() for text in part.partition("="))
        if separator and name and value:
            values[name] = _value(value)
        elif name in PEERS:
            convention = name
        elif name:
            raise EvaluationError(
                f"the metric {label!r}: {name!r} is neither an argument, such as relevant=4, nor a convention; conventions are "
                f"{', '.join(PEERS)}."
            )
    return values, convention


_GROUPINGS: dict[str, Any] = {"popularity": Popularity, "activity": Activity, "items": ColdItems}


def _grouping(text: str) -> str | Grouping:
    """Return what divides into groups: by its name, with the number of groups where there is one; else the feature."""
    name, opening, number = text.strip().rstrip(")").partition("(")
    definition = _GROUPINGS.get(name)
    if definition is None:
        return text.strip()
    grouping: Grouping = definition(int(number)) if opening and number.isdecimal() else definition()
    return grouping


def _options_of(definition: Any) -> str:
    return ", ".join(name for name in inspect.signature(definition).parameters if name != "k") or "nothing beside k"


def _value(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text
