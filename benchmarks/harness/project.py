"""What the benches of the harness share: a project of many items, and what a command costs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

FOLDS = 5
BODIES = {"trivial": "...", "asserting": 'assert result["NDCG@10"] >= 0.0'}

PLAN = """
from omnibench import *
from popularity import Popularity

data = from_file("tiny.csv").pipe(UserCrossValidation({folds}))
plan = ExperimentPlan()
plan.add_algorithm(Popularity, {{"power": Grid(list(range({configurations})))}})
evaluator = Evaluator(NDCG([10, 20]), HR(10))
"""
BENCH = """
from omnibench import benchmark
from plan import data, evaluator, plan

@benchmark(data, plan, evaluator)
def bench_all(result):
    {body}
"""
OWN = """
class Popularity:
    def __init__(self, power=1): self.power = power
    def fit(self, train): self.top = list(train["item"].value_counts().index)
    def recommend(self, users, k): return {user: self.top for user in users}
"""
BARE = """
import pytest

@pytest.mark.parametrize("number", range({items}))
def test_nothing(number):
    pass
"""


def measure(command: list[str], directory: Path) -> tuple[float, float]:
    """Return CPU seconds and peak resident MB of a command and its children.

    Without the plugins that happen to be installed, and with bytecode, as everybody runs pytest.
    """
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with open(directory / "output.txt", "wb") as output:
        process = subprocess.Popen(command, cwd=directory, stdout=output, stderr=subprocess.STDOUT, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit((directory / "output.txt").read_text()[-3000:])
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def write_project(directory: Path, items: int) -> None:
    """Write bench files of so many items, and as many bare tests beside them.

    Args:
        directory: Where; its ``bare``, ``trivial`` and ``asserting`` can be given to pytest.
        items: How many items, a multiple of the folds.
    """
    (directory / "popularity.py").write_text(OWN)
    pairs = [(user, (user * 7 + number * number) % 25) for user in range(30) for number in range(10)]
    (directory / "tiny.csv").write_text("user,item\n" + "".join(f"{user},{item}\n" for user, item in pairs))
    (directory / "bare").mkdir()
    (directory / "bare" / "test_bare.py").write_text(BARE.format(items=items))
    (directory / "plan.py").write_text(PLAN.format(folds=FOLDS, configurations=items // FOLDS))
    for name, body in BODIES.items():
        (directory / name).mkdir()
        (directory / name / f"bench_{name}.py").write_text(BENCH.format(body=body))
    (directory / "pytest.ini").write_text("[pytest]\npythonpath = .\naddopts = -p no:cacheprovider\n")
