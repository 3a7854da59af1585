"""Levels, powers and coverages of all that omnibench says: ``python benchmarks/statistics/levels.py`` simulates them.

The numbers go into ``levels.json``, from which ``levels_page.py`` writes ``docs/levels.md``. Every cell is drawn with a seed
of its own, so a number only changes where a test does. ``--part levels`` computes one part, ``--scale 0.05`` draws a
twentieth of the samples and prints the page in place of writing anything, ``-j 8`` uses as many processes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import levels_page
import numpy as np
from situations import DISTRIBUTIONS, SEED_SITUATIONS, SITUATIONS, Values, samples, seeded

from omnibench import Comparison, compare, compare_seeds
from omnibench.metrics.spread import mean_intervals

ASSET = Path(__file__).with_name("movielens_seeds.npz")
LEVEL = 0.05
DIFFERING = (5, 10, 17, 28, 40, 60, 150, 400, 900)
FEW = 20
MARGIN = 0.005
DESIGNS = ((2, 2), (3, 3), (5, 5), (10, 10), (5, 2), (2, 1), (3, 1), (5, 1), (1, 5))
USERS = (2, 3, 5, 10, 20, 49, 50, 100, 500)


def is_rejected(comparison: Comparison) -> bool:
    """Return whether a comparison calls its sides different at 5 %."""
    return comparison.p is not None and comparison.p <= LEVEL


def levels(situation: str, differing: str, count: int) -> dict[str, list[float]]:
    """Return how often a test finds a difference, a loss and a gain, and how often it says nothing, by test."""
    if int(differing) < FEW:
        count //= 6  # randomised signs take time
    found = {"bootstrap": np.zeros(4), "t": np.zeros(4)}
    for first, second in samples(situation, int(differing), count):
        for test, cell in found.items():
            either = compare(first, second, test)
            cell[0] += is_rejected(either)
            if either.p is None or either.p <= 0.12:  # or else both one-sided tests have a p above .06
                sides = [compare(first, second, test, alternative=alternative) for alternative in ("less", "greater")]
                cell[1:3] += [is_rejected(side) for side in sides]
                cell[3] += either.p is None or any(side.p is None for side in sides)
    return {test: (cell / count).tolist() for test, cell in found.items()}


def powers(situation: str, differing: str, count: int) -> dict[str, float]:
    """Return how often a one-sided test finds a loss where all gains are half as large, by test."""
    found = dict.fromkeys(("bootstrap", "t"), 0)
    for first, second in samples(situation, int(differing), count, gain=0.5):
        for test in found:
            found[test] += is_rejected(compare(first, second, test, alternative="less"))
    return {test: number / count for test, number in found.items()}


def margins(situation: str, differing: str, count: int) -> float:
    """Return how often a loss is called larger than the margin that is exactly that."""
    found = 0
    for first, second in samples(situation, int(differing), count, seed=1):
        # Everybody loses the margin on top, so that the loss is the tolerated one.
        found += is_rejected(compare(first - MARGIN, second, alternative="less", null=-MARGIN))
    return found / count


def seeds(situation: str, design: str, count: int, shift: float = 0.0) -> list[float]:
    """Return how often ``compare_seeds`` finds a difference and a loss."""
    (first_seeds, second_seeds), (seed, residual, own) = map(int, design.split()), SEED_SITUATIONS[situation]
    rng = np.random.default_rng([7, first_seeds, second_seeds])
    is_deterministic = second_seeds == 1
    found = np.zeros(2)
    for _ in range(count):
        users = rng.normal(0.3, 0.25, 300)
        second = seeded(rng, users, second_seeds, *((0, 0, own) if is_deterministic else (seed, residual, own)))
        first = seeded(rng, users, first_seeds, seed, residual, own, -shift)
        for number, alternative in enumerate(("two-sided", "less")):
            found[number] += is_rejected(
                compare_seeds(
                    first,
                    second,
                    alternative=alternative,
                    deterministic_second=is_deterministic,
                    equal_spread=first_seeds == 1,
                )
            )
    return (found / count).tolist()  # type: ignore[no-any-return]


def seed_powers(situation: str, design: str, count: int) -> list[float]:
    """Return the same where the first one is worse by .015."""
    return seeds(situation, design, count, 0.015)


def movielens(algorithm: str, comparison: str, count: int) -> float:
    """Return how often disjoint seeds of one algorithm are called different, or how often a loss of 5 % is found."""
    values = np.load(ASSET)[algorithm].astype(np.float64)
    rng = np.random.default_rng(11)
    judges: Mapping[str, Callable[[Values, Values], Comparison]] = {
        "1 and 1, t": lambda first, second: compare(first[0], second[0], "t"),
        "1 and 1, bootstrap": lambda first, second: compare(first[0], second[0]),
        "3 and 3": lambda first, second: compare_seeds(first[:3], second[:3]),
        "5 and 5": compare_seeds,
        "5 and 5, a loss": lambda first, second: compare_seeds(first, second, alternative="less"),
        "1 and 5, a loss": lambda first, second: compare_seeds(
            first[:1], second, alternative="less", equal_spread=True
        ),
        "power": lambda first, second: compare_seeds(first * 0.95, second),
        "power at 10 %": lambda first, second: compare_seeds(first * 0.9, second),
    }
    found = 0
    for _ in range(count):
        order = rng.permutation(len(values))
        found += is_rejected(judges[comparison](values[order[:5]], values[order[5:10]]))
    return found / count


def means(algorithm: str, _: str, __: int) -> list[float]:
    """Return the number of seeds, the mean, its standard deviation over seeds."""
    values = np.load(ASSET)[algorithm].astype(np.float64).mean(axis=1)
    return [len(values), float(values.mean()), float(values.std(ddof=1))]


def resampled(algorithm: str, comparison: str, count: int) -> float:
    """Return the same of algorithms like this one: with its variances over users and seeds, all of them drawn anew.

    Twenty seeds are few, and samples of them overlap. So users are drawn with replacement, and what a seed does to
    everybody and to a single user is drawn from normal distributions with the variances of the real seeds.
    """
    values = np.load(ASSET)[algorithm].astype(np.float64)
    users = values.mean(axis=0)
    deviations = values - users
    residuals = deviations - deviations.mean(axis=1, keepdims=True)
    effect = float(values.mean(axis=1).std(ddof=1))
    # What one user's values add to the mean of a seed is part of that standard deviation.
    scale = np.sqrt(len(values) / (len(values) - 1))
    own = float((residuals**2).mean() * scale**2 / len(users))
    effect = float(np.sqrt(max(0.0, effect**2 - own)))
    first_seeds, second_seeds = map(int, comparison.split()[:2])
    factor = 0.95 if "power" in comparison else 1.0
    rng = np.random.default_rng([12, first_seeds, second_seeds])
    found = 0
    for _ in range(count):
        chosen = rng.integers(0, len(users), len(users))
        sides = []
        for number in (first_seeds, second_seeds):
            # Each user's residuals are the user's own, of seeds at random: as sparse and skewed as they are.
            rows = rng.integers(0, len(values), (number, len(users)))
            noise = residuals[rows, chosen] * scale
            sides.append(users[chosen] + rng.normal(0, effect, (number, 1)) + noise)
        is_gate = first_seeds == 1
        found += is_rejected(
            compare_seeds(
                sides[0] * factor, sides[1], alternative="less" if is_gate else "two-sided", equal_spread=is_gate
            )
        )
    return found / count


def intervals(distribution: str, users: str, count: int) -> float:
    """Return how often the interval of a mean covers that of the population."""
    draw, mean = DISTRIBUTIONS[distribution]
    found = mean_intervals(draw(np.random.default_rng([3, int(users)]), (count, int(users))))
    covers = (found[:, 0] <= mean + 1e-12) & (mean - 1e-12 <= found[:, 1])
    return float(covers.mean())


def costs(situation: str, test: str, count: int) -> float:
    """Return the median CPU time of a comparison, in seconds."""
    users, share = situation.split(" users, ")
    rng = np.random.default_rng(0)
    second = rng.random(int(users))
    first = np.clip(second + rng.normal(-0.0005, 0.05, int(users)), 0, 1)
    if share == "3 % differ":
        first = np.where(rng.random(int(users)) < 0.03, first, second)
    compare(first, second, test)
    times = []
    for _ in range(count):
        started = time.process_time()
        compare(first, second, test)
        times.append(time.process_time() - started)
    return float(np.median(times))


def _columns(values: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(" ".join(map(str, value)) if isinstance(value, tuple) else str(value) for value in values)


ALGORITHMS = tuple(np.load(ASSET).files)
REAL = (
    "1 and 1, t",
    "1 and 1, bootstrap",
    "3 and 3",
    "5 and 5",
    "5 and 5, a loss",
    "1 and 5, a loss",
    "power",
    "power at 10 %",
)
PARTS: Mapping[str, tuple[Callable[[str, str, int], Any], tuple[str, ...], tuple[str, ...], int]] = {
    "levels": (levels, tuple(SITUATIONS), _columns(DIFFERING), 3000),
    "powers": (powers, tuple(SITUATIONS), _columns(DIFFERING), 200),
    "margins": (margins, tuple(SITUATIONS), _columns((60, 150, 400, 900)), 1000),
    "seeds": (seeds, tuple(SEED_SITUATIONS), _columns(DESIGNS), 2000),
    "seed powers": (seed_powers, tuple(SEED_SITUATIONS), _columns(DESIGNS), 300),
    "means": (means, ALGORITHMS, ("",), 1),
    "movielens": (movielens, ALGORITHMS, REAL, 1000),
    "resampled": (resampled, ALGORITHMS, ("3 3", "5 5", "1 3", "1 5", "5 5 power"), 2000),
    "intervals": (intervals, tuple(DISTRIBUTIONS), _columns(USERS), 4000),
    "costs": (
        costs,
        ("943 users, all differ", "943 users, 3 % differ", "50000 users, all differ", "50000 users, 3 % differ"),
        ("bootstrap", "t"),
        50,
    ),
}
"""What is simulated: a function of a row, a column and a number of samples; the rows, the columns, the samples."""


def cell(job: tuple[str, str, str, int]) -> Any:
    """Return the number, or numbers, of a cell: of a part, a row, a column, and a number of samples."""
    part, row, column, count = job
    return PARTS[part][0](row, column, count)


def main() -> None:
    """Simulate, and write the numbers and the page, or print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS, action="append", help="compute this part, keep the others")
    parser.add_argument("--scale", type=float, default=1.0, help="draw this share of the samples, and print the page")
    parser.add_argument("-j", "--processes", type=int, default=1)
    arguments = parser.parse_args()
    jobs = [
        (part, row, column, max(10, round(arguments.scale * count)))
        for part, (_, rows, columns, count) in PARTS.items()
        if part in (arguments.part or PARTS)
        for row in rows
        for column in columns
    ]
    parts: dict[str, Any] = {}
    with ProcessPoolExecutor(arguments.processes) as pool:
        for (part, row, column, count), value in zip(jobs, pool.map(cell, jobs), strict=True):
            parts.setdefault(part, {"count": count, "rows": {}})["rows"].setdefault(row, {})[column] = value
    # Read only now, so that parts can be computed side by side.
    numbers = levels_page.read() if arguments.part and levels_page.NUMBERS.exists() else {}
    numbers = {part: {**numbers, **parts}[part] for part in PARTS if part in {**numbers, **parts}}
    if arguments.scale != 1:
        print(levels_page.page(numbers))
        return
    levels_page.NUMBERS.write_text(json.dumps(numbers, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if all(part in numbers for part in PARTS):
        levels_page.write()


if __name__ == "__main__":
    main()
