"""The legend below a table: the hyperparameters that its first column does not show, in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_GAP = 3
"""Characters between columns."""

_OPENING, _CLOSING, _QUOTES = "([{", ")]}", "'\""


def legend_lines(parameters: Mapping[str, str], width: int | None = None) -> list[str]:
    """Return the lines of a legend.

    What a row's name says already is left out, and what all rows of an algorithm have in common is said once.

    Args:
        parameters: The hyperparameters of each row, e.g. ``K=100, similarity='cosine'``, by what its first cell shows:
            ``ItemKNN(K=100)`` or ``ItemKNN-b7d4a9f1``.
        width: Characters per line, or None for one entry per line.

    Returns:
        Such as ``ItemKNN: similarity='cosine'``.
    """
    unseen = {name: ", ".join(_unseen(name, text)) for name, text in parameters.items()}
    texts_by_algorithm: dict[str, list[str]] = {}
    for name, text in unseen.items():
        texts_by_algorithm.setdefault(_algorithm(name), []).append(text)
    entries: dict[str, None] = {}
    for name, text in unseen.items():
        algorithm = _algorithm(name)
        is_shared = len(set(texts_by_algorithm[algorithm])) == 1
        if text:
            entries[f"{algorithm if is_shared else name}: {text}"] = None
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


def _algorithm(name: str) -> str:
    return name.partition("(")[0]


def _unseen(name: str, text: str) -> list[str]:
    """Return the hyperparameters that a row's name does not say."""
    shown = _separated(name.partition("(")[2].removesuffix(")"))
    return [parameter for parameter in _separated(text) if parameter not in shown]


def _separated(text: str) -> list[str]:
    """Separate e.g. ``k=[1, 2], loss='a, b'`` at the commas that stand in no brackets and no quotation marks."""
    parts, start, depth, quote = [], 0, 0, ""
    for position, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote and text[position - 1] != "\\" else quote
        elif letter in _QUOTES:
            quote = letter
        elif letter in _OPENING or letter in _CLOSING:
            depth += 1 if letter in _OPENING else -1
        elif letter == "," and not depth:
            parts.append(text[start:position].strip())
            start = position + 1
    return [part for part in (*parts, text[start:].strip()) if part]
