"""The result of a gate as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from omnibench.gate.verdicts import IMPROVED, SAME, TOLERATED, UNDECIDED, VERDICTS, WORSE, Gate, Verdict, count
from omnibench.naming import first_few
from omnibench.report.comparisons import TESTS, p_text
from omnibench.statistics.paired import SEEDS_TEST
from omnibench.tables.legend import wrapped

_COMPARISON_LIMIT = 20
"""How many comparisons with the same verdict are shown when nobody asked for all."""


_FAILURE_LIMIT = 3
"""How many items that failed are named when nobody asked for all."""


_TESTS = {SEEDS_TEST: "over users and seeds"} | {name: f"paired {title}" for name, title in TESTS.items()}
"""What the tests are called."""


class Line(NamedTuple):
    """A line of text with its colour.

    Attributes:
        text: Without its end.
        colour: ``red``, ``green``, or nothing.
    """

    text: str
    colour: str = ""


def lines(gate: Gate, width: int = 80, *, verbosity: int = 0) -> Iterator[Line]:
    """Yield the result of a gate as lines: what is worse first, and last whether the gate passed.

    Args:
        gate: The gate.
        width: The terminal's.
        verbosity: Below 0 only what fails the gate, and what is missing; above 0 also what has not changed, and all of
            everything.
    """
    if gate.basis:
        yield from (Line(text) for text in wrapped(gate.basis, width, following="    "))
    verdicts = {0: (TOLERATED, UNDECIDED, IMPROVED), -1: ()}.get(min(verbosity, 0), ())
    yield from _section("worse", gate.those(WORSE), width, verbosity, "red")
    if gate.failed:
        yield from (Line(text, "red") for text in wrapped(_failures(gate.failed, verbosity), width, following="    "))
    for problem in gate.problems:
        yield from (Line(text, "red") for text in wrapped(problem, width, following="    "))
    for sentence in gate.missing:
        yield from (Line(text, "" if gate.missing_ok else "red") for text in wrapped(sentence, width, following="    "))
    titles = {
        TOLERATED: f"worse, but not significantly by more than the {100 * gate.tolerance:.4g} % that are accepted",
        UNDECIDED: "undecided",
        IMPROVED: "improved",
    }
    if verbosity > 0:
        verdicts, titles = (*verdicts, SAME), {**titles, SAME: "no significant difference"}
    for verdict in verdicts:
        colour = "green" if verdict == IMPROVED else ""
        yield from _section(titles[verdict], gate.those(verdict), width, verbosity, colour)
    for remark in _remarks(gate, verbosity):
        yield from (Line(text) for text in wrapped(remark, width, following="    "))
    result = Line("gate passed", "green") if gate.passed else Line("gate failed", "red")
    yield Line(f"{result.text} (baseline {gate.age})", result.colour)


def _remarks(gate: Gate, verbosity: int) -> Iterator[str]:
    """Yield what the reader has to know beside the verdicts, a sentence each."""
    worse = gate.those(WORSE)
    # A quiet run says what explains a loss, and what may hide one: a tuned algorithm is searched for with another effort.
    yield from (
        note
        for note in gate.notes
        if verbosity >= 0 or note in gate.retuned or any(note.startswith(f"{loss.label}: ") for loss in worse)
    )
    is_doubtful = any(verdict.of_fitted_models for verdict in worse)
    if gate.condition and (verbosity >= 0 or is_doubtful):
        yield gate.condition
    if verbosity >= 0:
        yield _counts(gate)


def _failures(names: Sequence[str], verbosity: int) -> str:
    listed = first_few(names, len(names) if verbosity > 0 else _FAILURE_LIMIT)
    return f"{count(len(names), 'item')} failed, so nothing passes: {listed}"


def _counts(gate: Gate) -> str:
    counts = {verdict: len(gate.those(verdict)) for verdict in VERDICTS}
    listed = ", ".join(f"{number} {verdict}" for verdict, number in counts.items() if number)
    head = count(len(gate.verdicts), "comparison") + (f": {listed}" if listed else "")
    if not gate.tested:
        return head
    tests = dict.fromkeys(_TESTS[verdict.test] for verdict in gate.verdicts if verdict.test)
    named = f" ({', '.join(tests)})" if tests else ""
    return f"{head}; p is one-sided{named}, Holm-corrected over the {gate.tested} in which anything differs"


def _section(title: str, comparisons: Sequence[Verdict], width: int, verbosity: int, colour: str) -> Iterator[Line]:
    """Yield the comparisons that have the same verdict, configuration by configuration."""
    if not comparisons:
        return
    yield Line(f"{title}:", colour)
    largest = comparisons if verbosity > 0 else comparisons[:_COMPARISON_LIMIT]
    groups: dict[tuple[str, str, str], list[Verdict]] = {}
    for comparison in largest:
        groups.setdefault((comparison.dataset, comparison.algorithm, comparison.then), []).append(comparison)
    labels = [group[0].label for group in groups.values()]
    for group in groups.values():
        is_unique = labels.count(group[0].label) == 1
        yield from (
            Line(text) for text in wrapped(f"  {_heading(group[0], is_unique=is_unique)}", width, following="    ")
        )
        yield from (Line(text) for text in _rows(group, width))
    if len(largest) < len(comparisons):
        yield Line(f"  ... and {len(comparisons) - len(largest)} more, with smaller changes; `-v` shows all")


def _heading(comparison: Verdict, *, is_unique: bool) -> str:
    """Return what a comparison is of, and of what in the baseline where that is called otherwise.

    Args:
        comparison: One of a configuration.
        is_unique: Whether no other configuration has its label, as the same one with another seed would.
    """
    if comparison.label and is_unique:
        was = "" if comparison.then_label == comparison.label else f" (was {comparison.then_label})"
        return f"{comparison.label}{was}"
    was = "" if comparison.then == comparison.algorithm else f" (was {comparison.then})"
    return f"{comparison.dataset}/{comparison.algorithm}{was}"


def _rows(comparisons: Sequence[Verdict], width: int) -> list[str]:
    """Return a row per comparison, numbers aligned; where that is too wide, each label has a line of its own."""
    cells = [_cells(comparison) for comparison in comparisons]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    rows = [
        "  ".join(cell.rjust(wide) for cell, wide in zip(row[:-1], widths, strict=False)) + f"  {row[-1]}"
        for row in cells
    ]
    labels = [comparison.metric for comparison in comparisons]
    label_width = max(len(label) for label in labels)
    if 4 + label_width + 2 + max(len(row) for row in rows) <= width:
        return [f"    {label:{label_width}}  {row.rstrip()}" for label, row in zip(labels, rows, strict=True)]
    return [text for label, row in zip(labels, rows, strict=True) for text in (f"    {label}", f"      {row.rstrip()}")]


def _cells(comparison: Verdict) -> tuple[str, ...]:
    change, interval = "", ""
    if comparison.change is not None:
        change = f"{100 * comparison.change:+.2f} %"
    if comparison.interval is not None:
        low, high = comparison.interval
        interval = f"({100 * low:+.2f} to {100 * high:+.2f})"
    p = comparison.reason if comparison.p is None else f"p {p_text(comparison.p)}"
    seeds = f", {comparison.seeds[1]} -> {comparison.seeds[0]} seeds" if comparison.seeds else ""
    pairs = f"{count(comparison.pairs, comparison.units.removesuffix('s'))}{seeds}" if comparison.pairs else "unchanged"
    return f"{comparison.baseline:.4f} -> {comparison.now:.4f}", change, interval, pairs, p
