"""The hooks for others, used as their documentation says."""

from __future__ import annotations

import inspect
import json
import re
import textwrap

from support.projects import Project

from omnibench.plugin import hookspec

CONFTEST = """
import json, pytest
from omnibench import Recall, RMSE

def pytest_omnibench_item_finished(config, finished):
    assert not hasattr(config, "workerinput"), "only where the run is overseen"
    facts = [finished.status, finished.nodeid, sorted(finished.result.metrics), sorted(finished.seconds), finished.fit_key]
    with open("finished.jsonl", "a") as file:
        file.write(json.dumps([*facts, finished.result.algorithm, finished.result.fold]) + "\\n")

def pytest_omnibench_columns(config, result):
    return {"gain": result["NDCG@10"] / result["NDCG@5"] - 1}

def pytest_omnibench_metrics(config):
    return [Recall(5), RMSE()]  # ratings do not go with implicit data, and are left out

def pytest_omnibench_device(config, configuration):
    with open("devices.txt", "a") as file:
        print(configuration.name, configuration.uses_gpu, file=file)
    return "cpu"

@pytest.fixture
def broken(): raise RuntimeError("a fixture fails")
"""

MORE = """
import os
@benchmark(data, plan, Evaluator(HR(10)))
def bench_fixture(result, broken): ...

dying = ExperimentPlan(); dying.add_algorithm(Popular, {"noise": 7})
@benchmark(data, dying, Evaluator(NDCG(5)))
def bench_dies(result):
    if result.fold == 1: os._exit(1)
"""


def finished(project: Project) -> list[list[object]]:
    """What the hook was told in the last run."""
    path = project.pytester.path / "finished.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.unlink()
    return lines


def test_hooks(project: Project) -> None:
    """Every end of every item is told once, with what it was; columns are shown, metrics recorded, devices asked for."""
    project.bench(plan="plan.add_algorithm(Popular); plan.add_algorithm(Broken)", metrics="NDCG([5, 10])")
    path = project.pytester.path / "bench_tiny.py"
    path.write_text(path.read_text() + MORE)
    project.pytester.makeconftest(CONFTEST)
    result = project.run("-n", "1", "-vv", "--durations=0")
    for phase in ("Fit", "Predict", "Eval"):
        result.stdout.re_match_lines([rf"    {phase} +\d+\.\d{{3}} s", "=+ slowest durations =+"])
        result.stdout.re_match_lines(["=+ slowest durations =+", rf"\d+\.\d+s {phase} +bench_tiny\.py::.*Popular-.*"])
    told = finished(project)
    assert len(told) == len({one[1] for one in told}) == 4 + 4 + 2
    metrics = {"bench_tiny": ["NDCG@10", "NDCG@5", "Recall@5"], "bench_dies": ["NDCG@5", "Recall@5"]}
    for status, nodeid, labels, seconds, key, algorithm, fold in told:
        assert isinstance(seconds, list)
        phases = [phase for phase in seconds if phase != "Start"]  # of whichever item came first
        name = str(nodeid).split("::")[1]
        assert isinstance(key, str)
        assert len(key) == 64
        assert re.search(rf"/{str(algorithm).partition('-')[0]}-\w{{8}}/fold_{fold}$", str(nodeid))
        if name == "bench_fixture" or (name == "bench_dies" and fold == 1):
            assert (status, labels, phases) == ("failed", [], [])
        elif str(algorithm).startswith("Broken"):
            assert (status, labels, phases) == ("failed", [], ["Fit"])
        else:
            assert (status, labels, phases) == ("done", metrics[name], ["Eval", "Fit", "Predict"])
    (header,) = [line.split() for line in result.stdout.lines if line.startswith(" Algorithm")]
    assert header == ["Algorithm", "Fold", "NDCG@5", "NDCG@10", "Recall@5", "gain"]
    values = next(line.split() for line in result.stdout.lines if line.startswith(" Popular "))
    ndcg5, ndcg10, _, gain = (float(one.lstrip("*")) for one in values[-4:])
    assert abs(gain - (ndcg10 / ndcg5 - 1)) < 1e-3
    result.stdout.fnmatch_lines(["*A column is missing: pytest_omnibench_columns raised KeyError*no 'NDCG@10'*"])
    asked = set((project.pytester.path / "devices.txt").read_text().splitlines())
    assert asked == {"Popular False", "Broken False"}

    source = (project.pytester.path / "conftest.py").read_text()
    (project.pytester.path / "conftest.py").write_text(source.replace("return {", 'return {"who": "me",'))
    done = [str(one[1]) for one in told if "bench_tiny::tiny-" in str(one[1]) and one[0] == "done"]
    again = project.run(*done)
    assert [(one[0], one[2]) for one in finished(project)] == [("cached", metrics["bench_tiny"])] * 2
    again.stdout.fnmatch_lines(
        ["*pytest_omnibench_columns returned {'who': 'me'*has to return numbers by column name.*"]
    )


def test_the_examples_in_the_documentation(project: Project) -> None:
    """Every hook's example, as it stands in its docstring, does in a conftest.py what it promises."""
    hooks = [getattr(hookspec, name) for name in dir(hookspec) if name.startswith("pytest_omnibench_")]
    examples = [textwrap.dedent(str(inspect.getdoc(hook)).partition("::\n\n")[2]) for hook in hooks]
    assert all(f"def {hook.__name__}(" in example for hook, example in zip(hooks, examples, strict=True))
    project.pytester.makeconftest("\n\n".join(examples))
    project.bench(plan="plan.add_algorithm(Popular); plan.add_algorithm(Broken)", metrics="NDCG([10, 20])")
    result = project.run("-k", "fold_0")
    result.assert_outcomes(passed=1, failed=1, deselected=2)
    result.stdout.re_match_lines([r" Algorithm +Fold +NDCG@10 +NDCG@20 +Recall@50 +gain$"])
    result.stdout.no_fnmatch_line("*A column is missing*")
    log = (project.pytester.path / "failures.log").read_text().splitlines()
    assert [re.sub(r"-\w{8}", "", line) for line in log] == ["Broken failed on tiny"]


def test_wrong_answers_are_refused_before_any_work(project: Project) -> None:
    """A metric that is none, and a device class that is none, fail their benchmarks with what to return instead."""
    inner = project.pytester.mkdir("inner")
    (inner / "bench_inner.py").write_text((project.pytester.path / "bench_tiny.py").read_text())
    (inner / "conftest.py").write_text("def pytest_omnibench_metrics(config): return ['NDCG@10']\n")
    project.pytester.makeconftest("def pytest_omnibench_device(config, configuration): return 'gpu'\n")
    result = project.run()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines_random(
        [
            "*pytest_omnibench_device returned 'gpu' for Popular*return cpu, cuda, cuda-deterministic.",
            "*pytest_omnibench_metrics returned [[]'NDCG@10'[]]; return a list of metrics*",
        ]
    )
    assert project.count_fits() == 0
