"""The numbers in the records of phases, read in one pass over all of them and kept packed.

Of a hundred thousand items there are half a million such records. To look each up by its key takes several times as long as to
read them as they lie, and dictionaries of what they say would take ten times the memory.
"""

from __future__ import annotations

import math
from array import array
from binascii import hexlify, unhexlify
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate, compress, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.store.number_texts import floats_in
from omnibench.store.phase_numbers import cost_rows_in, spreads_in, versions_in
from omnibench.store.reader import Reader
from omnibench.store.schema import Record, RecordType

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

_NONE = -1
"""Stands for a number of users that is not recorded, and for the version of what is no fit."""

_FLOATS = 3
"""How many of ``Numbers`` are floats."""

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


class Texts(NamedTuple):
    """``Numbers`` of several phases as records have them.

    Attributes:
        rows: Of each phase its numbers, separated by commas, and empty where they are not recorded: of an evaluation all four, of
            others the first three.
        last: The last number of each fit; nothing of others.
    """

    rows: list[str]
    last: list[int]

    @property
    def columns(self) -> Columns:
        """The same by column, as numbers."""
        numbers = floats_in(",".join(self.rows)) if self.rows else np.empty(0)
        width = len(numbers) // len(self.rows) if self.rows else _FLOATS
        table = numbers.reshape(len(self.rows), width)
        if width > _FLOATS:
            last = np.where(np.isnan(table[:, _FLOATS]), _NONE, table[:, _FLOATS]).astype(np.int32)
        else:
            last = np.array(self.last or [_NONE] * len(self.rows), np.int32)
        return Columns(table[:, 0], table[:, 1], table[:, 2], last)


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
        versions: dict[bytes, int] = {}
        for record_type, record_keys, texts in reader.sound_blocks_of(*record_types):
            begin = len(record_type.prefix)  # of ASCII
            keys = [key[begin:] for key in record_keys]
            if record_type is RecordType.EVAL:
                self._tables[record_type].add_all(keys, spreads_in(texts))
                continue
            rows = cost_rows_in(texts)
            if record_type is RecordType.PREDICT:
                self._tables[record_type].add_all(keys, rows)
                continue
            of_fits = versions_in(texts)
            numbers = [_NONE if version is None else versions.setdefault(version, len(versions)) for version in of_fits]
            whole_rows = [None if version is None else row for row, version in zip(rows, of_fits, strict=True)]
            self._tables[record_type].add_all(keys, whole_rows, numbers)
        for table in self._tables.values():
            table.sort()
        self._versions = [version.decode() for version in versions]

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
        numbers = None if table is None or record_type is None else table.get(record_type.identity(key))
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
        """Return the numbers of several phases of a type, by their own keys; None where they are left out."""
        table = self._tables.get(record_type)
        return [None] * len(keys) if table is None else table.get_all(keys)

    def texts(self, record_type: RecordType, keys: Sequence[str] | bytes) -> Texts | None:
        """Return the numbers of several phases of a type as texts; None where one of them is left out, and of small stores.

        Args:
            record_type: Their type.
            keys: Their own keys, or the digests that these are, 32 bytes each.
        """
        table = self._tables.get(record_type)
        is_small = max(map(len, self._tables.values()), default=0) < _MANY
        return None if table is None or is_small else table.texts(keys)

    def columns(self, record_type: RecordType, keys: Sequence[str]) -> Columns | None:
        """Return the numbers of several phases of a type by column; None as of ``texts``."""
        texts = self.texts(record_type, keys)
        return None if texts is None else texts.columns

    def version(self, number: int) -> str | None:
        """Return the version that the last number of a fit stands for; None where that is none."""
        return None if number == _NONE else self._versions[number]

    def uncertainty(self, key: str) -> Uncertainty | None:
        """Return the uncertainty that an evaluation says; None where it is left out."""
        table = self._tables.get(RecordType.EVAL)
        numbers = None if table is None else table.get(RecordType.EVAL.identity(key))
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

    Keys are kept as 64 bits of them: of two that have the same, neither is found.
    """

    def __init__(self) -> None:
        self._hashes = array("q")
        self._positions = array("I")
        self._texts = bytearray()
        self._ends = array("I", [0])
        self._last = array("i")

    def __len__(self) -> int:
        return len(self._hashes)

    def add_all(self, keys: Sequence[bytes], rows: Sequence[bytes | None], last: Sequence[int] | None = None) -> None:
        """Add rows.

        Args:
            keys: Their keys, encoded.
            rows: Their numbers, see ``phase_numbers``; None for what is left out.
            last: The last number of each, where that is none of these.
        """
        if None in rows:
            is_known = [row is not None for row in rows]
            keys, last = list(compress(keys, is_known)), None if last is None else list(compress(last, is_known))
        self._hashes.extend(_hashes_of_encoded(keys))
        lines = [row + b"\n" for row in rows if row is not None]
        self._texts += b"".join(lines)
        self._ends.extend(islice(accumulate(map(len, lines), initial=self._ends[-1]), 1, None))
        if last is not None:
            self._last.extend(last)

    def sort(self) -> None:
        """Sort the rows by the hashes of their keys, for ``get``."""
        if len(self._hashes) < _MANY:
            self._positions = array("I", sorted(range(len(self._hashes)), key=self._hashes.__getitem__))
            self._hashes = array("q", map(self._hashes.__getitem__, self._positions))
            return
        hashes = np.frombuffer(self._hashes, "<i8")
        positions = np.argsort(hashes)  # of equal ones, which nobody finds, in any order
        self._positions = array("I", positions.astype(np.uint32).tobytes())
        self._hashes = array("q", hashes[positions].tobytes())

    def get_all(self, keys: Sequence[str]) -> list[Numbers | None]:
        """Return what ``get`` returns of several keys."""
        if len(self._hashes) < _MANY or not keys:
            return list(map(self.get, keys))
        begins, is_row = self._positions_of(keys)
        positions = np.frombuffer(self._positions, "<u4")[begins[is_row]]
        rows: Iterator[Numbers] = map(self._row, positions.tolist())
        return [next(rows) if is_found else None for is_found in is_row.tolist()]

    def _positions_of(self, keys: Sequence[str] | bytes) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """Return where the hashes of keys are, and whether there is a single row of each; both of shape (n,)."""
        sorted_hashes, hashes = np.frombuffer(self._hashes, "<i8"), np.frombuffer(_hashes(keys), "<i8")
        if not len(sorted_hashes):
            return np.zeros(len(hashes), np.intp), np.zeros(len(hashes), bool)
        begins = np.searchsorted(sorted_hashes, hashes)
        # Behind the last one its own hash is looked at again, which is none that is looked for there.
        hashes_there, behind = (np.take(sorted_hashes, begins + step, mode="clip") for step in (0, 1))
        is_last = begins == len(sorted_hashes) - 1
        return begins, (hashes_there == hashes) & ((behind != hashes) | is_last)

    def texts(self, keys: Sequence[str] | bytes) -> Texts | None:
        """Return the rows of several keys as texts; None where one has none."""
        begins, is_row = self._positions_of(keys)
        if not is_row.all():
            return None
        positions = np.frombuffer(self._positions, "<u4")[begins]
        last = np.frombuffer(self._last, "<i4")[positions].tolist() if self._last else []
        if not len(positions):
            return Texts([], last)
        # Rows that follow each other, as those of an item mostly do, are taken together.
        is_first = np.diff(positions, prepend=positions[:1]) != 1
        is_first[0] = True
        ends = np.frombuffer(self._ends, "<u4")
        begins_of_runs = ends[positions[is_first]].tolist()
        ends_of_runs = ends[positions[np.append(is_first[1:], True)] + 1].tolist()
        bounds = zip(begins_of_runs, ends_of_runs, strict=True)
        content = b"".join([self._texts[begin:end] for begin, end in bounds])
        return Texts(content[:-1].decode().split("\n"), last)

    def get(self, key: str) -> Numbers | None:
        """Return the row of a key, or None."""
        number, hashes = _hashes([key])[0], self._hashes
        begin = bisect_left(hashes, number)
        if (
            begin == len(hashes)
            or hashes[begin] != number
            or hashes[begin + 1 : begin + 2] == hashes[begin : begin + 1]
        ):
            return None
        return self._row(self._positions[begin])

    def _row(self, position: int) -> Numbers:
        numbers = self._texts[self._ends[position] : self._ends[position + 1] - 1].decode().split(",")
        last = self._last[position] if self._last else int(numbers[3] or _NONE) if len(numbers) > _FLOATS else _NONE
        first, second, third = [float(number) if number else math.nan for number in numbers[:_FLOATS]]
        return first, second, third, last


def _hashes(keys: Sequence[str] | bytes) -> array[int]:
    """Return 64 bits of each key: the first ones of a digest, as most keys are, and a hash of any other key.

    Args:
        keys: The keys, or the digests that they are, 32 bytes each.
    """
    if not isinstance(keys, bytes):
        digests = _digests(keys)
        if digests is None:
            return array("q", map(hash, keys) if len(keys) == 1 else [_hashes([key])[0] for key in keys])
        keys = digests
    return array("q", keys)[:: _DIGEST // 8]


def _hashes_of_encoded(keys: Sequence[bytes]) -> array[int]:
    """Return what ``_hashes`` does of keys that are encoded; those that are digests are never decoded."""
    digests = _digests_in(b"".join(keys)) if {*map(len, keys)} == {2 * _DIGEST} else None
    return _hashes([key.decode() for key in keys] if digests is None else digests)


_DIGEST = 32
"""The bytes of a digest."""


def _digests(keys: Sequence[str]) -> bytes | None:
    """Return the digests that keys are, 32 bytes each; None where one of them is something else."""
    if {*map(len, keys)} != {2 * _DIGEST}:
        return None
    digits = "".join(keys)
    return _digests_in(digits.encode()) if digits.isascii() else None


def _digests_in(digits: bytes) -> bytes | None:
    """Return what digits stand for; None where they are none."""
    try:
        digests = unhexlify(digits)  # which takes capital letters, too
    except ValueError:
        return None
    return digests if hexlify(digests) == digits else None


def _or_none(number: float) -> float | None:
    return None if math.isnan(number) else number
