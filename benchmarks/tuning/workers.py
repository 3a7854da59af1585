"""How much faster one search is with a worker that has nothing else to do: ``python benchmarks/tuning/workers.py``.

The same search with ``-n 1`` and with more workers: of an own class that sleeps half a second, so that the result does
not depend on cores, in TPE's rounds of four and by random search; and of LensKit's ItemKNNScorer, which computes with one
thread. Wall seconds of the run with the start of all its processes, the seconds from the first trial's begin to the last
one's end (``search``), and how long after the last trial the run has ended.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from measured import measured

from omnibench import open_store

OWN = """
import time

class Sleeper:
    def __init__(self, number=0): self.number = number
    def fit(self, train):
        time.sleep(0.5)
        self.items = sorted(set(train["item"]), key=lambda item: (item * self.number) % 101)
    def recommend(self, users, k): return dict.fromkeys(users, self.items)
"""
BENCH = """
import numpy as np
import pandas as pd
from omnibench import *
from sleeper import Sleeper

rng = np.random.default_rng(3)
frame = pd.DataFrame({{"user": rng.integers(0, 2000, 60000), "item": (rng.pareto(1.0, 60000) * 80).astype(int) % 1500}})
data = from_frame(frame.drop_duplicates(), "made").pipe(UserHoldout(validation_size=0.2, test_size=0.2))
plan = ExperimentPlan(tuning=Tuning("NDCG@10", trials={trials}, sampler="{sampler}"))
plan.tune({algorithm})

@benchmark(data, plan, Evaluator(NDCG(10)))
def bench_search(result): ...
"""
SLEEPER = 'Sleeper, {"number": Int(1, 100000)}'
LENSKIT = 'LensKit.ItemKNNScorer, {"max_nbrs": Int(5, 500), "min_sim": Log(1e-9, 1e-3)}'
SEARCHES = {
    "sleeper, random": (SLEEPER, "random", 24),
    "sleeper, TPE": (SLEEPER, "tpe", 24),
    "LensKit, random": (LENSKIT, "random", 24),
}


def run(directory: Path, workers: int) -> tuple[float, float, float]:
    """Run a search; return the seconds of the run, of its trials, and those behind the last of them."""
    name = f"checkpoints-{workers}"
    command: list[str | Path] = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
    command += ["-n", str(workers), f"--omnirec-checkpoint-dir={name}"]
    cost = measured(command, directory)
    ended = time.time()
    records = open_store(directory / name).records()
    trials = [record for key, record in records.items() if key.startswith("trial/")]
    ends = sorted(datetime.fromisoformat(trial["finished"]).timestamp() for trial in trials)
    busy = len({trial["worker"] for trial in trials})
    assert busy == workers, f"{busy} of {workers} workers were busy"
    return cost.wall, ends[-1] - ends[0], ended - ends[-1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 3])
    arguments = parser.parse_args()
    for title, (algorithm, sampler, trials) in SEARCHES.items():
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            (directory / "sleeper.py").write_text(OWN)
            bench = BENCH.format(trials=trials, sampler=sampler, algorithm=algorithm)
            (directory / "bench_search.py").write_text(bench)
            alone: tuple[float, float, float] | None = None
            for workers in arguments.workers:
                wall, search, behind = run(directory, workers)
                alone = alone or (wall, search, behind)
                print(
                    f"{title}, -n {workers}: {wall:.1f} s ({alone[0] / wall:.2f}x as fast), search {search:.1f} s "
                    f"({alone[1] / search:.2f}x as fast), ended {behind:.1f} s behind the last trial",
                    flush=True,
                )


if __name__ == "__main__":
    main()
