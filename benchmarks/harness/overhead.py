"""What an item costs beside Fit, Predict and its metrics: ``python benchmarks/harness/overhead.py``.

Two runs of pytest in one process (no workers), of few and of many items that are all computed: the difference is what one
more item takes when the guest is warm. From it goes what the records say of Fit, Predict and Eval.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from project import FOLDS, write_project

from omnibench import open_store

FEW = 50


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=250)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        wall, phases = {}, 0.0
        for items in (FEW, given.items // FOLDS * FOLDS):
            directory = Path(scratch, str(items))
            directory.mkdir()
            write_project(directory, items)
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "trivial"], cwd=directory, check=True, stdout=subprocess.DEVNULL
            )
            wall[items] = time.perf_counter() - started
            phases = open_store(directory / "checkpoints").phases()["seconds"].sum() / items
        few, many = wall
        each = (wall[many] - wall[few]) / (many - few)
        print(
            f"an item takes {each * 1000:.1f} ms, Fit, Predict and Eval {phases * 1000:.1f} ms of it: overhead {(each - phases) * 1000:.1f} ms"
        )


if __name__ == "__main__":
    main()
