"""Searches in documents: spaces, budgets and choices as tables, plots of recorded trials, what a reader has to know."""

from __future__ import annotations

import io
import json
import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support import tuned

from omnibench.report.export import export_results
from omnibench.report.page.plots import Axis, Point, Steps, plot
from omnibench.report.tuning import Step, best_by_seconds, best_by_trial, mean_by_seconds
from omnibench.store import CheckpointStore
from omnibench.store.schema import TrialStatus
from omnibench.store.trials import trials_of
from omnibench.store.tuned_items import TunedItem, tuned_item
from omnibench.tuning.distributions import Choice, Float, Int, Log
from omnibench.tuning.space import Space

VALUES = (0.1, 0.3, None, 0.2, 0.4)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with a tuned item that is done, and one whose search was cut short."""
    store = CheckpointStore(tmp_path / "store")
    search(store, "a", "1" * 64, edges=[["l2", 10000.0, "high"]], override=True)
    labels = tuned.begin(store, "b", "2" * 64)
    tuned.judge(store, labels, 0, {}, 0.25)
    store.close()
    return tmp_path / "store"


def search(store: CheckpointStore, name: str, key: str, *, text: str = "als", **choice: Any) -> None:
    """Record a search with five trials, one of which has failed, and its item."""
    labels = tuned.begin(store, name, key, fixed={"alpha": 2})
    trials = []
    for number, value in enumerate(VALUES):
        status = TrialStatus.DONE if value is not None else TrialStatus.FAILED
        parameters = {"l2": 10.0**number, "solver": text if number % 2 else "sgd"} if number else {}
        error = None if value is not None else {"phase": "Fit", "message": text, "details": ""}
        trials.append(tuned.judge(store, labels, number, parameters, value, status=status, error=error))
    tuned.finish(store, labels, trials, **choice)


def written(root: Path, suffix: str) -> str:
    file = root.parent / f"report{suffix}"
    export_results(root, file, all_items=True)
    return file.read_text(encoding="utf-8")


def test_markdown_has_a_table_of_searches(root: Path) -> None:
    """Space and budget in words, what was chosen with its value, and the sentences that a reader needs."""
    text = written(root, ".md")
    assert "### Search spaces, budget, chosen values" in text
    (row,) = [line for line in text.splitlines() if line.startswith("| RecPack.EASE (tuned)") and "log" in line]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:] == [
        "l2: log 1 to 10000<br>solver: als or sgd<br>alpha = 2",
        "30 trials<br>other than the plan's<br>tpe in rounds of 4, no pruner<br>5 trials in 7.5 s (1 failed)",
        "l2=10000, solver=sgd (0.4000)",
    ]
    assert "- RecPack.EASE (tuned): l2 = 10000 lies at the upper edge of its range: widen it." in text
    assert "(interrupted): `its search was cut short: 1 of 30 trials`" in text


def test_latex_has_a_table_of_searches(root: Path) -> None:
    """Its columns wrap, its lines are separate rows, and every special character is escaped."""
    text = written(root, ".tex")
    table = text[text.index(r"\label{tab:D-tuning}") :]
    assert r"{\raggedright Chosen on validation data (NDCG@10)\strut}" in table
    assert r"{\raggedright l2: log 1 to 10000\newline solver: als or sgd\newline alpha = 2\strut}" in table
    assert r"{\raggedright l2=10000, solver=sgd (0.4000)\strut}" in table
    assert "RecPack.EASE (tuned)" in table
    caption = re.search(r"\\caption\{(D: search spaces.*)\}", text)
    assert caption is not None
    assert "widen it" in caption[1]


def test_long_tables_of_searches_go_over_several_pages(tmp_path: Path) -> None:
    """LaTeX cuts off what does not fit on a page."""
    store = CheckpointStore(tmp_path / "store")
    space = Space.of({f"parameter_with_a_long_name_{number}": Int(1, 9) for number in range(20)}).identity
    for number in range(4):
        name = "abcd"[number]
        labels = tuned.begin(store, name, f"{number}" * 64, space=space)
        trials = [tuned.judge(store, labels, 0, {"x": 1}, 0.5)]
        tuned.finish(store, labels, trials)
    store.close()
    text = written(tmp_path / "store", ".tex")
    assert text.count("search spaces, budget, chosen values (continued)") >= 1
    assert text.count(r"\label{tab:D-tuning}") == 1


def test_the_page_draws_trials_hyperparameters_and_time(root: Path) -> None:
    """A history with its best so far, a plot per hyperparameter, and what is reached after how many seconds."""
    text = written(root, ".html")
    titles = re.findall(r"<title>([^<]*on validation data[^<]*)</title>", text)
    name = r"RecPack.EASE (tuned)"
    assert titles == [
        "D, NDCG@10 on validation data against seconds",
        f"{name}: NDCG@10 on validation data by trial",
        f"{name}: NDCG@10 on validation data against l2",
        f"{name}: NDCG@10 on validation data against solver",
    ]
    assert "trial 4: l2=10000, solver=sgd; NDCG@10 0.4000" in text
    assert text.count('class="cross trial"') == 1
    assert text.count('class="best"') >= 3
    assert "Seconds per fold" in text.replace("<wbr>", "")


def test_documents_say_what_a_search_has_taken(tmp_path: Path) -> None:
    """Folds that share a search have taken it once; one trial is no "trials", and half a second is not none."""
    store = CheckpointStore(tmp_path / "store")
    first = tuned.begin(store, "a", "1" * 64, fold=0, per_fold=False)
    trials = [tuned.judge(store, first, 0, {}, 0.25, phases={"Fit": 0.4})]
    tuned.finish(store, first, trials, per_fold=False, defaults={"l2": 1000.0})
    labels, _ = tuned.labels_of(store, "b", search="1" * 64, fold=1)
    tuned.finish(store, labels, trials, per_fold=False, edges=[["l2", 1e4, "high"]])
    store.close()
    text = written(tmp_path / "store", ".md")
    assert "30 trials once, on the first fold<br>tpe in rounds of 4, no pruner<br>1 trial in 0.4 s |" in text
    assert "fold 0: the defaults (l2=1000) (0.2500)<br>fold 1: the defaults (0.2500)" in text


def test_labels_of_users_keep_their_case(tmp_path: Path) -> None:
    """A sentence that begins with a label is not written with another first letter."""
    store = CheckpointStore(tmp_path / "store")
    labels = replace(tuned.begin(store, "a", "1" * 64), user_label="d both")
    tuned.finish(store, labels, [tuned.judge(store, labels, 0, {}, 0.25)], edges=[["l2", 1e4, "high"]])
    store.close()
    text = written(tmp_path / "store", ".md")
    assert "- d both: l2 = 10000 lies at the upper edge" in text
    assert "D both" not in text


def test_untuned_reports_say_nothing_of_searches(root: Path, tmp_path: Path) -> None:
    """Neither heading nor plot nor sentence where nothing was tuned."""
    from support.stored import compute

    store = CheckpointStore(tmp_path / "plain")
    compute(store, "a")
    store.close()
    for suffix in (".md", ".tex", ".html"):
        assert "earch space" not in written(tmp_path / "plain", suffix)
    assert root.exists()


EVIL = "<script>alert(1)</script>|`*_\\end{table}\x1b[2J"


def test_texts_of_searches_are_escaped(tmp_path: Path) -> None:
    """Values of hyperparameters, names, labels of metrics may be anybody's: no document obeys them."""
    store = CheckpointStore(tmp_path / "store")
    space = Space.of({EVIL: Choice([EVIL, "b"]), "l2": Log(1.0, 1e4)}).identity
    labels = tuned.begin(store, "a", "1" * 64, space=space, metric=EVIL, fixed={EVIL: EVIL})
    trials = [tuned.judge(store, labels, number, {EVIL: EVIL, "l2": 2.0}, 0.1) for number in range(2)]
    tuned.finish(store, labels, trials, edges=[[EVIL, 1, "low"]])
    store.close()
    page, tex, md = (written(tmp_path / "store", suffix) for suffix in (".html", ".tex", ".md"))
    assert "<script>alert" not in page
    assert r"\end{table}\x1b" not in tex
    assert tex.count(r"\begin{table}") == tex.count("\n\\end{table}")
    assert "<script>" not in re.sub(r"`[^`]*`|\\<script", "", md)
    assert "\x1b" not in page + tex + md


def test_a_record_that_nobody_can_read_leaves_the_report_whole(tmp_path: Path) -> None:
    """A space of a later omnibench is unknown; its trials are drawn all the same, whatever their values are."""
    store = CheckpointStore(tmp_path / "store")
    labels = tuned.begin(store, "a", "1" * 64, space={"parameters": 1}, tuning=[])
    odd: list[Any] = [[1, 2], {"a": 1}, None, True, "x", 1e308, -1e308, 10**18, float("inf")]
    trials = [tuned.judge(store, labels, number, {"l2": value, "k": -number}, 0.5) for number, value in enumerate(odd)]
    tuned.finish(store, labels, trials)
    store.close()
    assert "unknown" in written(tmp_path / "store", ".md")
    assert "against k" in written(tmp_path / "store", ".html")
    assert "unknown" in written(tmp_path / "store", ".tex")


def tuned_of(
    store: CheckpointStore, name: str, values: list[float | None], seconds: float, **members: Any
) -> TunedItem:
    labels = tuned.begin(store, name, name * 64 if name in "0123456789abcdef" else "9" * 64, **members)
    for number, value in enumerate(values):
        status = TrialStatus.DONE if value is not None else TrialStatus.FAILED
        tuned.judge(store, labels, number, {"x": number}, value, status=status, phases={"Fit": seconds})
    records = store.snapshot()
    trials = store.read(lambda reader: trials_of(reader, labels.search))
    item = {**records[f"item/{labels.fit_key}"], "status": "interrupted", "phase": "Tune"}
    return tuned_item(item, records[f"search/{labels.search}"], trials)


def test_the_best_so_far_only_improves(tmp_path: Path) -> None:
    """By trial and by seconds, whichever direction is better; a failed trial costs its seconds and changes nothing."""
    store = CheckpointStore(tmp_path / "store")
    up = tuned_of(store, "a", [0.1, None, 0.05, 0.3], 2.0)
    assert best_by_trial(up) == [Step(0, 0.1), Step(3, 0.3)]
    assert best_by_seconds(up) == [Step(2.0, 0.1), Step(8.0, 0.3)]
    down = tuned_of(store, "b", [0.5, 0.9, 0.2], 1.0, higher_is_better=False)
    assert best_by_seconds(down) == [Step(1.0, 0.5), Step(3.0, 0.2)]
    slow = tuned_of(store, "c", [0.3, 0.5], 5.0)
    together = mean_by_seconds([up, slow])
    assert [step[0] for step in together] == [5.0, 8.0, 10.0]
    assert [step[1] for step in together] == pytest.approx([0.2, 0.3, 0.4])
    nothing = tuned_of(store, "d", [None], 1.0)
    assert mean_by_seconds([up, nothing]) == []
    store.close()


@pytest.mark.parametrize(
    ("axis", "ticks"),
    [
        (Axis("x", [1, 10000], logarithmic=True), ["1", "10", "100", "1000", "1e+04"]),
        (Axis("x", [10, 40], logarithmic=True), ["10", "20"]),
        (Axis("x", [], categories=["als", "a" * 30]), ["als", "a" * 13 + "\N{HORIZONTAL ELLIPSIS}"]),
        (Axis("x", [0, 3], whole=True), ["0", "1", "2", "3"]),
    ],
)
def test_axes_have_numbers_of_their_kind(axis: Axis, ticks: list[str]) -> None:
    """Powers of ten, names, whole numbers; each between the ends of the axis."""
    assert [text for _, text in axis.ticks()] == ticks
    assert all(13 <= axis.position(value) <= 100 for value, _ in axis.ticks())


def test_a_plot_holds_whatever_is_in_it() -> None:
    """One point, none, crosses alone, equal values: the drawing is well-formed and its positions are numbers."""
    for points, lines in (
        ([], []),
        ([Point(1, 0.5, "trial", "a")], []),
        ([Point(1, None, "trial", "<&>")], []),
        ([Point(1, 0.5, "trial", "a"), Point(2, 0.5, "best", "b")], [Steps([(1, 0.5)], 2, "line0", "c")]),
    ):
        svg = plot(points, lines, Axis("x", [point.x for point in points]), "y", "t", "d")
        text = ET.tostring(svg, encoding="unicode")
        assert "nan" not in text
        assert "inf" not in text


def test_spaces_are_told_in_words(tmp_path: Path) -> None:
    """Steps, logarithms, choices and conditions as people write them."""
    store = CheckpointStore(tmp_path / "store")
    space = Space.of({"a": Int(1, 9, step=2), "b": Float(0, 1), "c": Choice([1, 2]), "d": Log(1e-4, 1.0)})
    labels = tuned.begin(store, "a", "1" * 64, space=space.identity)
    tuned.finish(store, labels, [tuned.judge(store, labels, 0, {}, 0.5)])
    store.close()
    text = written(tmp_path / "store", ".md")
    assert "a: 1 to 9 in steps of 2 (whole)<br>b: 0 to 1<br>c: 1 or 2<br>d: log 0.0001 to 1" in text


def test_data_files_have_what_was_chosen(root: Path) -> None:
    """Chosen hyperparameters, their value, the effort and whether it is another than the plan's; nothing of plain rows."""
    table = pd.read_csv(io.StringIO(written(root, ".csv")))
    (row,) = table.to_dict("records")
    assert json.loads(row["chosen"]) == {"l2": 10000.0, "solver": "sgd"}
    assert json.loads(row["tuning_budget"]) == {"trials": 30, "seconds": None}
    assert (row["tuning_value"], row["tuning_trials"], row["tuning_override"]) == (0.4, 5, True)
    (configuration,) = json.loads(written(root, ".json"))["datasets"][0]["configurations"]
    assert configuration["folds"][0]["tuning"] == {
        "chosen": {"l2": 10000.0, "solver": "sgd"},
        "metric": "NDCG@10",
        "value": 0.4,
        "trials": 5,
        "pruned": 0,
        "failed": 1,
        "seconds": 7.5,
        "budget": {"trials": 30, "seconds": None},
        "override": True,
        "per_fold": True,
    }
    export_results(root, root.parent / "report.parquet", all_items=True)
    assert pd.read_parquet(root.parent / "report.parquet")["tuning_metric"].tolist() == ["NDCG@10"]


def test_infinite_hyperparameters_are_exported(tmp_path: Path) -> None:
    """JSON has no infinity: a text stands for it."""
    store = CheckpointStore(tmp_path / "store")
    labels = tuned.begin(store, "a", "1" * 64)
    tuned.finish(store, labels, [tuned.judge(store, labels, 0, {"age": math.inf}, 0.5)])
    store.close()
    document = json.loads(written(tmp_path / "store", ".json"), parse_constant=pytest.fail)
    assert document["datasets"][0]["configurations"][0]["folds"][0]["tuning"]["chosen"] == {"age": "Infinity"}
    for suffix in (".md", ".tex", ".html", ".csv"):
        assert "inf" in written(tmp_path / "store", suffix).lower()
