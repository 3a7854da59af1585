"""Datasets with OmniRec's methods: what they say, what changes them, where they come from."""

from __future__ import annotations

import hashlib
import logging
import zipfile
from pathlib import Path

import pandas as pd
import pytest

import omnibench
import omnibench.compat.omnirec as moved
from omnibench.compat.omnirec.data_loaders import registry
from omnibench.data.catalogue.folders import DataFolder
from omnibench.data.catalogue.names import definition
from omnibench.data.catalogue.raw_parts import RawPart, note_files
from omnibench.errors import DataError


def ratings(users: int = 6, items: int = 8) -> pd.DataFrame:
    """Return a frame of every user with every item but one, ratings from 1 to 5, a second apart."""
    pairs = [(user, item) for user in range(users) for item in range(items) if user != item]
    columns = {"user": [user for user, _ in pairs], "item": [item for _, item in pairs]}
    rating = [float((3 * user + item) % 5 + 1) for user, item in pairs]
    return pd.DataFrame({**columns, "rating": rating, "timestamp": range(1000, 1000 + len(pairs))})


@pytest.fixture
def dataset() -> moved.RecSysDataSet[moved.RawData]:
    """A dataset of a frame."""
    return moved.RecSysDataSet(moved.RawData(ratings()), moved.DatasetMeta(name="mine"))


def test_statistics_have_the_shape_of_the_data(dataset: moved.RecSysDataSet[moved.RawData]) -> None:
    """Counts are a number for raw data, one per part for split data, one per fold and part for folded data."""
    assert (dataset.num_interactions(), dataset.num_columns()) == (42, 4)
    assert (dataset.min_rating(), dataset.max_rating()) == (1.0, 5.0)
    assert moved.UserHoldout(1, 2).process(dataset).num_interactions() == {"train": 24, "val": 6, "test": 12}
    folded = moved.RandomCrossValidation(2, 1).process(dataset)
    assert folded.num_interactions() == {fold: {"train": 20, "val": 1, "test": 21} for fold in (0, 1)}
    with pytest.raises(DataError, match="before the split"):
        folded.min_rating()


def test_parts_have_omnirecs_names(dataset: moved.RecSysDataSet[moved.RawData]) -> None:
    """A split has train, val and test, by attribute, by get and by iter_splits."""
    split = moved.UserHoldout(1, 2).process(dataset)._data
    assert [name for name, _ in split.iter_splits()] == ["train", "val", "test"]
    assert split.get("val") is split.val
    assert len(split.val) == 6
    with pytest.raises(DataError, match="It has train, val, test"):
        split.get("validation")


def test_a_step_leaves_the_dataset_as_it_is(dataset: moved.RecSysDataSet[moved.RawData]) -> None:
    """A step of omnibench returns another dataset; several can begin with the same one."""
    implicit = moved.MakeImplicit(4).process(dataset)
    assert moved.MakeImplicit(5).process(dataset).num_interactions() < implicit.num_interactions()
    assert dataset.num_columns() == 4
    assert [trace.component for trace in implicit.lineage] == ["MakeImplicit"]
    assert dataset.lineage == ()


def test_frames_that_are_changed_in_place_count(dataset: moved.RecSysDataSet[moved.RawData]) -> None:
    """Whoever changes dataset._data.df, as OmniRec's steps do, changes the dataset and its key; looking changes neither."""
    key = dataset.recipe.key
    assert len(dataset._data.df) == 42
    assert dataset.recipe.key == key
    dataset._data.df = dataset._data.df[dataset._data.df["rating"] >= 3]
    fewer = dataset.recipe.key
    assert fewer != key
    dataset._data.df.loc[dataset._data.df.index[0], "rating"] = 9.0
    assert dataset.recipe.key != fewer
    assert moved.RatingFilter(lower=6).process(dataset).num_interactions() == 1


def test_a_step_of_ones_own_is_a_step(dataset: moved.RecSysDataSet[moved.RawData]) -> None:
    """A subclass with _process works alone and in a pipe, and the lineage has its arguments and counts."""

    class OnlyItem(moved.Preprocessor[moved.RawData, moved.RawData]):
        def __init__(self, item: int, *, but: bool = False) -> None:
            super().__init__()
            self.item = item
            self.but = but

        def _process(self, dataset: moved.RecSysDataSet[moved.RawData]) -> moved.RecSysDataSet[moved.RawData]:
            df = dataset._data.df
            return dataset.replace_data(moved.RawData(df[(df["item"] == self.item) != self.but]))

    pipe: moved.Pipe[moved.RawData] = moved.Pipe(
        moved.RatingFilter(lower=2), OnlyItem(3, but=True), omnibench.MakeImplicit(3)
    )
    processed = pipe.process(dataset)
    assert 3 not in set(processed._data.df["item"])
    trace = processed.lineage[1]
    assert (trace.component, trace.params) == ("OnlyItem", {"item": 3, "but": True})
    assert trace.before_rows == moved.RatingFilter(lower=2).process(dataset).num_interactions()
    assert isinstance(trace.after_rows, int)
    assert isinstance(trace.before_rows, int)
    assert trace.after_rows < trace.before_rows


@pytest.mark.parametrize("validation", [ratings()[:0], pd.DataFrame()], ids=["no rows", "no columns"])
def test_parts_of_ones_own_may_lack_validation(validation: pd.DataFrame, tmp_path: Path) -> None:
    """A split without validation is trained and tested on as it is, also after it was saved."""
    frame = ratings()
    split = moved.RecSysDataSet(moved.SplitData(frame[:30], validation, frame[30:]))
    split.save(tmp_path / "split")
    for data in (split, moved.RecSysDataSet.load(tmp_path / "split.rsds")):
        recipe = data.recipe
        assert [len(part) for part in recipe.parts(recipe.interactions())[0]] == [30, 0, 12]
    with pytest.raises(DataError, match="the part 'test' of a split has the columns"):
        _ = moved.RecSysDataSet(moved.SplitData(frame, validation, frame[["user", "rating"]])).recipe


def test_a_step_of_ones_own_may_change_parts(dataset: moved.RecSysDataSet[moved.RawData]) -> None:
    """A step on split data sees and changes its parts, and a run has the parts that it left."""

    class WithoutFirstUser(moved.Preprocessor[moved.SplitData, moved.SplitData]):
        def _process(self, dataset: moved.RecSysDataSet[moved.SplitData]) -> moved.RecSysDataSet[moved.SplitData]:
            dataset._data.test = dataset._data.test[dataset._data.test["user"] != 0]
            return dataset

    split = moved.UserHoldout(1, 2).process(dataset)
    changed = WithoutFirstUser().process(split)
    assert changed is split
    assert [trace.component for trace in changed.lineage] == ["UserHoldout", "WithoutFirstUser"]
    assert changed.lineage[1].before_rows == {"train": 24, "val": 6, "test": 12}
    recipe = changed.recipe
    assert [len(part) for part in recipe.parts(recipe.interactions())[0]] == [24, 6, 10]


def test_the_random_state_of_the_moment_decides(dataset: moved.RecSysDataSet[moved.RawData]) -> None:
    """Each step draws from the random state at which it was applied, also when it changes between two steps."""
    moved.set_random_state(7)
    sample = moved.Subsample(30).process(dataset)
    moved.set_random_state(8)
    split = moved.RandomHoldout(5, 5).process(sample)
    again = moved.RandomHoldout(5, 5).process(sample)
    moved.set_random_state(9)
    other = moved.RandomHoldout(5, 5).process(sample)
    parts = [data._data.test.sort_values(["user", "item"]).to_numpy().tolist() for data in (split, again, other)]
    assert parts[0] == parts[1] != parts[2]
    whole = [pd.concat([part for _, part in data._data.iter_splits()]) for data in (split, other)]
    pairs = [frozenset(map(tuple, frame[["user", "item"]].to_numpy().tolist())) for frame in whole]
    assert pairs[0] == pairs[1] == frozenset(map(tuple, sample._data.df[["user", "item"]].to_numpy().tolist()))


def test_a_second_split_replaces_the_first_and_says_so(
    dataset: moved.RecSysDataSet[moved.RawData], caplog: pytest.LogCaptureFixture
) -> None:
    """Parts are never split again: the later split is of all interactions."""
    with caplog.at_level(logging.WARNING, logger="omnirec"):
        twice = moved.RandomHoldout(5, 5).process(moved.UserHoldout(1, 2).process(dataset))  # type: ignore[arg-type]
    assert "is split by UserHoldout" in caplog.text
    assert twice._data.test.shape == (5, 4)
    assert twice.recipe.key == moved.RandomHoldout(5, 5).process(dataset).recipe.key


def test_an_omnibench_dataset_moves_both_ways() -> None:
    """RecSysDataSet.of takes an omnibench dataset, recipe gives one back, and the advice of errors works on both."""
    native = omnibench.from_frame(ratings(), "mine")
    there = moved.RecSysDataSet.of(native).pipe(moved.MakeImplicit(3), omnibench.UserHoldout(1, 2))
    assert there.recipe.key == native.pipe(omnibench.MakeImplicit(3), omnibench.UserHoldout(1, 2)).key
    with pytest.raises(DataError, match="is no dataset"):
        moved.RecSysDataSet.of(ratings())  # type: ignore[arg-type]


def test_movielens_has_numbered_ids() -> None:
    """use_dataloader numbers users and items from 0 in the order of their first appearance, as OmniRec does."""
    dataset = moved.RecSysDataSet.use_dataloader(moved.DataSet.MovieLens100K)
    frame = dataset._data.df
    assert dataset.num_interactions() == 100_000
    assert set(frame["user"]) == set(range(943))
    assert set(frame["item"]) == set(range(1682))
    first = frame[(frame["user"] == 0) & (frame["item"] == 0)]  # the first line of u.data: 196, 242, 3, 881250949
    assert first[["rating", "timestamp"]].to_numpy().tolist() == [[3.0, 881_250_949]]


def test_a_loader_of_ones_own_is_canonical(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of repeated pairs the last stays, ids become numbers, dates seconds; canon_path keeps the result and is read."""

    class Own(moved.Loader):
        @staticmethod
        def info(name: str) -> moved.DatasetInfo:
            return moved.DatasetInfo()

        @staticmethod
        def load(source_dir: Path, name: str) -> pd.DataFrame:
            dates = ["2020-01-01", "2020-01-02", "2020-01-03T00:00:01"]
            return pd.DataFrame(
                {"user": ["b", "a", "b"], "item": ["x", "x", "x"], "rating": [1, 2, 3], "timestamp": dates}
            )

    monkeypatch.setattr(registry, "_LOADERS", {})
    moved.register_dataloader(["Own", "Alias"], Own)
    canon = tmp_path / "new" / "canon.csv"
    dataset = moved.RecSysDataSet.use_dataloader("Alias", canon_path=canon)
    rows = dataset._data.df[["user", "item", "rating", "timestamp"]].to_numpy().tolist()
    assert rows == [[0, 0, 2.0, 1_577_923_200], [1, 0, 3.0, 1_578_009_601]]
    assert "Own" in moved.list_datasets()
    monkeypatch.setattr(registry, "_LOADERS", {})
    again = moved.RecSysDataSet.use_dataloader("Alias", canon_path=canon)
    assert again.num_interactions() == 2
    assert again.recipe.key == dataset.recipe.key


def test_a_dataset_that_omnibench_knows_by_name_has_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dataset that was registered with steps keeps them, numbered; one with a split keeps that, too."""
    monkeypatch.setattr("omnibench.data.loaders._LOADERS", {})
    filtered = omnibench.from_frame(ratings().assign(user=lambda frame: "u" + frame["user"].astype(str)))
    filtered = filtered.pipe(omnibench.RatingFilter(2, 4))
    omnibench.register_dataset("Filtered", lambda path: filtered)
    omnibench.register_dataset("Divided", lambda path: filtered.pipe(omnibench.UserHoldout(1, 1)))
    frame = moved.RecSysDataSet.use_dataloader("Filtered")._data.df
    assert set(frame["rating"]) == {2.0, 3.0, 4.0}
    assert set(frame["user"]) == set(range(6))
    assert isinstance(moved.RecSysDataSet.use_dataloader("Divided")._data, moved.SplitData)


def test_what_omnirec_has_loaded_is_read(tmp_path: Path) -> None:
    """OmniRec's own copy on this machine comes before a download; of names that mean several sets there has to be one."""
    before = moved.get_data_dir()
    moved.set_data_dir(tmp_path)
    try:
        with pytest.raises(DataError, match=r"no loader for 'Gowalla'.*one of GowallaCheckins.*register_dataloader"):
            moved.RecSysDataSet.use_dataloader(moved.DataSet.Gowalla)
        (tmp_path / "canon").mkdir()
        for name in ("FilmTrust", "Gowalla"):
            ratings().to_csv(tmp_path / "canon" / f"{name}.csv", index=False)
            assert moved.RecSysDataSet.use_dataloader(moved.DataSet[name]).num_interactions() == 42
        assert {"FilmTrust", "Gowalla"} <= set(moved.list_datasets())
    finally:
        moved.set_data_dir(before)


def test_what_omnirec_has_not_loaded_comes_from_the_catalogue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Under OmniRec's names, with its numbered ids; it is downloaded when its rows are asked for."""
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path / "cache"))
    before = moved.get_data_dir()
    moved.set_data_dir(tmp_path / "omnirec")
    try:
        folder = DataFolder.of(definition("FilmTrust"))
        folder.path.mkdir(parents=True)
        with zipfile.ZipFile(folder.path / "filmtrust.zip", "w") as archive:
            archive.writestr("ratings.txt", "u7 a 3.5\nu7 b 4\nu9 a 1\n")
        digest = hashlib.sha256((folder.path / "filmtrust.zip").read_bytes()).hexdigest()
        note_files(folder, {"": RawPart(definition("FilmTrust").sources[0], folder.path / "filmtrust.zip", digest)})
        with pytest.warns(UserWarning, match="FilmTrust is not as large as its definition says"):
            frame = moved.RecSysDataSet.use_dataloader(moved.DataSet.FilmTrust)._data.df
        assert frame[["user", "item", "rating"]].to_numpy().tolist() == [[0, 0, 3.5], [0, 1, 4.0], [1, 0, 1.0]]
    finally:
        moved.set_data_dir(before)


def test_a_download_that_is_not_what_was_promised_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every address is tried; a file of another sha256 is not loaded, and the error says what to do."""

    class Elsewhere(moved.Loader):
        @staticmethod
        def info(name: str) -> moved.DatasetInfo:
            return moved.DatasetInfo(["https://one.invalid/a.csv", "https://two.invalid/a.csv"], checksum="0" * 64)

        @staticmethod
        def load(source_dir: Path, name: str) -> pd.DataFrame:
            raise AssertionError("it must not come to this")

    tried = []

    def fetch(url: str, file: Path, *, verify_tls: bool = True) -> None:
        tried.append(url)
        if "one" in url:
            raise OSError("no route")
        file.write_text("user,item\n1,1\n")

    monkeypatch.setattr(registry, "_LOADERS", {"Elsewhere": Elsewhere})
    monkeypatch.setattr(registry, "fetch", fetch)
    with pytest.raises(DataError, match=r"no route.*its sha256 is.*raw_dir="):
        moved.RecSysDataSet.use_dataloader("Elsewhere", raw_dir=tmp_path)
    assert len(tried) == 2
