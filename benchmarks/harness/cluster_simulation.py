"""A thousand workers and a hundred thousand items, as far as one machine can tell: ``python benchmarks/harness/cluster_simulation.py``.

A real run of pytest on a real scheduler of Dask, in processes of their own, and real workers of Dask, all in one more process. Only
the guests are made up: they sleep, and answer with a model and lists that are there already. So what is measured is the
submitting process and the scheduler, which are what there is only one of: what they take for an item, and for a session that waits
for a second. From both follows with how many workers, and Fits of which length, one core of each is busy all the time.

Printed beside it is what is extrapolated to 1,000 workers and 100,000 items; nobody has run those. With 30 workers, on two cores that
eight other programs used as well: a session that waits takes 2.5 ms of each second of the submitting process and 0.5 ms of the
scheduler's, and 1.4 MB. So the submitting process breaks first: one core of it is busy with some 400 sessions that only wait, 1,000 would
need 2.5 cores of a process that has one, and 1.4 GB; the scheduler has half a core to spare then. With 12
workers, Fits of two seconds and more going on: an item takes 85 ms of the submitting process, 100,000 of them 2.4 hours of a core, and
21 ms of the scheduler. So 1,000 workers have something to do only with Fits of minutes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sleeping import write_sleepers

WORKERS_OF_ALL, ITEMS_OF_ALL = 1000, 100_000

SCHEDULER = """
import asyncio, sys, dask
from distributed import Scheduler
from omnibench.cluster.settings import dask_settings

async def serve():
    async with Scheduler(host="127.0.0.1", port=0, dashboard=False, dashboard_address="127.0.0.1:0") as scheduler:
        print(scheduler.address, flush=True)
        await scheduler.finished()

with dask.config.set(dask_settings()):
    asyncio.run(serve())
"""

WORKERS = """
import asyncio, shutil, sys, time
from pathlib import Path
import dask
from distributed import Worker
from omnibench.cluster import session, worker_guests
from omnibench.cluster.settings import dask_settings

address, number, seconds, directory, lists = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4], sys.argv[5]

def note(name):
    with open(Path(directory, name), "a") as file:
        file.write(".")

class SleepingGuest:
    pid, threads, fitted = 1, 1, ""

    def ask(self, request, *, while_waiting, **_):
        costs = {"ok": True, "seconds": seconds, "cpu_seconds": 0.0, "peak_rss": 1, "gpu_peak": None, "python_peak": None}
        if request["op"] == "fit":
            note("begun")
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                time.sleep(min(1.0, left))
                while_waiting()
            Path(request["output"], "model.pkl").write_bytes(b"a model")
            return {**costs, "file": "model.pkl", "effective": {}, "version": "1", "notes": [], "epochs": None, "history": [], "series": []}
        shutil.copyfile(lists, request["output"])
        note("ended")
        return {**costs, "rows": 30}

class Pool:
    def end_idle(self): return False
    def discard(self, *_): pass
    def close(self): pass

class Guests:
    def __init__(self, terms, scratch):
        self.pool, self.mailbox, self.scratch = Pool(), None, scratch

worker_guests.WorkerGuests = Guests
session.Session._guest = lambda self, terms: SleepingGuest()

async def serve():
    options = dict(nthreads=1, host="127.0.0.1", memory_limit=0, local_directory=directory, dashboard=False, dashboard_address="127.0.0.1:0")
    workers = [Worker(address, name=f"worker-{position}", **options) for position in range(number)]
    for first in range(0, number, 20):
        await asyncio.gather(*workers[first : first + 20])
    print("ready", flush=True)
    await asyncio.gather(*(worker.finished() for worker in workers))

with dask.config.set(dask_settings()):
    asyncio.run(serve())
"""


@dataclass(frozen=True)
class Use:
    """What a process has used so far.

    Attributes:
        cpu: CPU seconds.
        memory: Resident megabytes.
        threads: How many there are.
    """

    cpu: float
    memory: float
    threads: int

    @classmethod
    def of(cls, pid: int) -> Use:
        """Read it."""
        columns = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks = os.sysconf("SC_CLK_TCK")
        return cls(
            (int(columns[11]) + int(columns[12])) / ticks,
            int(columns[21]) * os.sysconf("SC_PAGE_SIZE") / 2**20,
            int(columns[17]),
        )


def made_lists(directory: Path) -> Path:
    """Fit one item, and return the file of its lists: those of all items are alike."""
    write_sleepers(directory, 'plan.add_algorithm(Sleeper, {"seconds": 0.0})')
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0"]
    subprocess.run(command, cwd=directory, check=True, stdout=subprocess.DEVNULL)
    return next((directory / "checkpoints").rglob("predictions-*.npy"))


def count(path: Path) -> int:
    """Return how many guests have noted that they have begun, or ended."""
    return path.stat().st_size if path.exists() else 0


@dataclass(frozen=True)
class Run:
    """What a run has used in a while.

    Attributes:
        items: Items a second.
        submitter: Cores of the process of pytest.
        scheduler: Cores of the scheduler.
        memory: Resident megabytes of the process of pytest.
        threads: Its threads.
    """

    items: float
    submitter: float
    scheduler: float
    memory: float
    threads: int


SILENT: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}


@contextmanager
def running(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a process, and kill it at the end."""
    with subprocess.Popen([sys.executable, *command], text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    """Return what a process says first."""
    assert process.stdout is not None, "it is a pipe"
    return process.stdout.readline().strip()


def simulate(workers: int, seconds: float, window: float) -> Run:
    """Run items on workers, and look for a while at what that takes.

    Args:
        workers: How many workers there are.
        seconds: How long a Fit sleeps.
        window: Seconds for which the run is looked at, from when all workers have something to do.
    """
    with tempfile.TemporaryDirectory() as scratch:
        made, project = Path(scratch, "made"), Path(scratch, "project")
        made.mkdir()
        project.mkdir()
        lists = made_lists(made)
        items = int(workers * (4 + 2 * window / seconds))
        write_sleepers(project, f'plan.add_algorithm(Sleeper, {{"number": Grid(list(range({items})))}})')
        with ExitStack() as stack:
            scheduler = stack.enter_context(running(["-c", SCHEDULER], **SILENT))
            address = first_line(scheduler)
            arguments = [address, str(workers), str(seconds), scratch, str(lists)]
            of_workers = stack.enter_context(running(["-c", WORKERS, *arguments], **SILENT))
            assert first_line(of_workers) == "ready"
            output = stack.enter_context((project / "output.txt").open("w"))
            options = ["-m", "pytest", "-q", "-x", f"--omnirec-cluster={address}"]
            submitter = stack.enter_context(running(options, cwd=project, stdout=output, stderr=output))
            moment, least = ("begun", workers) if seconds > window else ("ended", workers // 2)
            while count(Path(scratch, moment)) < least:
                assert submitter.poll() is None, (project / "output.txt").read_text()[-2000:]
                time.sleep(0.2)
            began, ended = time.monotonic(), count(Path(scratch, "ended"))
            before = [Use.of(process.pid) for process in (submitter, scheduler)]
            time.sleep(window)
            wall, ended = time.monotonic() - began, count(Path(scratch, "ended")) - ended
            after = [Use.of(process.pid) for process in (submitter, scheduler)]
            assert submitter.poll() is None, "it ended within the window"
    cores = [(last.cpu - first.cpu) / wall for first, last in zip(before, after, strict=True)]
    return Run(ended / wall, cores[0], cores[1], after[0].memory, after[0].threads)


def main() -> None:
    """Measure, print, and extrapolate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=60)
    parser.add_argument("--window", type=float, default=20.0)
    arguments = parser.parse_args()
    workers = arguments.workers
    few, waiting, busy = (
        simulate(number, seconds, arguments.window)
        for number, seconds in ((2, 600.0), (workers, 600.0), (workers, 2.0))
    )
    for name, run in {"2 that wait": few, f"{workers} that wait": waiting, f"{workers} with Fits of 2 s": busy}.items():
        print(
            f"workers: {name:24} {run.items:5.1f} items/s, submitter {run.submitter:.3f} cores, {run.memory:.0f} MB, "
            f"{run.threads} threads; scheduler {run.scheduler:.3f} cores"
        )
    megabytes = (waiting.memory - few.memory) / (workers - 2)
    print(
        f"a session takes {megabytes:.2f} MB of the submitter: {WORKERS_OF_ALL} take {megabytes * WORKERS_OF_ALL:,.0f} MB"
    )
    for name in ("submitter", "scheduler"):
        idle = (getattr(waiting, name) - getattr(few, name)) / (workers - 2)
        each = (getattr(busy, name) - getattr(waiting, name)) / busy.items
        print(
            f"{name}: a session that waits {1000 * idle:.2f} ms of each second, {WORKERS_OF_ALL:,} of them {WORKERS_OF_ALL * idle:.2f} cores; "
            f"an item {1000 * each:.1f} ms, {ITEMS_OF_ALL:,} of them {ITEMS_OF_ALL * each / 3600:.1f} hours of a core"
        )


if __name__ == "__main__":
    main()
