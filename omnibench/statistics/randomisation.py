"""The paired randomisation test: how often random signs of the differences give a mean at least as extreme."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omnibench.statistics.samples import Sample

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

RESAMPLES = 9_999
"""How many random sign patterns are drawn; the smallest p is then 1e-4."""

_EXACT_LIMIT = 20
"""How many differences there may be for all sign patterns to be tried, a million of them."""
_BITS = 8
_GROUPS_AT_ONCE = 4096


def sign_flip_p(differences: Sample, alternative: str, resamples: int, seed: int) -> float:
    """Return the p of the mean of paired differences under random signs (Fisher 1935, section 21).

    All patterns are tried where at most 20 differences are not zero. Otherwise some are drawn, and the observed one
    counts as one of them, so that p is never 0: Phipson and Smyth, "Permutation p-values should never be zero",
    Statistical Applications in Genetics and Molecular Biology 9, 2010.

    Args:
        differences: Shape (n,).
        alternative: ``two-sided``, ``greater`` or ``less``.
        resamples: How many patterns to draw.
        seed: The seed of these.
    """
    moving = differences[differences != 0]  # a zero's sign changes nothing
    if len(moving) == 0:
        return 1.0
    if alternative == "less":
        moving = -moving
    exact = len(moving) <= _EXACT_LIMIT
    sums = _all_sums(moving) if exact else _random_sums(moving, resamples, seed)
    observed = float(moving.sum())
    # Sums of the same numbers in another order differ in their last bits.
    slack = len(moving) * float(np.finfo(np.float64).eps) * float(np.abs(moving).sum())
    if alternative == "two-sided":
        sums, observed = np.abs(sums), abs(observed)
    as_extreme = int(np.count_nonzero(sums >= observed - slack))
    return as_extreme / len(sums) if exact else (as_extreme + 1) / (len(sums) + 1)


def _all_sums(differences: Sample) -> Sample:
    sums = np.zeros(1)
    for difference in differences:
        sums = np.concatenate([sums - difference, sums + difference])
    return sums


def _random_sums(differences: Sample, resamples: int, seed: int) -> Sample:
    """Return the sums under random signs.

    Eight differences have 256 signed sums. These are tabulated, and a random byte picks one: a look-up in place of
    eight draws, products and additions.
    """
    padded = np.concatenate([differences, np.zeros(-len(differences) % _BITS)]).reshape(-1, _BITS)
    patterns = np.unpackbits(np.arange(2**_BITS, dtype=np.uint8)[:, None], axis=1)
    signs = (2.0 * patterns - 1.0).T
    rng = np.random.default_rng(seed)
    sums = np.zeros(resamples)
    for start in range(0, len(padded), _GROUPS_AT_ONCE):
        for table in padded[start : start + _GROUPS_AT_ONCE] @ signs:
            sums += table[rng.integers(0, 2**_BITS, resamples, dtype=np.uint8)]
    return sums
