"""Simulated differences between two configurations of the same mean, as sparse, skewed and discrete as metrics have them.

A situation draws differences of users who differ; their mean in the population is 0. ``samples`` makes the values of both
configurations from them, from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Values]

_DISCOUNTS: Values = np.r_[0.0, 1 / np.log2(np.arange(2.0, 12.0))]


def _mixed(share: float) -> Draw:
    """Return losses of about .05, and gains that make up for them and that this share of the users has."""
    gain = 0.05 * (1 - share) / share

    def draw(rng: np.random.Generator, n: int) -> Values:
        return np.where(rng.random(n) < share, gain, -0.05) * rng.uniform(0.5, 1.5, n)

    return draw


def _log_normal(sigma: float) -> Draw:
    return lambda rng, n: 0.02 * (np.exp(sigma * rng.normal(size=n)) - np.exp(sigma * sigma / 2))


SITUATIONS: Mapping[str, Draw] = {
    "HR: 1 or -1": lambda rng, n: rng.choice([-1.0, 1.0], n),
    "NDCG of a single hit": lambda rng, n: rng.choice(_DISCOUNTS, n) - rng.choice(_DISCOUNTS, n),
    "Precision@10: tenths": lambda rng, n: ((rng.binomial(10, 0.2, n) - rng.binomial(10, 0.2, n)) / 10).astype(
        np.float64
    ),
    "normal": lambda rng, n: rng.normal(0, 0.1, n),
    "exponential": lambda rng, n: 0.05 * (rng.exponential(size=n) - 1),
    "gains of 30 % of the users": _mixed(0.3),
    "gains of 20 % of the users": _mixed(0.2),
    "gains of 10 % of the users": _mixed(0.1),
    "log-normal, skewness 2.9": _log_normal(0.7),
}
"""From symmetrical to skewed ones; in the last five, many users lose little and few gain much."""


def samples(
    situation: str, differing: int, count: int, *, users: int = 943, gain: float = 1.0, seed: int = 0
) -> Iterator[tuple[Values, Values]]:
    """Yield the values of two configurations, again and again of other users.

    Args:
        situation: The name of a situation.
        differing: How many of the users differ on average.
        count: How many pairs of samples to draw.
        users: How many users a sample has.
        gain: The factor of all gains; below 1, the first configuration is worse.
        seed: The seed.
    """
    rng = np.random.default_rng([seed, list(SITUATIONS).index(situation), differing])
    for _ in range(count):
        differences = np.zeros(users)
        moved = rng.random(users) < differing / users
        drawn = SITUATIONS[situation](rng, int(moved.sum()))
        differences[moved] = np.clip(np.where(drawn > 0, gain * drawn, drawn), -1, 1)
        lowest, highest = np.maximum(0, -differences), np.minimum(1, 1 - differences)
        second = lowest + rng.random(users) * (highest - lowest)
        yield second + differences, second
