"""Splits: every row in one part, every user in every fold, the same in every process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.data.interactions import Interactions
from omnibench.data.parts import Parts, Split
from omnibench.data.split import RandomCrossValidation, RandomHoldout, UserCrossValidation, UserHoldout
from omnibench.errors import DataError


def of_counts(counts: list[int]) -> Interactions:
    """Canonical interactions of users with so many items each."""
    user = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    item = np.concatenate([np.arange(count) for count in counts]).astype(np.int32)
    ids = [f"u{number}" for number in range(len(counts))]
    return Interactions(user, item, None, None, ids, list(range(max(counts))))


def sizes_of_users(rows: Interactions, part: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.bincount(rows.user[part], minlength=len(rows.user_ids))


def assert_complete(rows: Interactions, parts: Parts) -> None:
    """The parts are ascending row numbers, together all rows, none of them twice."""
    for part in parts:
        assert (np.diff(part) > 0).all()
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(rows)))


def expected_share(size: float, count: int) -> int:
    """Independent of the code: an int is a number, a fraction is rounded half up and at least one."""
    from decimal import ROUND_HALF_UP, Decimal

    if isinstance(size, int):
        return size
    if size == 0:
        return 0
    return max(1, int(Decimal(size * count).quantize(Decimal(1), ROUND_HALF_UP)))


counts = st.lists(st.integers(12, 60), min_size=1, max_size=30)
seeds = st.integers(0, 2**32 - 1)
sizes = st.sampled_from([0, 1, 3, 0.0, 0.05, 0.1, 0.25, 0.3])
test_sizes = st.sampled_from([1, 3, 0.05, 0.2, 0.25, 0.3])


@given(counts, seeds, sizes, test_sizes)
def test_a_user_holdout_takes_the_share_of_every_user(
    per_user: list[int], seed: int, validation: float, test: float
) -> None:
    """Parts are disjoint and complete, and every user gives exactly the documented share to each."""
    rows = of_counts(per_user)
    (parts,) = UserHoldout(validation, test).split(rows, seed, 0)
    assert_complete(rows, parts)
    assert sizes_of_users(rows, parts.test).tolist() == [expected_share(test, count) for count in per_user]
    assert sizes_of_users(rows, parts.validation).tolist() == [expected_share(validation, count) for count in per_user]
    assert sizes_of_users(rows, parts.train).min() >= 1


@given(counts, seeds, sizes, test_sizes)
def test_a_random_holdout_takes_the_share_of_all(
    per_user: list[int], seed: int, validation: float, test: float
) -> None:
    """Parts are disjoint and complete, with the documented share of all interactions."""
    rows = of_counts(per_user)
    (parts,) = RandomHoldout(validation, test).split(rows, seed, 0)
    assert_complete(rows, parts)
    assert len(parts.test) == expected_share(test, len(rows))
    assert len(parts.validation) == expected_share(validation, len(rows))


@given(counts, seeds, st.integers(2, 6), sizes)
def test_user_folds_are_balanced_for_every_user(per_user: list[int], seed: int, folds: int, validation: float) -> None:
    """Test parts partition the rows; every user is in each, with sizes that differ by at most one."""
    rows = of_counts(per_user)
    found = UserCrossValidation(folds, validation).split(rows, seed, 0)
    assert len(found) == folds
    for parts in found:
        assert_complete(rows, parts)
        assert sizes_of_users(rows, parts.train).min() >= 1
        expected = [expected_share(validation, count) for count in per_user]
        assert sizes_of_users(rows, parts.validation).tolist() == expected
    assert sorted(np.concatenate([parts.test for parts in found]).tolist()) == list(range(len(rows)))
    tested = np.array([sizes_of_users(rows, parts.test) for parts in found])
    assert tested.min() >= 1
    assert (tested.max(axis=0) - tested.min(axis=0)).max() <= 1


@given(counts, seeds, st.integers(2, 6), sizes)
def test_random_folds_are_balanced_overall(per_user: list[int], seed: int, folds: int, validation: float) -> None:
    """Test parts partition the rows and their sizes differ by at most one; validation has its share."""
    rows = of_counts(per_user)
    found = RandomCrossValidation(folds, validation).split(rows, seed, 0)
    for parts in found:
        assert_complete(rows, parts)
        assert len(parts.train) >= 1
        assert len(parts.validation) == expected_share(validation, len(rows))
    assert sorted(np.concatenate([parts.test for parts in found]).tolist()) == list(range(len(rows)))
    tested = [len(parts.test) for parts in found]
    assert max(tested) - min(tested) <= 1


def test_the_surplus_of_users_is_spread_over_the_folds() -> None:
    """Where every user has one item more than folds, no fold gets all the surplus."""
    rows = of_counts([6] * 2000)
    tested = [len(parts.test) for parts in UserCrossValidation(5).split(rows, 42, 0)]
    assert max(tested) - min(tested) < 150  # 2000 surplus rows; a fixed fold would take all of them


SPLITS: list[Split] = [
    UserHoldout(0.1, 0.2),
    RandomHoldout(0.1, 0.2),
    UserCrossValidation(3, 0.1),
    RandomCrossValidation(3, 0.1),
]


@pytest.mark.parametrize("split", SPLITS, ids=lambda split: type(split).__name__)
def test_seed_and_position_decide_the_draw(split: Split) -> None:
    """The same seed and position give the same parts; another seed or position gives others."""
    rows = of_counts([20, 30, 40])

    def drawn(seed: int, position: int) -> list[list[int]]:
        return [part.tolist() for parts in split.split(rows, seed, position) for part in parts]

    assert drawn(42, 1) == drawn(42, 1)
    assert drawn(42, 1) != drawn(43, 1)
    assert drawn(42, 1) != drawn(42, 2)
    assert drawn(0, 0) != drawn(0, 1)


@pytest.mark.parametrize("split", SPLITS[2:], ids=lambda split: type(split).__name__)
def test_validation_is_drawn_anew_in_every_fold(split: Split) -> None:
    """The rows that two folds share in training and validation are not validated in both by construction."""
    rows = of_counts([60, 60])
    first, second, _ = split.split(rows, 42, 0)
    assert set(first.validation.tolist()) != set(second.validation.tolist())


@pytest.mark.parametrize("split", SPLITS, ids=lambda split: type(split).__name__)
def test_a_split_is_the_same_in_another_process(split: Split) -> None:
    """What one process drew, another draws again, whatever its hash seed."""
    code = f"""
import numpy as np
from omnibench.data.interactions import Interactions
from omnibench.data.split import *
counts = [20, 30, 40]
user = np.repeat(np.arange(3), counts).astype(np.int32)
item = np.concatenate([np.arange(count) for count in counts]).astype(np.int32)
rows = Interactions(user, item, None, None, [0, 1, 2], list(range(40)))
print([part.tolist() for parts in {split!r}.split(rows, 42, 0) for part in parts])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = [part.tolist() for parts in split.split(of_counts([20, 30, 40]), 42, 0) for part in parts]
    assert done.stdout.strip() == str(here)


def test_the_draw_of_a_user_holdout_never_changes() -> None:
    """A frozen draw: whoever changes it must raise the step's version, or old results are mistaken for new ones."""
    (parts,) = UserHoldout(1, 2).split(of_counts([5, 4]), 42, 0)
    assert [part.tolist() for part in parts] == FROZEN_HOLDOUT


def test_the_folds_of_a_user_cross_validation_never_change() -> None:
    """The folds of a user cross-validation are pinned, so that keys keep their meaning."""
    found = UserCrossValidation(3, 1).split(of_counts([4, 5]), 42, 1)
    assert [[part.tolist() for part in parts] for parts in found] == FROZEN_FOLDS


FROZEN_HOLDOUT = [[0, 2, 5], [3, 7], [1, 4, 6, 8]]
FROZEN_FOLDS = [[[2, 4, 6], [3, 8], [0, 1, 5, 7]], [[0, 1, 4, 7, 8], [3, 5], [2, 6]], [[0, 2, 6, 7], [1, 5], [3, 4, 8]]]


def test_users_with_too_few_interactions_are_named() -> None:
    """The error counts the users, names the first with what they have, and tells the way out."""
    rows = of_counts([4, 9, 3, 9, 2, 1, 4, 4, 4])
    with pytest.raises(DataError) as caught:
        UserCrossValidation(5).split(rows, 42, 0)
    assert "7 of 9 users" in str(caught.value)
    assert "'u0' has 4, 'u2' has 3, 'u4' has 2" in str(caught.value)
    assert "and 2 more" in str(caught.value)
    assert "Pipe CorePruning(user_core=5) before it, or choose" in str(caught.value)


@given(
    st.one_of(
        st.builds(UserHoldout, st.floats(0, 0.5), st.floats(0.01, 0.48)),
        st.builds(UserCrossValidation, st.integers(2, 7), st.floats(0, 0.49)),
        st.builds(UserCrossValidation, st.integers(2, 7), st.integers(0, 9)),
    ),
    st.integers(1, 30),
)
def test_the_advised_core_is_enough_for_users_of_any_size(split: Split, count: int) -> None:
    """After the CorePruning that the error advises, no user is too small, whatever they have; one less is not enough."""
    import re

    with_too_few = of_counts([count, 1000])
    try:
        split.split(with_too_few, 42, 0)
    except DataError as error:
        advised = int(re.search(r"CorePruning\(user_core=(\d+)\)", str(error)).group(1))  # type: ignore[union-attr]
        split.split(of_counts(list(range(advised, advised + 150))), 42, 0)
        with pytest.raises(DataError):
            split.split(of_counts([advised - 1]), 42, 0)


@pytest.mark.parametrize(
    ("split", "n"), [(RandomHoldout(0.1, 0.2), 2), (RandomCrossValidation(5), 4), (RandomCrossValidation(2, 5), 8)]
)
def test_too_few_interactions_are_refused(split: Split, n: int) -> None:
    """The error says how many there are, how many are needed, and what to do."""
    with pytest.raises(DataError, match=rf"has {n} interactions, but this split needs at least \d+\. Choose"):
        split.split(of_counts([n]), 42, 0)


nan = float("nan")


@pytest.mark.parametrize(
    "make",
    [
        lambda: UserHoldout(test_size=0),
        lambda: UserHoldout(test_size=0.0),
        lambda: UserHoldout(test_size=1.0),
        lambda: UserHoldout(test_size=-1),
        lambda: UserHoldout(test_size=nan),
        lambda: UserHoldout(test_size=True),
        lambda: UserHoldout(test_size="0.2"),  # type: ignore[arg-type]
        lambda: UserHoldout(test_size=None),  # type: ignore[arg-type]
        lambda: UserHoldout(validation_size=-0.1),
        lambda: UserHoldout(validation_size=0.5, test_size=0.5),
        lambda: RandomHoldout(validation_size=nan),
        lambda: RandomHoldout(validation_size=0.9, test_size=0.2),
        lambda: UserCrossValidation(1),
        lambda: UserCrossValidation(True),
        lambda: UserCrossValidation(2.0),  # type: ignore[arg-type]
        lambda: UserCrossValidation(2, 0.5),
        lambda: UserCrossValidation(5, nan),
        lambda: RandomCrossValidation(0),
        lambda: RandomCrossValidation("5"),  # type: ignore[arg-type]
        lambda: RandomCrossValidation(5, 1.5),
    ],
)
def test_impossible_arguments_are_refused_at_once(make: Callable[[], Split]) -> None:
    """A split that can never be made is refused when it is written down, by name."""
    with pytest.raises(DataError, match=r"Holdout|CrossValidation"):
        make()


def test_single_splits_have_no_folds() -> None:
    """A holdout is a single split; a cross-validation tells its number of folds."""
    assert UserHoldout().folds is None
    assert RandomHoldout().folds is None
    assert UserCrossValidation(7).folds == 7
    assert RandomCrossValidation(3).folds == 3
