"""What small items cost: an own class that fits in a millisecond, beside a bare loop that does the same without omnibench.

    python benchmarks/scale/small_items.py [--items 400] [--workers 1 2] [--strace]

Each line is the difference between a run of few and one of many items, so that starting counts for nothing: wall and CPU
milliseconds per item, of all processes. With ``--strace``, the calls of the operating system per item that wait for the disk.

Where files are removed meanwhile, do not measure on ext4 without a journal: for each new file the kernel looks at all inodes nearby
that were freed in the last minutes (``recently_deleted``), so that one costs 8 us of CPU before and 480 us after 3,000 synced files
were removed; in a run of 400 items that was 8 % of the samples, 3 ms of CPU per item. So nothing is removed here before the end.
``TMPDIR`` says on which disk it is.

On two cores, November 2026, 500 items: with ``-n 2`` 5.8 to 7.3 ms wall in memory and 7.5 to 8.8 on disk, with ``-n 1`` 11.0 to 14.9 on disk
(the machine's speed goes up and down by a third); 10,000 items with ``-n 2`` on disk in 92 s, minutes after a suite of tests had removed
its files. Beside other work, by turns with the code before, which waited for the disk 11.4 times: 5.2 to 9.3 ms where that took 12.6 to
17.7 (``-n 2``), and with both at once, a core each and swapped, .85 of the CPU (``-n 1``).

Where the time of an item goes, on this machine (libpython without PGO): half of all samples are Python's own loop, a fifth the
kernel, SQLite 3 %; no function has more than 4 % of its own. On disk, halts of the virtual processor and what they cost in caches
come on top, so that waits for the disk cost more than their own time: the same Python code takes a third longer there than in memory.
Of CPU, the worker has two thirds, the guest a quarter, the controller a tenth. An item waits for the disk once: its files are
not synced by themselves (``store.unsynced_files``), and its Fit and its Predict are durable with the rest of it.

Tried and without a gain, or with a fault:

- Recording quick phases in one transaction (7.3 syncs instead of 11.4, .94 to .96 of the CPU): a kill cost phases that had ended,
  and a commit beside a guest that works has to be watched for locks, full disks and lost leases.
- What a worker tells the controller of an item in one write instead of six: half of the wake-ups, and no time.
- Syncing a phase's files and directories at the same time; predicting while the Fit is recorded.
- Not reading again what an item has written (.28 ms): a record that the store refuses to read went unnoticed.
- Foreseeing that a class has nothing to snapshot: its instance may have another ``fit``.
- Shorter busy steps of SQLite, workers without a TerminalReporter, pipes of our own in the place of execnet's messages.

Single functions take two to four times as long in an item as in a loop of their own, so what is measured there tells little:
compare two codes by turns, or both at once, a core each and swapped, or item by item in one process.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "harness"))

from project import FOLDS, write_project

FEW = 50
PLUGINS = ["-p", "omnibench", "-p", "xdist"]
"""What a project of this kind has installed; what else this environment has, it would load for each run as well."""
BARE = f"""
import sys, time
import numpy as np
import pandas as pd
from popularity import Popularity

frame = pd.read_csv("tiny.csv")
users = frame["user"].unique()
folds = np.random.default_rng(1).integers(0, {FOLDS}, len(frame))
for number in range(int(sys.argv[1])):
    is_test = folds == number % {FOLDS}
    model = Popularity(power=number)
    model.fit(frame[~is_test])
    lists = model.recommend(list(users), 20)
    table = np.array([list(lists[user])[:20] for user in users])
    truth = frame[is_test].groupby("user")["item"].agg(set)
    hits = np.array([[item in truth.get(user, ()) for item in row] for user, row in zip(users, table)])
    discounts = 1 / np.log2(np.arange(20) + 2)
    ndcg = [(hits[:, :k] * discounts[:k]).sum(axis=1).mean() for k in (10, 20)]
    np.save(f"bare-{{number}}.npy", table)
"""
SYNCS = re.compile(
    r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(fsync|fdatasync|syncfs|sync_file_range|msync)\s*$", re.MULTILINE
)


def run(directory: Path, command: list[str], trace: Path | None = None) -> tuple[float, float]:
    """Return wall and CPU seconds of a command and its children.

    Raises:
        SystemExit: It fails.
    """
    words = command if trace is None else ["strace", "-f", "-c", "-o", str(trace), *command]
    started = time.perf_counter()
    with open(directory / "output.txt", "wb") as output:
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        process = subprocess.Popen(words, cwd=directory, stdout=output, stderr=subprocess.STDOUT, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit((directory / "output.txt").read_text()[-3000:])
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=400)
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--strace", action="store_true")
    arguments = parser.parse_args()
    sizes = (FEW, FEW + arguments.items // FOLDS * FOLDS)
    bare = None
    with (
        tempfile.TemporaryDirectory() as scratch
    ):  # what is removed makes the next files slower on some file systems, see above
        for workers in (None, *arguments.workers):
            costs, syncs = [], []
            for items in sizes:
                directory = Path(tempfile.mkdtemp(dir=scratch))
                write_project(directory, items)
                (directory / "bare_loop.py").write_text(BARE)
                pytest = [
                    sys.executable,
                    "-m",
                    "pytest",
                    "-q",
                    "trivial",
                    *PLUGINS,
                    *(["-n", str(workers)] if workers else []),
                ]
                trace = directory / "trace.txt" if arguments.strace and workers is not None else None
                command = [sys.executable, "bare_loop.py", str(items)] if workers is None else pytest
                costs.append(run(directory, command, trace))
                syncs.append(sum(int(count) for count, _ in SYNCS.findall(trace.read_text())) if trace else 0)
            count = sizes[1] - sizes[0]
            wall, cpu = ((costs[1][number] - costs[0][number]) * 1000 / count for number in (0, 1))
            bare = bare or (wall, cpu)
            name = "bare loop" if workers is None else f"-n {workers}"
            traced = f", {(syncs[1] - syncs[0]) / count:5.1f} syncs" if arguments.strace and workers is not None else ""
            print(
                f"{name:10} {wall:6.1f} ms wall, {cpu:6.1f} ms CPU per item ({cpu / bare[1]:5.1f}x the bare loop's CPU){traced}",
                flush=True,
            )


if __name__ == "__main__":
    main()
