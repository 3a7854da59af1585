"""Features of a dataset's items by item code: vectors of numbers, or tags, of which there may be many thousands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from omnibench.errors import EvaluationError, nearest
from omnibench.guest.feature_types import BOOLEAN, NO_TEXT, NUMBER, TEXT
from omnibench.metrics.base import Values

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from omnibench.guest.features import FeatureTable
else:
    from omnibench.lazy import np


@dataclass(frozen=True, slots=True)
class ItemTags:
    """The tags of each item, one item behind the other.

    Attributes:
        first: Where those of each item begin, int64, shape (n_items + 1,).
        members: The numbers of the tags; an item may have one several times.
        number: How many tags there are.
    """

    first: npt.NDArray[np.int64]
    members: npt.NDArray[np.int64]
    number: int

    def rows(self, items: npt.NDArray[np.int32]) -> Values:
        """Return 1 for each tag that an item has, of the tags that any of these items has, and 0 for the others.

        Args:
            items: Item codes of any shape, -1 for none.

        Returns:
            The shape of the items, and behind it the number of their tags.
        """
        codes, inverse = np.unique(items, return_inverse=True)
        begins = self.first[codes]
        sizes = np.where(codes < 0, 0, self.first[codes + 1] - begins)
        ends = np.cumsum(sizes)
        own = np.repeat(begins - ends + sizes, sizes) + np.arange(ends[-1] if len(ends) else 0)
        tags, column = np.unique(self.members[own], return_inverse=True)
        matrix = np.zeros((len(codes), len(tags)))
        matrix[np.repeat(np.arange(len(codes)), sizes), column] = 1
        rows: Values = matrix[inverse.reshape(items.shape)]
        return rows


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


def item_features(table: FeatureTable | None, names: Sequence[str], metric: str) -> Values | ItemTags:
    """Return features of items by their codes.

    Args:
        table: What is known about the items; None for nothing.
        names: The features.
        metric: The metric's name in errors.

    Returns:
        Numbers as a matrix of shape (n_items, names), NaN where one is missing; texts as tags, of which an item has none
        where they are missing.

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
        return np.column_stack([table.column(name) for name in names])
    return _tags_of([_memberships(table, name) for name in names])


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


_Memberships: TypeAlias = "tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int, int]"
"""The item and the number of each tag that an item has, and how many items and tags there are."""


def _memberships(table: FeatureTable, name: str) -> _Memberships:
    if table.types[name] == TEXT:
        members, texts = table.categories(name)
        first = np.arange(len(members) + 1)
    else:
        first, members, texts = table.members(name)
    owner = np.repeat(np.arange(len(first) - 1), np.diff(first))
    is_tag = members != NO_TEXT
    return owner[is_tag], members[is_tag].astype(np.int64), len(first) - 1, len(texts)


def _tags_of(memberships: Sequence[_Memberships]) -> ItemTags:
    """Join the tags of several features; those of different ones are different."""
    starts = [sum(number for _, _, _, number in memberships[:position]) for position in range(len(memberships) + 1)]
    owner = np.concatenate([own for own, _, _, _ in memberships])
    members = np.concatenate([tags + start for (_, tags, _, _), start in zip(memberships, starts, strict=False)])
    order = np.argsort(owner, kind="stable")
    n_items = memberships[0][2]
    first = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=n_items))])
    return ItemTags(first, members[order], starts[-1])
