"""Long Fits in real runs that are killed again and again until they end, beside runs that nothing disturbs.

python benchmarks/snapshots/killed_runs.py [--every SECONDS] [--snapshots TEXT] [ALGORITHM EPOCHS ...]

By default MultiVAE with 200 epochs and LightGCN with 30, on MovieLens-100K, killed every 40 s by SIGKILL of the whole
process group. A row for each: how often it was killed, from which epochs it went on, the seconds of all attempts, and whether
the model's file, the predictions and the metrics are those of the undisturbed run, byte for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from omnibench import open_store

BENCH = """
from omnibench import *

data = load_dataset("MovieLens100K").pipe(
    MakeImplicit(3), CorePruning(5), UserHoldout(validation_size=0.1, test_size=0.2)
)
plan = ExperimentPlan("long")
plan.add_algorithm("RecBole.{algorithm}", {{"epochs": {epochs}, "stopping_step": {epochs}}})


@benchmark(data, plan, Evaluator(NDCG([10, 20]), Recall(20)))
def bench_long(result): ...
"""
BY_DEFAULT = [("MultiVAE", 200), ("LightGCN", 30)]


def run(directory: Path, snapshots: str, seconds: float | None) -> bool:
    """Run the benchmark; return whether it ended by itself.

    Args:
        directory: The directory of the bench file.
        snapshots: What ``--omnirec-snapshots`` is.
        seconds: After so many it is killed with all of its group; None for never.
    """
    command = [sys.executable, "-m", "pytest", "-q", "bench_long.py", f"--omnirec-snapshots={snapshots}"]
    with (directory / "run.txt").open("ab") as output:
        process = subprocess.Popen(command, cwd=directory, stdout=output, stderr=output, start_new_session=True)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            time.sleep(1)  # its guest ends with it
            return False
    if process.returncode:
        raise RuntimeError((directory / "run.txt").read_text())
    return True


def results(directory: Path) -> dict[str, str]:
    """Return the digests of the model's file, the predictions and the metrics of a run's only item."""
    root = directory / "checkpoints"
    digests = {
        name: hashlib.sha256(b"".join(path.read_bytes() for path in sorted(root.glob(pattern)))).hexdigest()
        for name, pattern in {"parameters": "*/*/**/model.*", "predictions": "*/*/**/predictions-*.npy"}.items()
    }
    metrics = open_store(root).results()
    return {**digests, "metrics": metrics[["metric", "value"]].to_json()}


def row(algorithm: str, epochs: int, every: float, snapshots: str) -> str:
    """Run an algorithm undisturbed and killed, and return the row."""
    with tempfile.TemporaryDirectory(prefix="killed-") as folder:
        directories = Path(folder, "undisturbed"), Path(folder, "killed")
        for directory in directories:
            directory.mkdir()
            (directory / "bench_long.py").write_text(BENCH.format(algorithm=algorithm, epochs=epochs))
            (directory / "pytest.ini").write_text("[pytest]\naddopts = --omnirec-keep-models=all\n")
        began = time.monotonic()
        run(directories[0], "off", None)
        undisturbed = time.monotonic() - began
        kills = 0
        while not run(directories[1], snapshots, every):
            kills += 1
        log = (directories[1] / "checkpoints" / "out.log").read_text()
        resumed = [
            line.split("goes on after ")[1].split(" from")[0] for line in log.splitlines() if "goes on after" in line
        ]
        first, second = map(results, directories)
        equal = ["yes" if first[name] == second[name] else "NO" for name in first]
        return (
            f"| {algorithm} | {epochs} | {undisturbed:.0f} | {kills} | {'; '.join(resumed)} | "
            + " | ".join(equal)
            + " |"
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fits", nargs="*", help="ALGORITHM EPOCHS ...")
    parser.add_argument("--every", type=float, default=40.0)
    parser.add_argument("--snapshots", default="10s")
    arguments = parser.parse_args()
    pairs = zip(arguments.fits[::2], map(int, arguments.fits[1::2]), strict=True)
    fits = list(pairs) or BY_DEFAULT
    print("| algorithm | epochs | seconds undisturbed | kills | went on after | parameters | predictions | metrics |")
    print("|---|---|---|---|---|---|---|---|")
    for algorithm, epochs in fits:
        print(row(algorithm, epochs, arguments.every, arguments.snapshots), flush=True)


if __name__ == "__main__":
    main()
