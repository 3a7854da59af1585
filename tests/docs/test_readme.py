"""The README: short, and what it shows of the main job is what the main job is and measures."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d\.\d{4}")
STORE = Path(os.environ.get("OMNIREC_CHECKPOINT_DIR") or ROOT / "checkpoints")
"""Where the main job keeps what it measured."""


def block(language: str, beginning: str) -> str:
    """Return the README's only block of a language that begins so."""
    (text,) = re.findall(rf"^```{language}\n({re.escape(beginning)}.*?)^```", README, re.MULTILINE | re.DOTALL)
    return str(text)


def test_it_is_short() -> None:
    """Whoever comes by reads it to the end: 150 lines; the rest stands in docs/."""
    assert len(README.splitlines()) <= 150


def test_its_bench_file_is_the_repository_s() -> None:
    """Apart from imports, annotations and docstrings, the README shows benchmarks/bench_movielens.py as it is."""
    file = (ROOT / "benchmarks" / "bench_movielens.py").read_text(encoding="utf-8")
    bench_file = file[file.index("movielens = ") :].replace("(result: Result) -> None", "(result)")
    assert block("python", "movielens = ") == re.sub(r'    """.*?"""\n', "", bench_file)


def test_its_links_lead_to_files() -> None:
    """Each relative link of the README names a file of the repository."""
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).is_file()] == []


@pytest.mark.inner
@pytest.mark.skipif(
    "OMNIBENCH_MAIN_JOB" not in os.environ, reason="runs after the main job; .ci/run sets OMNIBENCH_MAIN_JOB"
)
def test_its_table_is_what_the_main_job_measured() -> None:
    """Over the store of a finished main job, pytest prints the README's table; other processors change a last digit."""
    readme_block = block("console", "$ pytest benchmarks")
    command = [sys.executable, "-m", *readme_block.splitlines()[0].removeprefix("$ ").replace("-n auto ", "").split()]
    printed = subprocess.run(
        [*command, "--omnirec-readonly", f"--omnirec-checkpoint-dir={STORE}", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100", "PYTEST_ADDOPTS": ""},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    table = [line for line in readme_block.splitlines() if line.startswith((" ", "*", "~"))]
    assert len(table) == 17
    printed_rows = {NUMBER.sub("#", line): line for line in printed.splitlines()}
    for row in table:
        measured = printed_rows.get(NUMBER.sub("#", row))
        assert measured is not None, f"{row!r} is not in\n{printed}"
        expected = [float(number) for number in NUMBER.findall(row)]
        assert [float(number) for number in NUMBER.findall(measured)] == pytest.approx(expected, abs=2e-4)
