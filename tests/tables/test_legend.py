"""The legend below a table: what the rows do not say, and no more lines than that needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from omnibench.results import Result
from omnibench.tables.layout import Layout, tables
from omnibench.tables.legend import LegendRow, in_columns, legend_lines


def result(number: int, **parameters: Any) -> Result:
    """Return the result of a configuration with hyperparameters."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in parameters.items())
    metrics = {"NDCG@10": 0.5}
    return Result("D-1", f"Knn-{number:08}", f"Knn({arguments})", None, metrics, parameters=parameters, seed=1)


def legend_of(results: list[Result], **layout: Any) -> list[str]:
    """Return the lines below a table that are about hyperparameters."""
    (table,) = tables(results, Layout(**layout))
    return [line for line in table.notes if line.startswith("Knn")]


@pytest.mark.parametrize("value", [[64, 32], "a, b", {"x": (1, 2)}, "it's, so", 0.5, None])
def test_what_a_label_says_is_not_said_again(value: Any) -> None:
    """Below labels the legend has the other hyperparameters only, below hashes all of them."""
    results = [result(number, x=value, k=number, y=number % 2) for number in range(2)]
    assert legend_of(results) == [f"Knn: x={value!r}"]
    assert legend_of(results, names="hash") == [
        f"Knn: x={value!r}",
        *(f"Knn-0000000{number}: k={number}, y={number}" for number in range(2)),
    ]
    assert legend_of([result(number, k=[number, 1]) for number in range(2)]) == []


def test_what_an_algorithms_rows_have_in_common_is_said_once() -> None:
    """A hundred configurations that share a hyperparameter have one line, not a hundred; none speaks for another."""
    rows = [LegendRow(f"BPR(lr={number})", "BPR", ("epochs=20",)) for number in range(100)]
    assert legend_lines([*rows, LegendRow("VAE", "VAE", ("epochs=30",))], 80) == ["BPR: epochs=20   VAE: epochs=30"]
    rows = [LegendRow("A(k=1)", "A", ("x=1",)), LegendRow("A(k=2)", "A", ("x=2",)), LegendRow("B", "B", ())]
    assert legend_lines(rows) == ["A(k=1): x=1", "A(k=2): x=2"]
    rows = [LegendRow("A(k=1)", "A", ()), LegendRow("A(k=2)", "A", ("y=2",))]
    assert legend_lines(rows) == ["A(k=2): y=2"]
    assert legend_lines([LegendRow("A-1", "A", ("x=1",))]) == ["A-1: x=1"]


def test_hidden_ties_are_not_called_worse() -> None:
    """What is not shown may be as good as what is."""
    (ties,) = tables([result(number, k=number) for number in range(3)], Layout(limit=2))
    assert ties.notes[0].startswith("... and 1 more with no better NDCG@10; ")
    better = [replace(result(number, k=number), metrics={"NDCG@10": number / 10}) for number in range(3)]
    (ordered,) = tables(better, Layout(limit=2, all_shown_by="evaluator.get_tables()"))
    assert ordered.notes[0] == "... and 1 more with a worse NDCG@10; evaluator.get_tables() shows all"


def test_entries_stand_in_columns() -> None:
    """There are as many columns as fit, read downwards; what is too long for one follows on a line of its own."""
    entries = [f"A-{number:08}: k={number}" for number in range(10, 17)]
    assert in_columns(entries, 60) == [
        "A-00000010: k=10   A-00000013: k=13   A-00000016: k=16",
        "A-00000011: k=11   A-00000014: k=14",
        "A-00000012: k=12   A-00000015: k=15",
    ]
    assert in_columns([*entries[:2], "x" * 50], 60) == ["A-00000010: k=10   A-00000011: k=11", "x" * 50]
    assert in_columns(entries, None) == entries
    assert in_columns([], 60) == []


def test_a_table_of_a_hundred_ties_has_a_short_legend() -> None:
    """The legend names only rows that the table shows, and never takes more lines than the table."""
    results = [result(number, k=number) for number in range(200)]
    legend = legend_of(results, width=80, detail="mean", limit=100, names="hash")
    assert len(legend) == 34
    assert any("Knn-00000099: k=99" in line for line in legend)
    assert not any("k=100" in line for line in legend)
    assert max(map(len, legend)) <= 80
    assert legend_of(results, width=80, detail="mean", limit=100) == []
