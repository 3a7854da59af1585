"""The legend below a table: the hyperparameters that its first column does not show, in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_GAP = 3
"""Characters between columns."""


def legend_lines(parameters: Mapping[str, str], width: int | None = None) -> list[str]:
    """Return the lines of a legend; what all rows of an algorithm have in common is said once.

    Args:
        parameters: The hyperparameters that the first cells of rows do not show, by what they show.
        width: Characters per line, or None for one entry per line.

    Returns:
        Such as ``RecPack.ItemKNN: similarity='cosine'``.
    """
    texts_by_algorithm: dict[str, list[str]] = {}
    for label, text in parameters.items():
        texts_by_algorithm.setdefault(_algorithm(label), []).append(text)
    entries: dict[str, None] = {}
    for label, text in parameters.items():
        algorithm = _algorithm(label)
        is_shared = len(set(texts_by_algorithm[algorithm])) == 1
        if text:
            entries[f"{algorithm if is_shared else label}: {text}"] = None
    return in_columns(list(entries), width)


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


def _algorithm(label: str) -> str:
    return label.partition("(")[0]
