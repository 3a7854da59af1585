"""Datasets of parts: training, validation and test rows that the user has, or that somebody has published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from omnibench.arguments import checked_call
from omnibench.caller_warnings import warn_caller
from omnibench.data.dataset import FoldedData, RecSysDataSet, SplitData
from omnibench.data.from_frame import from_frame
from omnibench.data.membership import PART_NAMES
from omnibench.data.published import PartSource, PublishedSource, split_source
from omnibench.errors import DataError

_OF_FRAMES = {"columns", "user_ids", "item_ids"}
"""The arguments of ``from_frame`` that say how a part is read."""

_PAIR, _TRIPLE = ("train", "test"), ("train", "test", "validation")


@checked_call
def from_split(
    train: Any,
    test: Any,
    validation: Any = None,
    *,
    name: str = "split",
    columns: Mapping[str, str] | Sequence[str | None] | None = None,
    allow_overlap: bool = False,
    items: Any = None,
    users: Any = None,
    **options: Any,
) -> RecSysDataSet:
    """Make a dataset of a split that is there already, e.g. one that was published; each row keeps its part.

    The parts are content, as ids are: the same rows in the same parts are the same dataset, be they frames or files.
    Steps such as MakeImplicit may be piped, and see the rows of all parts; another split is refused. Test users and items
    unknown in training are counted, and treated as with any other split.

    Args:
        train: The training rows, as a frame or matrix (see ``from_frame``), the path of a file or a list of paths (see
            ``from_file``), or a dataset without steps.
        test: The test rows.
        validation: The validation rows; None for none.
        name: What to call the dataset; a label, not part of its key.
        columns: The own column names of the parts to omnibench's, as in ``from_file`` and ``from_frame``.
        allow_overlap: Whether the same pair of user and item may be in two parts. Such test rows are not recommended, unless
            ``AllItems(repeats=True)`` allows what a user has seen.
        items: What is known about items, of all parts together; see ``RecSysDataSet.with_features``.
        users: The same for users.
        options: What ``from_file`` takes as well, e.g. ``separator="::"`` or ``format="adjacency"``; for matrices what
            ``from_frame`` takes, ``user_ids`` and ``item_ids``.

    Raises:
        DataError: A part is none of these or cannot be read; or, when the data is needed, a pair is in two parts.
    """
    parts = {"train": train, "test": test} | ({} if validation is None else {"validation": validation})
    sources = _sources(parts, name, columns, options)
    dataset = _dataset(split_source(sources, name, allow_overlap=_flag(allow_overlap)), name)
    return dataset if items is None and users is None else dataset.with_features(items, users)


@checked_call
def from_folds(
    folds: Sequence[Any] | FoldedData,
    *,
    name: str = "folds",
    columns: Mapping[str, str] | Sequence[str | None] | None = None,
    allow_overlap: bool = False,
    items: Any = None,
    users: Any = None,
    **options: Any,
) -> RecSysDataSet:
    """Make a dataset of the folds of a cross-validation that are there already; see ``from_split``.

    A row may be in training in one fold, in test in another, and not in a third at all.

    Args:
        folds: For each fold ``(train, test)``, ``(train, test, validation)``, or a mapping with the keys train, test and,
            where there is one, validation. A part is what ``from_split`` takes.
        name: What to call the dataset; a label, not part of its key.
        columns: The own column names of the parts to omnibench's, as in ``from_file`` and ``from_frame``.
        allow_overlap: Whether the same pair of user and item may be in two parts of one fold.
        items: What is known about items; see ``RecSysDataSet.with_features``.
        users: The same for users.
        options: What ``from_file`` takes as well; for matrices what ``from_frame`` takes.

    Raises:
        DataError: A part is none of these or cannot be read, or only some folds have a validation part; or, when the data
            is needed, a pair is in two parts of a fold.
    """
    argument: Any = list(folds.folds.values()) if isinstance(folds, FoldedData) else folds
    if isinstance(argument, str | bytes | Mapping) or not isinstance(argument, Sequence) or len(argument) == 0:
        raise DataError(
            f"from_folds got {type(argument).__name__}{' of no folds' if argument in ([], ()) else ''}; give a list of folds, e.g. "
            "[(train_0, test_0), (train_1, test_1)]."
        )
    sources = [
        _sources(_parts_of(fold, number), f"{name}, fold {number}", columns, options)
        for number, fold in enumerate(argument)
    ]
    dataset = _dataset(split_source(sources, name, allow_overlap=_flag(allow_overlap)), name)
    return dataset if items is None and users is None else dataset.with_features(items, users)


def _parts_of(fold: Any, number: int) -> dict[str, Any]:
    """Return the parts of a fold by name.

    Raises:
        DataError: It is neither a pair or triple nor a mapping.
    """
    if isinstance(fold, SplitData) and fold.given is None:
        parts = {part: getattr(fold, part) for part in PART_NAMES}
        return {part: rows for part, rows in parts.items() if part != "validation" or len(rows)}
    if isinstance(fold, Mapping):
        return dict(fold)
    if isinstance(fold, tuple | list) and len(fold) in (len(_PAIR), len(_TRIPLE)):
        return {part: rows for part, rows in zip(_TRIPLE, fold, strict=False) if rows is not None}
    raise DataError(
        f"from_folds: fold {number} is {type(fold).__name__}; give (train, test), (train, test, validation) or a mapping with these "
        "keys."
    )


def _sources(
    parts: Mapping[str, Any],
    name: str,
    columns: Mapping[str, str] | Sequence[str | None] | None,
    options: Mapping[str, Any],
) -> dict[str, PartSource]:
    arguments = {**({} if columns is None else {"columns": columns}), **options}
    return {part: _source(rows, f"{name}, {part}", arguments) for part, rows in parts.items()}


def _source(rows: Any, label: str, arguments: Mapping[str, Any]) -> PartSource:
    """Return the source of a part.

    Raises:
        DataError: It is nothing that a dataset is made of.
    """
    if isinstance(rows, RecSysDataSet):
        if rows.steps or rows.split is not None:
            raise DataError(f"{label} is a dataset with steps, {rows!r}; give one without, or its frame.")
        if rows.features:
            raise DataError(
                f"{label} is a dataset with features, which are of all parts together; give the split items= or users=, and the part "
                "without."
            )
        return rows.source
    if isinstance(rows, str | PathLike | list):
        from omnibench.data.from_file import from_file  # which imports every format of file

        file: PartSource = from_file(rows, label, **arguments).source
        return file
    for_files = sorted(set(arguments) - _OF_FRAMES)
    if for_files:
        raise DataError(
            f"{label} is {type(rows).__name__}, and {', '.join(for_files)} is for files; leave it out, or give all parts as files."
        )
    return from_frame(rows, label, **arguments).source


def _dataset(source: PublishedSource, name: str) -> RecSysDataSet:
    dropped = {
        (column, part)
        for fold in source.folds
        for part, rows in fold.items()
        for column in rows.columns
        if column not in source.columns
    }
    if dropped:
        described = ", ".join(f"{column!r} of {part}" for column, part in sorted(dropped))
        warn_caller(
            f"{name}: a dataset has the columns that all of its parts have, {', '.join(source.columns)}, so {described} is dropped."
        )
    return RecSysDataSet(source, name)


def _flag(allow_overlap: object) -> bool:
    if not isinstance(allow_overlap, bool):
        raise DataError(f"allow_overlap is {allow_overlap!r}; give True or False.")
    return allow_overlap
