"""Chunks of JSON lines, parsed by pyarrow where their records are as regular as most are."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.data.files.text import IDS
from omnibench.data.readers.collected import ChunkLines, without_empty
from omnibench.data.readers.rows import Batch

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

_SAMPLE = 100
"""Records that tell the types of keys."""


class _Schema(NamedTuple):
    """The types of the keys that are read.

    Attributes:
        outer: pyarrow's types by the keys of a record.
        inner: Those of the entries of a list inside of it.
    """

    outer: Mapping[str, Any]
    inner: Mapping[str, Any]


def parsed_chunk(
    chunk: bytes, first_line: int, keys: Mapping[str, str], nested: str, filters: Sequence[str]
) -> Batch | None:
    """Return the rows of a chunk of JSON lines; None where they are to be read one by one.

    That is so where a key has values of different types, or something is wrong with a line: whatever is read here is what
    Python's parser reads.

    Args:
        chunk: Whole lines in UTF-8.
        first_line: The number of the first.
        keys: The names of the columns by the keys of records.
        nested: The list inside of a record that has the interactions; empty for none.
        filters: The keys that tell which rows are kept.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    schema = _schema(chunk, keys, nested, filters)
    if schema is None:
        return None
    try:
        table = _table(chunk, schema, nested)
        table.validate(full=True)  # that texts are UTF-8
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError):
        return None
    lines = ChunkLines(chunk, first_line)
    if len(table) != lines.count():
        return None
    columns = {key: table.column(key).combine_chunks() for key in schema.outer}
    numbers = None
    if nested:
        entries = table.column(nested).combine_chunks()
        numbers = np.asarray(pc.list_parent_indices(entries))
        flat = entries.flatten()
        columns = {key: column.take(pa.array(numbers)) for key, column in columns.items()}
        columns |= {key: flat.field(key) for key in schema.inner}

    def named(row: int) -> str:
        return lines(row if numbers is None else int(numbers[row]))

    named_columns = {name: _column(columns[key], name) for key, name in keys.items()}
    return Batch(named_columns, {key: columns[key] for key in filters}, named)


def _column(array: Any, name: str) -> Any:
    import pyarrow as pa

    return without_empty(array) if name in IDS and pa.types.is_string(array.type) else array


def _schema(chunk: bytes, keys: Mapping[str, str], nested: str, filters: Sequence[str]) -> _Schema | None:
    """Return the types of keys in the first records; None where one has none, or several."""
    records = []
    for line in io.BytesIO(chunk):
        if line.strip():
            try:
                records.append(json.loads(line))
            except (ValueError, RecursionError):
                return None
        if len(records) == _SAMPLE:
            break
    if not all(isinstance(record, dict) for record in records):
        return None
    lists = [record.get(nested) or [] for record in records] if nested else []
    entries = [entry for entry_list in lists if isinstance(entry_list, list) for entry in entry_list]
    if (nested and not entries) or not all(isinstance(entry, dict) for entry in entries):
        return None
    outer: dict[str, Any] = {}
    inner: dict[str, Any] = {}
    for key in (*keys, *filters):
        inside, outside = _value_types(entries, key), _value_types(records, key)
        if inside and outside:
            return None  # which of the two counts, each record tells
        types = inside or outside
        value_type = _type(types, is_id=keys.get(key) in IDS, is_filter=key in filters)
        if value_type is None:
            return None
        (inner if inside else outer)[key] = value_type
    return _Schema(outer, inner)


def _value_types(records: Sequence[Mapping[str, Any]], key: str) -> set[type]:
    return {type(record[key]) for record in records if record.get(key) is not None}


def _type(types: set[type], *, is_id: bool, is_filter: bool) -> Any:
    import pyarrow as pa

    if types == {int, float}:
        types = {float}
    if len(types) != 1:
        return None
    (value_type,) = types
    if (is_id or is_filter) and value_type not in (int, str):
        return None  # whose text in the file counts
    return {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}.get(value_type)


def _table(chunk: bytes, schema: _Schema, nested: str) -> Any:
    import pyarrow as pa
    from pyarrow import json as arrow_json

    fields = [pa.field(key, value_type) for key, value_type in schema.outer.items()]
    if nested:
        struct = pa.struct([pa.field(key, value_type) for key, value_type in schema.inner.items()])
        fields.append(pa.field(nested, pa.list_(struct)))
    return arrow_json.read_json(
        io.BytesIO(chunk),
        arrow_json.ReadOptions(use_threads=False, block_size=len(chunk) + 1),
        arrow_json.ParseOptions(explicit_schema=pa.schema(fields), unexpected_field_behavior="ignore"),
    )
