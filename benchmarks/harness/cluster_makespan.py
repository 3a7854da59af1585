"""How well items of mixed resources fill four workers of unlike size: ``python benchmarks/harness/cluster_makespan.py``.

40 items whose Fits sleep one to four seconds, and ask for cores and memory that only the largest, two, three or all of four real
workers of Dask have. The makespan, from the first Fit's begin to the last one's end, is compared with a bound that no schedule
beats: the seconds that only the largest workers can take, over their number, for each number of them. It is measured without
recorded durations, when items begin in the order of the plan, and with those of the run before.

What is no schedule's is measured in the same run: how much later than the first one the other workers' guests are there, and how
long a worker is between two Fits (the model and the lists are handed back, the next item's guest hears of its Fit). The bound
with these is what the order of items is judged by.

Measured on two quiet cores (November 2026): 1.08 x the bound with durations recorded, 1.05 x that with 0.09 s between two Fits; 1.10 x and
1.06 x without. With a load of 10 it was 1.09 to 1.11 x and 1.13 to 1.16 x.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from sleeping import Cost, cost_of_run, write_sleepers

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tests"))

SIZES = [
    {"CPU": 8, "MEMORY": 16e9},
    {"CPU": 4, "MEMORY": 16e9},
    {"CPU": 2, "MEMORY": 8e9},
    {"CPU": 1, "MEMORY": 4e9},
]
"""What the four workers declare."""

KINDS = {
    "Resources(cores=8)": (1, 8),
    "Resources(cores=4)": (2, 9),
    "Resources(memory='12GB')": (2, 3),
    "Resources(cores=2)": (3, 6),
    "Resources(memory='4GB')": (4, 4),
    "None": (4, 10),
}
"""By what they ask for: how many of the workers, the largest first, have it, and how many such items there are."""


def mixture() -> list[tuple[str, float]]:
    """Return what each item asks for, and the seconds of its Fit."""
    generator = random.Random(1)  # noqa: S311 - made durations
    kinds = [kind for kind, (_, number) in KINDS.items() for _ in range(number)]
    generator.shuffle(kinds)
    return [(kind, round(generator.uniform(1.0, 4.0), 2)) for kind in kinds]


def bound(items: list[tuple[str, float]], between: float = 0.0) -> float:
    """Return seconds that no schedule beats.

    Args:
        items: What each asks for, and its seconds.
        between: Seconds that a worker takes from the end of a Fit to the begin of the next.
    """
    works = [
        [seconds + between for kind, seconds in items if KINDS[kind][0] <= number]
        for number in range(1, len(SIZES) + 1)
    ]
    return max(sum(work) / number for number, work in enumerate(works, start=1)) - between


def seconds_between(run: Cost) -> float:
    """Return the median seconds between two Fits of a worker."""
    gaps = [later.begin - earlier.end for spans in run.of_guests() for earlier, later in pairwise(spans)]
    return statistics.median(gaps)


def seconds_of_start(run: Cost) -> float:
    """Return how much later than the first Fit that of another worker begins, on average."""
    begins = [spans[0].begin for spans in run.of_guests()]
    return statistics.mean(begins) - min(begins)


def report(name: str, run: Cost, items: list[tuple[str, float]]) -> None:
    """Print how well a run has filled the workers."""
    assert run.fits == len(items)
    ideal, between, start = bound(items), seconds_between(run), seconds_of_start(run)
    honest = bound(items, between) + start
    print(
        f"{name:19} {run.makespan:5.1f} s: {run.makespan / ideal:.2f} x the bound of {ideal:.1f} s; between Fits {between:.2f} s, "
        f"start {start:.2f} s: {run.makespan / honest:.2f} x the bound with these of {honest:.1f} s; {run.cpu:.1f} CPU s"
    )


def main() -> None:
    """Measure and print."""
    from support.clusters import DaskProcesses

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    items = mixture()
    lines = [
        f'plan.add_algorithm(Sleeper, {{"seconds": {seconds}, "number": {number}}}, resources={kind})'
        for number, (kind, seconds) in enumerate(items)
    ]
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        write_sleepers(directory, "\n".join(lines))
        with DaskProcesses(directory / "dask", resources=SIZES) as cluster:
            options = [f"--omnirec-cluster={cluster.address}", "--omnirec-reset=all", "--omnirec-yes"]
            for name in ("nothing recorded", "durations recorded"):
                report(name, cost_of_run(directory, *options, store="checkpoints"), items)


if __name__ == "__main__":
    main()
