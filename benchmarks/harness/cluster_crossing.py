"""How often a data set crosses to a node, in bytes: ``python benchmarks/harness/cluster_crossing.py [--megabytes 640]`` (root, Linux).

The node is a network namespace that sees none of the store's files, with two workers, on which four items of the data set are
computed. The kernel counts what arrives there. Beside it stand the bytes of the data set that an item reads, and what arrives
for four more items. Measured with 171 MB: 1.004 x arrives for the first four, of a data set of 21 MB 1.009 x, and 0.1 MB for four more.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sleeping import cost_of_run

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tests"))

BYTES_OF_ROW = 15
"""About: codes and a time, as they are stored."""

ITEMS = 1000
WORKERS = 2

OWN = """
class Least:
    def __init__(self, number=0):
        self.number = number

    def fit(self, train):
        self.items = [int(item) for item in train["item"].head(10).unique()]

    def recommend(self, users, k):
        return dict.fromkeys(users, self.items)
"""
BENCH = """
import numpy as np, pandas as pd
from omnibench import *
from least import Least

columns = np.load("columns.npz")
frame = pd.DataFrame({{name: columns[name] for name in columns.files}})
data = from_frame(frame, "made").pipe(UserHoldout(test_size=0.01))
plan = ExperimentPlan()
plan.add_algorithm(Least, {{"number": Grid({numbers})}})

@benchmark(data, plan, Evaluator(NDCG(10)))
def bench_least(result): ...
"""


def write_project(directory: Path, rows: int) -> None:
    """Write a project whose data has about so many rows, no pair of them twice."""
    draws = np.random.default_rng(1)
    pairs = np.cumsum(
        draws.integers(1, 2 * ITEMS // 100, rows)
    )  # sorted as it is: sorting so many takes longer than the run
    columns = {"user": pairs // ITEMS, "item": pairs % ITEMS, "timestamp": draws.integers(0, 10**9, len(pairs))}
    np.savez(directory / "columns.npz", allow_pickle=False, **columns)
    (directory / "least.py").write_text(OWN)
    (directory / "pytest.ini").write_text("[pytest]\npythonpath = .\naddopts = -p no:cacheprovider\n")


def write_bench(directory: Path, numbers: list[int]) -> None:
    """Write the bench file for some items."""
    (directory / "bench_least.py").write_text(BENCH.format(numbers=numbers))


def size_of(store: Path) -> int:
    """Return the bytes of the prepared data set."""
    return sum(path.stat().st_size for path in (store / "datasets").rglob("*") if path.is_file())


def main() -> None:
    """Measure and print."""
    from support.clusters import DaskProcesses, credentials_in
    from support.cut_networks import Network

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=640)
    megabytes = parser.parse_args().megabytes
    with tempfile.TemporaryDirectory() as scratch, Network() as network:
        directory = Path(scratch)
        write_project(directory, megabytes * 2**20 // BYTES_OF_ROW)
        store = directory / "checkpoints"
        store.mkdir()
        machine = network.join()
        hide = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs none {store} && exec "$@"', "sh"]
        variables = {**credentials_in(directory / "credentials"), "XDG_CACHE_HOME": str(directory / "cache")}
        os.environ.update(variables)
        received = [*machine.prefix, "cat", "/sys/class/net/eth0/statistics/rx_bytes"]

        def arrived() -> int:
            return int(subprocess.run(received, check=True, capture_output=True, text=True).stdout)

        with DaskProcesses(
            directory / "dask",
            WORKERS,
            variables,
            "tls",
            prefix=[*machine.prefix, *hide],
            host=network.host,
            hosts=[machine.address] * WORKERS,
        ) as cluster:
            for name, numbers in {"four items": [0, 1, 2, 3], "four more": [4, 5, 6, 7]}.items():
                write_bench(directory, numbers)
                before = arrived()
                cost_of_run(directory, f"--omnirec-cluster=file:{cluster.file}", f"--omnirec-checkpoint-dir={store}")
                size = size_of(store)
                print(
                    f"{name} on a node of {WORKERS} workers: {(arrived() - before) / 1e6:,.1f} MB arrived, the data set has "
                    f"{size / 1e6:,.1f} MB: {(arrived() - before) / size:.3f} x"
                )


if __name__ == "__main__":
    main()
