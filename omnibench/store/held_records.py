"""The records of an item whose lease is held: each is read once, for nobody else changes what is read of them meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from omnibench.store.checkpoints import CheckpointStore
from omnibench.store.leases import Lease
from omnibench.store.schema import Record, RecordType

_OF_OTHERS = frozenset({RecordType.ITEM, RecordType.DATA})
"""Types of records that others may add: an item that is pending, and a dataset, which whoever prepares it first records."""

_OF_ATTEMPT = frozenset({RecordType.FIT, RecordType.PREDICT, RecordType.EVAL}) | _OF_OTHERS
"""Types of records of which nobody but the holder of an item's lease changes what is read here, once they are there.

The record of a dataset is changed by others, under a lease of its own: where its files are damaged, and when they are prepared
anew. What an attempt reads of it, its test part, is the same for as long as its key is.
"""


class HeldRecords:
    """The records of an item, as the holder of its lease reads and writes them.

    An attempt asks for the same few records two dozen times. What it writes itself is read again, as it stands in the store.
    Two records are also looked for again as long as they are not there, for they are added without the item's lease: the item's
    own, by another run that begins (as pending, see ``CheckpointStore.register``), and its dataset's, by whoever prepares that.

    Ask the store itself for records of other items, whose leases are somebody else's, and for the files of a dataset.

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
        if key not in self._known:
            record = self._store.records.get(key)
            if not _stays(key, record):
                return record
            self._known[key] = record
        known = self._known[key]
        return None if known is None else dict(known)

    def get_all(self, keys: Iterable[str]) -> dict[str, Record | None]:
        """Return several records by key; see ``get``. Those that are not known yet take one look."""
        all_keys = list(keys)
        looked_up = self._store.records.get_all([key for key in all_keys if key not in self._known])
        self._known.update({key: record for key, record in looked_up.items() if _stays(key, record)})
        return {key: self.get(key) if key in self._known else looked_up[key] for key in all_keys}

    def commit(
        self, records: Mapping[str, Record], forget: Mapping[str, Record] | None = None, *, is_durable: bool = True
    ) -> None:
        """Commit records under the lease; see ``CheckpointStore.commit``."""
        for key in (*records, *(forget or ())):  # before: who asks after a failure reads what has become of it
            self._known.pop(key, None)
        self._store.commit(self._lease, records, forget, is_durable=is_durable)


def _stays(key: str, record: Record | None) -> bool:
    """Whether a record that the holder of the lease has read, or has not found, is the same until it writes itself."""
    record_type = RecordType.of(key)
    return record_type in _OF_ATTEMPT and (record is not None or record_type not in _OF_OTHERS)
