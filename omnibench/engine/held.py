"""The records of an item's phases: those of phases that took a moment are committed with the next ones, in one transaction.

A transaction and the sync of a directory take longer than the whole Fit of a small model. What waiting for the next phase
can cost is bounded: a kill in between has the next run do again at most ``HELD_SECONDS`` of work, in all phases of the item
together. Nobody else is kept from anything meanwhile: until the item's last phase is recorded, it has its lease.

The order stays what it is everywhere: a file is synced and renamed before the directory is synced, and that before the
record is committed, under the lease's token. Whoever records a failure or an interruption records what is held with it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from omnibench.store import CheckpointStore
from omnibench.store.leases import Lease
from omnibench.store.schema import Record

HELD_SECONDS = 0.1
"""Seconds of work whose records may be held, and for which they are held while the next phase goes on."""


class HeldRecords:
    """What an attempt at an item records.

    Args:
        store: The checkpoint store.
        lease: The item's lease.
        most: Seconds of work whose records may be held; 0 for none.
    """

    def __init__(self, store: CheckpointStore, lease: Lease, most: float = HELD_SECONDS) -> None:
        self._store = store
        self._lease = lease
        self._most = most
        self._held: dict[str, Record] = {}
        self._seconds = 0.0
        self._since = 0.0

    def get(self, key: str) -> Record | None:
        """Return a record of the store, or one that is held."""
        return self._held[key] if key in self._held else self._store.records.get(key)

    def add(self, records: Mapping[str, Record], seconds: float) -> None:
        """Record a phase that has ended, at once or with the next one.

        Args:
            records: Its records, by key; their files are published.
            seconds: How long it took.

        Raises:
            StoreError, OSError: They cannot be committed.
        """
        self._seconds += seconds
        if self._seconds > self._most:
            self.commit(records)
            return
        self._since = time.monotonic()
        self._held |= records

    def commit(self, records: Mapping[str, Record], forget: Mapping[str, Record] | None = None) -> None:
        """Commit records, behind those that are held, in one transaction.

        Args:
            records: By key.
            forget: Records that go, by key.

        Raises:
            StoreError, OSError: They cannot be committed; what is held stays so.
        """
        self._store.commit(self._lease, {**self._held, **records}, forget)
        self._held, self._seconds = {}, 0.0

    def settle(self, *, if_late: bool = False) -> None:
        """Commit what is held.

        Args:
            if_late: Only if it is held for longer than ``HELD_SECONDS``.

        Raises:
            StoreError, OSError: It cannot be committed.
        """
        if self._held and not (if_late and time.monotonic() - self._since < self._most):
            self.commit({})
