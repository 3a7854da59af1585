"""Labels of columns, such as ``NDCG@10`` or ``NDCG@10 gender=F``, and their parts."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple, TypeVar

from omnibench.errors import nearest

BY = "by "
"""Begins the end of a label that stands for the columns of all groups, such as ``NDCG@10 by gender``."""

_Value = TypeVar("_Value")
_RANKED = re.compile(r"([^@]*)@(\d+) (.+)", re.DOTALL)
_RATED = re.compile(r"([^\s@\[]+(?:\[[^\]@]*\])?) (by \S.*|[^=]+=.*)", re.DOTALL)
"""A label without a list length: its metric's name has no blank, as that of a class of the user's own may have."""


class _Parts(NamedTuple):
    """The parts of a label.

    Attributes:
        metric: Name and notes, such as ``NDCG[lenskit]``.
        length: The list length with its ``@``, or nothing.
        group: What the column is restricted to, such as ``gender=F``, or ``by gender``; else nothing.
    """

    metric: str
    length: str
    group: str


def _parts(label: str) -> _Parts:
    if (ranked := _RANKED.fullmatch(label)) is not None:
        return _Parts(ranked[1], f"@{ranked[2]}", ranked[3])
    if " " in label and (rated := _RATED.fullmatch(label)) is not None:
        return _Parts(rated[1], "", rated[2])
    metric, at, k = label.partition("@")
    return _Parts(metric, at + k, "")


def split_label(label: str) -> tuple[str, int | None]:
    """Split a label into metric and list length: ``("NDCG", 10)`` for ``NDCG@10``, ``("RMSE", None)`` for ``RMSE``.

    What the column is restricted to is left out; see ``group_of``.
    """
    parts = _parts(label)
    return parts.metric, int(parts.length[1:]) if parts.length else None


def group_of(label: str) -> str:
    """Return the group that a column is restricted to: ``gender=F`` of ``NDCG@10 gender=F``; nothing for all users."""
    return _parts(label).group


def ungrouped_label(label: str) -> str:
    """Return a column's label without its group: ``NDCG@10`` of ``NDCG@10 gender=F``."""
    metric, length, _ = _parts(label)
    return metric + length


def noted_label(label: str, notes: Iterable[str]) -> str:
    """Return a label with notes in brackets behind those that it has: ``NDCG[lenskit]@10`` of ``NDCG@10``."""
    metric, length, group = _parts(label)
    added = ", ".join(notes)
    if added:
        metric = f"{metric[:-1]}, {added}]" if metric.endswith("]") else f"{metric}[{added}]"
    return f"{metric}{length} {group}" if group else metric + length


def plain_label(label: str) -> str:
    """Return a column's label without convention and candidates: ``NDCG@10`` of ``NDCG[lenskit]@10``."""
    metric, length, group = _parts(label)
    name = metric.partition("[")[0] + length
    return f"{name} {group}" if group else name


def notes_of(label: str) -> list[str]:
    """Return what a column's label says in brackets: ``["relevant=4", "lenskit"]`` of ``NDCG[relevant=4, lenskit]@10``."""
    _, opening, notes = _parts(label).metric.rstrip("]").partition("[")
    return notes.split(", ") if opening else []


def requested_label(label: str) -> str:
    """Return the label under which a column is asked for: ``NDCG@10 by gender`` for ``NDCG@10 gender=F``, else itself."""
    group = group_of(label)
    if not group or group.startswith(BY):
        return label
    return f"{ungrouped_label(label)} {BY}{group.partition('=')[0]}"


def has_label(labels: Collection[str], label: str) -> bool:
    """Whether a column is among some, or the columns of all groups are to which it belongs."""
    return label in labels or (" " in label and requested_label(label) in labels)


def chosen_labels(labels: Iterable[str], chosen: Iterable[str]) -> list[str]:
    """Return the labels that are among the chosen ones, in their order; ``NDCG@10 by gender`` chooses those of all groups.

    Args:
        labels: The labels that there are.
        chosen: Those that are asked for.
    """
    present = list(dict.fromkeys(labels))
    return [label for request in chosen for label in present if request in (label, requested_label(label))]


def for_groups(values: Mapping[str, _Value], labels: Iterable[str]) -> dict[str, _Value]:
    """Return values by label with those of all groups repeated for each group.

    Args:
        values: By the labels that were asked for, such as ``NDCG@10 by gender``.
        labels: The labels that there are, such as ``NDCG@10 gender=F``; without any, ``values`` come back as they are.
    """
    members: dict[str, list[str]] = {}
    for label in labels:
        if (requested := requested_label(label)) != label:
            members.setdefault(requested, []).append(label)
    if not members:
        return dict(values)
    return {name: value for label, value in values.items() for name in members.get(label, [label])}


def unmeasured(label: str, labels: Iterable[str]) -> str:
    """Return the sentence about a metric that nothing has: which was probably meant, and which there are.

    Args:
        label: What was asked for.
        labels: What there is.
    """
    present = list(dict.fromkeys(labels))
    guess, listed = nearest(label, present), ", ".join(present) or "none"
    return f"{label!r} was not measured{f'{guess} There' if guess else '; there'} are {listed}."


def alternatives(label: str, labels: Iterable[str]) -> str:
    """Return the end of a sentence about a metric that is not there: which there are, and which was probably meant."""
    present = list(dict.fromkeys(labels))
    return f"there are {', '.join(present) or 'none'}{nearest(label, present) or '.'}"
