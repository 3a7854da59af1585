"""The arrays of features in a prepared dataset: by code, as ``guest.features`` reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.caller_warnings import warn_caller
from omnibench.data.features.columns import FeatureColumn, FeatureColumns
from omnibench.errors import DataError
from omnibench.guest.feature_types import BOOLEAN, NUMBER, TEXT, singular
from omnibench.guest.folds import save_array

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from omnibench.data.features.texts import TextEntries
else:
    from omnibench.lazy import np, npt

_WORD = re.compile(r"[^\W\d_]+")

_SEPARATORS = ("|", ";")
"""What files put between several texts in a field."""


def write_features(directory: Path, features: FeatureColumns, own_ids: Sequence[Hashable], name: str) -> dict[str, Any]:
    """Write what is known about the users or items of a dataset, and warn of those that nothing is known about.

    Args:
        directory: The subject's folder, which is not there yet.
        features: What is known.
        own_ids: The ids of the interactions, by code.
        name: The dataset's name in errors.

    Returns:
        What a manifest says: the types of the ``columns``, how many users or items are ``missing`` from the features, how
        many rows of these are ``ignored`` because their ids are not in the interactions, and the ``sizes`` of the columns; see
        ``_sizes_of``.

    Raises:
        DataError: No id of the interactions is among those of the features.
    """
    rows = _rows_by_code(features.ids, own_ids)
    is_listed = rows >= 0
    missing = int(np.count_nonzero(~is_listed))
    if missing == len(own_ids):
        raise DataError(_disjoint(features, own_ids, name))
    if missing:
        example = own_ids[int(np.flatnonzero(~is_listed)[0])]
        warn_caller(
            f"{name}: {missing:,} of {len(own_ids):,} {features.subject} are not in the features of {features.subject}, e.g. "
            f"{example!r}; each of their features is a missing value."
        )
    _warn_of_joined_texts(features, name)
    directory.parent.mkdir(mode=0o700, exist_ok=True)
    directory.mkdir(mode=0o700)
    save_array(directory / "listed.npy", is_listed)
    columns = {column_name: column.select(rows) for column_name, column in features.columns.items()}
    for number, column in enumerate(columns.values()):
        _write_column(directory, str(number), column)
    described = [{"name": column_name, "type": column.type} for column_name, column in columns.items()]
    (directory / "columns.json").write_text(json.dumps({"columns": described}, ensure_ascii=False), encoding="utf-8")
    return {
        "columns": {column_name: column.type for column_name, column in columns.items()},
        "missing": missing,
        "ignored": len(features.ids) - int(np.count_nonzero(is_listed)),
        "sizes": {column_name: _sizes_of(column) for column_name, column in columns.items()},
    }


def _sizes_of(column: FeatureColumn) -> dict[str, int]:
    """Return how many different ``values`` a feature has, 1 of numbers, and the ``longest`` of its lists, 1 without lists.

    Of texts also how many different words they have, the ``vocabulary``, and how many ``words`` those of all rows have together.
    """
    if column.type == NUMBER:
        return {"values": 1, "longest": 1}
    if column.type == BOOLEAN:
        return {"values": len(np.unique(column.content[~np.isnan(column.content)])), "longest": 1}
    if column.type == TEXT:
        return {"values": len(column.content.texts), "longest": 1, **_words_of(column.content)}
    longest = int(np.diff(column.content.first).max(initial=0))
    return {"values": len(column.content.members.texts), "longest": longest, **_words_of(column.content.members)}


def _words_of(entries: TextEntries) -> dict[str, int]:
    """Return what is counted of the words of texts: letters without others between them, in any case, about as Cornac takes texts apart."""
    vocabulary: set[str] = set()
    counts = np.zeros(len(entries.texts), dtype=np.int64)
    for number, text in enumerate(entries.texts):
        words = _WORD.findall(text.lower())
        counts[number] = len(words)
        vocabulary.update(words)
    return {"vocabulary": len(vocabulary), "words": int(counts[entries.positions[entries.positions >= 0]].sum())}


def _warn_of_joined_texts(features: FeatureColumns, name: str) -> None:
    """Warn of texts that look like several: of whatever is made of them, each combination would be a value of its own."""
    for column_name, column in features.columns.items():
        texts = column.content.texts if column.type == TEXT else []
        for separator in _SEPARATORS:
            joined = [text for text in texts if separator in text]
            members = {member.strip() for text in texts for member in text.split(separator)}
            if len(joined) > 1 and len(members) < len(texts):
                warn_caller(
                    f"{name}: the feature {column_name!r} of {features.subject} has texts such as {joined[0]!r}, and its {len(texts):,} "
                    f"texts are made of {len(members):,}. If they are several, say so: lists={{{column_name!r}: {separator!r}}}."
                )
                break


def _rows_by_code(listed_ids: Sequence[Hashable], own_ids: Sequence[Hashable]) -> npt.NDArray[np.int64]:
    """Return the row of the features that each code has, -1 for none.

    Where one side has integers and the other texts, as two files of the same ids may, 7 and ``7`` are the same.
    """
    types = [{type(own_id) for own_id in side} for side in (listed_ids, own_ids)]
    as_texts = types in ([{int}, {str}], [{str}, {int}])
    row_of = {str(own_id) if as_texts else own_id: row for row, own_id in enumerate(listed_ids)}
    return np.array([row_of.get(str(own_id) if as_texts else own_id, -1) for own_id in own_ids], dtype=np.int64)


def _disjoint(features: FeatureColumns, own_ids: Sequence[Hashable], name: str) -> str:
    listed, own = features.ids[0], own_ids[0]
    return (
        f"{name}: none of its {len(own_ids):,} {features.subject} is in the features of {features.subject}: an id is {own!r} "
        f"({type(own).__name__}) in the interactions, and {listed!r} ({type(listed).__name__}) in the features. Give the features' "
        f"column {singular(features.subject)!r} the ids that the interactions have."
    )


def _write_column(directory: Path, name: str, column: FeatureColumn) -> None:
    if column.type in (NUMBER, BOOLEAN):
        save_array(directory / f"{name}.npy", column.content)
        return
    members = column.content
    if column.type != TEXT:
        save_array(directory / f"{name}.first.npy", members.first)
        members = members.members
    save_array(directory / f"{name}.npy", members.positions)
    (directory / f"{name}.json").write_text(json.dumps(list(members.texts), ensure_ascii=False), encoding="utf-8")
