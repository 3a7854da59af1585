"""The page: whole, alone, escaped, and readable by machines that read it aloud."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import statistics
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder

import pytest
from support.reporting import NASTY, VALUES, contents, joined, report, standing

from omnibench import against_best
from omnibench.report.contents import MissingItem
from omnibench.report.page.html import html
from omnibench.report.sections import Choices, Report

DATASET = "Data_1-a3f8e2c1"
VOID = {"meta", "wbr"}


class Reader(HTMLParser):
    """Reads a page as a tree; every element has to be closed in its place."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.builder = TreeBuilder()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.builder.start(tag, {name: value or "" for name, value in attrs})
        if tag in VOID:
            self.builder.end(tag)
        else:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.builder.end(tag)

    def handle_data(self, data: str) -> None:
        if self.open:
            self.builder.data(data)


def page_of(report: Report) -> Element:
    reader = Reader()
    text = html(report).decode()
    assert text.startswith("<!DOCTYPE html>\n<html")
    reader.feed(text)
    assert not reader.open
    return reader.builder.close()


def text_of(node: Element) -> str:
    return "".join(node.itertext())


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Element:
    """A page of one dataset, an item of which is missing."""
    missing = [MissingItem("D/A-1/fold_1", "failed", f"Fit failed: {NASTY}\x1b[31m\x00\u202e")]
    results = contents({**VALUES, "<i>Few</i>-1": {"NDCG@10": [0.1]}}, dataset="D<script>-1", missing=missing)
    return page_of(report(monkeypatch, results, tested={("D<script>-1", "NDCG@10"): standing()}))


def test_the_page_needs_nothing_but_itself(page: Element) -> None:
    """No other file, no network, no script but the one whose digest the page names; the policy forbids the rest."""
    assert [
        node.tag for node in page.iter() if "src" in node.attrib or node.tag in ("link", "iframe", "img", "object")
    ] == []
    assert all(node.get("href", "#").startswith("#") for node in page.iter())
    assert not [node for node in page.iter() if any(name.startswith("on") for name in node.attrib)]
    (script,) = page.iter("script")
    assert script.text is not None
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    (policy,) = [
        node.get("content") for node in page.iter("meta") if node.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    (style,) = page.iter("style")
    assert not re.search(r"url\(|@import|https?:", (style.text or "") + script.text)


def test_what_comes_from_outside_is_text(page: Element) -> None:
    """Names, hyperparameters and errors show as they are; what would steer a terminal or turn the direction does not."""
    text = text_of(page)
    assert [text_of(node) for node in page.iter("span") if node.get("class") == "given"] == [NASTY] * 4
    assert f"D/A-1/fold_1 (failed): Fit failed: {NASTY}�[31m��" in text
    assert [node.text for node in page.iter("h2")] == ["D<script>-1"]
    assert [node.tag for node in page.iter() if node.tag in ("b", "i")] == []


def test_what_is_missing_stands_above(page: Element) -> None:
    """Missing items are listed before the first number."""
    text = text_of(page)
    assert (
        text.index("1 of 13 items is missing")
        < text.index("<i>Few</i>-1: NDCG@10 in 1 of 3 folds")
        < text.index("0.6000")
    )


def test_the_table_is_one_for_machines_too(page: Element) -> None:
    """Heads of columns and rows, exact values to sort by, the values of folds below each mean."""
    (table,) = [node for node in page.iter("table") if "sortable" in node.get("class", "")]
    heads = table.findall("thead/tr/th")
    assert [text_of(node) for node in heads] == ["Algorithm", "NDCG@10", "RMSE", "Fit, s", "Predict, s", "Memory, MiB"]
    assert {node.get("scope") for node in heads} == {"col"}
    first = [node.get("data-first") for node in heads]
    assert first == ["ascending", "descending", "ascending", "ascending", "ascending", "ascending"]
    for body, (name, metrics) in zip(table.findall("tbody"), VALUES.items(), strict=False):
        mean, *folds = body.findall("tr")
        (head,) = mean.findall("th")
        assert (head.get("scope"), head.get("data-value")) == ("row", name)
        for cell, values in zip(mean.findall("td"), metrics.values(), strict=False):
            assert float(cell.get("data-value", "")) == statistics.fmean(values)
            assert text_of(cell).replace("†", "") == f"{statistics.fmean(values):.4f} ±{statistics.stdev(values):.4f}"
        assert [text_of(row).partition("fold ")[2][:1] for row in folds] == ["0", "1", "2"]
        cells = [[text_of(cell) for cell in row.findall("td")[: len(metrics)]] for row in folds]
        assert cells == [[f"{value:.4f}" for value in values] for values in zip(*metrics.values(), strict=True)]
    marks = [[cell.get("class") for cell in body.findall("tr/td")[:2]] for body in table.findall("tbody")]
    assert marks == [["best", None], ["tied", "best"], [None, None], [None, None]]


def test_every_test_has_a_chart_and_its_numbers(page: Element) -> None:
    """Each tested metric has a titled figure, the best first, and a table with the numbers of `omnibench compare`."""
    (figure,) = page.iter("figure")
    (chart,) = figure.iter("svg")
    assert "NDCG@10: difference to Lib.Best-0000aaaa" in (chart.findtext("title") or "")
    rows = [[node.get("class") for node in group.findall("circle")] for group in chart.findall("g")]
    assert rows == [["best"], ["tied"], ["worse"]]
    (table,) = figure.iter("table")
    assert [text_of(node) for node in table.findall("thead/tr/th")] == [
        *("Algorithm", "mean", "difference", "95 % interval", "d_z", "p", "p (Holm)", "verdict")
    ]
    verdicts = [text_of(row[-1]) for row in table.findall("tbody/tr")]
    assert verdicts == ["the best", "not significantly worse", "worse"]
    near = standing().comparisons["Lib.Near_by-0000bbbb"]
    assert near.interval is not None
    assert f"{near.interval[0]:+.4f} to {near.interval[1]:+.4f}" in text_of(table)


def test_every_name_is_there_once() -> None:
    """What labels and buttons refer to exists, and nothing has a name of another thing."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        several = joined(*(contents(dataset=f"D{number}-1") for number in range(4)))
        tree = page_of(report(monkeypatch, several, tested={("D1-1", "RMSE"): standing()}))
    names = [node.get("id", "") for node in tree.iter() if "id" in node.attrib]
    assert len(names) == len(set(names))
    references = {
        node.get(attribute, "")
        for node in tree.iter()
        for attribute in ("aria-controls", "aria-labelledby")
        if attribute in node.attrib
    }
    linked = {node.get("href", "").removeprefix("#") for node in tree.iter("a")}
    assert references | linked <= set(names)
    assert linked == {"dataset-0", "dataset-1", "dataset-2", "dataset-3", "ranks"}
    assert "NDCG@10" in text_of(tree).partition("Ranks over datasets")[2]


def test_a_single_split_has_nothing_to_unfold(monkeypatch: pytest.MonkeyPatch) -> None:
    """No folds, no deviation, no buttons for them."""
    single = contents({"A-1": {"M": [0.5]}, "B-1": {"M": [0.25]}})
    for result in single.results:
        object.__setattr__(result, "fold", None)
    single.results[:] = [result for result in single.results if result.metrics]
    tree = page_of(report(monkeypatch, single))
    assert not [node for node in tree.iter("button") if "fold" in node.get("class", "") or node.get("class") == "all"]
    assert "±" not in text_of(tree).partition("Bold green")[0].partition("A-1")[2]


def test_of_many_the_chart_shows_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty-five rows; all of them stand in the table below."""
    names = [f"A-{number:02}" for number in range(40)]
    many = contents({name: {"M": [1 - number / 100] * 3} for number, name in enumerate(names)})
    values = {name: [1 - number / 100 + user / 1000 for user in range(5)] for number, name in enumerate(names)}
    tree = page_of(report(monkeypatch, many, Choices(limit=None), {(DATASET, "M"): against_best(values)}))
    (figure,) = tree.iter("figure")
    assert [row.findtext("text") for row in figure.iter("g")] == names[:25]
    assert "15 more are below." in text_of(figure)
    assert len(figure.findall(".//tbody/tr")) == 40


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs a browser")
def test_a_click_sorts_and_unfolds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By value, best first, once more the other way round; what has no value stands last both times."""
    results = contents({**VALUES, "Few-1": {"RMSE": [0.1]}}, parameters="")
    clicks = "head.click(); note(); head.click(); note(); document.querySelector('button.all').click()"
    script = f"""<script>
    const head = document.querySelectorAll('thead button')[1];
    const note = () => document.title += ' ' + [...document.querySelectorAll('tbody th[data-value]')].map(
        (one) => one.dataset.value.slice(-4)).join(' ') + ' ' + head.parentElement.getAttribute('aria-sort');
    document.title = ''; {clicks};
    document.title += ' ' + document.querySelectorAll('tbody.open').length;
    </script>"""
    text = html(report(monkeypatch, results)).decode().replace("</body>", f"{script}</body>")
    (tmp_path / "page.html").write_text(re.sub("<meta http-equiv[^>]*>", "", text))
    command = [
        "chromium",
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--dump-dom",
        f"--user-data-dir={tmp_path}",
    ]
    done = subprocess.run([*command, f"file://{tmp_path}/page.html"], capture_output=True, check=True, text=True)
    (title,) = re.findall("<title>(.*?)</title>", done.stdout)[:1]
    down, up = "aaaa bbbb cccc ew-1 descending", "cccc bbbb aaaa ew-1 ascending"
    assert title.strip() == f"{down} {up} 4"
