"""The records of an item whose lease is held: each is read once, for nobody else changes what is read of them meanwhile."""

from __future__ import annotations

import time
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

    Records can be postponed: whoever asks here reads them as if they were committed, everybody else once they are. A transaction
    costs a small item as much as its Fit, and all phases of such an item have room in one.

    Args:
        store: The checkpoint store.
        lease: The item's lease, held for as long as this is used.
    """

    def __init__(self, store: CheckpointStore, lease: Lease) -> None:
        self._store = store
        self._lease = lease
        self._known: dict[str, Record | None] = {}
        self._postponed: dict[str, Record] = {}
        self._postponed_at = 0.0

    def get(self, key: str) -> Record | None:
        """Return a record, or None; see ``Records.get``."""
        if key in self._postponed:
            return dict(self._postponed[key])
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
        unknown = [key for key in all_keys if key not in self._known and key not in self._postponed]
        looked_up = self._store.records.get_all(unknown)
        self._known.update({key: record for key, record in looked_up.items() if _stays(key, record)})
        is_read = {key for key in looked_up if key not in self._known}
        return {key: looked_up[key] if key in is_read else self.get(key) for key in all_keys}

    def commit(self, records: Mapping[str, Record], forget: Mapping[str, Record] | None = None) -> None:
        """Commit records under the lease, durably, and those that were postponed with them; see ``CheckpointStore.commit``."""
        gone = forget or {}
        postponed, self._postponed = self._postponed, {}
        committed = {**{key: record for key, record in postponed.items() if key not in gone}, **records}
        for key in (*committed, *gone):  # before: who asks after a failure reads what has become of it
            self._known.pop(key, None)
        self._store.commit(self._lease, committed, forget)

    def postpone(self, records: Mapping[str, Record]) -> None:
        """Commit records together with those that are committed next.

        Args:
            records: By key; where the process is killed before, what they record has to be computed again.
        """
        if not self._postponed:
            self._postponed_at = time.monotonic()
        self._postponed.update(records)

    @property
    def are_postponed(self) -> bool:
        """Whether there are records that only this object knows of."""
        return bool(self._postponed)

    def commit_postponed(self, seconds: float = 0.0) -> None:
        """Commit what was postponed, if there is any; after an error it is postponed still.

        Args:
            seconds: Only where the first of it was postponed so long ago.
        """
        postponed = self._postponed
        if postponed and time.monotonic() - self._postponed_at >= seconds:
            try:
                self.commit({})
            except BaseException:
                self._postponed = postponed
                raise


def _stays(key: str, record: Record | None) -> bool:
    """Whether a record that the holder of the lease has read, or has not found, is the same until it writes itself."""
    record_type = RecordType.of(key)
    return record_type in _OF_ATTEMPT and (record is not None or record_type not in _OF_OTHERS)
