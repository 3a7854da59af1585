"""Groups of users or items by a feature that the dataset has of them, such as gender or genre."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from omnibench.arguments import checked_arguments
from omnibench.errors import EvaluationError, nearest
from omnibench.guest.feature_types import NO_TEXT, NUMBER, TEXTS
from omnibench.metrics.groups import ITEMS, USERS, GroupFacts, Grouping, Groups, Members, checked_grouping_name

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from omnibench.guest.features import FeatureTable
else:
    from omnibench.lazy import np, npt

UNKNOWN = "unknown"
"""The group of those whose value is missing."""

MOST_GROUPS = 25
"""Number of groups up to which nobody has to say that so many columns are meant."""


@checked_arguments
class FeatureGroups(Grouping):
    """Groups by a feature of users or items, whichever have it: what the ``by`` of a metric means by a name.

    A group for each different text, in alphabetical order; of lists of texts, those whose list has it, so that one may be in
    several groups. Those without a value are the group ``unknown``. Numbers are put into bands.

    Args:
        feature: The feature's name.
        bands: Where the bands of a feature of numbers begin, ascending: ``[18, 35]`` makes ``<18``, ``18-35`` (from 18 on, and
            below 35) and ``>=35``.
        limit: How many groups there may be at most, ``unknown`` not counted.
        name: What labels call it; the feature's name by default.

    Raises:
        EvaluationError: The name cannot be told from the group in a label, or the bands or the limit are none.
    """

    needs_training = False

    def __init__(
        self, feature: str, *, bands: Iterable[float] | None = None, limit: int = MOST_GROUPS, name: str | None = None
    ) -> None:
        self.feature = feature
        self.name = checked_grouping_name(feature if name is None else name)
        self.bands = None if bands is None else _checked_bands(bands, feature)
        argument: Any = limit
        if isinstance(argument, bool) or not isinstance(argument, int) or argument < 1:
            raise EvaluationError(f"by={feature!r}: limit is {limit!r}; give the largest number of groups, e.g. 50.")
        self.limit = limit

    @property
    def identity(self) -> list[Any]:
        bands = [] if self.bands is None else [list(self.bands)]
        return [self.subject or "feature", self.feature, *bands]

    def subject_in(self, features: Mapping[str, Sequence[str]]) -> str:
        has = [subject for subject in (USERS, ITEMS) if self.feature in features.get(subject, ())]
        subject = self.subject or (has[0] if len(has) == 1 else "")
        if subject in has:
            return subject
        if has and not self.subject:
            raise EvaluationError(
                f"by={self.feature!r} may be the feature of the users or that of the items; write by=UserGroups({self.feature!r}) or "
                f"by=ItemGroups({self.feature!r})."
            )
        raise EvaluationError(self._missing(features))

    def _missing(self, features: Mapping[str, Sequence[str]]) -> str:
        subjects = [self.subject] if self.subject else [USERS, ITEMS]
        names = [name for subject in subjects for name in features.get(subject, ())]
        listed = [
            f"{'its' if number == 0 else 'and its'} {subject} have {', '.join(features[subject]) or 'none'}"
            for number, subject in enumerate(subject for subject in subjects if features.get(subject))
        ]
        has = ", ".join(listed) or f"nothing is known about its {' and '.join(subjects)}"
        subject = self.subject or USERS
        return (
            f"{self!r} needs a feature {self.feature!r} of the dataset's {' or '.join(subjects)}, but {has}"
            f"{nearest(self.feature, names) or '.'} Give it a frame with the columns {subject.removesuffix('s')!r} and "
            f"{self.feature!r}: dataset.with_features({subject}=df)."
        )

    def groups(self, facts: GroupFacts) -> Groups:
        tables = {subject: table for subject in (USERS, ITEMS) if (table := facts.features(subject)) is not None}
        subject = self.subject_in({name: table.names for name, table in tables.items()})
        table = tables[subject]
        members = self._members(table)
        number = len(members) - (UNKNOWN in members)
        if number > self.limit:
            examples = ", ".join(repr(value) for value in [*members][:3] if value != UNKNOWN)
            raise EvaluationError(
                f"{self.feature!r} divides the {subject} into {number} groups ({examples}, ...), a column each; give the dataset a "
                f"coarser feature, or take them all: by={_class_of(subject)}({self.feature!r}, limit={number})."
            )
        return self._named(members.items(), subject)

    def _members(self, table: FeatureTable) -> dict[str, Members]:
        """Return who is in each group, by value; without the values that nobody has."""
        column_type = table.types[self.feature]
        if self.bands is not None and column_type != NUMBER:
            raise EvaluationError(
                f"{self.feature!r} is a feature of texts, which have no bands; leave them out: by={self.feature!r}."
            )
        if column_type == NUMBER:
            groups = self._bands_of(table)
        elif column_type == TEXTS:
            groups = _tagged(*table.members(self.feature))
        else:
            positions, values = table.categories(self.feature)
            groups = [(value, positions == position) for position, value in enumerate(values)]
            groups.append((UNKNOWN, positions == NO_TEXT))
        members: dict[str, Members] = {}
        for value, is_member in groups:
            if is_member.any():
                name = value.encode("utf-8", "backslashreplace").decode() if value.strip() else UNKNOWN
                members[name] = members[name] | is_member if name in members else is_member
        if UNKNOWN in members:
            members[UNKNOWN] = members.pop(UNKNOWN)  # to the end
        return members

    def _bands_of(self, table: FeatureTable) -> list[tuple[str, Members]]:
        values = table.column(self.feature)
        is_missing = np.isnan(values)
        if self.bands is None:
            raise EvaluationError(_advice_on_numbers(self.feature, table.subject, values[~is_missing]))
        edges = [_text(edge) for edge in self.bands]
        names = [
            f"<{edges[0]}",
            *(f"{low}-{high}" for low, high in pairwise(edges)),
            f">={edges[-1]}",
        ]
        position = np.searchsorted(self.bands, values, side="right")
        bands = [(name, (position == number) & ~is_missing) for number, name in enumerate(names)]
        return [*bands, (UNKNOWN, is_missing)]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.feature!r})" if self.subject else f"by={self.feature!r}"


class UserGroups(FeatureGroups):
    """Groups of users by a feature of theirs; the same as its name, where items have no such feature.

    Args:
        feature: The feature's name.
        bands: Where the bands of a feature of numbers begin, ascending: ``[18, 35]`` makes ``<18``, ``18-35`` (from 18 on, and
            below 35) and ``>=35``.
        limit: How many groups there may be at most, ``unknown`` not counted.
        name: What labels call it; the feature's name by default.

    Raises:
        EvaluationError: The name cannot be told from the group in a label, or the bands or the limit are none.
    """

    subject = USERS


class ItemGroups(FeatureGroups):
    """Groups of items by a feature of theirs; the same as its name, where users have no such feature.

    Args:
        feature: The feature's name; of lists, such as genres, an item is in the group of each member.
        bands: Where the bands of a feature of numbers begin, ascending: ``[1980, 2000]`` makes ``<1980``, ``1980-2000`` (from
            1980 on, and below 2000) and ``>=2000``.
        limit: How many groups there may be at most, ``unknown`` not counted.
        name: What labels call it; the feature's name by default.

    Raises:
        EvaluationError: The name cannot be told from the group in a label, or the bands or the limit are none.
    """

    subject = ITEMS


def _class_of(subject: str) -> str:
    return (UserGroups if subject == USERS else ItemGroups).__name__


def _tagged(
    first: npt.NDArray[np.int64], positions: npt.NDArray[np.int32], values: Sequence[str]
) -> list[tuple[str, Members]]:
    """Return who has each of the values in their list; ``unknown`` those whose list is missing or empty."""
    owner = np.repeat(np.arange(len(first) - 1), np.diff(first))

    def owning(position: int) -> Iterator[tuple[str, Members]]:
        is_member = np.zeros(len(first) - 1, dtype=bool)
        is_member[owner[positions == position]] = True
        yield values[position], is_member

    groups = [group for position in range(len(values)) for group in owning(position)]
    has_some = np.zeros(len(first) - 1, dtype=bool)
    has_some[owner[positions != NO_TEXT]] = True
    return [*groups, (UNKNOWN, ~has_some)]


def _advice_on_numbers(feature: str, subject: str, values: npt.NDArray[np.float64]) -> str:
    example = (
        sorted({float(f"{edge:.2g}") for edge in np.quantile(values, [0.25, 0.5, 0.75])}) if len(values) else [18.0]
    )
    bands = ", ".join(map(_text, example))
    return (
        f"{feature!r} is a feature of numbers; say where bands of them begin, e.g. by={_class_of(subject)}({feature!r}, "
        f"bands=[{bands}]), or give the feature as texts where numbers are codes: df[{feature!r}].astype(str)."
    )


def _text(edge: float) -> str:
    return str(int(edge)) if float(edge).is_integer() else repr(float(edge))


def _checked_bands(bands: Any, feature: str) -> tuple[float, ...]:
    edges = list(bands) if isinstance(bands, Iterable) else [bands]
    are_numbers = all(not isinstance(edge, bool | str) and isinstance(edge, int | float) for edge in edges)
    if not edges or not are_numbers or not all(map(math.isfinite, edges)) or sorted(set(edges)) != edges:
        raise EvaluationError(
            f"by={feature!r}: the bands are {bands!r}; give ascending numbers at which the next band begins, e.g. [18, 35, 50]."
        )
    return tuple(edges)
