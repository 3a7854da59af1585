"""What a cluster costs beside ``-n`` on the same cores: ``python benchmarks/harness/cluster.py [PART ...]``.

Parts, of which all are measured by default, each beside its yardstick in the same run:

- ``seconds``: 40 items whose Fit sleeps a second, ``local:N`` beside ``-n N``;
- ``start``: a local cluster until all workers answer, beside Dask's own ``LocalCluster``;
- ``trivial``: an item whose Fit does nothing, ``local:N`` beside ``-n N``, and a place on a worker without any item;
- ``queued``: the memory of the submitting process with 2,000 items in the queue, beside 20.

Measured on two quiet cores (November 2026):

- 40 items of a second: 0.99 x the time of ``-n 2``, 1.00 x from the first Fit to the last, 0.84 x the CPU seconds;
- the start of ``local:2``: 0.74 s, where Dask's own ``LocalCluster`` took 0.73 s, without TLS; 2.8 s beside 5.6 s with a load of 10;
- one more trivial item: 19.6 CPU ms on ``local:2``, 30.0 with ``-n 2`` (medians of five; single runs differ by 5 ms). It was 41.5 beside
  30.2 while each item began a session of its own, and 46.2 beside 15.9 while messages went through Dask's scheduler;
- 2,000 items in the queue: 232 MB, 213 MB with 20.

A data set that crosses to a node is ``cluster_crossing.py``, workers of unlike size are ``cluster_makespan.py``, a thousand of them
``cluster_simulation.py``.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from project import write_project
from sleeping import Cost, cost_of_run, peak_of_beginning, write_sleepers

from omnibench.cluster.choice import ClusterChoice
from omnibench.cluster.cluster import Cluster
from omnibench.cluster.schedulers import scheduler_of
from omnibench.cluster.settings import SlurmSettings
from omnibench.experiment.resources import NOTHING_SAID
from omnibench.runners.environments import Environments

WORKERS = 2
REPETITIONS = 2
FEW, MANY = 20, 120
TURNS = 5
"""How often runs of each kind are made, of which the median counts."""


def scratch_project(write: Callable[[Path], None]) -> tuple[tempfile.TemporaryDirectory[str], Path]:
    """Return a directory that goes with its owner, and the project that was written into it."""
    owner = tempfile.TemporaryDirectory()
    write(Path(owner.name))
    return owner, Path(owner.name)


def least(runs: list[Cost]) -> Cost:
    """Return the run that others on this machine have disturbed least."""
    return min(runs, key=lambda run: run.wall)


def seconds_of_fits() -> None:
    """Measure 40 items of a second."""
    plan = 'plan.add_algorithm(Sleeper, {"number": Grid(list(range(40)))})'
    owner, directory = scratch_project(lambda path: write_sleepers(path, plan))
    with owner:
        runs: dict[str, list[Cost]] = {f"-n {WORKERS}": [], f"--omnirec-cluster=local:{WORKERS}": []}
        for _ in range(REPETITIONS):
            for option, costs in runs.items():
                costs.append(cost_of_run(directory, *option.split()))
    bare, cluster = (least(costs) for costs in runs.values())
    assert bare.fits == cluster.fits == 40
    for option, run in zip(runs, (bare, cluster), strict=True):
        print(f"seconds  {option:26} {run.wall:6.1f} s, {run.makespan:5.1f} s of Fits, {run.cpu:5.1f} CPU s")
    print(
        f"seconds  {cluster.wall / bare.wall:.2f} x the time, Fits {cluster.makespan / bare.makespan:.2f} x, CPU {cluster.cpu / bare.cpu:.2f} x"
    )


def start_of_cluster() -> None:
    """Measure how long it takes until workers answer."""
    import distributed

    ours, theirs = [], []
    _ = distributed.LocalCluster, distributed.Client  # which are imported now
    for _ in range(REPETITIONS + 1):
        began = time.perf_counter()
        choice = ClusterChoice.parse(f"local:{WORKERS}")
        with scheduler_of(choice, WORKERS, SlurmSettings(), print) as scheduler, scheduler.open_client() as client:
            client.wait_for_workers(WORKERS)
            ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        with (
            distributed.LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=WORKERS, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=logging.ERROR
            ) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,  # type: ignore[no-untyped-call]
        ):
            client.wait_for_workers(WORKERS)
            theirs.append(time.perf_counter() - began)
    print(f"start    local:{WORKERS} {min(ours):.2f} s, Dask's LocalCluster without TLS {min(theirs):.2f} s")


def trivial_items() -> None:
    """Measure what one more item takes, and one more place on a worker."""
    options = [f"-n {WORKERS}", f"--omnirec-cluster=local:{WORKERS}"]
    costs: dict[tuple[str, int], list[float]] = {(option, items): [] for option in options for items in (FEW, MANY)}
    for turn in range(TURNS):
        for items in (FEW, MANY):
            owner, directory = scratch_project(lambda path, items=items: write_project(path, items))  # type: ignore[misc]
            with owner:
                for option in options if turn % 2 else reversed(options):
                    costs[option, items].append(cost_of_run(directory, "trivial", *option.split()).cpu)
    for option in options:
        few, many = (statistics.median(costs[option, items]) for items in (FEW, MANY))
        print(f"trivial  {option:26} {1000 * (many - few) / (MANY - FEW):5.1f} CPU ms for each of {MANY - FEW} items")
    with tempfile.TemporaryDirectory() as scratch:
        cluster = Cluster(
            ClusterChoice.parse("local:1"), SlurmSettings(), "run", Environments("isolated"), Path(scratch), 30.0, print
        )
        pool = cluster.pool(lambda *_: None, lambda: None)
        pool.session()
        pool.rest()
        began = time.process_time()
        for _ in range(200):
            pool.session()
            pool.rest()
        print(
            f"trivial  a place on a worker, taken and left {5 * (time.process_time() - began):.1f} CPU ms, the scheduler's included"
        )
        connection, _ = cluster.reach(NOTHING_SAID)
        session = pool.session()
        began = time.process_time()
        for _ in range(200):
            connection.exchange(session.location, session.token, 0, 0, [], 0.0)
        print(f"trivial  a call of a worker {5 * (time.process_time() - began):.1f} CPU ms")
        pool.close()
        cluster.close()


def queued_items() -> None:
    """Measure the submitting process with many items in its queue."""
    peaks = {}
    for items in (20, 2000):
        plan = f'plan.add_algorithm(Sleeper, {{"seconds": 0.0, "number": Grid(list(range({items})))}})'
        owner, directory = scratch_project(lambda path, plan=plan: write_sleepers(path, plan))  # type: ignore[misc]
        with owner:
            peaks[items] = peak_of_beginning(directory, 15, f"--omnirec-cluster=local:{WORKERS}")
    print(
        f"queued   the submitting process has {peaks[2000]:.0f} MB with 2,000 items in its queue, {peaks[20]:.0f} MB with 20"
    )


PARTS = {
    "seconds": seconds_of_fits,
    "start": start_of_cluster,
    "trivial": trivial_items,
    "queued": queued_items,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART")
    for part in parser.parse_args().parts or PARTS:
        PARTS[part]()


if __name__ == "__main__":
    main()
