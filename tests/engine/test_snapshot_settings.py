"""What Snapshots(...) says, done by whole runs: when snapshots are taken, under which names, how many stay, and where."""

from __future__ import annotations

import shutil
from collections import defaultdict

import pytest
from support.projects import Project

from omnibench import open_store
from omnibench.store.schema import RecordType

ADAPTER = '''
"""A framework whose models are a count, which is as many iterations as a hyperparameter says."""

import json

import numpy as np


def version():
    return "1"


def catalogue():
    return {}


def fit(task, fold):
    state = {"count": 0}

    def save(directory):
        if state["count"] == task.parameters.get("fails_after"):
            raise ValueError("its state is not to be had")
        (directory / "count.json").write_text(json.dumps(state))

    with task.snapshots.restoring() as directory:
        if directory is not None:
            state = json.loads((directory / "count.json").read_text())
    for iteration in range(state["count"], 7):
        state["count"] = iteration
        task.snapshots.point(save, iteration=iteration, iterations=6)
    return state, task.parameters


def save(model, directory):
    path = directory / "model.json"
    path.write_text(json.dumps(model))
    return path


def load(path, task, fold):
    return json.loads(path.read_text())


def score(model, task, fold):
    yield fold.users, np.ones((len(fold.users), fold.n_items), np.float32)
'''

REGISTER = """
from omnibench import RunnerInfo, register_runner
parameters = {"case": "", "fails_after": None}
register_runner(RunnerInfo("Counting", "pytest", "counting_adapter", 1, algorithms={"Count": {"parameters": parameters}}))
"""

BENCH = """
import pandas as pd
from omnibench import *

frame = pd.DataFrame([(user, item) for user in range(6) for item in range(8)], columns=["user", "item"])
data = from_frame(frame, "tiny").pipe(UserHoldout(0.0, 0.5))
plan = ExperimentPlan("counts")
for case, (snapshots, *fails_after) in {cases}.items():
    plan.add_algorithm(
        "Counting.Count", {{"case": case, **dict.fromkeys(["fails_after"][: len(fails_after)], *fails_after)}},
        label=case, snapshots=snapshots)

@benchmark(data, plan, Evaluator(HR(5)))
def bench_counts(result): ...
"""


@pytest.fixture
def counting(project: Project) -> Project:
    """A project with a framework of its own, whose Fits have seven points: before, between and after six iterations."""
    project.pytester.makepyfile(counting_adapter=ADAPTER)
    project.pytester.makeconftest(REGISTER)
    (project.pytester.path / "bench_tiny.py").unlink()
    return project


def run(project: Project, cases: str, *arguments: str) -> pytest.RunResult:
    project.pytester.makepyfile(bench_counts=BENCH.format(cases=cases))
    return project.run("bench_counts.py", *arguments)


def recorded(project: Project) -> dict[str, list[tuple[str, int]]]:
    """The name and the iteration of each snapshot there is, in their order, by the label of its configuration."""
    store = open_store(project.pytester.path / "checkpoints")
    records = [record for key, record in store.records().items() if RecordType.SNAPSHOT.has(key)]
    snapshots: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for record in sorted(records, key=lambda record: record["number"]):
        case = str(record["identity"][1]["configuration"][1]["parameters"]["case"])
        snapshots[case].append((record["name"], record["iteration"]))
    return dict(snapshots)


@pytest.mark.guests
def test_when_names_and_how_many(counting: Project) -> None:
    """Intervals, beginning and end, the count in names, and what stays behind a Fit: all as the seed's page says."""
    cases: dict[str, str] = {
        "all": "Snapshots(every_iterations=2, naming_format='n_%(count)')",
        "newest": "Snapshots(every_iterations=1, keep_past=0, naming_format='n_%(count)')",
        "newest_at_end": "Snapshots(every_iterations=1, at_end=True, keep_past=0, naming_format='n_%(count)')",
        "past": "Snapshots(every_iterations=1, keep_past=2, naming_format='n_%(count)_%(count)')",
        "ends": "Snapshots(at_init=True, at_end=True, naming_format='?_%(count)_\\\\%(foo)')",
        "glompo": "Snapshots(checkpoint_iter_frequency=4, checkpoint_at_conv=True, naming_format='n_%(count)')",
        "names": "Snapshots(every_iterations=1)",
        "by_hand": "Snapshots(every_iterations=100)",
        "off": "'off'",
        "usual": "None",
    }
    result = run(counting, "{" + ", ".join(f"{case!r}: ({text},)" for case, text in cases.items()) + "}")
    result.assert_outcomes(passed=len(cases))
    snapshots = recorded(counting)
    folders = sorted(path.parent.name for path in counting.pytester.path.glob("checkpoints/**/count.json"))
    assert folders == sorted(name for names in snapshots.values() for name, _ in names)
    names = [name for name, _ in snapshots.pop("names")]
    assert len(set(names)) == len(names) == 5, "within a second they do not overwrite each other"
    assert names == sorted(names)
    assert snapshots == {
        "all": [("n_000", 2), ("n_001", 4)],
        "newest_at_end": [("n_005", 6)],
        "past": [("n_002_002", 3), ("n_003_003", 4), ("n_004_004", 5)],
        "ends": [("?_000_\\%(foo)", 0), ("?_001_\\%(foo)", 6)],
        "glompo": [("n_000", 4), ("n_001", 6)],
    }


@pytest.mark.guests
def test_failed_snapshots(counting: Project) -> None:
    """By default it is a warning, and the next attempt waits for a whole interval; strict fails the item. Older ones stay."""
    result = run(
        counting,
        "{'on': (Snapshots(every_iterations=2, naming_format='n_%(count)'), 2),"
        " 'strict': (Snapshots(every_iterations=2, keep_past=0, raise_checkpoint_fail=True, naming_format='n_%(count)'), 4)}",
    )
    result.assert_outcomes(passed=1, failed=1, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "*Fit failed: *the snapshot after epoch 4 of 6 has failed, and snapshots are strict: ValueError: its state is not*",
            "*no snapshot after epoch 2 of 6: ValueError: its state is not to be had*tried at its time*",
        ]
    )
    assert recorded(counting) == {"on": [("n_000", 4)], "strict": [("n_000", 2)]}
    log = (counting.pytester.path / "checkpoints" / "out.log").read_text()
    assert log.count("snapshot n_000 after epoch") == 2, "of what has failed the log does not say that it was made"


@pytest.mark.guests
def test_a_directory_of_ones_own(counting: Project) -> None:
    """Snapshots lie in a folder of each item; what else is there does not go, whatever it is called."""
    settings = "every_iterations=1, keep_past=0, at_end=True, directory='kept', naming_format='n_%(count)'"
    cases = f"{{'mine': (Snapshots({settings}),)}}"
    run(counting, cases).assert_outcomes(passed=1)
    (folder,) = (counting.pytester.path / "kept").glob("*/*")
    assert [path.name for path in folder.iterdir()] == ["n_005"]
    strangers = ["n_005_KEEP_ME", "n_1003", "n_099.tar.gz"]
    for name in strangers:
        (folder / name).mkdir()
    shutil.rmtree(counting.pytester.path / "checkpoints")
    run(counting, cases).assert_outcomes(passed=1)
    assert sorted(path.name for path in folder.iterdir()) == sorted(["n_005", *strangers, "n_1009"])
    assert recorded(counting) == {"mine": [("n_1009", 6)]}


@pytest.mark.guests
def test_off_of_the_run(counting: Project) -> None:
    """Who switches snapshots off for a run, has none, whatever a plan says."""
    run(counting, "{'all': (Snapshots(every_iterations=1),)}", "--omnirec-snapshots=off").assert_outcomes(passed=1)
    assert recorded(counting) == {}


@pytest.mark.guests
def test_what_is_computed_anew_begins_anew(counting: Project) -> None:
    """Snapshots that stay belong to what was reset or put aside: a fresh run and a reset do not go on from them."""
    cases = "{'mine': (Snapshots(every_iterations=2, at_end=True, naming_format='n_%(count)'),)}"
    for arguments in ((), ("--omnirec-resume=fresh",), ("--omnirec-reset=Fit",), ("--omnirec-reset", "--omnirec-yes")):
        result = run(counting, cases, *arguments)
        result.assert_outcomes(passed=1)
        result.stdout.no_fnmatch_line("*resumes a*from the snapshot*")
        assert recorded(counting) == {"mine": [("n_000", 2), ("n_001", 4), ("n_002", 6)]}
