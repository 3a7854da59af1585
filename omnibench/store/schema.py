"""What records are: their keys, the statuses and phases of items, the columns that every phase has.

Everybody who reads or writes records takes these words from here. Nothing is imported that costs: every pytest session
of an environment loads this module.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, NotRequired, TypedDict

Record = dict[str, Any]
"""A record as JSON keeps it; what stands in it depends on its ``RecordType``."""

RecordLookup = Callable[[str], Record | None]
"""From a record's key to the record, or None: a snapshot's ``get`` or the store's."""


class Artifact(TypedDict):
    """What a record keeps of a file: where, what must be in it, and how the file system knew it then."""

    path: str
    size: int
    sha256: str
    stat: NotRequired[list[int]]


class RecordType(StrEnum):
    """The types of records; a record's key is its type, a slash, and what it is about."""

    ITEM = "item"
    """How far an item is, with its metrics; by the item's fit key."""
    FIT = "fit"
    """A fitted model; by its fit key."""
    PREDICT = "predict"
    """Predictions of a model; by their predict key."""
    EVAL = "eval"
    """One metric of predictions; by its eval key."""
    DATA = "data"
    """A prepared dataset; by the dataset's key."""
    RECIPE = "recipe"
    """What a dataset that is not prepared yet is made of; by the dataset's key."""
    RUN = "run"
    """A run that had something to compute; by its id."""
    WORKER = "worker"
    """A process that computes, or has computed; by its id."""
    MARKS = "marks"
    """What the tests of a table's column have said; by a digest of the column."""
    OLD = "old"
    """A record of a generation that was reset; by the generation and the key that it had."""

    @property
    def prefix(self) -> str:
        """What the keys of these records begin with, e.g. ``fit/``."""
        return f"{self.value}/"

    def key(self, identity: str) -> str:
        """Return the key of the record about something."""
        return f"{self.value}/{identity}"

    def has(self, key: str) -> bool:
        """Whether a key is of this type."""
        return key.startswith(self.prefix)

    def identity(self, key: str) -> str:
        """Return what the record of a key of this type is about."""
        return key.removeprefix(self.prefix)

    @staticmethod
    def of(key: str) -> RecordType | None:
        """Return the type of a key, or None when omnibench has no such type."""
        return _TYPES.get(key.partition("/")[0])


_TYPES = {record_type.value: record_type for record_type in RecordType}


def old_key(generation: int, key: str) -> str:
    """Return the key under which a record goes on when its item is reset."""
    return RecordType.OLD.key(f"{generation}/{key}")


class Status(StrEnum):
    """How an item stands."""

    DONE = "done"
    """Its metrics are recorded."""
    FAILED = "failed"
    """Its last attempt failed."""
    INTERRUPTED = "interrupted"
    """It was begun and given up: a signal, a kill, a full disk."""
    RUNNING = "running"
    """Somebody computes it right now. Never recorded: that is what leases are for."""
    PENDING = "pending"
    """It was planned and not begun."""


class Phase(StrEnum):
    """The phases of an item, in their order."""

    PREPARE = "Prepare"
    """Make the dataset's arrays, once for all of its items."""
    FIT = "Fit"
    """Train a model."""
    PREDICT = "Predict"
    """Recommend, or predict ratings, with the model."""
    EVAL = "Eval"
    """Compute the metrics of the predictions."""
    DONE = "Done"
    """Nothing is left to do."""


COMPUTED = (Phase.FIT, Phase.PREDICT, Phase.EVAL)
"""The phases that an item goes through, each with a record of its own."""

PHASE_OF = {RecordType.FIT: Phase.FIT, RecordType.PREDICT: Phase.PREDICT, RecordType.EVAL: Phase.EVAL}
"""The phase that a type of record tells of."""

COSTS = ("seconds", "cpu_seconds", "peak_rss", "gpu_peak", "python_peak")
"""What a phase has cost: wall and CPU seconds, and peaks of memory in bytes; None where a peak was not measured."""

VERIFY = ("full", "stat", "off")
"""How closely files are looked at before they are used again; see ``artifacts.is_intact``."""

RESETS = ("all", "failed", "incomplete", Phase.FIT.value, Phase.PREDICT.value, Phase.EVAL.value)
"""What can be reset: items whatever their state, those that failed, those that are not done; or from a phase on."""


class ItemState(NamedTuple):
    """How an item stands.

    Attributes:
        status: Its status.
        phase: The phase that it is in, was stopped in, or failed in; ``Done`` when done, None when it was never begun.
    """

    status: Status
    phase: str | None


def status_of(
    item: Mapping[str, Any] | None, finished: Collection[str], *, died_in: str | None = None, running: bool = False
) -> ItemState:
    """Return how an item stands: the only answer that there is, whoever asks.

    Args:
        item: The item's own record, or None while it has none.
        finished: The phases of it that are recorded, of Fit and Predict.
        died_in: The phase in which the last process that computed it was when it died without a word.
        running: Whether somebody holds the item's lease.
    """
    recorded = Status(item["status"]) if item is not None else Status.PENDING
    if recorded is Status.DONE:
        return ItemState(Status.DONE, Phase.DONE)
    if running:
        return ItemState(Status.RUNNING, died_in or next_phase(finished))
    if recorded in (Status.FAILED, Status.INTERRUPTED) and item is not None:
        return ItemState(recorded, item["phase"])
    if finished or died_in:
        return ItemState(Status.INTERRUPTED, died_in or next_phase(finished))
    return ItemState(Status.PENDING, None)


def next_phase(finished: Collection[str]) -> Phase:
    """Return the first phase that is not among those that are finished."""
    return next((phase for phase in COMPUTED if phase not in finished), Phase.DONE)


def finished_phases(records: Mapping[str, Any]) -> dict[str, set[Phase]]:
    """Return the phases, of Fit and Predict, that records tell of, by fit key.

    Args:
        records: Records by key.
    """
    phases: dict[str, set[Phase]] = {}
    for key, record in records.items():
        record_type = RecordType.of(key)
        if record_type in (RecordType.FIT, RecordType.PREDICT):
            phases.setdefault(record["fit_key"], set()).add(PHASE_OF[record_type])
    return phases


def artifacts_of(record: Record) -> list[Artifact]:
    """Return the files that a record names."""
    named = [record[role] for role in ("model", "predictions", "per_user") if record.get(role)]
    return [*named, *record.get("files", [])]


def timestamp() -> str:
    """Return the time as records keep it: UTC, ISO 8601, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
