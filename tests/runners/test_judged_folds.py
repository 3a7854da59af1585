"""What is judged by the validation part: the fold, the lists and ratings of real frameworks, and their metrics."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibench import (
    NDCG,
    RMSE,
    AllItems,
    ExperimentPlan,
    GivenCandidates,
    RandomHoldout,
    StrongGeneralization,
    TimeBasedHoldout,
    UserHoldout,
    from_frame,
)
from omnibench.data.parts import Split
from omnibench.data.prepare import prepare
from omnibench.data.stored_ids import read_ids
from omnibench.engine import phases
from omnibench.engine.evaluation import evaluate
from omnibench.experiment.candidates import UNSEEN, Candidates
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.outputs import Outputs
from omnibench.experiment.planning import experiments
from omnibench.guest import TRAIN_AND_VALIDATION, VALIDATION
from omnibench.guest.candidates import candidate_sets
from omnibench.guest.folds import NO_ITEM, Fold
from omnibench.guest.parts import Part
from omnibench.guest.predictions import read_predictions
from omnibench.runners.gateway import Guest

SPLITS: dict[str, Split] = {
    "of each user": UserHoldout(0.2, 0.2),
    "of all": RandomHoldout(0.3, 0.3),
    "by time": TimeBasedHoldout(0.2, 0.3),
    "of users": StrongGeneralization(0.2, 0.2, 0.3),
}
LENGTH = 8


def write(root: Path, split: Split, *, rated: bool = False, seed: int = 3) -> Path:
    """Prepare data of 60 users who like items of one of four kinds."""
    rng = np.random.default_rng(seed)
    rows = [
        (user, int(item))
        for user in range(60)
        for item in np.r_[user % 4 * 12 + rng.choice(12, rng.integers(8, 12), replace=False), 48 + rng.integers(5)]
    ]
    frame = pd.DataFrame(rows, columns=["user", "item"]).assign(timestamp=rng.integers(0, 500, len(rows)))
    if rated:
        frame["rating"] = rng.integers(1, 6, len(rows))
    root.mkdir(parents=True)
    prepare(from_frame(frame, "shop").pipe(split), root)
    return root


def with_validation_as_test(dataset: Path, copy: Path) -> Path:
    """Write the dataset whose test part is the validation part of another one, and which has no validation part."""
    shutil.copytree(dataset, copy)
    for fold in copy.glob("fold_*"):
        rows = np.load(fold / "validation.npy")
        shutil.move(fold / "validation.npy", fold / "test.npy")
        np.save(fold / "validation.npy", rows[..., :0])
    return copy


def rows_in(part: Part) -> list[tuple[Any, ...]]:
    """The rows of a part, each with what is known of it."""
    columns = [column for column in (part.user, part.item, part.rating, part.timestamp) if column is not None]
    return list(zip(*(column.tolist() for column in columns), strict=True))


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(sorted(SPLITS)), st.booleans(), st.integers(0, 100))
def test_a_fold_judged_by_validation_is_that_of_data_whose_test_part_it_is(name: str, rated: bool, seed: int) -> None:
    """Parts, histories, users to recommend for, and what must not be recommended; all of it without the test part."""
    with tempfile.TemporaryDirectory() as folder:
        root = write(Path(folder, "data"), SPLITS[name], rated=rated, seed=seed)
        plain, judged = Fold(root, 0), Fold(root, 0, judged=VALIDATION)
        expected = Fold(with_validation_as_test(root, Path(folder, "copy")), 0)
        assert len(expected.test) == len(plain.validation) > 0
        for part in ("train", "validation", "test", "history"):
            assert rows_in(getattr(judged, part)) == rows_in(getattr(expected, part)), part
        assert rows_in(judged.train) == rows_in(plain.train)
        assert judged.users.tolist() == expected.users.tolist()
        assert judged.rankable.tolist() == expected.rankable.tolist()
        drawn = [candidate_sets(fold, {"policy": "sampled", "negatives": 5, "seed": 3}) for fold in (judged, expected)]
        for user in judged.users.tolist():
            assert judged.seen(user).tolist() == expected.seen(user).tolist()
            first, second = (sets.of(user).tolist() for sets in drawn if sets is not None)
            assert first == second


def test_a_model_is_not_judged_by_what_it_was_fitted_on(tmp_path: Path) -> None:
    """Training with the validation part, and then being judged by it, is refused."""
    root = write(tmp_path / "data", SPLITS["of each user"])
    with pytest.raises(ValueError, match=r"fitted on train\+validation cannot be judged by validation"):
        Fold(root, 0, TRAIN_AND_VALIDATION, judged=VALIDATION)


CLASSES = """
class Counts:
    def fit(self, train):
        self.items = train.groupby("item")["user"].nunique().sort_values(ascending=False, kind="stable").index.tolist()
    def recommend(self, users, k, history):
        assert set(history["user"]) == set(users)
        return [self.items[:k] for _ in users]
    def predict(self, users, items):
        return [3 + (user + item) % 3 for user, item in zip(users, items)]
"""


@pytest.fixture(scope="module")
def own_class(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A class of a user's own, which recommends what is popular."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "counting.py").write_text(CLASSES, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        from counting import Counts  # type: ignore[import-not-found]

        yield Counts


def experiment(
    algorithm: Any, parameters: dict[str, Any], candidates: Candidates = UNSEEN, *, rated: bool = False
) -> Experiment:
    """One experiment; the phases take its dataset by path."""
    frame = pd.DataFrame({"user": [1, 1, 1, 2, 2, 2], "item": [1, 2, 3, 1, 2, 3], **({"rating": 5} if rated else {})})
    plan = ExperimentPlan("judged")
    plan.add_algorithm(algorithm, parameters)
    data = from_frame(frame).pipe(UserHoldout(0, 0.4))
    metric = RMSE() if rated else NDCG(10)
    (single,) = experiments(data, plan, [metric], versions=lambda _: "", seeds=[7], candidates=candidates)
    return single


ALGORITHMS: list[tuple[str, dict[str, Any]]] = [
    ("LensKit.EASEScorer", {"regularization": 20.0}),
    ("LensKit.ItemKNNScorer", {}),
    ("RecPack.EASE", {"l2": 20.0}),
    ("RecPack.BPRMF", {"max_epochs": 3}),
    ("RecBole.EASE", {"reg_weight": 20.0}),
    ("RecBole.BPR", {"epochs": 3}),
    ("own", {}),
]
CASES = [
    (name, parameters, split)
    for name, parameters in ALGORITHMS
    for split in ("of each user", "of users")
    if split == "of each user" or name not in ("RecPack.BPRMF", "RecBole.EASE", "RecBole.BPR")
]
"""Those that are left out need the users that they recommend for in training."""


def ndcg(lists: dict[int, list[int]], relevant: dict[int, set[int]], k: int) -> float:
    """Compute NDCG@k as its definition says, user by user; who has no list counts as zero."""
    values = []
    for user, items in relevant.items():
        gain = sum(1 / log2(rank + 1) for rank, item in enumerate(lists.get(user, [])[:k], start=1) if item in items)
        values.append(gain / sum(1 / log2(rank + 1) for rank in range(1, min(k, len(items)) + 1)))
    return sum(values) / len(values)


@pytest.mark.parametrize(
    ("name", "parameters", "split"),
    [
        pytest.param(*case, id=f"{case[0]} {case[2]}", marks=pytest.mark.slow if case[0].startswith("RecBole") else [])
        for case in CASES
    ],
)
def test_lists_for_validation_are_those_for_data_whose_test_part_it_is(
    name: str,
    parameters: dict[str, Any],
    split: str,
    guests: Callable[[str], Guest],
    own_class: Any,
    tmp_path: Path,
) -> None:
    """Of the same model, byte for byte; and their metric is the one that its definition gives."""
    framework = "Own" if name == "own" else name.partition(".")[0]
    guest, single = guests(framework), experiment(own_class if name == "own" else name, parameters)
    root = write(tmp_path / "data", SPLITS[split])
    copy = with_validation_as_test(root, tmp_path / "copy")
    (tmp_path / "model").mkdir()
    model = tmp_path / "model" / phases.fit(guest, single, root, tmp_path / "model")["file"]
    judged, expected = tmp_path / "judged.npy", tmp_path / "expected.npy"
    phases.predict(guest, single, root, model, LENGTH, judged, judged=VALIDATION)
    phases.predict(guest, single, copy, model, LENGTH, expected)
    assert judged.read_bytes() == expected.read_bytes()

    lists = read_predictions(judged).lists
    assert lists is not None
    fold = Fold(root, 0)
    by_user = {
        user: [item for item in items if item != NO_ITEM]
        for user, items in zip(lists["user"].tolist(), lists["item"].tolist(), strict=True)
    }
    train: dict[int, set[int]] = {}
    for user, item in zip(fold.history.user.tolist(), fold.history.item.tolist(), strict=True):
        train.setdefault(user, set()).add(item)
    relevant: dict[int, set[int]] = {}
    for user, item in zip(fold.validation.user.tolist(), fold.validation.item.tolist(), strict=True):
        relevant.setdefault(user, set()).add(item)
    assert set(by_user) == set(relevant) & set(train)
    assert all(not train[user] & set(items) for user, items in by_user.items())
    metric = NDCG(5)
    evaluation = evaluate(root, 0, judged, [(metric, "NDCG@5")], judged=VALIDATION)
    (value,) = vars(evaluation)["values"].values()
    assert value == pytest.approx(ndcg(by_user, relevant, 5), abs=1e-12)
    assert value > 0
    assert evaluation.users.tolist() == sorted(relevant)


@pytest.mark.guests
@pytest.mark.parametrize(
    ("name", "parameter"),
    [("LensKit.EASEScorer", "regularization"), ("RecPack.EASE", "l2"), ("RecBole.EASE", "reg_weight")],
)
def test_validation_users_are_ranked_against_what_is_unseen_in_training(
    name: str, parameter: str, guests: Callable[[str], Guest], tmp_path: Path
) -> None:
    """As the closed form of EASE (Steck 2019, equation 8) ranks: items of validation and of test are among the rest."""
    root = write(tmp_path / "data", SPLITS["of each user"])
    guest, single, output = guests(name.partition(".")[0]), experiment(name, {parameter: 20.0}), tmp_path / "lists.npy"
    model = tmp_path / phases.fit(guest, single, root, tmp_path)["file"]
    phases.predict(guest, single, root, model, LENGTH, output, judged=VALIDATION)
    fold = Fold(root, 0)
    train = np.zeros((fold.n_users, fold.n_items))
    train[fold.train.user, fold.train.item] = 1
    inverse = np.linalg.inv(train.T @ train + 20.0 * np.eye(fold.n_items))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    scores = train @ weights
    scores[train > 0] = -np.inf
    scores[:, train.sum(axis=0) == 0] = -np.inf
    rows = read_predictions(output).lists
    assert rows is not None
    assert rows["user"].tolist() == np.unique(fold.validation.user).tolist()
    for row in rows:
        best = np.sort(scores[row["user"]])[::-1][:LENGTH]
        assert np.allclose(scores[row["user"]][row["item"]], best, atol=1e-5)


def test_ratings_are_of_the_validation_pairs(guests: Callable[[str], Guest], own_class: Any, tmp_path: Path) -> None:
    """LensKit's and a user's class's; RMSE is that of these pairs."""
    root = write(tmp_path / "data", SPLITS["of each user"], rated=True)
    copy = with_validation_as_test(root, tmp_path / "copy")
    both: Sequence[tuple[str, Any]] = (("LensKit", "LensKit.BiasScorer"), ("Own", own_class))
    for framework, algorithm in both:
        guest, single = guests(framework), experiment(algorithm, {}, rated=True)
        model = tmp_path / phases.fit(guest, single, root, tmp_path)["file"]
        judged, expected = tmp_path / "judged.npy", tmp_path / "expected.npy"
        outputs = Outputs(lists=False, ratings=True)
        phases.predict(guest, single, root, model, LENGTH, judged, outputs=outputs, judged=VALIDATION)
        phases.predict(guest, single, copy, model, LENGTH, expected, outputs=outputs)
        assert judged.read_bytes() == expected.read_bytes()
        ratings, validation = read_predictions(judged).ratings, Fold(root, 0).validation
        assert ratings is not None
        assert validation.rating is not None
        errors = ratings["rating"].astype(float) - validation.rating
        evaluation = evaluate(root, 0, judged, [(RMSE(), "RMSE")], judged=VALIDATION)
        (value,) = vars(evaluation)["values"].values()
        assert value == pytest.approx(np.sqrt(np.mean(errors**2)), abs=1e-9)


def test_candidates_that_are_given_are_those_of_the_test_part(
    guests: Callable[[str], Guest], own_class: Any, tmp_path: Path
) -> None:
    """A user's given items need not hold what is in validation, so that all unseen items are ranked there."""
    root = write(tmp_path / "data", SPLITS["of each user"])
    fold = Fold(root, 0)
    ids = {name: read_ids(root, name) for name in ("users", "items")}
    items = {
        ids["users"][user]: [ids["items"][item] for item in fold.test.item[fold.test.user == user]]
        for user in fold.users
    }
    guest, output = guests("Own"), tmp_path / "lists.npy"
    lists = []
    for candidates in (GivenCandidates(items), AllItems()):
        single = experiment(own_class, {}, candidates)
        model = tmp_path / phases.fit(guest, single, root, tmp_path)["file"]
        phases.predict(guest, single, root, model, LENGTH, output, judged=VALIDATION)
        lists.append(output.read_bytes())
    assert lists[0] == lists[1]
