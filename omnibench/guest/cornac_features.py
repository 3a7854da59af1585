"""Features of items as Cornac's modalities: a row of numbers for each item, or a text.

In a row of numbers a category is 1 for the items that have it, and a number is itself; what is missing is 0. A text is made of
all that an item has, one after the other, and taken apart into words by Cornac.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from cornac.data import Dataset, ImageModality, TextModality

from . import folds, parts
from .cornac_data import Numbers
from .cornac_models import ITEM_FEATURES, VOCABULARY, Runnable
from .feature_types import ALL_TYPES, CATEGORIES, NUMBER, TEXT, TEXTS
from .features import FeatureTable
from .selected_features import selected

WORDS = (TEXT, TEXTS)
"""The types of features that are texts."""


def add_features(
    data: Dataset, runnable: Runnable, parameters: Mapping[str, Any], fold: folds.Fold, items: Numbers
) -> list[str]:
    """Give Cornac's dataset the features that a model learns from, and return their names.

    Args:
        data: Cornac's dataset of the training part.
        runnable: What is known of the model.
        parameters: Its hyperparameters, with their defaults.
        fold: The fold.
        items: Cornac's numbers of the items.

    Raises:
        ValueError: The dataset lacks a feature, the model cannot read its type, or its texts have more words than the model counts.
    """
    readable, usual = (WORDS, WORDS) if runnable.reads_texts else (ALL_TYPES, CATEGORIES)
    subjects = {ITEM_FEATURES: "items"}
    names = selected(fold, subjects, parameters, readable=readable, usual=usual)[ITEM_FEATURES]
    table = fold.features("items")
    if table is None or not names:
        raise ValueError(
            f"no feature of items is of type {' or '.join(usual)}. Name others with {ITEM_FEATURES}=, or add some."
        )
    codes = np.sort(items.code)
    if not runnable.reads_texts:
        rows = ImageModality(features=_rows(table, names, codes), ids=codes.tolist())
        data.add_modalities(item_image=rows.build(id_map=data.iid_map))
        return names
    settings = {name: parameters[name] for name in VOCABULARY}
    texts = TextModality(corpus=_texts(table, names, codes), ids=codes.tolist(), **settings).build(id_map=data.iid_map)
    most = parameters.get("vocab_size")
    n_words = texts.count_matrix.shape[1]  # in its vocabulary Cornac has marks of beginnings and ends, too
    if most is not None and n_words > most:
        raise ValueError(
            f"the texts have {n_words} words, and vocab_size is {most}. Raise it, or leave out rare words with min_doc_freq=."
        )
    data.add_modalities(item_text=texts)
    return names


def _rows(table: FeatureTable, names: Sequence[str], codes: parts.Ints) -> npt.NDArray[np.float32]:
    """Return a row of numbers for each item; shape (items, categories and numbers)."""
    return np.concatenate([_columns(table, name, codes) for name in names], axis=1, dtype=np.float32)


def _columns(table: FeatureTable, name: str, codes: parts.Ints) -> npt.NDArray[np.float64]:
    if table.types[name] == NUMBER:
        return np.nan_to_num(table.column(name)[codes])[:, None]
    if table.types[name] == TEXTS:
        first, position, texts = table.members(name)
        owner, entries = parts.entries_of(codes, first)
        position = position[entries]
    else:
        position, texts = table.categories(name)
        owner, position = np.arange(len(codes)), position[codes]
    is_known = position >= 0
    columns = np.zeros((len(codes), len(texts)))
    columns[owner[is_known], position[is_known]] = 1.0
    return columns


def _texts(table: FeatureTable, names: Sequence[str], codes: parts.Ints) -> list[str]:
    """Return a text for each item; of one of which nothing is known an empty text."""
    words: list[list[str]] = [[] for _ in codes]
    for name in names:
        for item_words, value in zip(words, table.column(name)[codes].tolist(), strict=True):
            item_words.extend([value] if isinstance(value, str) else value or [])
    return [" ".join(item_words) for item_words in words]
