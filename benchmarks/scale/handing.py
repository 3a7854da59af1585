"""What it costs to hand the data of a fold to each framework, beside the framework's own best way: CPU seconds, memory, growth.

    python benchmarks/scale/handing.py [LensKit RecBole RecPack] [--rows 4000000] [--parts 16 4 1] [--ways own omnibench]

Generates data of a sixteenth, a quarter and all of the rows (--rows 20000000 for the size of MovieLens-20M), with power-law items
and log-normal users, and hands it over in a process for each framework, way and size. The exponent is that of the growth of CPU
seconds from the smallest to the largest. "again" is what the next item on the same fold costs; "left" is what the process holds
afterwards, when the data is not in use.

Measured on two busy cores, CPU s and MB at the peak, the framework's own way and omnibench's:

    =======  ======================  =========================
             1,000,000 rows          20,000,000 rows
    =======  ======================  =========================
    LensKit  0.20, 66     0.11, 51    6.90, 902      4.12, 584
    RecBole  3.00, 222    0.14, 27   59.75, 4,583    2.56, 363
    RecPack  0.06, 34     0.02, 8     1.71, 700      0.44, 163
    =======  ======================  =========================

Of 20 million rows 9 CPU seconds go to generating them, 5 to preparing them, and more than all else together to RecBole's own way
and to the text files that it reads, of which the writing is not even counted. ``--ways omnibench`` leaves the frameworks' own ways out.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

import omnibench
from omnibench.data.prepare import prepare
from omnibench.runners.environments import environment_of
from omnibench.runners.registry import get_runner

FRAMEWORKS = ("LensKit", "RecBole", "RecPack")
WAYS = ("own", "omnibench")
GUEST = Path(omnibench.__path__[0]) / "guest"


def interactions(rows: int) -> pd.DataFrame:
    """Return interactions with the users and items of MovieLens-20M at its size, and in proportion below it."""
    rng = np.random.default_rng(1)
    users, items = int(138_493 * rows / 20e6) + 50, int(26_744 * (rows / 20e6) ** 0.5) + 50
    activity = np.clip(rng.lognormal(4.4, 1.1, users), 10, items // 4)
    user = np.repeat(np.arange(users), (activity * rows / activity.sum()).astype(int) + 1)
    item = (items * rng.random(len(user)) ** 2.5).astype(int)
    frame = pd.DataFrame({"user": user, "item": item, "timestamp": rng.integers(0, 10**8, len(user))})
    return frame.drop_duplicates(["user", "item"])


def say(line: str) -> None:
    """Show how far it is, with the CPU seconds of this process and its children: the largest take minutes."""
    used = sum(os.times()[:4])
    print(f"{line} ({used:.0f} CPU s in all)", file=sys.stderr, flush=True)


def publish(rows: int, directory: Path) -> None:
    """Prepare generated data."""
    directory.mkdir()
    frame = interactions(rows)
    say(f"{rows:,} rows are generated")
    prepare(omnibench.from_frame(frame, "generated").pipe(omnibench.UserHoldout(0.1, 0.2)), directory)
    say(f"{rows:,} rows are prepared")


def costs(framework: str, way: str, dataset: Path) -> dict[str, float]:
    """Return what handing a data set over costs, in a process of its own with one thread."""
    python = environment_of(get_runner(framework)).ensure(lambda line: print(line, file=sys.stderr))
    script = Path(__file__).with_name("handing_guest.py")
    variables = {**os.environ, **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "RAYON")}}
    with tempfile.TemporaryDirectory() as work:
        command = [str(python), str(script), str(GUEST), framework, way, str(dataset)]
        done = subprocess.run(command, cwd=work, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def main() -> None:
    """Print a line per framework and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4_000_000, help="rows of the largest data (default: 4,000,000)")
    parser.add_argument(
        "--parts", type=int, nargs="+", default=[16, 4, 1], help="by what the rows are divided, e.g. 1 for all alone"
    )
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="whose ways (default: both)")
    parser.add_argument("frameworks", nargs="*", default=[], help="LensKit, RecBole, RecPack (default: all)")
    arguments = parser.parse_args()
    frameworks = [name for name in FRAMEWORKS if name in (arguments.frameworks or FRAMEWORKS)]
    sizes = [arguments.rows // divisor for divisor in arguments.parts]
    measured: dict[tuple[str, str], list[dict[str, float]]] = {pair: [] for pair in product(frameworks, arguments.ways)}
    with tempfile.TemporaryDirectory() as scratch:
        for size in sizes:
            dataset = Path(scratch) / str(size)
            publish(size, dataset)
            for (framework, way), answers in measured.items():
                answers.append(costs(framework, way, dataset))
                seconds, peak = answers[-1]["seconds"], answers[-1]["peak"]
                say(f"{size:,} rows, {framework}, {way}: {seconds:.2f} s, {peak:.0f} MB")
    print(f"{'':20}" + "".join(f"{size:>18,} rows   " for size in sizes) + "exponent   again   left")
    for (framework, way), answers in measured.items():
        cells = "".join(f"{answer['seconds']:12.2f} s {answer['peak']:6.0f} MB   " for answer in answers)
        growth = math.log(answers[-1]["seconds"] / answers[0]["seconds"])
        exponent = growth / math.log(sizes[-1] / sizes[0]) if len(sizes) > 1 else math.nan
        again = f"{answers[-1]['again']:6.2f} s" if way == "omnibench" else f"{'':8}"
        print(f"{framework:10}{way:10}{cells}{exponent:8.2f}{again}{answers[-1]['left']:5.0f} MB")
    for framework in frameworks if set(arguments.ways) == set(WAYS) else []:
        own, ours = (measured[framework, way][-1] for way in WAYS)
        seconds, peak = ours["seconds"] / own["seconds"], ours["peak"] / own["peak"]
        print(f"{framework:10}{seconds:.2f}x of its own seconds, {peak:.2f}x of its own peak")


if __name__ == "__main__":
    main()
