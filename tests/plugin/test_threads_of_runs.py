"""The threads of a run: numbers are the same with any number of workers and cores, and a choice of threads is in keys."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from support.projects import Project

from omnibench import open_store
from omnibench.engine import item_coordinator
from omnibench.experiment import threads as threads_module
from omnibench.paths import cache_directory

ANNOUNCING = """
import os
from pathlib import Path
import pandas as pd
from omnibench import *

class Counting:
    {attribute}

    def fit(self, train):
        Path("fits", os.environ["OMP_NUM_THREADS"]).touch()

    def recommend(self, users, k):
        return {{user: [1, 2, 3] for user in users}}

frame = pd.DataFrame([(user, item, 5) for user in range(6) for item in range(8)], columns=["user", "item", "rating"])
data = from_frame(frame, "tiny").pipe(MakeImplicit(3), UserHoldout(0.0, 0.5))
plan = ExperimentPlan("threads")
plan.add_algorithm(Counting)

@benchmark(data, plan, Evaluator(HR(5)))
def bench_threads(result):
    pass
"""


@pytest.fixture
def announcing(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose class leaves a file named by the number of its threads, on a machine with three cores."""
    monkeypatch.setattr(item_coordinator, "available_cores", lambda: 3)
    monkeypatch.setattr(threads_module, "available_cores", lambda: 3)
    return project


def threads_of(project: Project) -> list[int]:
    """The numbers of threads that fits had, as they saw them, which are those that the store has."""
    phases = open_store(project.pytester.path / "checkpoints").phases()
    recorded = sorted(phases.loc[phases["phase"] == "Fit", "threads"].astype(int).tolist())
    assert recorded == sorted(int(file.name) for file in project.fits.iterdir())
    return recorded


@pytest.mark.guests
def test_a_class_computes_with_one_thread_unless_it_or_the_run_says_otherwise(announcing: Project) -> None:
    """By default one, by an option any number; the numbers of one choice are none of another."""
    announcing.pytester.makepyfile(bench_threads=ANNOUNCING.format(attribute=""))
    announcing.run("bench_threads.py").assert_outcomes(passed=1)
    assert threads_of(announcing) == [1]
    announcing.run("bench_threads.py", "--omnirec-threads=1").stdout.fnmatch_lines(["*1 cached*"])
    announcing.run("bench_threads.py", "--omnirec-threads=2").stdout.fnmatch_lines(["*0 done, 0 failed, 1 pending*"])
    announcing.run("bench_threads.py", "--omnirec-threads=all")
    announcing.run("bench_threads.py").stdout.fnmatch_lines(["*1 cached*"])
    assert threads_of(announcing) == [1, 2, 3]


@pytest.mark.guests
@pytest.mark.parametrize(("attribute", "threads"), [("threads = 2", 2), ('threads = "any"', 3)])
def test_a_class_says_how_many_threads_it_computes_with(announcing: Project, attribute: str, threads: int) -> None:
    """A number is the same on every machine; "any" gets as many as cores and workers allow."""
    announcing.pytester.makepyfile(bench_threads=ANNOUNCING.format(attribute=attribute))
    announcing.run("bench_threads.py").assert_outcomes(passed=1)
    assert threads_of(announcing) == [threads]
    announcing.run("bench_threads.py", "--omnirec-threads=4")
    assert threads_of(announcing) == ([threads, 4] if threads == 2 else [threads]), "any number is any number"


@pytest.mark.guests
def test_more_threads_than_cores_are_remarked_upon(announcing: Project) -> None:
    """Libraries take no more threads than there are cores, so that a key could promise what is not so."""
    announcing.pytester.makepyfile(bench_threads=ANNOUNCING.format(attribute=""))
    result = announcing.run("bench_threads.py", "--omnirec-threads=4")
    result.stdout.fnmatch_lines(["*4 threads are to compute, and there are 3 cores*"])


@pytest.mark.parametrize("value", ["0", "some", "-1", "1.5"])
def test_a_choice_of_threads_that_is_none_is_refused(project: Project, value: str) -> None:
    """The error names what can be chosen, before anything is collected."""
    project.bench()
    result = project.run(f"--omnirec-threads={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*threads is *; give fixed, all, or how many threads compute, a whole number from 1 on.*"]
    )


FRAMEWORKS = """
from omnibench import *

data = load_dataset("MovieLens100K").pipe(
    MakeImplicit(3), CorePruning(5), Subsample(250, of="users"), UserHoldout(0.0, 0.2)
)
plan = ExperimentPlan("threads")
plan.add_algorithm(LensKit.EASEScorer)
plan.add_algorithm(RecBole.LightGCN, {"epochs": 2})

@benchmark(data, plan, Evaluator(NDCG(10)))
def bench_threads(result):
    pass
"""


@pytest.fixture
def _frameworks(monkeypatch: pytest.MonkeyPatch, environment_python: Callable[[str], Path]) -> None:
    """The environments of the user are those of processes that tests start, whose home is another."""
    for framework in ("LensKit", "RecBole"):
        environment_python(framework)
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(cache_directory()))


def digests(directory: Path) -> dict[str, str]:
    """The sha256 of every algorithm's predictions, by its name, which ends in digits of its key."""
    files = sorted(directory.glob("MovieLens100K-*/*/predictions.json"))
    return {file.parent.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.usefixtures("_frameworks")
def test_one_and_two_workers_predict_the_same(project: Project) -> None:
    """EASE and LightGCN may differ in scores with two threads; with -n 1 and -n 2 they do not, under the same keys."""
    project.pytester.makepyfile(bench_threads=FRAMEWORKS)
    predicted = {}
    for choice in ("-n1", "-n2", "--omnirec-threads=2"):
        directory = f"checkpoints{choice}"
        result = project.run_process("bench_threads.py", choice, "--omnirec-checkpoint-dir", directory)
        result.assert_outcomes(passed=2)
        predicted[choice] = digests(project.pytester.path / directory)
    assert len(predicted["-n1"]) == 2
    assert predicted["-n1"] == predicted["-n2"]
    assert not predicted["-n1"].keys() & predicted["--omnirec-threads=2"].keys(), "these have other keys"


WITHOUT_THREADS = """
from omnibench.plugin import session

session.keyed_threads = lambda *_: 0
"""


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.usefixtures("_frameworks")
def test_what_an_earlier_release_computed_with_one_thread_is_served(project: Project) -> None:
    """Its key names no threads, its records do; what was computed with two is computed anew."""
    project.bench("plan.add_algorithm(LensKit.EASEScorer)")
    project.pytester.makeconftest(WITHOUT_THREADS)  # the key of earlier releases
    project.run_process().assert_outcomes(passed=2)
    store = project.pytester.path / "checkpoints"
    before = names_in(store)
    (project.pytester.path / "conftest.py").unlink()
    project.run_process().stdout.fnmatch_lines(["*2 cached*"])
    with_other_threads(store)
    result = project.run_process("--omnirec-plan", "-v")
    result.stdout.fnmatch_lines(["*would run 2 items (2 from Fit)*"])
    project.run_process().assert_outcomes(passed=2)
    assert len(before) == 1
    assert len(names_in(store) - before) == 1


def names_in(directory: Path) -> set[str]:
    """The names of the configurations that a store has, which end in digits of their keys."""
    return {str(record["algorithm"]) for record in open_store(directory).items().values()}


def with_other_threads(directory: Path) -> None:
    """Have a store's records say that two threads computed every fit."""
    from omnibench.store import CheckpointStore
    from omnibench.store.schema import RecordType

    store = CheckpointStore(directory)
    fits = {key: record for key, record in store.snapshot().items() if RecordType.FIT.has(key)}
    store.records.commit({key: {**record, "threads": 2} for key, record in fits.items()})
    store.close()
