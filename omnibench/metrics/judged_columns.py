"""The columns of groups: which groups a test part has, and what of it each of them is judged by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from omnibench.metrics.base import Columns, Metric
from omnibench.metrics.groups import ITEMS, USERS, GroupFacts, Groups, Members, refusal_of_items

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


GroupKey: TypeAlias = "tuple[str, str] | None"
"""What tells a group from those of all groupings of a test part; None for everybody."""


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

    def has(self, user: npt.NDArray[np.int32], item: npt.NDArray[np.int32]) -> Members:
        """Return whether pairs of user and item codes, all of shape (m,), are of it."""
        return self.members[user if self.subject == USERS else item]


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
    def group_key(self) -> GroupKey:
        """What columns of the same group have in common."""
        return self.group.key if self.group is not None else None


def judged_columns(
    columns: Columns, read_facts: Callable[[], GroupFacts], items: npt.NDArray[np.int32]
) -> tuple[list[JudgedColumn], Mapping[str, list[str]]]:
    """Return the columns with those of groups in the place of the ones that stand for all groups.

    A group has a column where the test part has somebody of it, or an item.

    Args:
        columns: Metrics and labels, e.g. of ``NDCG@10 by gender``.
        read_facts: Returns what groups are made of.
        items: int32 codes of the items of the test part, shape (m,).

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
        key = repr([grouping.name, grouping.identity])
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
        groups_of[label] = list(_tested(groups, facts, items))
        for name in groups_of[label]:
            restricted = metric.of_group(name)
            group = Group((key, name), groups.subject, groups.members[name])
            judged.append(JudgedColumn(restricted, restricted.label_like(label), group))
    return judged, groups_of


def _nobody(name: str, facts: GroupFacts) -> Group:
    return Group(("", name), USERS, np.zeros(facts.training.n_users, dtype=bool))


def _tested(groups: Groups, facts: GroupFacts, items: npt.NDArray[np.int32]) -> Iterable[str]:
    """Yield the groups that the test part has somebody of, or an item."""
    codes = facts.users if groups.subject == USERS else items
    return (name for name, members in groups.members.items() if members[codes].any())
