"""The records of an item whose lease is held: each is read once, for nobody else changes what is read of them meanwhile."""

from __future__ import annotations

import time
from collections.abc import Mapping

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


HELD_SECONDS = 0.1
"""How long the phases of an item may have taken together whose records wait for the next commit: no more than that is ever
computed again after a kill, beside the phase in flight. A commit of its own costs a small item more than the phase."""

_LONGEST_HELD = 1.0
"""Seconds after which ``HeldRecords.look`` commits what waits, so that others see it while the next phase lasts."""


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
        self._waiting: dict[str, Record] = {}
        self._held_seconds, self._held_since = 0.0, 0.0

    def get(self, key: str) -> Record | None:
        """Return a record, or None; see ``Records.get``. One that waits for the next commit is there."""
        if key in self._waiting:
            return dict(self._waiting[key])
        if key not in self._known:
            record = self._store.records.get(key)
            record_type = RecordType.of(key)
            if record_type not in _OF_ATTEMPT or (record is None and record_type in _OF_OTHERS):
                return record
            self._known[key] = record
        known = self._known[key]
        return None if known is None else dict(known)

    def commit(self, records: Mapping[str, Record], forget: Mapping[str, Record] | None = None) -> None:
        """Commit records under the lease, durably, with those that wait for it; see ``CheckpointStore.commit``."""
        forgotten = forget or {}
        all_records = {**{key: record for key, record in self._waiting.items() if key not in forgotten}, **records}
        for key in (*all_records, *forgotten):  # before: who asks after a failure reads what has become of it
            self._known.pop(key, None)
        self._store.commit(self._lease, all_records, forget)
        self._waiting, self._held_seconds = {}, 0.0

    def hold(self, records: Mapping[str, Record], seconds: float | None) -> None:
        """Have the records of a phase wait for the next commit, unless what waits has taken longer than ``HELD_SECONDS``.

        Their files are published; a kill before that commit leaves them as one before a commit of these records would.

        Args:
            records: By key; nobody else reads them meanwhile.
            seconds: How long the phase has taken; None where it is not to wait.
        """
        if seconds is None or not self._held_seconds + seconds < HELD_SECONDS:
            self.commit(records)
            return
        if not self._waiting:
            self._held_since = time.monotonic()
        self._held_seconds += seconds
        self._waiting.update(records)

    def look(self) -> None:
        """Commit what has waited for a second: the phase that is computed meanwhile takes longer than one may hold it."""
        if self._waiting and time.monotonic() - self._held_since > _LONGEST_HELD:
            self.commit({})
