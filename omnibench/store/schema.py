"""The schema of records: their types and keys, statuses and phases of items, the columns that every phase has.

Everybody who reads or writes records takes these words from here. Nothing is imported that costs: every pytest session
of an environment loads this module.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple, NotRequired, TypedDict

Record = dict[str, Any]
"""A record as JSON keeps it; what stands in it depends on its ``RecordType``."""

RecordLookup = Callable[[str], Record | None]
"""From a record's key to the record, or None: a snapshot's ``get`` or the store's."""


class Artifact(TypedDict):
    """A file as its record describes it: path, size and digest, and the file system's data about it."""

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
    SEARCH = "search"
    """A search for the best configuration of an algorithm on a fold: its space, its budget; by its search key."""
    TRIAL = "trial"
    """A configuration that a search has judged on the validation part; by the search key and its number."""
    SCORE = "score"
    """The value of a metric on the validation part, for whoever else needs it; by its score key."""
    SNAPSHOT = "snapshot"
    """The state of a Fit that was running; by the fit key and the snapshot's name."""
    SERIES = "series"
    """The losses and validation values of a Fit, by epoch; by its fit key."""
    RUN = "run"
    """A run that had something to compute; by its id."""
    WORKER = "worker"
    """A process that computes, or has computed; by its id."""
    PLAN = "plan"
    """The items that a bench function or a script declares; by its node id or path."""
    MARKS = "marks"
    """What the tests of a table's column have said; by a digest of the column."""
    TAKEN = "taken"
    """Which numbers of an item were taken over from another store, from which and when; by the item's fit key."""
    OLD = "old"
    """A record of a generation that was reset; by the generation and the key that it had."""

    def __init__(self, name: str) -> None:
        self.prefix = f"{name}/"  # made once: it is asked for of every key
        """The beginning of the keys of these records, e.g. ``fit/``."""

    def key(self, identity: str) -> str:
        """Return the key of the record with an identity."""
        return f"{self.prefix}{identity}"

    def has(self, key: str) -> bool:
        """Whether a key is of this type."""
        return key.startswith(self.prefix)

    def identity(self, key: str) -> str:
        """Return the identity in a key of this type."""
        return key.removeprefix(self.prefix)

    @property
    def bounds(self) -> tuple[str, str]:
        """The first key that these records can have, and the first behind them: a range of the table's index."""
        return self.prefix, f"{self.value}0"  # "0" follows "/"

    @staticmethod
    def of(key: str) -> RecordType | None:
        """Return the type of a key, or None when omnibench has no such type."""
        return _TYPES.get(key.partition("/")[0])


_TYPES = {record_type.value: record_type for record_type in RecordType}


def old_key(generation: int, key: str) -> str:
    """Return the key under which a record is kept after its item was reset."""
    return RecordType.OLD.key(f"{generation}/{key}")


def current_key(key: str) -> str:
    """Return the key that a record had before its item was reset; a key of no earlier generation as it is."""
    return RecordType.OLD.identity(key).partition("/")[2] if RecordType.OLD.has(key) else key


class Status(StrEnum):
    """The status of an item."""

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


class TrialStatus(StrEnum):
    """The status of a trial of a search."""

    PROPOSED = "proposed"
    """Its hyperparameters are set; nobody has its value yet."""
    DONE = "done"
    """It has a value."""
    FAILED = "failed"
    """It came to nothing; the search goes on without it."""
    PRUNED = "pruned"
    """It was stopped before its last epoch, because it promised too little."""


class Phase(StrEnum):
    """The phases of an item, in their order."""

    PREPARE = "Prepare"
    """Make the dataset's arrays, once for all of its items."""
    TUNE = "Tune"
    """Search for the hyperparameters that are best on the validation part; of tuned items only."""
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

WORKED = (Phase.PREPARE, Phase.TUNE, *COMPUTED)
"""The phases that somebody can be in, in their order."""

PHASE_OF: dict[RecordType | None, Phase] = {
    RecordType.FIT: Phase.FIT,
    RecordType.PREDICT: Phase.PREDICT,
    RecordType.EVAL: Phase.EVAL,
}
"""The phase whose result a type of record describes."""

COSTS = ("seconds", "cpu_seconds", "peak_rss", "gpu_peak", "python_peak")
"""What a phase has cost: wall and CPU seconds, and peaks of memory in bytes; None where a peak was not measured."""

GUEST_MEMBERS = ("start_seconds", "threads")
"""What a phase's record says of the process that computed it: the wall seconds that the phase waited for it to start,
which are no part of the phase's own seconds (0 when it ran already), and the number of its threads."""

START = "Start"
"""The name, beside those of phases, of the time that an item waited for its framework's process to start."""

MAX_ATTEMPTS = 3
"""An item whose process has died this often in a row is not tried again, unless the user says otherwise."""

EXPORTED_PREDICTIONS = ("predictions.json", "predictions.parquet", "ratings.json", "ratings.parquet")
"""The names of the readable copies of predictions in an item's directory; no record names them."""

VERIFY = ("full", "stat", "off")
"""How closely files are looked at before they are used again; see ``artifacts.is_intact``."""

RESETS = ("all", "failed", "incomplete", *(phase.value for phase in (Phase.TUNE, *COMPUTED)))
"""What can be reset: items whatever their state, those that failed, those that are not done; or from a phase on."""


SHARED = ("no", "yes", "models")
"""Whether a store is a group's: no, yes, or yes and the models of its other members are loaded, which runs what is in them."""

KEEP_MODELS = ("auto", "all", "best", "none")
"""Which models of done items are kept: what is worth its space, all, the best of each dataset and algorithm, or none."""

WORKER_COLUMNS = ("id", "run", "pid", "host", "started", "heartbeat", "item", "phase", "completed", "ended")
"""The members of a worker's record that people get to see."""


class ItemState(NamedTuple):
    """The status and the phase of an item.

    Attributes:
        status: Its status.
        phase: The phase that it is in, was stopped in, or failed in; ``Done`` when done, None when it was never begun.
    """

    status: Status
    phase: str | None


def status_of(
    item: Mapping[str, Any] | None, finished: Collection[Phase], *, last_seen: str | None = None, running: bool = False
) -> ItemState:
    """Return the status and phase of an item; nothing else decides them.

    Args:
        item: The item's own record, or None while it has none.
        finished: Those of Fit and Predict that need not be gone through again; see ``finished_phases``.
        last_seen: The phase in which a worker is that computes it, or was when it died without a word.
        running: Whether somebody computes it right now.
    """
    recorded = Status(item["status"]) if item is not None else Status.PENDING
    if recorded is Status.DONE:
        return ItemState(Status.DONE, Phase.DONE.value)
    if running:
        return ItemState(Status.RUNNING, _furthest(finished, last_seen))
    if recorded is Status.FAILED and item is not None:
        return ItemState(Status.FAILED, item.get("phase"))
    if recorded is Status.INTERRUPTED and item is not None:
        return ItemState(Status.INTERRUPTED, _furthest(finished, item.get("phase"), last_seen))
    if finished or last_seen:
        return ItemState(Status.INTERRUPTED, _furthest(finished, last_seen))
    return ItemState(Status.PENDING, None)


def finished_phases(item: Mapping[str, Any] | None, keys: Collection[str]) -> list[Phase]:
    """Return those of Fit and Predict that are finished, for the predictions that the item is about.

    Args:
        item: The item's own record, or None while it has none.
        keys: The keys of its records; see ``phase_keys``.
    """
    phases = []
    if any(RecordType.FIT.has(key) for key in keys):
        phases.append(Phase.FIT)
    predict_key = item and item.get("predict_key")  # lists of another length are other predictions
    if RecordType.PREDICT.key(predict_key) in keys if predict_key else any(RecordType.PREDICT.has(key) for key in keys):
        phases.append(Phase.PREDICT)
    return phases


def _furthest(finished: Collection[Phase], *seen: str | None) -> str:
    """Return the phase after all finished ones, or a later one that a worker was seen in."""
    positions = [position_of(phase) for phase in seen if phase]
    positions += [WORKED.index(phase) + 1 for phase in finished]
    return WORKED[max(positions, default=WORKED.index(Phase.FIT))].value


def position_of(phase: str) -> int:
    """Return the position among ``WORKED`` of what a worker says that it is in.

    One that waits for a guest to start says so instead of a phase: that is taken for the beginning of Tune where it waits
    for that, else of Fit.
    """
    if phase in WORKED:
        return WORKED.index(Phase(phase))
    return WORKED.index(Phase.TUNE if phase.endswith(FOR_TUNE) else Phase.FIT)


FOR_TUNE = f" for {Phase.TUNE.value}"
"""The end of what a worker says that waits for a guest of a search."""


def phase_keys(records: Iterable[tuple[str, Record]]) -> dict[str, set[str]]:
    """Return the keys of all fit and predict records, by the fit key of their item.

    Fits and predictions without their files are left out, and the fits of trials, which belong to no item.

    Args:
        records: Keys and records; those of other types are passed over.
    """
    keys: dict[str, set[str]] = {}
    for key, record in records:
        is_fitted = RecordType.FIT.has(key) and not record.get(DROPPED) and not record.get(SEARCHED)
        if is_fitted or (RecordType.PREDICT.has(key) and not record.get(DROPPED)):
            keys.setdefault(record["fit_key"], set()).add(key)
    return keys


UNSUPPLIED = "unsupplied"
"""Of a snapshot that lacks parts which its class does not make anew, so that no Fit can go on from it: true, else absent."""

PASSED_OVER = "passed_over"
"""The member of a snapshot's record that says when an older one was chosen in its place."""


DROPPED = "dropped"
"""The member that says since when the files of a record are not there, while the rest of it holds: of a fit whose model was
removed to save space, and of what was taken over without its file."""


GROUPS = "groups"
"""The member of a done item that says which groups its metrics were computed for, where they are divided into groups."""


SEARCHED = "search"
"""The member that holds a search's key: in the search's trials, in the items whose configuration it chooses, and in the
record of a fit that a trial has made and that belongs to no item."""


def trial_identity(search: str, number: int) -> str:
    """Return what the key of a trial consists of behind its type; these sort as the numbers do."""
    return f"{search}/{number:06d}"


def snapshot_identity(fit_key: str, name: str) -> str:
    """Return what the key of a snapshot consists of behind its type."""
    return f"{fit_key}/{name}"


def artifacts_of(record: Record) -> list[Artifact]:
    """Return the files that a record names; a model that was dropped is none."""
    roles = ("per_user",) if record.get(DROPPED) else ("model", "predictions", "per_user")
    phase_files = [record[role] for role in roles if record.get(role)]
    return [*phase_files, *record.get("files", [])]


def configuration_in(record: Record) -> dict[str, Any]:
    """Return the fields that the key of an item's configuration is made of; empty where they are not recorded.

    Args:
        record: The record of an item or a fit; store format 1 has its identity in some of them only.
    """
    return dict(configuration_members(record))


def configuration_members(record: Record) -> Mapping[str, Any]:
    """Return what ``configuration_in`` does, not copied: of each of many records, that would take longer than to look."""
    identity = record.get("identity")
    members: Mapping[str, Any] = identity[1]["configuration"][1] if identity else {}
    return members


def timestamp() -> str:
    """Return the time as records keep it: UTC, ISO 8601, to the second."""
    return f"{utc_second(int(time.time()))}Z"


@lru_cache(maxsize=4)
def utc_second(moment: int) -> str:
    """Return a time in UTC, ISO 8601, to the second; a small item asks a dozen times.

    Args:
        moment: Seconds since 1970.
    """
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
