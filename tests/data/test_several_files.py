"""Several files, archives and Arrow's formats: the same rows are the same dataset, in however many files they come."""

from __future__ import annotations

import gzip
import os
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, ipc

from omnibench import Deduplicate, from_file, from_frame
from omnibench.data import file_source
from omnibench.data.dataset import RawData, RecSysDataSet
from omnibench.data.files import size
from omnibench.data.files.text import read_text
from omnibench.errors import ChangedDataError, DataError

FRAME = pd.DataFrame(
    {
        "user": [7, 7, 1, 2, 3, 3],
        "item": ["a", "b b", 'c"c', "ü,ü", "a", "b b"],
        "rating": [0.1, 5.0, 3.5, 1e-7, 1.0, 2.0],
        "timestamp": [3, 2, 1, 881250949, 5, 5],
    }
)


@pytest.fixture(autouse=True)
def _nothing_remembered(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read, although an earlier run of these tests has read the same."""
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


def ids_of(dataset: RecSysDataSet, column: str) -> list[Any]:
    data = dataset.data
    assert isinstance(data, RawData)
    return sorted(data.df[column].tolist(), key=repr)


def in_parts(folder: Path, *texts: str, suffix: str = "csv") -> list[Path]:
    paths = [folder / f"clicks_{number}.{suffix}" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def test_several_files_are_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a list or a pattern, in whatever formats: the key is that of the whole frame, and the name what they share."""
    parts = [FRAME.iloc[:2], FRAME.iloc[2:3], FRAME.iloc[3:]]
    for number, part in enumerate(parts):
        part.to_csv(tmp_path / f"clicks_{number}.csv", index=False)
    pattern = from_file(tmp_path / "clicks_*.csv")
    listed = from_file([tmp_path / f"clicks_{number}.csv" for number in range(3)])
    assert pattern.key == listed.key == from_frame(FRAME).key
    assert pattern.name == listed.name == "clicks"
    monkeypatch.chdir(tmp_path)
    assert from_file("clicks_[01].csv").key == from_frame(FRAME.iloc[:3]).key
    parts[1].to_parquet("middle.parquet")
    (tmp_path / "below").mkdir()
    parts[2].to_csv("below/last.tsv.gz", sep="\t", index=False)
    assert from_file(["clicks_0.csv", "middle.parquet", "below/last.tsv.gz"], "mixed").key == from_frame(FRAME).key
    assert from_file("**/last*").name == "last"


def test_the_order_of_files_is_that_of_rows(tmp_path: Path) -> None:
    """Where the last of several interactions counts, what stands in a later file is later."""
    first, second = in_parts(tmp_path, "user,item,rating\n1,2,3\n", "user,item,rating\n1,2,4\n")
    whole = from_frame(pd.DataFrame({"user": [1, 1], "item": [2, 2], "rating": [3, 4]})).pipe(Deduplicate("last"))
    assert from_file([first, second]).pipe(Deduplicate("last")).key == whole.key
    assert from_file([second, first]).pipe(Deduplicate("last")).key != whole.key
    assert ids_of(from_file([second, first]).pipe(Deduplicate("last")), "rating") == [3]


@pytest.mark.parametrize(
    ("texts", "users"),
    [
        (("user,item\n7,1\n", "user,item\n007,1\n"), ["007", "7"]),
        (("user,item\n7,1\n", "user,item\n", "user,item\n8,1\n"), [7, 8]),
        (("user,item\n 7,1\n", "user,item\nx,1\n"), [" 7", "x"]),
        (("item,user\n1,7\n", "user,item\nx,1\n"), ["7", "x"]),
    ],
)
def test_ids_are_integers_if_they_are_in_all_files(texts: tuple[str, ...], users: list[Any], tmp_path: Path) -> None:
    """As in a single file with all their rows: a text in one makes all texts; columns may stand in another order."""
    in_parts(tmp_path, *texts)
    assert ids_of(from_file(tmp_path / "clicks_*.csv"), "user") == users


BAD_PARTS: dict[str, tuple[tuple[str, ...], str]] = {
    "missing id": (("user,item\n1,2\n", "user,item\n3,4\n\n,2\n"), r"missing values \(the first in clicks_1.csv, row 1, line 4\)"),
    "bad rating": (("user,item,rating\n1,2,3\n", "user,item,rating\n1,2,x\n"), "'x' in clicks_1.csv, row 0, line 2"),
    "bad time": (("user,item,timestamp\n1,2,3\n2,2,3\n", "user,item,timestamp\n1,2,-\n"), "'-' in clicks_1.csv, row 0, line 2"),
    "other columns": (("user,item,rating\n1,2,3\n", "user,item\n1,2\n"), "clicks_1.csv has no column 'rating', but clicks_0.csv has"),
    "no header": (("user,item\n1,2\n", "3,4\n"), "clicks_1.csv has no column 'user'.*Its first lines are '3,4'"),
    "uneven": (("user,item\n1,2\n", "user,item\n1,2\n1,2,3\n"), "clicks_1.csv: line 3 has 3 fields"),
    "empty": (("user,item\n1,2\n", ""), "clicks_1.csv is empty"),
    "nothing": (("user,item\n", "user,item\n"), "clicks has no interactions"),
}  # fmt: skip


@pytest.mark.parametrize("problem", BAD_PARTS)
def test_a_bad_file_among_several_is_named(problem: str, tmp_path: Path) -> None:
    """With the row and the line in that file."""
    texts, says = BAD_PARTS[problem]
    in_parts(tmp_path, *texts)
    with pytest.raises(DataError, match=f"(?s){says}"):
        _ = from_file(tmp_path / "clicks_*.csv").data


def test_what_is_guessed_of_several_files_is_said_once(tmp_path: Path) -> None:
    """Not for each of a hundred."""
    in_parts(tmp_path, *["userId,movieId,genre\n1,2,x\n"] * 3)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        from_file(tmp_path / "clicks_*.csv")
    assert [str(warning.message).split(",")[0] for warning in said] == [
        "clicks_0.csv: 'userId' is taken for the user",
        "clicks_0.csv: a dataset keeps user",
    ]
    assert {warning.filename for warning in said} == {__file__}


def test_several_files_are_read_once_until_one_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their content is remembered; a change while they are read is refused, and another file makes another key."""
    paths = in_parts(tmp_path, "user,item\n1,2\n", "user,item\n3,4\n")
    key = from_file(paths).key
    with monkeypatch.context() as patched:
        patched.setattr(file_source, "read_text", lambda *_: pytest.fail("it was read"))
        assert from_file(paths).key == key

    def read_slowly(*arguments: Any) -> Any:
        table = read_text(*arguments)
        paths[1].write_text("user,item\n5,6\n", encoding="utf-8")
        return table

    in_parts(tmp_path, "user,item\n9,2\n")
    monkeypatch.setattr(file_source, "read_text", read_slowly)
    with pytest.raises(ChangedDataError, match=r"clicks_1.csv has changed since"):
        _ = from_file(paths).key


def test_several_files_that_memory_does_not_hold_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would fit; what all of them need is said."""
    paths = in_parts(tmp_path, *["user,item\n" + "1,2\n" * 3000] * 3)
    monkeypatch.setattr(size, "available_memory", lambda: 2**20)
    with pytest.raises(
        DataError, match=r"clicks_0.csv and 2 more has about 9,0[0-9]{2} interactions, and reading it needs"
    ):
        _ = from_file(paths).key


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ([], "an empty list"),
        (3, "from_file got 3; give the path"),
        ([None], "from_file got None"),
        ("gone_*.csv", "no file matches '.*gone_..csv'; check the pattern"),
        (["a.csv", "a.csv"], "a.csv twice"),
        (["a.csv", "gone.csv"], "there is no file '.*gone.csv'"),
    ],
)
def test_paths_that_cannot_be_are_named(
    argument: Any, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not there, and what is no path."""
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("user,item\n1,2\n", encoding="utf-8")
    with pytest.raises(DataError, match=says):
        from_file(argument)
    with pytest.raises(DataError, match=r"member is 'x', but a.csv is no archive"):
        from_file("a.csv", member="x")


def test_a_name_with_signs_of_patterns_is_a_name(tmp_path: Path) -> None:
    """Where there is such a file."""
    FRAME.to_csv(tmp_path / "clicks [1].csv", index=False)
    assert from_file(tmp_path / "clicks [1].csv").key == from_frame(FRAME).key


def test_a_pattern_begins_in_a_folder_of_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signs in the name of the working directory are letters."""
    folder = tmp_path / "run [1]*"
    folder.mkdir()
    monkeypatch.chdir(folder)
    in_parts(folder, "user,item\n1,2\n", "user,item\n3,4\n")
    assert ids_of(from_file("clicks_?.csv"), "user") == [1, 3]
    assert ids_of(from_file(["clicks_?.csv", Path("clicks_0.csv").rename("other.csv")]), "user") == [1, 3]


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/", 1), content)
    return path


CSV = FRAME.to_csv(index=False).encode()


def test_the_file_in_an_archive_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only one, or the one that is said by its name or a pattern; the archive's name is the dataset's."""
    monkeypatch.chdir(tmp_path)
    zipped(tmp_path / "only.zip", **{"shop__clicks.csv": CSV, "MACOSX": b""})
    with pytest.raises(DataError, match=r"only.zip has 2 members; say which .*'shop/clicks.csv'"):
        from_file("only.zip")
    FRAME.to_csv("shop.csv.zip", index=False)
    assert (from_file("shop.csv.zip").key, from_file("shop.csv.zip").name) == (from_frame(FRAME).key, "shop.csv")
    for member in ("shop/clicks.csv", "*/clicks.csv", "*.csv"):
        assert from_file("only.zip", member=member).key == from_frame(FRAME).key
    assert from_file("only.zip/shop/clicks.csv").key == from_frame(FRAME).key
    parquet = tmp_path / "a.parquet"
    FRAME.to_parquet(parquet)
    zipped(
        tmp_path / "p.zip", **{"a.parquet": parquet.read_bytes(), "b__c.tsv.gz": gzip.compress(b"user\titem\n007\tx\n")}
    )
    assert from_file("p.zip", member="a.parquet").key == from_frame(FRAME).key
    assert ids_of(from_file("p.zip", member="b/*"), "user") == ["007"]
    assert from_file(["p.zip", "only.zip"], member="*[a-z].[cp]*").key == from_frame(pd.concat([FRAME, FRAME])).key


@pytest.mark.parametrize("cut", [False, True])
def test_errors_in_an_archive_name_the_member(cut: bool, tmp_path: Path) -> None:
    """With its line; an archive that was not copied completely is said to be that."""
    path = zipped(tmp_path / "a.zip", **{"clicks.csv": b"user,item\n1,2\n1\n"})
    if cut:
        path.write_bytes(path.read_bytes()[:-30])
        with pytest.raises(DataError, match=r"a.zip cannot be read as an archive: .*fetch it again"):
            from_file(path)
        return
    with pytest.raises(DataError, match=r"a.zip/clicks.csv: line 3 has 1 fields"):
        _ = from_file(path).key
    with pytest.raises(DataError, match=r"a.zip has no member 'clik.csv'. It has 'clicks.csv'"):
        from_file(path, member="clik.csv")


@pytest.mark.filterwarnings("ignore:Feather V1:DeprecationWarning")
@pytest.mark.parametrize("suffix", ["feather", "arrow", "arrows", "ipc", "feather.gz"])
@pytest.mark.parametrize("form", ["lz4", "stream", "v1"])
def test_files_of_arrow_are_read(suffix: str, form: str, tmp_path: Path) -> None:
    """Feather of both versions, the IPC format as a file or a stream; columns that are not used are said."""
    path = tmp_path / "plays"
    table = pa.table(FRAME.assign(genre="x"))
    if form == "stream":
        with ipc.new_stream(str(path), table.schema) as stream:
            stream.write_table(table, max_chunksize=2)
    else:
        feather.write_feather(
            FRAME.assign(genre="x"), str(path), **({"version": 1} if form == "v1" else {"compression": form})
        )
    content = path.read_bytes()
    os.remove(path)
    path = tmp_path / f"plays.{suffix}"
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    with pytest.warns(UserWarning, match=r"drops 'genre'"):
        dataset = from_file(path)
    assert (dataset.key, dataset.name) == (from_frame(FRAME).key, "plays")


def test_bad_files_of_arrow_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not of that format, cut off, options of text, too large for the memory."""
    path = tmp_path / "a.feather"
    path.write_bytes(b"user,item\n1,2\n")
    with pytest.raises(DataError, match=r"a.feather cannot be read as .feather"):
        from_file(path)
    FRAME.to_feather(path)
    with pytest.raises(DataError, match=r"a.feather: separator is for text files"):
        from_file(path, separator=";")
    with pytest.raises(DataError, match=r"a .feather file has names; give a mapping"):
        from_file(path, columns=["user", "item"])
    monkeypatch.setattr(size, "available_memory", lambda: 1000)
    with pytest.raises(DataError, match=r"a.feather has about 6 interactions"):
        _ = from_file(path).key
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"a.feather cannot be read as .feather"):
        _ = from_file(path).key
