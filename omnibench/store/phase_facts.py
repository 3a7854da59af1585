"""The numbers in the records of phases, read in one pass over all of them and kept packed.

Of a hundred thousand items there are half a million such records. To look each up by its key takes several times as long as to
read them as they lie, and dictionaries of what they say would take ten times the memory.
"""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.store.phase_texts import version_in
from omnibench.store.reader import Reader
from omnibench.store.schema import SEARCHED, Record, RecordType

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_FLOAT = r"(null|-?\d++(?:\.\d++(?:e[+-]?\d++)?|e[+-]?\d++))"
_INTEGER = r"(null|\d{1,15})"  # which floats hold without loss
_STDERR, _SECONDS = ', "stderr": ', ', "seconds": '
_COUNT = r"(null|\d{1,9})"
_UNCERTAINTY = re.compile(
    rf'{_STDERR}{_FLOAT}, "interval": (?:null|\[{_FLOAT}, {_FLOAT}\]), "users": {_COUNT}(?:, "counted": {_COUNT})?, "place": '
)
_COSTS = re.compile(
    rf'{_SECONDS}{_FLOAT}, "cpu_seconds": [^,{{}}"]++, "peak_rss": {_INTEGER}, "gpu_peak": [^,{{}}"]++, "python_peak": [^,{{}}"]++'
    rf'(?:, "start_seconds": {_FLOAT})?, '
)
_START = ', "start_seconds": '
_OF_TRIAL = f'"{SEARCHED}": "'
_NUMBERS = Struct("<3di")
"""Three floats, NaN where they are not recorded, and a whole number."""

_NUMBERS_TYPE = "<f8,<f8,<f8,<i4"
"""The same as numpy calls it."""

_NONE = -1
"""Stands for a number of users that is not recorded, and for the version of what is no fit."""

_MANY = 20_000
"""Rows from which on a table is sorted, and looked up, by numpy, which takes a tenth of a second to import."""

Numbers = tuple[float, float, float, int]
"""Of an evaluation the standard error, both ends of the interval, the users; of a fit or prediction the seconds, those of waiting,
the peak of memory, and of a fit the number of its version. NaN and ``_NONE`` stand for what is not recorded."""


class Columns(NamedTuple):
    """``Numbers`` of several phases: each of the four in an array, shape (n,); what is not recorded is as there."""

    first: npt.NDArray[np.float64]
    second: npt.NDArray[np.float64]
    third: npt.NDArray[np.float64]
    last: npt.NDArray[np.int32]


class Uncertainty(NamedTuple):
    """The uncertainty of a metric's mean over users.

    Attributes:
        stderr: Its standard error, where it is a mean over users.
        low: The lower end of its 95 % interval, likewise.
        high: The upper end.
        users: How many users count.
    """

    stderr: float | None = None
    low: float | None = None
    high: float | None = None
    users: int | None = None


class PhaseFacts:
    """What facts about items take of the records of phases as of one moment.

    Records whose text is not as ``builders`` makes it, or that hold other types of numbers, are left out.

    Args:
        reader: Reads the records.
        record_types: The types of phases to read, among those of ``schema.PHASE_OF``.
    """

    def __init__(self, reader: Reader, *record_types: RecordType) -> None:
        self._tables = {record_type: _Table() for record_type in record_types}
        versions: dict[str, int] = {}
        tables = {record_type.prefix: table for record_type, table in self._tables.items()}
        of_fits, of_evaluations = RecordType.FIT.prefix, RecordType.EVAL.prefix
        for key, text in reader.sound_texts_of(*record_types):
            prefix = key[: key.find("/") + 1]
            if prefix == of_evaluations:
                numbers = _uncertainty_in(text)
            else:
                numbers = _costs_in(text)
                if numbers is not None and prefix == of_fits:
                    version = version_in(text)
                    if version is None:
                        continue
                    numbers = (*numbers[:3], versions.setdefault(version, len(versions)))
            if numbers is not None:
                tables[prefix].add(key, numbers)
        for table in self._tables.values():
            table.sort()
        self._versions = list(versions)

    def facts(self, key: str) -> Record | None:
        """Return the numbers of a phase by name, of fits their ``version``, too; None where it is left out.

        Those of an evaluation are ``stderr``, ``interval`` and ``users``, those of others ``seconds``, ``start_seconds`` and
        ``peak_rss``.
        """
        record_type = RecordType.of(key)
        if record_type is RecordType.EVAL:
            spread = self.uncertainty(key)
            if spread is None:
                return None
            interval = None if spread.low is None else [spread.low, spread.high]
            return {"stderr": spread.stderr, "interval": interval, "users": spread.users}
        table = None if record_type is None else self._tables.get(record_type)
        numbers = None if table is None else table.get(key)
        if numbers is None:
            return None
        return self.costs_of(numbers)

    def costs_of(self, numbers: Numbers) -> Record:
        """Return the numbers of a fit or prediction by name, of fits their ``version``, too."""
        seconds, start_seconds, peak, version = numbers
        costs: Record = {
            "seconds": _or_none(seconds),
            "start_seconds": _or_none(start_seconds),
            "peak_rss": None if math.isnan(peak) else int(peak),
        }
        return costs if version == _NONE else {**costs, "version": self._versions[version]}

    def numbers(self, record_type: RecordType, keys: Sequence[str]) -> list[Numbers | None]:
        """Return the numbers of several phases of a type; None where they are left out."""
        table = self._tables.get(record_type)
        return [None] * len(keys) if table is None else table.get_all(keys)

    def columns(self, record_type: RecordType, keys: Sequence[str]) -> Columns | None:
        """Return the numbers of several phases of a type by column; None where one of them is left out, and of small stores."""
        table = self._tables.get(record_type)
        is_small = max(map(len, self._tables.values()), default=0) < _MANY
        return None if table is None or is_small else table.columns(keys)

    def version(self, number: int) -> str | None:
        """Return the version that the last number of a fit stands for; None where that is none."""
        return None if number == _NONE else self._versions[number]

    def uncertainty(self, key: str) -> Uncertainty | None:
        """Return the uncertainty that an evaluation says; None where it is left out."""
        table = self._tables.get(RecordType.EVAL)
        numbers = None if table is None else table.get(key)
        if numbers is None:
            return None
        return spread_of(numbers)


def or_none(numbers: npt.NDArray[np.float64]) -> list[Any]:
    """Return the numbers of a column, None in the place of NaN."""
    values: list[Any] = numbers.tolist()
    return [None if value != value else value for value in values] if np.isnan(numbers).any() else values  # noqa: PLR0124 - NaN


def spread_of(numbers: Numbers) -> Uncertainty:
    """Return the uncertainty that the numbers of an evaluation are."""
    stderr, low, high, users = numbers
    return Uncertainty(_or_none(stderr), _or_none(low), _or_none(high), None if users == _NONE else users)


class _Table:
    """Rows of numbers by key, in a quarter of the memory of a dictionary; complete once they are sorted.

    Keys are kept as their hashes: of two that have the same, neither is found.
    """

    def __init__(self) -> None:
        self._hashes = array("q")
        self._rows = bytearray()
        self._positions = array("I")

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, key: str, numbers: Numbers) -> None:
        """Add a row."""
        self._hashes.append(hash(key))
        self._rows += _NUMBERS.pack(*numbers)

    def sort(self) -> None:
        """Sort the rows by the hashes of their keys, for ``get``."""
        if len(self._hashes) < _MANY:
            self._positions = array("I", sorted(range(len(self._hashes)), key=self._hashes.__getitem__))
            self._hashes = array("q", map(self._hashes.__getitem__, self._positions))
            return
        hashes = np.frombuffer(self._hashes, "<i8")
        positions = np.argsort(hashes, kind="stable")
        self._positions = array("I", positions.astype(np.uint32).tobytes())
        self._hashes = array("q", hashes[positions].tobytes())

    def get_all(self, keys: Sequence[str]) -> list[Numbers | None]:
        """Return what ``get`` returns of several keys."""
        if len(self._hashes) < _MANY or not keys:
            return list(map(self.get, keys))
        sorted_hashes, hashes = np.frombuffer(self._hashes, "<i8"), np.fromiter(map(hash, keys), np.int64, len(keys))
        begins = np.searchsorted(sorted_hashes, hashes)
        is_row = np.searchsorted(sorted_hashes, hashes, "right") - begins == 1
        positions = np.frombuffer(self._positions, "<u4")[begins[is_row]]
        rows: Iterator[Numbers] = iter(np.frombuffer(self._rows, _NUMBERS_TYPE)[positions].tolist())
        return [next(rows) if is_found else None for is_found in is_row.tolist()]

    def columns(self, keys: Sequence[str]) -> Columns | None:
        """Return the rows of several keys by column; None where one has none."""
        sorted_hashes, hashes = np.frombuffer(self._hashes, "<i8"), np.fromiter(map(hash, keys), np.int64, len(keys))
        begins = np.searchsorted(sorted_hashes, hashes)
        if not (np.searchsorted(sorted_hashes, hashes, "right") - begins == 1).all():
            return None
        rows = np.frombuffer(self._rows, _NUMBERS_TYPE)[np.frombuffer(self._positions, "<u4")[begins]]
        return Columns(*(rows[name] for name in ("f0", "f1", "f2", "f3")))

    def get(self, key: str) -> Numbers | None:
        """Return the row of a key, or None."""
        number, hashes = hash(key), self._hashes
        begin = bisect_left(hashes, number)
        if (
            begin == len(hashes)
            or hashes[begin] != number
            or hashes[begin + 1 : begin + 2] == hashes[begin : begin + 1]
        ):
            return None
        return _NUMBERS.unpack_from(self._rows, self._positions[begin] * _NUMBERS.size)


def _uncertainty_in(text: str) -> Numbers | None:
    """Return the uncertainty in the text of an evaluation; None where its record has to be parsed to tell."""
    start = text.rfind(_STDERR)
    match = _UNCERTAINTY.match(text, start) if start >= 0 else None
    if match is None or text.find(_STDERR, 0, start) >= 0:
        return None
    stderr, low, high, users, counted = match.groups()
    if counted is None and users != _NULL and low is not None and _NULL not in (stderr, low, high):  # most
        return float(stderr), float(low), float(high), int(users)
    if (low == _NULL) != (high == _NULL):
        return None
    count = users if counted is None else counted
    return _number(stderr), _number(low), _number(high), _NONE if count == _NULL else int(count)


def _costs_in(text: str) -> Numbers | None:
    """Return the costs in the text of a fit or a prediction, without its version; None of trials, and where it has to be parsed to tell."""
    start = text.find(_SECONDS)
    match = _COSTS.match(text, start) if start >= 0 else None
    if match is None or text.find(_SECONDS, match.end()) >= 0 or _OF_TRIAL in text:
        return None
    seconds, peak, start_seconds = match.groups()
    if start_seconds is None and _START in text:  # elsewhere than we write it
        return None
    return _number(seconds), _number(start_seconds), _number(peak), _NONE


_NULL = "null"


def _number(text: str | None) -> float:
    """Return a number as JSON has it; NaN, which JSON has not, for null and for what is not there."""
    return math.nan if text is None or text == _NULL else float(text)


def _or_none(number: float) -> float | None:
    return None if math.isnan(number) else number
