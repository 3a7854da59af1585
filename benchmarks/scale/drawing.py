"""What drawing 100 sampled candidates for every user costs, by numpy and by numba, beside the least: computing each key once.

    python benchmarks/scale/drawing.py [--users 2048]

A key is computed for each user and item, so the cost of some users tells that of all: it is printed for MovieLens-20M (138,493 users,
26,744 items) and for a shop (581,466 users, 164,288 items), in CPU seconds of a core. The least is what a loop in C takes for the
keys alone, compiled for this machine (where there is a compiler), with nothing drawn. Lists must be equal. Measured of 4,096 users at
load 5, ns per key: 0.20 in C, 1.97 by numpy and 0.76 by numba of 26,744 items, 1.88 and 0.39 of 164,288; numpy's eight passes
over the keys take 1.35.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from omnibench.guest import draws
from omnibench.guest.draws import Draws, Excluded
from omnibench.guest.parts import Ints

SIZES = {"MovieLens-20M": (138_493, 26_744), "shop": (581_466, 164_288)}
NEGATIVES = 100
SEEN = 60
REPETITIONS = 3
_NEVER = 2**62
KEYS = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int count, char **words) {
    long items = atol(words[1]), users = atol(words[2]), low = 0;
    uint64_t *steps = malloc(items * 8), threshold = UINT64_MAX / items * 100;
    for (long i = 0; i < items; i++) steps[i] = (uint64_t)(i + 2) * 0x9E3779B97F4A7C15ull;
    clock_t began = clock();
    for (long user = 0; user < users; user++) {
        uint64_t stream = user * 0xBF58476D1CE4E5B9ull;
        for (long i = 0; i < items; i++) {
            uint64_t state = steps[i] + stream;
            state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9ull;
            state = (state ^ (state >> 27)) * 0x94D049BB133111EBull;
            low += state < threshold;
        }
    }
    printf("%.9f %ld\\n", (double)(clock() - began) / CLOCKS_PER_SEC, low);
    return 0;
}
"""


def least(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds of some work, the least of some repetitions, and its result."""
    seconds, result = [], None
    for _ in range(REPETITIONS):
        began = time.process_time()
        result = work()
        seconds.append(time.process_time() - began)
    return min(seconds), result


def seconds_of_keys(users: int, items: int) -> float | None:
    """Return the CPU seconds of the keys alone, in C; None without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "keys.c"), Path(folder, "keys")
        source.write_text(KEYS, encoding="ascii")
        flags = ["-O3", "-march=native", "-mprefer-vector-width=512"]
        subprocess.run([compiler, *flags, "-o", str(program), str(source)], check=True)
        command = [str(program), str(items), str(users)]
        runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(REPETITIONS)]
    return min(float(run.split()[0]) for run in runs)


def drawn(users: int, items: int, worth_compiling: int) -> tuple[float, list[list[int]]]:
    """Return the CPU seconds of drawing for some users, and what they get, ascending."""
    random = np.random.default_rng(1)
    first = np.arange(users + 1, dtype=np.int64) * SEEN
    seen = random.integers(0, items, users * SEEN).astype(np.int32)

    def excluded(codes: Ints) -> Excluded:
        begin, end = int(codes[0]), int(codes[-1]) + 1
        return Excluded(first[begin : end + 1] - first[begin], seen[first[begin] : first[end]])

    def use(_: Ints, sizes: Any, drawn_items: Ints) -> tuple[Any, Ints]:
        return sizes, drawn_items

    draws.WORTH_COMPILING = worth_compiling
    sets = Draws(np.ones(items, dtype=bool), NEGATIVES, 7)
    seconds, parts = least(lambda: sets.of(np.arange(users, dtype=np.int32), excluded, use))
    by_user = [items for sizes, drawn_items in parts for items in np.split(drawn_items, np.cumsum(sizes)[:-1])]
    return seconds, [sorted(items.tolist()) for items in by_user]


def main() -> None:
    """Print a line per size and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=2048, help="users that are drawn for (default: 2048)")
    users = parser.parse_args().users
    for name, (all_users, items) in SIZES.items():
        ways: dict[str, float | None] = {"keys in C": seconds_of_keys(users, items)}
        ways["numpy"], by_numpy = drawn(users, items, _NEVER)
        if draws.compiled() is not None:
            ways["numba"], by_numba = drawn(users, items, 0)
            assert by_numba == by_numpy, "numba draws something else"
        for way, seconds in ways.items():
            if seconds is not None:
                per_key = seconds / users / items * 1e9
                print(f"{name:14}{way:10}{per_key:7.3f} ns per key{seconds / users * all_users:9.1f} s for all users")


if __name__ == "__main__":
    main()
