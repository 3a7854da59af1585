"""What a trial costs beside Fit, Predict and Eval: ``python benchmarks/tuning/per_trial.py``.

Two runs of pytest in one process, of a search with few and of one with many trials of an own class that fits in a
millisecond: the difference is what one more trial takes when the guest is warm. From it goes what the records say of Fit,
Predict and Eval. TPE, whose proposals cost more the more trials there are, and random search beside it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from measured import Cost, measured

from omnibench import open_store

FEW = 10
OWN = """
class Popular:
    def __init__(self, number=0): self.number = number
    def fit(self, train): self.items = sorted(set(train["item"]), key=lambda item: (item * self.number) % 31)
    def recommend(self, users, k): return dict.fromkeys(users, self.items)
"""
BENCH = """
from omnibench import *
from popular import Popular

data = from_file("tiny.csv").pipe(UserHoldout(validation_size=0.2, test_size=0.2))
plan = ExperimentPlan(tuning=Tuning("NDCG@10", trials={trials}, sampler="{sampler}"))
plan.tune(Popular, {{"number": Int(1, 100000)}})

@benchmark(data, plan, Evaluator(NDCG(10)))
def bench_search(result): ...
"""


def run(directory: Path, sampler: str, trials: int) -> tuple[Cost, float]:
    """Run a search; return its cost, and the seconds of Fit, Predict and Eval of its trials."""
    name = f"checkpoints-{sampler}-{trials}"
    (directory / "bench_search.py").write_text(BENCH.format(trials=trials, sampler=sampler))
    command: list[str | Path] = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
    cost = measured([*command, f"--omnirec-checkpoint-dir={name}"], directory)
    records = open_store(directory / name).records()
    return cost, sum(record["seconds"] for key, record in records.items() if key.startswith("trial/"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=110)
    trials = parser.parse_args().trials
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "popular.py").write_text(OWN)
        pairs = [(user, (user * 7 + number * number) % 25) for user in range(30) for number in range(10)]
        (directory / "tiny.csv").write_text("user,item\n" + "".join(f"{user},{item}\n" for user, item in pairs))
        for sampler in ("random", "tpe"):
            (few, fewer_phases), (many, more_phases) = (run(directory, sampler, count) for count in (FEW, trials))
            more = trials - FEW
            wall, cpu = (many.wall - few.wall) / more * 1000, (many.cpu - few.cpu) / more * 1000
            phases = (more_phases - fewer_phases) / more * 1000
            print(
                f"{sampler}: a trial takes {wall:.1f} ms (CPU {cpu:.1f} ms), Fit, Predict and Eval {phases:.1f} ms of it: "
                f"overhead {wall - phases:.1f} ms",
                flush=True,
            )


if __name__ == "__main__":
    main()
