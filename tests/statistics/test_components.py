"""Variance components against a published example and against the variances that values were drawn with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from omnibench import variance_components
from omnibench.errors import StatisticsError

PENICILLIN = [
    *("27 23 26 23 23 21", "27 23 26 23 23 21", "25 21 25 24 24 20", "26 23 25 23 23 20", "25 22 26 22 23 20"),
    *("24 22 25 23 22 19", "24 20 23 21 22 19", "26 22 26 24 24 21", "24 21 24 22 22 20", "24 21 24 23 22 19"),
    *("26 23 26 24 24 21", "25 22 26 24 24 20", "26 24 26 24 25 22", "26 23 26 23 23 20", "26 23 25 24 24 22"),
    *("25 22 25 23 23 20", "25 21 24 23 23 20", "25 22 24 23 23 19", "24 21 23 21 21 19", "26 23 26 24 24 21"),
    *("25 21 24 22 22 18", "25 22 25 22 22 20", "24 21 24 22 24 19", "24 21 24 22 21 18"),
]
"""Diameters of zones on 24 plates, of 6 samples of penicillin each: Davies and Goldsmith, "Statistical Methods in Research
and Production", 1972, section 6.6."""


def drawn(rng: np.random.Generator, folds: int, seeds: int, *, recurring: bool) -> tuple[list[Any], list[Any]]:
    """Return values and users' codes of several folds; variances .09 (user), .0025 (fold), .0004 (seed), .01 (rest)."""
    population = rng.normal(0, 0.3, 2000)
    values, codes = [], []
    for fold in range(folds):
        users = np.arange(200) if recurring else np.arange(200 * fold, 200 * fold + 200 - 5 * fold)
        noise = rng.normal(0, 0.1, (seeds, len(users)))
        values.append(population[users] + rng.normal(0, 0.05) + rng.normal(0, 0.02, (seeds, 1)) + noise)
        codes.append(users)
    return values, codes


def test_penicillin() -> None:
    """Bates, "lme4: Mixed-effects modeling with R", 2010, section 2.1: .7169 (plate), 3.7309 (sample), .3024.

    REML's estimates are those of the method of moments where values are balanced and no component is 0.
    """
    plates = np.array([line.split() for line in PENICILLIN], dtype=float)
    components = variance_components(plates.T)
    assert components.user == pytest.approx(0.7169, abs=1e-4)
    assert components.seed == pytest.approx(3.7309, abs=2e-4)
    assert components.residual == pytest.approx(0.3024, abs=1e-4)
    assert components.fold is None
    assert variance_components([plates.T]) == components


@pytest.mark.parametrize("recurring", [False, True], ids=["other users in every fold", "the same users"])
def test_the_variances_that_values_were_drawn_with(recurring: bool) -> None:
    """The mean of many estimates is the truth, for folds with unequal numbers of users."""
    rng = np.random.default_rng(3)
    found = []
    for _ in range(200):
        values, codes = drawn(rng, 5, 4, recurring=recurring)
        components = variance_components(values, codes)
        found.append((components.user, components.fold, components.seed, components.residual))
    assert np.mean(np.array(found, dtype=float), axis=0) == pytest.approx([0.09, 0.0025, 0.0004, 0.01], rel=0.12)


def test_what_a_fold_does_to_a_user_is_no_part_of_the_user() -> None:
    """Where users recur, only what lasts over folds is theirs; nobody can tell that of users of a single fold."""
    rng = np.random.default_rng(4)
    values, codes = drawn(rng, 5, 4, recurring=True)
    disturbed = [fold + rng.normal(0, 0.3, 200) for fold in values]
    lasting, lumped = variance_components(disturbed, codes), variance_components(disturbed)
    assert lasting.user == pytest.approx(0.09, rel=0.2)
    assert lasting.residual == pytest.approx(0.10, rel=0.2)
    assert lumped.user == pytest.approx(0.18, rel=0.2)
    assert lumped.residual == pytest.approx(0.01, rel=0.2)


def test_a_deterministic_algorithm_has_no_variance_over_seeds() -> None:
    """Its seeds are equal, so that everything is the users'."""
    values = np.random.default_rng(0).random(50)
    components = variance_components(np.tile(values, (3, 1)))
    assert components.user == pytest.approx(values.var(ddof=1))
    assert components.seed == pytest.approx(0, abs=1e-15)
    assert components.residual == pytest.approx(0, abs=1e-15)


def test_one_seed_tells_nothing_about_seeds() -> None:
    """What one seed cannot tell is None, not 0."""
    values = np.random.default_rng(0).random((1, 50))
    components = variance_components(values)
    assert (components.fold, components.seed, components.residual) == (None, None, None)
    assert components.user == pytest.approx(values.var(ddof=1))


@pytest.mark.parametrize(
    ("values", "users", "message"),
    [
        ([1.0, 2.0], None, r"the given values have the shape \(2,\); give a row of values per seed"),
        ([[1.0], [2.0]], None, "fold 0 has one user"),
        (
            [[[1.0, 2.0]], [[1.0, float("inf")]]],
            None,
            r"the fold 1's values are not all finite, number 1 of seed number 0",
        ),
        ([[[1.0, 2.0]], [[1.0, 2.0]]], [[1, 2]], "there are codes of 1 folds, but values of 2"),
        ([[[1.0, 2.0]], [[1.0, 2.0]]], [[1, 2], [3, 3]], "the users' codes of fold 1 don't fit its values of 2 users"),
    ],
)
def test_what_has_no_components_is_refused(values: Any, users: Any, message: str) -> None:
    """What cannot be split is refused with what is wrong."""
    with pytest.raises(StatisticsError, match=message):
        variance_components(values, users)
