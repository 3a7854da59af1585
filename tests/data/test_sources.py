"""Sources: frames and files of every kind give the same interactions, and mistakes are named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnibench import from_file, from_frame, load_dataset
from omnibench.data import file_source
from omnibench.data.dataset import RawData, RecSysDataSet
from omnibench.data.file_source import FileSource
from omnibench.data.interactions import CodedColumns
from omnibench.errors import DataError

FRAME = pd.DataFrame(
    {
        "user": [7, 7, 1, 2],
        "item": ["a", "b b", 'c"c', "ü,ü"],
        "rating": [0.1, 5.0, 3.5, 1e-7],
        "timestamp": [3, 2, 1, 881250949],
    }
)


def rows_of(dataset: RecSysDataSet) -> list[tuple[Any, ...]]:
    data = dataset.data
    assert isinstance(data, RawData)
    return sorted(data.df[list(FRAME.columns)].itertuples(index=False, name=None))


def write_csv(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, index=False)
    return path


def write_tsv(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, sep="\t", index=False)
    return path


def write_parquet(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_parquet(path)
    return path


def write_inter(frame: pd.DataFrame, path: Path) -> Path:
    names = {"user": "user_id:token", "item": "item_id:token", "rating": "rating:float", "timestamp": "timestamp:float"}
    frame.rename(columns=names).to_csv(path, sep="\t", index=False)
    return path


WRITERS: dict[str, Callable[[pd.DataFrame, Path], Path]] = {
    "csv": write_csv,
    "tsv": write_tsv,
    "parquet": write_parquet,
    "inter": write_inter,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_every_kind_of_file_gives_the_frames_interactions(kind: str, tmp_path: Path) -> None:
    """A frame written and read back is the same dataset, but for .inter, where tokens stay texts."""
    expected = rows_of(from_frame(FRAME))
    if kind == "inter":
        expected = rows_of(from_frame(FRAME.assign(user=FRAME.user.astype(str))))
    assert rows_of(from_file(WRITERS[kind](FRAME, tmp_path / f"mine.{kind}"))) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=5),
            st.floats(-1e6, 1e6, width=32),
            st.integers(0, 2**32),
        ),
        min_size=1,
        max_size=8,
        unique_by=(lambda row: row[0], lambda row: row[1]),
    ),
    st.sampled_from(["csv", "tsv", "parquet"]),
)
def test_files_keep_every_digit(tmp_path: Path, table: list[tuple[int, str, float, int]], kind: str) -> None:
    """Any ids, ratings and timestamps come back from a file as they went in."""
    frame = pd.DataFrame(table, columns=list(FRAME.columns))
    # A column of numerals reads as numbers and one of blanks may be trimmed, as in any CSV; a letter prevents both.
    frame["item"] = "x" + frame["item"]
    assert rows_of(from_file(WRITERS[kind](frame, tmp_path / f"mine.{kind}"))) == rows_of(from_frame(frame))


def test_tokens_of_atomic_files_stay_texts(tmp_path: Path) -> None:
    """'007' and '7' are two users."""
    path = tmp_path / "a.inter"
    path.write_text("user_id:token\titem_id:token\n007\t1\n7\t1\n", encoding="utf-8")
    data = from_file(path).data
    assert isinstance(data, RawData)
    assert data.df["user"].tolist() == ["007", "7"]


@pytest.mark.parametrize("word", ["NA", "null", "None", "nan", "N/A", "-"])
def test_words_that_pandas_takes_for_missing_are_ids(word: str, tmp_path: Path) -> None:
    """A user may be called null; only an empty field is a missing value."""
    path = tmp_path / "a.csv"
    path.write_text(f"user,item\n{word},1\nb,1\n", encoding="utf-8")
    data = from_file(path).data
    assert isinstance(data, RawData)
    assert sorted(data.df["user"]) == sorted([word, "b"])


def test_an_empty_field_is_a_missing_value(tmp_path: Path) -> None:
    """It is refused with its column."""
    path = tmp_path / "a.csv"
    path.write_text("user,item\n,1\nb,1\n", encoding="utf-8")
    with pytest.raises(DataError, match="column 'user' has 1 missing values"):
        _ = from_file(path).data


def test_a_large_column_has_one_type(tmp_path: Path) -> None:
    """A text far down makes the whole column text; 1 and '1' do not become two users."""
    path = tmp_path / "a.csv"
    lines = [f"{number % 1000},{number}" for number in range(300_000)]
    path.write_text("\n".join(["user,item", *lines, "zoe,1", ""]), encoding="utf-8")
    data = from_file(path).data
    assert isinstance(data, RawData)
    assert data.df["user"].nunique() == 1001


@pytest.mark.parametrize(
    "text", ["\ufeffuser,item\n1,2\n", "\n\nuser,item\n1,2\n", "user,item,\n1,2,\n", '"user","item"\r\n1,2\r\n']
)
def test_oddities_of_real_files_are_read(text: str, tmp_path: Path) -> None:
    """Byte order marks, empty lines, quoted names and trailing commas are no obstacle."""
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    data = from_file(path).data
    assert isinstance(data, RawData)
    assert data.df.to_dict("list") == {"user": [1], "item": [2]}


def test_a_parquet_index_is_a_column_too(tmp_path: Path) -> None:
    """An index is hidden by pandas in its metadata; the file has the column all the same."""
    FRAME.set_index("user").to_parquet(tmp_path / "a.parquet")
    assert rows_of(from_file(tmp_path / "a.parquet")) == rows_of(from_frame(FRAME))


def test_columns_of_other_names_can_be_mapped(tmp_path: Path) -> None:
    """The file's own names are mapped to omnibench's; what is mapped wins over what has the name already."""
    frame = FRAME.rename(columns={"user": "userId", "item": "movieId", "rating": "stars"}).assign(rating=0.0)
    path = write_csv(frame, tmp_path / "a.csv")
    with pytest.warns(UserWarning, match="drops 'rating'"):
        mapped = from_file(path, columns={"userId": "user", "movieId": "item", "stars": "rating"})
    assert rows_of(mapped) == rows_of(from_frame(FRAME))


def test_the_content_of_a_file_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read once for its key; after that it is known without reading it, until the file changes."""
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path / "cache"))
    path = write_csv(FRAME, tmp_path / "a.csv")
    os.utime(path, (1e9, 1e9))
    key = from_file(path).key
    with monkeypatch.context() as patched:
        patched.setattr(file_source, "read_text", lambda *_: pytest.fail("it was read"))
        dataset = from_file(path)
        assert dataset.key == key
        assert dataset.feedback == "explicit"
    write_csv(FRAME.iloc[1:], path)
    assert from_file(path).key != key


def test_rows_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who wants the rows alone waits for neither the digest of the file nor that of its content."""
    FRAME.to_csv(tmp_path / "a.csv", index=False)
    dataset = from_file(tmp_path / "a.csv")
    readings = []
    coded = FileSource.coded

    def counted(source: FileSource) -> CodedColumns:
        readings.append(source)
        return coded(source)

    monkeypatch.setattr(FileSource, "coded", counted)
    monkeypatch.setattr(file_source, "path_digest", lambda _: pytest.fail("nobody has asked for a key"))
    assert len(dataset.interactions()) == len(FRAME)
    assert len(readings) == 1


def test_names_and_paths_are_labels(tmp_path: Path) -> None:
    """The same content under another name, in another place, at another time is the same dataset."""
    (tmp_path / "below").mkdir()
    one = from_file(write_csv(FRAME, tmp_path / "a.csv"), name="one")
    other = from_file(write_csv(FRAME, tmp_path / "below" / "b.csv"))
    assert (one.name, other.name) == ("one", "b")
    assert one.key == other.key
    assert from_frame(FRAME, "one").key == from_frame(FRAME.copy(), "other").key


def test_other_content_has_another_key(tmp_path: Path) -> None:
    """One changed rating or time, and a missing row, is another dataset."""
    frames = (FRAME, FRAME.assign(rating=[0.2, 5.0, 3.5, 1e-7]), FRAME.iloc[1:])
    keys = {from_frame(frame).key for frame in frames}
    files = {
        from_file(write_csv(frame, tmp_path / f"{number}.csv")).key
        for number, frame in enumerate((FRAME, FRAME.assign(timestamp=[3, 2, 1, 881250948])))
    }
    assert len(keys) == 3
    assert len(files) == 2


def test_a_frame_is_copied() -> None:
    """Changing the frame afterwards changes neither the key nor the interactions."""
    frame = FRAME.copy()
    dataset = from_frame(frame)
    key = dataset.key
    frame.loc[0, "rating"] = 4.0
    frame["user"] = 1
    assert rows_of(dataset) == rows_of(from_frame(FRAME))
    assert dataset.key == key == from_frame(FRAME).key


def test_other_columns_do_not_matter() -> None:
    """What omnibench does not know is left out of the key, too."""
    with pytest.warns(UserWarning, match="drops 'genre'"):
        assert from_frame(FRAME.assign(genre="x")).key == from_frame(FRAME).key


def test_columns_that_are_dropped_are_said_with_the_call_that_keeps_one(tmp_path: Path) -> None:
    """The call that a warning shows makes a timestamp of a column; what pandas wrote as row numbers is not worth one."""
    frame = FRAME[["user", "item", "rating"]].assign(time=range(len(FRAME)), price=1.0)
    path = write_csv(frame, tmp_path / "a.csv")
    with pytest.warns(
        UserWarning, match=r"drops 'time', 'price'.*'time' is the timestamp.*columns: \{'time': 'timestamp'\}"
    ):
        from_file(path)
    with pytest.warns(
        UserWarning, match=r"drops 'price'\. What is known about items or users is given in a table of its own"
    ):
        timed = from_file(path, columns={"time": "timestamp"})
    assert rows_of(timed) == rows_of(from_frame(FRAME.assign(timestamp=range(len(FRAME)))))
    with pytest.warns(UserWarning, match=r"say so in columns: \{'time': 'timestamp'\}.* the name None in columns"):
        from_frame(frame)
    from_file(write_csv(FRAME.assign(**{"Unnamed: 0": 1}), tmp_path / "b.csv"))


def test_columns_that_are_named_none_are_left_out_without_a_word(tmp_path: Path) -> None:
    """Warnings are errors here; the same goes for frames, tables and formats, and a name that is not there is refused."""
    more = FRAME.assign(shelf="a", timestamp=1)
    columns = {"shelf": None, "timestamp": None}
    files = [write_csv(more, tmp_path / "a.csv"), tmp_path / "a.jsonl"]
    more.to_json(files[1], orient="records", lines=True)
    datasets = [from_frame(more, columns=columns), *(from_file(path, columns=columns) for path in files)]
    assert all(list(dataset.interactions().frame()) == ["user", "item", "rating"] for dataset in datasets)
    with pytest.raises(DataError, match="no column 'shelv'; did you mean 'shelf'"):
        from_frame(more, columns={"shelv": None})


@pytest.mark.parametrize("mistake", [
    (lambda path: from_file(path / "gone.csv"), "there is no file .*gone.csv.*check the path"),
    (from_file, "is a directory without .parquet files"),
    (lambda path: from_file(touch(path / "a.xlsx")), "ends in '.xlsx'; from_file reads .csv, .*from_frame"),
    (lambda path: from_file(touch(path / "a.csv")), "a.csv is empty"),
    (lambda path: from_file(touch(path / "a.csv", "usr,item\n1,2\n")), "no column 'user'; did you mean 'usr'"),
    (lambda path: from_file(touch(path / "a.csv", "user,itme\n1,2\n")), "no column 'item'; did you mean 'itme'"),
    (lambda path: from_file(touch(path / "a.csv", "u,item\n1,2\n"), columns={"uid": "user"}), "no column 'uid'"),
    (lambda path: from_file(touch(path / "a.csv", "user,item\n1,2\n"), columns={1: "user"}), "no column 1"),
    (lambda path: from_file(touch(path / "a.csv", "user,item,r\n1,2,3\n"), columns={"r": "raitng"}),
     "'raitng', which omnibench does not know; did you mean 'rating'"),
    (lambda path: from_file(touch(path / "a.csv", "a,b,item\n1,2,3\n"), columns={"a": "user", "b": "user"}),
     "two columns are to be 'user'"),
    (lambda path: from_file(touch(path / "a.csv", "user,item\n")).data, "a.csv has no interactions; give a file that has some"),
    (lambda path: from_file(touch(path / "a.parquet", "nope")), "a.parquet cannot be read as .parquet"),
    (lambda path: from_file(touch(path / "a.csv", "user,item\n", "utf-16")), "a.csv cannot be read as utf-8: line 1 .*utf-16"),
    (lambda path: from_file(touch(path / "a.csv", 'user,item\n1,"2\n')).data, "a.csv cannot be read as .csv"),
    (lambda _: from_frame(FRAME.drop(columns="item")), "frame has no column 'item'"),
    (lambda _: from_frame(FRAME.rename(columns={"user": "usr"})), "no column 'user'; did you mean 'usr'"),
    (lambda _: from_frame(FRAME.iloc[:0], "mine"), "mine has no interactions"),
    (lambda _: from_frame(None), "NoneType, which is no frame"),
    (lambda _: from_frame(pd.concat({"a": FRAME}, axis=1).swaplevel(axis=1)), "columns of 2 levels.*one name each"),
    (lambda _: from_frame(pd.concat([FRAME, FRAME[["user"]]], axis=1)), "the column 'user' twice"),
    (lambda _: from_frame(FRAME.assign(user=pd.Series([1, None, 2, 3], dtype="Int64"))).key, "'user' has 1 missing"),
    (lambda _: load_dataset("MovieLens100k"), "named 'MovieLens100k'; did you mean 'MovieLens100K'"),
    (lambda _: load_dataset("Gowalla"), "means several data sets; .*Gowalla_m1"),
    (lambda _: load_dataset(3), "no dataset named 3"),  # type: ignore[arg-type]
    (lambda path: load_dataset("MovieLens100K", path / "gone.zip"), "nothing at '.*gone.zip'"),
])  # fmt: skip
def test_mistakes_get_an_error_that_names_the_thing(mistake: tuple[Callable[[Path], Any], str], tmp_path: Path) -> None:
    """What is wrong, where, and what to do instead."""
    attempt, says = mistake
    with pytest.raises(DataError, match=says):
        attempt(tmp_path)


def touch(path: Path, text: str = "", encoding: str = "utf-8") -> Path:
    path.write_text(text, encoding=encoding)
    return path


def test_a_file_that_went_away_is_named_when_its_key_is_asked_for(tmp_path: Path) -> None:
    """A file that went away is named by a DataError, not by a bare FileNotFoundError in the middle of collection."""
    path = write_csv(FRAME, tmp_path / "a.csv")
    dataset = from_file(path)
    path.unlink()
    with pytest.raises(DataError, match=r"a\.csv cannot be read"):
        _ = dataset.key
