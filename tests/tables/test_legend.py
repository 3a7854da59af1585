"""The legend below a table: what the rows do not say, and no more lines than that needs."""

from __future__ import annotations

import pytest

from omnibench.results import Result
from omnibench.tables.layout import Layout, tables
from omnibench.tables.legend import in_columns, legend_lines


def test_what_a_name_says_is_not_said_again() -> None:
    """Of a readable name only the other hyperparameters are in the legend; of one with a hash, all of them."""
    parameters = {"ItemKNN(K=100)": "K=100, normalize=True", "ItemKNN(K=20)": "K=20, normalize=False"}
    assert legend_lines(parameters) == ["ItemKNN(K=100): normalize=True", "ItemKNN(K=20): normalize=False"]
    assert legend_lines({"ItemKNN(K=100)": "K=100", "ItemKNN(K=20)": "K=20"}) == []
    assert legend_lines({"ItemKNN-0aaa9a81": "K=100", "Pop-1bbb": ""}) == ["ItemKNN-0aaa9a81: K=100"]


def test_what_an_algorithms_rows_have_in_common_is_said_once() -> None:
    """A hundred configurations that share a hyperparameter have one line, not a hundred."""
    parameters = {f"BPR(lr={number})": f"lr={number}, epochs=20" for number in range(100)}
    assert legend_lines({**parameters, "VAE": "epochs=30"}, 80) == ["BPR: epochs=20   VAE: epochs=30"]


@pytest.mark.parametrize("value", ["[64, 32]", "'a, b'", "{'x': (1, 2)}", "'it\\'s, so'"])
def test_values_with_commas_stay_whole(value: str) -> None:
    """A comma inside of a value does not end it."""
    assert legend_lines({f"A(x={value})": f"x={value}, y=1"}) == ["A: y=1"]


def test_entries_stand_in_columns() -> None:
    """As many columns as fit, read downwards; what is too long for one follows on a line of its own."""
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
    results = [Result("D-1", f"Knn-{number:08}", f"Knn(k={number})", None, {"NDCG@10": 0.5}) for number in range(200)]
    (table,) = tables(results, Layout(width=80, detail="mean", limit=100))
    legend = [line for line in table.notes if line.startswith("Knn-")]
    assert len(legend) == 34
    assert any("Knn-00000099: k=99" in line for line in legend)
    assert not any("k=100" in line for line in legend)
    assert max(map(len, legend)) <= 80
