"""trec_eval's files: runs, which are lists, and qrels, which say what is relevant."""

from __future__ import annotations

import io
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from omnibench.data.file_source import unreadable
from omnibench.data.files.layout import first_lines
from omnibench.data.files.streams import BROKEN, open_binary
from omnibench.data.numbers import RowName
from omnibench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

RUN_FIELDS = ("user", "Q0", "item", "rank", "score", "tag")
QRELS_FIELDS = ("user", "iteration", "item", "level")

RUN_SUFFIXES = (".run", ".trec")
QRELS_SUFFIXES = (".qrels", ".qrel")

_TABLES = (".csv", ".tsv", ".parquet", ".inter", ".json", ".jsonl", ".feather", ".zip")
"""The suffixes of files of another form, into which nobody has to look."""

_EXTRA = "extra"


def is_run(path: Path, suffix: str) -> bool:
    """Whether a file is a run, by its suffix or by its first lines: user Q0 item rank score tag."""
    if suffix in RUN_SUFFIXES:
        return True
    rows = _first_rows(path) if suffix not in (*_TABLES, *QRELS_SUFFIXES) else []
    return bool(rows) and all(len(row) == len(RUN_FIELDS) and row[1].upper() == "Q0" for row in rows)


def is_qrels(path: Path, suffix: str) -> bool:
    """Whether a file is one of qrels, by its suffix or by its first lines: user 0 item level."""
    if suffix in QRELS_SUFFIXES:
        return True
    rows = _first_rows(path) if suffix not in (*_TABLES, *RUN_SUFFIXES) else []
    return bool(rows) and all(
        len(row) == len(QRELS_FIELDS) and row[1].upper() in ("0", "Q0") and row[3].lstrip("-").isdecimal()
        for row in rows
    )


def _first_rows(path: Path) -> list[list[str]]:
    try:
        return [line.split() for line in first_lines(path, "utf-8")]
    except BROKEN:
        return []


def read_fields(path: Path, names: tuple[str, ...]) -> pd.DataFrame:
    """Return the fields of a file whose lines have as many as there are names, separated by blanks; as texts.

    Args:
        path: The file, which may be compressed.
        names: The names of the fields.

    Raises:
        DataError: It cannot be read, or a line has more or fewer fields.
    """
    import pandas as pd

    try:
        with open_binary(path) as stream:
            content = stream.read()
        frame = pd.read_csv(
            io.BytesIO(content),
            sep=r"\s+",
            header=None,
            names=[*names, _EXTRA],
            dtype=str,
            quoting=3,
            keep_default_na=False,
            index_col=False,
            encoding="utf-8-sig",
        )
    except pd.errors.EmptyDataError:
        raise DataError(f"{path} is empty; its lines are {' '.join(names)}.") from None
    except BROKEN as error:
        raise DataError(f"{unreadable(path, path.suffix.lstrip('.'), error)}") from error
    is_whole = frame[names[-1]].fillna("").ne("") & frame[_EXTRA].fillna("").eq("")
    if not is_whole.all():
        row = int((~is_whole).to_numpy().argmax())
        line, text = _line_of(content, row)
        raise DataError(
            f"{path}: line {line} has {len(text.split())} fields, {text.strip()[:100]!r}, instead of {len(names)}: "
            f"{' '.join(names)}. Mend the line; ids have no blanks there."
        )
    return frame[list(names)]


def row_name_of(path: Path) -> RowName:
    """Return what errors call the rows of a file: by their lines."""

    def row_name(row: int) -> str:
        with open_binary(path) as stream:
            return f"line {_line_of(stream.read(), row)[0]}"

    return row_name


def _line_of(content: bytes, row: int) -> tuple[int, str]:
    """Return the number of the line of a row, of its number from 0, and the line; empty lines are no rows."""
    lines = enumerate(content.decode("utf-8-sig", "replace").splitlines(), start=1)
    return next(itertools.islice((line for line in lines if line[1].strip()), row, None), (row + 1, ""))
