"""Being asked to stop: the first signal lets a phase finish, the second does not, nobody is left behind."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from support.projects import Project
from support.runs import PATIENCE, guests_of, nobody_left, output_of, parent_of, processes_with, started, wait_until

from omnibench import open_store

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

PLAN = 'plan.add_algorithm(Slow, {"seconds": 600.0, "tag": Grid([1, 2])})'


def statuses(project: Project) -> list[str]:
    store = open_store(project.pytester.path / "checkpoints")
    return sorted(record["status"] for record in store.items().values())


def recorded_fits(project: Project) -> int:
    store = open_store(project.pytester.path / "checkpoints")
    return sum(key.startswith("fit/") for key in store.records())


@pytest.mark.parametrize(("workers", "number"), [("0", signal.SIGINT), ("2", signal.SIGTERM)])
def test_first_signal_lets_the_phase_finish(project: Project, workers: str, number: signal.Signals) -> None:
    """The Fit in progress is finished and recorded, the items are interrupted, and the next run fits only the rest."""
    let_go = project.bench_gated()
    with started(project, "-n", workers, may_fork=False) as run:
        wait_until(lambda: project.count_fits("begin-") >= max(1, int(workers)))
        run.send_signal(number)
        wait_until(lambda: f"{number.name}: stopping" in output_of(project))
        let_go()
        wait_until(lambda: run.poll() is not None)
        assert run.returncode == 2
        wait_until(lambda: nobody_left(project))
    begun = project.count_fits("begin-")
    assert recorded_fits(project) == begun == project.count_fits("fit-")
    assert statuses(project) == sorted(["interrupted"] * begun + ["pending"] * (4 - begun))
    again = project.run()
    assert again.parse_summary_nouns(again.stdout.lines) == {"passed": 4}
    assert project.count_fits("begin-") == 4


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_phase_that_takes_longer_than_the_grace_is_given_up(project: Project, workers: str) -> None:
    """Its guest is ended, the item is recorded as interrupted, and nothing of the phase is recorded."""
    project.bench(plan=PLAN)
    with started(project, "-n", workers, "--omnirec-grace=1s") as run:
        wait_until(lambda: project.count_fits("begin-") >= max(1, int(workers)))
        run.terminate()
        wait_until(lambda: run.poll() is not None)
        wait_until(lambda: nobody_left(project))
    assert statuses(project).count("interrupted") == project.count_fits("begin-")
    assert recorded_fits(project) == 0


@pytest.mark.parametrize("workers", [pytest.param("0", marks=pytest.mark.slow), "2"])
def test_second_signal_stops_at_once(project: Project, workers: str) -> None:
    """However long the grace period is; no worker and no guest is left, and every begun item counts as interrupted."""
    project.bench(plan=PLAN)
    with started(project, "-n", workers, "--omnirec-grace=1h") as run:
        wait_until(lambda: project.count_fits("begin-") >= max(1, int(workers)))
        run.send_signal(signal.SIGINT)
        wait_until(lambda: "SIGINT: stopping" in output_of(project))
        run.send_signal(signal.SIGINT)
        wait_until(lambda: run.poll() is not None)
        wait_until(lambda: nobody_left(project))
    assert recorded_fits(project) == 0
    assert statuses(project).count("interrupted") >= 1


def test_ctrl_c_reaches_the_whole_group_and_still_counts_once(project: Project) -> None:
    """A terminal sends SIGINT to controller, workers and guests at once: that is one request to stop."""
    let_go = project.bench_gated()
    with started(project, "-n", "2") as run:
        wait_until(lambda: project.count_fits("begin-") >= 2)
        os.killpg(run.pid, signal.SIGINT)
        wait_until(lambda: "SIGINT: stopping" in output_of(project))
        let_go()
        wait_until(lambda: run.poll() is not None)
    assert recorded_fits(project) == project.count_fits("begin-") == 2


def test_stopping_while_waiting_for_another_run(project: Project) -> None:
    """A worker that waits for another run's item stops as well, and leaves the item to it."""
    project.bench(plan='plan.add_algorithm(Slow, {"seconds": 600.0})')
    with started(project, "-k", "fold_0") as first:
        wait_until(lambda: project.count_fits("begin-") >= 1)
        with started(project, "-k", "fold_0", "-n", "1", output="second.txt") as second:
            wait_until(lambda: "waiting for process" in output_of(project, "second.txt"))
            second.terminate()
            assert second.wait(timeout=PATIENCE) == 2
        assert first.poll() is None
        assert statuses(project)[-1] == "running"


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_an_item_whose_fit_was_finished_is_interrupted_behind_it(project: Project, workers: str) -> None:
    """What was asked to stop during Fit, and has finished it, is nowhere said to be interrupted in Fit."""
    let_go = project.bench_gated()
    with started(project, "-n", workers) as run:
        wait_until(lambda: project.count_fits("begin-") >= max(1, int(workers)))
        run.send_signal(signal.SIGINT)
        wait_until(lambda: "SIGINT: stopping" in output_of(project))
        let_go()
        wait_until(lambda: run.poll() is not None)
    store = open_store(project.pytester.path / "checkpoints")
    phases = {record["phase"] for record in store.items().values() if record["status"] == "interrupted"}
    assert phases == {"Predict"}
    plan = project.run("--omnirec-plan")
    plan.stdout.fnmatch_lines(["*from Predict  *(it was interrupted in Predict)"])
    plan.stdout.no_fnmatch_line("*in Fit*")
    log = [entry["message"] for entry in store.logs() if "was interrupted" in entry["message"]]
    assert log
    assert all("in Predict" in message for message in log)


def test_workers_say_which_signal_it_was(project: Project) -> None:
    """A SIGINT that the controller alone gets is a SIGINT to everybody, not the SIGTERM that workers are sent."""
    let_go = project.bench_gated()
    with started(project, "-n", "2", "-rs") as run:
        wait_until(lambda: project.count_fits("begin-") >= 2)
        run.send_signal(signal.SIGINT)
        wait_until(lambda: "SIGINT: stopping" in output_of(project))
        let_go()
        wait_until(lambda: run.poll() is not None)
    output = output_of(project)
    assert "stopped by SIGINT; the next run goes on from there" in output
    assert "SIGTERM" not in output


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_ctrl_c_during_the_table_ends_in_one_line(project: Project, workers: str) -> None:
    """The first Ctrl-C ends the run, one more its summary: exit status 2, one line, no traceback; nothing is lost."""
    gate = project.pytester.path / "gate"  # or the run may end between the test's look and its signal
    project.bench(plan=f'plan.add_algorithm(Gated, {{"gate": Grid(["/", {str(gate)!r}])}})')
    project.pytester.makeconftest(
        """
        import time

        def pytest_omnibench_columns(config, result):
            print("the table begins", flush=True)
            time.sleep(60)
            return {}
        """
    )
    with started(project, "-n", workers, "-k", "fold_0", "--omnirec-grace=30s") as run:
        wait_until(lambda: "PASSED" in output_of(project) and project.count_fits("begin-") == 2)
        run.send_signal(signal.SIGINT)
        wait_until(lambda: "SIGINT: stopping" in output_of(project))
        gate.touch()
        wait_until(lambda: "the table begins" in output_of(project))
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=PATIENCE) == 2
        wait_until(lambda: nobody_left(project))
    end = output_of(project).partition("the table begins")[2].strip().splitlines()
    assert end[0] == (
        "omnibench: stopped before the end of the summary; what was computed is recorded, and the next run shows it"
    )
    assert not any("Traceback" in line for line in end)
    assert len(end) <= 3, end  # pytest's own line says what stopped the run, in color or not
    assert recorded_fits(project) == project.count_fits("begin-") == 2


def test_ctrl_c_during_the_end_is_one_line(project: Project) -> None:
    """A Ctrl-C while guests are ended and the store is closed, after the summary, ends in one line."""
    project.bench()
    project.pytester.makeconftest(
        """
        import time
        from omnibench.plugin.session import BenchSession

        def close(session):
            print("closing", flush=True)
            time.sleep(60)

        def pytest_configure(config):
            BenchSession.close = close
        """
    )
    with started(project) as run:
        wait_until(lambda: "closing" in output_of(project))
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=PATIENCE) == 2
    end = output_of(project).partition("closing")[2].strip().splitlines()
    assert end == [
        "omnibench: stopped before the end of the summary; what was computed is recorded, and the next run shows it"
    ]


def test_a_script_stops_in_the_same_way(project: Project) -> None:
    """run_omnirec ends with KeyboardInterrupt after the phase, with its item recorded as interrupted."""
    let_go = project.bench_gated()
    project.pytester.makepyfile(
        script="""
        from bench_tiny import *
        from omnibench import run_omnirec
        if __name__ == "__main__":
            try:
                run_omnirec(data, plan, Evaluator(NDCG(10)))
            except KeyboardInterrupt as stopped:
                print("ended:", stopped)
        """
    )
    with started(project, program=["-u", "script.py"]) as run:
        wait_until(lambda: project.count_fits("begin-") >= 1)
        run.terminate()
        wait_until(lambda: "SIGTERM: stopping" in output_of(project))
        let_go()
        run.wait(timeout=PATIENCE)
    assert "ended: stopped by SIGTERM" in output_of(project)
    assert recorded_fits(project) == 1
    assert "interrupted" in statuses(project)


@pytest.mark.parametrize("victim", ["guest", "worker"])
def test_sudden_death_is_the_items_failure(project: Project, victim: str) -> None:
    """A guest or a worker that is killed (by the OOM killer, say) fails its item; the others are computed.

    The failure is recorded with the death counted, and finished items stay finished.
    """
    gate = project.pytester.path / "gate"
    project.bench(plan=f'plan.add_algorithm(Gated, {{"gate": Grid(["/", {str(gate)!r}])}})')
    with started(project, "-n", "1") as run:
        wait_until(lambda: project.count_fits("begin-") == 3)
        (guest,) = guests_of(project)
        worker = parent_of(parent_of(guest))  # a guest's parent is its supervisor
        os.kill(guest if victim == "guest" else worker, signal.SIGKILL)
        wait_until(lambda: guest not in processes_with(str(project.fits)))
        gate.touch()
        wait_until(lambda: run.poll() is not None)
        assert run.returncode == 1
    assert "1 failed, 3 passed" in output_of(project)
    store = open_store(project.pytester.path / "checkpoints")
    ((name, message),) = store.failed.items()
    assert "was killed by SIGKILL" in message if victim == "guest" else "crashed while running" in message
    assert store.find(name)["deaths"] == 1
    assert len(store.completed) == 3
    again = project.run()
    assert again.parse_summary_nouns(again.stdout.lines) == {"passed": 1, "cached": 3}


def test_items_that_keep_dying_are_left_alone(project: Project) -> None:
    """After --omnirec-max-attempts deaths in a row the failure is told again without running anything."""
    project.bench(plan="plan.add_algorithm(Dying)")
    for _ in range(2):
        project.run("-k", "fold_0", "--omnirec-max-attempts=2").assert_outcomes(failed=1, deselected=1)
    log = project.pytester.path / "checkpoints" / "err.log"
    before = log.read_text()
    third = project.run("-k", "fold_0", "--omnirec-max-attempts=2")
    third.assert_outcomes(failed=1, deselected=1)
    third.stdout.fnmatch_lines(["*its process died 2 times in a row, so it is not tried again*SIGSEGV*"])
    assert log.read_text() == before
    project.run("-k", "fold_0", "--omnirec-max-attempts=3").assert_outcomes(failed=1, deselected=1)
    assert log.read_text() != before


def test_phase_that_takes_too_long_fails(project: Project) -> None:
    """--omnirec-timeout ends the guest of a phase that hangs; the next item gets a fresh one."""
    project.bench(plan='plan.add_algorithm(Slow, {"seconds": 600.0}); plan.add_algorithm(Popular)')
    result = project.run("-k", "fold_0", "--omnirec-timeout=5s")  # a Fit begins with imports
    result.assert_outcomes(failed=1, passed=1, deselected=2)
    result.stdout.fnmatch_lines(["*Fit failed: *was ended because it took more than 5 s (--omnirec-timeout)*"])
