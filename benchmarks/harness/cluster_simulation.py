"""A thousand workers and a hundred thousand items, as far as one machine can tell: ``python benchmarks/harness/cluster_simulation.py``.

A real run of pytest on a real scheduler of Dask, in processes of their own, and real workers of Dask, 250 to a process. Only the
guests are made up: they sleep, and answer with a model and lists that are there already. So what is measured is the submitting
process and the scheduler, which are what there is only one of: what they take for the begin of a session, for one that waits for a
second, and for an item. The run is ended after that.

It needs a machine for itself. A thousand workers and 100,000 items on two quiet cores (November 2026): the workers are there after 21 s, the
first Fit begins 150 s after the run (100,000 items are collected, and recorded as a plan), and after 282 s all workers have something to
do. A session that waits takes 0.11 ms of each second of the submitting process, all of them 0.11 of its only core, the scheduler 0.09; with
1.8 GB (1.06 of them for the plan) and a thread for each worker. In Fits of 200 s 7 items end each second, each takes 82 ms of the
submitting process and 22 of the scheduler. So the submitting process breaks first: it computes 12 items a second, with which
1,000 workers are busy with Fits of 82 s and more, and 100,000 items take 2.3 hours of its core. The run was ended after that: nobody has
computed 100,000 items there.

An item takes half of that with 300 workers (42 ms). While this was measured, each item had all workers described; of the threads that came to a phase together each wrote
progress.json, with 100,000 items in it; and each looked through the whole queue. Since then one of them writes, and each kind of item has a
queue of its own.

What broke first before, and is mended: with 200 workers no Fit began within two minutes, since each thread asked for the lease of the
data set again and again; and three quarters of what waiting sessions take went into threads that asked SQLite for its lock and looked for who had it.
With 30 workers a session had taken 2.5 ms when it was asked each second, and with 60 it was 7 ms while each thread wrote
progress.json by itself, and looked every lease up in the kernel's table of locks.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sleeping import write_sleepers

WORKERS_OF_ALL, ITEMS_OF_ALL = 1000, 100_000
WORKERS_OF_A_PROCESS = 250

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
import asyncio, random, shutil, sys, time
from pathlib import Path
import dask
from distributed import Worker
from omnibench.cluster import session, worker_guests
from omnibench.cluster.settings import dask_settings

address, first, number, seconds, directory, lists = sys.argv[1], *map(int, sys.argv[2:4]), float(sys.argv[4]), *sys.argv[5:]

def note(name):
    with open(Path(directory, name), "a") as file:
        file.write(".")

class SleepingGuest:
    pid, threads, fitted = 1, 1, ""

    def ask(self, request, *, while_waiting, **_):
        costs = {"ok": True, "seconds": seconds, "cpu_seconds": 0.0, "peak_rss": 1, "gpu_peak": None, "python_peak": None}
        if request["op"] == "fit":
            note("begun")
            end = time.monotonic() + seconds * random.uniform(0.75, 1.25)
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
    workers = [Worker(address, name=f"worker-{position}", **options) for position in range(first, first + number)]
    for position in range(0, number, 20):
        await asyncio.gather(*workers[position : position + 20])
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
class Load:
    """What a run has used in a while.

    Attributes:
        seconds: How long that was.
        items: Items that have ended.
        submitter: CPU seconds of the process of pytest.
        scheduler: CPU seconds of the scheduler.
        memory: Resident megabytes of the process of pytest at its end.
        threads: Its threads.
    """

    seconds: float
    items: int
    submitter: float
    scheduler: float
    memory: float
    threads: int

    def __str__(self) -> str:
        return (
            f"{self.seconds:6.1f} s, {self.items} items ended, submitter {self.submitter / self.seconds:.3f} cores, {self.memory:.0f} MB, "
            f"{self.threads} threads; scheduler {self.scheduler / self.seconds:.3f} cores"
        )


class Watch:
    """Looks at a run, in phases.

    Args:
        submitter: The process of pytest.
        scheduler: The scheduler.
        ended: The file in which guests note that they have ended.
    """

    def __init__(self, submitter: subprocess.Popen[str], scheduler: subprocess.Popen[str], ended: Path) -> None:
        self._processes, self._ended = (submitter, scheduler), ended
        self._before = self._look()

    def _look(self) -> tuple[float, int, Use, Use]:
        submitter, scheduler = (Use.of(process.pid) for process in self._processes)
        return time.monotonic(), count(self._ended), submitter, scheduler

    def load(self) -> Load:
        """Return what was used since the last look."""
        before, self._before = self._before, self._look()
        after = self._before
        return Load(
            after[0] - before[0],
            after[1] - before[1],
            after[2].cpu - before[2].cpu,
            after[3].cpu - before[3].cpu,
            after[2].memory,
            after[2].threads,
        )


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


def simulate(workers: int, items: int, seconds: float, window: float, patience: float) -> Iterator[tuple[str, Load]]:
    """Run items on workers, and look for a while at what each phase takes.

    Args:
        workers: How many workers there are.
        items: How many items the plan has.
        seconds: How long a Fit sleeps, give or take a quarter.
        window: Seconds for which each phase is looked at.
        patience: Seconds that the workers may take to have all got something to do.

    Yields:
        The name of a phase, and what it has taken.
    """
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        directories = [Path(scratch, name) for name in ("made", "project")]
        for directory in directories:
            directory.mkdir()
        lists, project = made_lists(directories[0]), directories[1]
        begun, ended = Path(scratch, "begun"), Path(scratch, "ended")
        write_sleepers(project, f'plan.add_algorithm(Sleeper, {{"number": Grid(list(range({items})))}})')
        started = time.monotonic()
        scheduler = stack.enter_context(running(["-c", SCHEDULER], **SILENT))
        address = first_line(scheduler)
        for first in range(0, workers, WORKERS_OF_A_PROCESS):
            number = min(WORKERS_OF_A_PROCESS, workers - first)
            arguments = [address, str(first), str(number), str(seconds), scratch, str(lists)]
            assert first_line(stack.enter_context(running(["-c", WORKERS, *arguments], **SILENT))) == "ready"
        print(f"{workers:,} workers are there after {time.monotonic() - started:.0f} s", flush=True)
        output = stack.enter_context((project / "output.txt").open("w"))
        options = ["-m", "pytest", "-q", "-x", f"--omnirec-cluster={address}"]
        submitter = stack.enter_context(running(options, cwd=project, stdout=output, stderr=output))
        watch = Watch(submitter, scheduler, ended)

        def wait_until(condition: Callable[[], bool], patience: float) -> None:
            deadline = time.monotonic() + patience
            while not condition() and time.monotonic() < deadline:
                assert submitter.poll() is None, (project / "output.txt").read_text()[-2000:]
                time.sleep(0.2)

        wait_until(lambda: count(begun) > 0, patience)
        yield f"until the first of {items:,} items has begun", watch.load()
        wait_until(lambda: count(begun) >= workers, patience)
        yield f"until {count(begun):,} of {workers:,} workers have something to do", watch.load()
        wait_until(lambda: False, window)
        yield "while all wait" if not count(ended) else "while most wait", watch.load()
        wait_until(lambda: count(ended) >= workers // 10, seconds)
        watch.load()
        wait_until(lambda: False, window)
        yield f"with Fits of {seconds:g} s", watch.load()


def main() -> None:
    """Measure, print, and extrapolate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=WORKERS_OF_ALL)
    parser.add_argument("--items", type=int, default=ITEMS_OF_ALL)
    parser.add_argument("--seconds", type=float, default=200.0, help="of a Fit")
    parser.add_argument("--window", type=float, default=20.0)
    parser.add_argument("--patience", type=float, default=150.0)
    arguments = parser.parse_args()
    workers = arguments.workers
    loads = []
    for name, load in simulate(workers, arguments.items, arguments.seconds, arguments.window, arguments.patience):
        print(f"{name:55} {load}", flush=True)
        loads.append(load)
    _, beginning, waiting, busy = loads
    print(f"a session takes {(waiting.memory - loads[0].memory) / workers:.2f} MB of the submitter")
    for name in ("submitter", "scheduler"):
        idle = getattr(waiting, name) / waiting.seconds / workers
        each = (getattr(busy, name) - busy.seconds * workers * idle) / max(1, busy.items)
        print(
            f"{name}: the begin of a session {1000 * getattr(beginning, name) / workers:.1f} ms; one that waits {1000 * idle:.2f} ms of each "
            f"second, {WORKERS_OF_ALL:,} of them {WORKERS_OF_ALL * idle:.2f} cores; an item {1000 * each:.1f} ms, {ITEMS_OF_ALL:,} of them "
            f"{ITEMS_OF_ALL * each / 3600:.1f} hours of a core"
        )


if __name__ == "__main__":
    main()
