"""The table of what phases have cost, packed while it is made: a hundred thousand items have half a million records of phases.

Most rows are cut out of the texts of records (see ``phase_texts``); records of any other form are parsed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from struct import Struct
from typing import TYPE_CHECKING, Any

from omnibench.store.checks import is_cost, is_moment
from omnibench.store.formats import SEALED_SINCE
from omnibench.store.frames import PHASE_COLUMNS, finished_row, part_of, unfinished_rows
from omnibench.store.phase_texts import phase_in
from omnibench.store.reader import Reader
from omnibench.store.schema import COSTS, GUEST_MEMBERS, PHASE_OF, Record, RecordType, Status
from omnibench.store.usual_phases import UsualPhase, UsualPhases, numbers_in

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
else:
    from omnibench.lazy import np, npt

_NUMBERS = (*COSTS, *GUEST_MEMBERS)
_TEXTS = tuple(name for name in PHASE_COLUMNS if name not in _NUMBERS)
_MEASURED, _CODES = Struct(f"<{len(_NUMBERS)}d"), Struct(f"<{len(_TEXTS)}II")
"""The numbers of a row; the positions of its texts among all of their column, and that of the types of its numbers."""
_ROW_SIZE = _MEASURED.size + _CODES.size

_MOST_EXACT = 2**53
"""Up to here a float has every whole number."""

_BEGUN = ('"attempts": [', '"chosen": {')
"""What stands in the records of items that have had attempts, or a search."""


def phase_frame(reader: Reader) -> pd.DataFrame:
    """Return ``frames.phase_rows`` as a frame, by item and time; records are read one at a time.

    Args:
        reader: Reads the records.
    """
    tune, stopped = unfinished_rows(_begun(reader))
    table = _Table()
    for row in tune:
        table.add(row)
    table.add_finished(reader)
    for row in stopped:
        table.add(row)
    return table.frame()


class _Table:
    """Rows of phases; of metrics that were computed together, which share a row, the last one counts."""

    def __init__(self) -> None:
        self._rows = bytearray()
        self._positions: dict[int, int] = {}
        """Where the row of metrics that were computed together is, by a hash of what they have alike."""
        self._texts: dict[str, dict[Any, int]] = {name: {} for name in _TEXTS}
        self._code_of = list(self._texts.values())
        self._types: dict[tuple[type, ...], int] = {}
        self._latest: tuple[str, tuple[bytes, int] | None] = "", None
        self._large: dict[int, dict[int, int]] = {}
        """Whole numbers that floats do not hold, by row and column."""

    def add(self, row: Mapping[str, Any], shared: tuple[str, ...] | None = None) -> None:
        """Add a row; what it does not have is NaN, as in pandas.

        Args:
            row: The row.
            shared: What the metrics that were computed together have alike, whose row it replaces.
        """
        numbers, texts = ([row.get(name, math.nan) for name in names] for names in (_NUMBERS, _TEXTS))
        position = self._put(numbers, texts, shared)
        large = {n: number for n, number in enumerate(numbers) if type(number) is int and abs(number) > _MOST_EXACT}
        if large:
            self._large[position] = large

    def add_finished(self, reader: Reader) -> None:
        """Add the rows of all finished phases."""
        usual_phases = UsualPhases()
        added: tuple[UsualPhase | None, str] = None, ""
        for key, text in _finished_texts(reader):
            usual = None if text is None else usual_phases.phase_in(text)
            if usual is not None:
                record_type = key.partition("/")[0]
                if usual.batch and usual is added[0] and record_type == added[1]:
                    continue  # of metrics that were computed together
                if self._add_usual(record_type, usual):
                    added = usual, record_type
                    continue
            phase = None if text is None else phase_in(text)
            if phase is not None:
                record_type = key.partition("/")[0]
                texts = (phase.item, _PHASES[record_type], _DONE, phase.finished, phase.run, phase.worker)
                self._put(phase.costs, texts, (phase.fit_key, record_type, phase.batch) if phase.batch else None)
                continue
            record = reader.get(key)
            row = None if record is None else finished_row(key, record)
            if record is not None and row is not None:
                self.add(row, part_of(key, record) if record.get("batch") else None)

    def _add_usual(self, record_type: str, phase: UsualPhase) -> bool:
        """Add the row of a phase whose text is of the usual form, and return whether its numbers are such."""
        packed = self._packed_costs(phase.costs)
        if packed is None or not is_moment(phase.finished):
            return False
        texts = (phase.item, _PHASES[record_type], _DONE, phase.finished, phase.run, phase.worker)
        self._put_packed(*packed, texts, (phase.fit_key, record_type, phase.batch) if phase.batch else None)
        return True

    def _packed_costs(self, costs: str) -> tuple[bytes, int] | None:
        """Return numbers of a usual phase, packed, and the position of their types; those of metrics of an Eval are alike."""
        if costs != self._latest[0]:
            numbers = numbers_in(costs)
            numbers = (*numbers, *[None] * (len(_NUMBERS) - len(numbers)))
            self._latest = costs, self._packed(numbers) if all(map(is_cost, numbers)) else None
        return self._latest[1]

    def _packed(self, numbers: Sequence[float | None]) -> tuple[bytes, int]:
        """Return numbers, packed, and the position of their types."""
        types = self._types.setdefault(tuple(map(type, numbers)), len(self._types))
        return _MEASURED.pack(*[math.nan if number is None else number for number in numbers]), types

    def _put(self, numbers: Sequence[float | None], texts: Sequence[Any], shared: tuple[str, ...] | None) -> int:
        """Add a row, or replace the one of the same metrics, and return its position."""
        return self._put_packed(*self._packed(numbers), texts, shared)

    def _put_packed(self, measured: bytes, types: int, texts: Sequence[Any], shared: tuple[str, ...] | None) -> int:
        """Do what ``_put`` does with numbers that are packed."""
        last = len(self._rows) // _ROW_SIZE
        position = last if shared is None else self._positions.setdefault(hash(shared), last)
        if self._large:
            self._large.pop(position, None)
        row = measured + _CODES.pack(*map(_code_in, self._code_of, texts), types)
        if position == last:
            self._rows += row
        else:
            self._rows[position * _ROW_SIZE : (position + 1) * _ROW_SIZE] = row
        return position

    def frame(self) -> pd.DataFrame:
        """Return the rows by item and time, in columns of the types that pandas would make of lists."""
        import pandas as pd

        self._positions.clear()
        fields = [(name, "<f8" if name in _NUMBERS else "<u4") for name in (*_NUMBERS, *_TEXTS, "types")]
        rows = np.frombuffer(self._rows, np.dtype(fields))
        order = self._order(rows)
        met = [list(self._types)[code] for code in np.unique(rows["types"])]
        columns: dict[str, Any] = {}
        for name in PHASE_COLUMNS:
            in_order = rows[name][order]
            if name in _TEXTS:
                columns[name] = pd.Series(list(self._texts[name])).take(in_order).array
            else:
                number = _NUMBERS.index(name)
                columns[name] = self._numbers(in_order, order, number, {types[number] for types in met})
        return pd.DataFrame(columns, index=order if len(order) else None, copy=False)

    def _order(self, rows: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
        """Return the positions of the rows by item and time, those without a time behind the others; shape (n,)."""
        ranks = []
        for name in ("finished", "item"):
            texts = list(self._texts[name])
            codes = sorted(range(len(texts)), key=lambda code: (type(texts[code]) is not str, str(texts[code])))
            rank = np.empty(len(texts), np.int64)
            rank[codes] = np.minimum(np.arange(len(texts)), sum(type(text) is str for text in texts))
            ranks.append(rank[rows[name]])
        return np.lexsort(ranks)

    def _numbers(
        self, numbers: npt.NDArray[np.float64], order: npt.NDArray[np.intp], column: int, types: Collection[type]
    ) -> Any:
        """Return a column of numbers as pandas would make it of what was recorded.

        Args:
            numbers: The numbers as floats, NaN where there is none; shape (n,).
            order: The position of each among those that were recorded; shape (n,).
            column: Which column of numbers it is.
            types: The types of what was recorded.
        """
        if types == {type(None)}:
            return [None] * len(numbers)
        if types != {int}:
            return numbers
        whole = numbers.astype(np.int64)
        for position, large in self._large.items():
            if column in large:
                whole[order == position] = large[column]
        return whole


_PHASES = {record_type.value: phase.value for record_type, phase in PHASE_OF.items() if record_type is not None}


_DONE = Status.DONE.value


def _code_in(codes: dict[Any, int], text: Any) -> int:
    """Return the position of a text among those of its column."""
    return codes.setdefault(text, len(codes))


def _finished_texts(reader: Reader) -> Iterator[tuple[str, str | None]]:
    """Yield the keys of the records of phases in the order in which they were written, with their JSON; without it those of old stores."""
    types = [record_type for record_type in PHASE_OF if record_type is not None]
    if reader.version >= SEALED_SINCE:
        yield from reader.sound_texts_of(*types)
    else:
        yield from ((key, None) for key, _ in reader.records_of(*types))


def _begun(reader: Reader) -> dict[str, Record]:
    """Return the records that tell of searches, and of attempts that came to nothing."""
    records: dict[str, Record] = {}
    for key, item in _begun_items(reader):
        if item.get("attempts") or item.get("chosen"):
            fit_key = RecordType.FIT.key(item["fit_key"])
            fit = reader.get(fit_key)
            records |= {key: item} | ({} if fit is None else {fit_key: fit})
    for record_type in (RecordType.SEARCH, RecordType.TRIAL):
        records |= reader.records(record_type.prefix, in_order=True)
    return records


def _begun_items(reader: Reader) -> Iterator[tuple[str, Record]]:
    """Yield key and record of every item that may have had attempts, or a search: most texts say that there was none."""
    prefix = RecordType.ITEM.prefix
    if reader.version < SEALED_SINCE:
        yield from reader.records(prefix, in_order=True)
        return
    for key, text in reader.sound_texts(prefix, in_order=True):
        if any(words in text for words in _BEGUN) and (record := reader.get(key)) is not None:
            yield key, record
