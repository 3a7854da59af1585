"""Every reader of the catalogue reads a file of the form that its definition describes."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest
import xlwt
from support.raw import written

from omnibench.data.catalogue.definition import Definition
from omnibench.data.catalogue.names import definitions
from omnibench.data.files.members import RawFile, members, open_member
from omnibench.data.interactions import from_columns
from omnibench.data.readers.keys import READER_KEYS
from omnibench.data.readers.read import FORMATS, batches, read_rows
from omnibench.data.readers.reader import Reader

NOON = int(dt.datetime(2017, 10, 17, 12, tzinfo=dt.UTC).timestamp())


class Row(NamedTuple):
    """An interaction as it is expected."""

    user: str
    item: str
    rating: float
    moment: int


ROWS = (Row("u1", "i1", 4, NOON), Row("u1", "i2", 3, NOON + 12 * 3600), Row("u2", "i1", 4, NOON))


def readers() -> Iterator[tuple[str, Reader]]:
    """Each reader once, with the first definition that has it."""
    names: dict[str, tuple[str, Reader]] = {}
    for name, definition in definitions().items():
        for reader in readers_of(definition):
            names.setdefault(repr(reader), (name, reader))
    yield from names.values()


def readers_of(definition: Definition) -> list[Reader]:
    return [definition.reader, *(source.reader for source in definition.sources if source.reader is not None)]


def time_of(moment: int, unit: str) -> Any:
    """A moment as a file has it."""
    date = dt.datetime.fromtimestamp(moment, dt.UTC)
    if unit in ("", "seconds"):
        return moment
    if unit in ("milliseconds", "microseconds", "nanoseconds"):
        return moment * {"milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}[unit]
    return date.strftime("%Y-%m-%dT%H:%M:%SZ" if unit == "iso" else unit)


def expected_moment(moment: int, unit: str) -> int:
    """A moment as a file's format can tell it, where it has no hours."""
    if "%" not in unit:
        return moment
    date = dt.datetime.strptime(dt.datetime.fromtimestamp(moment, dt.UTC).strftime(unit), unit)  # noqa: DTZ007
    return int(date.replace(tzinfo=dt.UTC).timestamp())


def rating_of(rating: float, options: Mapping[str, Any]) -> Any:
    if options.get("fraction"):
        return f"{rating:.0f}/20"
    if "ratings" in options:
        return next(iter(options["ratings"]))
    return rating


def value_of(row: Row, name: str, options: Mapping[str, Any]) -> Any:
    values = {"user": row.user, "item": row.item, "rating": rating_of(row.rating, options)}
    return time_of(row.moment, options.get("time", "")) if name == "timestamp" else values.get(name, "x")


def records_of(reader: Reader) -> list[dict[str, Any]]:
    """The rows as records by the file's own names, with what the reader keeps, and then some that it does not."""
    assert isinstance(reader.columns, Mapping)
    options = reader.options
    keep = {str(name): values[0] for name, values in options.get("keep", {}).items()}
    records = [{key: value_of(row, name, options) for key, name in reader.columns.items()} | keep for row in ROWS]
    if keep:
        records.append({**records[0], **dict.fromkeys(keep, "something else")})
    for code in options.get("missing", ()):
        missing = next((key for key, name in reader.columns.items() if name == "rating"), None)
        records.append({**records[0], missing or next(iter(reader.columns)): code})
    return records


def table_of(reader: Reader) -> str:
    options = reader.options
    separator = options.get("separator", ",")
    separator = "  " if separator == "whitespace" else separator
    if isinstance(reader.columns, Mapping):
        records = records_of(reader)
        header = ["before", *records[0]]
        lines: list[Sequence[Any]] = [header, *(["x", *record.values()] for record in records)]
    else:
        lines = [["header"] * 2] * options.get("skipped_lines", 0)
        listed = [[value_of(row, name, options) for name in reader.columns] for row in ROWS]
        for fields in listed:
            for number, values in options.get("keep", {}).items():
                fields[int(number) - 1] = values[0]
        if "keep" in options:
            (number,) = options["keep"]
            listed.append([*listed[0][: int(number) - 1], "no", *listed[0][int(number) :]])
        for code in options.get("missing", ()):
            position = reader.columns.index("rating" if "rating" in reader.columns else "user")
            listed.append([*listed[0][:position], code, *listed[0][position + 1 :]])
        lines += listed
    if "comment" in options:
        lines = [[f"{options['comment']} anything"], *lines]
    if options.get("quote"):
        stream = io.StringIO()
        csv.writer(stream, delimiter=separator, quoting=csv.QUOTE_ALL).writerows(lines)
        return stream.getvalue()
    return "".join(separator.join(map(str, line)) + "\n" for line in lines)


def json_of(reader: Reader, dump: Any) -> str:
    records = records_of(reader)
    nested = reader.options.get("nested")
    if not nested:
        return "".join(f"{dump(record)}\n" for record in records)
    assert isinstance(reader.columns, Mapping)
    outer = next(key for key, name in reader.columns.items() if name == "user")
    lines = []
    for record in records:
        inner = {key: value for key, value in record.items() if key != outer}
        lines.append(f"{dump({outer: record[outer], 'other': [1], nested: [inner]})}\n")
    return "".join([*lines, f"{dump({outer: 'nobody', nested: []})}\n"])


def blocks_of(reader: Reader) -> str:
    return "\n".join("".join(f"{key}: {value}\n" for key, value in record.items()) for record in records_of(reader))


def adjacency_of(reader: Reader) -> str:
    lists = {user: [row.item for row in ROWS if row.user == user] for user in ("u1", "u2")}
    lines = []
    for user, items in lists.items():
        count = [str(len(items))] if reader.options.get("counted") else []
        first = [] if reader.options["user"] == "line" else [user]
        lines.append(reader.options.get("separator", " ").join([*first, *count, *items]) + "\n")
    return "".join(lines)


def matrix_of(reader: Reader) -> bytes:
    book = xlwt.Workbook()
    sheet = book.add_sheet(reader.options.get("sheet", "jester"))
    skipped, code = reader.options["skipped"], reader.options["missing"][0]
    for row, cells in enumerate([[4, 3], [4, code]]):
        for column, cell in enumerate([2] * skipped + cells):
            sheet.write(row, column, cell)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def netflix_of(reader: Reader) -> str:
    lines = [f"{row.item}:\n{row.user},{row.rating},{time_of(row.moment, reader.options['time'])}\n" for row in ROWS]
    return "".join(lines)


def behaviours_of(reader: Reader) -> str:
    def item(row: Row) -> str:
        return f"{row.item}-{1 if row.rating == 4 else 0}"

    return "".join(
        f"{number}\t{row.user}\t{time_of(row.moment, reader.options['time'])}\t{row.item}\t{item(row)}\n"
        for number, row in enumerate(ROWS)
    )


def hdf5_of(reader: Reader) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        matrix = file.create_group(reader.options["matrix"])
        matrix["indptr"], matrix["indices"], matrix["data"] = [0, 2, 3], [0, 1, 0], [4.0, 4.0, 3.0]  # items by users
        for name, values in (("artist", ["i1", "i2"]), ("user", ["u1", "u2"])):
            file.create_dataset(name, data=values, dtype=h5py.string_dtype())
    return stream.getvalue()


def npz_of(_: Reader) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, np.array([[row.user, row.item] for row in ROWS]))
    return stream.getvalue()


def idomaar_of(reader: Reader) -> str:
    options = reader.options

    def entities(row: Row) -> str:
        return json.dumps(
            {
                "subjects": [{"type": options["subject"], "id": row.user}],
                "objects": [{"type": options["object"], "id": row.item, "playstart": 0}],
            }
        )

    return "".join(
        f'event.session\t{number}\t{row.moment}\t{{"a": 1}} {entities(row)}\n' for number, row in enumerate(ROWS)
    )


RAW: Mapping[str, Callable[[Reader], str | bytes]] = {
    "table": table_of,
    "json": lambda reader: json_of(reader, json.dumps),
    "python": lambda reader: json_of(reader, repr),
    "blocks": blocks_of,
    "adjacency": adjacency_of,
    "matrix": matrix_of,
    "netflix": netflix_of,
    "behaviours": behaviours_of,
    "hdf5": hdf5_of,
    "npz": npz_of,
    "idomaar": idomaar_of,
}


@pytest.mark.parametrize(("name", "reader"), [pytest.param(*case, id=case[0]) for case in readers()])
def test_a_definition_reads_a_file_of_its_form(name: str, reader: Reader, tmp_path: Path) -> None:
    """Users, items, ratings and moments are those that were written, and nothing that is not to be kept."""
    content = RAW[reader.format](reader)
    encoded = content if isinstance(content, bytes) else content.encode(reader.options.get("encoding", "utf-8"))
    rows = read_rows(reader, [RawFile(written(tmp_path / "raw", encoded))], strict=True)
    from_columns(rows.columns, name)
    numbers = dict(zip(["u1", "u2"], "12", strict=True)) if reader.options.get("user") == "line" else {}
    if reader.format == "matrix":
        numbers = {"u1": "1", "u2": "2", "i1": "1", "i2": "2"}
    pairs = list(zip(rows.columns["user"].astype(str), rows.columns["item"].astype(str), strict=True))
    expected = {(numbers.get(row.user, row.user), numbers.get(row.item, row.item)): row for row in ROWS}
    assert sorted(pairs) == sorted(expected)
    if "rating" in rows.columns and "ratings" not in reader.options:
        ratings = rows.columns["rating"].tolist()
        truth = [expected[pair].rating for pair in pairs]
        assert ratings == ([1 if rating == 4 else 0 for rating in truth] if reader.format == "behaviours" else truth)
    if "timestamp" in rows.columns:
        interactions = from_columns(rows.columns, name)
        assert interactions.timestamp is not None
        unit = reader.options.get("time", "")
        assert sorted(interactions.timestamp.tolist()) == sorted(expected_moment(row.moment, unit) for row in ROWS)


def test_every_format_is_read_and_swept() -> None:
    """A format that a reader may name is read, and the definitions have each of those that are swept here."""
    assert set(FORMATS) == set(READER_KEYS)
    assert {reader.format for _, reader in readers()} == set(RAW)
    assert len(list(readers())) > 60


FEATURES = {
    repr(features.reader): (name, features.reader)
    for name, entry in definitions().items()
    for features in entry.features
}


@pytest.mark.parametrize(("name", "reader"), [pytest.param(*case, id=case[0]) for case in FEATURES.values()])
def test_the_features_of_a_definition_are_read(name: str, reader: Reader, tmp_path: Path) -> None:
    """Every column of what is known of items and users is handed over, in letters of any encoding."""
    assert reader.format == "table", f"{name}: give RAW a sample of it"
    is_listed = not isinstance(reader.columns, Mapping)
    own_names = [str(number) for number in range(len(reader.columns))] if is_listed else list(reader.columns)
    keep = {str(column): str(values[0]) for column, values in reader.options.get("keep", {}).items()}
    header = [[*own_names, *(column for column in keep if column not in own_names)]] if not is_listed else []
    width = len(header[0]) if header else len(own_names)
    lines = [[f"{row}é {column}" for column in range(width)] for row in (1, 2)]
    stream = io.StringIO()
    for line in [*[["x"] * width] * reader.options.get("skipped_lines", 0), *header, *lines]:
        fields = [f'"{field}"' if reader.options.get("quote") else field for field in line]
        stream.write(reader.options.get("separator", ",").join(fields) + "\n")
    content = stream.getvalue().encode(reader.options.get("encoding", "utf-8"))
    (batch,) = [batch for _, batch in batches(reader, [RawFile(written(tmp_path / "raw", content))])]
    targets = list(reader.columns if is_listed else reader.columns.values())  # type: ignore[union-attr]  # a mapping
    for position, target in enumerate(targets):
        if target:
            assert batch.columns[target].to_pylist() == [line[position] for line in lines]


ARCHIVED = {source.members: name for name, entry in definitions().items() for source in entry.sources if source.members}


@pytest.mark.parametrize("patterns", [pytest.param(patterns, id=name) for patterns, name in ARCHIVED.items()])
def test_the_members_of_a_source_are_in_its_archive(patterns: tuple[str, ...], tmp_path: Path) -> None:
    """A pattern matches a member of such a name, in an archive, in an archive within it, and unpacked."""
    *outer, name = patterns[0].replace("[[]", "[").replace("*", "x").split("!")
    content = b"1 2\n"
    for member in reversed([*outer, name]):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("README", "read me")
            archive.writestr(member, content)
        content = stream.getvalue()
    path = tmp_path / "archive.zip"
    path.write_bytes(content)
    (file,) = members(path, patterns)
    assert file.member == "!".join([*outer, name])
    with open_member(file) as opened:
        assert opened.read() == b"1 2\n"
    zipfile.ZipFile(path).extractall(tmp_path / "unpacked")
    (unpacked,) = members(tmp_path / "unpacked", patterns)
    with open_member(unpacked) as opened:
        assert opened.read() == b"1 2\n"
