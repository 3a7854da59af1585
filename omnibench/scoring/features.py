"""What is known about the users and items of scored predictions: for metrics by group, and of items' features."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from omnibench.data.features.sources import FeatureSource, features_from
from omnibench.errors import EvaluationError
from omnibench.metrics.base import Metric
from omnibench.metrics.feature_groups import FeatureGroups
from omnibench.metrics.joint_ids import integer_of

if TYPE_CHECKING:
    from omnibench.guest.features import FeatureTable

Features: TypeAlias = "Callable[[str], FeatureTable | None]"
"""Returns what is known about ``users`` or ``items``; None for nothing."""


def feature_sources(users: Any, items: Any, lists: Mapping[str, str] | None) -> dict[str, FeatureSource]:
    """Return what somebody knows about users and items.

    Args:
        users: A frame with a column ``user`` and a column for each feature, or the path of a file; None for nothing.
        items: Likewise with a column ``item``.
        lists: What separates the members of columns that hold several, e.g. ``{"genres": "|"}``.

    Raises:
        DataError: It is none of these, or an id is there twice.
        EvaluationError: There are lists of nothing.
    """
    arguments = {subject: table for subject, table in (("users", users), ("items", items)) if table is not None}
    if not arguments:
        if lists:
            raise EvaluationError(
                f"lists is {dict(lists)!r}, but there are no features; give users=... or items=..., too."
            )
        return {}
    return features_from(arguments, lists or {}, "score", {})


def require_features(metrics: Sequence[Metric], sources: Mapping[str, FeatureSource]) -> None:
    """Refuse metrics that are made of features which nobody gave.

    Raises:
        EvaluationError: There is such a metric.
    """
    for metric in metrics:
        groupings = [grouping for grouping in metric.groupings if isinstance(grouping, FeatureGroups)]
        subjects = [("users or items", grouping.name) for grouping in groupings]
        subjects += [("items", name) for name in metric.item_features]
        for subject, name in subjects:
            if not sources or (subject == "items" and "items" not in sources):
                either = subject == "users or items"
                arguments = "users=df, or items=df" if either else "items=df"
                files = "--users FILE, or --items FILE" if either else "--items FILE"
                raise EvaluationError(
                    f"{metric!r} needs the feature {name!r} of {subject}; give score a frame of them, {arguments} "
                    f"({files}), with a column for the ids and one called {name!r}."
                )


@contextmanager
def feature_tables(
    sources: Mapping[str, FeatureSource], ids: Mapping[str, Sequence[Hashable]], notes: list[str]
) -> Iterator[Features]:
    """Give what is known about users and items by code.

    Args:
        sources: What is known, by subject.
        ids: The ids by code, by subject.
        notes: Gets sentences on what is missing.
    """
    if not sources:
        yield lambda _: None
        return
    from omnibench.data.features.arrays import write_features  # which import numpy
    from omnibench.guest.features import FeatureTable

    with tempfile.TemporaryDirectory(prefix="omnibench-") as directory:
        tables: dict[str, FeatureTable] = {}
        for subject, source in sources.items():
            columns, folder = source.read(), Path(directory, subject)
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                write_features(folder, columns, _typed_like(columns.ids, ids[subject]), "score")
            notes += [str(warning.message).removeprefix("score: ") for warning in warned]
            tables[subject] = FeatureTable(folder)
        yield tables.get


def _typed_like(examples: Sequence[Hashable], ids: Sequence[Hashable]) -> list[Hashable]:
    """Return ids that are texts as numbers, where the features have numbers: files of trec_eval have nothing but texts."""
    if not examples or type(examples[0]) is not int:
        as_texts = bool(examples) and isinstance(examples[0], str)
        return [str(own_id) if as_texts and type(own_id) is int else own_id for own_id in ids]
    return [integer_of(own_id) if isinstance(own_id, str) else own_id for own_id in ids]
