"""Reports of a grid say that picking its best configuration is tuning on the test part, in each format's own way."""

from __future__ import annotations

import html as entities
import re
from dataclasses import replace

import pytest
from support.reporting import contents, report

from omnibench.report.latex import escaped, latex
from omnibench.report.markdown import markdown
from omnibench.report.page.html import html
from omnibench.report.sections import Report

CALL = 'plan.tune(RecPack.ItemKNN, {"K": Choice([50, 100])}, fixed={"normalize": True})'
SENTENCE = "Picking the best RecPack.ItemKNN by these numbers is tuning on the test part; to choose on validation data:"


@pytest.fixture
def grid(monkeypatch: pytest.MonkeyPatch) -> Report:
    """A report of two configurations of one algorithm."""
    values = {f"RecPack.ItemKNN-{number:08}": {"NDCG@10": [0.1, 0.2, 0.3]} for number in (50, 100)}
    made = contents(values, parameters="")
    results = [
        replace(result, parameters={"K": int(result.algorithm[-8:]), "normalize": True}) for result in made.results
    ]
    return report(monkeypatch, replace(made, results=results))


def test_markdown_has_it_as_code(grid: Report) -> None:
    """To be copied from the page and from the text."""
    text = markdown(grid).decode()
    assert text.count(f"{SENTENCE} `{CALL}`") == text.count("tuning on the test part") == 1


def test_latex_has_it_below_the_table(grid: Report) -> None:
    """Behind the legend of the last table, in typewriter letters."""
    text = latex(grid).decode()
    assert text.count(SENTENCE) == text.count("tuning on the test part") == 1
    (code,) = re.findall(r"\\texttt\{(.*)\}\\par", text)
    assert code == escaped(CALL)


def test_the_page_has_it_as_code(grid: Report) -> None:
    """In the section of the dataset."""
    text = html(grid).decode()
    assert entities.unescape(text).count(f"{SENTENCE} <code>{CALL}</code>") == 1


def test_reports_without_a_grid_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three algorithms are no choice of hyperparameters."""
    made = report(monkeypatch, contents())
    assert not any("tuning on the test part" in write(made).decode() for write in (markdown, latex, html))
