"""The way out that an error names leads to success when it is followed: what fails, what is said, and what is done then."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from omnibench import (
    HR,
    MAE,
    NDCG,
    RMSE,
    AllItems,
    Apply,
    CorePruning,
    Deduplicate,
    Evaluator,
    ExperimentPlan,
    Grid,
    HitMetric,
    KeepRepeats,
    LensKit,
    MakeImplicit,
    RatingFilter,
    RecPack,
    StrongGeneralization,
    Subsample,
    TimeBasedHoldout,
    TimeFilter,
    UserCrossValidation,
    UserHoldout,
    from_file,
    from_frame,
    load_dataset,
)
from omnibench.data.dataset import RecSysDataSet
from omnibench.errors import OmnibenchError
from omnibench.experiment.planning import experiments


def rated() -> pd.DataFrame:
    """Users 0 to 9 with 1 to 10 interactions, few per item; ratings from 0.5 to 5 in halves; a timestamp each."""
    rows = [(user, user * 7 + number) for user in range(10) for number in range(user + 1)]
    frame = pd.DataFrame(rows, columns=["user", "item"])
    frame["rating"] = np.arange(len(frame)) % 10 / 2 + 0.5
    return frame.assign(timestamp=np.arange(len(frame)) + 1_700_000_000)


def explicit() -> RecSysDataSet:
    return from_frame(rated(), "shop")


def implicit() -> RecSysDataSet:
    return from_frame(rated().drop(columns="rating"), "shop")


def prepared(*steps: Any, dataset: Callable[[], RecSysDataSet] = implicit) -> Any:
    """Apply steps, and read what they leave."""
    piped = dataset().pipe(*steps)
    return piped.data if piped.split is not None else piped.interactions()


def planned(dataset: RecSysDataSet, evaluator: Evaluator, *algorithms: Any) -> Any:
    """Put a run together."""
    plan = ExperimentPlan()
    for algorithm in algorithms:
        plan.add_algorithm(*(algorithm if isinstance(algorithm, tuple) else (algorithm,)))
    return experiments(
        dataset, plan, evaluator.metrics, versions=lambda _: "1", seeds=[1], candidates=evaluator.candidates
    )


def added(*calls: Callable[[ExperimentPlan], Any]) -> ExperimentPlan:
    """Return a plan with RecPack.EASE, on which the calls were made."""
    plan = ExperimentPlan()
    plan.add_algorithm(RecPack.EASE, {"l2": 1.0})
    for call in calls:
        call(plan)
    return plan


class NeedsK:
    """A class with an argument that has no default."""

    def __init__(self, k: int) -> None:
        """Take it."""

    def fit(self, train: Any) -> None:
        """Learn nothing."""

    def recommend(self, users: Any, k: int) -> dict[Any, list[Any]]:
        """Recommend nothing."""
        return {}


class NeedsHistory(NeedsK):
    """The same with the argument that folding in needs."""

    def recommend(self, users: Any, k: int, history: Any = None) -> dict[Any, list[Any]]:
        """Recommend nothing."""
        return {}


def doubled(frame: pd.DataFrame) -> pd.DataFrame:
    """Stands at the top level of a file."""
    return frame


class Case(NamedTuple):
    """What fails, what is advised (a regular expression), and every way of following it."""

    wrong: Callable[[], Any]
    advice: str
    ways: tuple[Callable[[], Any], ...]


FOUR_FOLDS = UserCrossValidation(4)
CASES = {
    "threshold between ratings": Case(
        lambda: MakeImplicit(3.5),
        r"pipe RatingFilter\(3\.5\), MakeImplicit\(0\.0\)",
        (lambda: prepared(RatingFilter(3.5), MakeImplicit(0.0), UserHoldout(0, 1), dataset=many),),
    ),
    "threshold as a float": Case(
        lambda: MakeImplicit(3.0), r"give an int: MakeImplicit\(3\)", (lambda: prepared(MakeImplicit(3), dataset=explicit),)
    ),
    "users too short for a split": Case(
        lambda: prepared(FOUR_FOLDS),
        r"this split needs 4\. Pipe CorePruning\(user_core=4\) before it, or choose fewer folds or smaller parts",
        (lambda: prepared(CorePruning(user_core=4), FOUR_FOLDS),),
    ),
    "all users too short for a split": Case(
        lambda: prepared(UserCrossValidation(20)),
        r"this split needs 20\. Choose fewer folds",
        (lambda: prepared(CorePruning(user_core=3), UserCrossValidation(2)),),
    ),
    "a core that leaves nothing": Case(
        lambda: prepared(CorePruning(5)), r"the largest that leaves some is CorePruning\(2\)", (lambda: prepared(CorePruning(2)),)
    ),
    "cores that leave nothing": Case(
        lambda: prepared(CorePruning(user_core=50)),
        r"the largest that leaves some is CorePruning\(user_core=10, item_core=1\)",
        (lambda: prepared(CorePruning(user_core=10, item_core=1)),),
    ),
    "no core": Case(
        CorePruning, r"e\.g\. CorePruning\(5\) or CorePruning\(user_core=5\)", (lambda: CorePruning(5), lambda: CorePruning(user_core=5))
    ),
    "a sample larger than the data": Case(
        lambda: prepared(Subsample(1000)),
        r"Give a smaller number, or a fraction as a float",
        (lambda: prepared(Subsample(10)), lambda: prepared(Subsample(0.5))),
    ),
    "a step after the split": Case(
        lambda: implicit().pipe(FOUR_FOLDS, CorePruning(user_core=5)),
        r"a split is the last step\. Pipe it earlier",
        (lambda: prepared(CorePruning(user_core=5), FOUR_FOLDS),),
    ),
    "a step without arguments": Case(
        lambda: explicit().pipe(MakeImplicit), r"Write MakeImplicit\(\.\.\.\) with its arguments", (lambda: explicit().pipe(MakeImplicit(3)),)  # type: ignore[arg-type]
    ),
    "a filter without bounds": Case(
        RatingFilter, r"give lower, upper or both", (lambda: RatingFilter(1), lambda: RatingFilter(upper=3), lambda: RatingFilter(1, 3))
    ),
    "a period without bounds": Case(TimeFilter, r"give start, end or both", (lambda: TimeFilter("2020-01-01"), lambda: TimeFilter(end=5))),
    "no rating within bounds": Case(
        lambda: prepared(RatingFilter(7), dataset=explicit), r"ratings go from 0\.5 to 5", (lambda: prepared(RatingFilter(5), dataset=explicit),)
    ),
    "validation behind test": Case(
        lambda: TimeBasedHoldout("2024-02-01", "2024-01-01"),
        r"Give an earlier validation_size, or 0 for none",
        (lambda: TimeBasedHoldout("2023-12-01", "2024-01-01"), lambda: TimeBasedHoldout(0, "2024-01-01")),
    ),
    "a lambda": Case(
        lambda: Apply(lambda frame: frame),
        r'Define it there, or give a version .*: Apply\(function, version="1"\)',
        (lambda: Apply(doubled), lambda: Apply(lambda frame: frame, version="1")),
    ),
    "raw data": Case(
        lambda: planned(implicit(), Evaluator(NDCG(10)), RecPack.EASE),
        r"e\.g\. \.pipe\(UserHoldout\(validation_size=0\.1, test_size=0\.2\)\)",
        (lambda: planned(implicit().pipe(UserHoldout(validation_size=0.1, test_size=0.2)), Evaluator(NDCG(10)), RecPack.EASE),),
    ),
    "ranking explicit data": Case(
        lambda: planned(explicit().pipe(UserHoldout()), Evaluator(NDCG(10)), LensKit.EASEScorer),
        r'Pipe MakeImplicit\(\.\.\.\) before the split; MakeImplicit\(\.\.\., keep="rating"\) keeps the ratings .*, e\.g\. LensKit\.Bia',
        (
            lambda: planned(explicit().pipe(MakeImplicit(3), UserHoldout()), Evaluator(NDCG(10)), LensKit.EASEScorer),
            lambda: planned(explicit().pipe(UserHoldout()), Evaluator(RMSE(), MAE(), NDCG(10)), LensKit.BiasedMFScorer),
            lambda: planned(
                explicit().pipe(MakeImplicit(3, keep="rating"), UserHoldout()),
                Evaluator(NDCG(10)),
                LensKit.EASEScorer,
                LensKit.BiasedMFScorer,
            ),
        ),
    ),
    "learning from ratings without any": Case(
        lambda: planned(
            explicit().pipe(MakeImplicit(3), UserHoldout()), Evaluator(NDCG(10)), (LensKit.ImplicitMFScorer, {"use_ratings": True})
        ),
        r'Keep them with MakeImplicit\(\.\.\., keep="rating"\), or leave out use_ratings=True',
        (
            lambda: planned(
                explicit().pipe(MakeImplicit(3, keep="rating"), UserHoldout()),
                Evaluator(NDCG(10)),
                (LensKit.ImplicitMFScorer, {"use_ratings": True}),
            ),
            lambda: planned(explicit().pipe(MakeImplicit(3), UserHoldout()), Evaluator(NDCG(10)), LensKit.ImplicitMFScorer),
        ),
    ),
    "relevance by ratings without any": Case(
        lambda: planned(explicit().pipe(MakeImplicit(3), UserHoldout()), Evaluator(NDCG(10), relevant=4), RecPack.EASE),
        r'keep them with MakeImplicit\(\.\.\., keep="rating"\); without ratings, leave out relevant',
        (
            lambda: planned(
                explicit().pipe(MakeImplicit(3, keep="rating"), UserHoldout()), Evaluator(NDCG(10), relevant=4), RecPack.EASE
            ),
            lambda: planned(explicit().pipe(MakeImplicit(3), UserHoldout()), Evaluator(NDCG(10)), RecPack.EASE),
        ),
    ),
    "repeats that are masked": Case(
        lambda: planned(implicit().pipe(KeepRepeats(), UserHoldout()), Evaluator(NDCG(10)), RecPack.EASE),
        r"candidates=AllItems\(repeats=True\), or leave out KeepRepeats\(\)",
        (
            lambda: planned(
                implicit().pipe(KeepRepeats(), UserHoldout()),
                Evaluator(NDCG(10), candidates=AllItems(repeats=True)),
                RecPack.EASE,
            ),
            lambda: planned(implicit().pipe(UserHoldout()), Evaluator(NDCG(10)), RecPack.EASE),
        ),
    ),
    "rating implicit data": Case(
        lambda: planned(explicit().pipe(MakeImplicit(3), UserHoldout()), Evaluator(RMSE()), LensKit.BiasedMFScorer),
        r"Leave out MakeImplicit, or use ranking metrics such as NDCG",
        (
            lambda: planned(explicit().pipe(UserHoldout()), Evaluator(RMSE()), LensKit.BiasedMFScorer),
            lambda: planned(implicit().pipe(UserHoldout()), Evaluator(NDCG(10)), RecPack.EASE),
        ),
    ),
    "an algorithm without ratings": Case(
        lambda: planned(explicit().pipe(UserHoldout()), Evaluator(RMSE()), RecPack.EASE),
        r"Pipe MakeImplicit\(\.\.\.\) before the split, or choose an algorithm that does, e\.g\. LensKit\.BiasedMFScorer",
        (
            lambda: planned(explicit().pipe(MakeImplicit(3), UserHoldout()), Evaluator(NDCG(10)), RecPack.EASE),
            lambda: planned(explicit().pipe(UserHoldout()), Evaluator(RMSE()), LensKit.BiasedMFScorer),
        ),
    ),
    "an algorithm without rankings": Case(
        lambda: planned(implicit().pipe(UserHoldout()), Evaluator(NDCG(10)), LensKit.BiasedMFScorer),
        r'MakeImplicit\(\.\.\., keep="rating"\), or choose an algorithm that ranks, e\.g\. LensKit\.ImplicitMFScorer',
        (
            lambda: planned(implicit().pipe(UserHoldout()), Evaluator(NDCG(10)), LensKit.ImplicitMFScorer),
            lambda: planned(
                explicit().pipe(MakeImplicit(3, keep="rating"), UserHoldout()), Evaluator(NDCG(10)), LensKit.BiasedMFScorer
            ),
        ),
    ),
    "a class that takes no history": Case(
        lambda: planned(implicit().pipe(StrongGeneralization()), Evaluator(NDCG(10)), (NeedsK, {"k": 1})),
        r"Let recommend take history, .*, or a split such as UserHoldout",
        (
            lambda: planned(implicit().pipe(StrongGeneralization()), Evaluator(NDCG(10)), (NeedsHistory, {"k": 1})),
            lambda: planned(implicit().pipe(UserHoldout()), Evaluator(NDCG(10)), (NeedsK, {"k": 1})),
        ),
    ),
    "an algorithm bound to its users": Case(
        lambda: planned(implicit().pipe(StrongGeneralization()), Evaluator(NDCG(10)), RecPack.NMF),
        r"such as LensKit\.EASEScorer or RecPack\.ItemKNN, or a split such as UserHoldout",
        (
            lambda: planned(implicit().pipe(StrongGeneralization()), Evaluator(NDCG(10)), LensKit.EASEScorer, RecPack.ItemKNN),
            lambda: planned(implicit().pipe(UserHoldout()), Evaluator(NDCG(10)), RecPack.NMF),
        ),
    ),
    "explicit data folded in": Case(
        lambda: planned(explicit().pipe(StrongGeneralization()), Evaluator(RMSE()), LensKit.BiasScorer),
        r"Pipe MakeImplicit\(\.\.\.\) before it, or choose a split such as UserHoldout",
        (
            lambda: planned(explicit().pipe(MakeImplicit(3), StrongGeneralization()), Evaluator(NDCG(10)), RecPack.EASE),
            lambda: planned(explicit().pipe(UserHoldout()), Evaluator(RMSE()), LensKit.BiasScorer),
        ),
    ),
    "a required argument": Case(
        lambda: planned(implicit().pipe(UserHoldout()), Evaluator(NDCG(10)), NeedsK),
        r"NeedsK needs k; give it in add_algorithm",
        (lambda: planned(implicit().pipe(UserHoldout()), Evaluator(NDCG(10)), (NeedsK, {"k": 1})),),
    ),
    "a list for a grid": Case(
        lambda: added(lambda plan: plan.add_algorithm(RecPack.ItemKNN, {"K": [20, 40]})),
        r"write Grid\(\[20, 40\]\)",
        (lambda: added(lambda plan: plan.add_algorithm(RecPack.ItemKNN, {"K": Grid([20, 40])})),),
    ),
    "an empty grid": Case(lambda: Grid([]), r"e\.g\. Grid\(\[20, 40\]\)", (lambda: Grid([20, 40]),)),
    "an algorithm that the plan lacks": Case(
        lambda: added(lambda plan: plan.update_algorithm(RecPack.ItemKNN, {"K": 20})),
        r"add it with add_algorithm",
        (lambda: added(lambda plan: plan.add_algorithm(RecPack.ItemKNN, {"K": 20})),),
    ),
    "a bare name": Case(
        lambda: added(lambda plan: plan.add_algorithm("SLIM")),
        r"write 'RecPack\.SLIM'",
        (lambda: added(lambda plan: plan.add_algorithm("RecPack.SLIM")),),
    ),
    "an empty plan": Case(lambda: planned(implicit().pipe(UserHoldout()), Evaluator(NDCG(10))), r"add algorithms with add_algorithm", (lambda: planned(implicit().pipe(UserHoldout()), Evaluator(NDCG(10)), RecPack.EASE),)),
    "a metric without k": Case(lambda: NDCG([]), r"e\.g\. NDCG\(\[10, 20\]\)", (lambda: NDCG([10, 20]),)),
    "no metric": Case(
        lambda: planned(implicit().pipe(UserHoldout()), Evaluator(), RecPack.EASE),
        r"e\.g\. Evaluator\(NDCG\(\[10, 20\]\), HR\(10\)\)",
        (lambda: planned(implicit().pipe(UserHoldout()), Evaluator(NDCG([10, 20]), HR(10)), RecPack.EASE),),
    ),
    "a class of metrics": Case(lambda: Evaluator(NDCG), r"write NDCG\(\.\.\.\)", (lambda: Evaluator(NDCG(10)),)),  # type: ignore[arg-type]
    "a function for a metric": Case(lambda: Evaluator(doubled), r"write HitMetric\(doubled\)", (lambda: Evaluator(HitMetric(hits_at)),)),  # type: ignore[arg-type]
    "repeats by rating": Case(lambda: Deduplicate("best"), r"give one of 'first', 'last'", (lambda: Deduplicate("first"), lambda: Deduplicate("last"))),
    "a long name": Case(lambda: from_frame(rated(), "x" * 300), r"give a shorter one, e\.g\. name='shop'", (lambda: from_frame(rated(), name="shop"),)),
}  # fmt: skip


def hits_at(hits: Any, relevant: Any) -> Any:
    """Count hits."""
    return np.minimum(hits.sum(axis=1), relevant)


def many() -> RecSysDataSet:
    """Ten users with ten interactions each, rated 3.5 and 5."""
    frame = pd.DataFrame([(user, item) for user in range(10) for item in range(10)], columns=["user", "item"])
    return from_frame(frame.assign(rating=[3.5, 5.0] * 50), "shop")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_advice_leads_to_success(case: Case) -> None:
    """The error gives its advice before anything runs, and whoever follows it, in either way, gets no error."""
    with pytest.raises((OmnibenchError, ValueError)) as caught:
        case.wrong()
    assert re.search(case.advice, str(caught.value)), str(caught.value)
    for way in case.ways:
        way()


def test_files_and_their_columns(tmp_path: Path) -> None:
    """Columns are renamed by ``columns``, and other formats come by way of pandas, as the errors say."""
    rated().rename(columns={"user": "who"}).to_csv(tmp_path / "shop.csv", index=False)
    with pytest.raises(OmnibenchError, match=r"no column 'user'.*rename what is called otherwise"):
        from_file(tmp_path / "shop.csv")
    assert len(from_file(tmp_path / "shop.csv", columns={"who": "user"}).interactions()) == len(rated())
    (tmp_path / "shop.json").write_text(rated().to_json())
    with pytest.raises(OmnibenchError, match="read it with pandas and use from_frame"):
        _ = from_file(tmp_path / "shop.json").key
    assert len(from_frame(pd.read_json(tmp_path / "shop.json")).interactions()) == len(rated())


def test_names_that_no_file_system_takes(tmp_path: Path) -> None:
    """A clear sentence before any work starts, for datasets, classes and paths."""
    long = "x" * 191
    assert from_frame(rated(), long[1:]).name == long[1:]
    with pytest.raises(
        OmnibenchError, match=r"^the dataset's name x{20}\.\.\. has 191 bytes, and at most 190 are possible"
    ):
        from_frame(rated(), long)
    with pytest.raises(OmnibenchError, match=r"has 382 bytes"):
        from_frame(rated(), "é" * 191)
    with pytest.raises(OmnibenchError, match=r"^the class's name x{20}\.\.\. has 191 bytes.*give it a shorter one"):
        added(lambda plan: plan.add_algorithm(type(long, (NeedsK,), {})))
    name = "x" * 256
    calls: list[Callable[[], Any]] = [
        lambda: from_file(f"{name}/rows.csv"),
        lambda: load_dataset("MovieLens100K", tmp_path / name),
    ]
    for call in calls:
        with pytest.raises(OmnibenchError, match=r"the name x{20}\.\.\. has 256 bytes, and at most 255 are possible"):
            call()
