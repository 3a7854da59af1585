"""Baselines that are whole, with the digest that belongs to them, and that omnibench has not written."""

from __future__ import annotations

import io
import json
import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.gated import Measurements
from support.projects import Project

from omnibench.commands.main import main
from omnibench.errors import OmnibenchError
from omnibench.gate.baseline import _ENTRIES_KEY, _METADATA_KEY, Baseline
from omnibench.gate.baseline_file import DIGEST_KEY, DIGEST_PLACEHOLDER, with_digest
from omnibench.gate.baseline_lines import packed, unpacked
from omnibench.gate.judgement import Judge

Metadata = Any


def measurements(shift: float = 0.0) -> Measurements:
    random = np.random.default_rng(4)
    made = Measurements()
    for number in range(2):
        values: dict[str, list[Any]] = {
            "NDCG@10": [random.random(9) + shift, random.random(7) + shift],
            "Gini@10": [0.5 + shift, 0.25],
        }
        made.add("Mine", values, parameters={"k": number}, runner="Own", version="")
    return made


@cache
def written() -> tuple[bytes, list[pa.Table]]:
    """Return the metadata and the row groups of a baseline that omnibench has written."""
    with TemporaryDirectory() as directory:
        measurements().baseline(Path(directory))
        return content_of(Path(directory) / "baseline.parquet")


def content_of(path: Path) -> tuple[bytes, list[pa.Table]]:
    """Return the metadata and the row groups of a baseline, as in format 1: every entry has a row group of its own."""
    file = pq.ParquetFile(path)
    metadata = json.loads(file.metadata.metadata[_METADATA_KEY])
    metadata |= {"format": 1, "entries": [json.loads(line) for line in unpacked(file.metadata.metadata[_ENTRIES_KEY])]}
    tables: list[pa.Table] = []
    for entry in metadata["entries"]:
        rows = entry.pop("rows")
        entry["row_group"] = rows and len(tables)
        if rows:
            tables.append(file.read_row_group(rows[0]).slice(rows[1], rows[2] - rows[1]))
    return json.dumps(metadata).encode(), tables


def craft(
    path: Path,
    change: Callable[[Metadata], Any],
    rewrite: Callable[[pa.Table], pa.Table],
    source: tuple[bytes, list[pa.Table]] | None = None,
) -> None:
    """Write a baseline of format 1 with other metadata and other rows; its digest is right."""
    whole, row_groups = source or written()
    metadata = json.loads(whole)
    replaced = change(metadata)
    text = json.dumps(metadata).encode() if replaced is None else replaced
    write(path, {_METADATA_KEY: text}, [rewrite(table) for table in row_groups])


def craft_lines(path: Path, change: Callable[[Metadata], Any], rewrite: Callable[[pa.Table], pa.Table]) -> None:
    """Write a baseline of format 2, in which entries are lines and share a row group; see ``craft``."""
    whole, row_groups = written()
    metadata, start = json.loads(whole), 0
    metadata["format"] = 2
    for entry in metadata["entries"]:
        stop = start + row_groups[entry.pop("row_group")].num_rows
        entry["rows"], start = [0, start, stop], stop
    lines = change(metadata)
    text = packed(metadata.pop("entries")) if lines is None else lines
    table = rewrite(pa.concat_tables(row_groups, promote_options="none").unify_dictionaries())
    write(path, {_METADATA_KEY: json.dumps(metadata).encode(), _ENTRIES_KEY: text}, [table])


def write(path: Path, metadata: dict[bytes, bytes], tables: list[pa.Table]) -> None:
    """Write a Parquet file with a digest that is right."""
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, tables[0].schema) as writer:
        for table in tables:
            writer.write_table(table, row_group_size=max(1, table.num_rows))
        writer.add_key_value_metadata({**metadata, DIGEST_KEY: DIGEST_PLACEHOLDER})
    path.write_bytes(b"".join(with_digest(sink.getvalue())))


def at(*path: Any, value: Any = ...) -> Callable[[Metadata], None]:
    """Set a member of the metadata to another value, or remove it."""

    def change(metadata: Metadata) -> None:
        *parents, name = path
        for parent in parents:
            metadata = metadata[parent]
        if value is ...:
            del metadata[name]
        else:
            metadata[name] = value

    return change


def text(content: bytes) -> Callable[[Metadata], bytes]:
    return lambda _: content


def edited(old: str, new: str) -> Callable[[Metadata], bytes]:
    """Replace a part of the text of the metadata."""

    def change(metadata: Metadata) -> bytes:
        whole = json.dumps(metadata)
        assert old in whole
        return whole.replace(old, new, 1).encode()

    return change


SCORE = ("entries", 0, "scores", "NDCG@10")
METADATA: dict[str, Callable[[Metadata], Any]] = {
    **{f"no {name}": at(name) for name in ("format", "omnibench", "written", "git", "datasets", "entries")},
    **{f"a dataset without {name}": at("datasets", 0, name) for name in ("name", "shown", "key", "test")},
    **{
        f"an entry without {name}": at("entries", 0, name)
        for name in ("dataset", "algorithm", "shown", "configuration", "scores", "finished", "row_group")
    },
    **{f"a score without {name}": at(*SCORE, name) for name in ("metric", "higher_is_better", "per_user", "folds")},
    "a format that is a text": at("format", value="1"),
    "a format that is no number": at("format", value=float("nan")),
    "a negative format": at("format", value=-1),
    "a time that is a number": at("written", value=7),
    "a time that there is not": at("written", value="2026-02-30T00:00:00Z"),
    "a commit that is a list": at("git", value=["a"]),
    "a commit that is a number": at("git", value={"commit": 7, "dirty": False}),
    "datasets that are an object": at("datasets", value={}),
    "no dataset": at("datasets", value=[]),
    "a dataset that is null": at("datasets", 0, value=None),
    "test parts that are a text": at("datasets", 0, "test", value="abc"),
    "test parts that are lists": at("datasets", 0, "test", value=[[]]),
    "a key that is an object": at("datasets", 0, "key", value={}),
    "a name with half a character": at("datasets", 0, "name", value="\ud800"),
    "entries that are a text": at("entries", value="abc"),
    "an entry that is a list": at("entries", 0, value=[]),
    "a dataset behind the last": at("entries", 0, "dataset", value=9),
    "a dataset before the first": at("entries", 0, "dataset", value=-1),
    "a dataset that is a text": at("entries", 0, "dataset", value="0"),
    "a dataset that is true": at("entries", 0, "dataset", value=True),
    "a row group behind the last": at("entries", 0, "row_group", value=9),
    "a row group before the first": at("entries", 0, "row_group", value=-1),
    "another's row group": at("entries", 0, "row_group", value=1),
    "no row group": at("entries", 0, "row_group", value=None),
    "a configuration that is a list": at("entries", 0, "configuration", value=[]),
    "a configuration without parameters": at("entries", 0, "configuration", "parameters"),
    "parameters that are a list": at("entries", 0, "configuration", "parameters", value=[1]),
    "a seed that is an object": at("entries", 0, "configuration", "seed", value={}),
    "the same configuration twice": at("entries", 1, "configuration", "parameters", "k", value=0),
    "scores that are a list": at("entries", 0, "scores", value=[]),
    "a score that is a number": at(*SCORE, value=0.5),
    "a metric that is a list": at(*SCORE, "metric", value=[]),
    "a direction that is a text": at(*SCORE, "higher_is_better", value="yes"),
    "folds that are a list": at(*SCORE, "folds", value=[0.5]),
    "a fold that is a word": at(*SCORE, "folds", value={"one": 0.5}),
    "a negative fold": at(*SCORE, "folds", value={"-1": 0.5}),
    "a fold with a sign": at(*SCORE, "folds", value={"+1": 0.5}),
    "a fold too large": at(*SCORE, "folds", value={"1" * 5000: 0.5}),
    "a fold in other digits": at(*SCORE, "folds", value={"\u0661": 0.5}),
    "a value that is a text": at(*SCORE, "folds", "0", value="0.5"),
    "a value that is no number": at(*SCORE, "folds", "0", value=float("nan")),
    "a value that is null": at(*SCORE, "folds", "0", value=None),
    "a value that is a list": at(*SCORE, "folds", "0", value=[0.5]),
    "a value too large": at(*SCORE, "folds", "0", value=10**400),
    "users of a metric that has no column": at("entries", 0, "scores", "Gini@10", "per_user", value=True),
    "sources that are a number": at("entries", 0, "sources", value=3),
    "a choice that is a list": at("entries", 0, "chosen", value=[]),
    "a choice of a fold that is a word": at("entries", 0, "chosen", value={"one": {}}),
    "a choice that is a number": at("entries", 0, "chosen", value={"0": 3}),
    "a search that is a text": at("entries", 0, "configuration", "search", value="tpe"),
    "a label that is an object": at("entries", 0, "user_label", value={}),
    "a time of the end that is none": at("entries", 0, "finished", value="yesterday"),
    "nothing": text(b""),
    "a list": text(b"[]"),
    "a number": text(b"3"),
    "no JSON": text(b"{"),
    "another encoding": text(json.dumps({"format": 1}).encode("utf-16")),
    "no text at all": text(b"\xff\xfe\x00"),
    "brackets without an end": text(b"[" * 200_000),
    "deep parameters": edited('"parameters": {"k": 0}', '"parameters": {"k": ' + "[" * 300 + "]" * 300 + "}"),
    "a number of 5,000 digits": edited('"format": 1', f'"format": {"1" * 5000}'),
    "a member twice": edited('"format": 1', '"format": 1, "format": 1'),
    "a fold twice": edited('"folds": {', '"folds": {"0": 0.9, '),
}
"""Metadata that omnibench does not write."""


LINES: dict[str, Callable[[Metadata], Any]] = {
    "rows that are a number": at("entries", 0, "rows", value=3),
    "rows without an end": at("entries", 0, "rows", value=[0, 0]),
    "no rows": at("entries", 0, "rows", value=None),
    "rows behind the last": at("entries", 1, "rows", value=[0, 16, 99]),
    "rows before the first": at("entries", 0, "rows", value=[0, -1, 5]),
    "rows that end before they begin": at("entries", 0, "rows", value=[0, 5, 5]),
    "rows in a row group behind the last": at("entries", 1, "rows", value=[1, 16, 32]),
    "another's rows": at("entries", 1, "rows", value=[0, 8, 32]),
    "the rows of two": at("entries", 0, "rows", value=[0, 0, 32]),
    "an entry of format 1": at("entries", 0, "rows"),
    "an entry that is a list": at("entries", 0, value=[]),
    "the same configuration twice": at("entries", 1, "configuration", "parameters", "k", value=0),
    "a dataset behind the last": at("entries", 0, "dataset", value=9),
    "a value that is no number": at("entries", 0, "scores", "NDCG@10", "folds", "0", value=float("nan")),
    "entries that are no base64": text(b"?"),
    "entries that are not packed": text(b64encode(b"{}\n")),
    "entries that are cut off": lambda metadata: b64encode(b64decode(packed(metadata["entries"]))[:-9]),
    "an entry without an end": text(b64encode(zlib.compress(b"{}"))),
    "an entry that is no JSON": text(b64encode(zlib.compress(b"{\n"))),
    "brackets without an end": text(b64encode(zlib.compress(b"[" * 200_000 + b"\n"))),
    "an entry of a hundred megabytes": lambda _: b64encode(zlib.compress(bytes(1 << 27))),
    "a member twice": text(b64encode(zlib.compress(b'{"rows": 1, "rows": 1}\n'))),
}
"""Metadata of format 2 that omnibench does not write."""


def with_column(name: str, values: Callable[[np.ndarray[Any, Any]], Any]) -> Callable[[pa.Table], pa.Table]:
    """Replace a column by what is made of it."""

    def rewrite(table: pa.Table) -> pa.Table:
        position = table.column_names.index(name)
        return table.set_column(position, name, pa.array(values(table.column(name).to_numpy())))

    return rewrite


ROWS: dict[str, Callable[[pa.Table], pa.Table]] = {
    "no users": lambda table: table.drop_columns(["user"]),
    "no folds": lambda table: table.drop_columns(["fold"]),
    "no values": lambda table: table.drop_columns(["NDCG@10"]),
    "the values twice": lambda table: table.append_column("NDCG@10", table.column("NDCG@10")),
    "users that are texts": with_column("user", lambda users: [str(user) for user in users]),
    "users of another width": with_column("user", lambda users: users.astype("<i8")),
    "values that are texts": with_column("NDCG@10", lambda values: [str(value) for value in values]),
    "values of another width": with_column("NDCG@10", lambda values: values.astype("<f4")),
    "folds that are floats": with_column("fold", lambda folds: folds.astype("<f8")),
    "a user twice": with_column("user", lambda users: (users * 0).astype("<i4")),
    "users in no order": with_column("user", lambda users: users[::-1].astype("<i4")),
    "negative users": with_column("user", lambda users: (users - 3).astype("<i4")),
    "users that are null": with_column("user", lambda users: pa.array([None] * len(users), pa.int32())),
    "one fold only": lambda table: table.filter(pa.compute.equal(table.column("fold"), 0)),
    "no rows": lambda table: table.slice(0, 0),
}
"""Rows that omnibench does not write."""


def refusal(file: Path, words: str) -> str:
    """Return why a file is refused when it is opened: a line of some length, with its name and these words."""
    with pytest.raises(OmnibenchError, match=rf"{re.escape(file.name)}' {words}") as error:
        Baseline(file)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600
    return str(error.value)


@pytest.mark.parametrize("change", METADATA.values(), ids=METADATA)
def test_metadata_of_another_form_is_refused_in_one_line(change: Callable[[Metadata], Any], tmp_path: Path) -> None:
    """What the file is, what is wrong with it, and what to do; never Python's own error, never a verdict."""
    craft(tmp_path / "crafted.parquet", change, lambda table: table)
    assert refusal(tmp_path / "crafted.parquet", "(is no baseline that|has the format)").isascii()


@pytest.mark.parametrize("change", LINES.values(), ids=LINES)
def test_lines_of_another_form_are_refused_in_one_line(change: Callable[[Metadata], Any], tmp_path: Path) -> None:
    """Entries of format 2 are looked at as those of format 1 are."""
    craft_lines(tmp_path / "crafted.parquet", change, lambda table: table)
    refusal(tmp_path / "crafted.parquet", "is no baseline that")


@pytest.mark.parametrize("crafted", [craft, craft_lines])
@pytest.mark.parametrize("rewrite", ROWS.values(), ids=ROWS)
def test_rows_of_another_form_fail_the_gate(
    rewrite: Callable[[pa.Table], pa.Table], crafted: Callable[..., None], tmp_path: Path
) -> None:
    """Found when the file is opened, or when they are read; then the gate says so, and fails."""
    crafted(tmp_path / "crafted.parquet", lambda _: None, rewrite)
    current = measurements(0.001)
    try:
        gate = Judge(Baseline(tmp_path / "crafted.parquet")).judge(current, current.entries)
    except OmnibenchError as error:
        problems = [str(error)]
    else:
        problems = list(gate.problems)
        assert not gate.passed
    assert problems
    assert all("\n" not in problem for problem in problems)


@pytest.mark.parametrize("crafted", [craft, craft_lines])
def test_what_is_not_changed_is_a_baseline(crafted: Callable[..., None], tmp_path: Path) -> None:
    """The tests above would pass for nothing if the way in which they write files were refused."""
    crafted(tmp_path / "crafted.parquet", lambda _: None, lambda table: table)
    current = measurements(0.001)
    gate = Judge(Baseline(tmp_path / "crafted.parquet")).judge(current, current.entries)
    assert not gate.problems
    assert gate.verdicts


def test_the_command_ends_with_the_status_of_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A crafted baseline is an error in one line for ``omnibench gate``, too."""
    craft(tmp_path / "crafted.parquet", METADATA["a value that is no number"], lambda table: table)
    store = Path(__file__).parents[1] / "assets" / "stores" / "format-2"
    assert main(["gate", str(tmp_path / "crafted.parquet"), "--store", str(store)]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert "has the value nan in fold 0" in output.err


_FEW = 2
"""Files of each sort that the everyday suite tries with pytest itself."""


@pytest.mark.parametrize("most", [_FEW, pytest.param(None, marks=pytest.mark.slow)], ids=["few", "all"])
def test_a_run_of_pytest_refuses_them_in_one_line(project: Project, most: int | None) -> None:
    """Before anything runs where the file is opened, else as a problem of the gate; never as an INTERNALERROR."""
    assert project.first_run().ret == 0
    directory = project.pytester.path
    assert project.run("--omnirec-baseline=own.parquet").ret == 0
    for name, change in list(METADATA.items())[-len(METADATA) if most is None else -most :]:
        craft(directory / "crafted.parquet", change, lambda table: table)
        refused = project.run("-q", "--omnirec-gate=crafted.parquet")
        assert refused.ret == pytest.ExitCode.USAGE_ERROR, name
        assert [line[:7] for line in refused.errlines if line] == ["ERROR: "], (name, refused.errlines)
        assert "INTERNALERROR" not in refused.stdout.str()
    own = content_of(directory / "own.parquet")
    for name, rewrite in list(ROWS.items())[-len(ROWS) if most is None else -most :]:
        # Rows are read where something differs only.
        craft(directory / "crafted.parquet", at(*SCORE, "folds", "0", value=0.5), rewrite, own)
        failed = project.run("-q", "--omnirec-gate=crafted.parquet")
        assert failed.ret in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.TESTS_FAILED), name
        failed_output = " ".join((failed.stdout.str() + failed.stderr.str()).split())
        assert "crafted.parquet' is no baseline that omnibench has written" in failed_output, name
        assert "INTERNALERROR" not in failed_output, name
        assert "Traceback" not in failed_output, name
    craft(directory / "crafted.parquet", lambda _: None, lambda table: table, own)
    assert project.run("-q", "--omnirec-gate=crafted.parquet").ret == 0
