"""A fold as RecTools' dataset: its users and items are numbered in the order of the rows, and its external ids are codes.

Features are handed over in RecTools' flat form, a row for each value: what is a category counts, and a number is itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from rectools import Columns
from rectools.dataset import Dataset

from . import folds, parts
from .feature_types import NUMBER, TEXTS
from .features import FeatureTable
from .kept import kept


def dataset_of(
    fold: folds.Fold, *, repeated: bool = False, features: Mapping[str, Sequence[str]] | None = None
) -> Dataset:
    """Return the training part, with features of the users and items that are in it.

    Args:
        fold: The fold.
        repeated: Whether repeated interactions are several; else the latest counts.
        features: The names of the features of ``users`` and of ``items``; None for none.
    """
    named = {subject: names for subject, names in (features or {}).items() if names}

    def make() -> Dataset:
        return Dataset.construct(_table(_rows(fold, repeated=repeated)), **_described(fold, named))

    return kept(fold, f"RecTools {repeated=} features={named}", make)


def _described(fold: folds.Fold, features: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return features as RecTools' dataset is constructed with them."""
    arguments: dict[str, Any] = {}
    for subject, names in features.items():
        table = fold.features(subject)
        assert table is not None, "its features were selected"
        is_trained = fold.candidates if subject == "items" else _are_users(fold)
        frame = pd.concat([_flat(table, name, is_trained) for name in names], ignore_index=True)
        if frame.empty:
            raise ValueError(
                f"none of the {subject} in training has a value of {', '.join(names)}. Name other features, or fill these in."
            )
        single = subject.removesuffix("s")
        arguments[f"{single}_features_df"] = frame
        arguments[f"cat_{single}_features"] = [name for name in names if table.types[name] != NUMBER]
    return arguments


def _are_users(fold: folds.Fold) -> np.ndarray:
    """Return whether users are in the training part, by code."""
    is_user = np.zeros(fold.n_users, dtype=bool)
    is_user[fold.train.user] = True
    return is_user


def _flat(table: FeatureTable, name: str, is_trained: np.ndarray) -> pd.DataFrame:
    """Return a row for each value of a feature that users or items of the training part have, by code."""
    codes, values = _values(table, name)
    shown = is_trained[codes]
    return pd.DataFrame({"id": codes[shown], "feature": name, "value": values[shown].astype(object)})


def _values(table: FeatureTable, name: str) -> tuple[parts.Ints, np.ndarray]:
    """Return codes, ascending, and the values that they have; what is missing has none."""
    if table.types[name] == NUMBER:
        numbers = table.column(name)
        codes = np.flatnonzero(~np.isnan(numbers))
        return codes, numbers[codes]
    if table.types[name] == TEXTS:
        first, position, texts = table.members(name)
        codes = np.repeat(np.arange(len(first) - 1, dtype=np.int32), np.diff(first))
    else:
        position, texts = table.categories(name)
        codes = np.arange(len(position), dtype=np.int32)
    has_value = position >= 0
    return codes[has_value], np.array(texts, dtype=object)[position[has_value]]


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
