"""How often the gate fails for another seed of the same algorithm: ``python benchmarks/statistics/gate_alarms.py`` prints a table.

It draws from the values per user that ``seeded_fits.py`` keeps in ``movielens_seeds.npz``: the seeds of a baseline, and one seed
that is judged by it, with the tests that the gate uses. A seed whose values are multiplied by .95 or .9 shows the power.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from omnibench.gate.samples import PairedRows
from omnibench.gate.testing import tests_of

ASSET = Path(__file__).with_name("movielens_seeds.npz")
ALPHA = 0.05
BASELINES = (1, 3, 5)
"""The numbers of seeds in a baseline."""

SHARES = (1.0, 0.95, 0.9)
"""What is left of a metric."""


def alarms(values: npt.NDArray[np.float64], seeds: int, share: float, draws: int) -> float:
    """Return how often a metric is worse than in a baseline.

    Args:
        values: Those of an algorithm, shape (seeds, users).
        seeds: How many seeds the baseline has.
        share: The share of each user's value that the judged seed has.
        draws: How often a baseline and another seed are drawn.
    """
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(draws):
        order = rng.permutation(len(values))
        rows = PairedRows(values[order[seeds : seeds + 1]] * share, values[order[:seeds]], (None,), "users")
        loss = tests_of(rows, (False, False), higher=True, tolerance=0.0, alpha=ALPHA, test_to_train=0.0).loss
        found += loss.p is not None and loss.p <= ALPHA
    return found / draws


def rows(asset: Path, draws: int) -> Iterator[str]:
    """Yield the rows of the table, of Markdown."""
    stored = np.load(asset)
    heads = [f"{seeds} seed{'s' * (seeds > 1)}" for seeds in BASELINES]
    yield f"| algorithm, metric | std over seeds | {' | '.join(heads)} |"
    yield f"|---|--:|{'--:|' * len(BASELINES)}"
    for name in stored.files:
        values = stored[name].astype(np.float64)
        spread = values.mean(axis=1).std(ddof=1) / values.mean()
        cells = [
            " / ".join(f"{100 * alarms(values, seeds, share, draws):.0f}" for share in SHARES) for seeds in BASELINES
        ]
        yield f"| {name}, {len(values)} seeds | {100 * spread:.1f} % | {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--asset", type=Path, default=ASSET, help="values per user of many seeds, as seeded_fits.py writes them"
    )
    parser.add_argument("--draws", type=int, default=1000)
    arguments = parser.parse_args()
    for row in rows(arguments.asset, arguments.draws):
        print(row, flush=True)


if __name__ == "__main__":
    main()
