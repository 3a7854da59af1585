"""The legend below a table: the hyperparameters that its first column does not show, in columns."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_GAP = 3
"""Characters between columns."""


class LegendRow(NamedTuple):
    """What a legend has to say of a row.

    Attributes:
        label: What the row's first cell shows.
        family: What its algorithm is called with any hyperparameters.
        unsaid: The hyperparameters that the label does not say, e.g. ``("similarity='cosine'",)``.
    """

    label: str
    family: str
    unsaid: tuple[str, ...]


def legend_lines(rows: Sequence[LegendRow], width: int | None = None) -> list[str]:
    """Return the lines of a legend; what all rows of an algorithm have in common is said once.

    Args:
        rows: The rows of the table.
        width: Characters per line, or None for one entry per line.

    Returns:
        Such as ``RecPack.ItemKNN: similarity='cosine'``.
    """
    families: dict[str, list[LegendRow]] = {}
    for row in rows:
        families.setdefault(row.family, []).append(row)
    explained: list[tuple[str, list[str]]] = []
    for family, members in families.items():
        common: list[str] = []
        if len(members) > 1:
            common = [text for text in members[0].unsaid if all(text in member.unsaid for member in members)]
        explained.append((family, common))
        explained += [(member.label, [text for text in member.unsaid if text not in common]) for member in members]
    entries = [f"{label}: {', '.join(texts)}" for label, texts in explained if texts]
    return in_columns(entries, width)


def indented(text: str, width: int | None) -> list[str]:
    """Return a text as lines that go on what the line above them says; none for an empty text.

    Args:
        text: The text.
        width: Characters per line, or None for one line.
    """
    if width is None:
        return [f"  {text}"] if text else []
    return wrapped(text, width, first="  ", following="  ")


def wrapped(text: str, width: int, *, first: str = "", following: str = "") -> list[str]:
    """Return a text as lines, in which a number and its percent sign stay together.

    Args:
        text: The text.
        width: Characters per line.
        first: What the first line begins with.
        following: What the others begin with.
    """
    lines = textwrap.wrap(
        text.replace(" %", "\N{NO-BREAK SPACE}%"),
        width,
        initial_indent=first,
        subsequent_indent=following,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


_MOST_NAMES = 8
"""Rows that a sentence about some of them names."""


def fitted_on(labels: Mapping[str, str]) -> str:
    """Return which parts the rows of a table are fitted on; nothing where all are fitted on training alone, the default.

    Args:
        labels: By what each row's first cell shows, the parts that its model is fitted on; empty for training alone.

    Returns:
        Such as ``fitted on train+validation: RecPack.EASE; the others on training alone``.
    """
    refitted = [label for label, refit in labels.items() if refit]
    remaining = [label for label, refit in labels.items() if not refit]
    if not refitted:
        return ""
    parts = " or ".join(dict.fromkeys(filter(None, labels.values())))
    if not remaining:
        return f"fitted on {parts}"
    if len(remaining) < len(refitted):
        return f"fitted on {parts}, except for {_listed(remaining)}: on training alone"
    return f"fitted on {parts}: {_listed(refitted)}; the others on training alone"


def _listed(labels: Sequence[str]) -> str:
    more = len(labels) - _MOST_NAMES
    return ", ".join([*labels[:_MOST_NAMES], *([f"{more} more"] if more > 0 else [])])


def in_columns(entries: Sequence[str], width: int | None) -> list[str]:
    """Lay texts out in columns of equal width, to be read downwards; those of over half the width follow, a line each.

    Args:
        entries: The texts, in their order.
        width: Characters per line, or None for one text per line.
    """
    if width is None:
        return list(entries)
    long = [entry for entry in entries if len(entry) > (width - _GAP) // 2]
    short = [entry for entry in entries if len(entry) <= (width - _GAP) // 2]
    if not short:
        return long
    step = max(map(len, short)) + _GAP
    number = max(1, (width + _GAP) // step)
    height = -(-len(short) // number)
    rows = [short[row::height] for row in range(height)]
    return ["".join(entry.ljust(step) for entry in row).rstrip() for row in rows] + long
