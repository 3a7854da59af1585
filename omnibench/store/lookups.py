"""Records that are looked up one at a time while a store is open, so that nobody has to keep those of all items."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from omnibench.store.phase_facts import PhaseFacts, Uncertainty, or_none
from omnibench.store.phase_texts import costs_in, origin_in, uncertainty_in
from omnibench.store.plans import PlannedLabels
from omnibench.store.reader import Reader
from omnibench.store.schema import PHASE_OF, SEARCHED, Record, RecordType


class Lookups:
    """Looks records up as of one moment; items are called as in the last plan.

    Args:
        reader: Reads the records.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._types_to_read: tuple[RecordType, ...] = ()

    def read_phases(self, *record_types: RecordType) -> None:
        """Have what ``facts`` returns of all phases read in one pass, when it is asked for first: for whoever asks for many.

        Args:
            record_types: The types of their records.
        """
        self._types_to_read = record_types

    @cached_property
    def _phases(self) -> PhaseFacts | None:
        return PhaseFacts(self._reader, *self._types_to_read) if self._types_to_read else None

    @cached_property
    def _plan(self) -> PlannedLabels:
        return PlannedLabels(self._reader.records(RecordType.PLAN.prefix, in_order=True))

    @property
    def phases(self) -> PhaseFacts | None:
        """The numbers of all phases, where somebody has asked for many; see ``read_phases``."""
        return self._phases if self._types_to_read else None

    def is_taken(self, fit_key: str) -> bool:
        """Whether something of an item was taken over from another store."""
        return bool(self._taken_keys) and RecordType.TAKEN.key(fit_key) in self._taken_keys

    @cached_property
    def _taken_keys(self) -> frozenset[str]:
        return frozenset(self._reader.keys(RecordType.TAKEN.prefix))

    def get(self, key: str) -> Record | None:
        """Return a sound record, or None."""
        record = self._reader.get(key)
        return self._plan.labelled(record) if record is not None and RecordType.ITEM.has(key) else record

    def facts(self, key: str) -> Record | None:
        """Return what facts about items take of a sound record, or None: of most phases their costs, or their uncertainty, and of fits the version.

        These are searched in the texts of the records; see ``phase_texts``. What an item is made of is in its own record, or in
        the fit's, which is whole where the item's lacks it.
        """
        record_type = RecordType.of(key)
        if record_type in self._types_to_read and self._phases and (numbers := self._phases.facts(key)) is not None:
            return numbers
        if record_type is RecordType.TAKEN and key not in self._taken_keys:  # few have one, and it is asked for of all
            return None
        text = self._reader.sound_text(key) if record_type in PHASE_OF else None
        if text is None:
            return self._reader.get(key)
        if record_type is RecordType.EVAL:
            spread = uncertainty_in(text)
            if spread is None:
                return self._reader.get(key)
            interval = None if spread.low is None or spread.high is None else [spread.low, spread.high]
            return {"stderr": spread.stderr, "interval": interval, "users": spread.users}
        costs = None if f'"{SEARCHED}": "' in text else costs_in(text)
        if costs is None:
            return self._reader.get(key)
        facts = {name: getattr(costs, name) for name in ("seconds", "peak_rss", "start_seconds")}
        if record_type is RecordType.PREDICT:
            return facts
        origin = origin_in(text)
        return (
            self._reader.get(key)
            if origin is None
            else {**facts, "version": origin.version, "identity": origin.identity}
        )

    def uncertainty(self, key: str) -> Uncertainty:
        """Return the uncertainty that an evaluation says; nothing where there is no sound record of it."""
        kept = self._phases.uncertainty(key) if self._phases else None
        return uncertainty_of(self.facts(key) or {}) if kept is None else kept

    def uncertainties(self, keys: Sequence[str]) -> list[list[float | None]]:
        """Return the standard errors and both ends of the intervals that evaluations say, each in a list, by their own keys."""
        spreads = self._phases.columns(RecordType.EVAL, keys) if self._phases else None
        if spreads is not None:
            return [or_none(numbers) for numbers in (spreads.first, spreads.second, spreads.third)]
        of_keys = [self.uncertainty(RecordType.EVAL.key(key)) for key in keys]
        return [[spread[number] for spread in of_keys] for number in range(3)]


def uncertainty_of(evaluation: Record) -> Uncertainty:
    """Return the uncertainty that the record of an evaluation says, or what ``Lookups.facts`` returns of it."""
    low, high = evaluation.get("interval") or (None, None)  # store formats 1 and 2 have no interval
    users = evaluation.get("counted", evaluation.get("users"))  # earlier formats do not say who counts
    return Uncertainty(evaluation.get("stderr"), low, high, users)
