"""Tables as data sets are published in them: what a line means, and what is said of one that means nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.raw import read_raw, written

from omnibench.data.files.members import RawFile, open_member
from omnibench.data.readers.read import read_rows
from omnibench.data.readers.reader import Reader
from omnibench.errors import DataError

ALL = ("user", "item", "rating", "timestamp")


@pytest.mark.parametrize(
    ("content", "columns", "options", "expected"),
    [
        ("1\t2\t3\t4\n5\t6\t7\t8\n", ALL, {"separator": "\t"}, [(1, 2, 3, 4), (5, 6, 7, 8)]),
        ("1::2::3.5::4\r\n5::6::7::8", ALL, {"separator": "::"}, [(1, 2, 3.5, 4), (5, 6, 7, 8)]),
        ("A,B,5.0,4\n", ("item", "user", "rating", "timestamp"), {}, [("B", "A", 5, 4)]),
        ("1\t\t2\t\t0.219\n", ("user", "item", "rating"), {"separator": "\t\t"}, [(1, 2, 0.219)]),
        (
            "% bip\n% 3 2 4\n 1  2 3\t4 \n\n5 6 7 8\n",
            ALL,
            {"separator": "whitespace", "comment": "%"},
            [(1, 2, 3, 4), (5, 6, 7, 8)],
        ),
        ("# From To\n1\t2\n", ("user", "item"), {"separator": "\t", "comment": "#"}, [(1, 2)]),
        ("use_ID,sel_ID\n1,x,2\n", ("user", "", "item"), {"skipped_lines": 1}, [(1, 2)]),
        ("\ufeffu,i,x\n1,2,y\n", {"u": "user", "i": "item"}, {"header": True}, [(1, 2)]),
        (
            '"u";"i";"r"\n"1";"a;""b""";"5"\n',
            {"u": "user", "i": "item", "r": "rating"},
            {"separator": ";"},
            [(1, 'a;"b"', 5)],
        ),
        ('1\t5" disc\n2\t"x\n', ("user", "item"), {"separator": "\t"}, [(1, '5" disc'), (2, '"x')]),
        ('u,i\n1,"a\nb"\n2,c\n', {"u": "user", "i": "item"}, {"quote": '"'}, [(1, "a\nb"), (2, "c")]),
        ("u,a;b;,x\nv,c,y\n", ("user", "item", ""), {"item_separator": ";"}, [("u", "a"), ("u", "b"), ("v", "c")]),
        ("1,2,0\n1,3,1\n1,4,2\n", ("user", "item", ""), {"keep": {"3": [1, "2"]}}, [(1, 3), (1, 4)]),
        ("u,i,e\n1,2,view\n1,3,buy\n", {"u": "user", "i": "item"}, {"keep": {"e": ["buy"]}}, [(1, 3)]),
        ("1|2|3,5\n", ("user", "item", "rating"), {"separator": "|", "decimal": ","}, [(1, 2, 3.5)]),
        (
            "1,2,True\n1,3,false\n",
            ("user", "item", "rating"),
            {"ratings": {"true": 1, "false": 0}},
            [(1, 2, 1), (1, 3, 0)],
        ),
    ],
)
def test_tables_are_read_as_they_are_laid_out(
    content: str, columns: Any, options: dict[str, Any], expected: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    """Separators of any length, comments, headers or none, quoting, several items a line, and rows of one event."""
    raw = read_raw(tmp_path / "raw.txt", content, "table", columns, **options)
    assert list(zip(*(raw.column(name) for name in raw.rows.columns), strict=True)) == expected


@pytest.mark.parametrize("name", ["raw.txt", "raw.csv.gz"])
def test_other_encodings_are_read_and_named(name: str, tmp_path: Path) -> None:
    """Book-Crossing is latin-1: with the encoding it is read, without it the line and the way out are named."""
    content = "User-ID;ISBN\n1;X\n2;Bücher\n".encode("latin-1")
    columns = {"User-ID": "user", "ISBN": "item"}
    raw = read_raw(tmp_path / name, content, "table", columns, separator=";", encoding="latin-1")
    assert raw.column("item") == ["X", "Bücher"]
    with pytest.raises(DataError, match=r"line 3 .*byte 0xfc behind '2;B'.*encoding='latin-1'"):
        read_raw(tmp_path / name, content, "table", columns, separator=";")


def test_leading_zeros_and_mixed_ids_are_kept_over_all_files(tmp_path: Path) -> None:
    """One text among the ids of several files makes all of them texts; H&M's articles keep their zeros."""
    files = [
        RawFile(written(tmp_path / f"{number}.csv", f"u,i\n1,{item}\n")) for number, item in enumerate(["7", "007"])
    ]
    rows = read_rows(Reader("table", {"u": "user", "i": "item"}, {"header": True}), files)
    assert rows.columns["item"].tolist() == ["7", "007"]
    assert rows.columns["user"].tolist() == [1, 1]


def test_empty_files_among_several_have_no_rows(tmp_path: Path) -> None:
    """Globo has a file an hour, of which some are empty, or have a header alone."""
    contents = ["", "u,i\n", "\n\n", "u,i\n1,2\n", "u,i\n\n3,4"]
    files = [RawFile(written(tmp_path / f"{number}.csv", content)) for number, content in enumerate(contents)]
    reader = Reader("table", {"u": "user", "i": "item"}, {"header": True})
    assert read_rows(reader, files).columns["user"].tolist() == [1, 3]
    with pytest.raises(DataError, match="has no interactions"):
        read_rows(reader, files[:3])


@pytest.mark.parametrize(
    ("content", "columns", "options", "words"),
    [
        ("1,2,3\n\n1,2\n", ("user", "item", "rating"), {}, ["line 3 has 2 fields", "columns has 3", "'1,2'"]),
        ("u,i\n1,2\n1,2,3\n", {"u": "user", "i": "item"}, {}, ["line 3 has 3 fields", "the header has 2"]),
        ("1::2\n1::2::3\n", ("user", "item"), {"separator": "::"}, ["line 2 has 3 fields", "'1::2::3'"]),
        ("%\n1 2\n 1 2  3\n", ("user", "item"), {"separator": "whitespace", "comment": "%"}, ["line 3 has 3 fields"]),
        ("userID,i\n1,2\n", {"userId": "user", "i": "item"}, {}, ["no column 'userId'", "did you mean 'userID'"]),
        ("u,i\n1,2\n", {"u": "user", "i": "item"}, {"keep": {"event": ["buy"]}}, ["no column 'event'"]),
        ("1,2\n", ("user", "item"), {"keep": {"3": ["1"]}}, ["number from 1 to 2"]),
        ("1,2,1\n", ("user", "item", ""), {"keep": {"3": ["5"]}}, ["no interactions", "keep asks for '5'", "has '1'"]),
        ("1,2,5\n\n1,3,good\n", ("user", "item", "rating"), {}, ["line 3", "'good'"]),
        (
            'u,i,t\n1,"a\nb",5\n1,2,x\n',
            {"u": "user", "i": "item", "t": "timestamp"},
            {"time": "seconds"},
            ["line 4", "'x'"],
        ),
        ('u,i\n1,a\n1,"a\n2,b\n', {"u": "user", "i": "item"}, {}, ["line 3", "never closes", "quote=''"]),
        ('u,i\n1,a\n"1",2\n1,"a"b\n1,"c\n', {"u": "user", "i": "item"}, {}, ["line 4", "quot"]),
    ],
)
def test_a_line_that_does_not_fit_is_named(
    content: str, columns: Any, options: dict[str, Any], words: list[str], tmp_path: Path
) -> None:
    """The error has the file, the line as an editor counts, what is in it, and a way out."""
    with pytest.raises(DataError) as raised:
        read_raw(tmp_path / "raw.txt", content, "table", columns, **options)
    assert all(word in str(raised.value) for word in ["raw.txt", *words]), raised.value


def test_lines_are_named_in_later_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is found behind the first block as well."""
    monkeypatch.setattr("omnibench.data.readers.table._BLOCK", 100)
    content = "u,i,r\n" + "".join(f"{number},1,5\n" for number in range(500)) + "9,1,bad\n"
    with pytest.raises(DataError, match="line 502: column 'rating' is 'bad'"):
        read_raw(tmp_path / "raw.csv", content, "table", {"u": "user", "i": "item", "r": "rating"})


@pytest.mark.parametrize(
    ("content", "codes", "pairs"),
    [
        ("1,2,-1\n1,3,5\n2,4,-1.0\n", [-1], [(1, 3)]),
        ("0,0,0\n1,0,10\n", [0], [(1, 0)]),
        ("1,2,-\n1,3,5\n", ["-"], [(1, 3)]),
        ("1,2,\n1,3,5\n", [""], [(1, 3)]),
    ],
)
def test_a_missing_rating_is_no_interaction(
    content: str, codes: list[Any], pairs: list[tuple[int, int]], tmp_path: Path
) -> None:
    """Rows whose rating is missing are left out and counted; the counts are those of the makers, with these rows."""
    raw = read_raw(tmp_path / "raw.csv", content, "table", ("user", "item", "rating"), missing=codes)
    lines = content.splitlines()
    assert raw.pairs == pairs
    assert raw.rows.left_out == {"rating": len(lines) - len(pairs)}
    assert raw.rows.counts.interactions == len(lines)
    assert raw.rows.counts.users == len({line.split(",")[0] for line in lines})
    assert raw.rows.counts.items == len({line.split(",")[1] for line in lines})


def test_a_missing_user_is_left_out_where_there_are_no_ratings(tmp_path: Path) -> None:
    """Diginetica's users are mostly NA; where a file has ratings, a code stands for those alone."""
    raw = read_raw(tmp_path / "raw.csv", "NA,1\n7,2\n", "table", ("user", "item"), missing=["NA"])
    assert raw.pairs == [(7, 2)]
    assert raw.rows.left_out == {"user": 1}


def test_empty_fields_are_left_out_with_a_word_or_refused(tmp_path: Path) -> None:
    """A published data set is read without its broken rows, which a warning counts; strictly each is an error."""
    content = "1,2,5\n,2,5\n1,,5\n1,2,\n1,2,5\n"
    columns = ("user", "item", "rating")
    with pytest.warns(UserWarning, match="1 row has no") as raised:
        raw = read_raw(tmp_path / "raw.csv", content, "table", columns)
    assert [str(warning.message).partition(": ")[2].partition(":")[0] for warning in raised] == [
        "1 row has no user (the first is line 2)",
        "1 row has no item (the first is line 3)",
        "1 row has no rating (the first is line 4)",
    ]
    assert raw.pairs == [(1, 2), (1, 2)]
    assert raw.rows.left_out == {"user": 1, "item": 1, "rating": 1}
    for line, broken in ((2, "user"), (2, "item"), (2, "rating")):
        fields = ["1" if name != broken else "" for name in columns]
        with pytest.raises(DataError, match=rf"line {line}.*{broken}.*missing=\[''\]"):
            read_raw(tmp_path / "raw.csv", f"1,2,5\n{','.join(fields)}\n", "table", columns, strict=True)
    assert read_raw(tmp_path / "raw.csv", content, "table", columns, strict=True, missing=[""]).pairs == raw.pairs


def test_rows_without_a_time_count_as_their_makers_count_them(tmp_path: Path) -> None:
    """KuaiRec's small matrix has rows without a time: they are left out where times are read, and counted."""
    columns = {"user_id": "user", "video_id": "item", "timestamp": "timestamp"}
    content = "user_id,video_id,timestamp\n1,2,1593878903.438\n1,3,\n4,2,\n,5,\n"
    with pytest.warns(UserWarning, match="no timestamp|no user"):
        raw = read_raw(tmp_path / "raw.csv", content, "table", columns, time="seconds")
    assert raw.pairs == [(1, 2)]
    assert raw.rows.counts == (2, 2, 3)
    assert raw.rows.left_out == {"user": 1, "timestamp": 3}
    del columns["timestamp"]
    with pytest.warns(UserWarning, match="no user"):
        assert len(read_raw(tmp_path / "raw.csv", content, "table", columns).pairs) == 3


def test_repeated_rows_stay(tmp_path: Path) -> None:
    """Which of several interactions of a pair counts is a step of the user, not of the reader."""
    assert read_raw(tmp_path / "raw.csv", "1,2\n1,2\n", "table", ("user", "item")).pairs == [(1, 2), (1, 2)]


def test_times_without_a_unit_are_numbers_where_all_are(tmp_path: Path) -> None:
    """Without a unit, counts stay counts and dates stay dates, also over several files."""
    reader = Reader("table", ("user", "item", "timestamp"))
    files = [RawFile(written(tmp_path / "a.csv", "1,2,978300760\n")), RawFile(written(tmp_path / "b.csv", "1,3,5\n"))]
    assert read_rows(reader, files).columns["timestamp"].tolist() == [978300760, 5]
    files.append(RawFile(written(tmp_path / "c.csv", "1,4,5.5\n")))
    assert read_rows(reader, files).columns["timestamp"].tolist() == [978300760.0, 5.0, 5.5]
    raw = read_raw(tmp_path / "d.csv", "1,2,2020-01-31\n", "table", ("user", "item", "timestamp"))
    assert raw.column("timestamp") == ["2020-01-31"]
    assert raw.interactions.timestamp is not None
    assert raw.interactions.timestamp.tolist() == [1580428800]


def test_times_of_several_files_have_the_type_that_one_of_them_needs(tmp_path: Path) -> None:
    """Seconds before 1970, or parts of seconds, in one file alone are the same moments as in one file with the others."""
    reader = Reader("table", ("user", "item", "timestamp"), {"time": "seconds"})
    texts = ["5", "-5", "7.5"]
    files = [RawFile(written(tmp_path / f"{text}.csv", f"1,2,{text}\n")) for text in texts]
    together = [RawFile(written(tmp_path / "all.csv", "".join(f"1,2,{text}\n" for text in texts)))]
    apart = read_rows(reader, files).columns["timestamp"].astype("datetime64[us]").tolist()
    assert apart == read_rows(reader, together).columns["timestamp"].astype("datetime64[us]").tolist()


def test_what_does_not_fit_into_memory_is_refused_while_there_is_some_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in an archive does not tell its size before it is read; the error says what it takes and what there is."""
    monkeypatch.setattr("omnibench.data.readers.read._CHECKED_BYTES", 1000)
    monkeypatch.setattr("omnibench.data.readers.table._BLOCK", 1000)
    content = "".join(f"{number},1,5\n" for number in range(2000))
    columns = ("user", "item", "rating")
    assert len(read_raw(tmp_path / "raw.csv", content, "table", columns).pairs) == 2000
    monkeypatch.setattr("omnibench.data.readers.rows.available_memory", lambda: 10_000)
    with pytest.raises(
        DataError, match=r"after [0-9,]+ interactions, which take [0-9.]+ kB, only 10\.0 kB of memory are left"
    ):
        read_raw(tmp_path / "raw.csv", content, "table", columns)


@pytest.mark.parametrize("header", [False, True])
def test_few_broken_lines_of_a_published_file_are_left_out_with_a_word(header: bool, tmp_path: Path) -> None:
    """Last.fm's files are known to have some; many, a last line that is cut off, and a user's own file are refused."""
    lines = ["u\ti\tr\n"] * header + [f"{number}\t1\t5\n" for number in range(300)]
    broken = [*lines[:100], "x\ty\n", "\n", *lines[100:200], "x\t1\t2\t3\n", *lines[200:]]
    columns: Any = {"u": "user", "i": "item", "r": "rating"} if header else ("user", "item", "rating")
    path = tmp_path / "raw.tsv"
    with pytest.warns(UserWarning, match=r"2 lines do not have the 3 fields of the others, .* line 101: 'x y'"):
        raw = read_raw(path, "".join(broken), "table", columns, separator="\t")
    assert raw.column("user") == list(range(300))
    with pytest.raises(DataError, match="line 101 has 2 fields"):
        read_raw(path, "".join(broken), "table", columns, separator="\t", strict=True)
    with pytest.raises(DataError, match="line 101 has 2 fields"):
        read_raw(path, "".join([*lines[:100], *["x\ty\n"] * 5, *lines[100:]]), "table", columns, separator="\t")
    with pytest.raises(DataError, match=f"line {len(lines) + 1} has 2 fields"):
        read_raw(path, "".join([*lines, "300\t1"]), "table", columns, separator="\t")
    with pytest.raises(DataError, match=f"line {len(broken) + 1}: column 'rating' is 'bad'"):
        read_raw(path, "".join([*broken, "7\t1\tbad\n"]), "table", columns, separator="\t")


def test_the_line_of_a_gap_is_looked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with gaps in all of its blocks is read once more for the first of them, and not for each block."""
    monkeypatch.setattr("omnibench.data.readers.table._BLOCK", 200)
    reopened: list[RawFile] = []

    def reopen(file: RawFile) -> Any:
        reopened.append(file)
        return open_member(file)

    monkeypatch.setattr("omnibench.data.readers.layouts.open_member", reopen)
    with pytest.warns(UserWarning, match=r"500 rows have no rating \(the first is line 1\)"):
        read_raw(tmp_path / "raw.csv", "1,2,\n1,2,5\n" * 500, "table", ("user", "item", "rating"))
    assert len(reopened) == 1
