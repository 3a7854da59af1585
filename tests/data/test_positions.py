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

from omnibench import HR, MRR, GivenCandidates, KeepRepeats, SessionSplit, SplitData, UserGroups, from_frame, score
from omnibench.data.prepare import prepare
from omnibench.data.stored_ids import read_ids, read_session_ids
from omnibench.errors import DataError, EvaluationError
from omnibench.experiment.candidates import KnownIds
from omnibench.guest import TRAIN_AND_VALIDATION
from omnibench.guest.folds import Fold
from omnibench.store.builders import data_record
from omnibench.store.schema import COSTS

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
    with pytest.raises(DataError, match="'s1@1' would then be both of the session 's1@1' and of 's1'"):
        split_by(frame, test_size=1, positions="each")


def test_ids_of_sessions_become_texts() -> None:
    """Integers too, in training and in the parts that have positions: a column has one type, and can be sorted."""
    frame = many(count=40)
    frame["user"] = frame["user"].str.removeprefix("s").astype(int)
    each = split_by(frame, test_size=0.2, validation_size=0.2, positions="each")
    assert each.given is not None
    for part in (each.train, each.validation, each.test, each.given):
        assert {type(user) for user in part["user"]} == {str}
        assert len(np.unique(part["user"])) > 5
    assert set(each.train["user"]) < set(frame["user"].astype(str))


def test_too_many_rows_are_refused_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session of m events has m (m + 1) / 2 - 1 rows: what they need, what there is, and what to do."""
    frame = frame_of([(0, [1, 2, 3]), (9, [1, 2, 3] * 2000)])
    monkeypatch.setattr("omnibench.data.positions.available_memory", lambda: 500 << 20)
    message = r"18,002,999 rows of 6,000 events of validation and test, .* longest session has 6,000.* of memory, of which .* are left.*Sessions\('30min'\)"
    with pytest.raises(DataError, match=message):
        split_by(frame, test_size=1, positions="each")
    assert len(split_by(frame.head(1000), test_size=1, positions="each").test) == 996


def test_sizes_are_those_of_the_data(tmp_path: Path) -> None:
    """What is said of a dataset counts its sessions and events, as without positions; these are counted beside them."""
    manifests, datasets = [], []
    for positions in ("last", "each"):
        dataset = from_frame(many(count=60), "clicks").pipe(KeepRepeats(), SessionSplit(0.2, positions=positions))
        folder = tmp_path / positions
        folder.mkdir()
        manifests.append(prepare(dataset, folder))
        datasets.append(dataset)
    assert len(datasets[1].interactions()) == len(datasets[0].interactions()) == len(many(count=60))
    data = datasets[1].data
    assert isinstance(data, SplitData)
    expected = {noun: manifests[0][noun] for noun in ("interactions", "users")}
    assert manifests[1]["sizes"] == {**expected, "positions": len(data.test)}
    assert "sizes" not in manifests[0]
    record = data_record(manifests[1], dict.fromkeys(COSTS), "datasets/clicks", [])
    assert {noun: record[noun] for noun in ("users", "items", "interactions", "positions")} == {
        **expected,
        "items": manifests[0]["items"],
        "positions": len(data.test),
    }
    assert manifests[1]["users"] == Fold(tmp_path / "each", 0).n_users > expected["users"]
    for longest in ("longest_user", "longest_item"):  # positions repeat the events before them, which are there once
        assert 0 < record[longest] == manifests[0][longest] <= record["interactions"]


def countries(frame: pd.DataFrame) -> pd.DataFrame:
    users = frame["user"].unique()
    return pd.DataFrame({"user": users, "country": np.where(np.arange(len(users)) % 2, "fr", "de")})


@pytest.mark.parametrize("is_text", [True, False])
def test_positions_have_the_features_of_their_session(is_text: bool, tmp_path: Path) -> None:
    """In a run and where lists of somebody else's are scored."""
    frame = many(count=60)
    if not is_text:
        frame["user"] = frame["user"].str.removeprefix("s").astype(int)
    users = countries(frame)
    split = SessionSplit(0.2, validation_size=0.2, positions="each")
    dataset = from_frame(frame, "clicks").pipe(KeepRepeats(), split).with_features(users=users)
    manifest = prepare(dataset, tmp_path)
    assert manifest["features"]["users"]["missing"] == 0
    country_of = dict(zip(users["user"].astype(str), users["country"], strict=True))
    table = Fold(tmp_path, 0).features("users")
    assert table is not None
    positions, values = table.categories("country")
    for user, position in zip(read_ids(tmp_path, "users"), positions.tolist(), strict=True):
        assert values[position] == country_of[str(user).partition("@")[0]]
    data = dataset.data
    assert isinstance(data, SplitData)
    tested = zip(data.test["user"].tolist(), data.test["item"].tolist(), strict=True)
    lists = {user: [item] for user, item in tested if country_of[user.partition("@")[0]] == "fr"}
    scores = score(lists, dataset, HR(3, by=[UserGroups("country")]))
    assert [scores[f"HR@3 country={name}"] for name in ("fr", "de")] == [1, 0]
    assert not any("unknown" in note for note in scores.notes)


@pytest.mark.parametrize("is_text", [True, False])
def test_positions_have_the_candidates_of_their_session(is_text: bool, tmp_path: Path) -> None:
    """Unless a position has some of its own."""
    frame = many(count=60)
    if not is_text:
        frame["user"] = frame["user"].str.removeprefix("s").astype(int)
    dataset = from_frame(frame, "clicks").pipe(KeepRepeats(), SessionSplit(0.2, positions="each"))
    prepare(dataset, tmp_path)
    users, items = (read_ids(tmp_path, subject) for subject in ("users", "items"))
    sessions = read_session_ids(tmp_path)
    fold = Fold(tmp_path, 0)
    position = str(users[int(fold.users[0])])
    policy = GivenCandidates({**dict.fromkeys(frame["user"].unique().tolist(), items[:4]), position: items[5:7]})
    ids = KnownIds(users, items, sessions, fold.users)
    pairs = np.load(policy.described(tmp_path, ids)["file"])
    for code in fold.users.tolist():
        given_items = pairs[pairs[:, 0] == code, 1].tolist()
        assert given_items == ([5, 6] if users[code] == position else [0, 1, 2, 3])
    trained = str(users[0]) if is_text else int(str(users[0]))
    with pytest.raises(EvaluationError, match=rf"none of the {len(fold.users)} users that are tested has .* 1 others"):
        GivenCandidates({trained: items[:4]}).check(ids)
