"""Columns of a text file: ids are texts, unless all of a column's are integers as they are usually written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.data.files.layout import TextLayout, first_lines, split_lines
from omnibench.data.files.lines import refuse_flaws
from omnibench.data.files.streams import open_utf8, single
from omnibench.data.numbers import INTEGER, is_numeral
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
else:
    from omnibench.lazy import np, npt

IDS = ("user", "item")

_BLOCK = 1 << 24
"""Bytes that a thread parses at once; no line may be longer."""

_SAMPLE = 100

_WORDS = {"true", "false"}
"""What pandas reads as truth values."""


class TextColumns(NamedTuple):
    """Columns of a text file.

    Attributes:
        columns: pandas Series by name.
        as_before: Whether earlier releases have read the same values, so that what it recorded of them holds.
    """

    columns: dict[str, Any]
    as_before: bool


def read_text(layout: TextLayout, positions: Mapping[str, int], tokens: frozenset[str]) -> TextColumns:
    """Read the columns of a text file.

    Args:
        layout: The file.
        positions: Where its columns stand, by omnibench's names: user, item, rating, timestamp.
        tokens: Those of users and items that are texts, whatever is in them.

    Raises:
        DataError: A line does not fit; it is named.
    """
    layout, quotes = layout.settled()
    if layout.quote and not quotes.well_formed:
        refuse_flaws(layout)  # marks within fields are letters; anything else is a mistake
    multiline = bool(layout.quote) and (quotes.multiline or not quotes.well_formed)
    table = _table(layout, positions, multiline=multiline)
    as_before = layout.file_format == "csv" or layout.quote != "" or not quotes.present
    columns: dict[str, Any] = {}
    for name in positions:
        if name in IDS:
            columns[name], is_same = _ids(table[name], as_text=name in tokens)
            as_before &= is_same
        else:
            columns[name] = table[name].to_pandas()
    return TextColumns(columns, as_before)


def _table(layout: TextLayout, positions: Mapping[str, int], *, multiline: bool) -> Any:
    """Parse a file: ids as texts, ratings and timestamps as numbers where they are, else as texts."""
    import pyarrow as pa

    attempts = _types(layout, positions)
    for types in attempts:
        try:
            return _parsed(layout, positions, types, multiline=multiline)
        except pa.ArrowInvalid as error:
            if "conversion error" not in str(error) or "UTF8" in str(error) or types is attempts[-1]:
                refuse_flaws(layout)
                raise DataError(f"{layout.path} cannot be read as .{layout.file_format}: {error}") from error
        except UnicodeDecodeError as error:
            refuse_flaws(layout)
            raise DataError(f"{layout.path} cannot be read as {layout.encoding}: {error}") from error
    raise AssertionError("texts cannot be converted wrongly")


def _types(layout: TextLayout, positions: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the types of ratings and timestamps to be tried one after the other: those of the first line, ..., texts."""
    import pyarrow as pa

    texts = {"rating": pa.string(), "timestamp": pa.string()}
    if not {"rating", "timestamp"} & set(positions):
        return [texts]
    lines = first_lines(layout.path, layout.encoding)
    rows = [row for row in split_lines(lines, layout.separator, layout.quote) if len(row) == len(layout.names)]
    first = rows[-1][positions["timestamp"]] if rows and "timestamp" in positions else "0"
    tried = [{"rating": pa.float64(), "timestamp": timestamp} for timestamp in (pa.int64(), pa.float64(), pa.string())]
    return [*tried[0 if first.removeprefix("-").isdecimal() else 1 if is_numeral(first) else 2 :], texts]


def _parsed(layout: TextLayout, positions: Mapping[str, int], types: Mapping[str, Any], *, multiline: bool) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    used = {position: name for name, position in positions.items()}
    names = [used.get(position, f"column {position}") for position in range(len(layout.names))]
    ids = dict.fromkeys(IDS, pa.string())  # coded afterwards: each text is hashed once, not in every block again
    with open_utf8(layout.path, layout.encoding, layout.separator) as stream:
        return csv.read_csv(
            stream,
            csv.ReadOptions(column_names=names, skip_rows=layout.skipped_lines, block_size=_BLOCK),
            csv.ParseOptions(
                delimiter=single(layout.separator),
                quote_char=layout.quote or False,
                newlines_in_values=multiline,
                invalid_row_handler=_without_blank_lines,
            ),
            csv.ConvertOptions(
                column_types={name: {**ids, **types}[name] for name in positions},
                include_columns=list(positions),
                null_values=[""],
                strings_can_be_null=True,
            ),
        )


def _without_blank_lines(row: Any) -> str:
    return "error" if row.text.strip() else "skip"


def _ids(column: Any, *, as_text: bool) -> tuple[Any, bool]:
    """Return a column of ids as categories, and whether pandas, which earlier releases read with, gave the same ones."""
    import pandas as pd

    codes, values, is_same = own_ids(*coded_texts(column), as_text=as_text)
    if values.dtype == object:
        return categories_of(codes, values), is_same
    return pd.Series(pd.Categorical.from_codes(codes, pd.Index(values))), is_same


def own_ids(
    codes: npt.NDArray[np.int32], texts: Any, *, as_text: bool
) -> tuple[npt.NDArray[np.int32], npt.NDArray[Any], bool]:
    """Return codes with the ids that they stand for, integers or objects; and whether earlier releases read the same ones.

    Args:
        codes: The codes of texts, shape (n,), -1 for a missing one.
        texts: The texts by code, as an array of Arrow.
        as_text: Whether texts stay texts, whatever is in them.
    """
    import pandas as pd

    integers = None if as_text else integers_of(texts)
    if integers is not None:
        numbers, categories = pd.factorize(integers)  # blanks beside a number are not part of it
        if len(categories) < len(integers):
            codes = np.where(codes < 0, codes, numbers[codes]).astype(np.int32)
        return codes, categories, True
    values = np.array(texts.to_pylist(), dtype=object)
    return codes, values, as_text or _are_texts(values)


def coded_texts(column: Any) -> tuple[npt.NDArray[np.int32], Any]:
    """Return the codes of Arrow's texts in the order in which they come, -1 for a missing one, and the texts by code.

    Args:
        column: A column of a table of Arrow.
    """
    import pyarrow as pa

    coded = column.dictionary_encode()
    texts = coded.chunk(0).dictionary if coded.num_chunks else pa.array([], column.type)
    return np.concatenate([_codes(chunk) for chunk in coded.chunks] or [np.empty(0, dtype=np.int32)]), texts


def categories_of(codes: npt.NDArray[np.int32], values: npt.NDArray[Any]) -> pd.Series:
    """Return codes and their values as a column of categories.

    Args:
        codes: Shape (n,), -1 for a missing value.
        values: The values by code.
    """
    import pandas as pd

    return pd.Series(pd.Categorical.from_codes(codes, pd.Index(values, dtype=object)))


def _codes(chunk: Any) -> Any:
    import pyarrow.compute as pc

    return pc.fill_null(chunk.indices, -1).to_numpy(zero_copy_only=False)


def integers_of(texts: Any) -> Any:
    """Return the integers that all texts stand for; None where one is written otherwise, or too large for 64 bits."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for part in (texts[:_SAMPLE], texts):  # a few of them tell of most columns of texts
        trimmed = pc.ascii_trim_whitespace(part)
        if len(texts) == 0 or not pc.all(pc.match_substring_regex(trimmed, f"^{INTEGER}$")).as_py():
            return None
    try:
        return trimmed.cast(pa.int64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return None


def _are_texts(values: Any) -> bool:
    """Whether pandas would have read texts, and neither numbers nor truth values."""
    import pandas as pd

    try:
        pd.to_numeric(values)
    except (ValueError, TypeError):
        return {value.lower() for value in values[:3]} - _WORDS != set()
    return False
