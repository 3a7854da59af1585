"""Groups of users or items that metrics are computed for one by one, by what is known from training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from omnibench.arguments import checked_arguments
from omnibench.errors import EvaluationError
from omnibench.metrics.training import Training

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from omnibench.guest.features import FeatureTable
else:
    from omnibench.lazy import np, npt

USERS, ITEMS = "users", "items"

Members: TypeAlias = "npt.NDArray[np.bool_]"
"""Whether each user or item is in a group, by code; shape (codes,)."""

_PAIR, _TRIPLE = 2, 3


@dataclass(frozen=True)
class GroupFacts:
    """What groups are made of.

    Attributes:
        training: What is known from training.
        users: int32 codes of the users with test items, ascending; shape (n,).
    """

    training: Training
    users: npt.NDArray[np.int32]

    def features(self, subject: str) -> FeatureTable | None:
        """Return what is known about ``users`` or ``items``; None for nothing."""
        return self.training.features(subject)


@dataclass(frozen=True)
class Groups:
    """The groups of a fold.

    Attributes:
        subject: ``users`` or ``items``.
        members: Who is in each group, by its name, e.g. ``gender=F``; in the order of their columns.
    """

    subject: str
    members: dict[str, Members]


class Grouping:
    """What divides users or items into groups, for the ``by`` of a metric.

    Attributes:
        subject: ``users`` or ``items``; empty where only the data says which.
        needs_training: Whether it is made of what is known from training.
        name: What labels call it, e.g. ``gender`` in ``NDCG@10 gender=F``.
    """

    subject: ClassVar[str] = ""
    needs_training: ClassVar[bool] = True
    name: str

    @property
    def identity(self) -> list[Any]:
        """Its part of the key of an evaluation."""
        raise NotImplementedError

    def subject_in(self, features: Mapping[str, Sequence[str]]) -> str:
        """Return whether it divides ``users`` or ``items`` of a dataset.

        Args:
            features: The names of what is known about users and items.

        Raises:
            EvaluationError: The dataset does not have what groups are made of.
        """
        return self.subject

    def groups(self, facts: GroupFacts) -> Groups:
        """Return the groups of a fold.

        Raises:
            EvaluationError: The data does not have what they are made of.
        """
        raise NotImplementedError

    def _named(self, values: Iterable[tuple[str, Members]], subject: str = "") -> Groups:
        return Groups(subject or self.subject, {f"{self.name}={value}": members for value, members in values})


@checked_arguments
class Popularity(Grouping):
    """Groups of items by popularity, each with an equal share of the training interactions: the head is few items.

    Items in the order of their number of training interactions, the most popular first, are cut where an equal share of all
    interactions is reached; items that are equally popular stay together, and those unknown in training are in the tail.
    With three groups, these are ``head``, ``mid`` and ``tail``.

    Args:
        groups: How many groups, at least 2. Those between ``head`` and ``tail`` are numbered where there are several.
        name: What labels call it, to have several of them.

    Raises:
        EvaluationError: It is no such number, or the name cannot be told from the group in a label.
    """

    subject = ITEMS

    def __init__(self, groups: int = 3, *, name: str = "popularity") -> None:
        self.number = _checked_number(groups, "Popularity(3)")
        self.name = checked_grouping_name(name)

    @property
    def identity(self) -> list[Any]:
        return ["popularity", self.number]

    def groups(self, facts: GroupFacts) -> Groups:
        popularity = facts.training.popularity
        counts, position = np.unique(-popularity, return_inverse=True)  # the most popular first
        interactions = -counts * np.bincount(position)
        before = np.cumsum(interactions) - interactions
        total = max(int(interactions.sum()), 1)
        number = np.minimum(before * self.number // total, self.number - 1)[position.reshape(-1)]
        return self._named(_numbered(number, _names("head", "tail", self.number)))

    def __repr__(self) -> str:
        return f"Popularity({self.number})"


@checked_arguments
class Activity(Grouping):
    """Groups of users by activity: quantiles of the lengths of the test users' histories, as ``pandas.qcut`` makes them.

    A history is what is known of a user before the test: the training part, or what is given where users are unknown in
    training. Users with equally long histories stay together, so groups may differ in size.

    Args:
        groups: How many groups, at least 2: ``low``, numbers or ``mid`` between, and ``high``.
        name: What labels call it, to have several of them.

    Raises:
        EvaluationError: It is no such number, or the name cannot be told from the group in a label.
    """

    subject = USERS

    def __init__(self, groups: int = 4, *, name: str = "activity") -> None:
        self.number = _checked_number(groups, "Activity(4)")
        self.name = checked_grouping_name(name)

    @property
    def identity(self) -> list[Any]:
        return ["activity", self.number]

    def groups(self, facts: GroupFacts) -> Groups:
        lengths = facts.training.history_lengths
        tested = lengths[facts.users]
        if len(tested) == 0:
            return self._named([])
        edges = np.quantile(tested, np.arange(1, self.number) / self.number)
        number = np.searchsorted(edges, lengths, side="left")
        return self._named(_numbered(number, _names("low", "high", self.number)))

    def __repr__(self) -> str:
        return f"Activity({self.number})"


@checked_arguments
class ColdItems(Grouping):
    """Two groups of items: ``items=known``, which training has, and ``items=cold``, which it lacks.

    Cold items are recommended only where the candidates allow it: ``AllItems(unknown=True)``.
    """

    subject = ITEMS
    name = "items"

    @property
    def identity(self) -> list[Any]:
        return ["cold items"]

    def groups(self, facts: GroupFacts) -> Groups:
        in_training = facts.training.is_candidate
        return self._named([("known", in_training), ("cold", ~in_training)])

    def __repr__(self) -> str:
        return "ColdItems()"


def refusal_of_items(name: str, grouping: Grouping) -> EvaluationError:
    """Return the error about a metric that no group of items can have.

    Args:
        name: The metric.
        grouping: The groups of items.
    """
    return EvaluationError(
        f"{name} judges whole lists, so it has no value for the items of {grouping!r}; divide it by groups of users, e.g. "
        f"by=Activity(4), or take a metric that judges relevance, such as NDCG."
    )


def checked_grouping_name(name: Any) -> str:
    """Check what labels call a grouping, and return it.

    Raises:
        EvaluationError: It could not be told from the group in a label.
    """
    if not isinstance(name, str) or not name.strip() or "=" in name or name != name.strip():
        raise EvaluationError(
            f"by is {name!r}; a label such as NDCG@10 gender=F needs a name without '=' and blanks around it: give one with name=..., "
            "e.g. UserGroups('gender', name='sex')."
        )
    return name


def _checked_number(groups: Any, example: str) -> int:
    if isinstance(groups, bool) or not isinstance(groups, int) or groups < _PAIR:
        raise EvaluationError(f"the number of groups is {groups!r}; give a whole number of at least 2, e.g. {example}.")
    return groups


def _names(first: str, last: str, number: int) -> list[str]:
    """Return the names of groups in an order: those at the ends, and numbers between, or ``mid`` where that is one."""
    between = ["mid"] if number == _TRIPLE else [str(position) for position in range(2, number)]
    return [first, *between, last]


def _numbered(number: npt.NDArray[np.int64], names: list[str]) -> Iterable[tuple[str, Members]]:
    """Yield each group's name and members, from the number of the group by code."""
    return ((name, number == position) for position, name in enumerate(names))
