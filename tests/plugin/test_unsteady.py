"""Data that differs from process to process: named and refused, whoever makes it; new data is nobody's mistake."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from support.projects import IN_A_FRAME, Project

from omnibench import open_store
from omnibench.commands.main import main

ADVICE = "give a seed to what draws at random (e.g. numpy.random.default_rng(42))"


def draw_anew(project: Project, generator: str = "np.random.default_rng()") -> Path:
    """Have the bench file draw its data with another generator; it is older than any run."""
    project.bench(data=IN_A_FRAME)
    file = project.pytester.path / "bench_tiny.py"
    file.write_text(file.read_text().replace("np.random.default_rng(7)", generator))
    moment = time.time() - 60
    os.utime(file, (moment, moment))
    return file


def lines_of(result: pytest.RunResult) -> str:
    return "\n".join([*result.outlines, *result.errlines])


@pytest.mark.parametrize("workers", [pytest.param("1", marks=pytest.mark.slow), "2"])
def test_workers_that_draw_other_data_are_refused_by_name(project: Project, workers: str) -> None:
    """One worker would compute what nobody shows, and two would be told of different tests; now the dataset is named."""
    draw_anew(project)
    result = project.run_process("-n", workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = lines_of(result)
    assert "the data tiny of bench_tiny.py::bench_tiny differs from process to process: it is tiny-" in said
    assert ADVICE in said
    assert "Different tests were collected" not in said
    assert "passed" not in said
    assert project.count_fits() == 0


@pytest.mark.slow
def test_a_second_run_of_other_data_is_refused_by_name(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without workers the first run cannot know; the second makes the data once more, says so, and computes nothing."""
    file = draw_anew(project)
    assert project.run_process().ret == 0
    fits = project.count_fits()
    again = project.run_process("-q")
    assert again.ret == pytest.ExitCode.USAGE_ERROR
    assert (
        "the data tiny of bench_tiny.py::bench_tiny differs from process to process: it had one content in the last run"
        in lines_of(again)
    )
    assert project.count_fits() == fits
    monkeypatch.chdir(project.pytester.path)
    assert main(["status"]) == 1
    assert (
        "the data tiny of bench_tiny.py::bench_tiny differs from process to process, so its last run was refused. "
        in (capsys.readouterr().out)
    )
    assert open_store("checkpoints").unsteady == {"tiny": "bench_tiny.py::bench_tiny"}
    file.write_text(file.read_text().replace("np.random.default_rng()", "np.random.default_rng(8)"))
    assert project.run_process().ret == 0
    assert main(["status"]) == 0
    assert open_store("checkpoints").unsteady == {}


TWO = """

@benchmark(from_frame(frame.head(900), "part").pipe(MakeImplicit(2), UserHoldout(0, 0.2)), plan, Evaluator(NDCG(5)))
def bench_part(result): ...
"""


def test_all_data_that_differs_is_named_at_once(project: Project) -> None:
    """Whoever has mended one is not told of the next one only then: by workers, and by a second run."""
    project.bench(data=IN_A_FRAME)
    file = project.pytester.path / "bench_tiny.py"
    file.write_text(file.read_text().replace("np.random.default_rng(7)", "np.random.default_rng()") + TWO)
    os.utime(file, (time.time() - 60,) * 2)
    for arguments in (("-n", "1"), ()):
        result = project.run_process(*arguments)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        named = "the data tiny of bench_tiny.py::bench_tiny, part of bench_tiny.py::bench_part differs from process"
        assert named in lines_of(result)
        sources = {"tiny": "bench_tiny.py::bench_tiny", "part": "bench_tiny.py::bench_part"}
        assert open_store(project.pytester.path / "checkpoints").unsteady == sources


@pytest.mark.slow
def test_new_data_is_computed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data that another process makes alike is no mistake, however often it changes between runs."""
    draw_anew(project, "np.random.default_rng(int(__import__('os').environ['TODAY']))")
    for day in ("1", "2"):
        monkeypatch.setenv("TODAY", day)
        result = project.run_process()
        assert result.ret == 0
        assert ("made once more in another process" in lines_of(result)) == (day == "2")
    monkeypatch.setenv("TODAY", "3")
    assert project.run_process("-n", "2").ret == 0


def test_a_hyperparameter_that_is_drawn_anew_is_named(project: Project) -> None:
    """A configuration that only a worker has would vanish as the data would."""
    project.bench(
        plan='plan.add_algorithm(Popular, {"noise": float(np.random.default_rng().random())})', data=IN_A_FRAME
    )
    result = project.run_process("-n", "1")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = lines_of(result)
    assert "Popular-" in said
    assert (
        "of bench_tiny.py::bench_tiny exists only in worker gw0: a hyperparameter, a class's code or the seed differs"
        in said
    )


SCRIPT = """
import numpy as np
import pandas as pd
from omnibench import *
from own_algorithms import *

rng = np.random.default_rng()
frame = pd.DataFrame({"user": rng.integers(0, 30, 1200), "item": rng.integers(0, 60, 1200)}).drop_duplicates()
data = from_frame(frame, "tiny").pipe(CorePruning(4), UserHoldout(0, 0.2))
plan = ExperimentPlan("tests")
plan.add_algorithm(Popular)
run_omnirec(data, plan, Evaluator(NDCG(5)))
"""


def test_a_script_says_that_its_data_is_another(project: Project) -> None:
    """It cannot be made once more without running the script; so it runs, and says what it could not go on with."""
    script = project.pytester.path / "script.py"
    script.write_text(SCRIPT)
    os.utime(script, (time.time() - 60,) * 2)
    first, second = (project.pytester.runpython(script) for _ in range(2))
    sentence = "tiny has another content than in the last run of script.py, which has not been changed since"
    assert sentence not in lines_of(first)
    assert sentence in lines_of(second)
    assert ADVICE in lines_of(second)
    assert second.ret == 0
