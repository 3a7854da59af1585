"""Runs whose plans say what Fits are to have: what waits for what, what is refused, and what is said of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.projects import Project

from omnibench import open_store
from omnibench.runners.machine import available_cores
from omnibench.store.admission import Needs
from omnibench.store.reservations import COMPUTES, Reservations

CORES = available_cores()
GREEDY = f'plan.add_algorithm(Greedy, {{"seconds": 0.2, "tag": Grid([0, 1])}}, resources=Resources(cores={CORES}))'
DEFINITION = "class Greedy(Slow):\n    threads = 'any'\n"


def said(store: Path, *words: str) -> str:
    """What the command says of a store."""
    command = [sys.executable, "-m", "omnibench", *words, "--store", str(store)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def begun_and_ended(project: Project) -> list[str]:
    marks = sorted((int(path.name.split("-")[-2]), path.name.partition("-")[0]) for path in project.fits.iterdir())
    return [name for _, name in marks]


def test_two_workers_share_the_cores_of_a_machine(project: Project) -> None:
    """Who asks for all of them computes alone, with as many threads; the other worker's Fit begins afterwards."""
    project.bench(f"{DEFINITION}{GREEDY}")
    project.run_process("-n", "2").assert_outcomes(passed=4)
    assert begun_and_ended(project) == ["begin", "fit"] * 4
    phases = open_store(project.pytester.path / "checkpoints").phases()
    assert set(phases[phases["phase"] == "Fit"]["threads"]) == {CORES}


@pytest.mark.parametrize(
    ("resources", "sentence"),
    [
        ("cores=1000", f"*nothing was run, because Popular asks for 1000 cores, and {CORES} *here. Ask for less*"),
        ('memory="900TB"', "*nothing was run, because Popular asks for 900000.0 GB of memory, and * are here*"),
    ],
)
def test_what_can_never_fit_is_refused(project: Project, resources: str, sentence: str) -> None:
    """Before anything runs, with the figures; the preview says so of the items, and what is done needs nothing."""
    project.bench("plan.add_algorithm(Popular)")
    project.first_run()
    project.bench(
        f"plan.add_algorithm(Popular, resources=Resources({resources}))\nplan.add_algorithm(Popular, "
        f"{{'noise': 1}}, resources=Resources({resources}))"
    )
    fits = project.count_fits()
    cached = project.run("-k", "not noise")
    assert cached.parse_summary_nouns(cached.stdout.lines) == {"cached": 2, "deselected": 2}
    refused = project.run()
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines([sentence.replace("Popular", "*")])
    project.run("--omnirec-plan").stdout.fnmatch_lines(["*(*; asks for * here: it would be refused)"])
    assert project.count_fits() == fits


def test_the_preview_says_what_is_asked_for(project: Project) -> None:
    """Of each Fit, from wherever it is said."""
    project.pytester.makepyprojecttoml("[tool.omnibench.resources.Own]\nmemory = '100MB'\nhours = 2\n")
    project.bench("plan.add_algorithm(Popular, resources=Resources(cores=1))")
    preview = project.run("--omnirec-plan")
    preview.stdout.fnmatch_lines(["*tiny/Popular/fold_0*; asks for 1 core, 100.0 MB of memory, 2 hours)"])


def test_a_wrong_table_ends_the_run(project: Project) -> None:
    """As a wrong plan does: with the file."""
    project.pytester.makepyprojecttoml("[tool.omnibench.resources.RecBool]\ncores = 4\n")
    refused = project.run()
    refused.stdout.fnmatch_lines(["*pyproject.toml, ?tool.omnibench.resources.RecBool?: there is no framework*"])
    assert project.count_fits() == 0


def test_a_fit_is_ended_after_its_hours(project: Project) -> None:
    """Its item fails with what it asked for; an option for all phases counts in its place."""
    slow = 'plan.add_algorithm(Slow, {"seconds": 30}, resources=Resources(hours=1 / 3600))'
    project.bench(slow)
    ended = project.run("-k", "fold_0")
    ended.assert_outcomes(failed=1, deselected=1)
    ended.stdout.fnmatch_lines(["*was ended because it took more than the * hours that it asked for (resources)*"])
    project.bench(slow.replace("30", "1.5"))
    project.run("-k", "fold_0", "--omnirec-timeout=60").assert_outcomes(passed=1, deselected=1)


@pytest.mark.slow
def test_whoever_looks_sees_what_an_item_waits_for(project: Project) -> None:
    """``show`` and ``status`` say it while it waits; what a killed process has reserved is free."""
    project.bench(f"{DEFINITION}plan.add_algorithm(Greedy, {{'seconds': 0}}, resources=Resources(cores=1))")
    store = project.pytester.path / "checkpoints"
    project.run("-k", "fold_1")  # which makes the store
    holder = f"""
import sys
from pathlib import Path
from omnibench.store.admission import Needs
from omnibench.store.reservations import Reservations
with Reservations(Path({str(store)!r})).changed() as board:
    board.begin("another's item", Needs(0, {CORES}, True))
print("reserved", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with subprocess.Popen(
            [sys.executable, "-m", "pytest", "-k", "fold_0"],
            cwd=project.pytester.path,
            stdout=subprocess.PIPE,
            text=True,
        ) as run:
            words = f"waiting for 1 core, which another's item (process {process.pid}"
            while words not in said(store, "show", "tiny/Greedy/fold_0"):
                assert run.poll() is None
                time.sleep(0.1)
            assert words in said(store, "status")
            os.kill(process.pid, signal.SIGKILL)
            assert "1 passed" in run.communicate()[0]


@pytest.mark.slow
def test_a_killed_worker_gives_back_what_it_had(project: Project) -> None:
    """Kill -9 on the run in the middle of a Fit: the next run begins at once."""
    gate = project.pytester.path / "gate"
    project.bench(f"plan.add_algorithm(Gated, {{'gate': {str(gate)!r}}}, resources=Resources(cores={CORES}))")
    store = project.pytester.path / "checkpoints"
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-k", "fold_0"], cwd=project.pytester.path, stdout=subprocess.DEVNULL
    ) as run:
        while not project.count_fits("begin-"):
            time.sleep(0.05)
        with Reservations(store).changed() as board:
            assert [(entry.state, entry.needs) for entry in board.of_others] == [(COMPUTES, Needs(0, CORES, True))]
        run.kill()
    with Reservations(store).changed() as board:
        assert board.of_others == []
    gate.touch()
    project.run("-k", "fold_0").assert_outcomes(passed=1, deselected=1)
