"""Benchmarks under pytest, with guests of their own, on a disk that has too little room for them, and then has enough."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omnibench.store.queries import open_store
from omnibench.store.schema import Status

BENCHMARKS = """
import numpy as np
import pandas as pd

from omnibench import *

random = np.random.default_rng(0)
frame = pd.DataFrame({"user": random.integers(0, 300, 6000), "item": random.integers(0, 200, 6000)}).drop_duplicates()
data = from_frame(frame, "tiny").pipe(CorePruning(3), UserCrossValidation(2))


class Popular:
    def fit(self, train):
        self.items = train["item"].value_counts().index.tolist()

    def recommend(self, users, k):
        return {user: self.items[:k] for user in users}


plan = ExperimentPlan("starving")
"""
"""The beginning of a bench file."""

OWN = "plan.add_algorithm(Popular)\n"
LARGE = """
plan.add_algorithm(LensKit.ImplicitMFScorer, {"embedding_size": 500, "epochs": 1})
plan.add_algorithm(RecPack.BPRMF, {"num_components": 1200, "max_epochs": 1})
plan.add_algorithm(RecBole.BPR, {"embedding_size": 1200, "epochs": 1})
"""
"""Algorithms of the frameworks with models of some megabytes."""

_END = """

@benchmark(data, plan, Evaluator(NDCG(10)))
def bench(result): ...
"""


def starved(directory: Path, plan: str, trouble: Callable[[Path], Callable[[], None]]) -> dict[str, Any]:
    """Run with trouble, then without it and with ``--omnirec-failed=skip``. To be called in a child of its own.

    Args:
        directory: An empty directory.
        plan: What the bench file adds to its plan.
        trouble: Makes it in a directory that the store lies in, and returns what ends it.

    Returns:
        ``violations`` (what was wrong), ``complete`` (whether the trouble was none), ``reasons`` (what was said).
    """
    disk = directory / "disk"
    disk.mkdir()
    (directory / "bench_starving.py").write_text(BENCHMARKS + plan + _END, encoding="utf-8")
    relieve = trouble(disk)
    first = _run(directory)
    lines = first.stdout.splitlines()
    violations = [f"I6 a traceback: {line}" for line in lines if line.startswith("Traceback")]
    if first.returncode not in (0, 1):
        violations.append(f"I6 exit status {first.returncode}")
    violations += [f"I7 {name} is recorded as failed: {error}" for name, error in _failures(disk / "store").items()]
    relieve()
    second = _run(directory, "--omnirec-failed=skip")
    left = {name: state for name, state in _states(disk / "store").items() if state != Status.DONE}
    if second.returncode != 0 or left:
        violations.append(f"I2 with room, status {second.returncode}: {left}\n{second.stdout}")
    return {
        "violations": violations,
        "complete": first.returncode == 0,
        "reasons": sorted({line for line in lines if "DiskError: " in line}),
    }


def _run(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *options]
    command += ["--omnirec-checkpoint-dir", str(directory / "disk" / "store"), "bench_starving.py"]
    outcome = subprocess.run(
        command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    (directory / "pytest.log").write_text(outcome.stdout, encoding="utf-8")
    return outcome


def _states(root: Path) -> dict[str, str]:
    return {name: str(item["status"]) for name, item in open_store(root).items().items()} if root.exists() else {}


def _failures(root: Path) -> dict[str, str]:
    if not (root / "store" / "cache.db").exists():
        return {}
    items = open_store(root).items()
    return {name: json.dumps(item["error"])[:300] for name, item in items.items() if item["status"] == Status.FAILED}
