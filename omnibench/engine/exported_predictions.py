"""Readable copies of predictions: with the user's own ids, as JSON, or as Parquet where they are many."""

from __future__ import annotations

import io
import json
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from omnibench.data.stored_ids import StoredIds, read_ids
from omnibench.guest.folds import NO_ITEM
from omnibench.guest.predictions import read_predictions

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
else:
    from omnibench.lazy import np

JSON_ROWS = 1_000_000
"""Predictions with more rows are exported as Parquet."""

_FEW_IDS = 4096
"""So many ids are kept from item to item, as ``read_ids`` keeps them, and so are their texts."""

_FEW_BYTES = 1 << 16
"""Of predictions of so many bytes, the texts of columns are kept for the next items."""

_to_json = json.JSONEncoder(ensure_ascii=False, default=str).encode


def export_predictions(dataset: Path, predictions: Path, directory: Path) -> list[Path]:
    """Write predictions with the user's own ids: ``predictions.json``, or ``.parquet`` when they are many.

    The JSON has one list per column: user, item, score, rank (from 1) for recommendations; user, item,
    rating for rating predictions. Where there are both, the ratings are in ``ratings.json`` or ``.parquet``.
    """
    paths = []
    for name, rows in _named_rows(predictions):
        paths.append(directory / name)
        with open(paths[-1], "wb") as file:
            _write(dataset, rows, file)
    return paths


def exported_predictions(dataset: Path, predictions: Path) -> dict[str, bytes]:
    """Return the names and the contents of the files that ``export_predictions`` writes."""
    exported = {}
    for name, rows in _named_rows(predictions):
        file = io.BytesIO()
        _write(dataset, rows, file)
        exported[name] = file.getvalue()
    return exported


def decoded(dataset: Path, rows: npt.NDArray[np.void]) -> dict[str, npt.NDArray[Any]]:
    """Return predictions with the user's own ids, a column each.

    These are user, item, score, rank (from 1) of recommendations, or user, item, rating of predicted ratings.
    """
    columns = _columns(rows)
    own = {name: _own_ids(dataset, f"{name}s").ids[columns[name]] for name in _CODED}
    return {**columns, **own}


_CODED = ("user", "item")
"""The columns of codes, for which the user has ids."""


def _columns(rows: npt.NDArray[np.void]) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of predictions, with codes of users and items."""
    if "rating" in (rows.dtype.names or ()):
        return {name: rows[name] for name in ("user", "item", "rating")}
    codes = rows["item"]
    filled = codes != NO_ITEM
    return {
        "user": np.repeat(rows["user"], np.count_nonzero(filled, axis=1)),
        "item": codes[filled],
        "score": rows["score"][filled],
        "rank": np.broadcast_to(np.arange(1, filled.shape[1] + 1), filled.shape)[filled],
    }


@dataclass(frozen=True, eq=False, slots=True)
class _OwnIds:
    """The user's own ids by code, and None behind them, in arrays that are nobody's to change.

    Attributes:
        ids: The ids.
        texts: Their JSON; None where they are many, or neither texts nor whole numbers.
    """

    ids: npt.NDArray[np.object_]
    texts: npt.NDArray[np.object_] | None


_latest_ids: dict[str, tuple[Sequence[Hashable], _OwnIds]] = {}
"""The ids of users and items that were asked for last, if they are few, as they were read and as arrays."""


def _own_ids(dataset: Path, which: str) -> _OwnIds:
    ids = read_ids(dataset, which)
    latest = _latest_ids.get(which)
    if latest is not None and latest[0] is ids:
        return latest[1]
    own = [*ids, None]
    are_few = isinstance(ids, StoredIds) and len(ids) <= _FEW_IDS  # others are read anew each time
    texts = np.array([_to_json(own_id) for own_id in own], dtype=object) if are_few else None
    arrays = _OwnIds(np.array(own, dtype=object), texts)
    if are_few:
        _latest_ids[which] = ids, arrays
    return arrays


def _named_rows(predictions: Path) -> Iterator[tuple[str, npt.NDArray[np.void]]]:
    """Yield the name of each readable copy of predictions, and the rows of their file that are in it."""
    contents = [content for content in read_predictions(predictions) if content is not None]
    for rows, stem in zip(contents, ("predictions", "ratings"), strict=False):
        yield f"{stem}.{'parquet' if _are_many(rows) else 'json'}", rows


def _are_many(rows: npt.NDArray[np.void]) -> bool:
    if "rating" in (rows.dtype.names or ()):
        return len(rows) > JSON_ROWS
    codes = rows["item"]  # most have fewer places than that
    return codes.size > JSON_ROWS and bool(np.count_nonzero(codes != NO_ITEM) > JSON_ROWS)


def _write(dataset: Path, rows: npt.NDArray[np.void], file: BinaryIO) -> None:
    """Write predictions as Parquet when they are many, else as JSON."""
    if not _are_many(rows):
        file.write(_json(dataset, rows).encode())
        return
    import pandas as pd

    frame = pd.DataFrame(decoded(dataset, rows))
    for name in ("user", "item"):
        if not _fits_one_type(frame[name]):
            frame[name] = frame[name].astype(str)  # a Parquet column has one type
    frame.to_parquet(file, index=False)


def _json(dataset: Path, rows: npt.NDArray[np.void]) -> str:
    """Return the columns as JSON; of a few users and items, which the next item has as well, from the texts of their ids."""
    own = {name: _own_ids(dataset, f"{name}s") for name in _CODED}
    if any(ids.texts is None for ids in own.values()):
        return _to_json({name: column.tolist() for name, column in decoded(dataset, rows).items()})
    text_of = _column_text if rows.nbytes <= _FEW_BYTES else _column_text.__wrapped__
    members = [
        f'"{name}": {text_of(column.tobytes(), column.dtype, own.get(name))}' for name, column in _columns(rows).items()
    ]
    return f"{{{', '.join(members)}}}"


@lru_cache(maxsize=64)
def _column_text(content: bytes, dtype: np.dtype[Any], own: _OwnIds | None) -> str:
    """Return a column as JSON. Users, ranks and scores that only say the order of a list are as those of other items of the fold.

    Args:
        content: The bytes of the column.
        dtype: Its type.
        own: The ids, of which there are texts, where it has codes.
    """
    column = np.frombuffer(content, dtype)
    if own is None or own.texts is None:
        return _to_json(column.tolist())
    return f"[{', '.join(own.texts[column].tolist())}]"


def _fits_one_type(own_ids: pd.Series[Any]) -> bool:
    """Whether ids are all texts, all floats, or all whole numbers of up to 64 bits."""
    types = {type(own_id) for own_id in own_ids}
    if types == {int}:
        return bool(own_ids.min() >= -(2**63) and own_ids.max() < 2**63)
    return types in ({str}, {float}, {bool})
