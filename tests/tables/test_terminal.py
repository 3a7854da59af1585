"""The terminal's tables: every digit, the best marked, and no column that says nothing."""

from __future__ import annotations

import math
import re
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.results import Result
from omnibench.tables.layout import Layout, tables
from omnibench.tables.terminal import render

DATASET = "MovieLens100K-a3f8e2c1"


def result(
    algorithm: str, fold: int | None, parameters: str = "", *, dataset: str = DATASET, **metrics: float
) -> Result:
    name = algorithm.partition("-")[0]
    values = {label.replace("_", "@"): value for label, value in metrics.items()}
    return Result(dataset, algorithm, f"{name}({parameters})", fold, values)


def printed(
    results: list[Result], lower: tuple[str, ...] = (), width: int | None = None, *, colour: bool = False
) -> str:
    return "\n".join(render(table, colour=colour) for table in tables(results, Layout(lower, width)))


def rows_of(text: str) -> list[list[str]]:
    """The cells of the lines that have a number, a name or a dash in the last column."""
    return [line.split() for line in text.splitlines() if re.search(r"\d\.\d{4}$|-$", line)]


SINGLE = [result("A-1", None, NDCG_10=0.25, HR_10=0.5), result("B-1", None, NDCG_10=0.125, HR_10=0.75)]
FOLDED = [
    result("A-1", 0, "k=3", NDCG_10=0.1, HR_10=0.3),
    result("A-1", 1, "k=3", NDCG_10=0.3, HR_10=0.3),
    result("B-1", 0, NDCG_10=0.4, HR_10=0.1),
    result("B-1", 1, NDCG_10=0.4, HR_10=0.1),
]


def test_a_table_is_titled_by_its_dataset() -> None:
    """One table per dataset, titled as people search for it, on one line, however narrow the table."""
    second = result("A-1", None, dataset="A [bold] one-12345678", HR_10=0.5)
    lines = printed([*SINGLE, second]).splitlines()
    assert "MovieLens100K-a3f8e2c1: Evaluation Results" in lines
    assert "A [bold] one-12345678: Evaluation Results" in lines


def test_a_single_split_has_no_fold_column() -> None:
    """A single split has no fold column and no rows of mean and spread, because there is nothing to average."""
    text = printed(SINGLE)
    assert "Fold" not in text
    assert "mean" not in text
    assert rows_of(text) == [["A", "*0.2500", "0.5000"], ["B", "0.1250", "*0.7500"]]


def test_what_is_not_significantly_worse_is_marked() -> None:
    """If a test is given, what is not significantly worse than the best is marked; only then is there a note."""
    near = {(DATASET, "NDCG@10"): ("A-1", "B-1"), (DATASET, "HR@10"): ()}
    (single,) = tables(SINGLE, test=lambda _: near)
    assert rows_of(render(single, colour=False)) == [["A", "*0.2500", "0.5000"], ["B", "~0.1250", "*0.7500"]]
    (folded,) = tables(FOLDED, test=lambda _: near)
    text = render(folded, colour=False)
    assert [row for row in rows_of(text) if row[0] == "mean"] == [
        ["mean", "~0.2000", "*0.3000"],
        ["mean", "*0.4000", "0.1000"],
    ]
    assert "\n~ not significantly worse than the best (paired bootstrap test, Holm-corrected, 0.05)\n" in text
    assert "not significantly worse" not in printed(FOLDED)
    assert "not significantly worse" not in render(tables(FOLDED, test=lambda _: {("D", "HR@10"): ()})[0], colour=False)


def test_folds_have_rows_mean_and_spread() -> None:
    """The name stands once; the spread is the sample standard deviation; the best mean is marked."""
    assert rows_of(printed(FOLDED)) == [
        ["A", "0", "0.1000", "0.3000"],
        ["1", "0.3000", "0.3000"],
        ["mean", "0.2000", "*0.3000"],
        ["std", f"{statistics.stdev([0.1, 0.3]):.4f}", "0.0000"],
        ["B", "0", "0.4000", "0.1000"],
        ["1", "0.4000", "0.1000"],
        ["mean", "*0.4000", "0.1000"],
        ["std", "0.0000", "0.0000"],
    ]


def test_folds_stand_in_their_order() -> None:
    """Folds stand in their order, whatever order the workers finished in."""
    assert printed([*reversed(FOLDED[:2]), *FOLDED[2:]]) == printed(FOLDED)


def test_a_single_fold_has_neither_mean_nor_spread() -> None:
    """Of one fold, as after ``-k fold_0``, there is a row each; its values are what is compared, and nothing is a mean."""
    text = printed([FOLDED[0], FOLDED[2]])
    assert rows_of(text) == [["A", "0", "0.1000", "*0.3000"], ["B", "0", "*0.4000", "0.1000"]]
    assert "mean" not in text
    assert "std" not in text
    (means,) = tables([FOLDED[0], FOLDED[2]], Layout(detail="mean"))
    assert rows_of(render(means, colour=False)) == [["A", "0.1000", "*0.3000"], ["B", "*0.4000", "0.1000"]]
    assert "all values are of fold 0" in render(means, colour=False)


def test_a_single_fold_beside_several() -> None:
    """An algorithm of which one fold is there has its row alone, and is not compared."""
    text = printed(FOLDED[:3])
    assert rows_of(text)[-2:] == [
        ["std", f"{statistics.stdev([0.1, 0.3]):.4f}", "0.0000"],
        ["B", "0", "0.4000", "0.1000"],
    ]
    assert "an algorithm that lacks a fold which others have is not compared with them" in text


def test_the_smallest_error_is_the_best() -> None:
    """Where lower is better, the lowest is marked; ties that print alike are all marked."""
    results = [result(f"{name}-1", None, RMSE=value) for name, value in (("A", 0.9), ("B", 0.80001), ("C", 0.80002))]
    assert [row[-1] for row in rows_of(printed(results, ("RMSE",)))] == ["0.9000", "*0.8000", "*0.8000"]


def test_the_best_of_one_is_not_marked() -> None:
    """The best of a single algorithm is not marked, because the mark would say nothing."""
    assert "*0" not in printed(FOLDED[:2])


def test_what_is_missing_is_a_dash() -> None:
    """An algorithm without a metric (because it failed there) has a dash, and means are over what there is."""
    text = printed([result("A-1", 0, NDCG_10=0.5), result("A-1", 1, HR_10=0.5), result("A-1", 2, NDCG_10=0.25)])
    assert rows_of(text)[:4] == [
        ["A", "0", "0.5000", "-"],
        ["1", "-", "0.5000"],
        ["2", "0.2500", "-"],
        ["mean", "0.3750", "0.5000"],
    ]


def test_hyperparameters_are_explained_below() -> None:
    """Whole, with their own brackets; algorithms without any are not listed."""
    text = printed([result("A-1", None, "hidden=(64, (32))", HR_10=0.5), result("B-1", None, HR_10=0.25)])
    assert "A: hidden=(64, (32))" in text.splitlines()
    assert "B:" not in text


@given(
    st.lists(st.sampled_from(["NDCG", "HR", "RecallCapped", "Precision"]), min_size=1, unique=True),
    st.lists(st.sampled_from([5, 10, 100]), min_size=1, unique=True),
    st.integers(1, 200),
    st.booleans(),
)
def test_no_width_loses_a_digit(names: list[str], ks: list[int], width: int, folded: bool) -> None:
    """Every value of every metric is printed with all its digits, in as many tables as it takes."""
    labels = [f"{name}@{k}" for name in names for k in ks]
    values = {label: 0.1 + number / 1000 for number, label in enumerate(labels)}
    results = [
        Result(
            DATASET,
            f"LensKit.ItemKNNScorer-{number:08d}",
            "LensKit.ItemKNNScorer()",
            number if folded else None,
            values,
        )
        for number in range(2)
    ]
    text = printed(results, width=width)
    assert "…" not in text
    for label, value in values.items():
        assert re.search(rf"(?<!\S){label}(?!\S)", text)
        assert f"{value:.4f}" in text
    assert text.count("LensKit.ItemKNNScorer-00000001") >= 1


def test_tables_fit_the_width_where_they_can() -> None:
    """A dataset with more metrics than fit gets several tables, the legend below the last."""
    results = [Result(DATASET, name, f"{name}()", None, {f"NDCG@{k}": 0.5 for k in range(1, 20)}) for name in "AB"]
    text = printed(results, width=80)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert text.count("Evaluation Results") > 1
    assert text.count("* best of its column") == 1
    assert text.endswith("* best of its column")


anything = st.floats(-1e7, 1e7) | st.sampled_from([math.nan, math.inf, -math.inf])


@given(
    st.lists(st.dictionaries(st.sampled_from(["NDCG@10", "FitTime", "Long" * 5]), anything), min_size=1, max_size=6),
    st.integers(48, 160),
    st.sampled_from(["folds", "mean"]),
)
def test_whatever_the_values_tables_fit(values: list[dict[str, float]], width: int, detail: str) -> None:
    """Large, missing, infinite and undefined values are shown in full, and no line is wider than the terminal."""
    results = [Result(DATASET, f"A-{number % 2}", "A()", number // 2, metrics) for number, metrics in enumerate(values)]
    text = "\n".join(render(table, colour=False) for table in tables(results, Layout(width=width, detail=detail)))
    above = text.partition("* best of")[0]
    assert max(len(line) for line in above.splitlines()) <= width
    if detail == "folds":
        assert {f"{value:.4f}" for metrics in values for value in metrics.values()} <= {
            word.lstrip("*") for word in text.split()
        }


def test_an_algorithm_that_lacks_a_fold_is_not_compared() -> None:
    """Its values are of other data: it is shown, but neither marked nor tested against, and a line says so."""
    tested: list[list[Result]] = []

    def test(rows: list[Result]) -> dict[tuple[str, str], tuple[str, ...]]:
        tested.append(rows)
        return {}

    partial = result("C-1", 1, NDCG_10=0.9, HR_10=0.1)
    (table,) = tables([*FOLDED, partial], test=test)
    text = render(table, colour=False)
    assert [row[1:] for row in rows_of(text) if row[0] == "mean"] == [
        ["0.2000", "*0.3000"],
        ["*0.4000", "0.1000"],
    ]
    assert ["C", "1", "0.9000", "0.1000"] in rows_of(text)
    assert "lacks a fold" in text
    assert "lacks a fold" not in printed([*FOLDED, result("C-1", 0, MAP=1.0)])
    assert tested == [[*FOLDED, result("C-1", 1)]]
    apart = [result("A-1", 0, HR_10=0.5), result("B-1", 1, HR_10=0.4)]
    assert "*0" not in printed(apart)


def test_what_is_undefined_is_never_the_best() -> None:
    """NaN is neither the best nor in the way of the best, and is sorted to the end, however the order was."""
    rows = [result(name, None, RMSE=value) for name, value in zip("ABCD", [math.nan, 0.5, math.nan, 0.25], strict=True)]
    for ordered in (rows, rows[::-1]):
        (table,) = tables(ordered, Layout({"RMSE"}, sort="RMSE"))
        assert [cells[0].text for cells in table.sections[0]][:2] == ["D", "B"]
        assert [cells[1].mark for cells in table.sections[0]] == ["*", "", "", ""]


def test_a_terminal_that_knows_ascii_only() -> None:
    """The table has its lines and columns there, too, of other characters; what has no other is escaped."""
    (table,) = tables([*FOLDED, result("É-1", 0, NDCG_10=0.1)], Layout(detail="mean"))
    text, full = render(table, colour=False, encoding="ascii"), render(table, colour=False)
    assert text.isascii()
    assert render(table, colour=False, encoding="latin-1").count("-----") > 0
    pairs = list(zip(text.splitlines(), full.splitlines(), strict=True))
    assert all(len(line) == len(ascii_line) for line, ascii_line in pairs if "É" not in ascii_line)
    assert "0.2000+-0.1414" in text


@pytest.mark.parametrize("colour", [True, False])
def test_colour_is_for_terminals_only(colour: bool) -> None:
    """Without colour there is no escape sequence; with it the best is coloured and the text the same."""
    text = printed(SINGLE, colour=colour)
    assert ("\x1b[" in text) is colour
    assert re.sub(r"\x1b\[[0-9;]*m", "", text).split() == printed(SINGLE).split()


def test_no_results_make_no_table() -> None:
    """No results make no table; results without a metric make a table without columns of numbers."""
    assert tables([]) == []
    assert " A\n" in printed([result("A-1", None)])
    assert " A\n" in printed([result("A-1", None)], width=40)


def test_configurations_go_by_their_labels() -> None:
    """The plan's labels where each tells its configuration apart, else what all that are shown differ in; or the hashes."""

    def planned(name: str, label: str, k: int, seed: int = 1) -> Result:
        return Result(DATASET, name, f"A(k={k})", None, {"HR@10": 0.5}, "", "ml", label, "", {"k": k}, seed)

    def names(results: list[Result], style: str = "labels") -> list[str]:
        (table,) = tables(results, Layout(names=style))
        return [row[0].text for section in table.sections for row in section]

    assert names([planned("A-1", "A(k=3)", 3)]) == ["A(k=3)"]
    assert names([planned("A-1", "A", 3), planned("A-2", "A", 4)]) == ["A(k=3)", "A(k=4)"]
    assert names([planned("A-1", "A", 3, 1), planned("A-2", "A", 3, 2)]) == ["A(seed=1)", "A(seed=2)"]
    assert names([planned("A-1", "A", 3), planned("A-2", "A", 4)], "hash") == ["A-1", "A-2"]
    (table,) = tables([planned("A-1", "A", 3)])
    assert table.title == "ml: Evaluation Results"
    assert "A: k=3" in table.notes
    (table,) = tables([planned("A-1", "A(k=3)", 3)])
    assert not any("k=3" in note for note in table.notes)


def test_datasets_of_one_label_go_by_their_hashes() -> None:
    """Two benchmarks may call different data the same; their tables are told apart."""
    results = [Result(f"ml-{number}", "A-1", "A()", None, {"HR@10": 0.5}, "", "ml") for number in range(2)]
    assert [table.title for table in tables(results)] == ["ml-0: Evaluation Results", "ml-1: Evaluation Results"]


def test_a_single_fold_goes_by_its_label() -> None:
    """A row of one fold is called as rows of several are."""
    result_of_fold = Result(DATASET, "A-1", "A(k=3)", 0, {"HR@10": 0.5}, "", "ml", "A(k=3)", "", {"k": 3})
    (table,) = tables([result_of_fold])
    assert [row[0].text for section in table.sections for row in section] == ["A(k=3)"]
