"""Experiments: one per dataset, configuration and fold, with keys that say what each phase depends on."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench import (
    HR,
    MAE,
    NDCG,
    RMSE,
    ExperimentPlan,
    Grid,
    LensKit,
    MakeImplicit,
    RecPack,
    UserCrossValidation,
    UserHoldout,
    from_frame,
)
from omnibench.data.dataset import RecSysDataSet
from omnibench.errors import DataError, EvaluationError, PlanError
from omnibench.experiment.circumstances import Circumstances
from omnibench.experiment.configuration import Configuration, Keyed
from omnibench.experiment.experiment import Experiment, eval_key
from omnibench.experiment.planning import experiments
from omnibench.keys import digest
from omnibench.metrics.base import Metric
from omnibench.runners.registry import get_runner

FRAME = pd.DataFrame({"user": [1, 1, 2, 2], "item": [1, 2, 1, 2], "rating": [1.0, 5.0, 3.0, 4.0]})
EXPLICIT = from_frame(FRAME, "Mine")
IMPLICIT = EXPLICIT.pipe(MakeImplicit(1))
FOLDED = IMPLICIT.pipe(UserCrossValidation(3))
SINGLE = IMPLICIT.pipe(UserHoldout())


def plan_of(*algorithms: Any) -> ExperimentPlan:
    plan = ExperimentPlan()
    for algorithm in algorithms or (LensKit.PopScorer,):
        name, config = algorithm if isinstance(algorithm, tuple) else (algorithm, None)
        plan.add_algorithm(name, config)
    return plan


def made(datasets: Any, plan: Any, *metrics: Metric, seed: int = 42, device: str = "cpu") -> list[Experiment]:
    return experiments(
        datasets,
        plan,
        metrics or (NDCG(10),),
        versions=lambda runner: f"{runner.name} 1",
        seeds=[seed],
        device=lambda *_: device,
    )


def test_there_is_one_for_each_dataset_configuration_and_fold() -> None:
    """Datasets first, then configurations, then folds; a single split has fold 0 and no fold in its name."""
    plan = plan_of(LensKit.PopScorer, (RecPack.ItemKNN, {"K": Grid([10, 20])}))
    found = made([FOLDED, SINGLE], plan)
    assert [(one.dataset.folds, str(one.configuration), one.fold) for one in found] == [
        (folds, configuration, fold)
        for folds, numbers in ((3, range(3)), (None, range(1)))
        for configuration in ("LensKit.PopScorer()", "RecPack.ItemKNN(K=10)", "RecPack.ItemKNN(K=20)")
        for fold in numbers
    ]
    assert found[0].name == f"Mine-{FOLDED.key[:8]}/LensKit.PopScorer-{found[0].configuration_key[:8]}/fold_0"
    assert found[-1].name == f"Mine-{SINGLE.key[:8]}/RecPack.ItemKNN-{found[-1].configuration_key[:8]}"
    assert found[0].circumstances.version == "LensKit 1"


def test_an_identical_experiment_is_there_once() -> None:
    """The same dataset under two names, or twice in the list, is computed once."""
    twin = from_frame(FRAME.copy(), "Twin").pipe(MakeImplicit(1), UserCrossValidation(3))
    assert len(made([FOLDED, FOLDED], plan_of())) == 3
    with pytest.raises(DataError, match="Mine and Twin are the same data with the same steps under two names"):
        made([FOLDED, twin], plan_of())


def test_keys_are_stable_and_independent_of_what_else_is_run() -> None:
    """A new fold, dataset or algorithm leaves the finished ones alone."""
    alone = {one.fit_key for one in made(SINGLE, plan_of())}
    more = {one.fit_key for one in made([FOLDED, SINGLE], plan_of(RecPack.EASE, LensKit.PopScorer), HR(5))}
    assert alone < more
    assert len(more) == 8


def test_every_ingredient_of_a_fit_is_in_its_key() -> None:
    """Data, fold, algorithm, hyperparameters, seed, version and device: a change of any is another model."""
    ways = [
        made(FOLDED, plan_of()),
        made(SINGLE, plan_of()),
        made(SINGLE, plan_of((LensKit.PopScorer, {"score": "count"}))),
        made(SINGLE, plan_of(), seed=43),
        made(SINGLE, plan_of(), device="cuda"),
        experiments(SINGLE, plan_of(), [NDCG(10)], versions=lambda _: "2", seeds=[42]),
    ]
    keys = [one.fit_key for way in ways for one in way]
    assert len(set(keys)) == len(keys) == 8
    assert all(len(key) == 64 for key in keys)


def test_the_list_length_matters_for_predictions_of_rankings_only() -> None:
    """A longer list is another Predict; a predicted rating has no length."""
    (ranking,) = made(SINGLE, plan_of())
    (rating,) = made(EXPLICIT.pipe(UserHoldout()), plan_of(LensKit.BiasScorer), RMSE())
    assert ranking.predict_key(20) != ranking.predict_key(50)
    assert rating.predict_key(20) == rating.predict_key(50)
    assert ranking.predict_key(20) != ranking.fit_key


def test_an_evaluations_key_tells_item_predictions_truth_and_metric() -> None:
    """What was predicted, what was true, which metric, which k: a metric added later has a key of its own."""
    keys = {
        eval_key("f" * 64, "p" * 64, "t" * 64, NDCG(10), "NDCG@10"),
        eval_key("f" * 64, "p" * 64, "t" * 64, NDCG(20), "NDCG@20"),
        eval_key("f" * 64, "p" * 64, "t" * 64, HR(10), "HR@10"),
        eval_key("f" * 64, "q" * 64, "t" * 64, NDCG(10), "NDCG@10"),
        eval_key("f" * 64, "p" * 64, "u" * 64, NDCG(10), "NDCG@10"),
    }
    assert len(keys) == 5
    assert eval_key("f" * 64, "p" * 64, "t" * 64, NDCG([5, 10]), "NDCG@10") in keys


@given(
    st.dictionaries(st.sampled_from(["K", "similarity", "normalize_X"]), st.floats() | st.text() | st.integers()),
    st.builds(
        Circumstances,
        st.text(),
        st.integers(0, 9),
        st.just("cpu"),
        st.text(),
        st.integers(0, 9),
        st.sampled_from(["", "x"]),
    ),
    st.integers(1, 100),
)
def test_keys_are_the_digests_of_what_they_say(
    parameters: dict[str, Any], circumstances: Circumstances, length: int
) -> None:
    """Keys are put together from texts that are made once: the digests of the same identities, whatever is in them."""
    configuration = Configuration(get_runner("RecPack"), "ItemKNN", parameters)
    for data in (FOLDED, SINGLE, EXPLICIT.pipe(UserHoldout())):
        one = Experiment(data, configuration, 0, circumstances)
        assert one.fit_key == digest(one.identity)
        assert one.configuration_key == digest(configuration.identity(circumstances))
        wanted = length if data.feedback == "implicit" else None
        predict = ["predict/1", {"fit": one.fit_key, "length": wanted, "candidates": "unseen"}]
        assert one.predict_key(length) == digest(predict)
        of_what = {"fit": one.fit_key, "predictions": "p" * 64, "test": "t" * 64}
        metric = NDCG(length)
        evaluation = ["eval/1", {**of_what, "metric": metric.identity(f"NDCG@{length}")}]
        assert eval_key(one.fit_key, "p" * 64, "t" * 64, metric, f"NDCG@{length}") == digest(evaluation)


def test_circumstances_of_later_releases_are_in_a_key_only_where_they_are_used() -> None:
    """Keys without threads and refit are those from before there were any; each of the two makes another key."""
    configuration = Configuration(get_runner("RecPack"), "ItemKNN", {"K": 5})
    (_, plain), (_, full) = (
        configuration.identity(Circumstances("1", 7, threads=threads, refit=refit))
        for threads, refit in ((0, ""), (1, "train+validation"))
    )
    assert set(full) - set(plain) == {"threads", "refit"}
    keys = {
        configuration.keyed(Circumstances("1", 7, threads=threads, refit=refit)).key
        for threads in (0, 1)
        for refit in ("", "train+validation")
    }
    assert len(keys) == 4


def test_an_algorithm_that_is_fitted_differently_by_now_has_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A revision in the catalogue changes the keys of its algorithm, and of no other."""
    algorithms = get_runner("RecPack").catalogue["algorithms"]
    configurations = [Configuration(get_runner("RecPack"), name) for name in ("ItemKNN", "EASE")]
    before = [digest(each.identity(Circumstances("1", 7))) for each in configurations]
    monkeypatch.setitem(algorithms, "EASE", {**algorithms["EASE"], "revision": 2})
    after = [digest(each.identity(Circumstances("1", 7))) for each in configurations]
    assert before[0] == after[0]
    assert before[1] != after[1]
    assert after == [each.keyed(Circumstances("1", 7)).key for each in configurations]


def test_names_that_clash_show_more_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two configurations whose keys begin with the same eight digits get longer names, all of them."""
    keyed = Configuration.keyed

    def alike(*given: Any) -> Keyed:
        found = keyed(*given)
        return found._replace(key="0123456789" + found.key[10:])

    monkeypatch.setattr(Configuration, "keyed", alike)
    found = made(SINGLE, plan_of((RecPack.ItemKNN, {"K": Grid([10, 20])})))
    assert {one.digits for one in found} == {12}
    assert len({one.algorithm_name for one in found}) == 2


ranking, rating = plan_of(RecPack.EASE), plan_of(LensKit.BiasScorer)


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        (([], ranking), DataError, "there is no dataset"),
        ((None, ranking), DataError, "None is no dataset; make one with load_dataset"),
        ((FRAME, ranking), DataError, "'user' is no dataset"),
        (([SINGLE, 3], ranking), DataError, "3 is no dataset"),
        ((IMPLICIT, ranking), DataError, r"Mine is raw data without a split.*\.pipe\(UserHoldout"),
        ((SINGLE, ExperimentPlan("empty")), PlanError, "the plan 'empty' is empty"),
        ((SINGLE, None), PlanError, "the plan is None; give an ExperimentPlan"),
        ((EXPLICIT.pipe(UserHoldout()), ranking, NDCG(10)), PlanError, 'RecPack.EASE predicts no ratings.*keep="rating"'),
        ((SINGLE, ranking, NDCG(10, gains="rating")), EvaluationError, 'gains=rating. judges by the ratings.*keep="rating"'),
        ((SINGLE, ranking, RMSE()), EvaluationError, "RMSE judges predicted ratings, but Mine is implicit.*NDCG"),
        ((SINGLE, ranking, NDCG(10), MAE()), EvaluationError, "MAE judges"),
        ((EXPLICIT.pipe(UserHoldout()), ranking, RMSE()), PlanError, "RecPack.EASE predicts no ratings.*BiasedMFScorer"),
        ((SINGLE, rating, NDCG(10)), PlanError, "LensKit.BiasScorer only predicts ratings.*ImplicitMFScorer"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(given: tuple[Any, ...], error: type[Exception], says: str) -> None:
    """What does not go together is refused before anything runs, with the thing and the way out."""
    with pytest.raises(error, match=says):
        made(*given)


def test_no_metric_is_refused() -> None:
    """Nothing to measure is a mistake, too."""
    with pytest.raises(EvaluationError, match="no metric"):
        experiments(SINGLE, plan_of(), [], versions=lambda _: "1", seeds=[42])


def test_making_experiments_reads_no_interaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Collection is for names and keys."""
    monkeypatch.setattr(RecSysDataSet, "interactions", lambda self: pytest.fail(f"{self} was read"))
    assert [one.name for one in made(FOLDED, plan_of())]
