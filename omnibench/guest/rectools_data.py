"""A fold as RecTools' dataset: its users and items are numbered in the order of the rows, and its external ids are codes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from rectools import Columns
from rectools.dataset import Dataset

from . import folds, parts
from .feature_types import BOOLEAN, TEXT, TEXTS
from .features import FeatureTable
from .kept import kept

CATEGORIES = (TEXT, TEXTS, BOOLEAN)
"""The types of features whose values are categories."""


def dataset_of(fold: folds.Fold, *, repeated: bool = False) -> Dataset:
    """Return the training part.

    Args:
        fold: The fold.
        repeated: Whether repeated interactions are several; else the latest counts.
    """
    return kept(fold, f"RecTools {repeated=}", lambda: Dataset.construct(_table(_rows(fold, repeated=repeated))))


def dataset_with_category(fold: folds.Fold, feature: str) -> Dataset:
    """Return the training part, with all its interactions and a feature of its items.

    Args:
        fold: The fold.
        feature: The name of the feature.

    Raises:
        ValueError: The items have none of that name, or it is a number.
    """
    table = fold.features("items")
    if table is None or table.types.get(feature) not in CATEGORIES:
        names = [] if table is None else [name for name in table.names if table.types[name] in CATEGORIES]
        raise ValueError(
            f"the items have no categories {feature!r}; they have {', '.join(names) or 'none'}. Give the dataset's own with "
            "category_feature=, or add some to the dataset with .with_features()."
        )
    codes, values = (np.concatenate(column) for column in zip(*_categories(table, feature), strict=True))
    is_known = fold.candidates[codes]
    frame = pd.DataFrame({"id": codes[is_known], "feature": feature, "value": values[is_known]})
    return Dataset.construct(_table(_rows(fold, repeated=True)), item_features_df=frame, cat_item_features=[feature])


def _categories(table: FeatureTable, feature: str) -> Iterator[tuple[parts.Ints, np.ndarray]]:
    """Yield item codes and the categories that they have."""
    if table.types[feature] == TEXTS:
        first, position, texts = table.members(feature)
        codes = np.repeat(np.arange(len(first) - 1, dtype=np.int32), np.diff(first))
    else:
        position, texts = table.categories(feature)
        codes = np.arange(len(position), dtype=np.int32)
    has_one = position >= 0
    yield codes[has_one], np.array(texts, dtype=object)[position[has_one]]


def _rows(fold: folds.Fold, *, repeated: bool) -> parts.Part:
    train = fold.train
    is_single = repeated or not fold.keeps_repeats
    return train if is_single else parts.rows_of(train, parts.latest_rows(train, fold.n_items))


def _table(part: parts.Part) -> pd.DataFrame:
    """Return a part as RecTools takes it: everything weighs the same, and without timestamps all happens at once."""
    seconds = np.zeros(len(part), dtype=np.int64) if part.timestamp is None else part.timestamp
    return pd.DataFrame(
        {
            Columns.User: part.user,
            Columns.Item: part.item,
            Columns.Weight: np.ones(len(part)),
            Columns.Datetime: seconds.astype("datetime64[s]").astype("datetime64[ns]"),
        },
        copy=False,
    )
