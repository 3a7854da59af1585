"""Workers without items compute trials of the searches that others are at, and are in nobody's way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.projects import Project
from support.runs import guests_of, nobody_left, output_of, started, wait_until
from support.tuned_benches import store_of, trials_in, tuned_bench

SHARED = 'plan.tune(Together, {"tag": Int(1, 90)}, fixed={"processes": 2})'
"""Two workers compute trials: the first of each waits for that of the other."""
TRIALS = '"NDCG@10", trials=12, sampler="random"'
_PATIENCE = 120
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


def _fits(project: Project) -> Counter[str]:
    """How often each tag was begun."""
    return Counter(mark.name.split("-")[1] for mark in project.fits.glob("begin-*"))


def _finished(project: Project) -> list[dict[str, Any]]:
    """The records of finished trials while a run goes on."""
    if not (project.pytester.path / "checkpoints" / "store").exists():
        return []
    return [trial for trial in trials_in(project) if trial["status"] != "proposed"]


def _owner_and_helper(project: Project) -> dict[str, int]:
    """The processes of the worker that has the item, and of one that helps it."""
    records = store_of(project).records()
    (owner,) = {record["worker"] for key, record in records.items() if key.startswith("search/")}
    workers = {record["id"]: record["pid"] for key, record in records.items() if key.startswith("worker/")}
    helper = next(trial["worker"] for trial in _finished(project) if trial["worker"] != owner)
    return {"owner": workers[owner], "helper": workers[helper]}


def _gated(project: Project, *, processes: int, free: int) -> tuple[str, Path]:
    """A plan whose Fits behind the first few wait for a file, and the file."""
    gate = project.pytester.path / "gate"
    fixed = {"processes": processes, "free": free, "gate": str(gate)}
    return f'plan.tune(Together, {{"tag": Int(1, 90)}}, fixed={fixed})', gate


@contextmanager
def _in_second_trial(project: Project) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A run that is in the midst of the second of three trials, and the file that it waits for."""
    plan, gate = _gated(project, processes=1, free=1)
    tuned_bench(project, plan=plan, tuning='"NDCG@10", trials=3, sampler="random"')
    with started(project) as run:
        wait_until(lambda: sum(_fits(project).values()) == 2)
        yield run, gate


def _are_both_at_a_trial(project: Project) -> bool:
    """Whether two workers have finished the four trials that wait for no file, and each is in the midst of another."""
    return len(_finished(project)) == 4 and sum(_fits(project).values()) == 6


def test_all_workers_are_busy_with_one_search(project: Project) -> None:
    """Three workers, one item: each computes trials, none twice."""
    tuned_bench(project, plan=SHARED.replace("2", "3"), tuning=TRIALS)
    project.run_process("-n", "3").assert_outcomes(passed=1)
    trials = trials_in(project)
    assert len({trial["worker"] for trial in trials}) == 3
    assert project.count_fits() == len(trials) == 12


@pytest.mark.slow
def test_rounds_of_a_sampler_that_learns_are_shared(project: Project) -> None:
    """Of TPE's rounds of four, both workers compute."""
    tuned_bench(project, plan=SHARED, tuning='"NDCG@10", trials=9')
    project.run_process("-n", "2").assert_outcomes(passed=1)
    assert len({trial["worker"] for trial in trials_in(project)}) == 2
    assert project.count_fits() == 9


@pytest.mark.slow
def test_trials_of_helpers_survive_the_loss_of_the_records(project: Project) -> None:
    """They stand in the manifest of the item as those of its own worker do, and records are rebuilt from it."""
    tuned_bench(project, plan=SHARED, tuning=TRIALS)
    project.run_process("-n", "2").assert_outcomes(passed=1)
    before = trials_in(project)
    assert len({trial["worker"] for trial in before}) == 2
    (project.pytester.path / "checkpoints" / "store" / "cache.db").write_bytes(b"not a database" * 100)
    project.run().stdout.fnmatch_lines(["*1 cached*"])
    assert trials_in(project) == before
    assert project.count_fits() == 12


@linux
@pytest.mark.slow
def test_a_worker_that_dies_while_it_helps_loses_nothing(project: Project) -> None:
    """Others compute what it was at, and its end is nobody's failure."""
    plan, gate = _gated(project, processes=2, free=4)
    tuned_bench(project, plan=plan, tuning=TRIALS)
    with started(project, "-n", "2") as run:
        wait_until(lambda: _are_both_at_a_trial(project))
        os.kill(_owner_and_helper(project)["helper"], signal.SIGKILL)
        gate.touch()
        assert run.wait(_PATIENCE) == 0
    assert {trial["status"] for trial in trials_in(project)} == {"done"}
    assert sum(_fits(project).values()) <= 12 + 1  # what it was at
    assert nobody_left(project)


@linux
@pytest.mark.slow
def test_the_search_of_a_worker_that_died_is_shared_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run goes on behind the trials that were recorded, with all of its workers: the failure was an earlier run's."""
    plan, gate = _gated(project, processes=2, free=4)
    tuned_bench(project, plan=plan, tuning='"NDCG@10", trials=16, sampler="random"')
    with started(project, "-n", "2") as run:
        wait_until(lambda: _are_both_at_a_trial(project))
        os.kill(_owner_and_helper(project)["owner"], signal.SIGKILL)
        gate.touch()
        assert run.wait(_PATIENCE) == 1
    later_fits = project.pytester.mkdir("later")  # the two of the next run wait for each other once more
    monkeypatch.setenv("COUNT_FITS_IN", str(later_fits))
    before = {trial["number"]: trial for trial in _finished(project)}
    assert len(before) < 12
    project.run_process("-n", "2").assert_outcomes(passed=1)
    after = {trial["number"]: trial for trial in trials_in(project)}
    assert {number: after[number] for number in before} == before
    assert {trial["status"] for trial in after.values()} == {"done"}
    assert len({trial["worker"] for number, trial in after.items() if number not in before}) == 2
    assert sum(_fits(project).values()) + len(list(later_fits.glob("begin-*"))) <= 16 + 2  # what the two were at
    assert nobody_left(project)


@linux
@pytest.mark.slow
def test_a_guest_that_dies_is_one_failed_trial(project: Project) -> None:
    """With two workers as with one: the trial says what its process died of, the others are computed."""
    plan, gate = _gated(project, processes=2, free=4)
    tuned_bench(project, plan=plan, tuning=TRIALS)
    with started(project, "-n", "2") as run:
        wait_until(lambda: _are_both_at_a_trial(project))
        begun = max(project.fits.glob("begin-*"), key=lambda mark: int(mark.name.split("-")[2]))
        os.kill(int(begun.name.split("-")[3]), signal.SIGKILL)  # between two trials its death would be nobody's failure
        gate.touch()
        assert run.wait(_PATIENCE) == 0
    (failed,) = (trial for trial in trials_in(project) if trial["status"] == "failed")
    assert "SIGKILL" in failed["error"]["message"]
    assert sum(_fits(project).values()) == 12


@pytest.mark.slow
def test_a_failure_at_which_the_run_stops_lets_the_search_in_progress_end(project: Project) -> None:
    """With -x the items in progress come to their ends, as those without a search do, and no other is begun."""
    tuned_bench(project, plan=f"{SHARED.replace('2', '1')}\nplan.add_algorithm(Broken)", tuning=TRIALS)
    result = project.run_process("-n", "2", "-x")
    result.assert_outcomes(passed=1, failed=1)
    assert project.count_fits() == 12
    wait_until(lambda: nobody_left(project))


@pytest.mark.slow
def test_a_failure_of_another_item_leaves_the_search_alone(project: Project) -> None:
    """Its worker helps then."""
    tuned_bench(project, plan=f"{SHARED}\nplan.add_algorithm(Broken)", tuning=TRIALS)
    project.run_process("-n", "2").assert_outcomes(passed=1, failed=1)
    assert len({trial["worker"] for trial in trials_in(project)}) == 2
    assert project.count_fits() == 12


@linux
@pytest.mark.slow
def test_an_interrupted_search_is_resumed(project: Project) -> None:
    """Ctrl-C lets the trials in progress end, and the next run goes on behind them."""
    plan, gate = _gated(project, processes=2, free=4)
    tuned_bench(project, plan=plan, tuning='"NDCG@10", trials=30, sampler="random"')
    with started(project, "-n", "2") as run:
        wait_until(lambda: _are_both_at_a_trial(project))
        os.killpg(run.pid, signal.SIGINT)
        wait_until(lambda: "SIGINT: stopping" in output_of(project))
        gate.touch()
        assert run.wait(_PATIENCE) == 2
    before = {trial["number"]: trial for trial in _finished(project)}
    assert len(before) < 30
    assert sum(_fits(project).values()) == len(before)
    wait_until(lambda: nobody_left(project))
    project.run().assert_outcomes(passed=1)
    assert sum(_fits(project).values()) == 30


@linux
@pytest.mark.slow
def test_a_second_interrupt_ends_the_trials_in_progress(project: Project) -> None:
    """They are no failed trials, and the next run computes them anew."""
    with _in_second_trial(project) as (run, gate):
        run.send_signal(signal.SIGINT)
        wait_until(lambda: "Once more (Ctrl-C)" in output_of(project))
        run.send_signal(signal.SIGINT)
        assert run.wait(_PATIENCE) == 2
    assert [trial["status"] for trial in trials_in(project)] == ["done", "proposed", "proposed"]
    wait_until(lambda: nobody_left(project))
    gate.touch()
    project.run().assert_outcomes(passed=1)
    assert sum(_fits(project).values()) == 3 + 1


@linux
@pytest.mark.slow
def test_a_run_that_is_ended_with_its_guests_has_no_failed_trial(project: Project) -> None:
    """A batch system asks all processes of a job to stop: the trial in progress stays open, whoever hears of it first."""
    with _in_second_trial(project) as (run, _):
        for pid in (*guests_of(project), run.pid):
            os.kill(pid, signal.SIGTERM)
        assert run.wait(_PATIENCE) != 0
    assert [trial["status"] for trial in trials_in(project)] == ["done", "proposed", "proposed"]
    wait_until(lambda: nobody_left(project))


@pytest.mark.slow
def test_a_time_limit_of_the_item_is_none_of_a_trial(project: Project) -> None:
    """pytest-timeout ends the item in the midst of its search; the trial that it was at stays open for the next run."""
    plan, _ = _gated(project, processes=1, free=2)
    tuned_bench(project, plan=plan, tuning='"NDCG@10", trials=90, sampler="random"')
    result = project.run_process("-p", "pytest_timeout", "-o", "timeout=10")  # behind all imports
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Timeout*10.0s*"])
    assert {trial["status"] for trial in trials_in(project)} <= {"done", "proposed"}
    assert nobody_left(project)


SCRIPT = """
from bench_tuned import data, plan
from omnibench import Evaluator, NDCG, run_omnirec

if __name__ == "__main__":
    run_omnirec(data, plan, Evaluator(NDCG(10)), workers=2)
"""


@pytest.mark.slow
def test_workers_of_a_script_help(project: Project) -> None:
    """As those of pytest do."""
    tuned_bench(project, plan=SHARED, tuning=TRIALS)
    project.pytester.makepyfile(script=SCRIPT)
    result = project.pytester.run(sys.executable, "script.py", timeout=_PATIENCE)
    assert result.ret == 0
    assert len({trial["worker"] for trial in trials_in(project)}) == 2
    assert project.count_fits() == 12


@pytest.mark.slow
def test_commands_meet_a_search_that_goes_on(project: Project) -> None:
    """Looking at it, and asking to remove or reset what is in use, neither disturbs it nor waits for it."""
    gates = [str(project.pytester.path / f"gate-{number}") for number in range(3)]
    tuned_bench(project, plan=f'plan.tune(Gated, {{"gate": Choice({gates})}})', tuning='"NDCG@10", sampler="grid"')
    with started(project, "-n", "2") as run:
        wait_until(lambda: project.count_fits("begin-") == 3)  # the defaults have no gate
        for command in (["status"], ["tuning"], ["tuning", "--json"], ["verify"], ["gc"], ["reset", "--yes"]):
            ended = project.pytester.run(sys.executable, "-m", "omnibench", *command, timeout=_PATIENCE)
            assert "Traceback" not in ended.stderr.str(), command
            assert "usage:" not in ended.stderr.str(), command
        assert run.poll() is None, "it was to be met while it goes on"
        for gate in gates:
            Path(gate).touch()
        assert run.wait(_PATIENCE) == 0
    trials = trials_in(project)
    assert [trial["number"] for trial in trials] == list(range(4))
    assert {trial["status"] for trial in trials} == {"done"}
    assert project.count_fits() == 4
