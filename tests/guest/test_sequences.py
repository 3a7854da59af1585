"""What next-item models read: the protocol of docs/conventions.md, against a slow account of it by Python's own sorting."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.earlier_folds import as_before

from omnibench import (
    KeepRepeats,
    LeaveLastOut,
    LeaveNOut,
    RecSysDataSet,
    SessionSplit,
    StrongGeneralization,
    TimeBasedHoldout,
    UserHoldout,
    from_frame,
)
from omnibench.data.parts import Split
from omnibench.data.prepare import prepare
from omnibench.data.stored_ids import read_ids
from omnibench.guest import VALIDATION
from omnibench.guest.folds import NO_ITEM, Fold
from omnibench.guest.parts import Part
from omnibench.guest.sequences import Sequences, input_sequences, sequences_of

SPLITS: dict[str, Split] = {
    "leave last out": LeaveLastOut(validation_size=1),
    "the last two and two": LeaveNOut(2, 2),
    "without validation": LeaveLastOut(validation_size=0),
    "random": UserHoldout(0.2, 0.2),
    "by time": TimeBasedHoldout(0.2, 0.2),
    "of sessions": SessionSplit(5, validation_size=5, n=2),
    "of users": StrongGeneralization(0.2, 0.2, 0.3, which="last"),
}


def drawn(seed: int) -> pd.DataFrame:
    """Return interactions of 25 users in no order, many of them of one moment."""
    rng = np.random.default_rng(seed)
    items = [rng.permutation(14)[: rng.integers(8, 14)] for _ in range(25)]
    user = np.repeat(np.arange(25), [len(own) for own in items])
    frame = pd.DataFrame(
        {"user": user, "item": np.concatenate(items), "timestamp": rng.integers(0, 6, len(user)) + user}
    )
    return frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)


def in_words(fold: Fold, sequences: Sequences, length: int = 99) -> dict[Any, list[Any]]:
    """Return the sequence of each user who has a row, by ids."""
    user_ids, item_ids = (read_ids(fold.directory, which) for which in ("users", "items"))
    users = np.arange(fold.n_users, dtype=np.int32)
    items, counts = sequences.latest(users, length)
    assert ((items != NO_ITEM).sum(axis=1) == counts).all()
    rows = zip(items, counts, strict=True)
    return {user_ids[user]: [item_ids[item] for item in row[:count]] for user, (row, count) in enumerate(rows) if count}


def slowly(fold: Fold, frame: pd.DataFrame, parts: list[Part]) -> dict[Any, list[Any]]:
    """Return the same by walking through the frame by time, part and row, and taking what these parts have."""
    user_ids, item_ids = (read_ids(fold.directory, which) for which in ("users", "items"))
    known = {item_ids[item] for item in fold.train.item.tolist()}
    part_of = {
        (user_ids[user], item_ids[item]): number
        for number, part in enumerate(parts)
        for user, item in zip(part.user.tolist(), part.item.tolist(), strict=True)
    }
    rows = frame[["user", "item", "timestamp"]].itertuples(index=False)
    events = [(moment, part_of[user, item], user, item) for user, item, moment in rows if (user, item) in part_of]
    sequences: dict[Any, list[Any]] = {}
    for _, _, user, item in sorted(events, key=lambda event: event[:2]):
        if item in known:
            sequences.setdefault(user, []).append(item)
    return sequences


def in_canonical_order(dataset: RecSysDataSet) -> pd.DataFrame:
    """Return the rows of a data set whose split asks for no order, so that the order of its file decides nothing."""
    rows = dataset.interactions()
    return pd.DataFrame(
        {
            "user": [rows.user_ids[user] for user in rows.user],
            "item": [rows.item_ids[item] for item in rows.item],
            "timestamp": rows.timestamp,
        }
    )


@pytest.mark.parametrize("name", SPLITS)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_sequences_are_by_time_and_then_as_the_rows_stand(name: str, seed: int) -> None:
    """Input of test: history and validation together; judged by validation: history alone; never what is tested."""
    frame = drawn(seed)
    dataset = from_frame(frame, "walks").pipe(SPLITS[name])
    with tempfile.TemporaryDirectory() as folder:
        prepare(dataset, Path(folder))
        if not SPLITS[name].needs_order:
            frame = in_canonical_order(dataset)
        fold, judged = Fold(folder, 0), Fold(folder, 0, judged=VALIDATION)
        assert in_words(fold, input_sequences(fold)) == slowly(fold, frame, [fold.history, fold.validation])
        assert in_words(judged, input_sequences(judged)) == slowly(judged, frame, [judged.history])
        assert in_words(fold, sequences_of(fold.train, fold.n_users)) == slowly(fold, frame, [fold.train])


def test_the_validation_item_is_the_last_of_the_input_and_not_in_training(tmp_path: Path) -> None:
    """Leave-one-out of one user: a, b, c, d in time are learned as a, b, judged by c after a, b, and by d after a, b, c."""
    rows = [(user, item, moment) for user in "uvw" for moment, item in enumerate("abcd")]
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp"])
    frame.loc[frame["user"] == "v", "item"] = list("dcba")  # so that every item is in training
    prepare(from_frame(frame, "letters").pipe(LeaveLastOut(validation_size=1)), tmp_path)
    fold, judged = Fold(tmp_path, 0), Fold(tmp_path, 0, judged=VALIDATION)
    assert in_words(fold, sequences_of(fold.train, fold.n_users))["u"] == ["a", "b"]
    assert in_words(judged, input_sequences(judged))["u"] == ["a", "b"]
    assert in_words(fold, input_sequences(fold)) == {"u": list("abc"), "v": list("dcb"), "w": list("abc")}
    assert in_words(fold, input_sequences(fold), length=2) == {"u": list("bc"), "v": list("cb"), "w": list("bc")}
    seen = set(fold.seen(0).tolist())
    assert seen == {0, 1, 2}, "what is masked is what is in the sequence, for models of every kind"


def test_repeated_items_stay_in_sequences(tmp_path: Path) -> None:
    """With KeepRepeats() what a user has again is there again, and nothing is masked."""
    frame = pd.DataFrame(
        {"user": ["u"] * 7 + ["v"] * 4, "item": list("aabacdb") + list("dabc"), "timestamp": range(11)}
    )
    prepare(from_frame(frame, "loops").pipe(KeepRepeats(), LeaveLastOut(validation_size=1)), tmp_path)
    fold = Fold(tmp_path, 0, repeats=True)
    assert in_words(fold, input_sequences(fold))["u"] == list("aabacd")
    assert not len(fold.masked(0))


def test_a_fold_of_copied_rows_has_the_same_sequences(tmp_path: Path) -> None:
    """Whether parts share the rows of their dataset or are files of their own."""
    frame = drawn(4)
    dataset = from_frame(frame, "walks").pipe(LeaveNOut(2, 2))
    prepare(dataset, tmp_path)
    shared = in_words(Fold(tmp_path, 0), input_sequences(Fold(tmp_path, 0)))
    as_before(tmp_path, dataset, numbers=False)
    assert in_words(Fold(tmp_path, 0), input_sequences(Fold(tmp_path, 0))) == shared


def test_data_without_times_has_no_sequences(tmp_path: Path) -> None:
    """Nothing says what comes next there."""
    frame = drawn(1).drop(columns="timestamp")
    prepare(from_frame(frame, "timeless").pipe(UserHoldout(0.1, 0.2)), tmp_path)
    with pytest.raises(ValueError, match=r"sequences need timestamps"):
        input_sequences(Fold(tmp_path, 0))
