"""The form of a baseline's metadata and columns: a digest says that a file is whole, not that omnibench made it.

A baseline may come from anybody, by pull request or by mail. Whatever is read of it is looked at here once, so that
a file with something else in it is an error that says what, and never a verdict.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnibench.errors import BaselineError
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
    "row_group": optional(is_natural),
}


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
    """Return the metadata of a baseline, once its form has been looked at; of newer formats only the format.

    Args:
        text: The metadata, JSON.

    Raises:
        BaselineError: It is of another form; the message begins with what is wrong.
    """
    try:
        metadata = json.loads(text, object_pairs_hook=_without_twins)
    except (ValueError, RecursionError) as error:
        raise BaselineError(f"its metadata is no JSON that can be read ({error})") from error
    if not isinstance(metadata, dict) or not is_natural(metadata.get("format")):
        raise BaselineError("its metadata says no format")
    return metadata


def check(metadata: Mapping[str, Any], row_groups: int) -> None:
    """Check the metadata of a baseline of a format that this omnibench reads.

    Args:
        metadata: What ``parsed`` has returned.
        row_groups: The number of the file's row groups.

    Raises:
        BaselineError: It is of another form; the message begins with what is wrong.
    """
    if depth(metadata, MOST_NESTED) > MOST_NESTED:
        raise BaselineError(f"its metadata is nested more than {MOST_NESTED} levels deep")
    heads: dict[str, Check] = {
        "omnibench": is_name,
        "written": is_moment,
        "git": optional(_git),
        "datasets": of_type(list),
        "entries": of_type(list),
    }
    _check_members(metadata, heads, "its metadata")
    for number, dataset in enumerate(metadata["datasets"]):
        _check_members(dataset, _dataset, f"its dataset {number}")
    used: set[int] = set()
    for number, entry in enumerate(metadata["entries"]):
        name = f"its entry {number}"
        _check_members(entry, _entry, name, _later)
        if entry["dataset"] >= len(metadata["datasets"]):
            raise BaselineError(f"{name} is of dataset {entry['dataset']}, and it has {len(metadata['datasets'])}")
        row_group = entry["row_group"]
        if row_group is not None and (row_group >= row_groups or row_group in used):
            raise BaselineError(f"{name} has the row group {row_group}, which is another's or not there")
        used |= set() if row_group is None else {row_group}
        for label, score in entry["scores"].items():
            _check_score(score, f"{name}, {abridged(label)},", has_rows=row_group is not None)


def check_columns(schema: pa.Schema, entries: list[dict[str, Any]]) -> None:
    """Check that a baseline has the columns that its entries speak of, each of its type.

    Args:
        schema: The schema of the file.
        entries: The entries, from the metadata.

    Raises:
        BaselineError: A column is missing, there twice, or of another type.
    """
    import pyarrow as pa

    labels = {label for entry in entries for label, score in entry["scores"].items() if score["per_user"]}
    columns = dict.fromkeys(sorted(labels), pa.float64()) | {"fold": pa.int16(), "user": pa.int32()}
    for name, arrow_type in columns.items() if labels else ():
        positions = schema.get_all_field_indices(name)
        if len(positions) != 1:
            raise BaselineError(f"it has {len(positions)} columns {abridged(name)}, and needs one")
        if schema.field(positions[0]).type != arrow_type:
            raise BaselineError(
                f"its column {abridged(name)} is of {schema.field(positions[0]).type}, not {arrow_type}"
            )


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
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return members
