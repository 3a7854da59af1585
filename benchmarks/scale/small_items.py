"""What small items cost: an own class that fits in a millisecond, beside a bare loop that does the same without omnibench.

    python benchmarks/scale/small_items.py [--items 400] [--workers 1 2] [--strace]

Each line is the difference between a run of few and one of many items, so that starting counts for nothing: wall and CPU
milliseconds per item, of all processes. With ``--strace``, the calls of the operating system per item that wait for the disk.

Where files are removed meanwhile, do not measure on ext4 without a journal: for each new file the kernel looks at all inodes nearby
that were freed in the last minutes (``recently_deleted``), so that one costs 8 us of CPU before and 480 us after 3,000 synced files
were removed; in a run of 400 items that was 8 % of the samples, 3 ms of CPU per item. So nothing is removed here before the end.
``TMPDIR`` says on which disk it is.

On a quiet machine of two cores whose disk is such a one, with the removals of earlier runs in it, 600 items: bare loop 2.2 ms, ``-n 1``
13.4 ms CPU and 13.5 ms wall, ``-n 2`` 15.2 ms CPU and 10.6 ms wall; in memory 10.0 and 9.0, 10.8 and 5.8 ms. Since then new
files get their names first (by a link, where these figures were made by a move) and are then synced, and directories are synced with
the first record beneath them; the whole item shows no difference (300 items by turns, noise of 4 ms). What files and records of an item
cost a store, without guests and pytest: on ext4 with a journal (a loop mount) 12.4 flushes, 22 writes and 16 waits per item where
there were 21.1, 31 and 21, without a journal 33 waits where there were 39 (300 items, three runs each by turns, load 9, at which wall
was 26 to 45 ms where it was 41 to 75, without a journal 90 to 99 where it was 100 to 105). The syncs are as many: 11.4.

Then in memory 9.3, 10.9 and 12.3 ms CPU (``-n 0``, ``-n 1``, ``-n 2``), on disk 12.4, 14.0 and 16.0, with all plugins of this
environment, on a quiet machine, November 2026. Of these, plugins that no benchmark needs (pytest-randomly,
pytest-rerunfailures, pytest-timeout, pytest-cov, Hypothesis) were a tenth (1.2 of 13.6 ms at load 8): they are not loaded here
any more. Since then an item's claim compares no path objects, full lists are checked in half the passes, and ids are kept as
arrays: about .5 ms at load 8. Of the 13.6, the worker has 9.6, the guest 3.0, the controller 1.1. Dearest in the worker, in
microseconds at that load: three transactions 1100 (their manifests 230, rows 220), progress.json and results.json 700 (a share
of the time, so less where nobody else computes), evaluating 690, what pytest itself does 1000, asking the guest twice 620
(waiting for it 210), five files that are published 570, predictions.json 350, the claim of the directory 220, checking the
lists 100, the lease 115.

Then 1.0 of 17.0 ms CPU per item were saved (``-n 1``, in memory, 850 items, load 8; both runs at once on one core, where caches
are cold and an item costs twice what it costs alone; nine pairs of 450 items, at several stages, were .2 to .8 s of 10 apart,
always the same way, load 6 to 8; on a quiet machine in memory 10.0 and then 8.4 ms wall with
``-n 1``, 7.0 and 6.4 with ``-n 2``): items are read once for both readable copies, metrics that are not recorded are looked for in one query, directories' names are texts, ids of readable predictions are kept as JSON, a guest asks for its memory where its
peak is large. The readable copies cost 3 % of the time, as they may, and above that what the worker and the controller write at
their ends: .15 ms per item each, .16 to .18 before; of predictions.json, .23 ms where it was .28, more than half is the digits
of scores and the file itself. Single functions take two to four times as long in an item as in a loop of their own, so that
what is measured there tells little.

Then a worker and its guest were kept on one core where as many workers run as there are cores (``runners.shared_core``): with ``-n 2``,
500 items by turns on this disk, 7.7 ms where the code before took 10.9, 7.9 and 9.7 at another hour, CPU 12.8 and 15.3; with
``-n 1``, and at load 8, no difference or a loss, so there it is not done. Tried on top of it by turns, and without a gain: shorter busy steps of
SQLite, workers without a TerminalReporter, and a guest that predicts while its Fit is recorded.

Six things were tried and taken out again. Recording quick phases of an item (below .05 s) in one transaction: 7.3 syncs instead of 11.4, and
with both codes at once, a core each and swapped by turns, so that the machine's speed counts for neither (``-n 1``, 450 items), .94 to .96 of
the CPU, .96 of the wall time in memory and .92 on disk (medians; single turns .76 to 1.12); by turns with ``-n 2`` 7.4 ms in memory where
there were 7.9, on disk nothing beyond the noise (9.4 to 11.8 and 9.0 to 11.7). A kill then costs phases that had ended, a commit beside a
guest that works has to be watched for locks, full disks and lost leases, and others see an item later than it is. What a worker
tells the controller of an item in one write instead of six: half of the controller's wake-ups, and no time that could be measured (by
turns in memory 8.8 ms and 7.4 without it, on disk 9.7 and 10.5). Syncing a phase's files
and directories at the same time, since disks flush several in about the time of one (a file and its directory 3.1 to 5.2 ms
instead of 8.3 to 12.0, at load 5), predicting while the Fit is recorded, and one message to the controller for all events of an
item: 19.0 and 25.3 ms wall with ``-n 2`` where the code before took 19.7 and 23.3 (load 3), and directories that another
process had made were no longer durable before a record that needs them. Two others made an item a tenth cheaper, and were
wrong: not reading again what an item has written (a record that the store refuses to read went unnoticed), and foreseeing that
a class has nothing to snapshot (its instance may have another ``fit``). Looked at and left: with ``-n 2`` a worker sleeps 1.3
times per item until the records are free, in steps of SQLite's from 1 ms on (3 % of its time, at load 8 and traced); a
transaction writes 7, 10 and 16 to 22 pages of the log, for the keys are hashes, so each record has a page of each index. Pipes
of our own in the place of execnet's messages would save 25 to 65 microseconds of the worker and 30 to 50 of the guest per
question, without its threads; garbage collection is .1 ms of a worker, the thread that writes its heartbeat .2 at 50 ms per
item and less at 10.
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
    r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(fsync|fdatasync|sync_file_range|msync)\s*$", re.MULTILINE
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
