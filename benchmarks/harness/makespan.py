"""How well 20 items of mixed length fill 4 workers: ``python benchmarks/harness/makespan.py``.

The items sleep, so that the result does not depend on cores. The makespan (from the first Fit's begin to the last one's
end) is compared with the ideal, all work divided by the workers: with durations that an earlier run has recorded, with
none, and with xdist's own schedulers beside it. What is above the ideal is the order, the staggered start of the workers'
guests, and what is between two Fits (predictions, metrics, records).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

WORKERS = 4
SECONDS = [1.2, 0.4, 12, 0.3, 8.8, 0.6, 2, 0.5, 4, 10.4, 0.34, 1.6, 0.7, 7.2, 0.8, 4.8, 3.2, 1, 6, 2.6]

OWN = """
import os, time

class Sleeper:
    def __init__(self, seconds=1.0):
        self.seconds = seconds

    def fit(self, train):
        self.items = sorted(set(train["item"]))
        begin = time.time()
        time.sleep(self.seconds)
        with open(os.environ["SPANS"], "a") as file:
            file.write(f"{begin} {time.time()}\\n")

    def recommend(self, users, k):
        return dict.fromkeys(users, self.items)
"""
BENCH = """
from omnibench import *
from sleeper import Sleeper

data = from_file("tiny.csv").pipe(UserHoldout(test_size=0.2))
plan = ExperimentPlan()
plan.add_algorithm(Sleeper, {{"seconds": Grid({seconds})}})

@benchmark(data, plan, Evaluator(NDCG(10)))
def bench_sleepers(result): ...
"""


def makespan(directory: Path, *options: str) -> float:
    """Run all items anew; return the seconds from the first Fit's begin to the last one's end."""
    spans = directory / "spans"
    spans.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:randomly",
        "-n",
        str(WORKERS),
        "--omnirec-reset=all",
        "--omnirec-yes",
        *options,
        ".",
    ]
    output = subprocess.run(
        command, cwd=directory, env={**os.environ, "SPANS": str(spans)}, capture_output=True, text=True, check=False
    )
    if output.returncode:
        raise SystemExit(output.stdout[-3000:])
    times = [[float(one) for one in line.split()] for line in spans.read_text().splitlines()]
    assert len(times) == len(SECONDS)
    return max(end for _, end in times) - min(begin for begin, _ in times)


def main() -> None:
    """Measure and print."""
    ideal = sum(SECONDS) / WORKERS
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        (directory / "sleeper.py").write_text(OWN)
        (directory / "bench_sleepers.py").write_text(BENCH.format(seconds=SECONDS))
        (directory / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
        pairs = [(user, (user * 7 + number * number) % 25) for user in range(30) for number in range(10)]
        (directory / "tiny.csv").write_text("user,item\n" + "".join(f"{user},{item}\n" for user, item in pairs))
        runs = {
            "nothing recorded": makespan(directory),
            "durations recorded": makespan(directory),
            "xdist's worksteal": makespan(directory, "--dist=worksteal"),
            "xdist's loadgroup": makespan(directory, "--dist=loadgroup"),
        }
    print(f"{len(SECONDS)} items, {WORKERS} workers, ideal {ideal:.2f} s")
    for name, seconds in runs.items():
        print(f"{name:20} {seconds:6.2f} s {seconds / ideal:5.2f}x")


if __name__ == "__main__":
    main()
