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
    "NDCG of a single hit": lambda rng, n: _DISCOUNTS[rng.integers(0, 11, n)] - _DISCOUNTS[rng.integers(0, 11, n)],
    "Precision@10: tenths": lambda rng, n: (rng.binomial(10, 0.2, n) - rng.binomial(10, 0.2, n)) / 10.0,
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


SEED_SITUATIONS: Mapping[str, tuple[float, float, float]] = {
    "seeds do nothing but noise": (0.0, 0.1, 0.0),
    "seeds .002, users .05": (0.002, 0.1, 0.05),
    "seeds .01": (0.01, 0.1, 0.0),
    "seeds .01, users .1": (0.01, 0.1, 0.1),
}
"""Standard deviations of what a seed does to everybody, of what it does to a single user, and of what lasts of an algorithm
for a user."""


def seeded(
    rng: np.random.Generator, users: Values, seeds: int, seed: float, residual: float, own: float, shift: float = 0.0
) -> Values:
    """Return the values of an algorithm that was fitted with several seeds, shape (seeds, users)."""
    lasting = users + rng.normal(0, own, len(users)) + shift
    spread = rng.normal(0, seed, (seeds, 1)) if seed else np.zeros((seeds, 1))
    return lasting + spread + rng.normal(0, residual, (seeds, len(users)))


DISTRIBUTIONS: Mapping[str, tuple[Callable[[np.random.Generator, tuple[int, int]], Values], float]] = {
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
