"""What a definition says about the columns of a file of features: lists, flags, codes, texts and repeated rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnibench.data.features.shaping import FeatureShape
from omnibench.data.readers.reader import Reader
from omnibench.data.toml_tables import Table
from omnibench.errors import nearest

SHAPE_KEYS = ("lists", "flags", "words", "texts", "gathered")


def shape_of(table: Table, reader: Reader) -> FeatureShape:
    """Return what the columns of a file of features become.

    Args:
        table: The table of the features.
        reader: How the file is read, which names its columns.

    Raises:
        DataError: A column is not there, or a value impossible.
    """
    columns = reader.columns.values() if isinstance(reader.columns, Mapping) else reader.columns
    names = [name for name in columns if name]
    shape = FeatureShape(
        lists=_texts_by_name(table.table("lists")),
        flags={name: _texts_by_name(table.table("flags").table(name)) for name in table.get("flags", dict, {})},
        words={name: _texts_by_name(table.table("words").table(name)) for name in table.get("words", dict, {})},
        texts=table.texts("texts"),
        gathered=table.get("gathered", bool, False),
    )
    for key, used in (
        ("lists", shape.lists),
        ("words", shape.words),
        ("texts", shape.texts),
        *((f"flags, {name}", texts) for name, texts in shape.flags.items()),
    ):
        for name in used:
            if name not in names:
                raise table.error(
                    f"{key} names {name!r}, which is none of the reader's columns{nearest(name, names) or '.'}"
                )
    for name in shape.flags:
        if name in names:
            raise table.error(f"flags has {name!r}, which is a column already; give what they become another name.")
    return shape


def _texts_by_name(table: Table) -> dict[str, str]:
    values: dict[str, Any] = {}
    for name, value in table.values.items():
        if not isinstance(value, str) or not value:
            raise table.error(f"{name} is {value!r}; give a text.")
        values[name] = value
    return values
