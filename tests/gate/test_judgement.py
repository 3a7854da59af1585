"""What is worse than a baseline, what is not, and what cannot be said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.gated import SHOP, Measurements, judged

from omnibench import compare, holm
from omnibench.errors import BaselineError, StatisticsError
from omnibench.gate.judgement import Judge
from omnibench.gate.scope import Scope
from omnibench.gate.verdicts import Gate

USERS = 60


def noise(seed: int, scale: float = 0.1, users: int = USERS) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, users)


def base(seed: int = 1, users: int = USERS) -> np.ndarray:
    return 0.5 + noise(seed, 0.1, users)


def measured(label: str, *folds: Any, **options: Any) -> Measurements:
    store = Measurements()
    store.add("Mine", {label: list(folds)}, **options)
    return store


def verdicts(gate: Gate) -> dict[str, str]:
    return {verdict.metric: verdict.verdict for verdict in gate.verdicts}


@pytest.mark.parametrize(
    ("shift", "tolerance", "higher", "expected"),
    [
        (-0.05, 0.0, True, "worse"),
        (+0.05, 0.0, True, "improved"),
        (-0.05, 0.0, False, "improved"),
        (+0.05, 0.0, False, "worse"),
        (-0.05, 0.2, True, "tolerated"),
        (+0.05, 0.2, False, "tolerated"),
        (-0.05, 0.02, True, "worse"),
        (+0.05, 0.02, False, "worse"),
        (-0.001, 0.0, True, "same"),
    ],
)
def test_the_verdict(tmp_path: Path, shift: float, tolerance: float, higher: bool, expected: str) -> None:
    """The verdict depends on the direction of the metric and on the relative loss that is accepted."""
    before = measured("Loss", base(), higher=higher)
    after = measured("Loss", base() + shift + noise(2, 0.03), higher=higher, code="2")
    result = judged(tmp_path, before, after, tolerance=tolerance)
    assert verdicts(result) == {"Loss": expected}
    assert result.passed == (expected != "worse")
    (verdict,) = result.verdicts
    assert (verdict.pairs, verdict.units, verdict.folds) == (USERS, "users", 1)
    assert verdict.baseline == pytest.approx(base().mean())
    assert verdict.change == pytest.approx(verdict.now / verdict.baseline - 1)


def test_p_is_what_compare_says_of_several_folds(tmp_path: Path) -> None:
    """Each user's mean over the folds, one-sided, with the tolerated share of the baseline taken off; then Holm's."""
    folds = [base(seed) for seed in (1, 2, 3)]
    worse = [fold - 0.02 + noise(seed, 0.1) for seed, fold in enumerate(folds, start=10)]
    alike = [fold - 0.002 + noise(seed, 0.1) for seed, fold in enumerate(folds, start=20)]
    before, after = Measurements(), Measurements()
    before.add("Mine", {"NDCG@10": folds, "HR@10": folds})
    after.add("Mine", {"NDCG@10": worse, "HR@10": alike}, code="2")
    result = judged(tmp_path, before, after, tolerance=0.01)
    expected = [
        compare(np.mean(side, axis=0), 0.99 * np.mean(folds, axis=0), alternative="less").p or 0.0
        for side in (worse, alike)
    ]
    p_values = {verdict.metric: verdict.p for verdict in result.verdicts}
    assert [p_values[label] for label in ("NDCG@10", "HR@10")] == pytest.approx(holm(expected).tolist())
    assert {verdict.folds for verdict in result.verdicts} == {3}


def test_identical_values_never_fail_whatever_the_level(tmp_path: Path) -> None:
    """Identical values never fail, nor do values that are all lower by rounding errors only."""
    after = measured("NDCG@10", base() * (1 - 1e-12), code="2")
    result = judged(tmp_path, measured("NDCG@10", base()), after, alpha=0.999)
    assert (verdicts(result), result.tested) == ({"NDCG@10": "same"}, 0)


def test_what_has_not_changed_is_not_read(tmp_path: Path) -> None:
    """If one of 10,000 items has changed, only the values of that one are read."""
    before, after = Measurements(), Measurements()
    for number in range(30):
        before.add("Mine", {"NDCG@10": [base()]}, parameters={"k": number})
        shifted = base() - 0.05 * (number == 7) + noise(2, 0.01) * (number == 7)
        after.add("Mine", {"NDCG@10": [shifted]}, parameters={"k": number}, code="1" if number != 7 else "2")
    after.entries[:] = [
        replace(entry, configuration={**entry.configuration, "code": "source 1"}) if index != 7 else entry
        for index, entry in enumerate(after.entries)
    ]
    result = judged(tmp_path, before, after)
    assert after.read == ["Mine-00000007"]
    assert [verdict.algorithm for verdict in result.those("worse")] == after.read
    assert result.tested == 1
    (verdict,) = result.those("worse")
    assert verdict.p == pytest.approx(compare(base() - 0.05 + noise(2, 0.01), base(), alternative="less").p, rel=1e-6)


def gates(directory: Path, change: Callable[[Any, np.ndarray], np.ndarray], number: int, tolerance: float = 0.0) -> int:
    """How many of some gates over ten comparisons fail."""
    rng = np.random.default_rng(11)
    before = Measurements()
    for index in range(5):
        before.add("Mine", {"NDCG@10": [base(index)], "HR@10": [(base(index) > 0.5) * 1.0]}, parameters={"k": index})
    judge = Judge(before.baseline(directory), tolerance)
    failed = 0
    for _ in range(number):
        after = Measurements()
        for entry in before.entries:
            values = {label: [change(rng, before.values(entry)[label, 0].values)] for label in entry.scores}
            after.add("Mine", values, parameters=entry.configuration["parameters"], code="2")
        failed += not judge.judge(after, after.entries).passed
    return failed


@pytest.mark.parametrize("share", [1.0, 0.3, 0.05], ids=["all users", "a third", "one in twenty"])
def test_false_alarms_are_as_rare_as_alpha(tmp_path: Path, share: float) -> None:
    """Over all comparisons of a gate together, also where few users differ; seeded, 5 % of 200 with 4 deviations."""

    def change(rng: Any, values: np.ndarray) -> np.ndarray:
        return np.asarray(values + rng.normal(0, 0.1, len(values)) * (rng.random(len(values)) < share))

    assert gates(tmp_path, change, 200) <= 10 + 4 * np.sqrt(200 * 0.05 * 0.95)


def test_a_loss_of_just_the_tolerance_fails_as_rarely_as_alpha(tmp_path: Path) -> None:
    """A loss of just the tolerance fails in at most alpha of all cases, and a loss of three times as much is found."""

    def losing(share: float) -> Callable[[Any, np.ndarray], np.ndarray]:
        return lambda rng, values: np.asarray(values * (1 - share) + rng.normal(0, 0.02, len(values)))

    assert gates(tmp_path, losing(0.02), 150, tolerance=0.02) <= 7.5 + 4 * np.sqrt(150 * 0.05 * 0.95)
    assert gates(tmp_path, losing(0.06), 20, tolerance=0.02) == 20


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    users=st.integers(2, 40),
    differing=st.integers(0, 40),
    tolerance=st.sampled_from([0.0, 0.05]),
)
def test_a_metric_and_its_negative_have_the_same_verdict(
    tmp_path: Path, seed: int, users: int, differing: int, tolerance: float
) -> None:
    """Higher is better of the one, lower of the other: also of metrics below 0."""
    rng = np.random.default_rng(seed)
    before = rng.normal(0.5, 0.2, users)
    after = before + rng.normal(-0.02, 0.1, users) * (np.arange(users) < differing)
    result, negative = (
        judged(
            tmp_path,
            measured("Some", sign * before, higher=sign > 0),
            measured("Some", sign * after, higher=sign > 0, code="2"),
            tolerance=tolerance,
        ).verdicts[0]
        for sign in (1, -1)
    )
    assert result.verdict == negative.verdict
    assert result.p == pytest.approx(negative.p)
    assert result.change == pytest.approx(-(negative.change or 0.0))


def test_folds_are_compared_where_no_user_has_a_value(tmp_path: Path) -> None:
    """Folds are compared with the correction for overlapping training sets; one fold tells nothing."""
    folds, less = [0.50, 0.52, 0.49, 0.51, 0.5], [0.40, 0.41, 0.39, 0.40, 0.41]
    result = judged(tmp_path, measured("ItemCoverage@10", *folds), measured("ItemCoverage@10", *less, code="2"))
    (verdict,) = result.verdicts
    differences = np.subtract(less, folds)
    t = differences.mean() / np.sqrt((1 / 5 + 0.25) * differences.var(ddof=1))
    assert (verdict.verdict, verdict.units, verdict.pairs) == ("worse", "folds", 5)
    assert verdict.p == pytest.approx(scipy.stats.t.cdf(t, 4))
    single = judged(tmp_path, measured("ItemCoverage@10", 0.5), measured("ItemCoverage@10", 0.1, code="2"))
    assert single.passed
    assert verdicts(single) == {"ItemCoverage@10": "undecided"}
    assert single.verdicts[0].reason == "too few folds to say: one difference tells nothing about chance"


def test_of_few_users_nothing_is_said(tmp_path: Path) -> None:
    """Three who are all worse are no more than chance makes once in eight times."""
    result = judged(tmp_path, measured("NDCG@10", [0.5, 0.6, 0.7]), measured("NDCG@10", [0.1, 0.1, 0.1], code="2"))
    assert verdicts(result) == {"NDCG@10": "undecided"}
    assert result.verdicts[0].reason.startswith("too few users to say: with 3")


def test_only_folds_that_both_have_are_compared(tmp_path: Path) -> None:
    """Only folds that both have are compared; that there were more fails, unless they were not asked for."""
    result = judged(tmp_path, measured("NDCG@10", base(1), base(2)), measured("NDCG@10", base(1) + noise(3), code="2"))
    assert result.verdicts[0].folds == 1
    assert result.verdicts[0].baseline == pytest.approx(base(1).mean())
    assert not result.passed
    assert result.missing[0] == "shop/Mine: has fewer folds than in the baseline"
    after = measured("NDCG@10", base(1) + noise(3), code="2")
    scope = Scope({after.entries[0].key: {1}}, partial=True)
    result = judged(tmp_path, measured("NDCG@10", base(1), base(2)), after, scope=scope)
    assert (result.passed, result.missing) == (True, ())
    assert result.notes == ("shop/Mine: has fewer folds than in the baseline, and was compared by those",)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            {"dataset": replace(SHOP, display_name="shop-bbbbbbbb", key="b" * 64, tests=("u" * 64,))},
            r"shop-bbbbbbbb has changed its data or its split \(it was shop-aaaaaaaa\), or another omnibench has split it, so users cannot .*; write a new",
        ),
        ({"dataset": replace(SHOP, tests=("u" * 64,))}, "shop-aaaaaaaa has changed its test part"),
        ({"metric": '["NDCG",2]'}, r'NDCG@10 means something else than in the baseline \(\["NDCG@10"\]\); write a new'),
        ({"algorithm": "Other"}, r"nothing of this run is in the baseline \(1 configuration here, 1 there\)"),
    ],
)
def test_what_cannot_be_compared_fails(tmp_path: Path, fields: dict[str, Any], problem: str) -> None:
    """It is no silent pass: the next step is a new baseline."""
    changed = Measurements()
    changed.add(**{"algorithm": "Mine", "values": {"NDCG@10": [base()]}, "code": "2", **fields})
    result = judged(tmp_path, measured("NDCG@10", base()), changed)
    assert not result.passed
    assert not result.verdicts
    (message,) = result.problems
    with pytest.raises(ValueError, match=problem):
        raise ValueError(message)


def test_nothing_to_compare_is_all_right_where_a_part_was_asked_for(tmp_path: Path) -> None:
    """A part of a run (-k) may have nothing to compare, and what it did not select is not reported as missing."""
    after = Measurements()
    after.add("New", {"NDCG@10": [base()]})
    deselected = Measurements().add("Mine", {})
    after.entries.append(deselected)
    result = judged(tmp_path, measured("NDCG@10", base()), after, scope=Scope({deselected.key: {0}}, partial=True))
    assert (result.passed, result.problems, result.missing) == (True, (), ())
    assert result.notes == ("shop/New: new, so there is nothing to compare with",)


def test_what_is_gone_fails_unless_that_is_said_to_be_all_right(tmp_path: Path) -> None:
    """What the baseline has and the plan lacks fails, and the way out is named; notes tell what is new or changed."""
    before, after = Measurements(), Measurements()
    before.add("Mine", {"NDCG@10": [base()], "HR@10": [base()]}, parameters={"k": 1})
    for number in range(5):
        before.add(f"Old{number}", {"NDCG@10": [base()]})
    after.add("Mine", {"NDCG@10": [base()]}, parameters={"k": 2})
    after.add("New", {"NDCG@10": [base()]})
    result = judged(tmp_path, before, after)
    assert (result.passed, result.problems) == (False, ())
    gone = [f"shop/Old{number}" for number in range(3)]
    assert result.notes == (
        "shop/Mine(k=2): hyperparameters have changed; compared with shop/Mine(k=1)",
        "shop/New: new, so there is nothing to compare with",
    )
    missing = (
        f"{', '.join(gone)} and 2 more: in the baseline, but not in the plan any more",
        "HR@10 is in the baseline, but was not measured now of 1 configuration",
    )
    assert result.missing[:2] == missing
    assert "write a new baseline" in result.missing[2]
    assert "--omnirec-gate-missing=ok" in result.missing[2]
    accepted = judged(tmp_path, before, after, scope=Scope(missing_ok=True))
    assert (accepted.passed, accepted.missing) == (True, missing)


def test_what_was_not_looked_at_is_not_missed(tmp_path: Path) -> None:
    """An entry of the baseline from a bench file that this run did not collect is said, and passes."""
    before, after = Measurements(), Measurements()
    for store in (before, after):
        store.add("Mine", {"NDCG@10": [base()]})
    before.add("Other", {"NDCG@10": [base()]})
    result = judged(tmp_path, before, after, scope=Scope(covers=lambda entry: entry.algorithm != "Other"))
    assert (result.passed, result.missing) == (True, ())
    assert result.notes == ("shop/Other: in the baseline, from a bench file that this run did not look at",)


def test_without_a_result_nothing_of_the_plan_passes(tmp_path: Path) -> None:
    """A configuration of the plan of which nothing is done is missed by name, also while its data is not prepared."""
    before, after = measured("NDCG@10", base()), Measurements()
    after.add("Mine", {}, dataset=replace(SHOP, tests=()), code="2")
    result = judged(tmp_path, before, after)
    assert not result.passed
    assert result.missing[0] == "shop/Mine: in the baseline, but without a result in this run"


def test_nothing_passes_beside_what_failed(tmp_path: Path) -> None:
    """A run in which an item failed is not called passed, whatever the comparisons say."""
    before = measured("NDCG@10", base())
    result = judged(tmp_path, before, before, scope=Scope(failed=["bench.py::bench::shop/Mine/fold_0"]))
    assert verdicts(result) == {"NDCG@10": "same"}
    assert not result.passed
    assert result.properties()["omnibench.gate"] == "failed"


def test_what_was_asked_for_and_has_no_value_fails(tmp_path: Path) -> None:
    """A metric that lost its value fails, e.g. the diversity of empty lists; one that never had any does not."""
    before, after = measured("NDCG@10", base()), measured("NDCG@10", base())
    (entry,) = after.entries
    after.entries[0] = replace(entry, scores={"NDCG@10": replace(entry.scores["NDCG@10"], identity="", folds={})})
    result = judged(tmp_path, before, after)
    assert result.problems == (
        "shop/Mine has no NDCG@10 in this run, though it was asked for, and the baseline has it",
    )
    assert judged(tmp_path, after, after, scope=Scope(partial=True)).passed


def test_metrics_may_be_chosen(tmp_path: Path) -> None:
    """The others neither fail the gate nor weaken it."""
    before, after = Measurements(), Measurements()
    before.add("Mine", {"NDCG@10": [base()], "HR@10": [base()]})
    after.add("Mine", {"NDCG@10": [base() - 0.1 + noise(2)], "HR@10": [base() + noise(3)]}, code="2")
    assert judged(tmp_path, before, after, metrics=["HR@10"]).passed
    result = judged(tmp_path, before, after, metrics=["NDCG@10"])
    assert (verdicts(result), result.tested) == ({"NDCG@10": "worse"}, 1)


def test_of_unknown_direction_nothing_is_said(tmp_path: Path) -> None:
    """A metric is undecided if neither side knows its direction; it is enough if one does."""
    before, after = (
        measured("Mine@5", values, higher=None, code=code) for values, code in ((base(), "1"), (base() - 0.1, "2"))
    )
    result = judged(tmp_path, before, after)
    assert verdicts(result) == {"Mine@5": "undecided"}
    assert result.verdicts[0].reason.startswith("omnibench does not know whether more of it is better")
    directed = measured("Mine@5", base() - 0.1, higher=True, code="2")
    assert verdicts(judged(tmp_path, before, directed)) == {"Mine@5": "worse"}


def test_what_cannot_be_read_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for all metrics of a file."""
    before, after = Measurements(), Measurements()
    before.add("Mine", {"NDCG@10": [base()], "HR@10": [base()]})
    after.add("Mine", {"NDCG@10": [base() + noise(2)], "HR@10": [base() + noise(3)]}, code="2")

    def damaged(_: object) -> Any:
        raise StatisticsError("a file differs from its record")

    monkeypatch.setattr(after, "values", damaged)
    result = judged(tmp_path, before, after)
    assert (result.passed, result.problems) == (False, ("a file differs from its record",))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": 1.0}, "the tolerance is 1.0; give a share from 0"),
        ({"tolerance": -0.1}, "the tolerance is -0.1"),
        ({"alpha": 0.0}, r"alpha is 0\.0"),
        ({"metrics": ["NDCG@5"]}, "has no metric 'NDCG@5'; did you mean 'NDCG@10'"),
        ({"metrics": ["Z"]}, "has no metric 'Z'; it has NDCG@10"),
    ],
)
def test_impossible_values_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    """An impossible tolerance, level or metric is refused before anything is compared."""
    with pytest.raises((BaselineError, StatisticsError), match=message):
        judged(tmp_path, measured("NDCG@10", base()), measured("NDCG@10", base()), **options)


def test_everything_is_plain_data(tmp_path: Path) -> None:
    """For JSON, with whether it passed."""
    after = measured("NDCG@10", base() - 0.05 + noise(2, 0.01), code="2")
    plain = judged(tmp_path, measured("NDCG@10", base()), after).to_dict()
    assert (plain["passed"], plain["tested"], plain["verdicts"][0]["verdict"]) == (False, 1, "worse")
