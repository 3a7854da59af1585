"""What a gate says, in lines for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from omnibench.gate.verdicts import IMPROVED, SAME, TOLERATED, UNDECIDED, VERDICTS, WORSE, Gate, Verdict, count
from omnibench.report.comparisons import p_text

_MOST = 20
"""Comparisons of a kind that are shown when nobody asked for all."""


class Line(NamedTuple):
    """A line.

    Attributes:
        text: Without its end.
        colour: ``red``, ``green``, or nothing.
    """

    text: str
    colour: str = ""


def lines(gate: Gate, width: int = 80, *, verbosity: int = 0) -> Iterator[Line]:
    """Yield what a gate says: what is worse first, at the end whether it passed.

    Args:
        gate: The gate.
        width: The terminal's.
        verbosity: Below 0 only what fails the gate; above 0 also what has not changed, and all of everything.
    """
    kinds = {0: (WORSE, TOLERATED, UNDECIDED, IMPROVED), -1: (WORSE,)}.get(min(verbosity, 0), ())
    yield from _section("worse", gate.those(WORSE), width, verbosity, "red")
    for problem in gate.problems:
        yield from (Line(text, "red") for text in _wrapped(problem, width))
    titles = {
        TOLERATED: f"worse, but not significantly by more than the {100 * gate.tolerance:.4g} % that are accepted",
        UNDECIDED: "undecided",
        IMPROVED: "improved",
    }
    if verbosity > 0:
        kinds, titles = (*kinds, SAME), {**titles, SAME: "no significant difference"}
    for kind in kinds[1:]:
        yield from _section(titles[kind], gate.those(kind), width, verbosity, "green" if kind == IMPROVED else "")
    if verbosity >= 0:
        for note in gate.notes:
            yield from (Line(text) for text in _wrapped(note, width))
        yield from (Line(text) for text in _wrapped(_counts(gate), width))
    verdict = Line("gate passed", "green") if gate.passed else Line("gate failed", "red")
    yield Line(f"{verdict.text} (baseline {gate.age})", verdict.colour)


def _counts(gate: Gate) -> str:
    tally = {kind: len(gate.those(kind)) for kind in VERDICTS}
    said = ", ".join(f"{number} {kind}" for kind, number in tally.items() if number)
    head = count(len(gate.verdicts), "comparison") + (f": {said}" if said else "")
    if not gate.tested:
        return head
    return f"{head}; p is one-sided, Holm-corrected over the {gate.tested} in which anything differs"


def _section(title: str, found: Sequence[Verdict], width: int, verbosity: int, colour: str) -> Iterator[Line]:
    """Yield a kind of verdicts, configuration by configuration."""
    if not found:
        return
    yield Line(f"{title}:", colour)
    shown = found if verbosity > 0 else found[:_MOST]
    groups: dict[tuple[str, str, str], list[Verdict]] = {}
    for one in shown:
        groups.setdefault((one.dataset, one.algorithm, one.then), []).append(one)
    for (dataset, algorithm, then), some in groups.items():
        was = "" if then == algorithm else f" (was {then})"
        yield from (Line(text) for text in _wrapped(f"  {dataset}/{algorithm}{was}", width))
        yield from (Line(text) for text in _rows(some, width))
    if len(shown) < len(found):
        yield Line(f"  ... and {len(found) - len(shown)} more, with smaller changes; `-v` shows all")


def _rows(found: Sequence[Verdict], width: int) -> list[str]:
    """One row per comparison, numbers aligned; where that is too wide, each label has a line of its own."""
    cells = [_cells(one) for one in found]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    rows = [
        "  ".join(cell.rjust(wide) for cell, wide in zip(row[:-1], widths, strict=False)) + f"  {row[-1]}"
        for row in cells
    ]
    names = max(len(one.metric) for one in found)
    if 4 + names + 2 + max(len(row) for row in rows) <= width:
        return [f"    {one.metric:{names}}  {row.rstrip()}" for one, row in zip(found, rows, strict=True)]
    return [
        text for one, row in zip(found, rows, strict=True) for text in (f"    {one.metric}", f"      {row.rstrip()}")
    ]


def _cells(one: Verdict) -> tuple[str, ...]:
    change = "" if one.change is None else f"{100 * one.change:+.2f} %"
    interval = "" if one.interval is None else f"({100 * one.interval[0]:+.2f} to {100 * one.interval[1]:+.2f})"
    p = one.reason if one.p is None else f"p {p_text(one.p)}"
    pairs = f"{one.pairs} {one.units}" if one.pairs else "unchanged"
    return f"{one.baseline:.4f} -> {one.now:.4f}", change, interval, pairs, p


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
