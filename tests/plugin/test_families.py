"""Processes that own classes and metrics start: they hold nothing of a run that is dead, and none outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults.families import FAMILIES
from support.projects import IN_A_FRAME, Project
from support.runs import PATIENCE, guests_of, nobody_left, output_of, processes_with, started, wait_until

from omnibench import open_store
from omnibench.guest import family

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

WAITING = "from families import *\nplan.add_algorithm(Family, {'then': 'wait'})"
METRICS = "NDCG([5, 10]), Forking()"


@pytest.fixture
def family_project(project: Project) -> Project:
    """A project whose algorithms and metrics start processes."""
    project.pytester.makepyfile(families=FAMILIES)
    return project


def kill_all(project: Project) -> None:
    """Leave none of the test's own processes behind."""
    for pid in processes_with(str(project.fits)):
        if pid != os.getpid():
            os.kill(pid, signal.SIGKILL)


def family_guards_of(process: int) -> list[int]:
    """The guards of what own code has started in a process."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(pid) for pid in children if b"family_guard.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def worker_with_metric(project: Project) -> int:
    """A worker of xdist that computes a metric; a controller has other children too."""
    return int(min(project.fits.glob("metric-*")).name.rpartition("-")[2])


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["alone", "distributed"])
def test_kill_9_of_a_run_ends_what_its_guests_have_started(family_project: Project, arguments: tuple[str, ...]) -> None:
    """Pools, programs, daemons and sessions of their own: nobody is left, however the run ended."""
    family_project.bench(plan=WAITING)
    with started(family_project, *arguments) as run:
        wait_until(lambda: family_project.count_fits("begin-") >= 1)
        assert len(processes_with(str(family_project.fits))) > 6
        run.kill()
        wait_until(lambda: nobody_left(family_project))


def stop_at_once(project: Project, run: subprocess.Popen[bytes]) -> None:
    """Send a run two Ctrl-C, and see that it ends and that nobody is left."""
    run.send_signal(signal.SIGINT)
    wait_until(lambda: "SIGINT: stopping" in output_of(project))
    run.send_signal(signal.SIGINT)
    wait_until(lambda: run.poll() is not None)
    wait_until(lambda: nobody_left(project))


@pytest.mark.slow
def test_a_second_ctrl_c_of_a_distributed_run_leaves_nobody(family_project: Project) -> None:
    """Workers are killed, and with them what their guests have started."""
    family_project.bench(plan=WAITING)
    with started(family_project, "-n", "2", "--omnirec-grace=1h") as run:
        wait_until(lambda: family_project.count_fits("begin-") >= 2)
        stop_at_once(family_project, run)


@pytest.mark.slow
def test_a_second_ctrl_c_ends_what_own_metrics_have_started(family_project: Project) -> None:
    """A metric is computed in a worker, and so is what it starts the worker's."""
    family_project.bench(plan="from families import *\nplan.add_algorithm(Popular)", metrics=METRICS)
    (family_project.fits / "fork").touch()
    with started(family_project, "-n", "2", "--omnirec-grace=1h") as run:
        wait_until(lambda: family_project.count_fits("metric-") >= 1)
        stop_at_once(family_project, run)


def test_an_item_of_a_dead_run_is_free_whoever_its_metric_has_forked(family_project: Project) -> None:
    """Children of a killed run that live on hold no item: the next run computes it, and nobody seems to."""
    family_project.bench(plan="from families import *\nplan.add_algorithm(Popular)", metrics=METRICS)
    (family_project.fits / "fork").touch()
    with started(family_project, "-k", "fold_0") as run:
        wait_until(lambda: family_project.count_fits("metric-") >= 1)
        for guard in family_guards_of(run.pid):  # whose work this is else
            os.kill(guard, signal.SIGKILL)
        run.kill()
        run.wait()
        # Inside of the block: its end kills the run's group, and with it those whom the test is about.
        assert not nobody_left(family_project), "the test is about what is left"
        store = open_store(family_project.pytester.path / "checkpoints")
        assert {item["status"] for item in store.items().values()} <= {"interrupted", "pending"}
        assert not store.workers(active=True)
        (family_project.fits / "fork").unlink()
        again = family_project.run("-k", "fold_0")
        again.assert_outcomes(passed=1)
        again.stdout.no_fnmatch_line("*waiting for*")
        assert not nobody_left(family_project), "somebody ended what could have held the item"


@pytest.mark.slow
def test_a_worker_that_dies_beside_its_pool_does_not_hang_the_run(family_project: Project) -> None:
    """Children of a dead worker do not keep its pipe to the controller open: the item fails, others are computed."""
    plan = "from families import *\nplan.add_algorithm(Popular)"
    family_project.bench(plan=plan, metrics="NDCG([5, 10]), Pooling()")
    pooling = FAMILIES.replace("            start_below_python()\n            mark", "            mark")
    family_project.pytester.makepyfile(families=pooling.replace("class Forking", "class Pooling"))
    (family_project.fits / "fork").touch()
    with started(family_project, "-n", "1") as run:
        wait_until(lambda: family_project.count_fits("metric-") >= 1)
        (family_project.fits / "fork").unlink()
        os.kill(worker_with_metric(family_project), signal.SIGKILL)
        assert run.wait(timeout=PATIENCE) == 1
    kill_all(family_project)
    assert "crashed" in output_of(family_project)


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["worker", "controller", "whole run"])
@pytest.mark.parametrize("how", ["fork", "spawn", "forkserver", "pool", "loky"])
def test_what_an_own_metric_has_started_ends_with_its_process(family_project: Project, how: str, victim: str) -> None:
    """Whatever a metric shares its work with, nobody is left of it after kill -9, and the next run is a run like any other."""
    if how == "loky":
        pytest.importorskip("joblib")
    plan = "from families import *\nplan.add_algorithm(Popular)"
    family_project.bench(plan=plan, metrics=f"NDCG([5, 10]), Fanning({how!r})")
    (family_project.fits / "fork").touch()
    workers = "0" if victim == "whole run" else "2"
    with started(family_project, "-n", workers) as run:
        wait_until(lambda: family_project.count_fits("metric-") >= 1)
        time.sleep(0.5)
        (family_project.fits / "fork").unlink()
        if victim == "worker":
            os.kill(worker_with_metric(family_project), signal.SIGKILL)
            wait_until(lambda: family_project.count_fits("fit-") >= 2)
        run.kill()
        wait_until(lambda: nobody_left(family_project))
    with started(family_project, "-n", workers, "--omnirec-max-attempts=5", output="again.txt") as again:
        assert again.wait(timeout=180) == 0


@pytest.mark.slow
def test_what_a_data_step_has_started_ends_with_its_process(family_project: Project) -> None:
    """A step is computed by the process that prepares the data."""
    steps = "start_in_step, MakeImplicit(2), CorePruning(4), UserCrossValidation(2)"
    plan = f"from families import *\ndata = from_frame(frame, 'stepped').pipe({steps})\nplan.add_algorithm(Popular)"
    family_project.bench(plan=plan, data=IN_A_FRAME)
    with started(family_project, "-k", "fold_0") as run:
        wait_until(lambda: family_project.count_fits("step-") >= 1)
        run.kill()
        wait_until(lambda: nobody_left(family_project))


@pytest.mark.slow
def test_a_second_ctrl_c_ends_what_a_metric_waits_for(family_project: Project) -> None:
    """Without workers: the metric's executor waits for its processes, and they are ended."""
    family_project.bench(plan="from families import *\nplan.add_algorithm(Popular)", metrics="Fanning('fork')")
    (family_project.fits / "fork").touch()
    with started(family_project, "--omnirec-grace=1h") as run:
        wait_until(lambda: family_project.count_fits("metric-") >= 1)
        time.sleep(0.5)
        stop_at_once(family_project, run)


@pytest.mark.slow
def test_pools_of_own_metrics_end(family_project: Project) -> None:
    """A pool ends its workers by SIGTERM, and waits for them: it waited for ever while they inherited our handlers."""
    plan = "from families import *\nfor noise in range(6):\n    plan.add_algorithm(Popular, {'noise': noise})"
    family_project.bench(plan=plan, metrics="Fanning('pool')")
    with started(family_project, "-n", "2") as run:
        assert run.wait(timeout=120) == 0


def test_a_run_that_computes_nothing_starts_no_guard(family_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first run has one, for its data and metrics; a cached run has none."""
    family_project.bench(plan="from families import *\nplan.add_algorithm(Popular)", metrics="Fanning('fork')")
    monkeypatch.setattr(family, "_guard", family._Guard())
    family_project.run().assert_outcomes(passed=2)
    assert family._guard.pid == os.getpid()
    assert family.MARK not in os.environ
    monkeypatch.setattr(family, "_guard", family._Guard())
    assert family_project.run().ret == 0
    assert family._guard.pid == 0


@pytest.mark.slow
def test_the_death_of_a_guest_with_children_is_seen_at_once(family_project: Project) -> None:
    """The item fails with the signal's name, and its family is gone: the others are computed."""
    plan = "from families import *\nplan.add_algorithm(Family, {'then': 'die'})\nplan.add_algorithm(Popular)"
    family_project.bench(plan=plan)
    with started(family_project, "-k", "fold_0", "--omnirec-max-attempts=1") as run:
        assert run.wait(timeout=PATIENCE) == 1
        wait_until(lambda: nobody_left(family_project))
    assert "was killed by SIGKILL" in output_of(family_project)
    assert "1 failed, 1 passed" in output_of(family_project)


@pytest.mark.slow
def test_a_stopped_guest_is_ended_by_the_time_limit_with_its_family(family_project: Project) -> None:
    """SIGSTOP does not suspend --omnirec-timeout, and nobody is left stopped."""
    family_project.bench(plan="from families import *\nplan.add_algorithm(Family, {'then': 'stop'})")
    with started(family_project, "-k", "fold_0", "--omnirec-timeout=2s") as run:
        assert run.wait(timeout=PATIENCE) == 1
        wait_until(lambda: nobody_left(family_project))
    assert "took more than 2 s (--omnirec-timeout)" in output_of(family_project)


@pytest.mark.slow
def test_a_stopped_guest_is_said_to_be_silent(family_project: Project) -> None:
    """Whoever watches sees in the worker's record for how long its guest has not answered, and that it is stopped."""
    family_project.bench(plan=WAITING)
    with started(family_project, "-k", "fold_0") as run:
        wait_until(lambda: family_project.count_fits("begin-") >= 1)
        (guest,) = guests_of(family_project)
        os.kill(guest, signal.SIGSTOP)
        root = family_project.pytester.path / "checkpoints"

        def silence() -> dict[str, object]:
            workers = [record for key, record in open_store(root).records().items() if key.startswith("worker/")]
            return workers[0].get("silence") or {} if workers else {}

        wait_until(lambda: bool(silence().get("stopped")))
        assert silence()["seconds"] in range(10, 60, 5)
        os.kill(guest, signal.SIGCONT)
        run.kill()
    wait_until(lambda: nobody_left(family_project))
