"""What comparisons cost beside scipy's, in CPU time: ``python benchmarks/statistics/comparisons.py``, half a minute.

The best of several runs, side by side in one process; only the ratios mean something on another machine.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from omnibench import against_best, compare

CONFIGURATIONS, USERS, PATTERNS = 200, 100_000, 999


def cpu_seconds(action: Callable[[], object], repeats: int) -> float:
    """Return the least CPU time of several runs."""
    found = []
    for _ in range(repeats):
        started = time.process_time()
        action()
        found.append(time.process_time() - started)
    return min(found)


def started(code: str) -> float:
    """Return the least CPU time of a new interpreter that runs some code."""
    measured = f"{code}\nimport time\nprint(time.process_time())"
    return min(
        float(subprocess.run([sys.executable, "-c", measured], check=True, capture_output=True, text=True).stdout)
        for _ in range(5)
    )


def main() -> None:
    """Print the costs."""
    numpy, special, stats = (
        started(f"import {name}") for name in ("numpy", "numpy, scipy.special", "numpy, scipy.stats")
    )
    print(
        f"importing numpy takes {numpy:.2f} s, scipy.special {special - numpy:.2f} s more, scipy.stats {stats - numpy:.2f} s"
    )

    from scipy.stats import permutation_test, ttest_rel

    rng = np.random.default_rng(0)
    values = {f"{n}": rng.random(USERS) + n * 1e-5 for n in range(CONFIGURATIONS)}
    best = values[f"{CONFIGURATIONS - 1}"]
    ours = cpu_seconds(lambda: against_best(values), 5)
    theirs = cpu_seconds(lambda: [ttest_rel(one, best) for one in values.values()], 5)
    print(
        f"against_best, {CONFIGURATIONS} configurations x {USERS} users: {ours:.3f} s, {ours / theirs:.2f} x ttest_rel"
    )

    first = values["0"]
    ours = cpu_seconds(lambda: compare(first, best, "randomisation", resamples=PATTERNS), 3)
    theirs = cpu_seconds(
        lambda: permutation_test(
            (first - best,), np.mean, vectorized=True, permutation_type="samples", n_resamples=PATTERNS, batch=100
        ),
        1,
    )
    print(f"randomisation, {PATTERNS} patterns x {USERS} users: {ours:.3f} s, {ours / theirs:.4f} x permutation_test")


if __name__ == "__main__":
    main()
