"""What opening a prepared fold costs: ``python benchmarks/data/opening.py [--interactions 20000000]``.

Seeded power-law interactions are prepared as a dataset with a single split is; then processes of their own open it, one
after the other: its training, validation and test part with all columns. Told are the seconds until all columns are
there, and (Linux) how much memory belongs to the process alone after it has read every one of them, which is what does
not come from the pages that all processes share. What several folds cost, which share their rows, tells
``benchmarks/scale/folds.py``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from splits import generate

from omnibench import CorePruning, MakeImplicit, UserHoldout, from_frame
from omnibench.data.prepare import prepare
from omnibench.guest.folds import Fold

PROCESSES = 5


def anonymous() -> int:
    """Return the bytes of this process that no file backs, or 0 where the system does not say."""
    try:
        lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Anonymous:"))


def look(directory: str) -> None:
    """Open a fold in this process; print what that took as JSON."""
    before = anonymous()
    started = time.perf_counter()
    fold = Fold(directory, 0)
    parts = [fold.train, fold.validation, fold.test]
    columns = [column for part in parts for column in (part.user, part.item, part.timestamp) if column is not None]
    seconds = time.perf_counter() - started
    read = sum(int(column.sum()) for column in columns) and sum(column.nbytes for column in columns)
    print(json.dumps({"seconds": seconds, "own": anonymous() - before, "bytes": read}))


def main() -> None:
    """Prepare, open, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interactions", type=int, default=20_000_000)
    parser.add_argument("--look", metavar="DIRECTORY", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.look:
        look(options.look)
        return
    with tempfile.TemporaryDirectory() as directory:
        frame = pd.DataFrame(generate(options.interactions, 1))
        started = time.perf_counter()
        dataset = from_frame(frame).pipe(MakeImplicit(3), CorePruning(5), UserHoldout())
        manifest = prepare(dataset, Path(directory))
        print(f"prepared {manifest['interactions']:,} interactions in {time.perf_counter() - started:.1f} s")
        command = [sys.executable, __file__, "--look", directory]
        found = [json.loads(subprocess.check_output(command, text=True)) for _ in range(PROCESSES)]
    told = [f"{one['seconds'] * 1e3:.1f} ms, {one['own'] / 1e6:.1f} of {one['bytes'] / 1e6:.0f} MB" for one in found]
    print("opened in (and of its own):", "; ".join(told))


if __name__ == "__main__":
    main()
