"""The form of a baseline's metadata and columns: a digest says that a file is whole, not that omnibench made it.

A baseline may come from anybody, by pull request or by mail. Whatever is read of it is looked at here once, so that
a file with something else in it is an error that says what, and never a verdict.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from sys import intern
from typing import TYPE_CHECKING, Any

from omnibench.errors import BaselineError
from omnibench.gate.baseline_rows import Rows
from omnibench.store.checks import (
    Check,
    abridged,
    depth,
    is_count,
    is_moment,
    is_name,
    is_natural,
    is_number,
    list_of,
    object_of,
    of_type,
    optional,
)
from omnibench.store.forms import MOST_NESTED

if TYPE_CHECKING:
    import pyarrow as pa

_configuration = object_of(
    {"parameters": of_type(dict)},
    {
        "seed": optional(is_count),
        "runner": is_name,
        "refit": of_type(str, type(None)),
        "search": of_type(dict, type(None)),
    },
)
_git = object_of({"commit": is_name, "dirty": of_type(bool)})
_dataset: dict[str, Check] = {"name": is_name, "shown": is_name, "key": is_name, "test": list_of(is_name)}
_score: dict[str, Check] = {
    "metric": is_name,
    "higher_is_better": of_type(bool, type(None)),
    "per_user": of_type(bool),
    "folds": of_type(dict),
}
_entry: dict[str, Check] = {
    "dataset": is_natural,
    "algorithm": is_name,
    "shown": is_name,
    "configuration": _configuration,
    "scores": of_type(dict),
    "finished": lambda value: value == "" or is_moment(value),
}
_row_group: dict[str, Check] = {"row_group": optional(is_natural)}
_rows: dict[str, Check] = {"rows": optional(list_of(is_natural))}


def _is_fold(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 5 and str(int(text)) == text  # noqa: PLR2004 - int16


def _is_choice(value: Any) -> bool:
    """Whether a value has the hyperparameters that a search has chosen, by fold."""
    return type(value) is dict and all(_is_fold(fold) and type(chosen) is dict for fold, chosen in value.items())


_later: dict[str, Check] = {
    "sources": list_of(is_name),
    "deterministic": of_type(bool),
    "chosen": _is_choice,
    "user_label": is_name,
}
"""What the first baselines lack."""


def parsed(text: bytes) -> dict[str, Any]:
    """Return the metadata of a baseline, of which only the format was looked at.

    Args:
        text: The metadata, JSON.

    Raises:
        BaselineError: It is of another form; the message begins with what is wrong.
    """
    metadata = _json(text, "its metadata")
    if not isinstance(metadata, dict) or not is_natural(metadata.get("format")):
        raise BaselineError("its metadata says no format")
    return metadata


def parsed_entry(text: bytes) -> Any:
    """Return what an entry's JSON holds, of which nothing was looked at.

    Raises:
        BaselineError: It is none; the message begins with what is wrong.
    """
    return _json(text, "an entry")


def _json(text: bytes, name: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_without_twins)
    except (ValueError, RecursionError) as error:
        raise BaselineError(f"{name} is no JSON that can be read ({error})") from error


def check(metadata: Mapping[str, Any], *, has_entries: bool) -> None:
    """Check the metadata of a baseline of a format that this omnibench reads, but for its entries.

    Args:
        metadata: What ``parsed`` has returned.
        has_entries: Whether its entries are a part of it, as in format 1.

    Raises:
        BaselineError: It is of another form; the message begins with what is wrong.
    """
    _check_depth(metadata, "its metadata")
    heads: dict[str, Check] = {
        "omnibench": is_name,
        "written": is_moment,
        "git": optional(_git),
        "datasets": of_type(list),
    }
    _check_members(metadata, heads | ({"entries": of_type(list)} if has_entries else {}), "its metadata")
    for number, dataset in enumerate(metadata["datasets"]):
        _check_members(dataset, _dataset, f"its dataset {number}")


class EntryForm:
    """The form of a baseline's entries, which are looked at in their order.

    Args:
        datasets: The number of its datasets.
        row_groups: The number of rows of each of its row groups.
        shares_row_groups: Whether entries share row groups; each has one of its own in format 1.

    Attributes:
        labels: The labels of the metrics that have values per user, of the entries that were looked at.
    """

    def __init__(self, datasets: int, row_groups: Sequence[int], *, shares_row_groups: bool) -> None:
        self._datasets = datasets
        self._row_groups = row_groups
        self._members = _entry | (_rows if shares_row_groups else _row_group)
        self._used: set[int] = set()
        self._shares_row_groups = shares_row_groups
        self._end = (0, 0)
        self.labels: set[str] = set()

    def check(self, number: int, entry: Any) -> None:
        """Check an entry.

        Args:
            number: Its position among the entries.
            entry: What its JSON holds.

        Raises:
            BaselineError: It is of another form; the message begins with what is wrong.
        """
        name = f"its entry {number}"
        _check_depth(entry, name)
        _check_members(entry, self._members, name, _later)
        if entry["dataset"] >= self._datasets:
            raise BaselineError(f"{name} is of dataset {entry['dataset']}, and it has {self._datasets}")
        if self._shares_row_groups:
            self._check_rows(entry["rows"], name)
        else:
            self._check_row_group(entry["row_group"], name)
        has_rows = self.rows_of(entry) is not None
        for label, score in entry["scores"].items():
            _check_score(score, f"{name}, {abridged(label)},", has_rows=has_rows)
            if score["per_user"]:
                self.labels.add(label)

    def rows_of(self, entry: Mapping[str, Any]) -> Rows | None:
        """Return where the rows of an entry are that was looked at; None where it has none."""
        if self._shares_row_groups:
            return None if entry["rows"] is None else Rows(*entry["rows"])
        row_group = entry["row_group"]
        return None if row_group is None else Rows(row_group, 0, self._row_groups[row_group])

    def _check_row_group(self, row_group: int | None, name: str) -> None:
        if row_group is not None and (row_group >= len(self._row_groups) or row_group in self._used):
            raise BaselineError(f"{name} has the row group {row_group}, which is another's or not there")
        self._used |= set() if row_group is None else {row_group}

    def _check_rows(self, rows: Sequence[int] | None, name: str) -> None:
        if rows is None:
            return
        is_there = len(rows) == len(Rows._fields) and rows[0] < len(self._row_groups)
        if not is_there or not rows[1] < rows[2] <= self._row_groups[rows[0]] or (rows[0], rows[1]) < self._end:
            raise BaselineError(f"{name} has the rows {abridged(rows)}, which are another's or not there")
        self._end = (rows[0], rows[2])


def check_columns(schema: pa.Schema, labels: Collection[str]) -> None:
    """Check that a baseline has the columns that its entries speak of, each of its type.

    Args:
        schema: The schema of the file.
        labels: The labels of the metrics that have values per user.

    Raises:
        BaselineError: A column is missing, there twice, or of another type.
    """
    import pyarrow as pa

    columns = dict.fromkeys(sorted(labels), pa.float64()) | {"fold": pa.int16(), "user": pa.int32()}
    for name, arrow_type in columns.items() if labels else ():
        positions = schema.get_all_field_indices(name)
        if len(positions) != 1:
            raise BaselineError(f"it has {len(positions)} columns {abridged(name)}, and needs one")
        if schema.field(positions[0]).type != arrow_type:
            raise BaselineError(
                f"its column {abridged(name)} is of {schema.field(positions[0]).type}, not {arrow_type}"
            )


def _check_depth(data: Any, name: str) -> None:
    if depth(data, MOST_NESTED) > MOST_NESTED:
        raise BaselineError(f"{name} is nested more than {MOST_NESTED} levels deep")


def _check_members(
    value: Any, members: Mapping[str, Check], name: str, optional: Mapping[str, Check] | None = None
) -> None:
    if not isinstance(value, dict):
        raise BaselineError(f"{name} is {abridged(value)}")
    for member, is_sound in members.items():
        if member not in value:
            raise BaselineError(f"{name} has no {member}")
        if not is_sound(value[member]):
            raise BaselineError(f"the {member} of {name} is {abridged(value[member])}")
    for member, is_sound in (optional or {}).items():
        if member in value and not is_sound(value[member]):
            raise BaselineError(f"the {member} of {name} is {abridged(value[member])}")


def _check_score(score: Any, name: str, *, has_rows: bool) -> None:
    _check_members(score, _score, name)
    if score["per_user"] and not has_rows:
        raise BaselineError(f"{name} has values per user, and no rows")
    for fold, value in score["folds"].items():
        if not _is_fold(fold):
            raise BaselineError(f"{name} has a fold {abridged(fold)}")
        if not is_number(value):
            raise BaselineError(f"{name} has the value {abridged(value)} in fold {fold}")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = {intern(name): value for name, value in pairs}  # entries have them alike
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return members
