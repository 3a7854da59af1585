"""Every block of the README and of the documentation's pages is run, and prints what the page says.

Sybil finds the blocks and the reasons for leaving one out; a page is one test, because its blocks build on each other.

- ``title="path"`` behind the language: the block is a file of the project; a ``diff`` with a title changes that file.
- ``console``: commands behind ``$ ``, and what they print. A line ``...`` stands for any number of lines.
- ``python``: runs in one namespace per page; with ``>>>`` it is a doctest.
- ``<!-- skip: next "reason" -->`` above a block: it is not run, and the reason says why.

``UPDATE_DOCS=1 pytest tests/docs/test_pages.py`` writes the real output of console blocks that print something else
into the pages; look at the difference before committing it.
"""

from __future__ import annotations

import doctest
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import traceback
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest import SkipTest

import pytest
from support.inner import print_of
from support.markers import made_once
from sybil import Document, Example, Region
from sybil.parsers.markdown import SkipParser
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

from omnibench.data import loaders

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FIRST = ROOT / "docs" / "quickstart.md"
AS_A_STRANGER = (FIRST, PAGES[0])
"""Pages whose commands are all processes of their own, as they are for whoever reads them first."""
READER = "/home/ann/shop"
"""Where the project of the pages lies, as they print it."""

LEFT_OUT = (
    *("cacheprovider", "randomly", "hypothesispytest", "timeout", "rerunfailures", "pytest_cov", "typeguard", "anyio"),
)
"""Plugins that a reader need not have: they print something, or their imports take as long as the rest of a start."""

_INFO = re.compile(r'(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n')
_FENCES = re.compile(r"^[ ]*```\w", re.MULTILINE)
_COMMAND = re.compile(r"^\$ ", re.MULTILINE)
_IN_THE_SHELL = re.compile(r"[|&;<>$`*?~#()]|^\w+=")
"""What only a shell understands."""
_DOCTEST = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_VARYING = (
    (r"={4,} ?", "==== "),  # pytest's rules are as wide as the terminal
    (r" ?={4,}(?=\n|$)", " ===="),
    (r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)?)?", "<date>"),
    (r"\b\d+(\.\d+)? ?(s|ms|seconds)\b( \(\d+:\d\d:\d\d\))?", "<time>"),
    (r"\b\d+:\d\d\b", "<time>"),
    (r"\bsnapshot_\d{8}_\d{6}\b", "<snapshot>"),
    (r"\b\d{8}T\d{6}Z-[0-9a-f]{8}(\.\w+\.[0-9a-f]+)?", "<run>"),
    (r"\bprocess \d+( on \S+,)?", "process <pid>"),
    (r"\bgw\d", "<worker>"),
    (r"\b\d+ MiB", "<size>"),
    (r"\b[\d,.]+ (bytes|kB|MB|KiB)", "<size>"),
    (r"^ +\w+\.peak_rss +.*\n", ""),  # of two Fits, whose peaks may be equal
    (r"^( +(?:metrics|Fit|Predict|Eval)\.\S+) +", r"\1 "),  # as wide as the longest of their names, which that may be
    (r"^(  \S+) +(?=\S.* -> )", r"\1 "),  # and so are the other facts in the same list
    (r"^logs\.db-(shm|wal)\n", ""),  # SQLite leaves them where two processes close the log at once
    (r" +$", ""),
)


def parse(path: Path) -> Document:
    """Return a page with a region for each block and each instruction to skip one."""
    return Document.parse(str(path), _blocks, SkipParser())


def _blocks(document: Document) -> Iterable[Region]:
    evaluators = {"console": run_commands, "python": run_python}
    for region in RawFencedCodeBlockLexer(_INFO)(document):
        lexemes = region.lexemes
        region.parsed = lexemes["source"]
        if lexemes["title"]:
            region.evaluator = change_file if lexemes["language"] == "diff" else write_file
        else:
            region.evaluator = evaluators.get(lexemes["language"], refuse)
        yield region


def write_file(example: Example) -> None:
    """Write a block that has a title into the project."""
    path = Path(example.region.lexemes["title"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(example.parsed, encoding="utf-8")


def change_file(example: Example) -> None:
    """Replace the lines behind ``-`` by those behind ``+``."""
    path = Path(example.region.lexemes["title"])
    lines = example.parsed.splitlines(keepends=True)
    before, after = ("".join(line[1:] for line in lines if line.startswith(sign)) for sign in "-+")
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{path} has {before!r} {text.count(before)} times"
    path.write_text(text.replace(before, after), encoding="utf-8")


def run_python(example: Example) -> str | None:
    """Run a block in the namespace of its page and return what went differently."""
    if ">>> " not in example.parsed:
        exec(compile("\n" * example.line + example.parsed, example.path, "exec"), example.namespace)
        return None
    test = doctest.DocTestParser().get_doctest(
        example.parsed, example.namespace, Path(example.path).name, example.path, example.line
    )
    report = io.StringIO()
    runner = _Runner(optionflags=_DOCTEST)
    failed = runner.run(test, out=report.write, clear_globs=False).failed
    example.namespace.update(test.globs)
    if failed and os.environ.get("UPDATE_DOCS"):
        prompts = [">>> " + line.source.rstrip("\n").replace("\n", "\n... ") + "\n" for line in test.examples]
        values = [runner.printed.get(line.lineno, line.want) for line in test.examples]
        _replace(example, "".join(prompt + value for prompt, value in zip(prompts, values, strict=True)))
        return None
    return report.getvalue() if failed else None


class _Runner(doctest.DocTestRunner):
    """Keeps what the lines print that print something else than the page says."""

    def __init__(self, optionflags: int) -> None:
        super().__init__(optionflags=optionflags)
        self.printed: dict[int, str] = {}

    def report_failure(self, out: Any, test: doctest.DocTest, example: doctest.Example, got: str) -> None:
        self.printed[example.lineno] = got
        super().report_failure(out, test, example, got)

    def report_unexpected_exception(
        self, out: Any, test: doctest.DocTest, example: doctest.Example, exc_info: Any
    ) -> None:
        last = "".join(traceback.format_exception_only(*exc_info[:2]))
        self.printed[example.lineno] = f"Traceback (most recent call last):\n  ...\n{last}"
        super().report_unexpected_exception(out, test, example, exc_info)


def run_commands(example: Example) -> str | None:
    """Run the commands of a console block and return what they print otherwise than the page says."""
    run = _print_of_process if Path(example.path) in AS_A_STRANGER else _print_of
    wrong = []
    real_block = []
    for part in _COMMAND.split(example.parsed)[1:]:
        command, _, expected = part.partition("\n")
        while command.endswith("\\"):
            line, _, expected = expected.partition("\n")
            command += f"\n{line}"
        printed = _tidied(run(command))
        if not agrees(printed, expected):
            wrong.append(f"$ {command}\n{printed}\ninstead of\n{expected}")
            expected = f"{printed}\n" if printed else ""
        real_block.append(f"$ {command}\n{expected.rstrip()}\n" if expected.strip() else f"$ {command}\n")
    if wrong and os.environ.get("UPDATE_DOCS"):
        _replace(example, "".join(real_block))
        return None
    return "\n\n".join(wrong) or None


def _print_of(command: str) -> str:
    """Return what a command prints; pytest and omnibench run in this process, without a start and imports of their own."""
    words = shlex.split(command) if _IN_THE_SHELL.search(command) is None else []
    if words[:1] in (["pytest"], ["omnibench"]) and "-n" not in words:
        return print_of(words)
    return _print_of_process(command)


def _print_of_process(command: str) -> str:
    """Return what a command prints in a shell."""
    ran = subprocess.run(
        command, shell=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300
    )
    return ran.stdout


def _tidied(printed: str) -> str:
    lines = [line.rstrip() for line in printed.replace(str(Path.cwd()), READER).splitlines()]
    return "\n".join(line for line in lines if "test session starts" not in line).strip("\n")


def _replace(example: Example, block: str) -> None:
    path = Path(example.path)
    text = path.read_text(encoding="utf-8")
    assert text.count(example.parsed) == 1, f"{example.parsed} stands in {path} more than once"
    path.write_text(text.replace(example.parsed, block), encoding="utf-8")


def agrees(printed: str, expected: str) -> bool:
    """Whether an output is the expected one, but for what differs from run to run."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line) + r"\n" for line in steady(expected).splitlines()
    )
    return re.fullmatch(pattern, f"{steady(printed)}\n" if printed else "") is not None


def steady(text: str) -> str:
    """Return a text without what differs from run to run: times, dates, processes, sizes."""
    for pattern, instead in _VARYING:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    return text.strip("\n")


def refuse(example: Example) -> str:
    """Say that nobody knows how to run a block."""
    return (
        f"A block of {example.region.lexemes['language']!r} cannot be run: give it a title (it is a file then), "
        'or write <!-- skip: next "reason" --> above it.'
    )


def run(page: Document) -> tuple[int, list[str]]:
    """Run every block of a page; return how many ran, and why the others did not."""
    ran, reasons = 0, []
    for example in page.examples():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a page shows what is printed; some examples warn on purpose
                example.evaluate()
        except SkipTest as reason:
            reasons.append(str(reason))
        else:
            ran += bool(example.region.lexemes)  # an instruction to skip has none
    return ran, reasons


@pytest.fixture(scope="session")
@made_once
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of the quickstart, after its first run; not to be changed."""
    directory = tmp_path_factory.mktemp("finished") / "shop"
    directory.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        enter(directory, patch)
        for example in parse(FIRST).examples():
            if example.region.evaluator is write_file:
                write_file(example)
        subprocess.run(
            f"{sys.executable} make_purchases.py && {sys.executable} -m pytest benchmarks", shell=True, check=True
        )
    return directory


def enter(directory: Path, patch: pytest.MonkeyPatch) -> None:
    """Make a directory the one that commands and Python blocks run in, with an environment like a reader's."""
    patch.chdir(directory)
    for name in [name for name in os.environ if name.startswith(("OMNIREC_", "PYTEST_"))]:
        patch.delenv(name)
    for name in (
        "PYTHONSAFEPATH",
        "CI",
        "BUILD_NUMBER",
        "FORCE_COLOR",
        "PY_COLORS",
    ):  # pytest prints otherwise with these
        patch.delenv(name, raising=False)
    patch.setenv("PYTHONIOENCODING", "utf-8")
    patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    patch.setenv("COLUMNS", "80")
    patch.setenv("PYTEST_ADDOPTS", " ".join(["--no-header", "--assert=plain", *(f"-p no:{name}" for name in LEFT_OUT)]))
    patch.syspath_prepend(str(directory / "benchmarks"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The directory that a page's blocks run in: empty for the quickstart, which makes it, finished for the others."""
    page: Path = request.getfixturevalue("page")
    directory = tmp_path / "shop"
    if page == FIRST:
        directory.mkdir()
    else:
        shutil.copytree(request.getfixturevalue("finished"), directory, symlinks=True)
    enter(directory, monkeypatch)
    before = set(sys.modules)
    yield directory
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(directory)):
            del sys.modules[name]


@pytest.mark.inner
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
@pytest.mark.usefixtures("project")
def test_every_block_runs_as_the_page_says(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page's files, commands and Python do what it says; what is not run has a reason; no block is overlooked."""
    monkeypatch.setattr(loaders, "_LOADERS", dict(loaders._LOADERS))  # pages register data sets of their own
    document = parse(page)
    ran, reasons = run(document)
    assert ran + len(reasons) == len(_FENCES.findall(document.text))
    assert all(len(reason) > 10 for reason in reasons)


def test_the_tests_that_guarantees_name_exist() -> None:
    """Each test file behind a guarantee of the store is there; one that moves takes the page along."""
    text = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:\w+/)?test_\w+\.py)`", text)
    assert len(set(named)) > 15
    assert [name for name in named if not (ROOT / "tests" / name).is_file()] == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("```console\n$ echo 1.5000\n1.6000\n```\n", "instead of"),
        ("```console\n$ echo one; echo two\none\n```\n", "instead of"),
        ("```console\n$ omnibench --version\nomnibench 99\n```\n", "instead of"),
        ("```console\n$ pytest --version\npytest 99\n```\n", "instead of"),
        ("```python\n>>> 1 + 1\n3\n```\n", "Expected"),
        ("```yaml\non: push\n```\n", "cannot be run"),
    ],
)
def test_a_page_that_says_something_else_fails(
    text: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another number, a line too few, another value and a block of an unknown language are all noticed."""
    monkeypatch.delenv("UPDATE_DOCS", raising=False)
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(AssertionError, match=sentence):
        run(parse(page))


def test_what_differs_from_run_to_run_does_not_matter_and_the_rest_does() -> None:
    """Times, dates, processes and lines that the page leaves out may differ; keys and values may not."""
    assert agrees("a\nb\nc\n=== 9 passed in 2.35s ===", "a\n...\n=== 9 passed in 1.00s ===")
    assert agrees("2026-11-25T23:59:00Z process 17", "2025-01-01T00:00:00Z process 4")
    assert not agrees("purchases-756bd301", "purchases-756bd302")
    assert not agrees("9 passed in 2.35s", "8 passed in 2.35s")
    assert agrees("", "")
    assert not agrees("something", "")
