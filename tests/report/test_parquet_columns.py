"""Columns of the Parquet file are what Arrow's own conversion makes of the same values."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from omnibench.report.number_columns import NumberColumn
from omnibench.report.parquet_file import _arrow_type, _columns
from omnibench.report.parts import Part

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXTS,
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "float64": st.floats(allow_nan=False) | st.integers(-(2**40), 2**40),
    "boolean": st.booleans(),
}


@given(st.data())
def test_columns_are_those_that_arrow_makes(data: st.DataObject) -> None:
    """Of every type, with nulls, and where several rows share cells."""
    column_types = data.draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4))
    row = st.tuples(*(st.none() | VALUES[column_type] for column_type in column_types))
    distinct = data.draw(st.lists(row, min_size=1, max_size=20))
    numbers = data.draw(st.lists(st.sampled_from(range(len(distinct))), min_size=1, max_size=40))
    part = Part()
    for number in numbers:
        part.add_shared(distinct[number], key=("cells", number))
    columns = _columns(part, column_types)
    for number, (column, column_type) in enumerate(zip(columns, column_types, strict=True)):
        column.validate(full=True)
        assert column.equals(pa.array([distinct[row][number] for row in numbers], _arrow_type(column_type)))


@given(st.lists(st.none() | st.floats(allow_nan=False), min_size=1), st.lists(st.none() | VALUES["Int64"], min_size=1))
def test_columns_of_arrays_are_those_of_their_numbers(floats: list[float | None], counts: list[int | None]) -> None:
    """As a sequence, and in the file; what stands where one is missing does not matter."""
    columns: dict[str, tuple[Sequence[Any], NumberColumn]] = {
        "float64": (floats, NumberColumn(np.array(floats, np.float64), np.array([value is None for value in floats]))),
        "Int64": (
            counts,
            NumberColumn(np.array([value or 0 for value in counts]), np.array([value is None for value in counts])),
        ),
    }
    for column_type, (values, column) in columns.items():
        assert repr(list(column)) == repr(values)
        assert (len(column), repr(column[-1]), repr(column[1:])) == (len(values), repr(values[-1]), repr(values[1:]))
        part = Part(partial(list, [column]))
        part.positions = [*range(len(values))]
        (written,) = _columns(part, [column_type])
        written.validate(full=True)
        assert written.equals(pa.array(values, _arrow_type(column_type)))


def test_texts_that_are_no_utf_8_are_written_as_in_csv() -> None:
    """Half of a surrogate pair, which Python's texts may hold, is escaped."""
    part = Part()
    part.add(("a\ud800",))
    (column,) = _columns(part, ["string"])
    assert column.to_pylist() == [r"a\ud800"]


def test_writing_parquet_imports_no_pandas() -> None:
    """It takes 50 MB of memory."""
    code = (
        "import sys; from omnibench.report.contents import Contents; from omnibench.report.parts import Part; "
        "from omnibench.report.parquet_file import _columns, parquet; b''.join(parquet(Contents([], (), (), [], {}, {}))); "
        "part = Part(); part.add((1, 'a', 0.5, None)); _columns(part, ['Int64', 'string', 'float64', 'boolean']); sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
