"""The plugins that people use beside this one: pytest-randomly, pytest-timeout, pytest-rerunfailures, pytest-cov."""

from __future__ import annotations

import json
import re

import pytest
from support.projects import Project
from support.runs import nobody_left

from omnibench import open_store

OTHERS = ("randomly", "timeout", "rerunfailures", "pytest_cov")


@pytest.fixture
def with_plugin(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project in whose inner runs the companions are active, each under its own name."""
    monkeypatch.delenv("PYTEST_ADDOPTS")
    return project


def only(plugin: str) -> list[str]:
    """Arguments that leave one companion active."""
    return [f"-pno:{name}" for name in OTHERS if name != plugin]


def counts(result: pytest.RunResult) -> dict[str, int]:
    """What the last line of a run counts."""
    return result.parse_summary_nouns(result.stdout.lines)


@pytest.mark.slow
def test_randomly_shuffles_items_and_changes_none(with_plugin: Project) -> None:
    """Another order, alone and on two workers, computes each item once; what was done in one order is cached in another."""
    with_plugin.bench(plan='plan.add_algorithm(Popular, {"noise": Grid([0, 1, 2])})')
    arguments = [*only("randomly"), "-v"]
    computed = with_plugin.run_process(*arguments, "-n", "2", "--randomly-seed=2")
    computed.assert_outcomes(passed=6)
    cached = [with_plugin.run_process(*arguments, f"--randomly-seed={seed}") for seed in (1, 2)]
    assert [counts(one) for one in cached] == [{"cached": 6}] * 2
    assert with_plugin.count_fits() == 6
    orders = [re.findall(r"Popular\S*-\w{8}/fold_\d(?= CACHED)", one.stdout.str()) for one in cached]
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]
    rows = [
        re.findall(r"Popular\(noise=(\d)\)", run.stdout.str().partition("Algorithm")[2]) for run in (computed, *cached)
    ]
    assert [list(dict.fromkeys(row)) for row in rows] == [["0", "1", "2"]] * 3, "rows stand as the plan has them"


def test_timeout_fails_the_item_and_ends_its_guest(with_plugin: Project) -> None:
    """An item that takes too long fails with pytest-timeout's words, its guest is ended, and the next one is computed."""
    with_plugin.bench(plan='plan.add_algorithm(Slow, {"seconds": 600}); plan.add_algorithm(Popular)')
    with_plugin.pytester.makeconftest(
        """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.timeout(4 if "Slow" in item.nodeid else 300))
        """
    )
    alone = with_plugin.run_process(*only("timeout"), "-k", "fold_0")
    alone.assert_outcomes(failed=1, passed=1, deselected=2)
    alone.stdout.fnmatch_lines(["*Timeout*4.0s*"])
    assert not [line for line in alone.stdout.lines if "/pluggy/" in line], "the traceback is of what the user knows"
    store = open_store(with_plugin.pytester.path / "checkpoints")
    (interrupted,) = store.interrupted
    assert "/Slow-" in interrupted, "it was cut off; the algorithm did not fail"
    assert nobody_left(with_plugin)


def test_reruns_go_on_where_the_last_attempt_stopped(with_plugin: Project) -> None:
    """A rerun tries the phase again, not what was computed; hooks and counts hear of the item once, when it has ended."""
    with_plugin.pytester.makeconftest(
        """
        def pytest_omnibench_item_finished(finished):
            with open("finished.txt", "a") as file:
                print(finished.status, finished.nodeid, file=file)
        """
    )
    flag = with_plugin.pytester.path / "tried"
    with_plugin.bench(
        plan=f'plan.add_algorithm(Broken, {{"unless": {str(flag)!r}}})',
        body=f"""
    import os, pathlib
    times = pathlib.Path({str(flag)!r} + str(result.fold))
    before = times.exists()
    times.touch()
    assert before, "the first time"
    """,
    )
    path = with_plugin.pytester.path / "own_algorithms.py"
    path.write_text(
        path.read_text().replace(
            'raise RuntimeError("the algorithm is broken")',
            'Path(self.unless).touch(); raise RuntimeError("the algorithm is broken")',
        )
    )
    result = with_plugin.run_process(*only("rerunfailures"), "--reruns", "3", "--junitxml=report.xml")
    # fold_0: Fit fails, then the body, then all is well; fold_1: only the body fails once.
    assert counts(result) == {"cached": 2, "rerun": 3}
    assert result.ret == 0
    assert with_plugin.count_fits() == 2
    finished = (with_plugin.pytester.path / "finished.txt").read_text().splitlines()
    assert [line.split()[0] for line in finished] == ["cached", "cached"]
    report = (with_plugin.pytester.path / "report.xml").read_text()
    assert report.count("<testcase ") == 5


def test_reruns_of_a_crashed_worker(with_plugin: Project) -> None:
    """With --reruns, an item whose worker died is tried again on another one, and counted once."""
    flag = with_plugin.pytester.path / "crashed"
    with_plugin.bench(
        body=f"""
    import os, pathlib
    flag = pathlib.Path({str(flag)!r})
    if result.fold == 0 and not flag.exists():
        flag.touch()
        os._exit(1)
    """
    )
    result = with_plugin.run_process(*only("rerunfailures"), "--reruns", "2", "-n", "2")
    found = counts(result)
    assert found["rerun"] == 1
    assert found.get("passed", 0) + found.get("cached", 0) == 2
    assert "failed" not in found
    assert with_plugin.count_fits() == 2


@pytest.mark.slow
def test_coverage_of_bodies(with_plugin: Project) -> None:
    """Lines of bodies count, computed on workers or cached; the items are the same as without."""
    with_plugin.bench(body='assert result["NDCG@10"] >= 0\n    covered = result["HR@10"]')
    arguments = [*only("pytest_cov"), "--cov=bench_tiny", "--cov-report=json", "-n", "2"]
    for expected in ("passed", "cached"):
        result = with_plugin.run_process(*arguments)
        assert counts(result)[expected] == 2
        (file,) = json.loads((with_plugin.pytester.path / "coverage.json").read_text())["files"].values()
        assert file["summary"]["missing_lines"] == 0, file["missing_lines"]
