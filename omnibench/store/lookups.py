"""Records that are looked up one at a time while a store is open, so that nobody has to keep those of all items."""

from __future__ import annotations

import json
from collections.abc import Container
from functools import cached_property

from omnibench.store.phase_texts import costs_in, origin_in, uncertainty_in
from omnibench.store.plans import PlannedLabels
from omnibench.store.reader import Reader
from omnibench.store.schema import PHASE_OF, SEARCHED, Record, RecordType
from omnibench.store.stops import settled


class Lookups:
    """Looks records up as of one moment; items are called as in the last plan.

    Args:
        reader: Reads the records.
        sound: The keys of records of whose form the reader has been sure already, so that it need not be looked at again.
    """

    def __init__(self, reader: Reader, sound: Container[str] = ()) -> None:
        self._reader = reader
        self._sound = sound

    @cached_property
    def _plan(self) -> PlannedLabels:
        return PlannedLabels(self._reader.records(RecordType.PLAN.prefix, in_order=True))

    @cached_property
    def _taken(self) -> frozenset[str]:
        return frozenset(self._reader.keys(RecordType.TAKEN.prefix))

    def get(self, key: str) -> Record | None:
        """Return a sound record, or None."""
        record = self._read(key)
        return self._plan.labelled(record) if record is not None and RecordType.ITEM.has(key) else record

    def facts(self, key: str) -> Record | None:
        """Return what facts about items take of a sound record, or None: of most phases their costs, or their uncertainty, and of fits what they are made of.

        These are searched in the texts of the records; see ``phase_texts``.
        """
        record_type = RecordType.of(key)
        if record_type is RecordType.TAKEN and key not in self._taken:  # few have one, and it is asked for of all
            return None
        text = self._reader.sound_text(key) if record_type in PHASE_OF else None
        if text is None:
            return self._read(key)
        if record_type is RecordType.EVAL:
            spread = uncertainty_in(text)
            if spread is None:
                return self._read(key)
            interval = None if spread.low is None or spread.high is None else [spread.low, spread.high]
            return {"stderr": spread.stderr, "interval": interval, "users": spread.users}
        costs = None if f'"{SEARCHED}": "' in text else costs_in(text)
        if costs is None:
            return self._read(key)
        facts = {name: getattr(costs, name) for name in ("seconds", "peak_rss", "start_seconds")}
        if record_type is RecordType.PREDICT:
            return facts
        origin = origin_in(text)
        return self._read(key) if origin is None else {**facts, "version": origin.version, "identity": origin.identity}

    def _read(self, key: str) -> Record | None:
        """Return a sound record as it is, or None."""
        text = self._reader.sound_text(key) if key in self._sound else None
        return self._reader.get(key) if text is None else settled(key, json.loads(text))
