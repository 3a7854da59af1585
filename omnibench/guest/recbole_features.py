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
from .feature_types import NUMBER, SUBJECTS, TEXTS
from .features import FeatureTable
from .recbole_data import NumberedFold, PairDataset

PARAMETERS = {"user_features": "users", "item_features": "items"}
"""The hyperparameters that name the features a model learns from, and whose they are; None for all that the dataset has."""

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


def selected(fold: folds.Fold, parameters: dict[str, Any]) -> dict[str, list[str]]:
    """Return the names of the features that a model learns from, by hyperparameter.

    Args:
        fold: The fold.
        parameters: The hyperparameters of the model.

    Raises:
        ValueError: The dataset has no such feature.
    """
    names = {}
    for parameter, subject in PARAMETERS.items():
        table = fold.features(subject)
        known = table.names if table is not None else []
        wanted = parameters.get(parameter)
        names[parameter] = known if wanted is None else list(wanted)
        unknown = [name for name in names[parameter] if name not in known]
        if unknown:
            raise ValueError(
                f"the {subject} have no feature {unknown[0]!r}; they have {', '.join(known) or 'none'}. Add it to the dataset, or name "
                f"others with {parameter}=."
            )
    return names


def numerical(fold: folds.Fold, names: dict[str, list[str]]) -> list[str]:
    """Return the fields of the features that are numbers, which RecBole has to be told.

    Args:
        fold: The fold.
        names: The names of features by hyperparameter.
    """
    tables = {parameter: fold.features(subject) for parameter, subject in PARAMETERS.items()}
    return [
        _field(PARAMETERS[parameter], name)
        for parameter, chosen in names.items()
        for name in chosen
        if (table := tables[parameter]) is not None and table.types[name] == NUMBER
    ]


def _field(subject: str, name: str) -> str:
    return f"{subject.removesuffix('s')}.{name}"


def _features(table: FeatureTable, names: Sequence[str], codes: parts.Ints) -> list[Feature]:
    """Return the features of users or items.

    Args:
        table: What is known.
        names: The names of the features.
        codes: Codes by RecBole's number less one.
    """
    return [_feature(table, name, codes) for name in names]


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


class ContextDataset(PairDataset):
    """RecBole's dataset of the training part with features of users and items.

    Args:
        config: RecBole's configuration.
        numbered: The parts by RecBole's numbers.
        fold: The fold, which has the features.
        names: The names of the features that are asked for, by hyperparameter.
    """

    def __init__(self, config: Any, numbered: NumberedFold, fold: folds.Fold, names: dict[str, list[str]]) -> None:
        codes = {"users": numbered.users, "items": numbered.items}
        self._features: dict[str, list[Feature]] = {}
        for parameter, subject in PARAMETERS.items():
            table = fold.features(subject)
            self._features[subject] = [] if table is None else _features(table, names[parameter], codes[subject])
        super().__init__(config, numbered)

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


assert set(PARAMETERS.values()) == set(SUBJECTS), "each subject has a hyperparameter"
