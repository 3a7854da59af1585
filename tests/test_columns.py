"""Columns of a run beside plain metrics: costs, candidates, standard errors, values per user; each run whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.markers import starts_guests
from support.newest import Newest

from omnibench import (
    AUC,
    HR,
    NDCG,
    Evaluator,
    ExperimentPlan,
    FitTime,
    Gini,
    GivenCandidates,
    MakeImplicit,
    PeakMemory,
    PredictTime,
    UserHoldout,
    from_frame,
    open_store,
    run_omnirec,
)
from omnibench.results import Result
from omnibench.store.per_user import read_per_user

rng = np.random.default_rng(3)
FRAME = pd.DataFrame(
    {"user": rng.integers(0, 25, 900), "item": rng.integers(0, 40, 900), "rating": 4}
).drop_duplicates()
DATA = from_frame(FRAME, "tiny").pipe(MakeImplicit(3), UserHoldout(0.1, 0.3))


def run(root: Path, *metrics: Any, **options: Any) -> Result:
    plan = ExperimentPlan()
    plan.add_algorithm(Newest)
    (result,) = run_omnirec(DATA, plan, Evaluator(*metrics, **options), root).results
    return result


def records(root: Path, prefix: str) -> list[dict[str, Any]]:
    return [record for key, record in open_store(root).records().items() if key.startswith(prefix)]


def computed(root: Path) -> dict[str, str]:
    """When which phase ended."""
    found = open_store(root).records()
    return {key: one["finished"] for key, one in found.items() if key.startswith(("fit/", "predict/", "eval/"))}


@pytest.fixture(scope="module")
@starts_guests
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a finished item."""
    root = tmp_path_factory.mktemp("columns") / "checkpoints"
    run(root, NDCG([5, 10]), Gini(10), AUC(5))
    return root


def test_records_say_how_sure_a_mean_is(root: Path) -> None:
    """Standard error and interval for means over users, null for others; values per user beside them."""
    by_label = {record["label"]: record for record in records(root, "eval/")}
    assert set(by_label) == {"NDCG@5", "NDCG@10", "Gini@10", "AUC@5"}
    for label in ("NDCG@5", "NDCG@10", "AUC@5"):
        record = by_label[label]
        users, values = read_per_user(root, record)
        assert values.mean() == pytest.approx(record["value"])
        assert record["stderr"] == pytest.approx(values.std(ddof=1) / len(values) ** 0.5)
        assert record["interval"][0] < record["value"] < record["interval"][1]
        assert len(users) == record["users"] == 25
    assert by_label["Gini@10"]["stderr"] is by_label["Gini@10"]["interval"] is by_label["Gini@10"]["place"] is None
    (path,) = root.rglob("per_user-*.parquet")
    assert list(pd.read_parquet(path)) == ["user", "NDCG@5", "NDCG@10", "AUC@5"]


def test_results_of_a_store_say_how_sure_they_are(root: Path) -> None:
    """Standard error and interval stand beside the value, and are missing where there are none."""
    found = open_store(root).results().set_index("metric")
    ordered = found.loc[["NDCG@5", "AUC@5"], ["low", "value", "high"]].to_numpy()
    assert (np.diff(ordered, axis=1) > 0).all()
    assert (found.loc[["NDCG@5", "AUC@5"], "stderr"].to_numpy() > 0).all()
    assert np.isnan(found.loc["Gini@10", ["stderr", "low", "high"]].to_numpy(dtype=float)).all()


def test_costs_are_read_and_nothing_is_computed(root: Path) -> None:
    """Added to a finished item they are there at once; they are what the phases recorded."""
    before = computed(root)
    found = run(root, NDCG(5), FitTime(), PredictTime(), PeakMemory())
    assert list(found.metrics) == ["NDCG@5", "FitTime", "PredictTime", "PeakMemory"]
    (fit,), (predict,) = records(root, "fit/"), records(root, "predict/")
    assert found["FitTime"] == fit["seconds"]
    assert found["PredictTime"] == predict["seconds"]
    assert found["PeakMemory"] * 2**20 == max(fit["peak_rss"], predict["peak_rss"]) > 10 * 2**20
    assert computed(root) == before


def test_costs_are_there_when_something_is_computed(root: Path) -> None:
    """Beside a metric that is new, in the order of the columns."""
    assert list(run(root, FitTime(), HR(7), NDCG(5)).metrics) == ["FitTime", "HR@7", "NDCG@5"]


def test_given_candidates_are_ranked_alone(root: Path) -> None:
    """Given candidates are ranked with the same model: only Predict and Eval run, and lists hold nothing else."""
    chosen = {user: range(user % 5, 40, 5) for user in range(25)}
    fits = len(records(root, "fit/"))
    run(root, NDCG(5), candidates=GivenCandidates(chosen))
    assert len(records(root, "fit/")) == fits
    assert len(records(root, "predict/")) == 2
    (path,) = root.rglob("predictions.json")
    lists = pd.read_json(path)
    assert len(lists) > 50
    assert (lists["item"] % 5 == lists["user"] % 5).all()
    found = open_store(root).results().set_index("metric")["value"]
    (name,) = (name for name in found.index if name.startswith("NDCG[candidates "))  # beside the one of all items
    assert name.endswith("]@5")
    assert found[name] != found["NDCG@5"]
    truth = DATA.data
    assert not lists.merge(truth.train, on=["user", "item"]).shape[0]  # type: ignore[union-attr]


def test_another_convention_stands_beside_the_default(root: Path) -> None:
    """Under a name with the convention's, in results and in the store; neither replaces the other."""
    plain = run(root, NDCG(5))["NDCG@5"]
    result = run(root, NDCG(5), convention="lenskit")
    theirs = result["NDCG@5"]
    assert result.metrics == run(root, NDCG(5), convention="lenskit").metrics == {"NDCG[lenskit]@5": theirs}
    found = open_store(root).results().set_index("metric")["value"]
    assert (found["NDCG@5"], found["NDCG[lenskit]@5"]) == (plain, theirs)
    assert plain != theirs


def test_what_is_not_defined_is_no_number(root: Path) -> None:
    """A column without a value is left out of the result; its record says null."""
    pairs = pd.DataFrame([(user, item) for user in range(10) for item in range(2)], columns=["user", "item"])
    everything = from_frame(pairs, "two").pipe(UserHoldout(0, 1))  # what is left to rank is always relevant
    plan = ExperimentPlan()
    plan.add_algorithm(Newest)
    (result,) = run_omnirec(everything, plan, Evaluator(AUC(5), HR(5)), root).results
    assert "AUC@5" not in result.metrics
    assert "HR@5" in result.metrics
    (again,) = run_omnirec(everything, plan, Evaluator(AUC(5), HR(5)), root).results
    assert again == result
