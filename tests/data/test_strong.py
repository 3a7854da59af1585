"""StrongGeneralization: test users are strangers to training, and what they are given is never what is tested."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from omnibench import (
    NDCG,
    ExperimentPlan,
    LensKit,
    MakeImplicit,
    RecBole,
    RecPack,
    SplitData,
    StrongGeneralization,
    UserHoldout,
    from_frame,
)
from omnibench.data.parts import Split
from omnibench.data.prepare import prepare
from omnibench.errors import DataError, PlanError
from omnibench.experiment.planning import experiments
from omnibench.guest.folds import Fold

histories = st.lists(st.integers(2, 12), min_size=3, max_size=20)
seeds = st.integers(0, 2**32 - 1)


def frame_of(per_user: list[int]) -> pd.DataFrame:
    """Users with so many interactions, each later than the one before, in an order of its own."""
    rows = [(user, item, (item * 7 + user) % 13) for user, count in enumerate(per_user) for item in range(count)]
    return pd.DataFrame(rows, columns=["user", "item", "timestamp"])


def rounded(size: float, count: int) -> int:
    return size if isinstance(size, int) else max(1, int(size * count + 0.5)) if size else 0


@given(
    histories,
    seeds,
    st.sampled_from([0, 1, 0.2]),
    st.sampled_from([1, 2, 0.3]),
    st.sampled_from([1, 0.2, 0.5]),
    st.sampled_from(["random", "last"]),
)
def test_users_are_held_out_entirely_and_given_a_part(
    per_user: list[int], seed: int, validation_users: float, test_users: float, test_size: float, which: str
) -> None:
    """Parts have users of their own, exactly as many as asked; each gives its share, and is given the rest of it."""
    frame = frame_of(per_user)
    dataset = from_frame(frame).pipe(StrongGeneralization(validation_users, test_users, test_size, which))
    dataset.seed = seed
    try:
        data = dataset.data
    except DataError:
        assume(False)
    assert isinstance(data, SplitData)
    assert data.given is not None
    everything = pd.concat([data.train, data.validation, data.test, data.given])
    assert sorted(everything.itertuples(index=False)) == sorted(frame.itertuples(index=False))
    users = {name: set(getattr(data, name)["user"]) for name in ("train", "validation", "test", "given")}
    assert len(users["test"]) == rounded(test_users, len(per_user))
    assert len(users["validation"]) == rounded(validation_users, len(per_user))
    assert not users["test"] & users["validation"]
    assert users["train"] == set(range(len(per_user))) - users["test"] - users["validation"] != set()
    assert users["given"] == users["test"] | users["validation"]
    for user in users["given"]:
        held_out = pd.concat([part[part["user"] == user] for part in (data.validation, data.test)])
        known = data.given[data.given["user"] == user]
        assert len(held_out) == rounded(test_size, per_user[user])
        if which == "last":
            assert known["timestamp"].max() <= held_out["timestamp"].min()


def test_a_guest_knows_what_is_given_and_nothing_else(tmp_path: Path) -> None:
    """The users to recommend for are the test users; what they are given, and unknown items, are masked."""
    dataset = from_frame(frame_of([4, 5, 6, 7, 8, 12])).pipe(StrongGeneralization(1, 2, 0.5))
    prepare(dataset, tmp_path)
    fold = Fold(tmp_path, 0)
    assert fold.folds_in
    assert fold.users.tolist() == sorted(set(fold.test.user.tolist()))
    assert not set(fold.users.tolist()) & set(fold.train.user.tolist())
    scores = np.zeros((len(fold.users), fold.n_items), dtype=np.float32)
    fold.mask(fold.users, scores)
    for row, user in enumerate(fold.users):
        known = set(fold.history.item[fold.history.user == user].tolist())
        known |= set(range(fold.n_items)) - set(fold.train.item.tolist())
        assert set(np.flatnonzero(np.isneginf(scores[row])).tolist()) == known
        assert not known & set(fold.test.item[fold.test.user == user].tolist()) - set(
            np.flatnonzero(~fold.candidates).tolist()
        )


def test_the_history_of_other_splits_is_training(tmp_path: Path) -> None:
    """Where test users are known, nothing else is."""
    prepare(from_frame(frame_of([6, 7])).pipe(UserHoldout()), tmp_path)
    fold = Fold(tmp_path, 0)
    assert not fold.folds_in
    assert fold.history is fold.train
    assert not (tmp_path / "fold_0" / "given.npy").exists()


class FromHistory:
    """Takes what users are given."""

    def fit(self, train: Any) -> None: ...

    def recommend(self, users: Any, k: int, history: Any) -> Any: ...


class FromTraining:
    """Does not."""

    def fit(self, train: Any) -> None: ...

    def recommend(self, users: Any, k: int) -> Any: ...


def plan_of(*algorithms: Any) -> ExperimentPlan:
    plan = ExperimentPlan()
    for algorithm in algorithms:
        plan.add_algorithm(algorithm)
    return plan


def checked(dataset: Any, plan: ExperimentPlan) -> int:
    return len(experiments(dataset, plan, (NDCG(10),), versions=lambda _: "1", seeds=[42]))


def test_algorithms_that_cannot_fold_in_are_refused_before_anything_runs() -> None:
    """By name, with the reason and what to do; on another split, and with a history, everything may run."""
    raw = from_frame(frame_of([9, 9, 9]), "Mine")
    strong = raw.pipe(StrongGeneralization())
    for algorithm in (RecBole.BPR, RecBole.ItemKNN, LensKit.FlexMFImplicitScorer, RecPack.SVD, RecPack.BPRMF):
        with pytest.raises(PlanError, match=rf"{algorithm} .*unknown in training .*StrongGeneralization .* on Mine"):
            checked(strong, plan_of(algorithm))
        assert checked(raw.pipe(UserHoldout()), plan_of(algorithm)) == 1
    with pytest.raises(PlanError, match=r"FromTraining .*takes no history.*Let recommend take history"):
        checked(strong, plan_of(FromTraining))
    able = (LensKit.EASEScorer, LensKit.ImplicitMFScorer, RecPack.ItemKNN, RecPack.MultVAE, FromHistory)
    assert checked(strong, plan_of(*able)) == len(able)


def test_it_judges_rankings() -> None:
    """Ratings of strangers are refused, with the way out."""
    raw = from_frame(frame_of([9, 9, 9]).assign(rating=5.0), "Mine")
    with pytest.raises(DataError, match=r"Mine has explicit ratings, but StrongGeneralization .*MakeImplicit"):
        checked(raw.pipe(StrongGeneralization()), plan_of(LensKit.EASEScorer))
    assert checked(raw.pipe(MakeImplicit(3), StrongGeneralization()), plan_of(LensKit.EASEScorer)) == 1


@pytest.mark.parametrize(
    ("split", "says"),
    [
        (StrongGeneralization(1, 2), r"has 3 users, but this split needs at least 4"),
        (
            StrongGeneralization(0, 2, 3),
            r"of 2 users have too few .*this split needs 4\. Choose fewer folds or smaller parts",
        ),
    ],
)
def test_what_the_data_cannot_give_is_refused(split: Split, says: str) -> None:
    """Too few users, or held-out users with too little, are named."""
    with pytest.raises(DataError, match=says):
        _ = from_frame(frame_of([2, 2, 2])).pipe(split).data


@pytest.mark.parametrize(
    "make",
    [
        lambda: StrongGeneralization(test_users=0),
        lambda: StrongGeneralization(0.5, 0.5),
        lambda: StrongGeneralization(validation_users=-1),
        lambda: StrongGeneralization(test_size=1.0),
        lambda: StrongGeneralization(test_users=None),  # type: ignore[arg-type]
        lambda: StrongGeneralization(which="first"),
        lambda: from_frame(frame_of([3])[["user", "item"]]).pipe(StrongGeneralization(which="last")),
    ],
)
def test_impossible_arguments_are_refused_at_once(make: Callable[[], Any]) -> None:
    """A split that can never be made is refused when it is written down, by name."""
    with pytest.raises(DataError, match="StrongGeneralization"):
        make()
