"""Features of a dataset's items as a matrix, by item code: a column for each tag, or for each number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from omnibench.errors import EvaluationError, nearest
from omnibench.guest.features import BOOLEAN, NO_TEXT, NUMBER, TEXT
from omnibench.metrics.base import Values

if TYPE_CHECKING:
    import numpy as np

    from omnibench.guest.features import FeatureTable
else:
    from omnibench.lazy import np


def feature_names(feature: Any, metric: str) -> tuple[str, ...]:
    """Return the names of the features that a metric is made of.

    Args:
        feature: A name, or several.
        metric: The metric's name in errors.

    Raises:
        EvaluationError: It is none, or a name is there twice.
    """
    names = [feature] if isinstance(feature, str) else list(feature) if isinstance(feature, Iterable) else []
    if not names or not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise EvaluationError(
            f"{metric}: feature is {feature!r}; give the name of a feature of the dataset's items, e.g. feature='genres', or a list "
            "of different names."
        )
    return tuple(names)


def feature_matrix(table: FeatureTable | None, names: Sequence[str], metric: str) -> tuple[Values, bool]:
    """Return features of items as a matrix.

    Args:
        table: What is known about the items; None for nothing.
        names: The features.
        metric: The metric's name in errors.

    Returns:
        Shape (n_items, tags or numbers), and whether they are tags: 1 for a tag that an item has, 0 for any other, so that
        an item whose texts are missing has none. Numbers are NaN where they are missing.

    Raises:
        EvaluationError: There is no such feature, or some are tags and others numbers.
    """
    types = {} if table is None else table.types
    for name in names:
        if table is None or name not in types:
            raise EvaluationError(unknown_feature(name, list(types), metric))
    assert table is not None, "the first name was refused"
    are_numbers = {name: types[name] in (NUMBER, BOOLEAN) for name in names}
    if len(set(are_numbers.values())) > 1:
        number, tag = (next(name for name in names if are_numbers[name] is is_number) for is_number in (True, False))
        raise EvaluationError(
            f"{metric}: {number!r} is a feature of numbers, and {tag!r} of texts; give features that are all numbers or all texts."
        )
    if are_numbers[names[0]]:
        return np.column_stack([table.column(name) for name in names]), False
    return np.hstack([_tags(table, name) for name in names]), True


def unknown_feature(name: str, names: Sequence[str], metric: str) -> str:
    """Return what is wrong with a metric of a feature that the dataset's items do not have, and what to do.

    Args:
        name: The feature.
        names: Those that they have.
        metric: The metric's name.
    """
    has = f"its items have {', '.join(names)}" if names else "nothing is known about its items"
    return (
        f"{metric} needs the feature {name!r} of the dataset's items, but {has}{nearest(name, names) or '.'} Give it a frame with "
        f"the columns 'item' and {name!r}: dataset.with_features(items=df); with_features() alone where the catalogue has some."
    )


def _tags(table: FeatureTable, name: str) -> Values:
    if table.types[name] == TEXT:
        members, texts = table.categories(name)
        first = np.arange(len(members) + 1)
    else:
        first, members, texts = table.members(name)
    owner = np.repeat(np.arange(len(first) - 1), np.diff(first))
    is_tag = members != NO_TEXT
    matrix = np.zeros((len(first) - 1, len(texts)))
    matrix[owner[is_tag], members[is_tag]] = 1
    return matrix
