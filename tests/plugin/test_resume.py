"""Interrupted runs: what was committed stays, what was in flight is computed again, nobody is left behind."""

from __future__ import annotations

import os
import re
import signal
import sys

import pytest
from support.projects import Project
from support.runs import output_of, processes_with, started, wait_until


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("workers", [pytest.param("0", marks=pytest.mark.slow), "2"])
def test_kill_9_in_fit_loses_only_that_fit(project: Project, workers: str) -> None:
    """After kill -9 during a Fit no guest survives, and the next run computes only what was not recorded."""
    let_go = project.bench_gated()
    (project.pytester.path / "first-gate").touch()
    marker = str(project.fits)
    with started(project, "-n", workers) as run:
        wait_until(lambda: project.count_fits("begin-") > project.count_fits("fit-") > 1)
        run.kill()
        run.wait()
        wait_until(lambda: processes_with(marker) in ([], [os.getpid()]))
    assert project.count_fits() == 2, "the other two wait"
    let_go()
    again = project.run()
    counted = again.parse_summary_nouns(again.stdout.lines)
    assert sum(counted.values()) == 4
    assert set(counted) <= {"passed", "cached"}
    assert project.count_fits() <= 4 + 2
    table = [line for line in again.stdout.lines if "mean" in line]
    cached = project.run()
    assert cached.parse_summary_nouns(cached.stdout.lines) == {"cached": 4}
    assert [line for line in cached.stdout.lines if "mean" in line] == table


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_ctrl_c_ends_guests_and_the_next_run_goes_on(project: Project, workers: str) -> None:
    """Ctrl-C stops the run soon, without orphans; items finished before are cached afterwards."""
    let_go = project.bench_gated()
    (project.pytester.path / "first-gate").touch()
    marker = str(project.fits)
    with started(project, "-n", workers) as run:
        wait_until(lambda: project.count_fits("begin-") > project.count_fits("fit-") > 1)
        os.killpg(run.pid, signal.SIGINT)
        wait_until(lambda: "SIGINT: stopping" in output_of(project))
        let_go()
        wait_until(lambda: run.poll() is not None)
        assert run.returncode == 2
        if sys.platform == "linux":
            wait_until(lambda: processes_with(marker) in ([], [os.getpid()]))
    again = project.run()
    counted = again.parse_summary_nouns(again.stdout.lines)
    assert sum(counted.values()) == 4
    assert set(counted) <= {"passed", "cached"}
    assert counted["cached"] >= 1


def test_two_runs_share_the_work(project: Project) -> None:
    """Two runs on one store at once compute each item once; both end with all results."""
    let_go = project.bench_gated()
    with started(project) as first:
        wait_until(lambda: project.count_fits("begin-") == 1)
        (project.pytester.path / "second-gate").touch()
        with started(project, output="second.txt") as second:
            waits = r"fold_\d: waiting for process \d+ on .*, which computes it"
            wait_until(lambda: re.search(waits, output_of(project, "second.txt")) is not None)
            let_go()
            wait_until(lambda: second.poll() is not None)
            wait_until(lambda: first.poll() is not None)
    assert (first.returncode, second.returncode) == (0, 0)
    assert project.count_fits("begin-") == 4
    for output in ("run.txt", "second.txt"):
        last = output_of(project, output).splitlines()[-1]
        assert sum(map(int, re.findall(r"(\d+) (?:passed|cached)", last))) == 4


def test_damaged_predictions_are_set_aside_and_computed_again(project: Project) -> None:
    """A prediction file that differs from its record is never evaluated: it is set aside and made anew."""
    project.first_run().assert_outcomes(passed=2)
    root = project.pytester.path / "checkpoints"
    (victim,) = root.glob("tiny-*/Popular-*/fold_1/predictions-*.npy")
    content = bytearray(victim.read_bytes())
    content[-5] ^= 1
    victim.write_bytes(content)
    project.bench(metrics="MRR(10)")
    result = project.run()
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*predictions-*.npy differs from its record and was set aside*"])
    assert len(list(victim.parent.glob("*.damaged-*"))) == 1
    assert project.count_fits() == 2, "the model was intact, so only Predict ran again"


def test_damaged_model_is_fitted_again(project: Project) -> None:
    """A model file that differs from its record is never loaded."""
    project.first_run().assert_outcomes(passed=2)
    (victim,) = (project.pytester.path / "checkpoints").glob("tiny-*/Popular-*/fold_0/model.pkl")
    victim.write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    project.bench(metrics="NDCG(30)")
    project.run().assert_outcomes(passed=2)
    assert project.count_fits() == 3
    assert not list(project.pytester.path.rglob("pwned"))


def test_missing_dataset_is_prepared_again(project: Project) -> None:
    """When a prepared dataset loses a file, it is prepared again, to the same numbers."""
    project.first_run().assert_outcomes(passed=2)
    (victim,) = (project.pytester.path / "checkpoints" / "datasets").glob("tiny-*/item.npy")
    before = victim.read_bytes()
    victim.unlink()
    project.bench(metrics="NDCG([5, 10]), HR(10), MAP(5)")
    project.run().assert_outcomes(passed=2)
    assert victim.read_bytes() == before


def test_damaged_dataset_file_can_still_be_looked_at(project: Project) -> None:
    """A damaged file of a prepared dataset is kept under the name that the warning gives."""
    project.first_run().assert_outcomes(passed=2)
    datasets = project.pytester.path / "checkpoints" / "datasets"
    (victim,) = datasets.glob("tiny-*/item.npy")
    victim.write_bytes(victim.read_bytes()[:-1] + b"!")
    project.bench(metrics="MAP(5)")
    result = project.run()
    result.assert_outcomes(passed=2)
    (name,) = {word for line in result.stdout.lines for word in line.split() if word.startswith("item.npy.damaged-")}
    assert len(list(datasets.rglob(name.rstrip(";")))) == 1
