"""SessionSplit(positions="each"): against the loop over the events of a session by which GRU4Rec and session-rec are evaluated."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from omnibench import HR, MRR, KeepRepeats, SessionSplit, SplitData, from_frame, score
from omnibench.data.prepare import prepare
from omnibench.data.stored_ids import read_ids
from omnibench.errors import DataError
from omnibench.guest import TRAIN_AND_VALIDATION
from omnibench.guest.folds import Fold

FIRST = 1_700_000_000
HOUR = 3600

sessions = st.lists(
    st.tuples(st.integers(0, 40), st.lists(st.integers(0, 5), min_size=1, max_size=6)), min_size=6, max_size=20
)
"""Of each the hour that it begins at, and its items, one an hour."""


def frame_of(drawn: list[tuple[int, list[int]]]) -> pd.DataFrame:
    rows = [
        (f"s{session}", f"i{item}", FIRST + HOUR * (begin + position))
        for session, (begin, items) in enumerate(drawn)
        for position, item in enumerate(items)
    ]
    return pd.DataFrame(rows, columns=["user", "item", "timestamp"])


def many(seed: int = 5, count: int = 300) -> pd.DataFrame:
    """Return sessions of walks through items with some jumps, in which an item may come again."""
    rng = np.random.default_rng(seed)
    walks = []
    for begin in rng.integers(0, 400, count):
        steps = rng.integers(-2, 4, rng.integers(2, 12))
        steps[rng.random(len(steps)) < 0.2] = 17
        walks.append((int(begin), np.cumsum(steps) % 60))
    return frame_of([(begin, items.tolist()) for begin, items in walks])


def split_by(frame: pd.DataFrame, **options: Any) -> SplitData:
    parts = from_frame(frame, "clicks").pipe(KeepRepeats(), SessionSplit(**options)).data
    assert isinstance(parts, SplitData)
    assert parts.given is not None
    return parts


def whole_sessions(parts: SplitData, part: pd.DataFrame) -> dict[str, list[str]]:
    """Return the items of the sessions of a part, as a split that holds out their last event leaves them."""
    rows = pd.concat([parts.given, part])
    rows = rows[rows["user"].isin(part["user"])]
    return {str(session): items.tolist() for session, items in rows.groupby("user")["item"]}


@given(sessions, st.sampled_from(["6h", 0.3, 2]), st.sampled_from([0, "6h", 0.2]), st.booleans())
def test_each_event_after_the_first_is_looked_for_once(
    drawn: list[tuple[int, list[int]]], test_size: Any, validation_size: Any, unknown_items: bool
) -> None:
    """By a list of its own after all events before it, in the same sessions as with one list each; training is the same."""
    options = {"test_size": test_size, "validation_size": validation_size, "unknown_items": unknown_items}
    try:
        last = split_by(frame_of(drawn), **options)
    except DataError:
        assume(False)
    each = split_by(frame_of(drawn), **options, positions="each")
    assert last.given is not None
    assert each.given is not None
    pd.testing.assert_frame_equal(each.train, last.train)
    histories = {session: items.tolist() for session, items in each.given.groupby("user")["item"]}
    for name in ("validation", "test"):
        expected = [
            (f"{session}@{position}", items[:position], items[position])
            for session, items in whole_sessions(last, getattr(last, name)).items()
            for position in range(1, len(items))
        ]
        rows = getattr(each, name)
        looked_for = [(row.user, histories.pop(row.user), row.item) for row in rows.itertuples()]
        assert sorted(looked_for) == sorted(expected)
    assert not histories, "nothing is given of sessions that are not asked for"


class Follows:
    """Counts which item comes directly after which."""

    def __init__(self, train: pd.DataFrame) -> None:
        self.counts: dict[str, Counter[str]] = {}
        for _, items in train.groupby("user")["item"]:
            for item, following in itertools.pairwise(items):
                self.counts.setdefault(item, Counter())[following] += 1

    def best(self, history: list[str], k: int) -> list[str]:
        """Return what came most after the last item."""
        counts = self.counts.get(history[-1], Counter())
        return sorted(counts, key=lambda item: (-counts[item], item))[:k]


def test_hit_rates_and_reciprocal_ranks_are_those_of_a_loop_over_positions() -> None:
    """HR@20 and MRR@20 as the evaluation of GRU4Rec counts them: event by event, with everything before it given.

    The loop knows nothing of the split's sessions: it walks through the rows of the tested ones.
    """
    frame = many()
    each = split_by(frame, test_size="2d", positions="each")
    model = Follows(each.train)
    tested = frame[frame["user"].isin({user.partition("@")[0] for user in each.test["user"]})]
    tested = tested[tested["item"].isin(each.train["item"])]
    events, hits, reciprocal = 0, dict.fromkeys((1, 5, 20), 0), 0.0
    session, before = "", list[str]()
    for row in tested.itertuples():
        if row.user != session:
            session, before = str(row.user), []
        else:
            ranked = model.best(before, 20)
            events += 1
            if row.item in ranked:
                rank = ranked.index(str(row.item)) + 1
                reciprocal += 1 / rank
                hits = {k: count + (rank <= k) for k, count in hits.items()}
        before.append(str(row.item))
    assert events == len(each.test) > 100

    assert each.given is not None
    rows = [
        (user, item, rank)
        for user, items in each.given.groupby("user")["item"]
        for rank, item in enumerate(model.best(items.tolist(), 20), 1)
    ]
    lists = pd.DataFrame(rows, columns=["user", "item", "rank"])
    dataset = from_frame(frame, "clicks").pipe(KeepRepeats(), SessionSplit("2d", positions="each"))
    measured = score(lists, dataset, HR([1, 5, 20]), MRR(20))
    for k, count in hits.items():
        assert measured[f"HR@{k}"] == pytest.approx(count / events)
    assert measured["MRR@20"] == pytest.approx(reciprocal / events)
    assert 0.1 < hits[1] / events < hits[5] / events < hits[20] / events < 1, "else this compares nothing"


@pytest.mark.parametrize("refit", ["", TRAIN_AND_VALIDATION])
def test_models_learn_from_each_event_once(refit: str, tmp_path: Path) -> None:
    """Training, and training and validation together, are the same sessions whatever positions are asked for."""
    learned = []
    for positions in ("last", "each"):
        folder = tmp_path / positions
        folder.mkdir()
        dataset = from_frame(many(), "clicks").pipe(
            KeepRepeats(), SessionSplit("2d", validation_size="2d", positions=positions)
        )
        prepare(dataset, folder)
        train = Fold(folder, 0, refit).train
        users, items = (read_ids(folder, subject) for subject in ("users", "items"))
        assert train.timestamp is not None
        learned.append(
            sorted(
                (str(users[user]).partition("@")[0], items[item], moment)
                for user, item, moment in zip(
                    train.user.tolist(), train.item.tolist(), train.timestamp.tolist(), strict=True
                )
            )
        )
    assert learned[0] == learned[1]
    assert len(learned[0]) > 500


def test_the_key_is_another_one_only_with_each_position() -> None:
    """Results of the splits that there were stay where they are."""
    frame = many(count=20)
    keys = [
        from_frame(frame).pipe(KeepRepeats(), split).key
        for split in (SessionSplit(3), SessionSplit(3, positions="last"), SessionSplit(3, positions="each"))
    ]
    assert keys[0] == keys[1] != keys[2]
    assert "positions" not in SessionSplit(3).identity[2]  # type: ignore[operator]


def test_what_cannot_be_asked_for_is_refused() -> None:
    """Other positions, several events at a time, and ids that are those of positions."""
    with pytest.raises(DataError, match="positions is 'all'; give 'last' or 'each'"):
        SessionSplit(positions="all")
    with pytest.raises(DataError, match=r"n is 2, but with positions='each' a single event .* Leave out n"):
        SessionSplit(n=2, positions="each")
    frame = frame_of([(0, [1, 2, 3]), (9, [1, 2, 3])]).replace({"user": {"s0": "s1@1"}})
    with pytest.raises(DataError, match="s7@1, s7@2 and so on, and sessions of these data have such ids"):
        split_by(frame, test_size=1, positions="each")
