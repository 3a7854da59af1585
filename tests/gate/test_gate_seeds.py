"""Gates of stochastic algorithms: judged by the spread over seeds where a baseline keeps it, and what is said where not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.gated import Measurements, judged

from omnibench.gate.report import lines
from omnibench.gate.series import LEAST_SEEDS, spread_notice
from omnibench.gate.verdicts import Gate

USERS = 200
SPREAD = 0.02
"""The standard deviation over seeds of a metric's mean."""

WARNING = "A change of the random stream alone may fail the gate"


def fits(seeds: range, *, loss: float = 0.0, code: str = "1", draw: int = 0, spread: float = SPREAD) -> Measurements:
    """Measure a stochastic algorithm with some seeds: a value per user, and coverage, which has none."""
    rng = np.random.default_rng([draw, seeds.start])
    users = np.random.default_rng(7).uniform(0.2, 0.8, USERS)
    store = Measurements()
    for seed in seeds:
        values = users - loss + rng.normal(0, spread) + rng.normal(0, 0.02, USERS)
        coverage = 0.5 - loss + rng.normal(0, spread)
        store.add("Mine", {"NDCG@10": [values], "ItemCoverage@10": [coverage]}, seed=seed, code=code)
    return store


def alarms(tmp_path: Path, baseline: int, current: int, draws: int = 80) -> float:
    """Return how often other seeds of the same algorithm fail."""
    gates = [
        judged(tmp_path, fits(range(baseline), draw=draw), fits(range(90, 90 + current), code="2", draw=draw))
        for draw in range(draws)
    ]
    return sum(not gate.passed for gate in gates) / draws


def test_with_one_seed_a_new_random_stream_may_fail_and_that_is_said(tmp_path: Path) -> None:
    """The test is of the fitted models, which differ; verdicts, the sentence and JUnit's properties say so."""
    assert alarms(tmp_path, 1, 1) > 0.3
    gate = judged(tmp_path, fits(range(1)), fits(range(90, 91), loss=0.1, code="2"))
    assert {verdict.metric: verdict.of_fitted_models for verdict in gate.verdicts}["NDCG@10"]
    assert gate.condition.startswith("shop/Mine: of these fitted models; other seeds may differ")
    assert WARNING in gate.condition
    properties = gate.properties()
    assert WARNING in properties["omnibench.gate.condition"]
    assert next(text for name, text in properties.items() if "NDCG" in name).endswith("(of these fitted models)")
    for verbosity in (-1, 0, 1):  # also a quiet run does not blame the change alone
        assert WARNING in " ".join(" ".join(line.text.split()) for line in lines(gate, verbosity=verbosity))


@pytest.mark.parametrize(("baseline", "current"), [(3, 1), (5, 1), (5, 5), (3, 5)])
def test_with_several_seeds_false_alarms_are_as_rare_as_alpha(tmp_path: Path, baseline: int, current: int) -> None:
    """Of a run with other seeds, or with one, judged by the spread over the baseline's seeds; of 80, 5 % are 4, and hardly ever over 9."""
    assert alarms(tmp_path, baseline, current) <= 9 / 80
    gate = judged(tmp_path, fits(range(baseline)), fits(range(90, 90 + current), code="2"))
    assert {verdict.seeds for verdict in gate.verdicts} == {(current, baseline)}
    assert not gate.condition
    assert not any(verdict.of_fitted_models for verdict in gate.verdicts)


def test_a_loss_is_found_beyond_the_spread(tmp_path: Path) -> None:
    """One seed that loses six standard deviations fails against five seeds, and the line says how many seeds there are."""
    gate = judged(tmp_path, fits(range(5)), fits(range(90, 91), loss=6 * SPREAD, code="2"))
    assert "NDCG@10" in {verdict.metric for verdict in gate.those("worse")}
    printed = [line.text for line in lines(gate, 120)]
    assert any("NDCG@10" in line and "200 users, 5 -> 1 seeds" in line for line in printed)
    assert "over users and seeds" in " ".join(printed)


def test_the_tolerance_counts_with_seeds_too(tmp_path: Path) -> None:
    """What is lost is tolerated up to the share."""
    before, after = fits(range(5)), fits(range(90, 95), loss=6 * SPREAD, code="2")
    assert not judged(tmp_path, before, after).passed
    assert judged(tmp_path, before, after, tolerance=0.4).passed


def test_fewer_seeds_than_three_are_no_spread(tmp_path: Path) -> None:
    """Two seeds leave one degree of freedom, so the gate judges the fitted models and says so."""
    gate = judged(tmp_path, fits(range(LEAST_SEEDS - 1)), fits(range(90, 91), code="2"))
    assert {verdict.seeds for verdict in gate.verdicts} == {None}
    assert WARNING in gate.condition


def test_the_writer_of_a_baseline_hears_what_it_lacks(tmp_path: Path) -> None:
    """Of a stochastic algorithm with one seed; not with three, and not of a deterministic one."""
    notice = spread_notice(fits(range(1)).baseline(tmp_path).entries)
    assert notice.startswith("shop/Mine: fewer than 3 seeds, so the gate will judge these fitted models")
    assert "A change of the random stream alone may then fail it" in notice
    assert not spread_notice(fits(range(3)).baseline(tmp_path).entries)
    popular = Measurements()
    popular.add("RecPack.Popularity", {"NDCG@10": [np.full(USERS, 0.5)]})
    assert not spread_notice(popular.baseline(tmp_path).entries)


def changed(algorithm: str, tmp_path: Path) -> Gate:
    """Judge a small change of an algorithm with one seed."""
    values, sides = np.random.default_rng(1).uniform(0.2, 0.8, USERS), []
    for number in range(2):
        store = Measurements()
        store.add(
            algorithm,
            {"NDCG@10": [values + number * np.random.default_rng(2).normal(0, 0.05, USERS)]},
            version=str(number),
        )
        sides.append(store)
    return judged(tmp_path, *sides)


def test_deterministic_algorithms_are_not_of_fitted_models(tmp_path: Path) -> None:
    """What the catalogue knows to be deterministic is judged as before, without a sentence."""
    gate = changed("RecPack.Popularity", tmp_path)
    assert (gate.tested, gate.condition) == (1, "")
    assert changed("RecPack.SVD", tmp_path).condition.startswith("shop/RecPack.SVD: of these fitted models")


def test_equal_seeds_are_one_model(tmp_path: Path) -> None:
    """Where the baseline's seeds have made the same model, the changed code is compared with it over users alone."""
    gate = judged(tmp_path, equal_seeds(3, 0.0), equal_seeds(1, 0.05, first=90))
    (verdict,) = gate.verdicts
    assert (verdict.verdict, verdict.seeds, verdict.of_fitted_models) == ("worse", None, False)
    assert not gate.condition


def equal_seeds(count: int, loss: float, first: int = 0) -> Measurements:
    """Measure an algorithm of which nothing is known, but whose seeds make the same model."""
    users = np.random.default_rng(7).uniform(0.2, 0.8, USERS) - loss * np.random.default_rng(8).uniform(0, 2, USERS)
    store = Measurements()
    for seed in range(first, first + count):
        store.add("Mine", {"NDCG@10": [users]}, seed=seed, code=str(loss))
    return store
