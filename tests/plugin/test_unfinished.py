"""A distributed run is never green while items are left that nobody ran."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from support.projects import Project

from omnibench.plugin.unfinished import Unfinished, ended_sentence


def report(nodeid: str, outcome: str, when: str) -> Any:
    """A report as xdist hands it on."""
    outcomes = {name: name == outcome for name in ("passed", "failed", "skipped")}
    return SimpleNamespace(nodeid=nodeid, when=when, **outcomes)


def failure_of(unfinished: Unfinished, **session: Any) -> str:
    """What the end of a run says of items that are left, or nothing."""
    state: Any = SimpleNamespace(shouldfail=False, shouldstop=False, Failed=pytest.Session.Failed, **session)
    loop = unfinished.pytest_runtestloop(state)
    next(loop)
    try:
        loop.send(True)
    except StopIteration:
        return ""
    except pytest.Session.Failed as failed:
        return str(failed)
    raise AssertionError("a wrapper yields once")


@pytest.mark.parametrize(
    ("outcome", "when", "ends"),
    [
        ("passed", "call", True),
        ("failed", "call", True),
        ("skipped", "setup", True),
        ("failed", "setup", True),
        ("failed", "???", True),
        ("passed", "setup", False),
        ("passed", "teardown", False),
        ("rerun", "call", False),
    ],
)
def test_which_reports_end_an_item(outcome: str, when: str, ends: bool) -> None:
    """Its call, a setup that has not passed, the death of its worker; not what another attempt or its call follows."""
    unfinished = Unfinished(["a"], [])
    unfinished.pytest_runtest_logreport(report("a", outcome, when))
    assert bool(failure_of(unfinished)) is not ends


def test_what_is_left_is_named() -> None:
    """The first few of the benchmarks and of the other tests; nothing where the run was stopped anyway."""
    unfinished = Unfinished(["a", "b", "c", "d"], ["other"])
    unfinished.pytest_runtest_logreport(report("a@group", "passed", "call"))  # as --dist=loadgroup names it
    assert failure_of(unfinished).startswith("4 of 5 items not run, no worker has reported them: b, c, d and 1 more; ")
    stopped: Any = SimpleNamespace(shouldfail=False, shouldstop="asked to stop")
    loop = unfinished.pytest_runtestloop(stopped)
    next(loop)
    with pytest.raises(StopIteration):
        loop.send(True)


def test_what_workers_leave_out_on_purpose_is_not_missing() -> None:
    """Other tests count when a worker has collected them: a plugin may leave some out there. Benchmarks always count."""
    unfinished = Unfinished(["a"], ["other", "left_out"])
    unfinished.collected(["other"])
    unfinished.collected([])  # only the first to collect says
    assert failure_of(unfinished).startswith("2 of 2 items not run, no worker has reported them: a, other; ")
    unfinished.pytest_runtest_logreport(report("other", "passed", "call"))
    unfinished.pytest_runtest_logreport(report("a", "passed", "call"))
    assert not failure_of(unfinished)


def test_what_is_begun_is_known_until_it_has_ended() -> None:
    """So that it can be named when its worker is killed; a worker that died by itself is at nothing any more."""
    unfinished = Unfinished(["a", "b", "c"], [])
    for nodeid in "abc":
        unfinished.pytest_runtest_logstart(nodeid)
    unfinished.pytest_runtest_logfinish("b")
    unfinished.pytest_runtest_logreport(report("c", "failed", "???"))
    assert unfinished.begun == ["a"]
    assert ended_sentence(["gw0"], unfinished.begun).startswith(
        "worker gw0 had not ended and was killed in the middle of a; "
    )
    assert ended_sentence(["gw0", "gw1"], []).startswith("workers gw0, gw1 had not ended and were killed; ")


def test_workers_that_die_before_collecting_fail_the_run(project: Project) -> None:
    """With exit status 1, where xdist alone would say 5 and we said 0; no baseline is written of it."""
    project.bench()
    project.pytester.makeconftest(
        "import os\nif os.environ.get('PYTEST_XDIST_WORKER'): raise RuntimeError('no database for this worker')"
    )
    result = project.run_process("-n", "1", "--max-worker-restart=0", "--omnirec-baseline=baseline.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["*no database for this worker*", "*2 of 2 items not run, no worker has reported them*"]
    )
    assert not (project.pytester.path / "baseline.json").exists()


@pytest.mark.slow
def test_a_worker_that_dies_while_it_collects_fails_the_run(project: Project) -> None:
    """Also when another has collected all, and waits for something to do."""
    project.bench()
    project.pytester.makepyfile(
        bench_zz="import os\nif os.environ.get('PYTEST_XDIST_WORKER') == 'gw1': os._exit(1)",
    )
    result = project.run_process("-n", "2", "--max-worker-restart=0")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*2 of 2 items not run, no worker has reported them*"])


@pytest.mark.slow
def test_items_behind_one_that_kills_its_worker_are_named(project: Project) -> None:
    """Where no worker may take its place, what that one has left is not run, and said to be so."""
    project.bench(plan='plan.add_algorithm(Popular, {"noise": Grid([0, 1])})', body="import os; os._exit(1)")
    result = project.run_process("-n", "1", "--max-worker-restart=0")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*3 of 4 items not run, no worker has reported them*"])
