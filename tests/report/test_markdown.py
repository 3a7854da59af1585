"""Markdown, read back by a parser that somebody else has written."""

from __future__ import annotations

import html
import re
import statistics
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from support.reporting import NASTY, VALUES, contents, joined, report, standing

from omnibench.markup import one_line
from omnibench.report.choices import Choices
from omnibench.report.contents import MissingItem
from omnibench.report.markdown import code, escaped, markdown

DATASET = "Data_1-a3f8e2c1"
TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from("|*_`~<>&$[]()#@:\\-"))


def rendered(text: str) -> str:
    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text))


def plain(markup: str) -> str:
    return html.unescape(re.sub("<[^>]+>", "", markup))


def rows_of(markup: str) -> list[list[str]]:
    """The cells of all tables' rows, as markup."""
    return [re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall("<tr>(.*?)</tr>", markup, re.DOTALL)]


@given(TEXTS)
def test_a_cell_shows_its_text(text: str) -> None:
    """A cell shows its text, which makes no other cell, no markup and no link."""
    page = rows_of(rendered(f"| {escaped(text)} | b |\n| :-- | --: |\n| a | b |"))
    assert [plain(cell) for cell in page[0]] == [one_line(text), "b"]
    assert "<" not in page[0][0]


@given(TEXTS)
def test_code_shows_its_text(text: str) -> None:
    """Inline code shows its text, with as many backticks as it takes."""
    page = rendered(f"a {code(text)} b")
    (content,) = re.findall("<code>(.*?)</code>", page) if one_line(text) else [""]
    assert html.unescape(content) == one_line(text)


@pytest.mark.parametrize("text", ["@you", "#12", ":tada:", "$x$", "&amp;"])
def test_what_github_makes_something_of_is_escaped(text: str) -> None:
    """Nobody is mentioned, no issue linked; within a word they mean nothing, and stay readable."""
    assert escaped(f"a {text}").startswith("a \\")
    assert escaped("NDCG@10, max_nbrs, C#, 12:30") == "NDCG@10, max_nbrs, C#, 12:30"


def test_a_table_has_means_deviations_and_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best in bold, what is not significantly worse with a dagger, and a note of how that was tested."""
    tested = {(DATASET, "NDCG@10"): standing()}
    text = markdown(report(monkeypatch, contents(), tested=tested)).decode()
    page = rendered(text)
    head, *rows = rows_of(page)
    assert head == ["Algorithm", "NDCG@10", "RMSE"]
    expected = {
        name.rpartition("-")[0]: [
            f"{statistics.fmean(values):.4f} ±{statistics.stdev(values):.4f}" for values in metrics.values()
        ]
        for name, metrics in VALUES.items()
    }
    assert {plain(name): [plain(cell).replace("†", "") for cell in cells] for name, *cells in rows} == expected
    marks = {plain(row[0]): ["b" * ("<strong>" in cell) + "t" * ("†" in cell) for cell in row[1:]] for row in rows}
    assert list(marks.values()) == [["b", ""], ["t", "b"], ["", ""]]
    assert "†: not significantly worse than the best: paired bootstrap test over 10 users, Holm-corrected" in plain(
        page
    )
    assert plain(page).count(NASTY) == len(VALUES)
    assert "<script>" not in page


def test_what_is_missing_stands_above(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first twenty items with their reasons, and how many more there are; a fold that is lacking, too."""
    missing = [MissingItem(f"D/A-1/fold_{number}", "failed", f"Fit failed: {NASTY}") for number in range(30)]
    incomplete = contents({**VALUES, "Few-1": {"NDCG@10": [0.1]}}, missing=missing)
    page = plain(rendered(markdown(report(monkeypatch, incomplete)).decode()))
    assert page.index("30 of 42 items are missing") < page.index("NDCG@10")
    assert page.count(f"(failed): Fit failed: {NASTY}") == 20
    assert "... and 10 more" in page
    assert "Few: NDCG@10 in 1 of 3 folds" in page
    assert "missing" not in plain(rendered(markdown(report(monkeypatch, contents())).decode()))


def test_ranks_stand_below(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table per metric with letters, where there are enough datasets; else that there are too few."""
    several = joined(*(contents(dataset=f"D{number}-1") for number in range(4)))
    page = rendered(markdown(report(monkeypatch, several)).decode())
    below = page.partition("Ranks over datasets")[2]
    assert "NDCG@10: average ranks over 4 datasets; Friedman" in below
    ranks = [[plain(cell) for cell in row] for row in rows_of(below)]
    assert ranks[:4] == [
        ["Algorithm", "Average rank", "Group"],
        ["Lib.Best", "1.00", "a"],
        ["Lib.Near_by", "2.00", "ab"],
        ["Own.Worse", "3.00", "b"],
    ]
    two = joined(*(contents(dataset=f"D{number}-1") for number in range(2)))
    text = plain(rendered(markdown(report(monkeypatch, two)).decode()))
    assert "too few datasets to say" in text
    assert "share a letter" not in text
    assert "Ranks over datasets" not in markdown(report(monkeypatch, contents())).decode()


def test_of_many_only_the_best_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many configurations the best by the sorting metric are shown, and a note says how to see all."""
    many = contents({f"A-{number}": {"NDCG@10": [number / 100] * 3, "HR@10": [0.5] * 3} for number in range(30)})
    page = rendered(markdown(report(monkeypatch, many, Choices("NDCG@10", 5, show_all="--top"))).decode())
    assert [row[0] for row in rows_of(page)[1:]] == [f"A-{number}" for number in (29, 28, 27, 26, 25)]
    assert "The best 5 by NDCG@10 are shown, 25 more are not; --top shows all." in plain(page)


def test_a_metric_of_unknown_direction_has_no_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric of unknown direction has no best, and nothing is ranked by it."""
    several = joined(*(contents(dataset=f"D{number}-1", undirected=["RMSE"]) for number in range(4)))
    page = rendered(markdown(report(monkeypatch, several)).decode())
    assert "RMSE: omnibench does not know whether more of it is better; --better says so." in plain(page)
    assert not any("<strong>" in row[2] for row in rows_of(page)[:4])
    assert "RMSE: average ranks" not in plain(page)


def test_costs_are_not_ranked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither costs nor columns that a plugin adds are ranked, only metrics that were recorded."""
    several = joined(*(contents(dataset=f"D{number}-1") for number in range(4)))
    timed = [
        replace(result, metrics={**result.metrics, "FitTime": 1.0 + len(result.algorithm)})
        for result in several.results
    ]
    several = replace(several, results=timed)
    text = markdown(report(monkeypatch, several)).decode()
    assert "| FitTime |" in text
    assert "FitTime: average ranks" not in text


def test_nothing_is_said_to_be_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is empty would look like an accident."""
    assert markdown(report(monkeypatch, contents({}))) == b"There are no results.\n"
