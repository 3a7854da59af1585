"""What preprocessing and splitting cost: ``tox run -e speed-data [-- --interactions 20000000]``.

Seeded power-law interactions go through MakeImplicit(3), CorePruning(5) and UserCrossValidation(5) as omnibench, polars,
numba and loops of pandas over users do it (see ``formulations.py``). Each runs in a process of its own, several times, in
turns; the least time counts, because a busy machine only ever adds. (In a virtual machine the first runs of a process take
up to twice as long, whoever's they are: memory that the host has taken back has to be given again.) The CPU seconds, of
all threads together, tell what a machine with others on it would have given. The peak of memory is that of the first
run, less what the process had before it read the interactions, as a multiple of the interactions' own bytes (which it
includes).
The loops of pandas run over one of 200 users only, and their time is extrapolated.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from formulations import FORMULATIONS, extrapolated


def generate(n: int, seed: int) -> dict[str, npt.NDArray[Any]]:
    """Draw about n interactions: users and items with power-law activity, ratings 1 to 5, sorted by user and time."""
    generator = np.random.Generator(np.random.PCG64(seed))

    def power_law(size: int, exponent: float) -> npt.NDArray[np.int64]:
        uniform = generator.random(n)
        drawn: npt.NDArray[np.int64] = (((size + 1) ** (1 - exponent) - 1) * uniform + 1) ** (1 / (1 - exponent))
        return drawn.astype(np.int64) - 1

    n_users, n_items = max(10, n // 40), max(10, n // 200)
    pairs = np.unique(power_law(n_users, 0.6) * n_items + power_law(n_items, 0.8))
    timestamp = generator.integers(10**9, 3 * 10**9 // 2, len(pairs))
    order = np.lexsort((timestamp, pairs // n_items))
    user = np.unique(pairs // n_items, return_inverse=True)[1]
    return {
        "user": user[order].astype(np.int32),
        "item": (pairs % n_items)[order].astype(np.int32),
        "rating": generator.integers(1, 6, len(pairs)).astype(np.float32),
        "timestamp": timestamp[order],
    }


def write(n: int, seed: int, directory: Path) -> None:
    """Generate interactions into a directory, and say what there is."""
    columns = generate(n, seed)
    sizes = [len(columns["user"]), *(len(np.unique(columns[name])) for name in ("user", "item"))]
    print("{:,} interactions of {:,} users with {:,} items".format(*sizes), flush=True)
    for name, column in columns.items():
        np.save(directory / f"{name}.npy", column)


def measure(name: str, directory: Path, repeats: int) -> None:
    """Run a formulation in this process; print what it found as JSON."""
    given, run = FORMULATIONS[name]()
    before = _resident()
    columns = {column: np.load(directory / f"{column}.npy") for column in ("user", "item", "rating", "timestamp")}
    own = sum(column.nbytes for column in columns.values())
    interactions = given(columns)
    del columns
    seconds, cpu, left = [], [], 0
    peak = 0
    for _ in range(repeats):
        started, worked = time.perf_counter(), time.process_time()
        left = run(interactions)
        more = extrapolated.pop() if extrapolated else 0.0
        seconds.append(time.perf_counter() - started + more)
        cpu.append(time.process_time() - worked + more)
        peak = peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
    print(json.dumps({"seconds": min(seconds), "cpu": min(cpu), "memory": (peak - before) / own, "left": left}))


_UNIT = 1 if sys.platform == "darwin" else 1024


def _resident() -> int:
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:  # where there is no /proc, the peak so far is as near as one gets
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def main() -> None:
    """Generate, measure in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interactions", type=int, default=20_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=6, help="runs per process and round")
    parser.add_argument("--only", nargs="*", default=list(FORMULATIONS), choices=list(FORMULATIONS))
    parser.add_argument("--generate", metavar="DIRECTORY", help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=2, metavar=("NAME", "DIRECTORY"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.generate:
        write(options.interactions, options.seed, Path(options.generate))
        return
    if options.measure:
        measure(options.measure[0], Path(options.measure[1]), options.repeats)
        return
    with tempfile.TemporaryDirectory() as directory:
        # In a process of its own: Linux lets a child begin with its parent's peak.
        wanted = ["--interactions", str(options.interactions), "--seed", str(options.seed)]
        subprocess.run([sys.executable, __file__, "--generate", directory, *wanted], check=True)
        found: dict[str, list[dict[str, float]]] = {}
        for number in range(options.rounds):
            for name in options.only:
                if name == "pandas_loops" and number:
                    continue  # once is enough for a factor of hundreds
                command = [sys.executable, __file__, "--measure", name, directory, "--repeats", str(options.repeats)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    print(f"{name} is left out: {done.stderr.strip().splitlines()[-1]}")
                    options.only = [one for one in options.only if one != name]
                    continue
                found.setdefault(name, []).append(json.loads(done.stdout))
    print(f"{'':16}{'seconds':>10}{'ratio':>8}{'CPU s':>10}{'ratio':>8}{'peak / bytes':>14}{'left':>14}")
    ours = found.get("omnibench", next(iter(found.values())))
    for name, runs in found.items():
        told = f"{name:16}"
        for what in ("seconds", "cpu"):
            least, own = (min(one[what] for one in some) for some in (runs, ours))
            told += f"{least:10.3f}{least / own:8.2f}"
        print(told + f"{max(one['memory'] for one in runs):14.2f}{runs[0]['left']:14,}")


if __name__ == "__main__":
    main()
