"""Quotation marks in a text file: whether they stand around fields, or are letters like any other."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

QUOTE = '"'
_MARK = ord(QUOTE)
_ENDS = (ord("\n"), ord("\r"))
_CHUNK = 1 << 24


class Quotes(NamedTuple):
    """What the quotation marks of a file are.

    Attributes:
        present: Whether there is one.
        well_formed: Whether each opens or closes a whole field, or is doubled within one.
        needed: Whether each quoted field has a separator, the end of a line or a doubled mark in it, so that it could not
            stand without marks.
        multiline: Whether a quoted field goes over several lines.
    """

    present: bool
    well_formed: bool
    needed: bool
    multiline: bool


def quotes_of(stream: IO[bytes], separator: str) -> Quotes:
    """Return what the quotation marks of a file are; the first that is no part of quoting ends the search.

    Args:
        stream: The file.
        separator: The character that separates its fields.
    """
    present, needed, multiline = False, True, False
    rest = b""
    while chunk := stream.read(_CHUNK):
        content = rest + chunk
        if QUOTE.encode() not in content:
            rest = content[content.rfind(b"\n") + 1 :]
            continue
        # Whole records only: what follows the last end of a line outside of quotes is for the next round.
        values = np.frombuffer(content, dtype=np.uint8)
        marks = np.flatnonzero(values == _MARK)
        ends = np.flatnonzero(values == _ENDS[0])
        outside = ends[np.searchsorted(marks, ends) % 2 == 0]
        if len(outside) == 0:
            rest = content
            continue
        size = int(outside[-1]) + 1
        rest = content[size:]
        marks = marks[marks < size]
        if len(marks):
            fields = _fields(values[:size], marks, ord(separator))
            if not fields.well_formed:
                return fields
            present, needed, multiline = True, needed and fields.needed, multiline or fields.multiline
    if QUOTE.encode() in rest:
        values = np.frombuffer(rest, dtype=np.uint8)
        fields = _fields(values, np.flatnonzero(values == _MARK), ord(separator))
        return Quotes(True, fields.well_formed, needed and fields.needed, multiline or fields.multiline)
    return Quotes(present, True, needed, multiline)


def _fields(values: npt.NDArray[np.uint8], marks: npt.NDArray[np.int64], separator: int) -> Quotes:
    """Return what the marks of some whole records are."""
    borders = (separator, *_ENDS)
    opening, closing = marks[::2], marks[1::2]
    padded = np.concatenate([[_ENDS[0]], values, [_ENDS[0]]])  # as if lines stood around it
    before = padded[opening]
    after = padded[closing + 2]
    doubled = np.isin(opening, closing + 1)
    opens = np.isin(before, borders) | doubled
    closes = np.isin(after, borders) | np.isin(closing + 1, opening)
    if len(opening) != len(closing) or not opens.all() or not closes.all():
        return Quotes(True, False, False, False)
    starts = opening[~doubled]
    breaks = np.flatnonzero(np.isin(values, borders))
    inner = breaks[np.searchsorted(marks, breaks) % 2 == 1]
    is_needed = np.zeros(len(starts), dtype=bool)
    is_needed[np.searchsorted(starts, np.concatenate([inner, opening[doubled]])) - 1] = True
    return Quotes(True, True, bool(is_needed.all()), bool(np.isin(values[inner], _ENDS).any()))
