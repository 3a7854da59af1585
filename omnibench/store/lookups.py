"""Records that are looked up one at a time while a store is open, so that nobody has to keep those of all items."""

from __future__ import annotations

from omnibench.store.phase_texts import costs_in, uncertainty_in
from omnibench.store.plans import PlannedLabels
from omnibench.store.reading import Reader
from omnibench.store.schema import SEARCHED, Record, RecordType


class Lookups:
    """Looks records up as of one moment; items are called as in the last plan.

    Args:
        reader: Reads the records.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._plan = PlannedLabels(reader.records(RecordType.PLAN.prefix, in_order=True))

    def get(self, key: str) -> Record | None:
        """Return a sound record, or None."""
        record = self._reader.get(key)
        return self._plan.labelled(record) if record is not None and RecordType.ITEM.has(key) else record

    def facts(self, key: str) -> Record | None:
        """Return what facts about items take of a sound record, or None: of most phases their costs, or their uncertainty.

        These are searched in the texts of the records; see ``phase_texts``.
        """
        record_type = RecordType.of(key)
        text = self._reader.sound_text(key) if record_type in (RecordType.PREDICT, RecordType.EVAL) else None
        if text is None:
            return self.get(key)
        if record_type is RecordType.EVAL:
            spread = uncertainty_in(text)
            if spread is None:
                return self.get(key)
            interval = None if spread.low is None or spread.high is None else [spread.low, spread.high]
            return {"stderr": spread.stderr, "interval": interval, "users": spread.users}
        costs = None if f'"{SEARCHED}": "' in text else costs_in(text)
        if costs is None:
            return self.get(key)
        return {name: getattr(costs, name) for name in ("seconds", "peak_rss", "start_seconds")}
