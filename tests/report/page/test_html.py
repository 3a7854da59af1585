"""The page: whole, alone, escaped, and readable by machines that read it aloud."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import statistics
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder

import pytest
from support.reporting import NASTY, VALUES, contents, joined, report, standing

from omnibench import against_best
from omnibench.report.choices import Choices
from omnibench.report.contents import MissingItem
from omnibench.report.page.html import html
from omnibench.report.sections import Report

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
        < text.index("<i>Few</i>: NDCG@10 in 1 of 3 folds")
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
        assert (head.get("scope"), head.get("data-value")) == ("row", name.partition("-")[0])
        for cell, values in zip(mean.findall("td"), metrics.values(), strict=False):
            assert float(cell.get("data-value", "")) == statistics.fmean(values)
            assert text_of(cell).replace("†", "") == f"{statistics.fmean(values):.4f} ±{statistics.stdev(values):.4f}"
        assert [text_of(row).partition("fold ")[2][:1] for row in folds] == ["0", "1", "2"]
        cells = [[text_of(cell) for cell in row.findall("td")[: len(metrics)]] for row in folds]
        assert cells == [[f"{value:.4f}" for value in values] for values in zip(*metrics.values(), strict=True)]
    marks = [[cell.get("class") for cell in body.findall("tr/td")[:2]] for body in table.findall("tbody")]
    assert marks == [["best", None], ["tied", "best"], [None, None], [None, None]]


def test_configurations_go_by_their_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables, charts, tests and ranks have labels; below one stand the hyperparameters that it does not say."""
    results = contents(VALUES)
    for number, result in enumerate(results.results):
        object.__setattr__(result, "configuration", f"Lib.Knn(k={number // 3}, loss='BPR')")
        object.__setattr__(result, "parameters", {"k": number // 3, "loss": "BPR"})
        object.__setattr__(result, "dataset_label", "Data")
    tree = page_of(report(monkeypatch, results, tested={(DATASET, "NDCG@10"): standing()}))
    text = text_of(tree.find("body/main") or tree)
    assert "-0000aaaa" not in text
    assert DATASET not in text
    assert [text_of(node) for node in tree.iter("span") if node.get("class") == "given"] == ["loss='BPR'"] * 3
    assert text.count("Lib.Knn(k=0)") >= 4


def test_every_test_has_a_chart_and_its_numbers(page: Element) -> None:
    """Each tested metric has a titled figure, the best first, and a table with the numbers of `omnibench compare`."""
    (figure,) = page.iter("figure")
    (chart,) = figure.iter("svg")
    assert "NDCG@10: difference to Lib.Best" in (chart.findtext("title") or "")
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
        name
        for node in tree.iter()
        for attribute in ("aria-controls", "aria-labelledby")
        for name in node.get(attribute, "").split()
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
    single = replace(single, results=[result for result in single.results if result.metrics])
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


LONG = {
    f"RecBole.AVeryLongAlgorithmNameIndeed(embedding_size={size}, learning_rate=0.0005, loss_type='BPR')": {
        metric: [size / 100, 0.5, 0.25]
        for metric in [
            *(f"{name}@{k}" for name in ("NDCG", "HR", "Recall", "Precision", "Coverage") for k in (10, 20)),
            "Novelty@10",
            "NDCG[recbole]@10|100 negatives",
        ]
    }
    for size in (32, 64)
}
"""Twelve metrics of configurations with labels as long as they come."""

NEEDS_BROWSER = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs a browser")


def title_in_browser(page: bytes, script: str, directory: Path, width: int = 1280) -> str:
    """Return the title that a script gives a page in a browser."""
    text = page.decode().replace("</body>", f"<script>{script}</script></body>")
    (directory / "page.html").write_text(re.sub("<meta http-equiv[^>]*>", "", text))
    command = [
        "chromium",
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--dump-dom",
        f"--window-size={width},900",
        f"--user-data-dir={directory}",
    ]
    done = subprocess.run([*command, f"file://{directory}/page.html"], capture_output=True, check=True, text=True)
    title = re.search("<title>(.*?)</title>", done.stdout)
    assert title is not None
    return title[1].strip()


def long_page(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Return a page of three datasets with long labels, twelve metrics, costs and tests."""
    several = joined(*(contents(LONG, f"AmazonBooksAndOthers2018_{number}-1234567{number}") for number in range(3)))
    users = {name: [size + user / 100 for user in range(9)] for size, name in enumerate(LONG)}
    tested = {
        (f"AmazonBooksAndOthers2018_{number}-1234567{number}", "HR@10"): against_best(users) for number in range(3)
    }
    return html(report(monkeypatch, several, tested=tested))


@NEEDS_BROWSER
@pytest.mark.parametrize("width", [1280, 700, 500])
def test_nothing_is_cut(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, width: int) -> None:
    """With long labels, twelve metrics and everything unfolded, nothing sticks out and nothing has to be scrolled."""
    script = """
    for (const one of document.querySelectorAll('details')) one.open = true;
    for (const one of document.querySelectorAll('button.all')) one.click();
    const wide = [...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1);
    const cut = [...document.querySelectorAll('.scroll, figure')].filter((one) => one.scrollWidth > one.clientWidth + 1);
    document.title = [innerWidth, wide.length, cut.length, document.querySelectorAll('tbody.open').length > 0].join(' ');
    """
    assert title_in_browser(long_page(monkeypatch), script, tmp_path, width) == f"{width} 0 0 true"


@NEEDS_BROWSER
def test_a_telephone_shows_cards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On 375 pixels each value stands beside its column's heading, its configuration above it, and sorting is there."""
    script = """
    const frame = document.createElement('iframe');
    frame.style = 'width: 375px; height: 900px; border: 0';
    frame.srcdoc = document.documentElement.outerHTML.replace(/<script>const frame[^]*?<.script>/, '');
    document.body.replaceChildren(frame);
    frame.onload = () => {
        const page = frame.contentDocument, cell = page.querySelector('td'), box = cell.getBoundingClientRect();
        const label = frame.contentWindow.getComputedStyle(cell, '::before').content;
        const name = page.querySelector('tbody th').getBoundingClientRect();
        const wide = [...page.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > 376);
        const sorting = page.querySelector('thead button').getBoundingClientRect().width > 0;
        document.title = [label, wide.length, name.bottom <= box.top + 1, box.width < 200, sorting].join(' ');
    };
    """.replace("\n    const frame", "const frame", 1)
    title = title_in_browser(long_page(monkeypatch), script, tmp_path)
    assert title.replace("&quot;", '"') == '"NDCG@10" 0 true true true'


def test_many_columns_become_several_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of 1280 pixels has as many tables as it needs; costs stay together, and one button unfolds all."""
    values = {name: {f"Metric{number}@10": [0.5, 0.6, 0.7] for number in range(30)} for name in ("A-1", "B-1")}
    tree = page_of(report(monkeypatch, contents(values)))
    tables = [node for node in tree.iter("table") if "sortable" in node.get("class", "")]
    headings = [[text_of(node) for node in table.findall("thead/tr/th")] for table in tables]
    assert len(tables) == 3
    assert {row[0] for row in headings} == {"Algorithm"}
    assert [name for row in headings for name in row[1:]] == [
        *(f"Metric{number}@10" for number in range(30)),
        *("Fit, s", "Predict, s", "Memory, MiB"),
    ]
    (button,) = [node for node in tree.iter("button") if node.get("class") == "all"]
    assert button.get("aria-controls", "").split() == [table.get("id") for table in tables]
    for table, row in zip(tables, headings, strict=True):
        for line in table.findall("tbody/tr"):
            assert [cell.get("data-label") for cell in line.findall("td")] == row[1:]


@NEEDS_BROWSER
def test_a_click_sorts_and_unfolds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By value, best first, once more the other way round; what has no value stands last both times."""
    results = contents({**VALUES, "Few-1": {"RMSE": [0.1]}}, parameters="")
    clicks = "head.click(); note(); head.click(); note(); document.querySelector('button.all').click()"
    script = f"""
    const head = document.querySelectorAll('thead button')[1];
    const note = () => document.title += ' ' + [...document.querySelectorAll('tbody th[data-value]')].map(
        (one) => one.dataset.value.slice(-4)).join(' ') + ' ' + head.parentElement.getAttribute('aria-sort');
    document.title = ''; {clicks};
    document.title += ' ' + document.querySelectorAll('tbody.open').length;
    """
    down, up = "Best r_by orse Few descending", "orse r_by Best Few ascending"
    assert title_in_browser(html(report(monkeypatch, results)), script, tmp_path) == f"{down} {up} 4"


@NEEDS_BROWSER
def test_the_parts_of_a_table_are_sorted_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A click in one of several tables of a dataset brings the others into the same order."""
    values = {
        f"{name}-1": {f"Metric{number}@10": [start, start, start] for number in range(30)}
        for name, start in (("A", 0.2), ("B", 0.9), ("C", 0.5))
    }
    script = """
    document.querySelectorAll('thead button')[1].click();
    document.title = [...document.querySelectorAll('table.sortable')].map(
        (table) => [...table.tBodies].map((body) => body.rows[0].cells[0].dataset.value[0]).join('')).join(' ');
    """
    assert title_in_browser(html(report(monkeypatch, contents(values))), script, tmp_path) == "BCA BCA BCA"
