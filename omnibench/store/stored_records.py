"""The records of a store as a mapping that keeps none of them in memory: a hundred thousand items have half a million."""

from __future__ import annotations

from collections.abc import Collection, Container, ItemsView, Iterator, Mapping

from omnibench.store.fit_identities import FitIdentity
from omnibench.store.reader import Reader
from omnibench.store.schema import Record, RecordType


class RecordsInOrder:
    """Records that are read one at a time as a ``RecordSource``, in the order in which they were written.

    Args:
        reader: Reads them.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def records(self, prefix: str = "") -> Iterator[tuple[str, Record]]:
        """Yield every sound record whose key begins with a prefix."""
        return self._reader.records(prefix, in_order=True)

    def fits(self) -> Iterator[tuple[str, FitIdentity]]:
        """Yield key and identity of the fit of every item; most records are not parsed for it."""
        return self._reader.fits()

    def get(self, key: str) -> Record | None:
        """Return a sound record, or None."""
        return self._reader.get(key)


class StoredRecords(Mapping[str, Record]):
    """The sound records as of one moment by key, each read when it is asked for, in the order in which they were written.

    Whoever goes over all of them should do so by ``items``, and keep what is wanted of each: every round reads all of them again, and
    the reader tells again of each damaged one that it meets.

    Args:
        reader: Reads them; they can be asked for as long as its connection is open.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __getitem__(self, key: str) -> Record:
        record = self._reader.get(key)
        if record is None:
            raise KeyError(key)
        return record

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self._reader.records())

    def __len__(self) -> int:
        return sum(1 for _ in self._reader.records())

    def items(self) -> ItemsView[str, Record]:
        """Return keys and records, read in one pass instead of one by one."""
        return _Pairs(self)

    def present(self, keys: Collection[str]) -> set[str]:
        """Return those of some keys that have a record, which is not read, so that it may be damaged."""
        return self._reader.present(list(keys))

    def pairs(self, record_type: RecordType | None = None) -> Iterator[tuple[str, Record]]:
        """Yield every key with its record, or those of a type, without reading others."""
        return self._reader.records(record_type.prefix if record_type else "", in_order=True)


class Without(Mapping[str, Record]):
    """Records without some of them, which are not copied.

    Args:
        records: The records, by key.
        left_out: The keys of those that are left out, which may become more.
    """

    def __init__(self, records: Mapping[str, Record], left_out: Container[str]) -> None:
        self._records = records
        self._left_out = left_out

    def __getitem__(self, key: str) -> Record:
        if key in self._left_out:
            raise KeyError(key)
        return self._records[key]

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self.pairs())

    def __len__(self) -> int:
        return sum(1 for _ in self.pairs())

    def items(self) -> ItemsView[str, Record]:
        """Return keys and records, read in one pass instead of one by one."""
        return _Pairs(self)

    def pairs(self, record_type: RecordType | None = None) -> Iterator[tuple[str, Record]]:
        """Yield every key with its record, or those of a type."""
        pairs = self._records.items() if record_type is None else of_type(self._records, record_type)
        return ((key, record) for key, record in pairs if key not in self._left_out)


def of_type(records: Mapping[str, Record], record_type: RecordType) -> Iterator[tuple[str, Record]]:
    """Yield keys and records of a type, in the order in which they were written; of ``StoredRecords`` without reading others.

    Args:
        records: The records, by key.
        record_type: The type.
    """
    if isinstance(records, StoredRecords | Without):
        return records.pairs(record_type)
    return ((key, record) for key, record in records.items() if record_type.has(key))


def present_in(records: Mapping[str, Record], keys: Collection[str]) -> set[str]:
    """Return those of some keys that have a record; of ``StoredRecords`` none is read, so that it may be damaged.

    Args:
        records: The records, by key.
        keys: The keys.
    """
    return records.present(keys) if isinstance(records, StoredRecords) else {key for key in keys if key in records}


class _Pairs(ItemsView[str, Record]):
    """The keys and records of a mapping that reads them in one pass."""

    def __init__(self, records: StoredRecords | Without) -> None:
        super().__init__(records)
        self._records = records

    def __iter__(self) -> Iterator[tuple[str, Record]]:
        return self._records.pairs()
