"""Paths that a terminal would obey, or that forge a line of their own: runs and all commands spell them out."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.transactions import holding
from support.markers import starts_guests
from support.projects import Project
from support.store_commands import store_commands

from omnibench.commands.main import main
from omnibench.store import waiting
from omnibench.terminal import command_line, note_names, terminal_text

FORGED = "omnibench: 999 done"
NAME = f"ck\n{FORGED}\r\n\x1b]0;EVIL\x07\x1b[2J\u202egnp\x9b31m\t\u2028"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u200b\u2028-\u202e\u2066-\u2069]")
NEXT_BENCH = """
from omnibench import *
from own_algorithms import *

plan = ExperimentPlan("tests")
plan.add_algorithm(Popular)

@benchmark(from_file({file!r}).pipe(UserCrossValidation(2)), plan, Evaluator(HR(10)))
def bench_file(result): ...
"""


@pytest.fixture(autouse=True)
def _no_names_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is noted here is nobody else's."""
    monkeypatch.setattr("omnibench.terminal._broken_names", {})


def obeyed_lines(output: str) -> list[str]:
    """Return the lines of an output that a terminal would obey, or that a name has forged."""
    lines = output.replace("\r\n", "\n").split("\n")
    return [line for line in lines if OBEYED.search(line) or line.startswith((FORGED, "gnp"))]


@pytest.mark.parametrize("name", ["ck\nforged", "a\tb", "\n\nforged", "b\r\nforged\n"])
def test_names_that_were_noted_stay_on_their_line(name: str) -> None:
    """A sentence keeps its own line ends, and a name in it has none; also where it stands below another directory."""
    note_names(f"/somewhere/{name}/else")
    line, _, after = terminal_text(f"in /somewhere/{name}/store, or {name}:\nthe end").partition("\n")
    assert line.endswith(":")
    assert after == "the end"
    assert not re.search("[\t\r]", line)


@pytest.mark.skipif(shutil.which("bash") is None, reason="it is bash's way to write a character")
def test_commands_that_are_advised_can_be_copied() -> None:
    """Nothing in them is obeyed by the terminal, and the shell reads the very words; plain ones are written plainly."""
    words = ["a b", "$HOME", f"{NAME}'\\", os.fsdecode(b"caf\xe9\n"), "\N{LATIN SMALL LETTER E WITH ACUTE}\n", "it's"]
    line = command_line("printf", r"%s\0", *words)
    assert not obeyed_lines(line)
    assert terminal_text(line) == line
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    printed = subprocess.run(["bash", "-c", line], capture_output=True, check=True, env=environment).stdout
    assert printed.split(b"\0")[:-1] == [os.fsencode(word) for word in words]
    assert command_line("omnibench", "verify", Path("/x y")) == "omnibench verify '/x y'"


class Screen:
    """Everything that runs and commands print, and which lines of it a terminal would obey."""

    def __init__(self, project: Project, capfd: pytest.CaptureFixture[str]) -> None:
        self._project = project
        self._capfd = capfd
        self.seen: dict[str, str] = {}

    def run(self, *arguments: str, name: str = NAME) -> str:
        """Run pytest on a checkpoint directory; return what was printed."""
        self._project.run(f"--omnirec-checkpoint-dir=./{name}", "-rA", *arguments)
        return self._note(f"run {len(self.seen)} {arguments}")

    def command(self, *arguments: str, name: str = NAME) -> str:
        """Run a command on a checkpoint directory; return what was printed."""
        with contextlib.suppress(SystemExit):
            main([*arguments, "--store", f"./{name}"])
        return self._note(f"command {len(self.seen)} {arguments}")

    def _note(self, title: str) -> str:
        captured = self._capfd.readouterr()
        self.seen[title] = captured.out + captured.err
        return self.seen[title]

    def obeyed(self) -> Iterator[str]:
        """Yield the lines that a terminal would obey, each with what has printed it."""
        for title, output in self.seen.items():
            yield from (f"{title}: {line!r}" for line in obeyed_lines(output))


@pytest.fixture
@starts_guests
def screen(project: Project, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Screen:
    """A screen on which a first run has printed: items that are done, items that failed, files that were exported."""
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(waiting, "TOLD_AFTER_SECONDS", 0.0)
    project.bench("plan.add_algorithm(Popular)\nplan.add_algorithm(Broken)")
    screen = Screen(project, capfd)
    printed = screen.run(f"--omnirec-export=./{NAME}.md", f"--omnirec-baseline=./{NAME}.b")
    assert "2 failed, 2 passed" in printed
    assert "Results and predictions: " in printed
    assert "Exported: " in printed
    assert printed.count(r"\x1b]0;EVIL") > 4
    return screen


@pytest.mark.slow
def test_what_runs_print(screen: Screen, project: Project) -> None:
    """Runs that compute, look, plan, or are refused before they begin, with the name wherever a path is asked for."""
    screen.run(f"--omnirec-gate=./{NAME}.b")
    screen.run("-v", "--omnirec-plan")
    assert "not available" in screen.run("--omnirec-readonly", name=f"{NAME}new")
    screen.run("--omnirec-resume=require", name=f"{NAME}new")
    screen.run("--omnirec-resume=never", f"--omnirec-tmp-dir=./{NAME}tmp")
    screen.run("-n2", name=f"{NAME}workers")
    (project.pytester.path / f"{NAME}file").touch()
    assert "cannot be a checkpoint directory" in screen.run(name=f"{NAME}file/x")
    (project.pytester.path / f"{NAME}foreign").mkdir()
    (project.pytester.path / f"{NAME}foreign" / "x").touch()
    assert "is not empty and no checkpoint directory" in screen.run(name=f"{NAME}foreign")
    project.pytester.makepyfile(bench_tiny=NEXT_BENCH.format(file=f"{NAME}.csv"))
    assert "no file matches" in screen.run()
    (project.pytester.path / f"{NAME}.csv").write_text("user,item,rating\n1,2,x\n")
    assert "DataError" in screen.run()
    assert not list(screen.obeyed())


@pytest.mark.slow
def test_what_commands_print(screen: Screen) -> None:
    """Every command that looks into a store, also into one that is not there. New commands are covered."""
    for name, arguments in store_commands():
        screen.command(name, *arguments)
        screen.command(name, *arguments, name=f"{NAME}new")
    for line in ("status --all", "logs *", "delete * --dry-run", "prune --older 0s --dry-run", "why Popular/fold_0"):
        screen.command(*line.split())
    assert not list(screen.obeyed())


@pytest.mark.slow
def test_what_is_said_of_a_store_in_trouble(screen: Screen, project: Project) -> None:
    """Locked, damaged, newer and linked: by runs as well as by commands."""
    root = project.pytester.path / NAME
    project.bench("plan.add_algorithm(Popular, {'noise': 1})")
    with holding(root, "write", stopped=True):
        assert "are locked: process" in screen.run()
        assert "are locked: process" in screen.command("reset", "--yes")
    next(root.glob("tiny-*/Popular*/fold_0/predictions-*.npy")).write_bytes(b"x")
    assert "1 damaged; `omnibench verify --repair --store $'" in screen.command("verify")
    project.bench(metrics="MRR(10)")
    assert "differs from its record" in screen.run()
    (root / "store" / "cache.db").write_bytes(b"x" * 5000)
    assert "are damaged" in screen.command("status")
    screen.run("--omnirec-readonly")
    project.bench(metrics="MRR(10), HR(3)")
    assert "were set aside as" in screen.run()
    (root / "STORE.json").write_text("x")
    project.bench(metrics="MRR(10), HR(4)")
    assert "STORE.json was damaged" in screen.run()
    (root / "STORE.json").write_text('{"format": 9}')
    assert "made by a newer omnibench" in screen.run()
    (root / "STORE.json").unlink()
    (root / "STORE.json").symlink_to("x\n\x1b[2J")
    assert "is a link to" in screen.command("status")
    screen.run()
    assert not list(screen.obeyed())
