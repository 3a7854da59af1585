"""The fold that an adapter gets when a model is fitted on training and validation together."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibench import RandomHoldout, StrongGeneralization, TimeBasedHoldout, UserHoldout, from_frame
from omnibench.data.parts import Split
from omnibench.data.prepare import prepare
from omnibench.guest import TRAIN_AND_VALIDATION
from omnibench.guest.candidates import candidate_sets
from omnibench.guest.folds import Fold
from omnibench.guest.parts import Part, joined, rows_of


def part_of(rows: list[tuple[int, int, float, int]], *, rated: bool, timed: bool) -> Part:
    """Return a part with these rows, in the order of a prepared one."""
    columns = np.array(sorted(rows, key=lambda row: (row[0], row[3]) if timed else row[:1]) or np.empty((0, 4)))
    return Part(
        columns[:, 0].astype(np.int32),
        columns[:, 1].astype(np.int32),
        columns[:, 2].astype(np.float32) if rated else None,
        columns[:, 3].astype(np.int64) if timed else None,
    )


def rows_in(*parts: Part) -> list[tuple[Any, ...]]:
    """The rows of parts, each with what is known of it."""
    return [
        row
        for part in parts
        for row in zip(
            *(column.tolist() for column in (part.user, part.item, part.rating, part.timestamp) if column is not None),
            strict=True,
        )
    ]


def _is_of(part: Part, user: int, moment: int) -> Any:
    return (part.user == user) & (True if part.timestamp is None else part.timestamp == moment)


ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9), st.integers(1, 5), st.integers(0, 3)), max_size=30)


@given(ROWS, ROWS, st.booleans(), st.booleans())
def test_joined_parts_have_all_rows_in_order(first: Any, second: Any, rated: bool, timed: bool) -> None:
    """Nothing is lost or doubled; by user and time; of equal ones those of the first part come first."""
    parts = [part_of(rows, rated=rated, timed=timed) for rows in (first, second)]
    together = joined(parts)
    assert Counter(rows_in(together)) == Counter(rows_in(*parts))
    time = together.timestamp if together.timestamp is not None else np.zeros(len(together))
    assert np.array_equal(np.lexsort((time, together.user)), np.arange(len(together)))
    assert [(column is None) for column in (together.rating, together.timestamp)] == [not rated, not timed]
    assert (together.user.dtype, together.item.dtype) == (np.dtype(np.int32), np.dtype(np.int32))
    for user, moment in {(user, moment) for user in range(6) for moment in range(4)}:
        alike = [rows_in(rows_of(part, _is_of(part, user, moment))) for part in (together, *parts)]
        assert alike[0] == alike[1] + alike[2]


SPLITS: list[Split] = [
    UserHoldout(0.2, 0.2),
    RandomHoldout(0.3, 0.3),
    TimeBasedHoldout(0.2, 0.3),
    StrongGeneralization(0.2, 0.2, 0.3),
]


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(SPLITS), st.integers(0, 100))
def test_a_refitted_fold_knows_what_anybody_has_seen(split: Split, seed: int) -> None:
    """Training is the union, validation is empty; what a user must not get is the same, and what is sampled, too."""
    rng = np.random.default_rng(seed)
    rows = [(user, int(item)) for user in range(20) for item in rng.choice(25, rng.integers(8, 15), replace=False)]
    frame = pd.DataFrame(rows, columns=["user", "item"]).assign(timestamp=rng.integers(0, 500, len(rows)))
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        prepare(from_frame(frame, "shop").pipe(split), root)
        first, refitted = Fold(root, 0), Fold(root, 0, TRAIN_AND_VALIDATION)
        expected = Counter(rows_in(first.train, first.validation))
        if split.folds_in:
            strangers = np.isin(first.history.user, first.validation.user)
            expected += Counter(rows_in(rows_of(first.history, strangers)))
            assert rows_in(refitted.history) == rows_in(first.history)
        else:
            assert rows_in(refitted.history) == rows_in(refitted.train)
        assert Counter(rows_in(refitted.train)) == expected
        assert len(refitted.validation) == 0 < len(first.validation)
        assert rows_in(refitted.test) == rows_in(first.test)
        assert set(refitted.users) >= set(first.users)
        assert (refitted.candidates >= first.candidates).all()
        policy = {"policy": "sampled", "negatives": 5, "seed": 3}
        drawn, drawn_again = candidate_sets(first, policy), candidate_sets(refitted, policy)
        assert drawn is not None
        assert drawn_again is not None
        for user in first.users.tolist():
            assert set(refitted.seen(user)) == set(first.seen(user))
            assert np.array_equal(drawn.of(user), drawn_again.of(user))


def test_by_default_parts_are_views_of_their_files(tmp_path: Path) -> None:
    """Only who asks for both parts together pays for a copy."""
    frame = pd.DataFrame({"user": [user for user in range(6) for _ in range(6)], "item": [*range(6)] * 6})
    prepare(from_frame(frame, "shop").pipe(UserHoldout(0.2, 0.2)), tmp_path)

    def is_mapped(fold: Fold) -> bool:
        base: Any = fold.train.item
        while isinstance(base, np.ndarray) and base.base is not None and not isinstance(base, np.memmap):
            base = base.base
        return isinstance(base, np.memmap) or type(base).__name__ == "mmap"

    assert is_mapped(Fold(tmp_path, 0))
    assert not is_mapped(Fold(tmp_path, 0, TRAIN_AND_VALIDATION))


@pytest.mark.parametrize("refit", ["", TRAIN_AND_VALIDATION])
def test_without_a_validation_part_it_is_the_training_part(tmp_path: Path, refit: str) -> None:
    """An empty part adds nothing."""
    frame = pd.DataFrame({"user": [user for user in range(6) for _ in range(6)], "item": [*range(6)] * 6})
    prepare(from_frame(frame, "shop").pipe(UserHoldout(0, 0.2)), tmp_path)
    assert rows_in(Fold(tmp_path, 0, refit).train) == rows_in(Fold(tmp_path, 0).train)
