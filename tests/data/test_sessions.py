"""Sessions and SessionSplit: against pandas code of the protocol that GRU4Rec's authors published, and what both guarantee."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from omnibench import (
    NDCG,
    AllItems,
    CorePruning,
    Evaluator,
    ExperimentPlan,
    KeepRepeats,
    LensKit,
    RecBole,
    RecPack,
    RecTools,
    Sessions,
    SessionSplit,
    SplitData,
    from_frame,
)
from omnibench.errors import DataError, EvaluationError, PlanError
from omnibench.experiment.compatibility import check_dataset
from omnibench.experiment.planning import experiments

FIRST = 1_700_000_000
DAY = 86_400
Events = list[tuple[int, int, int]]

events = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 6), st.integers(0, 40).map(lambda hours: FIRST + 3600 * hours)),
    min_size=2,
    max_size=80,
)

sessions = st.lists(
    st.tuples(st.integers(0, 40), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=6)),
    min_size=6,
    max_size=20,
)
"""Of each the hour that it begins at, and for each event the item and the hours since the event before."""


def frame_of_sessions(drawn_sessions: list[tuple[int, list[tuple[int, int]]]]) -> pd.DataFrame:
    rows = []
    for user, (hour, own_events) in enumerate(drawn_sessions):
        hours = itertools.accumulate((pause for _, pause in own_events), initial=hour)
        rows += [(user, item, FIRST + 3600 * at) for (item, _), at in zip(own_events, hours, strict=False)]
    return frame_of(rows)


def frame_of(rows: Events) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user", "item", "timestamp"])


def drawn(seed: int = 3, users: int = 100) -> pd.DataFrame:
    """Return some days of users who come several times and have an item again, in no order."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), rng.integers(2, 30, users))
    pause = np.where(
        rng.random(len(user)) < 0.2, rng.integers(2000, DAY // 2, len(user)), rng.integers(1, 900, len(user))
    )
    since = pd.Series(pause).groupby(user).cumsum().to_numpy() + rng.integers(0, 4 * DAY, users)[user]
    frame = pd.DataFrame({"user": user, "item": rng.integers(0, 25, len(user)), "timestamp": FIRST + since})
    return frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)


def by_time(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(["user", "timestamp"], kind="stable")


def sessions_by_pandas(frame: pd.DataFrame, seconds: int) -> pd.Series[str]:
    """Return the session of each row of a sorted frame: what the pause to the row before it of the same user says."""
    is_new = frame.groupby("user")["timestamp"].diff() > seconds
    return frame["user"].astype(str) + "-" + (is_new.groupby(frame["user"]).cumsum() + 1).astype(str)


@given(events, st.sampled_from([1, 3]))
def test_sessions_are_those_of_the_pauses(rows: Events, hours: int) -> None:
    """Every interaction stays as it is; a user's next session begins behind a pause that is longer than the gap."""
    frame = by_time(frame_of(rows))
    cut = from_frame(frame).pipe(KeepRepeats(), Sessions(f"{hours}h")).interactions().frame()
    expected = frame.assign(user=sessions_by_pandas(frame, hours * 3600))
    columns = ["user", "item", "timestamp"]
    assert sorted(cut[columns].itertuples(index=False)) == sorted(expected[columns].itertuples(index=False))
    assert cut.groupby("user")["timestamp"].is_monotonic_increasing.all()


def test_repeats_are_those_of_a_session() -> None:
    """What a user has in two sessions stays in both; within one the last counts, and steps behind see sessions."""
    moments = [FIRST, FIRST + 60, FIRST + 120, FIRST + DAY, FIRST + 2 * DAY]
    frame = pd.DataFrame({"user": "ann", "item": ["tea", "rum", "tea", "tea", "oil"], "timestamp": moments})
    with pytest.warns(UserWarning, match="1 repeated"):
        rows = from_frame(frame).pipe(Sessions("30min")).interactions().frame()
    assert rows[["user", "item"]].to_numpy().tolist() == [
        ["ann-1", "rum"],
        ["ann-1", "tea"],
        ["ann-2", "tea"],
        ["ann-3", "oil"],
    ]
    with pytest.warns(UserWarning, match="1 repeated"):
        pruned = (
            from_frame(frame).pipe(Sessions("30min"), CorePruning(user_core=2, one_pass=True)).interactions().frame()
        )
    assert set(pruned["user"]) == {"ann-1"}


def published_protocol(frame: pd.DataFrame, days: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the earlier and the later sessions as the preprocessing of GRU4Rec and session-rec divides them, in pandas."""
    ends = frame.groupby("user")["timestamp"].max()
    is_late = frame["user"].map(ends) >= frame["timestamp"].max() - days * DAY
    earlier, later = frame[~is_late], frame[is_late]
    later = later[later["item"].isin(earlier["item"])]
    return earlier, later[later.groupby("user")["item"].transform("size") >= 2]


def rows_of(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    return list(frame[["user", "item", "timestamp"]].itertuples(index=False, name=None))


@pytest.mark.parametrize("seed", range(5))
def test_parts_are_those_of_the_published_protocol(seed: int) -> None:
    """Days, filters and lengths as in the code of the papers, for test and, of the rest, for validation."""
    frame = by_time(drawn(seed))
    frame["user"] = sessions_by_pandas(frame, 1800)
    dataset = from_frame(frame).pipe(KeepRepeats(), SessionSplit("2d", validation_size="1d"))
    parts = dataset.data
    assert isinstance(parts, SplitData)
    assert parts.given is not None
    rest, later = published_protocol(frame, 2)
    train, middle = published_protocol(rest, 1)
    test = by_time(later[later["item"].isin(train["item"])])
    test = test[test.groupby("user")["item"].transform("size") >= 2]
    assert len(test) > 10 < len(middle)
    assert sorted(rows_of(parts.train)) == sorted(rows_of(train))
    for part, published in ((parts.test, test), (parts.validation, middle)):
        assert rows_of(part) == rows_of(by_time(published.groupby("user").tail(1)))
        given_rows = published[published.groupby("user").cumcount(ascending=False) > 0]
        assert rows_of(parts.given[parts.given["user"].isin(part["user"])]) == rows_of(by_time(given_rows))
    assert set(parts.given["user"]) == {*parts.test["user"], *parts.validation["user"]}


@given(
    sessions,
    st.sampled_from(["6h", "12h", 0.2, 2, "2023-11-15T12:00:00"]),
    st.sampled_from([0, 0, "6h", 0.2, 1]),
    st.integers(1, 2),
    st.booleans(),
)
def test_what_a_split_of_sessions_guarantees(
    drawn_sessions: list[tuple[int, list[tuple[int, int]]]],
    test_size: Any,
    validation_size: Any,
    n: int,
    unknown_items: bool,
) -> None:
    """Sessions of a part are of it alone, earlier parts end earlier, and exactly the last n events are held out."""
    frame, split = frame_of_sessions(drawn_sessions), SessionSplit(test_size, validation_size, n, unknown_items)
    try:
        parts = from_frame(frame).pipe(KeepRepeats(), split).data
    except DataError:
        assume(False)
    assert isinstance(parts, SplitData)
    assert parts.given is not None
    names = ("train", "validation", "test")
    users = {name: set(getattr(parts, name)["user"]) for name in names}
    assert users["train"]
    assert users["test"]
    assert bool(users["validation"]) == (validation_size != 0)
    assert sum(map(len, users.values())) == len(set().union(*users.values()))
    assert set(parts.given["user"]) == users["validation"] | users["test"]
    all_ends = frame.groupby("user")["timestamp"].max()
    ends = [all_ends[list(users[name])] for name in names if users[name]]
    assert all(earlier.max() < later.min() for earlier, later in itertools.pairwise(ends))
    held_out = pd.concat([parts.validation, parts.test])
    assert (held_out.groupby("user").size() == n).all()
    latest_given = parts.given.groupby("user")["timestamp"].max()
    assert (latest_given <= held_out.groupby("user")["timestamp"].min()).all()
    counted = pd.concat([held_out, parts.given])
    of_these = frame[frame["user"].isin(counted["user"])]
    if not unknown_items:
        of_these = of_these[of_these["item"].isin(parts.train["item"])]
    assert sorted(rows_of(counted)) == sorted(rows_of(of_these))


def test_a_number_of_sessions_is_the_latest_ones() -> None:
    """Of five sessions, in the order of their last events; those of one moment stay together."""
    rows = [(user, item, FIRST + 100 * user + item) for user in range(5) for item in range(3)]
    data = from_frame(frame_of(rows)).pipe(SessionSplit(2, validation_size=1)).data
    assert isinstance(data, SplitData)
    assert [sorted(set(part["user"])) for part in (data.train, data.validation, data.test)] == [[0, 1], [2], [3, 4]]
    together = [(user, item, FIRST + 100 * min(user, 3) + item) for user, item, _ in rows]
    data = from_frame(frame_of(together)).pipe(SessionSplit(1)).data
    assert isinstance(data, SplitData)
    assert set(data.test["user"]) == {3, 4}


class FromHistory:
    """Takes what sessions are given."""

    def fit(self, train: Any) -> None: ...

    def recommend(self, users: Any, k: int, history: Any) -> Any: ...


def test_models_of_sequences_and_of_histories_run_beside_each_other_and_others_are_refused() -> None:
    """By name, before anything runs; repeats of a session are judged with repeats=True alone."""
    dataset = from_frame(drawn(), "clicks").pipe(KeepRepeats(), Sessions("30min"), SessionSplit("1d"))
    able = (RecBole.GRU4Rec, RecTools.SASRecModel, RecPack.ItemKNN, LensKit.EASEScorer, FromHistory)
    with pytest.raises(
        EvaluationError, match=r"clicks keeps repeated interactions.*candidates=AllItems\(repeats=True\)"
    ):
        check_dataset(dataset, Evaluator(NDCG(10)).metrics)
    repeats = AllItems(repeats=True)
    check_dataset(dataset, Evaluator(NDCG(10)).metrics, repeats)
    plan = ExperimentPlan()
    for algorithm in able:
        plan.add_algorithm(algorithm)
    planned = experiments(dataset, plan, (NDCG(10),), versions=lambda _: "1", seeds=[42], candidates=repeats)
    assert len(planned) == len(able)
    for refused in (RecBole.FPMC, RecBole.BPR, LensKit.FlexMFImplicitScorer):
        plan = ExperimentPlan()
        plan.add_algorithm(refused)
        with pytest.raises(PlanError, match=rf"{refused} cannot recommend .*SessionSplit asks of it on clicks"):
            experiments(dataset, plan, (NDCG(10),), versions=lambda _: "1", seeds=[42], candidates=repeats)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Sessions("soon"), "Sessions: gap is 'soon'"),
        (lambda: Sessions(0), "Sessions: gap is 0, which is no time at all"),
        (lambda: SessionSplit("soon"), "SessionSplit: test_size is 'soon'; give a duration such as '1d'"),
        (lambda: SessionSplit(True), "SessionSplit: test_size is True"),
        (lambda: SessionSplit(0), "SessionSplit: test_size is 0"),
        (lambda: SessionSplit("0d"), "SessionSplit: test_size is 0.0"),
        (lambda: SessionSplit(0.5, 0.5), "nothing is left to train on"),
        (lambda: SessionSplit(n=0), "SessionSplit: n is 0; give an int of at least 1"),
        (lambda: SessionSplit(unknown_items="no"), "SessionSplit: unknown_items is 'no'"),  # type: ignore[arg-type]
        (lambda: from_frame(drawn()[["user", "item"]]).pipe(Sessions()), "Sessions needs timestamps"),
        (lambda: from_frame(drawn()[["user", "item"]]).pipe(SessionSplit()), "SessionSplit needs timestamps"),
    ],
)
def test_impossible_arguments_are_refused_at_once(make: Callable[[], Any], says: str) -> None:
    """What no data could have is refused when it is written down, with the value."""
    with pytest.raises(DataError, match=says):
        make()


@pytest.mark.parametrize(
    ("split", "says"),
    [
        (SessionSplit("400d"), r"no session to train on; the timestamps go from 2023.*shorter period"),
        (
            SessionSplit("1s", n=40),
            r"no session of at least 41 events with items known in training for test.*longer test_size",
        ),
        (SessionSplit(2, "1s", n=25), r"for (test|validation)"),
        (SessionSplit(120), r"has 100 sessions, but this split needs at least 121"),
    ],
)
def test_what_the_data_cannot_give_is_refused(split: SessionSplit, says: str) -> None:
    """A part that would be empty, with the times of the data and the way out."""
    with pytest.raises(DataError, match=says):
        _ = from_frame(drawn()).pipe(KeepRepeats(), split).data


def test_what_means_the_same_has_the_same_key() -> None:
    """A day is a day however it is written, and no validation is none."""
    raw = from_frame(drawn())
    keys = {raw.pipe(split).key for split in (SessionSplit("1d"), SessionSplit("24h", 0), SessionSplit("1 day", "0s"))}
    assert len(keys) == 1
    assert raw.pipe(Sessions("30min")).key == raw.pipe(Sessions("1800s")).key != raw.pipe(Sessions("31min")).key
