"""Candidate policies: every framework ranks the same items, and the host makes sure of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.cases import ranking_case
from support.written_folds import write_fold

from omnibench import AUC, NDCG, AllItems, Evaluator, GivenCandidates, SampledNegatives
from omnibench.engine.list_checks import list_flaw
from omnibench.errors import EvaluationError
from omnibench.experiment.candidates import UNSEEN, KnownIds
from omnibench.guest.candidates import CandidateSets, candidate_sets
from omnibench.guest.folds import NO_ITEM, Fold
from omnibench.guest.ranking import recommend


@pytest.fixture(scope="module")
def fold(tmp_path_factory: pytest.TempPathFactory) -> Fold:
    """A fold in which items are unknown in training."""
    return ranking_case(tmp_path_factory.mktemp("fold"), full=False).fold


def sets_of(fold: Fold, policy: Any, directory: Path) -> CandidateSets:
    """What a guest makes of a policy; ids are codes."""
    found = candidate_sets(fold, policy.described(directory, KnownIds(range(fold.n_users), range(fold.n_items))))
    assert found is not None
    return found


def relevant_of(fold: Fold, user: int) -> set[int]:
    return set(fold.test.item[fold.test.user == user].tolist())


def sampled(negatives: int, seed: int = 42) -> SampledNegatives:
    with pytest.warns(UserWarning, match="inconsistent.*Krichene & Rendle"):
        return SampledNegatives(negatives, seed)


def test_sampled_negatives_are_unseen_items_beside_the_relevant_ones(fold: Fold, tmp_path: Path) -> None:
    """As many as asked for, or all that there are; known in training, neither seen nor relevant."""
    for negatives in (1, 20, 1000):
        sets = sets_of(fold, sampled(negatives), tmp_path)
        for user in fold.users.tolist():
            chosen = set(np.flatnonzero(sets.of(user)).tolist())
            relevant = relevant_of(fold, user)
            pool = set(np.flatnonzero(fold.candidates).tolist()) - set(fold.seen(user).tolist()) - relevant
            assert relevant <= chosen
            assert chosen - relevant <= pool
            assert len(chosen - relevant) == min(negatives, len(pool))


def test_the_draw_depends_on_seed_and_user_alone(fold: Fold, tmp_path: Path) -> None:
    """The same in every process; pinned, because two versions of numpy must agree about it."""
    users = fold.users[:30].tolist()
    first, again, other = (sets_of(fold, sampled(15, seed), tmp_path) for seed in (1, 1, 2))
    assert all((first.of(user) == again.of(user)).all() for user in users)
    assert sum((first.of(user) != other.of(user)).any() for user in users) > 20
    drawn = [frozenset(np.flatnonzero(first.of(user)).tolist()) - relevant_of(fold, user) for user in users]
    assert len(set(drawn)) == len(users)
    assert sorted(drawn[0])[:5] == [25, 43, 45, 46, 53]


def sorted_draw(fold: Fold, user: int, negatives: int, seed: int) -> set[int]:
    """The items with the lowest keys, by sorting the keys of all items of the pool, in Python's whole numbers."""

    def mixed(state: int) -> int:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB % 2**64
        return state ^ (state >> 31)

    in_training = Fold(fold.directory, fold.number).candidates
    pool = set(np.flatnonzero(in_training).tolist()) - set(fold.seen(user).tolist()) - relevant_of(fold, user)
    stream = mixed(mixed(seed) ^ user)
    by_key = sorted(pool, key=lambda item: mixed((stream + (item + 1) * 0x9E3779B97F4A7C15) % 2**64))
    return set(by_key[:negatives]) | relevant_of(fold, user)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 120), st.integers(0, 2**63 - 1), st.sampled_from(["", "refit", "judged"]))
def test_what_is_drawn_has_the_lowest_keys(fold: Fold, negatives: int, seed: int, parts: str) -> None:
    """Whatever is fitted on and judged by, and where most items are seen; the keys say it, not how they are looked for."""
    refit, judged = "train+validation" * (parts == "refit"), "validation" * (parts == "judged")
    parted = Fold(fold.directory, 0, refit, judged=judged)
    sets = candidate_sets(parted, {"policy": "sampled", "negatives": negatives, "seed": seed})
    assert sets is not None
    for user in parted.users.tolist():
        assert set(np.flatnonzero(sets.of(user)).tolist()) == sorted_draw(parted, user, negatives, seed)


def test_many_items_are_drawn_from_by_their_keys(tmp_path: Path) -> None:
    """Of thousands of items, where few keys are looked at; also for who has seen all of them but a few."""
    n_items = 5000
    train = [(0, item) for item in range(n_items - 30)] + [(user, user) for user in (1, 2, 3)]
    train += [(4, item) for item in range(n_items)]
    pairs = {"train": train, "validation": [], "test": [(user, n_items - 1) for user in range(4)]}
    write_fold(tmp_path, 5, n_items, pairs)
    fold = Fold(tmp_path, 0)
    for negatives in (1, 20, 100, 4999):
        sets = candidate_sets(fold, {"policy": "sampled", "negatives": negatives, "seed": 7})
        assert sets is not None
        for user in range(4):
            assert set(np.flatnonzero(sets.of(user)).tolist()) == sorted_draw(fold, user, negatives, 7)


def test_a_draw_is_made_once_in_a_process(fold: Fold, tmp_path: Path) -> None:
    """It is kept for whoever opens the fold; another fold, number or seed, and data at the same path, have their own."""
    policy = {"policy": "sampled", "negatives": 9, "seed": 4}
    kept = candidate_sets(fold, policy)
    assert candidate_sets(Fold(fold.directory, 0), policy) is kept
    for other in ({**policy, "negatives": 8}, {**policy, "seed": 5}):
        assert candidate_sets(fold, other) is not kept
    for refit, judged in (("train+validation", ""), ("", "validation")):
        assert candidate_sets(Fold(fold.directory, 0, refit, judged=judged), policy) is not kept
    drawn = []
    for item in (2, 3):
        root = tmp_path / "data"
        root.mkdir()
        write_fold(root, 1, 4, {"train": [(0, item)], "validation": [], "test": [(0, 0)]})
        drawn.append(candidate_sets(Fold(root, 0), policy))
        root.rename(tmp_path / str(item))
    assert drawn[0] is not drawn[1]


def test_every_item_of_the_pool_is_drawn_about_as_often(fold: Fold, tmp_path: Path) -> None:
    """Over many seeds: a chi-square that a fair draw exceeds once in a thousand times."""
    from scipy.stats import chisquare

    user = int(fold.users[3])
    with pytest.warns(UserWarning, match="inconsistent"):
        policies = [SampledNegatives(10, seed) for seed in range(400)]
    counts = sum(sets_of(fold, policy, tmp_path).of(user).astype(int) for policy in policies)
    pool = sorted(
        set(np.flatnonzero(fold.candidates).tolist()) - set(fold.seen(user).tolist()) - relevant_of(fold, user)
    )
    assert isinstance(counts, np.ndarray)
    # Drawn without replacement, counts vary less than the test assumes; so it is only ever too kind to a fair draw.
    assert chisquare(counts[pool]).pvalue > 1e-3


def test_given_candidates_are_what_is_given(fold: Fold, tmp_path: Path) -> None:
    """Candidates are given as a mapping or a frame; items that the dataset does not have are ignored."""
    items = {user: [user, user + 1, "unknown"] for user in range(fold.n_users)}
    frame = pd.DataFrame(
        [(user, item) for user, several in items.items() for item in several], columns=["user", "item"]
    )
    for policy in (GivenCandidates(items), GivenCandidates(frame)):
        sets = sets_of(fold, policy, tmp_path)
        for user in range(fold.n_users - 1):
            assert np.flatnonzero(sets.of(user)).tolist() == [user, user + 1]


def test_candidates_of_another_dataset_are_refused(fold: Fold, tmp_path: Path) -> None:
    """Texts where the dataset has numbers would leave every list empty, and every metric 0."""
    for strangers in ({"1": [1]}, {1: ["1"]}):
        with pytest.raises(EvaluationError, match=r"none of the given candidates .*'1'.* its items are like 0"):
            sets_of(fold, GivenCandidates(strangers), tmp_path)


def test_lists_hold_candidates_only_and_the_host_checks_it(fold: Fold, tmp_path: Path) -> None:
    """Masking still holds; lists made with other candidates break the contract."""
    scores = np.random.default_rng(1).random((len(fold.users), fold.n_items), dtype=np.float32)
    sets = sets_of(fold, sampled(5), tmp_path)
    rows = recommend(fold, [(fold.users, scores)], 20, sets)
    assert list_flaw(fold, rows, 20, sets) == ""
    for row in rows:
        listed = row["item"][row["item"] != NO_ITEM]
        assert len(listed) > 0
        assert sets.of(row["user"])[listed].all()
    other = sets_of(fold, sampled(5, seed=3), tmp_path)
    assert list_flaw(fold, rows, 20, other) == "a list has an item that is no candidate of its user"


def test_a_policy_is_part_of_the_key_by_content() -> None:
    """The default adds what it always has."""
    assert UNSEEN.identity == Evaluator(NDCG(10)).candidates.identity == "unseen"
    assert sampled(10, 1).identity != sampled(10, 2).identity != sampled(11, 2).identity
    of_numpy: Any = np.int64(10)
    assert repr(sampled(of_numpy, of_numpy)) == repr(sampled(10, 10))
    one, same, other = GivenCandidates({1: [2, 3]}), GivenCandidates({1: {3, 2}}), GivenCandidates({1: [2, "3"]})
    assert one.identity == same.identity != other.identity
    assert GivenCandidates({1: [2, 3]}, repeats=True).identity == [*one.identity, {"repeats": True}]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: SampledNegatives(0), "negatives is 0"),
        (lambda: SampledNegatives(True), "negatives is True"),
        (lambda: SampledNegatives(10, -1), "seed is -1"),
        (lambda: GivenCandidates({}), "candidates are empty"),
        (lambda: GivenCandidates({1: "ab"}), "candidates of user 1 are 'ab'"),
        (
            lambda: GivenCandidates(3),  # type: ignore[arg-type]
            "give a mapping",
        ),
        (lambda: GivenCandidates({1: [object]}), "no stable form"),
        (
            lambda: Evaluator(NDCG(10), candidates="unseen"),  # type: ignore[arg-type]
            "the candidates are 'unseen'",
        ),
        (lambda: Evaluator(AUC(10), candidates=GivenCandidates({1: [2]})), "AUC counts all unseen items"),
        (lambda: Evaluator(AUC(10), candidates=AllItems(repeats=True)), "AUC counts all unseen items"),
        (
            lambda: AllItems(unknown=1),  # type: ignore[arg-type]
            "AllItems: unknown is 1; give True or False",
        ),
    ],
)
def test_an_impossible_policy_is_refused(make: Any, says: str) -> None:
    """An impossible policy is refused as soon as it is made."""
    with pytest.raises(EvaluationError, match=says):
        make()
