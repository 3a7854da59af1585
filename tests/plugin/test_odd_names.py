"""Directories and files that are called as no shell would have it: a name is a name, through runs, workers and commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.projects import Project

from omnibench.commands.main import main
from omnibench.paths import expanded

ODD = [
    "$HOME",
    "${PATH}x",
    "~",
    "~nobody-here",
    "a b",
    "100%25",
    "x#y?z",
    "new\nline",
    "it's",
    os.fsdecode(b"caf\xe9"),
    "l" * 240,
]


def results_in(directory: Path) -> int:
    """How many numbers the readable copy of a store's results has."""
    return len(json.loads((directory / "results.json").read_text())["results"])


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a process of its own; pytester reads no output that is not UTF-8."""
    words = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(words, capture_output=True, text=True, errors="replace", check=False, cwd=Path.cwd())


def go_through(project: Project, name: str) -> None:
    """Compute in workers, gate on it, and ask the commands, with this name for everything that has one."""
    root = project.pytester.path
    written = [f"./{name}.{ending}" for ending in ("html", "md", "json", "parquet")]
    exports = [f"--omnirec-export={file}" for file in written]
    places = [f"--omnirec-checkpoint-dir=./{name}", f"--omnirec-baseline=./{name}.b"]
    computed = ran("-n1", *places, *exports)
    assert computed.returncode == 0, computed.stdout + computed.stderr
    assert results_in(root / name) == 6
    assert all((root / file).stat().st_size for file in written)
    # As two words, and from the working directory.
    again = ran("--omnirec-checkpoint-dir", f"./{name}", f"--omnirec-gate=./{name}.b")
    assert again.returncode == 0
    assert "2 cached" in again.stdout
    for words in (["status"], ["export", f"./{name}.csv"], ["gate", f"./{name}.b"], ["reset", "Popular"], ["rebuild"]):
        assert main([*words, "--store", f"./{name}"]) == 0, words
    assert not (root / "home").exists()


def test_names_that_mean_something_elsewhere(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable's name, a home's sign, an address' signs, the end of a line, half a character: all of it is the name."""
    monkeypatch.setenv("NAME", "home")
    go_through(project, os.fsdecode(b"~$NAME%41#a?b'c\nd\xe9"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD)
def test_each_odd_name(project: Project, name: str) -> None:
    """One after the other, in case two of them cancel each other out."""
    go_through(project, name)


def test_homes_in_ini_files(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No shell has looked at them, so `~` is the home; `$HOME` is a name there, too, beside the ini file."""
    monkeypatch.setenv("HOME", str(tmp_path))
    text = "[pytest]\npythonpath = .\nomnirec_checkpoint_dir = ~/kept\nomnirec_tmp_dir = $HOME/scratch\n"
    (project.pytester.path / "pytest.ini").write_text(text)
    (project.pytester.path / "tox.ini").unlink()
    (project.pytester.path / "below").mkdir()
    monkeypatch.chdir(project.pytester.path / "below")
    assert project.run("..").ret == 0
    assert results_in(tmp_path / "kept") == 6
    assert (project.pytester.path / "$HOME" / "scratch").is_dir()
    assert not list((project.pytester.path / "below").iterdir())


def test_homes_in_variables(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As an image's description has them: for runs and for commands."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OMNIREC_CHECKPOINT_DIR", "~/kept")
    assert project.run().ret == 0
    assert results_in(tmp_path / "kept") == 6
    assert main(["status"]) == 0


def test_what_cannot_be_told_to_workers(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rootdir that is not UTF-8: xdist would end in a traceback; the way out is said, and works."""
    root = project.pytester.path / os.fsdecode(b"caf\xe9")
    root.mkdir()
    for file in ("bench_tiny.py", "own_algorithms.py", "tiny.csv", "tox.ini"):
        (root / file).write_text((project.pytester.path / file).read_text())
    monkeypatch.chdir(root)
    refused = ran("-n1")
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert (
        "is not UTF-8, and pytest-xdist cannot tell its workers of it. Run without -n, or rename it." in refused.stderr
    )
    assert ran().returncode == 0
    assert results_in(root / "checkpoints") == 6


@pytest.mark.slow
def test_a_bench_file_below_a_directory_that_is_not_utf8(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the rootdir lies above it, node ids have half characters: they are computed, remembered, and cached."""
    below = project.pytester.path / os.fsdecode(b"caf\xe9")
    below.mkdir()
    for file in ("bench_tiny.py", "own_algorithms.py", "tiny.csv"):
        (below / file).write_text((project.pytester.path / file).read_text())
        (project.pytester.path / file).unlink()
    monkeypatch.chdir(below)
    monkeypatch.setenv("PYTHONPATH", str(below))
    for outcome in ("2 passed", "2 cached"):
        ended = ran(f"--rootdir={project.pytester.path}", "-o", "pythonpath=.")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert outcome in ended.stdout
    assert main(["status", "--store", str(project.pytester.path / "checkpoints")]) == 0


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("~/a", "{home}/a"),
        ("./~", "{base}/~"),
        ("$HOME", "{base}/$HOME"),
        ("~no-such-user/a", "{base}/~no-such-user/a"),
    ],
)
def test_expanded_paths(written: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A leading `~` is a home where there is one, and anything else stays."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert str(expanded(written, tmp_path)).replace("/./", "/") == meant.format(home=tmp_path / "home", base=tmp_path)
