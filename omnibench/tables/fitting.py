"""Cutting a table that is too wide: which columns go together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

AnyColumn = TypeVar("AnyColumn")


def fitting(columns: Iterable[AnyColumn], needed: Callable[[AnyColumn], float], room: float) -> list[list[AnyColumn]]:
    """Cut columns into groups that fit into a width; a column that is too wide by itself gets a group of its own."""
    groups: list[list[AnyColumn]] = [[]]
    free = room
    for column in columns:
        width = needed(column)
        if width > free and groups[-1]:
            groups.append([])
            free = room
        groups[-1].append(column)
        free -= width
    return groups
