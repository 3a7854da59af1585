"""A small project with a bench file, for tests that run pytest in it."""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import shutil
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TextIO

import pytest

import omnibench
from support.forked_runs import PLAIN, forked_pytest
from support.inner import run_inside
from support.sharing import locked, made_whole

OWN_ALGORITHMS = '''
"""Small algorithms that do what their parameters say."""

import os
import time
from pathlib import Path


class Popular:
    """Recommends the most popular items of training."""

    def __init__(self, noise=0):
        self.noise = noise

    def fit(self, train):
        print("fitting Popular on", len(train))
        marks = os.environ.get("COUNT_FITS_IN")
        if marks:
            Path(marks, f"fit-{time.time_ns()}-{os.getpid()}").touch()
        self.items = train["item"].value_counts().sort_index().sort_values(ascending=False, kind="stable").index.tolist()

    def recommend(self, users, k):
        return {user: self.items[:k] for user in users}


class Slow(Popular):
    """Takes its time to fit."""

    def __init__(self, seconds=1.0, tag=0):
        self.seconds = seconds
        self.tag = tag

    def fit(self, train):
        marks = os.environ["COUNT_FITS_IN"]
        Path(marks, f"begin-{self.tag}-{time.time_ns()}-{os.getpid()}").touch()
        time.sleep(self.seconds)
        super().fit(train)


class Gated(Popular):
    """Begins to fit, and goes on once a file is there."""

    def __init__(self, gate="/"):
        self.gate = gate

    def fit(self, train):
        Path(os.environ["COUNT_FITS_IN"], f"begin-{time.time_ns()}-{os.getpid()}").touch()
        while not os.path.exists(self.gate):
            time.sleep(0.01)
        super().fit(train)


class Together(Popular):
    """Begins to fit, and goes on once so many processes have begun a Fit; behind some Fits, once a file is there as well."""

    def __init__(self, processes=1, free=0, gate="/", tag=0):
        self.processes = processes
        self.free = free
        self.gate = gate
        self.tag = tag

    def fit(self, train):
        marks = Path(os.environ["COUNT_FITS_IN"])
        Path(marks, f"begin-{self.tag}-{time.time_ns()}-{os.getpid()}").touch()
        is_free = len(list(marks.glob("begin-*"))) <= self.free
        while (
            len({mark.name.rpartition("-")[2] for mark in marks.glob("begin-*")}) < self.processes
            or not (is_free or os.path.exists(self.gate))
        ):
            time.sleep(0.01)
        super().fit(train)


class Broken(Popular):
    """Raises in fit while a file says so."""

    def __init__(self, unless="/nonexistent"):
        self.unless = unless

    def fit(self, train):
        if not os.path.exists(self.unless):
            raise RuntimeError("the algorithm is broken")
        super().fit(train)


class Dying(Popular):
    """Kills its own process."""

    def __init__(self, how="segfault"):
        self.how = how

    def fit(self, train):
        import ctypes, sys
        print("last words", file=sys.stderr, flush=True)
        if self.how == "segfault":
            ctypes.string_at(0)
        os._exit(3)


class Cheating(Popular):
    """Recommends an item twice."""

    def recommend(self, users, k):
        return {user: [self.items[0], self.items[0], *self.items[1:]] for user in users}


class Rater:
    """Predicts the mean rating."""

    def fit(self, train):
        self.mean = train["rating"].mean()

    def predict(self, users, items):
        return [self.mean] * len(users)
'''

BENCH = """
{imports}
from own_algorithms import *

{data}
data = data.pipe(MakeImplicit(2), CorePruning(4), UserCrossValidation(2))

plan = ExperimentPlan("tests")
{plan}

@benchmark(data, plan, Evaluator({metrics}))
def bench_tiny(result):
    {body}
"""

IN_A_FILE = 'data = from_file("tiny.csv")'
"""The data of most bench files: where it is in a frame each of their processes imports pandas, a third of what it costs."""

IN_A_FRAME = """import numpy as np
import pandas as pd

rng = np.random.default_rng(7)
frame = pd.DataFrame({"user": rng.integers(0, 30, 1200), "item": (rng.pareto(1.0, 1200) * 8).astype(int) % 60,
                      "rating": rng.integers(1, 6, 1200)}).drop_duplicates(["user", "item"])
data = from_frame(frame, "tiny")
"""
"""The same data, for tests that change it, or how it is made."""


@cache
def rows_of_the_file() -> str:
    """Return the data as text with the separator of a CSV file."""
    namespace: dict[str, Any] = {"from_frame": lambda frame, _: frame}
    exec(IN_A_FRAME, namespace)
    text: str = namespace["frame"].to_csv(index=False)
    return text


SELDOM_NAMED = {
    "Baseline",
    "Coordinator",
    "ScoreComparison",
    "Store",
    "compare_configurations",
    "compare_with_baseline",
    "compare_with_best",
    "export_results",
    "open_store",
    "rank_configurations",
    "run_omnirec",
    "score",
    "write_baseline",
}
"""What bench files hardly name, and what imports as much as everything else together."""


def imports_of(text: str) -> str:
    """Return what is as good as ``from omnibench import *`` for a bench file, in half of the time.

    Args:
        text: What the file is made of.
    """
    unnamed = SELDOM_NAMED.difference(re.findall(r"\w+", text))
    public = [name for name in dir(omnibench) if not name.startswith("_")]
    return f"from omnibench import {', '.join(name for name in public if name not in unnamed)}"


def has_workers(arguments: Sequence[str]) -> bool:
    """Whether arguments of pytest start workers of xdist."""
    return any(re.fullmatch("-n ?[0-9]*", argument) for argument in arguments)


class FirstRuns:
    """What the first runs of projects have left, kept so that projects with the same files need not compute it again.

    Args:
        directory: Where the workers of xdist keep it for each other.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def leave_in(self, project: Project) -> pytest.RunResult:
        """Give a project the checkpoints and the marks of its first run; return how that ended and what it printed."""
        files = [path for path in sorted(project.pytester.path.glob("*.*")) if path.is_file()]
        texts = repr([(path.name, path.read_text()) for path in files])
        kept = self._directory / hashlib.sha256(texts.encode()).hexdigest()
        with locked(kept):
            if kept.is_dir():
                for name in ("checkpoints", "fits"):
                    shutil.copytree(kept / name, project.pytester.path / name, symlinks=True, dirs_exist_ok=True)
                result: pytest.RunResult = pickle.loads((kept / "result").read_bytes())
                return result
            result = project.run()
            with made_whole(kept) as directory:
                for name in ("checkpoints", "fits"):
                    shutil.copytree(project.pytester.path / name, directory / name, symlinks=True)
                (directory / "result").write_bytes(pickle.dumps(result))
            return result


class Project:
    """A directory with a bench file that the tests run pytest in.

    Args:
        pytester: pytest's own fixture, in whose directory the files are.
        first_runs: What the first runs of other projects have left.
    """

    def __init__(self, pytester: pytest.Pytester, first_runs: FirstRuns) -> None:
        self.pytester = pytester
        self.fits = pytester.mkdir("fits")
        self._first_runs = first_runs
        pytester.makepyfile(own_algorithms=OWN_ALGORITHMS)
        (pytester.path / "tiny.csv").write_text(rows_of_the_file())
        pytester.makeini("[pytest]\naddopts = -p no:cacheprovider -p no:hypothesispytest\npythonpath = .\n")

    def bench(
        self,
        plan: str = "plan.add_algorithm(Popular)",
        metrics: str = "NDCG([5, 10]), HR(10)",
        body: str = "...",
        data: str = IN_A_FILE,
    ) -> None:
        """Write the bench file."""
        imports = imports_of(f"{plan} {metrics} {body}")
        text = BENCH.format(imports=imports, data=data, plan=plan, metrics=metrics, body=body)
        self.pytester.makepyfile(bench_tiny=text)

    def bench_gated(self) -> Callable[[], None]:
        """Write a bench file of four items whose Fits, begun before or after, end when what is returned is called."""
        gates = [self.pytester.path / name for name in ("first-gate", "second-gate")]
        self.bench(plan=f'plan.add_algorithm(Gated, {{"gate": Grid({list(map(str, gates))})}})')

        def let_go() -> None:
            for gate in gates:
                gate.touch()

        return let_go

    def first_run(self) -> pytest.RunResult:
        """Run pytest, or copy what the run of a project with the very same files has left."""
        return self._first_runs.leave_in(self)

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run pytest in this process, as a fresh one would; its workers, if any, in processes of their own."""
        return run_inside(self.pytester.path, *([PLAIN] if has_workers(arguments) else []), *arguments)

    def run_process(self, *arguments: str) -> pytest.RunResult:
        """Run pytest in a process of its own, which is forked where that is as good (``support.forked_runs``)."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.pytester, "popen", self._popen)
            return self.pytester.runpytest_subprocess(PLAIN, *arguments)

    def run_started(self, *arguments: str) -> pytest.RunResult:
        """Run pytest in a process that is started as users start it, and so are its workers and guests."""
        return self.pytester.runpytest_subprocess(PLAIN, *arguments)

    def _popen(self, command: Sequence[str], stdout: TextIO, stderr: TextIO, stdin: Any) -> Any:
        """Fork a run of pytest as ``pytester.popen`` starts it."""
        paths = [os.getcwd(), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        forked = forked_pytest(list(command[2:]), environment, stdout, stderr)
        return forked or pytest.Pytester.popen(self.pytester, command, stdout, stderr, stdin)

    def count_fits(self, prefix: str = "fit-") -> int:
        """How often an algorithm was fitted so far."""
        return sum(1 for mark in self.fits.iterdir() if mark.name.startswith(prefix))
