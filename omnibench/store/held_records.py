"""The records of an item whose lease is held: each is read once, for nobody else changes them meanwhile."""

from __future__ import annotations

from collections.abc import Mapping

from omnibench.store.checkpoints import CheckpointStore
from omnibench.store.leases import Lease
from omnibench.store.schema import Record, RecordType

_OF_ITEM = frozenset({RecordType.ITEM, RecordType.FIT, RecordType.PREDICT, RecordType.EVAL})
"""Types of records that only the holder of an item's lease changes."""


class HeldRecords:
    """The records of an item, as the holder of its lease reads and writes them.

    An attempt asks for the same few records two dozen times. What it writes itself is read again: as it stands in the store.
    So is an item's own record that is not there: another run that begins adds it without the lease, as pending
    (``CheckpointStore.register``). Ask the store for records of other items: their leases are somebody else's.

    Args:
        store: The checkpoint store.
        lease: The item's lease, held for as long as this is used.
    """

    def __init__(self, store: CheckpointStore, lease: Lease) -> None:
        self._store = store
        self._lease = lease
        self._known: dict[str, Record | None] = {}

    def get(self, key: str) -> Record | None:
        """Return a record, or None; see ``Records.get``."""
        if RecordType.of(key) not in _OF_ITEM:  # a dataset's: whoever prepares it first records it
            return self._store.records.get(key)
        if key not in self._known:
            record = self._store.records.get(key)
            if record is None and RecordType.ITEM.has(key):
                return None
            self._known[key] = record
        known = self._known[key]
        return None if known is None else dict(known)

    def commit(self, records: Mapping[str, Record], forget: Mapping[str, Record] | None = None) -> None:
        """Commit records under the lease, durably; see ``CheckpointStore.commit``."""
        for key in (*records, *(forget or ())):  # before: who asks after a failure reads what has become of it
            self._known.pop(key, None)
        self._store.commit(self._lease, records, forget)
