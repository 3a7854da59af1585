"""Datasets of files: one, or several as one table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from omnibench.arguments import checked_call
from omnibench.data.column_names import Columns, warn_of_guesses, warn_of_unused_columns
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.file_columns import TextOptions, described_file
from omnibench.data.file_source import FileSource, StoredSource
from omnibench.data.files.selection import selected_files
from omnibench.data.files.streams import format_of
from omnibench.data.joined_source import JoinedSource, require_same_columns
from omnibench.data.reader_arguments import Reading, described_rows


@checked_call
def from_file(
    path: str | PathLike[str] | Sequence[str | PathLike[str]],
    name: str | None = None,
    columns: Columns = None,
    *,
    separator: str | None = None,
    header: bool | None = None,
    encoding: str = "utf-8",
    quote: str | None = None,
    member: str | None = None,
    format: str | None = None,  # noqa: A002 - it is what everybody calls it
    time: str | None = None,
    decimal: str | None = None,
    missing: Collection[object] | None = None,
    ratings: Mapping[str, float] | None = None,
    keep: Mapping[str, Collection[object]] | None = None,
    items: Any = None,
    users: Any = None,
    **options: Any,
) -> RecSysDataSet:
    """Make a dataset of a file of interactions, or of several as one table.

    Ids are texts, unless all of a column's are integers as they are usually written: ``007`` stays what it is. Every
    line has as many fields as the header.

    Args:
        path: A ``.csv``, ``.tsv``, ``.parquet``, ``.feather`` or (RecBole's atomic format) ``.inter`` file, a text file of
            another suffix with its ``separator``, one of these compressed (``.gz``, ``.bz2``, ``.xz``, ``.zst``) or in an archive
            (``.zip``), or a directory of Parquet files. A list of files, or a pattern such as ``clicks_*.csv``, is one table.
            Under pytest a relative path begins beside the bench file; what is not there, and in a script, in the working
            directory.
        name: What to call the dataset; the file's stem by default.
        columns: The file's own column names to omnibench's, e.g. ``{"userId": "user", "movieId": "item"}``,
            where they are not called user, item, rating, timestamp already. Usual names such as these are guessed where
            nothing else can be meant, with a warning. None is for a column that is not used. For a file without a header the names of all its columns, e.g.
            ``["user", "item", None, "timestamp"]``.
        separator: What separates the fields of a text file, e.g. ``";"`` or ``"::"``; the format's own by default.
        header: Whether the first line is a header; by default it is, unless ``columns`` lists all names.
        encoding: The encoding of a text file as Python calls it, e.g. ``latin-1``.
        quote: ``'"'`` for fields that may stand in quotation marks, ``""`` for marks that are letters like any other. By
            default the first of .csv files; of others the second, unless all marks are needed as quotes.
        member: The file in an archive, or a pattern of its name such as ``*/ratings.csv``; its only file by default.
        format: The format, where the suffix does not say it: ``csv``, ``tsv``, ``parquet``, ``feather``, ``json`` or ``python`` (an
            object or literal a line), ``adjacency`` (``user item item ...``), ``netflix``, ``behaviours`` (MIND's), ``blocks`` (a line
            ``key: value``, an empty one between two interactions), ``matrix`` (a row a user), ``table`` and others.
        time: What timestamps are: ``seconds``, ``milliseconds``, ``microseconds`` or ``nanoseconds`` since 1970, ``iso``, or a format
            such as ``%d/%m/%Y``, in UTC; by default seconds, ISO 8601 or whole numbers that stay what they are.
        decimal: What stands before the fraction of a rating, ``","`` or ``"."``.
        missing: Values that stand for no rating, such as ``[-1, 99]``; such rows are left out. With an empty text, so are rows
            that lack a user, an item or a time.
        ratings: The number that a word stands for, e.g. ``{"like": 1, "dislike": 0}``.
        keep: The values of rows that are kept, by column, e.g. ``{"event": ["view"]}``.
        items: What is known about items: a frame with a column ``item``, or a file; see ``RecSysDataSet.with_features``.
        users: The same for users.
        options: What else a format is read with, e.g. ``nested="events"``, ``comment="%"``, ``skipped_lines=2``, ``counted=True``.

    Raises:
        DataError: The file is not there, of an unknown kind, cannot be read, or lacks a column.
    """
    selection = selected_files(path, member)
    text = TextOptions(separator, header, encoding, quote)
    conversions = {"time": time, "decimal": decimal, "missing": missing, "ratings": ratings, "keep": keep}
    values = {option: value for option, value in conversions.items() if value is not None}
    reading = Reading(format, text, {**values, **options})
    suffixes = [format_of(file) for file in selection.paths]
    if all(map(reading.is_plain, suffixes)):
        source = _plain_source(selection.paths, columns, reading)
    else:
        described = described_rows(selection.paths, columns, reading, suffixes[0])
        warn_of_guesses(described.renamed, described.guessed, described.label)
        warn_of_unused_columns(described.unused, list(described.renamed.values()), described.label)
        source = described.source
    dataset = RecSysDataSet(source, name or selection.name)
    return dataset if items is None and users is None else dataset.with_features(items, users)


def _plain_source(paths: Sequence[Path], columns: Columns, reading: Reading) -> StoredSource:
    """Return the source of tables whose values are what they are."""
    sources: list[FileSource] = []
    warned: list[Any] = []
    for file in paths:
        source, guessed, unused = described_file(file, columns, reading.text, reading.format_of(format_of(file)))
        sources.append(source)
        if [guessed, unused] not in warned:
            warned.append([guessed, unused])
            warn_of_guesses(source.renamed, guessed, file.name)
            warn_of_unused_columns(unused, list(source.renamed.values()), file.name)
    if len(sources) == 1:
        return sources[0]
    require_same_columns(sources)
    return JoinedSource(sources)
