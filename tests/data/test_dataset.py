"""RecSysDataSet: a lazy recipe whose key says all that its parts depend on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibench import (
    CorePruning,
    FoldedData,
    LeaveLastOut,
    LeaveNOut,
    MakeImplicit,
    Pipe,
    RandomCrossValidation,
    RandomHoldout,
    RatingFilter,
    RawData,
    SplitData,
    StrongGeneralization,
    Subsample,
    TimeBasedHoldout,
    TimeFilter,
    UserCrossValidation,
    UserHoldout,
    from_file,
    from_frame,
    set_random_state,
)
from omnibench.data import frame_source
from omnibench.data.step import Step
from omnibench.errors import DataError
from omnibench.keys import canonical
from omnibench.seed import get_random_state

FRAME = pd.DataFrame(
    [
        (f"u{user}", item, float((user * item) % 5 + 1), user + item)
        for user, item in itertools.product(range(12), range(15))
    ],
    columns=["user", "item", "rating", "timestamp"],
)


@pytest.fixture(autouse=True)
def seed_of_the_test() -> Iterator[None]:
    before = get_random_state()
    set_random_state()
    yield
    set_random_state(before)


def triples(*frames: pd.DataFrame) -> list[tuple[Any, ...]]:
    return sorted(row for frame in frames for row in frame.itertuples(index=False, name=None))


def test_raw_data_is_the_frame() -> None:
    """Without steps, data is all interactions with the user's own ids."""
    data = from_frame(FRAME).data
    assert isinstance(data, RawData)
    assert triples(data.df) == triples(FRAME)


def test_a_holdout_gives_the_three_parts() -> None:
    """SplitData's parts are disjoint and together the interactions."""
    dataset = from_frame(FRAME).pipe(UserHoldout(0.1, 0.2))
    assert dataset.variant is SplitData
    data = dataset.data
    assert isinstance(data, SplitData)
    assert triples(data.train, data.validation, data.test) == triples(FRAME)
    assert len(data.test) == 12 * 3


def test_a_cross_validation_gives_folds_by_number() -> None:
    """FoldedData has each fold's parts; the test parts together are the interactions."""
    dataset = from_frame(FRAME).pipe(UserCrossValidation(5, validation_size=1))
    assert dataset.variant is FoldedData
    data = dataset.data
    assert isinstance(data, FoldedData)
    assert list(data.folds) == [0, 1, 2, 3, 4]
    assert triples(*(fold.test for fold in data.folds.values())) == triples(FRAME)
    for fold in data.folds.values():
        assert triples(fold.train, fold.validation, fold.test) == triples(FRAME)
        assert set(fold.test["user"]) == set(FRAME["user"])


def test_pipe_leaves_the_dataset_as_it_is() -> None:
    """Appending steps makes a new dataset; Pipe does the same to any dataset."""
    raw = from_frame(FRAME)
    key = raw.key
    split = raw.pipe(MakeImplicit(3), UserHoldout())
    assert raw.steps == ()
    assert raw.key == key != split.key
    assert Pipe(MakeImplicit(3), UserHoldout()).process(raw).key == split.key
    assert raw.pipe(MakeImplicit(3)).pipe(UserHoldout()).key == split.key


RECIPES: list[tuple[Step, ...]] = [
    (),
    (MakeImplicit(3),),
    (MakeImplicit(4),),
    (MakeImplicit(0.5),),
    (CorePruning(2),),
    (Subsample(100),),
    (Subsample(0.5),),
    (MakeImplicit(3), CorePruning(2)),
    (CorePruning(2), MakeImplicit(3)),
    (UserHoldout(),),
    (UserHoldout(0.1, 0.3),),
    (UserHoldout(1, 0.2),),
    (RandomHoldout(),),
    (UserCrossValidation(),),
    (UserCrossValidation(4),),
    (UserCrossValidation(5, 0.1),),
    (RandomCrossValidation(),),
]


def test_every_recipe_has_a_key_of_its_own() -> None:
    """Source, steps, their order, their arguments and the seed are in the key; nothing else is."""
    keys = {from_frame(FRAME).pipe(*recipe).key for recipe in RECIPES}
    assert len(keys) == len(RECIPES)
    set_random_state(43)
    assert not keys & {from_frame(FRAME).pipe(*recipe).key for recipe in RECIPES}
    set_random_state(42)
    assert keys == {from_frame(FRAME, name="other").pipe(*recipe).key for recipe in RECIPES}


@pytest.mark.parametrize("step", [
    (MakeImplicit, 3), (MakeImplicit, 0.5), (RatingFilter, 2, 4.5), (CorePruning, 2), (Subsample, 0.5), (Subsample, 7),
    (TimeFilter, 5, 8), (UserHoldout, 1, 0.25), (UserCrossValidation, 3, 0.25), (RandomCrossValidation, 3),
    (TimeBasedHoldout, 2, 0.25), (LeaveNOut, 2, 0), (LeaveLastOut, 0), (StrongGeneralization, 0, 1, 0.5),
])  # fmt: skip
def test_numbers_of_numpy_are_numbers(step: tuple[Any, ...]) -> None:
    """An argument that comes out of an array or a frame is Python's own: it reads, counts and keys alike."""
    kind, *numbers = step
    of_numpy = [np.int32(one) if isinstance(one, int) else np.float32(one) for one in numbers]
    assert repr(kind(*of_numpy)) == repr(kind(*numbers))
    assert canonical(kind(*of_numpy).identity) == canonical(kind(*numbers).identity)


def test_the_seed_is_that_of_the_datasets_creation() -> None:
    """Setting the random state later changes neither key nor parts of a dataset that exists."""
    dataset = from_frame(FRAME)
    before = dataset.pipe(UserHoldout())
    set_random_state(7)
    after = dataset.pipe(UserHoldout())
    other = from_frame(FRAME).pipe(UserHoldout())
    assert before.key == after.key != other.key
    assert isinstance(before.data, SplitData)
    assert isinstance(after.data, SplitData)
    assert isinstance(other.data, SplitData)
    assert triples(before.data.test) == triples(after.data.test) != triples(other.data.test)


@pytest.mark.parametrize("seed", [-1, 2**32, 10**30])
def test_a_seed_outside_of_what_frameworks_take_is_refused(seed: int) -> None:
    """The error says the range."""
    with pytest.raises(ValueError, match="from 0 to 4294967295"):
        set_random_state(seed)


@pytest.mark.parametrize("seed", [True, 1.0, "42", None])
def test_a_seed_that_is_no_int_is_refused(seed: Any) -> None:
    """A float or text would be another seed in another framework."""
    with pytest.raises(TypeError, match="non-negative integer"):
        set_random_state(seed)


def test_nothing_is_read_before_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Key, name, variant, folds and repr of a recipe touch no interaction."""
    monkeypatch.setattr(frame_source.FrameSource, "load", lambda self: pytest.fail(f"{self} was read"))
    dataset = from_frame(FRAME, "Mine").pipe(MakeImplicit(3), CorePruning(2), UserCrossValidation(3))
    assert repr(dataset).startswith(f"<RecSysDataSet Mine-{dataset.key[:8]} | MakeImplicit(threshold=3)")
    assert (dataset.variant, dataset.folds, dataset.feedback) == (FoldedData, 3, "implicit")
    assert from_frame(FRAME).feedback == "explicit"
    assert from_frame(FRAME.drop(columns="rating")).feedback == "implicit"


@pytest.mark.parametrize(
    ("attempt", "says"),
    [
        (lambda raw: raw.pipe(MakeImplicit), r"no step of a dataset. Write MakeImplicit\(...\)"),
        (lambda raw: raw.pipe(3), "3 is no step"),
        (lambda raw: raw.pipe(UserHoldout(), MakeImplicit(3)), "MakeImplicit comes after UserHoldout"),
        (lambda raw: raw.pipe(UserHoldout(), RandomHoldout()), "RandomHoldout comes after UserHoldout"),
        (lambda raw: raw.pipe(MakeImplicit(3), MakeImplicit(3)), "MakeImplicit needs ratings"),
        (lambda _: from_frame(FRAME[["user", "item"]]).pipe(MakeImplicit(3)), "MakeImplicit needs ratings"),
        (lambda _: Pipe(MakeImplicit(3)).process(None), "None is no dataset"),  # type: ignore[arg-type]
        (lambda raw: raw.parts(raw.interactions()), "raw data without a split"),
        (lambda raw: raw.pipe(MakeImplicit(6)).data, "no rating reaches 6"),
        (lambda raw: raw.pipe(CorePruning(16)).data, r"CorePruning\(16\) leaves no interaction"),
        (lambda raw: raw.pipe(Subsample(1000)).data, "asks for 1000"),
        (lambda raw: raw.pipe(UserCrossValidation(16)).data, "12 of 12 users have too few.*Choose fewer folds"),
    ],
)
def test_impossible_recipes_are_refused(attempt: Callable[[Any], Any], says: str) -> None:
    """The error says which dataset or step, and the way out."""
    with pytest.raises(DataError, match=says):
        attempt(from_frame(FRAME))


def test_repeats_are_dropped_before_the_steps_and_said_aloud() -> None:
    """CorePruning counts what will be there: five rows of one pair are one interaction."""
    repeated = pd.DataFrame({"user": ["r"] * 5, "item": [0] * 5, "rating": 5.0, "timestamp": range(5)})
    dataset = from_frame(pd.concat([FRAME, repeated]), "Mine").pipe(CorePruning(5), UserCrossValidation(5))
    with pytest.warns(UserWarning, match=r"Mine has 4 repeated \(user, item\) pairs"):
        data = dataset.data
    assert isinstance(data, FoldedData)
    assert "r" not in set(data.folds[0].train["user"])


def test_the_last_of_repeated_pairs_counts_before_a_threshold() -> None:
    """Who rated 5 first and 1 later does not like it any more."""
    frame = pd.DataFrame({"user": [1, 1, 1], "item": [1, 1, 2], "rating": [5.0, 1.0, 4.0], "timestamp": [1, 2, 3]})
    with pytest.warns(UserWarning, match="1 repeated"):
        data = from_frame(frame).pipe(MakeImplicit(3)).data
    assert isinstance(data, RawData)
    assert data.df["item"].tolist() == [2]


@settings(max_examples=30)
@given(st.sampled_from([recipe for recipe in RECIPES if recipe]), st.integers(0, 2**32 - 1))
def test_a_recipe_gives_the_same_data_every_time(recipe: tuple[Step, ...], seed: int) -> None:
    """Two datasets of equal keys have equal parts."""
    set_random_state(seed)
    one, other = (from_frame(FRAME).pipe(*recipe) for _ in range(2))
    assert one.key == other.key
    rows, again = one.interactions(), other.interactions()
    pd.testing.assert_frame_equal(rows.frame(), again.frame())
    if one.split is not None:
        for parts, same in zip(one.parts(rows), other.parts(again), strict=True):
            assert [part.tolist() for part in parts] == [part.tolist() for part in same]


def test_a_dataset_shows_its_steps(tmp_path: Path) -> None:
    """A repr is a line, and in a notebook a list, escaped; a dataset whose file is gone has one, too."""
    path = tmp_path / "a<b>.csv"
    path.write_text("user,item\n1,1\n1,2\n")
    data = from_file(path).pipe(UserHoldout(0, 0.5))
    assert repr(data).startswith("<RecSysDataSet a_b_-")
    assert "UserHoldout(" in repr(data)
    assert data._repr_html_().startswith("<div><b>a_b_-")
    assert "<li>UserHoldout(" in data._repr_html_()
    gone = from_file(path)
    path.unlink()
    assert repr(gone) == "<RecSysDataSet a<b> (its source cannot be read)>"
    assert "<b>a&lt;b&gt; (its source" in gone._repr_html_()
    assert "<li>no steps</li>" in gone._repr_html_()
