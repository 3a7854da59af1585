"""Cornac's dataset, made of a fold's arrays: what ``Dataset.build`` makes of the same rows, one after the other."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from cornac.data import Dataset

from . import parts


@dataclass(frozen=True)
class Numbers:
    """Which users, or items, Cornac knows, and how it numbers them: in the order in which their first rows come.

    Attributes:
        code: The code of each number, shape (known,).
        of_code: The number of each code, -1 for what training has not; shape (codes,).
    """

    code: parts.Ints
    of_code: npt.NDArray[np.int64]

    @classmethod
    def by_first_row(cls, codes: parts.Ints, size: int) -> Numbers:
        """Number the codes of a column, of which there are ``size``."""
        unique, first_row = np.unique(codes, return_index=True)
        code = unique[np.argsort(first_row)]
        of_code = np.full(size, -1, dtype=np.int64)
        of_code[code] = np.arange(len(code))
        return cls(code, of_code)


def numbered(part: parts.Part, n_users: int, n_items: int) -> tuple[Numbers, Numbers]:
    """Return Cornac's numbers of the users and items of a part."""
    return Numbers.by_first_row(part.user, n_users), Numbers.by_first_row(part.item, n_items)


def dataset_of(part: parts.Part, users: Numbers, items: Numbers, seed: int, *, rated: bool) -> Dataset:
    """Return the dataset of a part; of a repeated pair the first row counts.

    Args:
        part: The part.
        users: The numbers of its users.
        items: The numbers of its items.
        seed: The seed of what Cornac draws from the dataset: the order of batches, and negative items.
        rated: Whether models learn from the ratings; else each interaction counts as 1.
    """
    user, item = users.of_code[part.user], items.of_code[part.item]
    first_rows = np.sort(np.unique(user * len(items.code) + item, return_index=True)[1])
    if len(first_rows) < len(user):
        user, item = user[first_rows], item[first_rows]
    rating = np.ones(len(user))
    if rated and part.rating is not None:
        rating = part.rating[first_rows].astype(np.float64)
    return Dataset(
        num_users=len(users.code),
        num_items=len(items.code),
        uid_map=_positions(users.code),
        iid_map=_positions(items.code),
        uir_tuple=(user, item, rating),
        seed=seed,
    )


def _positions(codes: parts.Ints) -> OrderedDict[Any, int]:
    return OrderedDict(zip(codes.tolist(), range(len(codes)), strict=True))
