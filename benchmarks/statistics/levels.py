"""Levels, powers and coverages of all that omnibench says: ``python benchmarks/statistics/levels.py`` writes the page.

``--quick`` draws a twentieth of the samples and prints the page in place of writing it; ``--part NAME`` computes one part.
Everything is drawn with a fixed seed, so the page only changes where a test does.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from situations import SITUATIONS, Values, samples

from omnibench import compare, compare_seeds
from omnibench.metrics.spread import mean_intervals

PAGE = Path(__file__).parents[2] / "docs" / "levels.md"
ASSET = Path(__file__).with_name("movielens_seeds.npz")
LEVEL = 0.05
DIFFERING = (5, 10, 17, 28, 40, 60, 150, 400, 900)
REFUSES = "-"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of Markdown; the first column is left-aligned, the others are right-aligned."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(share: float) -> str:
    """Return a share in percent, with one digit."""
    return f"{100 * share:.1f}"


def rejections(situation: str, differing: int, test: str, count: int, gain: float = 1.0) -> tuple[Values, float]:
    """Return how often a test finds a loss, a gain, and either two-sided; and how often it says nothing.

    Two-sided, a test of these rejects where one of its one-sided tests does so at half the level.
    """
    found, silent = np.zeros(3), 0
    for first, second in samples(situation, differing, count, gain=gain):
        sides = [compare(first, second, test, alternative=alternative) for alternative in ("less", "greater")]
        either = compare(first, second, test)
        found += [side.p is not None and side.p <= LEVEL for side in (*sides, either)]
        silent += any(side.p is None for side in (*sides, either))
    return found / count, silent / count


def levels(count: int) -> Iterator[str]:
    """Yield the part about two fitted models."""
    head = ["", *(f"{differing} differ" for differing in DIFFERING)]
    parts: dict[str, list[list[str]]] = {"bootstrap": [], "t": []}
    silent_rows = []
    for situation in SITUATIONS:
        for test, rows in parts.items():
            cells, silents = [], []
            for differing in DIFFERING:
                found, silent = rejections(situation, differing, test, count if differing > 20 else count // 2)
                cells.append(" / ".join(percent(share) for share in found[[2, 0, 1]]))
                silents.append(percent(silent) if silent else REFUSES)
            rows.append([situation, *cells])
            if test == "bootstrap":
                silent_rows.append([situation, *silents])
    yield f"""## Two fitted models

943 users, some of whom differ; the means in the population are equal. In each cell: how often the two-sided test finds
a difference, and how often the one-sided tests find a loss and a gain, in percent at a level of 5 %, of {count} samples
({count // 2} where fewer than 20 differ). In the last five situations, many users lose a little and few gain much.

The default, `bootstrap`:
"""
    yield table(head, parts["bootstrap"])
    yield '\nHow often it says "too few users to say" in place of a p, of one of its three:\n'
    yield table(head, silent_rows)
    yield "\nStudent's `t`:\n"
    yield table(head, parts["t"])
    yield "\nHow often a loss is found (one-sided) where gains are half as large as above, by `bootstrap` and by `t`:\n"
    rows = []
    for situation in SITUATIONS:
        cells = []
        for differing in DIFFERING:
            powers = [
                rejections(situation, differing, test, max(1, count // 4), gain=0.5)[0][0]
                for test in ("bootstrap", "t")
            ]
            cells.append(" / ".join(percent(power) for power in powers))
        rows.append([situation, *cells])
    yield table(head, rows)


def margins(count: int) -> Iterator[str]:
    """Yield the part about the gate with a tolerance: a loss that is exactly as large as what is tolerated."""
    margin = 0.005
    rows = []
    for situation in SITUATIONS:
        cells = []
        for differing in (60, 150, 400, 900):
            wrong = 0
            for first, second in samples(situation, differing, count, seed=1):
                # Everybody loses the margin on top, so that the loss is the tolerated one.
                p = compare(first - margin, second, alternative="less", null=-margin).p
                wrong += p is not None and p <= LEVEL
            cells.append(percent(wrong / count))
        rows.append([situation, *cells])
    yield f"""## A tolerated loss

The gate asks for a loss of more than is tolerated: `alternative="less", null=-{margin}`. The loss is exactly that; found
in percent of {count} samples, by `bootstrap`:
"""
    yield table(["", *(f"{differing} differ" for differing in (60, 150, 400, 900))], rows)


def seeded(
    rng: np.random.Generator, users: Values, seeds: int, seed: float, residual: float, own: float, shift: float = 0.0
) -> Values:
    """Return the values of an algorithm that was fitted with several seeds, shape (seeds, users)."""
    lasting = users + rng.normal(0, own, len(users)) + shift
    spread = rng.normal(0, seed, (seeds, 1)) if seed else np.zeros((seeds, 1))
    return lasting + spread + rng.normal(0, residual, (seeds, len(users)))


def seeds(count: int) -> Iterator[str]:
    """Yield the part about several seeds, simulated."""
    designs = ((2, 2), (3, 3), (5, 5), (10, 10), (5, 2), (5, 1), (1, 5))
    situations = {
        "seeds do nothing but noise": (0.0, 0.1, 0.0),
        "seeds .002, users .05": (0.002, 0.1, 0.05),
        "seeds .01": (0.01, 0.1, 0.0),
        "seeds .01, users .1": (0.01, 0.1, 0.1),
    }
    head = ["", *(f"{first} and {second}" for first, second in designs)]
    shown = []
    for shift in (0.0, 0.015):
        rows = []
        for name, (seed, residual, own) in situations.items():
            cells = []
            for first_seeds, second_seeds in designs:
                rng = np.random.default_rng([7, first_seeds, second_seeds])
                found = np.zeros(2)
                for _ in range(count):
                    users = rng.normal(0.3, 0.25, 300)
                    is_deterministic = second_seeds == 1
                    second = seeded(
                        rng, users, second_seeds, *((0, 0, own) if is_deterministic else (seed, residual, own))
                    )
                    first = seeded(rng, users, first_seeds, seed, residual, own, -shift)
                    for number, alternative in enumerate(("two-sided", "less")):
                        p = compare_seeds(
                            first,
                            second,
                            alternative=alternative,
                            deterministic_second=is_deterministic,
                            equal_spread=first_seeds == 1,
                        ).p
                        found[number] += p is not None and p <= LEVEL
                cells.append(" / ".join(percent(share / count) for share in found))
            rows.append([name, *cells])
        shown.append(table(head, rows))
    yield f"""## Several seeds

300 users, two algorithms of equal means in the population of users and seeds; a value is the user's, plus what lasts of
the algorithm for this user (standard deviation "users"), plus what a seed does to everybody ("seeds"), plus noise (.1).
How often `compare_seeds` finds a difference two-sided, and a loss one-sided, in percent of {count} samples, by the numbers
of seeds. "5 and 1" is against a deterministic algorithm, "1 and 5" one fit against five of a baseline with
`equal_spread=True`.
"""
    yield shown[0]
    yield "\nThe same where the first one is worse by .015:\n"
    yield shown[1]


def movielens(count: int) -> Iterator[str]:
    """Yield the part about the seeds of real algorithms: all differences between them are false alarms."""
    stored = np.load(ASSET)
    rows = []
    for name in stored.files:
        values = stored[name].astype(np.float64)
        rng = np.random.default_rng(11)
        available = len(values)
        alarms = dict.fromkeys(("one", "bootstrap of one", "5", "3", "gate", "det", "power"), 0)
        spread = values.mean(axis=1).std(ddof=1)
        for _ in range(count):
            order = rng.permutation(available)
            five, other = values[order[:5]], values[order[5:10]]
            alarms["one"] += (compare(five[0], other[0], "t").p or 1) <= LEVEL
            alarms["bootstrap of one"] += (compare(five[0], other[0]).p or 1) <= LEVEL
            alarms["5"] += (compare_seeds(five, other).p or 1) <= LEVEL
            alarms["3"] += (compare_seeds(five[:3], other[:3]).p or 1) <= LEVEL
            alarms["gate"] += (compare_seeds(five[:1], other, alternative="less", equal_spread=True).p or 1) <= LEVEL
            alarms["power"] += (compare_seeds(five * 0.95, other).p or 1) <= LEVEL
        rows.append(
            [
                f"{name} ({available} seeds)",
                f"{values.mean():.4f} ± {spread:.4f}",
                *(percent(alarms[key] / count) for key in ("one", "bootstrap of one", "3", "5", "gate", "power")),
            ]
        )
    yield f"""## Seeds of real algorithms

MovieLens-100K, ratings of 4 and above, a fifth of each user's held out. RecBole's BPR (10 epochs), RecBole's MultiVAE
(15 epochs) and LensKit's implicit ALS, fitted by omnibench with the seeds that are named; their values per user are kept
in `benchmarks/statistics/movielens_seeds.npz`, which `benchmarks/statistics/seeded_fits.py` made. Disjoint seeds of the same
algorithm are compared, {count} times at random, so that every difference is a false alarm, in percent at 5 %; the last
column is how often a loss of 5 % is found with five seeds each.
"""
    yield table(
        [
            "",
            "mean ± over seeds",
            "1 and 1, `t`",
            "1 and 1, `bootstrap`",
            "3 and 3",
            "5 and 5",
            "1 and 5, a loss",
            "power",
        ],
        rows,
    )
    yield """
With one seed, a test is about these two fitted models, and they do differ. Only with several seeds it is about the
algorithms. The splits reuse a few seeds, so their shares are less certain than those of simulations.
"""


DISTRIBUTIONS: dict[str, tuple[Callable[[np.random.Generator, tuple[int, int]], Values], float]] = {
    "HR of 20 %": (lambda rng, shape: (rng.random(shape) < 0.2).astype(float), 0.2),
    "HR of 50 %": (lambda rng, shape: (rng.random(shape) < 0.5).astype(float), 0.5),
    "HR of 90 %": (lambda rng, shape: (rng.random(shape) < 0.9).astype(float), 0.9),
    "NDCG: Beta(1, 3)": (lambda rng, shape: rng.beta(1, 3, shape), 0.25),
    "NDCG, 60 % without a hit": (lambda rng, shape: np.where(rng.random(shape) < 0.6, 0, rng.beta(2, 3, shape)), 0.16),
    "MRR, 29 % without a hit": (
        lambda rng, shape: np.r_[0, 0, 0, 0, 1 / np.arange(1, 11)][rng.integers(0, 14, shape)],
        float((1 / np.arange(1, 11)).sum() / 14),
    ),
    "Precision@10: tenths": (lambda rng, shape: rng.binomial(10, 0.1, shape) / 10, 0.1),
    "Novelty: normal": (lambda rng, shape: rng.normal(10, 1, shape), 10.0),
    "errors: exponential": (lambda rng, shape: rng.exponential(size=shape), 1.0),
}
"""Values per user and their mean."""


def intervals(count: int) -> Iterator[str]:
    """Yield the part about the interval of a mean."""
    numbers = (2, 3, 5, 10, 20, 49, 50, 100, 500)
    rows = []
    for name, (draw, mean) in DISTRIBUTIONS.items():
        cells = []
        for users in numbers:
            found = mean_intervals(draw(np.random.default_rng([3, users]), (count, users)))
            covered = (found[:, 0] <= mean + 1e-12) & (mean - 1e-12 <= found[:, 1])
            cells.append(percent(float(covered.mean())))
        rows.append([name, *cells])
    yield f"""## Intervals of a mean

How often the 95 % interval of a metric's mean over users covers the mean of the population, in percent of {count} samples.
Of 50 users and more it is the bootstrap's; below, see [conventions](conventions.md#how-sure-a-mean-is).
"""
    yield table(["", *(f"{users} users" for users in numbers)], rows)


def costs(count: int) -> Iterator[str]:
    """Yield the part about time."""
    rows = []
    for users in (943, 50_000):
        rng = np.random.default_rng(0)
        second = rng.random(users)
        first = np.clip(second + rng.normal(-0.0005, 0.05, users), 0, 1)
        sparse = np.where(rng.random(users) < 0.03, first, second)
        for name, values in (("all users differ", first), ("3 % differ", sparse)):
            cells = []
            for test in ("bootstrap", "t"):
                compare(values, second, test)
                times = []
                for _ in range(max(5, count // 100)):
                    started = time.process_time()
                    compare(values, second, test)
                    times.append(time.process_time() - started)
                cells.append(f"{1000 * float(np.median(times)):.2f} ms")
            rows.append([f"{users} users, {name}", *cells])
    yield "## What it costs\n\nCPU time of one `compare`, the median of several, on the machine that made this page.\n"
    yield table(["", "`bootstrap`", "`t`"], rows)


PARTS: dict[str, tuple[Callable[[int], Iterator[str]], int]] = {
    "levels": (levels, 2000),
    "margins": (margins, 1000),
    "seeds": (seeds, 2000),
    "movielens": (movielens, 2000),
    "intervals": (intervals, 10_000),
    "costs": (costs, 2000),
}
"""The parts of the page, and how many samples each draws."""

INTRODUCTION = """# Levels and powers

A test at 5 % should call equal configurations different in 5 % of all cases, no more and not much less. This page shows
what the tests and intervals of [statistics](statistics.md) do where the truth is known, because it was simulated.
`python benchmarks/statistics/levels.py` writes it{minutes}; `--quick` prints a shorter one. Shares of {count} samples have
a standard error of .5 percentage points at 5 %.
"""


def main() -> None:
    """Write the page, or print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="draw a twentieth of the samples, and print the page")
    parser.add_argument("--part", choices=PARTS, action="append", help="print this part only")
    arguments = parser.parse_args()
    started = time.perf_counter()
    blocks = []
    for name, (part, count) in PARTS.items():
        if not arguments.part or name in arguments.part:
            blocks.append("\n".join(part(max(10, count // 20) if arguments.quick else count)))
    minutes = (time.perf_counter() - started) / 60
    if arguments.quick or arguments.part:
        print("\n\n".join(blocks))
        return
    text = INTRODUCTION.format(minutes=f" in {minutes:.0f} minutes", count=2000)
    PAGE.write_text("\n\n".join([text.rstrip(), *(block.rstrip() for block in blocks)]) + "\n", encoding="utf-8")
    print(f"{PAGE}: {minutes:.1f} minutes")


if __name__ == "__main__":
    main()
