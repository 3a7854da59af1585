"""Whole runs in processes of their own whose Fits are asked for a snapshot: by CHKPT, by the command, by Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

import pytest
from support.projects import Project
from support.runs import PATIENCE, nobody_left, output_of, started, wait_until

from omnibench import open_store
from omnibench.store.schema import Record, RecordType

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]

ADAPTER = '''
"""A framework whose models count iterations, as long as a file is there."""

import json
import os
import time
from pathlib import Path

import numpy as np


def version():
    return "1"


def catalogue():
    return {}


def fit(task, fold):
    state = {"count": 0}

    def save(directory):
        Path(os.environ["COUNT_FITS_IN"], f"save-{task.parameters['tag']}").touch()
        time.sleep(task.parameters.get("save_seconds", 0.0))
        (directory / "count.json").write_text(json.dumps(state))

    with task.snapshots.restoring() as directory:
        if directory is not None:
            state = json.loads((directory / "count.json").read_text())
    begun = Path(os.environ["COUNT_FITS_IN"], f"fit-{task.parameters['tag']}")
    while state["count"] < 3 or os.path.exists(os.environ["WHILE"]):
        begun.touch()
        state["count"] += 1
        time.sleep(0.05)
        if task.parameters.get("points", True):
            task.snapshots.point(save, iteration=state["count"])
    return state, task.parameters


def save(model, directory):
    path = directory / "model.json"
    path.write_text(json.dumps(model))
    return path


def load(path, task, fold):
    return json.loads(path.read_text())


def score(model, task, fold):
    yield fold.users, np.ones((len(fold.users), fold.n_items), np.float32)
'''

DECLARED = """
import pandas as pd
from omnibench import *

register_runner(RunnerInfo("Counting", "pytest", "counting_adapter", 1, algorithms={{
    "Count": {{"parameters": {{"tag": 0, "points": True, "save_seconds": 0.0}}}}}}))
frame = pd.DataFrame([(user, item) for user in range(6) for item in range(8)], columns=["user", "item"])
data = from_frame(frame, "tiny").pipe(UserHoldout(0.0, 0.5))
plan = ExperimentPlan("counts")
plan.add_algorithm("Counting.Count", {{"tag": Grid([1, 2]), **{parameters}}})
"""

BENCH = """
@benchmark(data, plan, Evaluator(HR(5)))
def bench_counts(result): ...
"""

SCRIPT = """
if __name__ == "__main__":
    run_omnirec(datasets=data, plan=plan, evaluator=Evaluator(HR(5)))
"""


@pytest.fixture
def counting(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose Fits go on for as long as the file ``go-on`` is there."""
    for bench_file in project.pytester.path.glob("bench_*.py"):
        bench_file.unlink()
    project.pytester.makepyfile(counting_adapter=ADAPTER)
    monkeypatch.setenv("WHILE", str(project.pytester.path / "go-on"))
    (project.pytester.path / "go-on").touch()
    return project


def declare(project: Project, **parameters: object) -> None:
    """Write the bench file and the script."""
    declared = DECLARED.format(parameters=parameters)
    project.pytester.makepyfile(bench_counts=declared + BENCH, script=declared + SCRIPT)


def snapshots(project: Project) -> list[Record]:
    """Return the records of all snapshots."""
    records = open_store(project.pytester.path / "checkpoints").records()
    return [record for key, record in records.items() if RecordType.SNAPSHOT.has(key)]


def command(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the project's directory."""
    return subprocess.run(
        [sys.executable, "-m", "omnibench", *arguments],
        cwd=project.pytester.path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    "options", [("-v", "-n", "2"), pytest.param(("-q", "-n", "2"), marks=pytest.mark.slow), ("-q",)], ids=" ".join
)
def test_chkpt_and_the_command_ask_every_fit_of_a_run(counting: Project, options: Sequence[str]) -> None:
    """Each takes one snapshot for each request; what was made is said, and both end as if nothing had happened."""
    declare(counting)
    fits = 2 if "-n" in options else 1
    file = counting.pytester.path / "CHKPT"
    with started(counting, *options, program=("-m", "pytest")) as run:
        wait_until(lambda: counting.count_fits() >= fits)
        file.touch()
        wait_until(lambda: not file.exists())
        wait_until(lambda: output_of(counting).count("CHKPT: tiny/Counting.Count(") == fits)
        asked = command(counting, "snapshot")
        assert asked.returncode == 0, asked.stderr
        assert asked.stdout.count(": snapshot snapshot_") == asked.stdout.count("\n") == fits
        assert len(snapshots(counting)) == fits  # the newest of each
        (counting.pytester.path / "go-on").unlink()
        assert run.wait(timeout=120) == 0
    assert not (counting.pytester.path / "checkpoints" / "requests").exists()
    assert snapshots(counting) == []


@pytest.mark.parametrize(
    ("program", "number", "ends"),
    [
        (("-m", "pytest", "-q"), signal.SIGINT, 2),
        pytest.param(("-m", "pytest", "-q", "-n", "2"), signal.SIGINT, 2, marks=pytest.mark.slow),
        (("-m", "pytest", "-q", "-n", "2"), signal.SIGTERM, 2),
        pytest.param(("script.py",), signal.SIGINT, 130, marks=pytest.mark.slow),
        (("script.py",), signal.SIGTERM, 143),
    ],
)
def test_the_first_signal_takes_a_snapshot_from_which_the_next_run_goes_on(
    counting: Project, program: Sequence[str], number: int, ends: int
) -> None:
    """As a terminal sends it, to the whole group; of every Fit that runs, which is said, and nothing is left behind."""
    declare(counting)
    fits = 2 if "-n" in program else 1
    with started(counting, program=program) as run:
        wait_until(lambda: counting.count_fits() >= fits)
        if number == signal.SIGINT:
            os.killpg(run.pid, number)
        else:
            run.send_signal(number)
        assert run.wait(timeout=120) == ends
        wait_until(lambda: nobody_left(counting))
    assert output_of(counting).count("; the next run goes on from there") >= fits
    assert [record["reason"] for record in snapshots(counting)] == ["stop"] * fits
    (counting.pytester.path / "go-on").unlink()
    again = counting.run_process("-q")
    again.assert_outcomes(passed=2)
    assert again.stdout.str().count(": resumes at epoch ") == fits
    assert snapshots(counting) == []


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_a_second_signal_ends_a_snapshot_in_the_middle(counting: Project, workers: str) -> None:
    """However long that takes; the next run knows nothing of it, and computes all."""
    declare(counting, save_seconds=600.0)
    with started(counting, "-n", workers, "--omnirec-grace=1h") as run:
        wait_until(lambda: counting.count_fits() >= max(1, int(workers)))
        run.send_signal(signal.SIGINT)
        wait_until(lambda: counting.count_fits("save-") >= max(1, int(workers)))
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=PATIENCE) == 2
        wait_until(lambda: nobody_left(counting))
    assert snapshots(counting) == []
    (counting.pytester.path / "go-on").unlink()
    counting.run_process("-q").assert_outcomes(passed=2)
    assert list((counting.pytester.path / "checkpoints" / "tmp").iterdir()) == []


def test_a_fit_without_points_gets_the_grace_period(counting: Project) -> None:
    """It is given up after that, and the next run begins it anew, which is said."""
    declare(counting, points=False)
    with started(counting, "-q", "--omnirec-grace=5s") as run:
        wait_until(lambda: counting.count_fits() >= 1)
        file = counting.pytester.path / "CHKPT"
        file.touch()
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=PATIENCE) == 2
        assert not file.exists()
    assert "stopped before a snapshot could be taken, so the next run begins its Fit anew" in output_of(counting)
    (counting.pytester.path / "go-on").unlink()
    counting.run_process("-q").assert_outcomes(passed=2)
