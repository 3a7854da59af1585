"""Published splits: each row keeps the part that somebody has given it, and the parts are content like the ids."""

from __future__ import annotations

import collections
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from omnibench import (
    NDCG,
    AllItems,
    Apply,
    AtMost,
    Choice,
    CorePruning,
    Deduplicate,
    ExperimentPlan,
    FoldedData,
    KeepRepeats,
    MakeImplicit,
    Pipe,
    RatingFilter,
    RecPack,
    RecSysDataSet,
    SplitData,
    Subsample,
    TimeFilter,
    Tuning,
    UserHoldout,
    from_file,
    from_folds,
    from_frame,
    from_split,
)
from omnibench.data.digests import table_digest
from omnibench.data.interactions import Interactions
from omnibench.data.parts import Split
from omnibench.data.prepare import prepare
from omnibench.data.published import PublishedSource, split_source
from omnibench.data.step import Preprocessing
from omnibench.data.words import recipe_words, source_words
from omnibench.errors import DataError, PlanError
from omnibench.experiment.planning import experiments
from omnibench.guest.folds import Fold

TRAIN = pd.DataFrame(
    {
        "user": [1, 1, 2, 2, 3, 3],
        "item": ["a", "b", "a", "c", "b", "d"],
        "rating": [5.0, 3.0, 4.0, 2.0, 1.0, 4.0],
        "timestamp": [10, 20, 30, 40, 50, 60],
    }
)
VALIDATION = pd.DataFrame({"user": [1, 2], "item": ["d", "b"], "rating": [4.0, 5.0], "timestamp": [25, 65]})
TEST = pd.DataFrame({"user": [1, 2, 4], "item": ["c", "d", "e"], "rating": [5.0, 3.0, 4.0], "timestamp": [70, 80, 90]})


def split_of(dataset: RecSysDataSet) -> SplitData:
    data = dataset.data
    assert isinstance(data, SplitData)
    return data


def rows(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Return the rows of a frame, in an order that depends on nothing but them."""
    return sorted(frame.itertuples(index=False, name=None))


def test_each_row_stays_in_its_part() -> None:
    """What the parts hold is what was given, with the user's own ids, ratings and times."""
    data = split_of(from_split(TRAIN, TEST, VALIDATION, name="shop"))
    for part, frame in ((data.train, TRAIN), (data.validation, VALIDATION), (data.test, TEST)):
        assert rows(part) == rows(frame)
    without = split_of(from_split(TRAIN, TEST))
    assert (len(without.train), len(without.validation), len(without.test)) == (6, 0, 3)


def test_the_parts_are_content() -> None:
    """The order of rows does not count; in which part a row is, and which columns there are, does."""
    dataset = from_split(TRAIN, TEST, VALIDATION)
    shuffled = from_split(*(frame.sample(frac=1, random_state=5) for frame in (TRAIN, TEST, VALIDATION)), name="other")
    assert shuffled.key == dataset.key
    moved = from_split(TRAIN[1:], pd.concat([TEST, TRAIN[:1]]), VALIDATION)
    swapped = from_split(TRAIN, VALIDATION, TEST)
    unsplit = from_frame(pd.concat([TRAIN, TEST, VALIDATION]))
    unrated = from_split(*(frame.drop(columns="rating") for frame in (TRAIN, TEST, VALIDATION)))
    folded = from_folds([(TRAIN, TEST, VALIDATION)])
    keys = [each.key for each in (dataset, moved, swapped, unsplit, unrated, folded)]
    assert len(set(keys)) == len(keys)
    assert from_split(TRAIN, TEST, VALIDATION, allow_overlap=True).key == dataset.key


def test_what_identifies_a_published_split_never_changes() -> None:
    """Stores find their results by it; tied rows without times keep their order where a step asks for the last one."""
    digests = {
        "single": from_split(TRAIN, TEST, VALIDATION),
        "folds": from_folds([(TRAIN, TEST), (TEST, VALIDATION)]),
        "texts": from_split(*(frame.astype({"user": str}) for frame in (TRAIN, TEST))).pipe(Deduplicate()),
        "timeless": from_split(*(frame[["user", "item"]] for frame in (TRAIN, TEST))).pipe(Deduplicate()),
    }
    assert {name: dataset.identity[1]["source"] for name, dataset in digests.items()} == {
        "single": ["split", {"folds": None}, "494685942eb5418befeffd0bf8180259d20699d3adc631b947dff2b0c3cf8e90"],
        "folds": ["split", {"folds": 2}, "ffd63018f5ef9b23b156570c208f8bcd41ef183ed25dc249258faae1e92db5ee"],
        "texts": ["split", {"folds": None}, "bc9b664f7ef823c48fee3f577989b31a3cacc26989e075a0c1959808c8241360"],
        "timeless": ["split", {"folds": None}, "fe4023930dfca4fec6dd5a3effc9270db13c1d4799d567a9ff83eb75eb9f266a"],
    }
    parts = [frame.assign(part_0=number) for number, frame in enumerate((TRAIN, VALIDATION, TEST))]
    table = pd.concat(parts).sort_values(["user", "timestamp"])
    assert digests["single"].identity[1]["source"][-1] == table_digest({str(name): table[name] for name in table})


def test_files_of_any_form_are_the_same_dataset(tmp_path: Path) -> None:
    """CSV without a header, Parquet and frames of the same rows have one key, also mixed."""
    TRAIN.to_parquet(tmp_path / "train.parquet", index=False)
    TEST.to_csv(tmp_path / "test.dat", sep=";", header=False, index=False)
    listed = from_file(tmp_path / "test.dat", columns=["user", "item", "rating", "timestamp"], separator=";")
    mixed = from_split(tmp_path / "train.parquet", listed)
    assert mixed.key == from_split(TRAIN, TEST).key
    assert rows(split_of(mixed).test) == rows(TEST)
    for name, frame in (("a", TRAIN), ("b", TEST)):
        frame.rename(columns={"user": "who"}).to_csv(tmp_path / f"{name}.txt", sep="|", index=False)
    options: dict[str, Any] = {"columns": {"who": "user"}, "separator": "|"}
    assert from_split(tmp_path / "a.txt", tmp_path / "b.txt", **options).key == mixed.key


def test_parts_have_every_form_that_data_has(tmp_path: Path) -> None:
    """Several files, lines of a user and its items, frames of polars and sparse matrices are parts like any others."""
    pairs = [(1, 7), (1, 8), (2, 7), (3, 9)], [(1, 9), (2, 8)]
    train, test = (pd.DataFrame(rows, columns=["user", "item"]) for rows in pairs)
    key = from_split(train, test).key
    for number, frame in enumerate((train[:1], train[1:])):
        frame.to_csv(tmp_path / f"train_{number}.csv", index=False)
    several = [tmp_path / "train_0.csv", tmp_path / "train_1.csv"]
    assert from_split(several, test).key == from_split(f"{tmp_path}/train_*.csv", pl.from_pandas(test)).key == key
    (tmp_path / "train.txt").write_text("1 7 8\n2 7\n3 9\n")
    (tmp_path / "test.txt").write_text("1 9\n2 8\n")
    assert from_split(tmp_path / "train.txt", tmp_path / "test.txt", format="adjacency").key == key
    matrices = [csr_array((np.ones(len(rows)), tuple(zip(*rows, strict=True))), shape=(4, 10)) for rows in pairs]
    assert from_split(*matrices).key == key
    names = [f"u{number}" for number in range(4)]
    named = split_of(from_split(*matrices, user_ids=names))
    assert rows(named.test) == [("u1", 9), ("u2", 8)]
    renamed = (frame.rename(columns={"user": "who"}) for frame in (train, test))
    assert from_split(*renamed, columns={"who": "user"}).key == key


def test_features_are_of_all_parts(tmp_path: Path) -> None:
    """What is known about items and users is given once, is in the key, and is not lost with a part."""
    items = pd.DataFrame({"item": list("abcde"), "colour": ["red", "red", "blue", "blue", "red"]})
    dataset = from_split(TRAIN, TEST, items=items).pipe(MakeImplicit(1))
    assert dataset.key != from_split(TRAIN, TEST).pipe(MakeImplicit(1)).key
    prepare(dataset, tmp_path)
    table = Fold(tmp_path, 0).features("items")
    assert table is not None
    assert sorted(table.column("colour").tolist()) == ["blue", "blue", "red", "red", "red"]
    assert from_folds([(TRAIN, TEST)], items=items).features.keys() == {"items"}
    with pytest.raises(DataError, match=r"train is a dataset with features.*items= or users="):
        from_split(from_frame(TRAIN, items=items), TEST)


def test_ids_of_files_are_texts_if_those_of_a_part_are(tmp_path: Path) -> None:
    """Where the items of training look like numbers and one of test does not, all are texts, so that they are the same."""
    (tmp_path / "train.csv").write_text("user,item\n1,7\n2,8\n2,7\n")
    (tmp_path / "test.csv").write_text("user,item\n1,x\n1,8\n")
    data = split_of(from_split(tmp_path / "train.csv", tmp_path / "test.csv"))
    assert rows(data.train) == [(1, "7"), (2, "7"), (2, "8")]
    assert rows(data.test) == [(1, "8"), (1, "x")]
    frames = [pd.read_csv(tmp_path / f"{part}.csv") for part in ("train", "test")]
    with pytest.raises(DataError, match=r"column 'item' has ids such as 7 in train, and such as 'x' in test.*texts"):
        from_split(*frames).key  # noqa: B018 - it is computed
    texts = [frame.astype({"item": str}) for frame in frames]
    assert from_split(*texts).key == from_split(tmp_path / "train.csv", tmp_path / "test.csv").key


@pytest.mark.parametrize("frames", [(TRAIN, pd.concat([TEST, TRAIN[1:3]])), (TRAIN, TEST, TRAIN[1:3])])
def test_an_overlap_is_refused_with_its_number(frames: tuple[pd.DataFrame, ...]) -> None:
    """The error says how many pairs are in which parts, and the first of them with its row; a look at the key shows it."""
    part, row = ("test", 3) if len(frames) == 2 else ("validation", 0)
    says = rf"shop: 2 pairs of user and item are in train and in {part} \(the first is user 1 with item 'b', row {row} of {part}\)"
    dataset = from_split(*frames, name="shop")
    for attribute in ("key", "data"):
        with pytest.raises(DataError, match=rf"{says}.*allow_overlap=True"):
            getattr(dataset, attribute)


def test_an_overlap_of_files_is_named_with_its_line(tmp_path: Path) -> None:
    """Of a text file the error says the line as well."""
    for part, frame in (("train", TRAIN), ("test", pd.concat([TEST, TRAIN[:1]]))):
        frame.to_csv(tmp_path / f"{part}.csv", index=False)
    with pytest.raises(
        DataError, match=r"1 pair of user and item is in train and in test \(.*, row 3, line 5 of test\)"
    ):
        from_split(tmp_path / "train.csv", tmp_path / "test.csv").key  # noqa: B018 - it is computed


def test_an_overlap_that_is_meant_is_kept(tmp_path: Path) -> None:
    """A pair may be in both parts: it is not recommended unless repeats are, and counted in the manifest."""
    dataset = from_split(TRAIN, pd.concat([TEST, TRAIN[1:3]]), allow_overlap=True).pipe(MakeImplicit(3))
    data = split_of(dataset)
    assert rows(data.train) == rows(TRAIN[TRAIN["rating"] >= 3].drop(columns="rating"))
    assert len(data.test) == len(TEST) + 2
    manifest = prepare(dataset, tmp_path)
    assert manifest["leakage"]["folds"] == [{"test_interactions": 5, "before_training_end": 2, "seen_pairs": 2}]
    assert manifest["repeats"]
    assert len(Fold(tmp_path, 0).train) == 4
    assert AllItems(repeats=True).identity != AllItems().identity


def test_overlapping_validation_is_trained_on_once(tmp_path: Path) -> None:
    """With the validation part joined to training, no pair is there twice."""
    prepare(
        from_split(TRAIN, TEST, pd.concat([VALIDATION, TRAIN[:1]]), allow_overlap=True).pipe(MakeImplicit(1)), tmp_path
    )
    fold = Fold(tmp_path, 0, "train+validation")
    (users, items), _ = fold.interactions_before()
    pairs = list(zip(users.tolist(), items.tolist(), strict=True))
    assert len(pairs) == len(set(pairs)) == len(TRAIN) + len(VALIDATION)


def test_unknown_users_and_items_are_counted(tmp_path: Path) -> None:
    """Those of the test part that are not in training are counted, as of every split."""
    manifest = prepare(from_split(TRAIN, TEST).pipe(MakeImplicit(1)), tmp_path)
    assert manifest["cold"]["folds"] == [{"cold_users": 1, "test_users": 3, "cold_items": 1, "test_items": 3}]


class Forgetful(Preprocessing):
    """Makes rows of the columns alone."""

    def apply(self, interactions: Interactions, seed: int, position: int) -> Interactions:
        columns = (interactions.user, interactions.item, interactions.rating, interactions.timestamp)
        return Interactions(*columns, interactions.user_ids, interactions.item_ids)


def later(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["timestamp"] > 15].sample(frac=1, random_state=1)


STEPS = [
    MakeImplicit(3),
    RatingFilter(3, 5),
    TimeFilter(15, 75),
    CorePruning(2),
    AtMost(2),
    Subsample(0.7),
    Apply(later),
]


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_steps_before_it_keep_the_parts(step: Any) -> None:
    """What a step leaves is what it leaves of all rows together, and each of them is in the part where it was."""
    dataset = from_split(TRAIN, TEST, VALIDATION).pipe(step)
    data = split_of(dataset)
    together = from_frame(pd.concat([TRAIN, TEST, VALIDATION], ignore_index=True)).pipe(step).interactions().frame()
    parts = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
    assert rows(pd.concat([getattr(data, part) for part in parts])) == rows(together)
    for part, frame in parts.items():
        pairs = {row[:2] for row in rows(frame)}
        assert {row[:2] for row in rows(getattr(data, part))} <= pairs
    assert dataset.key != from_split(TRAIN, TEST, VALIDATION).key


def test_a_function_can_look_at_the_parts() -> None:
    """It sees where each row is, may move it, and has to return where it is."""
    seen: list[pd.DataFrame] = []

    def moved(frame: pd.DataFrame) -> pd.DataFrame:
        seen.append(frame)
        return frame.assign(part=frame["part"].replace("validation", "train"))

    data = split_of(from_split(TRAIN, TEST, VALIDATION).pipe(Apply(moved, version=1)))
    assert collections.Counter(seen[0]["part"]) == {"train": 6, "validation": 2, "test": 3}
    assert rows(data.train) == rows(pd.concat([TRAIN, VALIDATION]))
    for wrong, says in (
        (lambda frame: frame.drop(columns="part"), "without the column 'part'"),
        (lambda frame: frame.assign(part="tset"), "returned 'tset' in the column 'part'"),
    ):
        with pytest.raises(DataError, match=says):
            from_split(TRAIN, TEST).pipe(Apply(wrong, version=1)).data  # noqa: B018 - it is computed


def test_repeats_are_within_a_part() -> None:
    """A pair that is twice in a part counts once, with the usual warning; Deduplicate and KeepRepeats decide as they do."""
    twice = pd.concat([TRAIN, TRAIN[:1].assign(timestamp=15, rating=1.0)], ignore_index=True)
    with pytest.warns(UserWarning, match=r"1 repeated .* pairs within its parts; the last one of each was kept. Pipe"):
        assert (1, "a", 1.0, 15) in rows(split_of(from_split(twice, TEST)).train)
    assert rows(split_of(from_split(twice, TEST).pipe(Deduplicate("first"))).train) == rows(TRAIN)
    assert len(split_of(from_split(twice, TEST).pipe(KeepRepeats())).train) == 7
    both = from_split(twice, pd.concat([TEST, TRAIN[:1]]), allow_overlap=True).pipe(Deduplicate("highest"))
    assert [(1, "a", 5.0, 10) in rows(part) for part in (split_of(both).train, split_of(both).test)] == [True, True]


def test_a_second_split_is_refused() -> None:
    """The split is part of what the dataset is; the error names both and the way out."""
    dataset = from_split(TRAIN, TEST, name="shop")
    for use in (dataset.pipe, lambda step: Pipe(MakeImplicit(3), step).process(dataset)):
        with pytest.raises(
            DataError, match=r"shop has a published split, .*UserHoldout cannot split it again.*from_frame"
        ):
            use(UserHoldout())
    assert from_frame(pd.concat([TRAIN, TEST])).pipe(UserHoldout(0, 1)).key


def test_steps_that_leave_nothing_of_a_part_are_refused() -> None:
    """Whoever filters all test rows away is told so, and not given zeros."""
    with pytest.raises(DataError, match=r"leave nothing for test, of 6 interactions"):
        from_split(TRAIN, TEST).pipe(TimeFilter(end=65)).data  # noqa: B018 - it is computed
    with pytest.raises(DataError, match=r"leave nothing of fold 0 for test"):
        from_folds([(TRAIN, TEST), (TEST, TRAIN)]).pipe(TimeFilter(end=65)).data  # noqa: B018


def test_folds_share_their_rows() -> None:
    """A row is there once, with a part in each fold, and in no part where a fold does not have it."""
    dataset = from_folds([(TRAIN, TEST), {"train": TEST, "test": VALIDATION}], name="two")
    assert len(dataset.interactions()) == len(TRAIN) + len(TEST) + len(VALIDATION)
    data = dataset.data
    assert isinstance(data, FoldedData)
    assert (dataset.folds, dataset.variant) == (2, FoldedData)
    assert [rows(fold.test) for fold in data.folds.values()] == [rows(TEST), rows(VALIDATION)]
    assert [rows(fold.train) for fold in data.folds.values()] == [rows(TRAIN), rows(TEST)]
    assert from_folds(data).key == dataset.key
    assert from_folds([(VALIDATION, TRAIN), (TRAIN, TEST)]).key != dataset.key


tables = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 2), st.integers(0, 2)), min_size=1, max_size=8
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(tables, tables, tables), min_size=1, max_size=3))
def test_what_is_laid_over_one_another_comes_apart_again(folds: list[Any]) -> None:
    """Every fold gets its rows back, however often and wherever else they are."""
    columns = ["user", "item", "rating", "timestamp"]
    frames = [[pd.DataFrame(table, columns=columns).astype({"rating": float}) for table in fold] for fold in folds]
    dataset = from_folds(frames, allow_overlap=True).pipe(KeepRepeats())
    data = dataset.data
    assert isinstance(data, FoldedData)
    for (train, test, validation), fold in zip(frames, data.folds.values(), strict=True):
        assert rows(fold.train) == rows(train)
        assert rows(fold.test) == rows(test)
        assert rows(fold.validation) == rows(validation)
    shuffled = [[frame.sample(frac=1, random_state=1) for frame in fold] for fold in frames]
    again = from_folds(shuffled, allow_overlap=True)
    is_ordered = any(
        frame.groupby(["user", "item", "timestamp"])["rating"].nunique().max() > 1
        for frame in [pd.concat([frame for fold in frames for frame in fold])]
    )
    assert is_ordered or again.key == from_folds(frames, allow_overlap=True).key


def test_moments_within_a_second_count() -> None:
    """The last of a repeated pair is the last by its exact time, also where another part has whole seconds."""
    stamps = pd.to_datetime(["2024-01-01T00:00:00.9", "2024-01-01T00:00:00.1"], format="ISO8601")
    train = pd.DataFrame({"user": 1, "item": "a", "rating": [1.0, 5.0], "timestamp": stamps})
    test = pd.DataFrame({"user": [1], "item": ["b"], "rating": 3.0, "timestamp": pd.to_datetime(["2024-01-02"])})
    with pytest.warns(UserWarning, match="repeated"):
        assert split_of(from_split(train, test)).train["rating"].tolist() == [1.0]


def test_moments_of_several_types_are_one_order() -> None:
    """Dates in one part and fractions of seconds in another are moments of the same timeline."""
    train = pd.DataFrame({"user": [1, 1], "item": ["a", "b"], "timestamp": pd.to_datetime([1.75, 2.5], unit="s")})
    test = pd.DataFrame({"user": [1, 1], "item": ["c", "d"], "timestamp": [2.25, 2.75]})
    seconds = from_split(train.assign(timestamp=[1.75, 2.5]), test)
    assert from_split(train, test).key == seconds.key
    assert split_of(from_split(train, test)).test["item"].tolist() == ["c", "d"]


def test_parts_count_in_one_unit() -> None:
    """Seconds in training and milliseconds in test would make everything leak, or nothing; that is refused with an example."""
    train, test = (frame.assign(timestamp=1_700_000_000 + frame["timestamp"]) for frame in (TRAIN, TEST))
    late = test.assign(timestamp=test["timestamp"] * 1000)
    with pytest.raises(
        DataError, match=r"counts seconds in train \(e.g. 1700000060\), and milliseconds in test \(e.g. 17.*one unit"
    ):
        from_split(train, late).key  # noqa: B018 - it is computed
    assert from_split(train, test).key


def test_a_step_that_makes_rows_anew_is_refused() -> None:
    """A step of the user's own class that forgets the parts is told how to keep them."""
    with pytest.raises(DataError, match=r"makes rows anew and does not say in which part they are.*rows\.take"):
        from_split(TRAIN, TEST).pipe(Forgetful()).data  # noqa: B018 - it is computed


def test_tuning_needs_a_validation_part() -> None:
    """Who tunes on a split without one is told how it gets one."""
    plan = ExperimentPlan("tuned", tuning=Tuning("NDCG@10", trials=2))
    plan.tune(RecPack.ItemKNN, {"K": Choice([10, 20])})
    with pytest.raises(PlanError, match=r"shop makes no validation part.*from_split\(train, test, validation\)"):
        experiments(
            from_split(TRAIN, TEST, name="shop").pipe(MakeImplicit(1)),
            plan,
            [NDCG(10)],
            versions=lambda _: "",
            seeds=[1],
        )


def test_columns_that_a_part_lacks_are_dropped_with_a_word() -> None:
    """A dataset has the columns that all parts have, and a warning says which others went."""
    with pytest.warns(UserWarning, match=r"shop: .*user, item, timestamp, so 'rating' of train is dropped"):
        dataset = from_split(TRAIN, TEST.drop(columns="rating"), name="shop")
    assert dataset.feedback == "implicit"
    assert rows(split_of(dataset).train) == rows(TRAIN.drop(columns="rating"))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: from_split(TRAIN, TEST[:0]), "test has no interactions"),
        (lambda: from_split(TRAIN, 7), r"from_frame got int"),
        (lambda: from_split(TRAIN, "nowhere.csv"), "there is no file"),
        (lambda: from_split(TRAIN, TEST, separator=";"), "train is DataFrame, and separator is for files"),
        (lambda: from_split(from_frame(TRAIN).pipe(MakeImplicit(3)), TEST), "train is a dataset with steps"),
        (lambda: from_split(TRAIN, TEST, allow_overlap="yes"), "allow_overlap is 'yes'"),  # type: ignore[arg-type]
        (lambda: from_split(TRAIN.drop(columns="item"), TEST), "train has no column 'item'"),
        (lambda: from_folds([]), "no folds"),
        (lambda: from_folds([(TRAIN,)]), "fold 0 is tuple; give"),
        (lambda: from_folds({"train": TRAIN, "test": TEST}), "got dict; give a list of folds"),  # type: ignore[arg-type]
        (lambda: from_folds([{"train": TRAIN}]), "no part 'test' of fold 0"),
        (lambda: from_folds([{"train": TRAIN, "tset": TEST}]), "'tset' of fold 0 is none of 'train'"),
        (lambda: from_folds([(TRAIN, TEST), (TRAIN, TEST, VALIDATION)]), "fold 1 has a validation part, and fold 0"),
    ],
)
def test_parts_that_are_none_are_refused_at_once(make: Any, says: str) -> None:
    """The error names the part and what to give instead."""
    with pytest.raises(DataError, match=says):
        make()


def test_sources_of_any_kind_are_parts() -> None:
    """A catalogue gives sources by part, and those of users need no more than a source needs."""

    class Plain:
        """A source that has nothing but what every source has."""

        columns = ("user", "item")
        fingerprint = ("plain", 1)

        def load(self) -> Any:
            return from_frame(TEST[["user", "item"]]).interactions()

    source = split_source({"test": Plain(), "train": from_frame(TRAIN[["user", "item"]]).source}, "theirs")
    dataset = RecSysDataSet(source, "theirs")
    assert dataset.key == from_split(TRAIN[["user", "item"]], TEST[["user", "item"]]).key
    assert rows(split_of(dataset).test) == rows(TEST[["user", "item"]])


def test_people_are_told_of_it() -> None:
    """A dataset, a recorded recipe and its source say that the split was there."""
    dataset = from_split(TRAIN, TEST).pipe(MakeImplicit(3))
    assert repr(dataset).endswith("| MakeImplicit(threshold=3) | published split>")
    recipe = dataset.identity[1]
    assert recipe_words(recipe) == "MakeImplicit(3), published split"
    assert source_words(recipe["source"]).startswith("a published split with the digest ")
    assert recipe_words(from_folds([(TRAIN, TEST)] * 2).identity[1]) == "published split of 2 folds"
    assert isinstance(dataset.split, Split)
    splits = [from_split(*frames).split for frames in ((TRAIN, TEST), (TRAIN, TEST, VALIDATION))]
    assert [split.validates for split in splits if split is not None] == [False, True]


def test_the_key_of_files_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same files the key is known without reading them again, and another content of one is another key."""
    paths = [tmp_path / "train.csv", tmp_path / "test.csv"]
    for path, frame in zip(paths, (TRAIN, TEST), strict=True):
        frame.to_csv(path, index=False)
    key = from_split(*paths).key
    with monkeypatch.context() as patch:
        patch.delattr(PublishedSource, "coded")
        assert from_split(*paths).key == key
    TEST[:2].to_csv(paths[1], index=False)
    assert from_split(*paths).key == from_split(TRAIN, TEST[:2]).key != key
