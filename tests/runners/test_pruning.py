"""Fits that the host watches epoch by epoch: real frameworks and a class of a user's own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.shared_guests import WatchedGuest

from omnibench import NDCG, RMSE, ExperimentPlan, MakeImplicit, Recall, UserHoldout, from_frame
from omnibench.data.prepare import prepare
from omnibench.engine import phases
from omnibench.engine.epochs import EpochMetric
from omnibench.engine.evaluation import epoch_metric, evaluate
from omnibench.engine.phases import PhaseOptions
from omnibench.errors import GuestError, PrunedError
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.outputs import Outputs
from omnibench.experiment.planning import experiments
from omnibench.guest import TRAIN_AND_VALIDATION, VALIDATION
from omnibench.guest.folds import Fold
from omnibench.guest.parts import save_columns
from omnibench.metrics.base import Metric
from omnibench.runners.registry import get_runner

LENGTH = 10
LISTS, RATINGS = Outputs(lists=True, ratings=False), Outputs(lists=False, ratings=True)

CLASSES = """
import os

class Learns:
    def __init__(self, epochs=20, first=1, swallows=False, forks=False, best=0, seed=None):
        self.epochs, self.first, self.swallows, self.forks, self.best = epochs, first, swallows, forks, best
    def fit(self, train, validation, report):
        self.items = sorted(train["item"].unique())
        for epoch in range(self.first, self.first + self.epochs):
            if self.forks:
                child = os.fork()
                if child == 0:
                    report(epoch=epoch, validation=0.5)
                    os._exit(0)
                os.waitpid(child, 0)
            more = {"best_epoch": self.best} if self.best else {}
            try:
                report(epoch=epoch, epochs=self.epochs, loss=1 / (epoch + 1), validation=epoch / 100, **more)
            except BaseException:
                if not self.swallows:
                    raise
    def recommend(self, users, k):
        return {user: self.items[:k] for user in users}

class Silent(Learns):
    def fit(self, train):
        self.items = sorted(train["item"].unique())
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Classes of a user's own that report each epoch."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "learning.py").write_text(CLASSES, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        import learning  # type: ignore[import-not-found]

        yield vars(learning)


def frame() -> pd.DataFrame:
    """Return interactions of 80 users who like items of one of four kinds."""
    rng = np.random.default_rng(3)
    rows = [
        (user, int(item))
        for user in range(80)
        for item in np.r_[user % 4 * 15 + rng.choice(15, rng.integers(9, 14), replace=False), 60 + rng.integers(5)]
    ]
    data = pd.DataFrame(rows, columns=["user", "item"])
    return data.assign(timestamp=rng.integers(0, 500, len(rows)), rating=rng.integers(1, 6, len(rows)))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared dataset with a validation part."""
    root = tmp_path_factory.mktemp("data")
    prepare(from_frame(frame()).pipe(MakeImplicit(1), UserHoldout(0.2, 0.2)), root)
    return root


def experiment(algorithm: Any, parameters: dict[str, Any], *, rated: bool = False) -> Experiment:
    """One experiment; the phases take its dataset by path."""
    plan = ExperimentPlan("pruning")
    plan.add_algorithm(algorithm, parameters)
    steps = [UserHoldout(0.2, 0.2)] if rated else [MakeImplicit(1), UserHoldout(0.2, 0.2)]
    metric: Metric = RMSE() if rated else NDCG(10)
    (single,) = experiments(from_frame(frame()).pipe(*steps), plan, [metric], versions=lambda _: "", seeds=[7])
    return single


def on_both_parts(single: Experiment) -> Experiment:
    """Return an experiment whose model is fitted on training and validation together, whatever its plan may ask for."""
    return replace(single, circumstances=single.circumstances._replace(refit=TRAIN_AND_VALIDATION))


class Judge:
    """Prunes after an epoch, and notes what it was asked.

    Args:
        epoch: That epoch; none by default.
    """

    def __init__(self, epoch: int = 0) -> None:
        self.epoch = epoch
        self.asked: list[tuple[int, float]] = []

    def __call__(self, epoch: int, value: float) -> bool:
        """Return whether to prune."""
        self.asked.append((epoch, value))
        return epoch == self.epoch


def fit(
    watched: WatchedGuest,
    single: Experiment,
    data: Path,
    output: Path,
    judge: Callable[[int, float], bool] | None = None,
    metric: EpochMetric | None = None,
    progress: list[dict[str, Any]] | None = None,
) -> tuple[dict[str, Any], bytes]:
    """Fit; return the answer, and the predictions for the validation part (nothing where the model knows it)."""
    output.mkdir(parents=True, exist_ok=True)
    options = PhaseOptions(on_progress=(lambda _: None) if progress is None else progress.append)
    answer = phases.fit(watched.guest, single, data, output, options, judge=judge, metric=metric)
    rows, judged = output / "rows.npy", "" if single.refit else VALIDATION
    model = output / answer["file"]
    phases.predict(watched.guest, single, data, model, LENGTH, rows, judged=judged)
    return answer, rows.read_bytes()


def ndcg(data: Path, label: str = "NDCG@10") -> EpochMetric:
    """Return how NDCG (or Recall) of epochs is measured."""
    metric = (NDCG if label.startswith("NDCG") else Recall)(10)
    return epoch_metric(data, 0, metric, label, LENGTH, LISTS)


ALGORITHMS: dict[str, tuple[dict[str, Any], str]] = {
    "RecBole.BPR": ({"epochs": 20, "learning_rate": 0.01}, "NDCG@10"),
    "RecBole.MultiVAE": ({"epochs": 8}, "Recall@10"),
    "RecPack.BPRMF": ({"max_epochs": 8, "learning_rate": 0.05}, "NDCG@10"),
    "RecPack.Prod2Vec": ({"max_epochs": 5}, "NDCG@10"),
    "RecPack.RecVAE": ({"max_epochs": 5}, "Recall@10"),
    "LensKit.FlexMFImplicitScorer": ({"epochs": 6}, "NDCG@10"),
    "LensKit.ImplicitMFScorer": ({"epochs": 6}, "NDCG@10"),
    "Implicit.AlternatingLeastSquares": ({"iterations": 6}, "NDCG@10"),
    "Implicit.BayesianPersonalizedRanking": ({"iterations": 6}, "NDCG@10"),
    "Implicit.LogisticMatrixFactorization": ({"iterations": 6}, "NDCG@10"),
    "Cornac.BPR": ({"max_iter": 6, "learning_rate": 0.05}, "NDCG@10"),
    "Cornac.VAECF": ({"n_epochs": 5}, "NDCG@10"),
    "RecTools.SASRecModel": ({"epochs": 5, "n_factors": 16, "session_max_len": 8}, "NDCG@10"),
    "RecTools.ImplicitALSWrapperModel": ({"model.iterations": 6}, "NDCG@10"),
    "RecTools.LightFMWrapperModel": ({"epochs": 6}, "NDCG@10"),
    "Learns": ({}, "NDCG@10"),
}
"""Algorithms, hyperparameters, and what a search judges them by; RecBole itself calculates NDCG@10."""


EVERYDAY = ("RecBole.BPR", "LensKit.ImplicitMFScorer", "Learns")
NAMES = [name if name in EVERYDAY else pytest.param(name, marks=pytest.mark.slow) for name in ALGORITHMS]


def case(
    name: str, watched_guests: Callable[[str], WatchedGuest], own: dict[str, Any]
) -> tuple[WatchedGuest, Experiment]:
    """Return the guest and the experiment of an algorithm."""
    parameters, _ = ALGORITHMS[name]
    framework = name.partition(".")[0] if "." in name else "Own"
    return watched_guests(framework), experiment(own.get(name, name), parameters)


@pytest.mark.parametrize("name", NAMES)
def test_a_pruned_fit_ends_after_its_epoch_and_leaves_a_guest_as_good_as_new(
    name: str, watched_guests: Callable[[str], WatchedGuest], own: dict[str, Any], data: Path, tmp_path: Path
) -> None:
    """Epoch and values are those that decided; the guest then makes the same model as before, and nothing is left."""
    watched, single = case(name, watched_guests, own)
    metric = ndcg(data, ALGORITHMS[name][1])
    first, predictions = fit(watched, single, data, tmp_path / "first")
    pid, threads, leftovers = watched.guest.pid, watched.threads, watched.leftovers
    judge, progress = Judge(3), list[dict[str, Any]]()
    with pytest.raises(PrunedError, match=r"pruned after epoch 3, whose value on validation was 0\.\d+") as caught:
        fit(watched, single, data, tmp_path / "pruned", judge, metric, progress)
    assert [epoch for epoch, _ in judge.asked] == [1, 2, 3]
    assert (caught.value.epoch, caught.value.value) == judge.asked[-1]
    assert list(caught.value.history) == judge.asked
    costs: dict[str, Any] = dict(caught.value.costs or {})
    assert costs["seconds"] > 0
    assert costs["peak_rss"] > 0
    assert not list((tmp_path / "pruned").iterdir())
    values = [(each["epoch"], each["validation"]) for each in progress if "validation" in each]
    assert values == judge.asked
    assert max(each["epoch"] for each in progress) == 3
    again, same = fit(watched, single, data, tmp_path / "again")
    assert same == predictions
    assert again["effective"] == first["effective"]
    assert (watched.guest.pid, watched.leftovers) == (pid, leftovers)
    assert watched.threads <= threads


@pytest.mark.parametrize("name", NAMES)
def test_a_watched_fit_makes_the_model_of_any_other(
    name: str, watched_guests: Callable[[str], WatchedGuest], own: dict[str, Any], data: Path, tmp_path: Path
) -> None:
    """Its predictions are the same to the last bit, since a trial's Fit is the Fit of its experiment, whoever asks."""
    watched, single = case(name, watched_guests, own)
    plain, predictions = fit(watched, single, data, tmp_path / "plain")
    judge = Judge()
    metric = ndcg(data, ALGORITHMS[name][1])
    answer, same = fit(watched, single, data, tmp_path / "watched", judge, metric)
    assert same == predictions
    assert (answer["epochs"], answer["effective"]) == (plain["epochs"], plain["effective"])
    assert [tuple(pair) for pair in answer["history"]][: len(judge.asked)] == judge.asked
    epochs = [epoch for epoch, _ in answer["history"]]
    assert epochs == list(range(1, len(epochs) + 1))
    assert len(epochs) - len(judge.asked) in (0, 1)  # of the last one nobody asks


@pytest.mark.parametrize("name", NAMES[:-1])
def test_the_value_of_the_epoch_that_is_kept_is_that_of_the_trial(
    name: str, watched_guests: Callable[[str], WatchedGuest], own: dict[str, Any], data: Path, tmp_path: Path
) -> None:
    """What the pruner sees and what the choice is made by are one metric, on the same users and candidates."""
    watched, single = case(name, watched_guests, own)
    label = ALGORITHMS[name][1]
    answer, _ = fit(watched, single, data, tmp_path, Judge(), ndcg(data, label))
    metric = NDCG(10) if label == "NDCG@10" else Recall(10)
    evaluation = evaluate(data, 0, tmp_path / "rows.npy", [(metric, label)], judged=VALIDATION)
    (value,) = vars(evaluation)["values"].values()
    digits = 1e-4 if name == "RecBole.BPR" else 1e-12  # RecBole rounds its own
    assert dict(map(tuple, answer["history"]))[answer["epochs"]] == pytest.approx(value, abs=digits)


def test_rated_data_is_measured_by_ratings(watched_guests: Callable[[str], WatchedGuest], tmp_path: Path) -> None:
    """A search by RMSE has LensKit's predicted ratings of the validation pairs measured after each epoch."""
    root = tmp_path / "data"
    root.mkdir()
    prepare(from_frame(frame()).pipe(UserHoldout(0.2, 0.2)), root)
    single = experiment("LensKit.BiasedMFScorer", {"epochs": 4}, rated=True)
    metric = epoch_metric(root, 0, RMSE(), "RMSE", LENGTH, RATINGS)
    answer, _ = fit(watched_guests("LensKit"), single, root, tmp_path / "model", Judge(), metric)
    evaluation = evaluate(root, 0, tmp_path / "model" / "rows.npy", [(RMSE(), "RMSE")], judged=VALIDATION)
    (value,) = vars(evaluation)["values"].values()
    assert [epoch for epoch, _ in answer["history"]] == [1, 2, 3, 4]
    assert answer["history"][-1][1] == pytest.approx(value, abs=1e-12)


def test_frameworks_report_their_own_values_where_nobody_asks_for_another(
    watched_guests: Callable[[str], WatchedGuest], data: Path, tmp_path: Path
) -> None:
    """RecBole's metric and RecPack's criterion, which reach who watches and the log; LensKit has none."""
    progress = list[dict[str, Any]]()
    for name, parameters, metric in (
        ("RecBole.BPR", {"epochs": 4, "eval_step": 2}, "NDCG@10"),
        ("RecPack.MultVAE", {"max_epochs": 2}, "ndcg@50"),
        ("RecPack.BPRMF", {"max_epochs": 2}, "bpr"),
    ):
        watched = watched_guests(name.partition(".")[0])
        before = len(watched.printed)
        answer, _ = fit(watched, experiment(name, parameters), data, tmp_path / name, progress=progress)
        values = [each for each in progress if "validation" in each]
        assert {each["metric"] for each in values} == {metric}
        assert [[each["epoch"], each["validation"]] for each in values] == [list(pair) for pair in answer["history"]]
        assert [each["epoch"] for each in values] == ([2, 4] if "eval_step" in parameters else [1, 2])
        log = watched.printed[before:].decode()
        expected = (
            f"epoch 2 of 2: {metric} " if name.startswith("RecPack") else "epoch 3 evaluating"
        )  # it counts from 0
        assert expected in log
        progress.clear()
    answer, _ = fit(
        watched_guests("LensKit"), experiment("LensKit.ImplicitMFScorer", {"epochs": 3}), data, tmp_path / "als"
    )
    assert (answer["history"], answer["epochs"]) == ([], 3)


@pytest.mark.parametrize(
    ("name", "parameters", "epochs"),
    [
        ("LensKit.EASEScorer", {}, None),
        ("Implicit.CosineRecommender", {}, None),
        ("Implicit.BayesianPersonalizedRanking", {"iterations": 3}, 3),
        ("Cornac.EASE", {}, None),
        ("Cornac.BPR", {"max_iter": 3}, 3),
        ("RecBole.EASE", {}, None),
        pytest.param("RecTools.EASEModel", {}, None, marks=pytest.mark.slow),
        pytest.param("RecTools.BERT4RecModel", {"epochs": 2}, 2, marks=pytest.mark.slow),
        pytest.param("RecTools.LightFMWrapperModel", {"epochs": 3}, 3, marks=pytest.mark.slow),
        ("RecPack.EASE", {}, None),
        pytest.param("RecPack.BPRMF", {"max_epochs": 4, "keep_last": True}, 4, marks=pytest.mark.slow),
        ("RecBole.BPR", {"epochs": 4, "eval_step": 0}, 4),
    ],
)
def test_the_number_of_epochs_is_that_of_the_model(
    name: str,
    parameters: dict[str, Any],
    epochs: int | None,
    watched_guests: Callable[[str], WatchedGuest],
    data: Path,
    tmp_path: Path,
) -> None:
    """None where there are no epochs, and the last where nobody chooses."""
    answer, _ = fit(watched_guests(name.partition(".")[0]), experiment(name, parameters), data, tmp_path)
    assert answer["epochs"] == epochs


def test_the_number_of_epochs_is_that_of_the_best_where_training_went_on(
    watched_guests: Callable[[str], WatchedGuest], data: Path, tmp_path: Path
) -> None:
    """RecBole stops a number of epochs later, RecPack trains all of them: the model has those of the best."""
    for name, parameters in (
        ("RecBole.BPR", {"epochs": 60, "learning_rate": 0.1, "stopping_step": 3}),
        ("RecPack.BPRMF", {"max_epochs": 30, "learning_rate": 0.2}),
        ("RecPack.MultVAE", {"max_epochs": 30, "stop_early": True, "max_iter_no_change": 3, "min_improvement": 0.0}),
    ):
        answer, _ = fit(watched_guests(name.partition(".")[0]), experiment(name, parameters), data, tmp_path / name)
        history = [tuple(pair) for pair in answer["history"]]
        sign = -1 if name == "RecPack.BPRMF" else 1  # its criterion is a loss
        best = max(history, key=lambda pair: (sign * pair[1], pair[0] if "RecBole" in name else -pair[0]))
        assert answer["epochs"] == best[0] < len(history), name


@pytest.mark.parametrize(
    ("name", "parameter", "others"),
    [
        ("RecBole.BPR", "epochs", {"stopping_step": 1}),
        pytest.param("RecBole.MultiVAE", "epochs", {}, marks=pytest.mark.slow),
        ("RecPack.BPRMF", "max_epochs", {"stop_early": True}),
        ("RecPack.MultVAE", "max_epochs", {"stop_early": True, "max_iter_no_change": 1}),
        pytest.param("RecPack.Prod2Vec", "max_epochs", {}, marks=pytest.mark.slow),
    ],
)
def test_a_fit_on_both_parts_trains_just_the_epochs_that_it_is_told(
    name: str,
    parameter: str,
    others: dict[str, Any],
    watched_guests: Callable[[str], WatchedGuest],
    data: Path,
    tmp_path: Path,
) -> None:
    """It keeps the last of them: the model is that of a split whose training part is both, and that validates nothing."""
    watched = watched_guests(name.partition(".")[0])
    single = experiment(name, {parameter: 5, **others})
    progress = list[dict[str, Any]]()
    refitted = on_both_parts(single)
    answer, predictions = fit(watched, refitted, data, tmp_path / "refitted", progress=progress)
    assert (answer["epochs"], answer["history"]) == (5, [])
    assert [each["epoch"] for each in progress] == [1, 2, 3, 4, 5]
    others.pop("stop_early", None)
    joined = joined_parts(data, tmp_path / "joined")
    plain = experiment(name, {parameter: 5, **others})
    _, expected = fit(watched, on_both_parts(plain), joined, tmp_path / "plain")
    assert predictions == expected
    assert get_runner(name.partition(".")[0]).catalogue["algorithms"][name.partition(".")[2]]["epochs"] == parameter


def joined_parts(data: Path, root: Path) -> Path:
    """Prepare data whose training part is training and validation of other data, with the same test part."""
    shutil.copytree(data, root)
    fold, folder = Fold(data, 0, TRAIN_AND_VALIDATION), root / "fold_0"
    part = fold.train
    assert part.timestamp is not None
    columns: dict[str, Any] = {"user": part.user, "item": part.item, "timestamp": part.timestamp}
    save_columns(folder / "train.npy", columns, np.arange(len(part)))
    save_columns(folder / "validation.npy", columns, np.arange(0))
    return root


def test_a_judge_that_fails_ends_the_fit_and_not_the_guest(
    watched_guests: Callable[[str], WatchedGuest], own: dict[str, Any], data: Path, tmp_path: Path
) -> None:
    """Its own error is raised; the guest has ended the Fit, and does the next one."""

    def broken(epoch: int, value: float) -> bool:
        raise ZeroDivisionError(f"epoch {epoch} {value}")

    for framework, algorithm in (("Own", own["Learns"]), ("LensKit", "LensKit.ImplicitMFScorer")):
        watched, single = watched_guests(framework), experiment(algorithm, {"epochs": 4})
        with pytest.raises(ZeroDivisionError, match=r"epoch 1 0\.\d+"):
            fit(watched, single, data, tmp_path / "broken", broken, ndcg(data))
        pid = watched.guest.pid
        answer, _ = fit(watched, single, data, tmp_path / framework)
        assert (answer["epochs"], watched.guest.pid) == (4, pid)


def test_a_class_that_catches_everything_is_pruned_all_the_same(
    watched_guests: Callable[[str], WatchedGuest], own: dict[str, Any], data: Path, tmp_path: Path
) -> None:
    """It may train to its end, but the Fit is pruned, at the epoch that was judged."""
    judge = Judge(2)
    with pytest.raises(PrunedError) as caught:
        fit(watched_guests("Own"), experiment(own["Learns"], {"swallows": True}), data, tmp_path, judge)
    assert (caught.value.epoch, caught.value.value) == (2, 0.02)
    assert judge.asked == [(1, 0.01), (2, 0.02)]


def test_children_of_a_class_wait_for_nobody(
    watched_guests: Callable[[str], WatchedGuest], own: dict[str, Any], data: Path, tmp_path: Path
) -> None:
    """A forked child reports into nothing, and is no epoch of the Fit."""
    judge = Judge()
    answer, _ = fit(
        watched_guests("Own"), experiment(own["Learns"], {"forks": True, "epochs": 3}), data, tmp_path, judge
    )
    assert judge.asked == [(1, 0.01), (2, 0.02)]
    assert (answer["epochs"], len(answer["history"])) == (3, 3)


@pytest.mark.parametrize(
    ("name", "parameters", "epochs"),
    [
        ("Learns", {"epochs": 4}, 4),
        ("Learns", {"epochs": 4, "first": 0}, 4),
        ("Learns", {"epochs": 4, "best": 2}, 2),
        ("Silent", {}, None),
    ],
)
def test_a_class_says_how_many_epochs_it_has_kept(
    name: str,
    parameters: dict[str, Any],
    epochs: int | None,
    watched_guests: Callable[[str], WatchedGuest],
    own: dict[str, Any],
    data: Path,
    tmp_path: Path,
) -> None:
    """The last that it reports, or its ``best_epoch``; it may count from 0, and may have none."""
    single = experiment(own[name], parameters)
    answer, _ = fit(watched_guests("Own"), single, data, tmp_path)
    assert answer["epochs"] == epochs
    assert single.configuration.epochs_parameter == "epochs"


def test_a_failure_is_no_pruning(watched_guests: Callable[[str], WatchedGuest], data: Path, tmp_path: Path) -> None:
    """A framework that raises while it is watched fails as ever."""
    single = experiment("RecBole.BPR", {"epochs": 3, "clip_grad_norm": {"max_norm": "fast"}})
    with pytest.raises(GuestError, match=r"fast|str|float") as caught:
        fit(watched_guests("RecBole"), single, data, tmp_path, Judge(1), ndcg(data))
    assert "Traceback" in caught.value.details
