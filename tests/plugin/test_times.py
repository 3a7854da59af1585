"""The seconds of phases are the same everywhere, and never those in which a framework's process starts."""

from __future__ import annotations

import re
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support.projects import Project

from omnibench import open_store
from omnibench.runners.gateway import Guest

HOOK = """
def pytest_omnibench_item_finished(config, finished):
    with open(config.rootpath / "seconds.txt", "a") as file:
        print(dict(finished.seconds), file=file)
"""


PAUSE = 0.5
"""Seconds that the framework's process takes longer to start; it may begin while the item is prepared."""


@pytest.fixture
def path(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of a run whose first item has waited for its process; the second found it running."""
    begin = Guest._begin

    def begin_late(guest: Guest) -> None:
        time.sleep(PAUSE)
        begin(guest)

    monkeypatch.setattr(Guest, "_begin", begin_late)
    project.bench()
    project.pytester.makeconftest(HOOK)
    result = project.run("-v", "--durations=0", "--durations-min=0", "--junitxml=report.xml")
    result.assert_outcomes(passed=2)
    (project.pytester.path / "printed.txt").write_text("\n".join(result.outlines))
    return project.pytester.path


def test_every_view_has_the_recorded_seconds(path: Path) -> None:
    """The terminal, the slowest durations, JUnit files, hooks, and the store: one number for Fit, another for Start."""
    phases = open_store(path / "checkpoints").phases().to_dict("records")
    recorded: dict[str, dict[str, float]] = {}
    for phase in phases:
        seconds = recorded.setdefault(phase["item"], {})
        seconds[phase["phase"]] = phase["seconds"]
        if phase["start_seconds"] > 0:
            seconds["Start"] = phase["start_seconds"]
    (first, second) = sorted(recorded.values(), key=len, reverse=True)
    assert set(first) == {"Start", "Fit", "Predict", "Eval"}
    assert set(second) == {"Fit", "Predict", "Eval"}
    told = [eval(line) for line in (path / "seconds.txt").read_text().splitlines()]
    assert sorted(told, key=len, reverse=True) == [first, second]
    printed = (path / "printed.txt").read_text()
    (call,) = re.findall(r"^([\d.]+)s call .*fold_0", printed, re.MULTILINE)
    assert sum(first.values()) <= float(call) + 0.01, "no phase has the seconds of the start as well"
    for seconds in (first, second):
        for name, value in seconds.items():
            assert f"    {name:8} {value:9.3f} s" in printed
            assert re.search(rf"^{value:.2f}s {name} +bench_tiny", printed, re.MULTILINE)
    assert next(line for line in printed.splitlines() if line.startswith("    ")).split()[0] == "Start"

    cases = ET.parse(path / "report.xml").iter("testcase")
    properties = [{entry.get("name"): entry.get("value") for entry in case.iter("property")} for case in cases]
    for case, of_item in zip(sorted(properties, key=len, reverse=True), (first, second), strict=True):
        prefix = "omnibench.seconds."
        junit = {name.removeprefix(prefix): value for name, value in case.items() if name and name.startswith(prefix)}
        assert junit == {name: str(round(value, 3)) for name, value in of_item.items()}
