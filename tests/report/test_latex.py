"""LaTeX: every character escaped, every table whole; compiled where there is a TeX."""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.reporting import NASTY, VALUES, contents, joined, report, standing

from omnibench.markup import one_line
from omnibench.report.choices import Choices
from omnibench.report.contents import MissingItem
from omnibench.report.latex import escaped, latex

DATASET = "Data_1-a3f8e2c1"
COMMANDS = {
    "textbackslash": "\\",
    "textasciitilde": "~",
    "textasciicircum": "^",
    "textless": "<",
    "textgreater": ">",
    "textbar": "|",
    "textquotedbl": '"',
    "textquotesingle": "'",
    "textasciigrave": "`",
}
r"""What "The Comprehensive LaTeX Symbol List" gives as the names of these characters."""

TOKENS = re.compile(r"\\([A-Za-z]+)\{\}|\\([{}$&#_%])|\{\}|\$\\pm\$|([^\\{}$&#_%~^<>|\"'`±])")


def read(text: str) -> str:
    """Read escaped text as LaTeX does, refusing what would mean anything else."""
    tokens, position = [], 0
    while position < len(text):
        token = TOKENS.match(text, position)
        assert token is not None, f"{text[position:]!r} means something"
        command, symbol, letter = token.groups()
        tokens.append(COMMANDS[command] if command else symbol or letter or ("±" if "pm" in token[0] else ""))
        position = token.end()
    return "".join(tokens)


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("\\{}$&#_%~^<>|\"'`-,±")))
def test_escapes_are_read_as_the_text(text: str) -> None:
    """LaTeX prints an escaped text as the text itself; no two characters become one."""
    assert read(escaped(text)) == one_line(text)
    assert not re.search("--|,,", escaped(text))


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().removesuffix(r"\\").split(" & ")]


def tables(text: str) -> list[list[list[str]]]:
    """The rows of each table, between its rules."""
    return [
        [cells(row) for row in table.splitlines() if row.strip().endswith(r"\\")]
        for table in re.findall(r"\\toprule(.*?)\\bottomrule", text, re.DOTALL)
    ]


def test_a_table_has_means_deviations_and_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best in bold, what is not significantly worse with a dagger, the rest as it is."""
    tested = {(DATASET, "NDCG@10"): standing()}
    text = latex(report(monkeypatch, contents(), tested=tested)).decode()
    ((head, *rows),) = tables(text)
    assert head == ["Algorithm", "NDCG@10", "RMSE"]
    for (name, metrics), row in zip(VALUES.items(), rows, strict=True):
        assert read(row[0]) == name.rpartition("-")[0]
        for values, cell in zip(metrics.values(), row[1:], strict=True):
            mean = f"{statistics.fmean(values):.4f}"
            assert re.sub(r"\\textbf\{(.*?)\}|\$\^\{\\dagger\}\$", r"\1", cell) == (
                rf"{mean} {{\scriptsize$\pm${statistics.stdev(values):.4f}}}"
            )
    assert [[r"\textbf" in cell for cell in row[1:]] for row in rows] == [[True, False], [False, True], [False, False]]
    assert [[r"\dagger" in cell for cell in row[1:]] for row in rows] == [[False] * 2, [True, False], [False] * 2]
    assert r"$^{\dagger}$: not significantly worse than the best: paired bootstrap test over 10 users" in text
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 1
    assert re.findall(r"\\label\{tab:(.*?)\}", text) == ["Data-1-a3f8e2c1"]


def test_long_and_wide_tables_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """LaTeX would let them run out of the page; every value stands somewhere, every name's parameters once."""
    labels = [f"NDCG@{k}" for k in range(1, 9)]
    values = {f"A{row}-1": {label: [row + 0.01 * k] * 3 for k, label in enumerate(labels)} for row in range(60)}
    text = latex(report(monkeypatch, contents(values, parameters="k=1"), Choices(limit=None))).decode()
    parts = tables(text)
    assert max(len(table) - 1 for table in parts) == 40
    assert max(len(table[0]) for table in parts) < len(labels)
    flat = {
        (row[0], label): cell for head, *rows in parts for row in rows for label, cell in zip(head, row, strict=True)
    }
    for name, metrics in values.items():
        for label, (value, *_) in metrics.items():
            assert f"{value:.4f}" in flat[name.rpartition("-")[0], label]
    assert text.count(r": k=1\par") == len(values)
    assert text.count(r"\label{") == 1
    assert text.count("(continued)") == len(parts) - 1


def test_an_incomplete_table_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caption of an incomplete table says so, because it is copied with the table; a comment lists the items."""
    missing = [MissingItem("D/A-1/fold_1", "failed", "Fit failed:\nno")]
    incomplete = contents({**VALUES, "Few-1": {"NDCG@10": [0.1]}}, missing=missing)
    text = latex(report(monkeypatch, incomplete)).decode()
    assert "\n%   D/A-1/fold_1 (failed) Fit failed: no\n" in text
    (caption,) = re.findall(r"\\caption\{(.*)\}\n", text)
    assert r"\textbf{1 of 13 items is missing.}" in caption
    assert "Fewer folds than there are: Few: NDCG@10 in 1 of 3 folds." in caption


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs a TeX with booktabs")
def test_it_compiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A document with ranks and with all characters that are special in LaTeX compiles."""
    several = joined(
        *(contents(dataset=f"D_{number}&-1", missing=[MissingItem(NASTY, "failed", NASTY)]) for number in range(4))
    )
    tested = {(f"D_{number}&-1", "NDCG@10"): standing() for number in range(4)}
    (tmp_path / "tables.tex").write_bytes(latex(report(monkeypatch, several, tested=tested)))
    packages = r"\usepackage[T1]{fontenc}\usepackage{booktabs}"
    (tmp_path / "paper.tex").write_text(
        rf"\documentclass{{article}}{packages}\begin{{document}}\input{{tables.tex}}\end{{document}}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
