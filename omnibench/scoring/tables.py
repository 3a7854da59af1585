"""Tables of predictions and of interactions, whatever they come in: frames, mappings, files, trec_eval's files."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from omnibench.data.dataset import RecSysDataSet
from omnibench.data.file_source import FileSource, unreadable
from omnibench.data.files.layout import SEPARATORS, layout_of
from omnibench.data.files.parquet import column_names, is_parquet_directory
from omnibench.data.files.streams import BROKEN, JSON_SUFFIXES, format_of, open_binary, uncompressed_name
from omnibench.data.frames import pandas_frame
from omnibench.data.from_file import from_file
from omnibench.data.numbers import EXACT_RATINGS, RowName, numbers, row_name
from omnibench.errors import DataError, EvaluationError
from omnibench.metrics.coded_checks import Table
from omnibench.metrics.ordered import TREC
from omnibench.paths import absolute_paths, either, overlong_name
from omnibench.scoring.columns import PREDICTED, TESTED, roles_of
from omnibench.scoring.trec import QRELS_FIELDS, RUN_FIELDS, is_qrels, is_run, read_fields, row_name_of

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

_FORMATS = ".csv, .tsv, .parquet, .json, .jsonl, and trec_eval's runs"
_READ_AS = {"score": "rating", "rank": "timestamp", "rating": "rating"}
"""The columns of numbers of a file of interactions, under whose names the numbers of predictions are read."""


class NamedTable(NamedTuple):
    """A table, what to call it, and sentences on how it is read.

    Attributes:
        table: The table.
        name: What to call it: a file's name.
        notes: The sentences.
        graded: Whether it has levels of relevance above 1.
    """

    table: Table
    name: str
    notes: list[str]
    graded: bool = False


def predictions_table(
    predictions: Any, order: str | None, columns: Mapping[str, str] | Sequence[str | None] | None
) -> NamedTable:
    """Return predictions as a table.

    Args:
        predictions: A frame, a path, a dataset without a split, or a mapping from users to lists of items, or to mappings
            from items to scores.
        order: ``rank`` or ``score``; None for what is usual in its form.
        columns: What its columns are, where their names do not say it.

    Raises:
        DataError: A file cannot be read.
        EvaluationError: It is none of these, or a column is missing.
    """
    if isinstance(predictions, str | os.PathLike):
        return _predictions_file(existing(predictions), order, columns)
    if isinstance(predictions, RecSysDataSet):
        table = _of_dataset(predictions, predictions.name)
        scores = {"score": table.columns["rating"]} if "rating" in table.columns else {}
        table = table._replace(columns={**table.columns, **scores}, order=order)
        notes = [f"{predictions.name}: the ratings are taken for scores, too"] if scores else []
        return NamedTable(table, predictions.name, notes or [_by_rows(predictions.name)])
    if isinstance(columns, Sequence):
        raise EvaluationError(
            f"columns is {columns!r}, but only files have no names; give a mapping such as {{'uid': 'user'}}."
        )
    if isinstance(predictions, Mapping) and not {"user", "item"} & predictions.keys():
        return NamedTable(
            Table(_rows_of_mapping(predictions, "predictions"), "predictions", order=order), "predictions", []
        )
    return _from_frame(predictions, "predictions", order, PREDICTED, columns)


def _from_frame(
    content: Any, source: str, order: str | None, roles: Sequence[str], columns: Mapping[str, str] | None
) -> NamedTable:
    frame = content if isinstance(content, Mapping) else pandas_frame(content, f"score ({source})")
    by_text = {str(name): name for name in frame}
    if len(by_text) < len(list(frame)):
        names = [str(name) for name in frame]
        doubled = next(name for name in names if names.count(name) > 1)
        raise EvaluationError(f"{source} has the column {doubled!r} twice; it has {names}. Rename or drop one.")
    named, notes = roles_of(list(by_text), roles, columns, source)
    table = Table({role: frame[by_text[name]] for role, name in named.items()}, source, order=order)
    ordered = [_by_rows(source)] if roles is PREDICTED and not {"score", "rank", "rating"} & named.keys() else []
    return NamedTable(table, source, [*(f"{source}: {note}" for note in notes), *ordered])


def _by_rows(source: str) -> str:
    return f"{source}: no column is called rank or score, so the items of a list stand in the order of the rows"


def _rows_of_mapping(content: Mapping[Any, Any], source: str) -> dict[str, Any]:
    """Return the columns of a mapping from users to lists, or to mappings from items to numbers."""
    users: list[Any] = []
    items: list[Any] = []
    scores: list[Any] = []
    of_scores = bool(content) and all(isinstance(entries, Mapping) for entries in content.values())
    for user, entries in content.items():
        if (
            isinstance(entries, str)
            or not isinstance(entries, Iterable)
            or isinstance(entries, Mapping) is not of_scores
        ):
            raise EvaluationError(
                f"{source}: user {user!r} has {entries!r}; give every user a list of items, or every user a mapping from items to "
                "scores."
            )
        own = list(entries)
        users += [user] * len(own)
        items += own
        scores += list(entries.values()) if isinstance(entries, Mapping) else []
    return {"user": users, "item": items, **({"score": scores} if of_scores else {})}


def existing(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of a file; a relative one may be beside the bench file that is imported.

    Raises:
        DataError: There is none.
    """
    problem = overlong_name(Path(path))
    if problem:
        raise DataError(f"{problem}; check the path.")
    paths = absolute_paths(Path(path))
    file = next((path for path in paths if path.is_file() or is_parquet_directory(path)), None)
    if file is None:
        raise DataError(f"there is no file {either(paths)}; check the path.")
    return file


def _predictions_file(
    path: Path, order: str | None, columns: Mapping[str, str] | Sequence[str | None] | None
) -> NamedTable:
    file_format = format_of(path)
    if columns is None and not path.is_dir() and is_run(path, f".{file_format}"):
        return _run(path, order)
    if file_format in JSON_SUFFIXES:
        content = _json(path, file_format)
        mapping = columns if columns is None or isinstance(columns, Mapping) else _refuse_listed(columns, path)
        if isinstance(content, Mapping) and not {"user", "item"} & content.keys() and columns is None:
            return NamedTable(Table(_rows_of_mapping(content, path.name), path.name, order=order), path.name, [])
        return _from_frame(content, path.name, order, PREDICTED, mapping)
    if file_format not in SEPARATORS and file_format != "parquet":
        raise DataError(
            f"{path.name} ends in {path.suffix!r}; predictions are {_FORMATS}. Read anything else with pandas, and give "
            "omnibench.score the frame."
        )
    return _columns_of_file(path, file_format, order, columns)


def _refuse_listed(columns: Any, path: Path) -> NoReturn:
    raise EvaluationError(
        f"{path.name}: columns is {list(columns)!r}, which is for a text file without a header; give a mapping such as "
        "{'uid': 'user'}."
    )


def _run(path: Path, order: str | None) -> NamedTable:
    frame = read_fields(path, RUN_FIELDS)
    columns = {name: frame[name] for name in ("user", "item", "rank", "score")}
    return NamedTable(Table(columns, path.name, row_name_of(path), order or TREC), path.name, [])


def _json(path: Path, file_format: str) -> Any:
    """Return the content of a JSON file: columns, rows, or a mapping from users to lists."""
    try:
        with open_binary(path) as stream:
            text = stream.read().decode("utf-8-sig")
        content = (
            [json.loads(line) for line in text.splitlines() if line.strip()]
            if file_format != "json"
            else json.loads(text)
        )
    except BROKEN as error:
        raise DataError(unreadable(path, file_format, error)) from error
    if isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        names = list(content[0])
        for number, row in enumerate(content):
            if row.keys() != content[0].keys():
                raise DataError(
                    f"{path.name}: row {number} has the names {list(row)}, and the first has {names}; give every row the same."
                )
        return {name: [row[name] for row in content] for name in names}
    if not isinstance(content, dict) or not content:
        raise DataError(
            f"{path.name} holds {type(content).__name__}; predictions in JSON are a list per column (as predictions.json of a "
            "store is), rows with names, or lists of items by user."
        )
    lengths = {name: len(column) for name, column in content.items() if isinstance(column, list)}
    if {"user", "item"} & content.keys() and len(set(lengths.values())) > 1:
        raise DataError(f"{path.name}: its columns have different lengths, {lengths}; was it written completely?")
    return content


def _columns_of_file(
    path: Path, file_format: str, order: str | None, columns: Mapping[str, str] | Sequence[str | None] | None
) -> NamedTable:
    """Return a table of separated values, or of Parquet."""
    mapping = columns if isinstance(columns, Mapping) else None
    try:
        if file_format == "parquet":
            layout, names = None, column_names(path)
            if columns is not None and mapping is None:
                _refuse_listed(columns, path)
        else:
            listed = None if columns is None or mapping is not None else list(columns)
            layout = layout_of(path, file_format, SEPARATORS[file_format], listed, None, "utf-8", None)
            names = list(layout.names)
    except BROKEN as error:
        raise DataError(unreadable(path, file_format, error)) from error
    named, notes = roles_of(names, PREDICTED, mapping, path.name)
    table: dict[str, Any] = {}
    named_rows = row_name
    # A file of interactions has two columns of numbers, so what has three is read twice.
    for roles in (("user", "item", "score", "rank"), ("user", "item", "rating")):
        columns_of_numbers = [role for role in roles if role in named and role in _READ_AS]
        if table and not columns_of_numbers:
            continue
        source = FileSource(path, file_format, _renamed(roles, named), layout)
        read = source.read()
        named_rows = source.row_name
        table |= {role: read[_READ_AS.get(role, role)] for role in roles if role in named}
    by_rows = [] if {"score", "rank", "rating"} & named.keys() else [_by_rows(path.name)]
    notes = [*(f"{path.name}: {note}" for note in notes), *by_rows]
    return NamedTable(Table(table, path.name, named_rows, order), path.name, notes)


def _renamed(roles: Sequence[str], named: Mapping[str, str]) -> dict[str, str]:
    return {named[role]: _READ_AS.get(role, role) for role in roles if role in named}


def interactions_table(content: Any, source: str, columns: Mapping[str, str] | None = None) -> NamedTable:
    """Return interactions, such as the test part, as a table.

    Args:
        content: A frame, a path (of a file that ``from_file`` reads, or of qrels), a dataset without a split, or a mapping
            from users to their items, or to mappings from items to levels of relevance.
        source: What errors call it, unless it is a file.
        columns: What its columns are, where their names do not say it.

    Raises:
        DataError: A file cannot be read.
        EvaluationError: It is none of these, or a column is missing.
    """
    if isinstance(content, str | os.PathLike) or _are_paths(content):
        path = _single(content)
        suffix = "" if path is None else uncompressed_name(path).suffix.lower()
        if columns is None and path is not None and path.is_file() and is_qrels(path, suffix):
            frame = read_fields(path, QRELS_FIELDS)
            return _of_levels({name: frame[name] for name in QRELS_FIELDS}, path.name, row_name_of(path))
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            dataset = from_file(content, columns=columns)
            name = dataset.name if path is None else path.name
            table = _of_dataset(dataset, name)
        return NamedTable(table, name, [str(warning.message) for warning in warned if not _is_of_unused(warning)])
    if isinstance(content, RecSysDataSet):
        return NamedTable(_of_dataset(content, content.name), content.name, [])
    if isinstance(content, Mapping) and not {"user", "item"} & content.keys():
        rows = _rows_of_mapping(content, source)
        if "score" in rows:
            return _of_levels({**rows, "level": rows["score"]}, source)
        return NamedTable(Table(rows, source), source, [])
    named = _from_frame(content, source, None, TESTED, columns)
    return named._replace(table=named.table._replace(source=source))


def _are_paths(content: Any) -> bool:
    return isinstance(content, list | tuple) and all(isinstance(path, str | os.PathLike) for path in content)


def _single(content: Any) -> Path | None:
    """Return the absolute path of a single file; None of several, of a pattern and of what is not there."""
    paths = absolute_paths(Path(content)) if isinstance(content, str | os.PathLike) else []
    return next((path for path in paths if path.is_file() or is_parquet_directory(path)), None)


def _is_of_unused(warning: warnings.WarningMessage) -> bool:
    return "a dataset keeps user, item, rating and timestamp" in str(warning.message)


def _of_dataset(dataset: RecSysDataSet, source: str) -> Table:
    if dataset.steps:
        frame = dataset.data.df  # type: ignore[union-attr]  # the caller has looked for a split
        return Table({name: frame[name] for name in TESTED if name in frame}, source)
    content: Any = dataset.source
    read = content.read() if hasattr(content, "read") else content.load().frame()
    named: RowName = getattr(content, "row_name", row_name)
    return Table({name: read[name] for name in TESTED if name in read}, source, named)


def _of_levels(columns: Mapping[str, Any], source: str, named: RowName = row_name) -> NamedTable:
    """Return what is relevant among items with levels of relevance, which are gains; below 1 they are not relevant."""
    import pandas as pd

    table = Table({"user": columns["user"], "item": columns["item"]}, source, named)
    if len(columns["user"]) == 0:
        return NamedTable(table, source, [])
    levels = numbers(columns["level"], "level", source, EXACT_RATINGS, table.row_name)
    is_relevant = levels >= 1
    if not is_relevant.any():
        raise EvaluationError(f"{source} has no relevant item: no level is 1 or more.")
    number = int(np.count_nonzero(~is_relevant))
    notes = [f"{source}: {number} items have a level below 1, so that they are not relevant"] if number else []
    rows = np.flatnonzero(is_relevant)
    relevant = {name: pd.Series(columns[name]).iloc[rows].reset_index(drop=True) for name in ("user", "item")}
    table = Table({**relevant, "rating": levels[rows]}, source)
    return NamedTable(table, source, notes, graded=bool((levels[rows] > 1).any()))
