"""The markers inner and guests: who gets them by itself, and who fails without them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.markers import StartedProcesses

COMMANDS = {
    "inner": (["python", "-mpytest", "-q"], ["/bin/sh", "-c", "cd shop && pytest benchmarks"]),
    "guests": (["env", "-u", "PYTHONPATH", "OMNIBENCH_GUEST=1", "python", "-c", "..."],),
}


def started(command: list[str]) -> StartedProcesses:
    """Return what has noticed that a command was executed."""
    processes = StartedProcesses()
    processes.notice("subprocess.Popen", (command[0], command, None, None))
    return processes


@pytest.mark.parametrize("name", COMMANDS)
def test_a_start_needs_its_marker(name: str, request: pytest.FixtureRequest) -> None:
    """The test that has started the process fails with the marker's name, and only that test."""
    for command in COMMANDS[name]:
        processes = started(command)
        with pytest.raises(pytest.fail.Exception, match=f"needs @pytest.mark.{name}"):
            processes.check(request.node)
        processes.check(request.node)


@pytest.mark.inner
def test_an_inner_run_may_start_guests(request: pytest.FixtureRequest) -> None:
    """Whoever starts a run that computes need not say that it has guests."""
    for commands in COMMANDS.values():
        for command in commands:
            started(command).check(request.node)


def test_other_processes_need_no_marker(request: pytest.FixtureRequest) -> None:
    """Such as an interpreter that runs a few lines."""
    started(["python", "-c", "print(1)"]).check(request.node)


def test_fixtures_decide(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> None:
    """Whatever requests pytester is marked, also through project, and so is what requests a fixture that starts a guest."""
    items: list[Any] = [item for item in request.session.items if Path(item.path).is_relative_to(pytestconfig.rootpath)]
    for item in items:
        markers = {marker.name for marker in item.iter_markers()}
        assert "pytester" not in item.fixturenames or "inner" in markers
        assert not {"environment_python", "measured_store"} & set(item.fixturenames) or "guests" in markers


def test_groups_reach_the_scheduler(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> None:
    """Every test of a group says so in its node id, whichever of the two has written it there, xdist or we."""
    if not pytestconfig.getoption("loadgroup", default=False):
        pytest.skip("needs -n 2 --dist loadgroup")
    for item in request.session.items:
        for marker in item.iter_markers("xdist_group"):
            assert item.nodeid.count(f"@{marker.args[0]}") == 1
            assert item.nodeid.endswith(f"@{marker.args[0]}")
