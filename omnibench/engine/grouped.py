"""Groups of a prepared dataset's users and items: what they are made of, and what records of items say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.data.stored_ids import read_ids
from omnibench.engine.items import Item
from omnibench.guest.distinct import distinct
from omnibench.guest.folds import Fold
from omnibench.metrics.base import Metric
from omnibench.metrics.groups import GroupFacts
from omnibench.metrics.training import Training
from omnibench.store.item_records import recorded_groups

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np


def training_of(dataset: Path, fold: Fold) -> Training:
    """Return what metrics know of the training part of a fold."""
    return Training(
        fold.interactions_before, fold.n_users, fold.n_items, lambda: read_ids(dataset, "items"), fold.features
    )


def group_facts(fold: Fold, training: Training) -> GroupFacts:
    """Return what groups of a fold's users and items are made of."""
    return GroupFacts(training, distinct(fold.test.user).astype(np.int32))


def with_evaluated_groups(item: Item, groups: Mapping[str, list[str]]) -> Item:
    """Return an item with a column for each group in the place of those that stand for all groups.

    Args:
        item: The item.
        groups: The groups that were evaluated, by the label that stands for all of them.
    """
    if not groups:
        return item
    columns: list[tuple[Metric, str]] = []
    for metric, label in item.columns:
        members = [metric.of_group(group) for group in groups[label]] if label in groups else [metric]
        columns += [(member, member.label_like(label) if label in groups else label) for member in members]
    return replace(item, columns=columns)


def evaluated_groups(item: Item, keys: Mapping[str, str], groups: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return what an item's record says of the groups that were evaluated, by the label that stands for all of them.

    Args:
        item: The item, with columns that stand for all groups.
        keys: The keys that the evaluations of its columns have.
        groups: The groups that were evaluated, by label.
    """
    return {
        item.experiment.qualified(metric, label): recorded_groups(
            keys[label], metric.canonical_identity(label), groups[label]
        )
        for metric, label in item.columns
        if label in groups
    }
