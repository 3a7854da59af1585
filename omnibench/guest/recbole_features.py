"""What is known about users and items as RecBole's fields, made of arrays: what RecBole itself reads from .user and .item files.

A text or truth value is a token, a list of texts a sequence of tokens, a number a float that RecBole embeds times its value.
Tokens are numbered in the order of RecBole's users or items, as in a file that lists them in this order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from recbole.utils import FeatureSource, FeatureType

from . import folds, parts
from .base import Task
from .feature_types import CATEGORIES, NUMBER, TEXTS
from .features import FeatureTable
from .recbole_data import FoldDataset, PairDataset
from .recbole_models import ATTRIBUTE, CONTEXT, WITH_ITEM_FEATURES
from .recbole_sequences import SequenceDataset
from .selected_features import selected

OF_PAIRS = {"user_features": "users", "item_features": "items"}
"""The hyperparameters of context-aware models that name features, and whose they are; None for all that the dataset has."""

OF_SEQUENCES = {"selected_features": "items"}
"""The same of sequential models."""

OF_ATTRIBUTES = {ATTRIBUTE: "items"}
"""The hyperparameter that names the one feature which S3Rec predicts."""

Tensors = dict[str, torch.Tensor]
"""Columns by RecBole's number of the user or item, by field; shape (users + 1,) or (items + 1,), and more of some types."""


@dataclass(frozen=True)
class Feature:
    """A feature of users or items.

    Attributes:
        field: RecBole's name of it.
        type: RecBole's type.
        column: What RecBole makes of a file before it fills in what is missing, by RecBole's number; number 0 pads.
        tokens: The names of tokens by number; None of numbers.
        length: The largest length of a sequence, else 1.
    """

    field: str
    type: FeatureType
    column: Any
    tokens: npt.NDArray[Any] | None
    length: int = 1


@dataclass(frozen=True)
class ChosenFeatures:
    """What a model learns from beside the interactions.

    Attributes:
        names: The names of the features by the hyperparameter that names them.
        features: The features of ``users`` and of ``items``; None of a model that reads none.
        settings: What RecBole has to be told of them.
    """

    names: dict[str, Any]
    features: dict[str, list[Feature]] | None
    settings: dict[str, Any]


def chosen_features(task: Task, fold: folds.Fold, users: parts.Ints, items: parts.Ints) -> ChosenFeatures:
    """Return the features that the hyperparameters name.

    Args:
        task: The Fit.
        fold: The fold.
        users: User codes by RecBole's number less one.
        items: Item codes likewise.

    Raises:
        ValueError: The dataset has none of a name, or the model cannot read its type.
    """
    if task.algorithm == "S3Rec":
        name = task.parameters.get(ATTRIBUTE)
        selected(fold, OF_ATTRIBUTES, {ATTRIBUTE: [name]}, readable=CATEGORIES)
        features = _features_of(fold, OF_ATTRIBUTES, {ATTRIBUTE: [name]}, users, items)
        return ChosenFeatures({ATTRIBUTE: name}, features, {ATTRIBUTE: features["items"][0].field})
    subjects = OF_PAIRS if task.algorithm in CONTEXT else OF_SEQUENCES if task.algorithm in WITH_ITEM_FEATURES else {}
    if not subjects:
        return ChosenFeatures({}, None, {})
    names = selected(fold, subjects, task.parameters)
    features = _features_of(fold, subjects, names, users, items)
    numbers = [feature.field for of_subject in features.values() for feature in of_subject if feature.tokens is None]
    return ChosenFeatures(names, features, {**names, "numerical_features": numbers})


def _features_of(
    fold: folds.Fold, subjects: dict[str, str], names: dict[str, list[str]], users: parts.Ints, items: parts.Ints
) -> dict[str, list[Feature]]:
    features: dict[str, list[Feature]] = {"users": [], "items": []}
    for parameter, subject in subjects.items():
        table = fold.features(subject)
        if table is not None:
            codes = users if subject == "users" else items
            features[subject] = [_feature(table, name, codes) for name in names[parameter]]
    return features


def _field(subject: str, name: str) -> str:
    return f"{subject.removesuffix('s')}.{name}"


def _feature(table: FeatureTable, name: str, codes: parts.Ints) -> Feature:
    field = _field(table.subject, name)
    if table.types[name] == NUMBER:
        numbers = table.column(name)[codes]
        padding = 0.0 if np.isnan(numbers).all() else np.nan  # RecBole fills in the mean, which no numbers have not
        return Feature(field, FeatureType.FLOAT, np.concatenate([[padding], numbers]), None)
    if table.types[name] != TEXTS:
        position, texts = table.categories(name)
        number, tokens = _in_order(position[codes], texts)
        return Feature(field, FeatureType.TOKEN, np.concatenate([[0], number]), tokens)
    first, position, texts = table.members(name)
    owner, entries = parts.entries_of(codes, first)
    is_text = position[entries] >= 0  # a list that is missing is an empty one
    number, tokens = _in_order(position[entries][is_text], texts)
    counts = np.bincount(owner[is_text], minlength=len(codes))
    rows = np.split(number, np.cumsum(counts)[:-1]) if len(codes) else []
    sequences = np.empty(len(codes) + 1, dtype=object)
    sequences[:] = [np.zeros(0, dtype=np.int64), *rows]
    return Feature(field, FeatureType.TOKEN_SEQ, sequences, tokens, int(counts.max(initial=0)))


def _in_order(positions: parts.Ints, texts: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Return numbers from 1 in order of appearance, 0 for what is missing, and the names by number."""
    is_missing = positions < 0
    number = np.zeros(len(positions), dtype=np.int64)
    numbers, different = pd.factorize(positions[~is_missing])
    number[~is_missing] = numbers + 1
    return number, np.array(["[PAD]", *(texts[position] for position in different.tolist())], dtype=object)


class _FeatureDataset(FoldDataset):
    """RecBole's dataset of the training part with features of users and items.

    Args:
        config: RecBole's configuration.
        fold: The parts by RecBole's numbers.
        features: The features.
    """

    def __init__(self, config: Any, fold: Any, features: dict[str, list[Feature]]) -> None:
        self._features = features
        super().__init__(config, fold)

    def _from_scratch(self) -> None:
        super()._from_scratch()
        owners = (self.uid_field, FeatureSource.USER, "user_feat"), (self.iid_field, FeatureSource.ITEM, "item_feat")
        filled = []
        for subject, (own_field, source, attribute) in zip(("users", "items"), owners, strict=True):
            if self._features[subject]:
                setattr(self, attribute, self._table(subject, own_field, source))
                filled.append(attribute)
        self.feat_name_list = filled  # the interactions have nothing to fill in
        self._fill_nan()
        self._normalize()
        self._discretization()
        for attribute in filled:
            setattr(self, attribute, self._dataframe_to_interaction(getattr(self, attribute)))
        self.feat_name_list = self._build_feat_name_list()

    def _table(self, subject: str, own_field: str, source: FeatureSource) -> pd.DataFrame:
        """Return the features of a subject as RecBole has them once a file is read and its tokens have numbers."""
        features = self._features[subject]
        for feature in features:
            self.set_field_property(feature.field, feature.type, source, feature.length)
            if feature.tokens is None:
                self.field2bucketnum[feature.field] = 2
            else:
                self.field2id_token[feature.field] = feature.tokens
        numbers = np.arange(self.num(own_field))
        return pd.DataFrame({own_field: numbers} | {feature.field: feature.column for feature in features})

    def columns(self) -> tuple[Tensors, Tensors]:
        """Return the features of users, and those of items, by RecBole's number."""
        of_users, of_items = (
            {} if table is None else {name: values for name, values in table.interaction.items() if name != own_field}
            for table, own_field in ((self.user_feat, self.uid_field), (self.item_feat, self.iid_field))
        )
        return of_users, of_items


class ContextDataset(_FeatureDataset, PairDataset):
    """That of models without sequences."""


class SequenceContextDataset(_FeatureDataset, SequenceDataset):
    """That of models with sequences."""
