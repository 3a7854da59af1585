"""The columns of groups: which groups a fold has, and what of its test part each of them is judged by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.data.prepare import read_ids
from omnibench.engine.items import Columns, Item
from omnibench.guest.folds import Fold
from omnibench.guest.parts import Part
from omnibench.metrics.base import Metric
from omnibench.metrics.groups import ITEMS, USERS, GroupFacts, Groups, Members, refusal_of_items
from omnibench.metrics.training import Training
from omnibench.store.item_records import recorded_groups

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np


class Group(NamedTuple):
    """Who or what a column is restricted to.

    Attributes:
        key: What tells it from the groups of all groupings of a fold.
        subject: ``users`` or ``items``.
        members: Whether each user or item is in it, by code.
    """

    key: tuple[str, str]
    subject: str
    members: Members


@dataclass(frozen=True, slots=True)
class JudgedColumn:
    """A column as it is measured: of everybody, or of one group.

    Attributes:
        metric: The metric.
        label: Its label.
        group: What it is restricted to; None for nothing.
    """

    metric: Metric
    label: str
    group: Group | None = None

    @property
    def group_key(self) -> tuple[str, str] | None:
        """What columns of the same group have in common."""
        return self.group.key if self.group is not None else None


def training_of(dataset: Path, fold: Fold) -> Training:
    """Return what metrics know of the training part of a fold."""
    return Training(
        fold.interactions_before, fold.n_users, fold.n_items, lambda: read_ids(dataset, "items"), fold.features
    )


def group_facts(fold: Fold, training: Training) -> GroupFacts:
    """Return what groups of a fold's users and items are made of."""
    return GroupFacts(training, np.unique(fold.test.user).astype(np.int32))


def judged_columns(
    columns: Columns, read_facts: Callable[[], GroupFacts], test: Part
) -> tuple[list[JudgedColumn], Mapping[str, list[str]]]:
    """Return the columns with those of groups in the place of the ones that stand for all groups.

    A group has a column where the test part has somebody of it, or an item.

    Args:
        columns: Metrics and labels, e.g. of ``NDCG@10 by gender``.
        read_facts: Returns what groups are made of.
        test: The test part.

    Returns:
        The columns, and the groups of each label that stands for several.

    Raises:
        EvaluationError: The data does not have what groups are made of, or a metric cannot be divided by them.
    """
    if not any(metric.groupings for metric, _ in columns):
        return [JudgedColumn(metric, label) for metric, label in columns], {}
    facts, groups_by_key = read_facts(), dict[str, Groups]()
    judged: list[JudgedColumn] = []
    groups_of: dict[str, list[str]] = {}
    for metric, label in columns:
        if not metric.groupings:
            judged.append(JudgedColumn(metric, label))
            continue
        grouping = metric.groupings[0]
        key = repr(grouping.identity)
        if key not in groups_by_key:
            groups_by_key[key] = grouping.groups(facts)
        groups = groups_by_key[key]
        if groups.subject == ITEMS and not metric.judges_items:
            raise refusal_of_items(metric.name, grouping)
        if metric.group:
            members = groups.members.get(metric.group)
            group = None if members is None else Group((key, metric.group), groups.subject, members)
            judged.append(JudgedColumn(metric, label, group or _nobody(metric.group, facts)))
            continue
        groups_of[label] = list(_tested(groups, facts, test))
        for name in groups_of[label]:
            restricted = metric.of_group(name)
            group = Group((key, name), groups.subject, groups.members[name])
            judged.append(JudgedColumn(restricted, restricted.label_like(label), group))
    return judged, groups_of


def _nobody(name: str, facts: GroupFacts) -> Group:
    return Group(("", name), USERS, np.zeros(facts.training.n_users, dtype=bool))


def _tested(groups: Groups, facts: GroupFacts, test: Part) -> Iterable[str]:
    """Yield the groups that the test part has somebody of, or an item."""
    codes = facts.users if groups.subject == USERS else test.item
    return (name for name, members in groups.members.items() if members[codes].any())


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
