"""``.rsds`` files: what is written is what comes back, and what OmniRec's own reader takes."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from pydantic import TypeAdapter

import omnibench.compat.omnirec as moved
from omnibench.errors import DataError


def dataset() -> moved.RecSysDataSet[moved.RawData]:
    """Return a dataset of 40 ratings, with origin."""
    rows = [(user, item, (user + item) % 5 + 1.0, 10 * user + item) for user in range(5) for item in range(8)]
    frame = pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"])
    return moved.RecSysDataSet(moved.RawData(frame), moved.DatasetMeta(Path("canon.csv"), None, "small"))


@pytest.mark.parametrize("schema_version", [1, 2])
@pytest.mark.parametrize(
    "step", [moved.RatingFilter(lower=2), moved.UserHoldout(1, 2), moved.UserCrossValidation(4, 1)], ids=repr
)
def test_every_variant_comes_back(
    step: moved.Preprocessor[moved.RawData, moved.DataVariant], schema_version: int, tmp_path: Path
) -> None:
    """Frames, name and origin are the same in either format; the lineage in format 2."""
    before = step.process(dataset())
    moved.save_dataset(before, tmp_path / "a.rsds", schema_version)
    after = moved.load_dataset(tmp_path / "a.rsds")
    assert after.num_interactions() == before.num_interactions()
    for (name, frame), (same_name, same) in zip(before.iter_dataframes(), after.iter_dataframes(), strict=True):
        assert name == same_name
        pd.testing.assert_frame_equal(frame.reset_index(drop=True), same, check_dtype=False)
    assert after.meta == before.meta
    assert list(after.lineage) == (list(before.lineage) if schema_version == 2 else [])


def test_loaded_parts_are_the_parts_of_a_run(tmp_path: Path) -> None:
    """The parts of a file are trained and tested on as they are, and saving them again changes nothing."""
    split = moved.UserHoldout(1, 2).process(dataset())
    split.save(tmp_path / "split")
    loaded = moved.RecSysDataSet.load(tmp_path / "split.rsds")
    recipe = loaded.recipe
    (parts,) = recipe.parts(recipe.interactions())
    assert [len(part) for part in parts] == list(split.num_interactions().values())
    native = recipe.data
    tested = set(map(tuple, native.test[["user", "item"]].to_numpy().tolist()))  # type: ignore[union-attr]
    assert tested == set(map(tuple, split._data.test[["user", "item"]].to_numpy().tolist()))
    loaded.save(tmp_path / "again.rsds")
    assert moved.RecSysDataSet.load(tmp_path / "again.rsds").recipe.key == recipe.key


def test_a_pair_in_two_parts_is_refused() -> None:
    """A pair of user and item in training and test would be a leak."""
    frame = dataset()._data.df
    leak = moved.RecSysDataSet(moved.SplitData(frame[:30], frame[30:32], frame[29:]))
    recipe = leak.recipe
    with pytest.raises(DataError, match=r"3 pairs of user and item lie in two parts"):
        recipe.parts(recipe.interactions())


def test_folds_that_disagree_about_a_rating_are_refused() -> None:
    """One dataset has one rating of a pair; the error says the way out."""
    frame = dataset()._data.df
    folds = [frame, frame.assign(rating=0.0)]
    folded = moved.FoldedData({n: moved.SplitData(fold[:30], fold[30:32], fold[32:]) for n, fold in enumerate(folds)})
    with pytest.raises(DataError, match=r"folds disagree.*Make one dataset of each"):
        _ = moved.RecSysDataSet(folded).recipe


def test_omnirecs_reader_takes_what_is_written(tmp_path: Path) -> None:
    """OmniRec validates lineage and origin with pydantic by the fields of these classes; they pass."""
    moved.TimeBasedHoldout(5, 5).process(dataset()).save(tmp_path / "a.rsds")
    with zipfile.ZipFile(tmp_path / "a.rsds") as archive:
        (trace,) = TypeAdapter(list[moved.Trace]).validate_json(archive.read("lineage.json"))
        meta = TypeAdapter(moved.DatasetMeta).validate_json(archive.read("meta.json"))
        manifest = json.loads(archive.read("manifest.json"))
        assert sorted(archive.namelist()) == [
            "lineage.json", "manifest.json", "meta.json", "test.csv", "train.csv", "val.csv"
        ]  # fmt: skip
    assert trace.after_rows == {"train": 30, "val": 5, "test": 5}
    assert meta == moved.DatasetMeta(Path("canon.csv"), None, "small")
    assert manifest == {"format": "rsds", "schema_version": 2, "dataset_variant": "SplitData"}


class Explosive:
    """Would write a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, (str(self.path), "w"))


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    """A pickle under the name of a data set is refused, and not read."""
    (tmp_path / "bad.rsds").write_bytes(pickle.dumps(Explosive(tmp_path / "exploded")))
    with pytest.raises(DataError, match=r"cannot be read as an \.rsds file"):
        moved.RecSysDataSet.load(tmp_path / "bad.rsds")
    with zipfile.ZipFile(tmp_path / "worse.rsds", "w") as archive:
        archive.writestr("manifest.json", pickle.dumps(Explosive(tmp_path / "exploded")))
    with pytest.raises(DataError, match="cannot be read"):
        moved.RecSysDataSet.load(tmp_path / "worse.rsds")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"manifest.json": '{"schema_version": 3}'}, "of the .rsds format 3"),
        ({"VERSION": "2.0.0"}, "of the .rsds version '2.0.0'"),
        ({"VERSION": "1.0.0", "VARIANT": "Nonsense"}, "holds 'Nonsense'"),
        ({"data.csv": "user,item\n"}, "neither manifest.json nor VERSION"),
        ({"VERSION": "1.0.0", "VARIANT": "RawData"}, "cannot be read"),
    ],
)
def test_files_of_another_form_are_refused(files: dict[str, str], message: str, tmp_path: Path) -> None:
    """Later formats, unknown variants and missing members are each one clear sentence."""
    with zipfile.ZipFile(tmp_path / "a.rsds", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    with pytest.raises(DataError, match=message):
        moved.RecSysDataSet.load(tmp_path / "a.rsds")


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """A failure says so, and what was there stays."""
    dataset().save(tmp_path / "a.rsds")
    content = (tmp_path / "a.rsds").read_bytes()
    with pytest.raises(DataError, match="format 9"):
        moved.save_dataset(dataset(), tmp_path / "a.rsds", 9)
    with pytest.raises(DataError, match="cannot be written"):
        dataset().save(tmp_path / "a.rsds" / "b.rsds")
    assert (tmp_path / "a.rsds").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["a.rsds"]
