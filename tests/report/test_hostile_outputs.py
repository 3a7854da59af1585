"""Hostile names in every output: each is read back by its own reader, and the names are texts there."""

from __future__ import annotations

import csv as csv_reader
import html as entities
import io
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from support.reporting import contents, joined, report, whole

from omnibench.markup import one_line
from omnibench.report.contents import Contents, MissingItem
from omnibench.report.frames import nested
from omnibench.report.latex import latex
from omnibench.report.markdown import markdown
from omnibench.report.page.html import html
from omnibench.report.parquet_file import parquet
from omnibench.report.row_files import csv
from omnibench.report.sections import Report
from omnibench.tables.names import display_names
from omnibench.terminal import terminal_line

PAYLOADS = [
    "<script>document.title='EVIL';fetch('https://evil.example/a')</script>",
    '"><img src=https://evil.example/x onerror="document.title=\'EVIL\'">',
    "</title></style></table><script>document.title='EVIL'</script>",
    "<svg/onload=document.title='EVIL'>",
    "<style>*{background:url(https://evil.example/b)}</style>",
    "<meta http-equiv=refresh content=0;url=https://evil.example/>",
    "<iframe src=javascript:document.title='EVIL'></iframe><base href=https://evil.example/>",
    "&lt;b&gt; &amp; &#60;",
    "| a | b |",
    "[x](https://evil.example) ![x](https://evil.example/i.png)",
    "``` ~~~ `x` **b** _i_ :tada: @you #1 $x$",
    "https://evil.example/ and www.evil.example",
    "1. one",
    "- dash",
    "+1+2",
    '=HYPERLINK("https://evil.example","x")',
    "-1+1|cmd",
    "@SUM(1)",
    "\uff1d1+1",
    "# head",
    "> quote",
    "---",
    "\\input{/etc/passwd} \\write18{touch evil} \\end{tabular}",
    "100% & _x^y~ {} $z$ # \\\\",
    "[2ex] bracket",
    "*star",
    "<!-- x --> ]]> <![CDATA[",
    "''quotes'' \"double\" -- ,, `tick",
    "\x1b]0;EVIL\x07 \u202eEVIL \x00 \x9b2J",
    "two\nlines\r\nand\ttabs",
    "trailing backslash \\",
]
"""What terminals, browsers, TeX, Markdown, spreadsheets and XML would make something of."""

DATASET = "Data_1-a3f8e2c1"


def hostile() -> Contents:
    """Results of as many configurations as there are payloads, and data sets, metrics and reasons that are called so."""
    values = {
        f"A.B-{number:08x}": {"NDCG@10": [0.5 - number / 100] * 3, "RMSE": [-0.5]} for number in range(len(PAYLOADS))
    }
    plain = contents(values, DATASET, missing=[MissingItem("D/A-1", "failed", text, text) for text in PAYLOADS[:18]])
    results = []
    for result in plain.results:
        payload = PAYLOADS[int(result.algorithm.rpartition("-")[2], 16)]
        metrics = {**result.metrics, f"M {PAYLOADS[0]}": -1.5, "=1+1": 2.0}
        results.append(replace(result, user_label=payload, dataset_label=PAYLOADS[2], metrics=metrics))
    return replace(plain, results=results)


@pytest.fixture
def names() -> list[str]:
    """What the outputs have to show: the names on one line, with what nobody can see spelled out."""
    results = hostile().results
    shown = display_names(results)
    return [shown.configuration(result.algorithm) for result in results if result.fold == 0]


@pytest.fixture
def hostile_report(monkeypatch: pytest.MonkeyPatch) -> Report:
    """The report on them."""
    return report(monkeypatch, hostile())


def test_the_names_are_those_of_the_payloads(names: list[str]) -> None:
    """A configuration is called what its label says, on one line."""
    assert names == [terminal_line(payload) for payload in PAYLOADS]


def test_csv_computes_nothing_and_keeps_numbers(names: list[str]) -> None:
    """No text begins as a formula does, and is read back without its apostrophe; negative numbers are numbers."""
    head, *rows = csv_reader.reader(io.StringIO(whole(csv(hostile())).decode(), newline=""))
    cells = [dict(zip(head, row, strict=True)) for row in rows]
    numbers = {"value", "stderr", "low", "high", "mean", "std"}
    for row in cells:
        for column, cell in row.items():
            if column not in numbers:
                assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d")), (column, cell)
    assert list(dict.fromkeys(re.sub("^'(?=[-=+@\uff1d])", "", row["label"]) for row in cells)) == names
    assert {float(row["value"]) for row in cells if row["metric"] == f"M {PAYLOADS[0]}"} == {-1.5}
    assert {row["metric"] for row in cells} >= {"'=1+1"}


def test_data_files_have_the_names_as_they_are(names: list[str]) -> None:
    """JSON and Parquet are read by programs, which need no escapes."""
    document = json.loads(whole(nested(hostile())))
    assert [each["label"] for each in document["datasets"][0]["configurations"]] == names
    assert list(pd.read_parquet(io.BytesIO(whole(parquet(hostile()))))["label"].unique()) == names


def test_markdown_shows_names_as_they_are(hostile_report: Report, names: list[str]) -> None:
    """Each name is the text of one cell: no markup, no link, no image, no other cell or block."""
    text = markdown(hostile_report).decode()
    assert not re.search(r"[^\\]://|www\.", re.sub("(`+).*?\\1", "", text)), "GitHub would make links of these"
    page = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)
    assert set(re.findall("<([a-z][a-z0-9]*)", page)) <= {
        *("h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td", "strong", "code", "blockquote", "ul", "li")
    }
    rows = re.findall("<tr>\\s*<td[^>]*>(.*?)</td>", page, re.DOTALL)
    assert [entities.unescape(cell) for cell in rows] == [one_line(name) for name in names]
    reasons = [entities.unescape(text).strip() for text in re.findall("<code>(.*?)</code>", page)]
    assert reasons[: len(PAYLOADS[:18])] == [one_line(payload) for payload in PAYLOADS[:18]]
    titles = [entities.unescape(text) for text in re.findall(r"<li>(.*?) \(failed\)", page)]
    assert titles == [one_line(payload) for payload in PAYLOADS[:18]]


def test_latex_executes_nothing(hostile_report: Report) -> None:
    """No command but those of the table itself, no row that the end of the one before could take for its argument."""
    text = latex(hostile_report).decode()
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    commands = set(re.findall(r"\\([A-Za-z]+)", re.sub(r"\\\\", "", body)))
    assert not commands & {"input", "write", "include", "openin", "read", "csname", "href", "url"}
    assert body.count(r"\begin{tabular}") == body.count(r"\end{tabular}")
    for row in re.findall(r"^    (.*) \\\\$", body, re.MULTILINE):
        assert not row.startswith(("[", "*"))
        assert len(re.split(r"(?<!\\)&", row)) > 1
        depth = re.sub(r"\\[{}]", "", row)
        assert depth.count("{") == depth.count("}")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs a TeX")
def test_latex_compiles(hostile_report: Report, tmp_path: Path) -> None:
    """The tables compile, and write no file of their own."""
    text = re.sub("[^\x00-\x7f]", "?", latex(hostile_report).decode().replace("±", r"$\pm$"))
    document = rf"\documentclass{{article}}\usepackage[T1]{{fontenc}}\usepackage{{booktabs}}\begin{{document}}{text}\end{{document}}"
    (tmp_path / "a.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    assert not (tmp_path / "evil").exists()


def pages(hostile_report: Report) -> Iterator[tuple[str, str]]:
    """The page as it is, and without its policy, so that nothing but escapes keeps names from being markup."""
    text = html(hostile_report).decode()
    yield "policy", text
    yield "escapes", re.sub("<meta http-equiv[^>]*>", "", text)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs a browser")
def test_the_page_runs_no_script_and_asks_for_nothing(hostile_report: Report, names: list[str], tmp_path: Path) -> None:
    """In a browser: no script of a name runs, no request leaves, no element is made of a name, each name is seen."""
    for name, text in pages(hostile_report):
        directory = tmp_path / name
        directory.mkdir()
        (directory / "page.html").write_text(text, encoding="utf-8")
        command = [
            *(
                "chromium",
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--dump-dom",
                "--virtual-time-budget=2000",
            ),
            *("--host-resolver-rules=MAP * ~NOTFOUND", "--disable-background-networking", "--no-first-run"),
            *(
                f"--user-data-dir={directory}/profile",
                f"--log-net-log={directory}/net.json",
                "--net-log-capture-mode=Everything",
            ),
        ]
        done = subprocess.run([*command, f"file://{directory}/page.html"], capture_output=True, check=True, text=True)
        dom = done.stdout
        (title,) = re.findall("<title>(.*?)</title>", dom, re.DOTALL)
        assert entities.unescape(title) == f"Results: {PAYLOADS[2]}"
        elements = re.findall("<([a-z0-9]+)", dom)  # a browser escapes the brackets in attributes
        assert elements.count("script") == 1
        assert not {"img", "iframe", "base", "object", "link"} & {*elements}
        log = json.loads((directory / "net.json").read_text(encoding="utf-8"))
        assert log["events"], "something was logged"
        assert "evil.example" not in json.dumps(log["events"])
        seen = entities.unescape(re.sub("<[^>]+>", "", re.sub("<(script|style).*?</\\1>", "", dom, flags=re.DOTALL)))
        for label in names:
            assert label in seen


def test_several_hostile_datasets_have_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what compares configurations over data sets shows their names as texts, in each document."""
    several = joined(*(_of_dataset(hostile(), number) for number in range(4)))
    made = report(monkeypatch, several)
    elements = _Elements()
    elements.feed(html(made).decode())
    assert elements.names.count("script") == 1
    assert not {"img", "iframe", "base", "object", "link", "svg/onload"} & {*elements.names}
    assert "<img" not in MarkdownIt("commonmark").enable("table").render(markdown(made).decode())


class _Elements(HTMLParser):
    """Notes the names of a page's elements."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)


def _of_dataset(part: Contents, number: int) -> Contents:
    name = f"D{number}-0000000{number}"
    results = [replace(result, dataset=name, dataset_label=f"{PAYLOADS[2]} {number}") for result in part.results]
    return replace(part, results=results, dataset_summaries={name: next(iter(part.dataset_summaries.values()))})
