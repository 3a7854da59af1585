"""The status and phase of every item, from records, workers and leases together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from omnibench.store.fit_identities import FitIdentity, identity_of
from omnibench.store.leases import is_held
from omnibench.store.schema import (
    SEARCHED,
    ItemState,
    Phase,
    Record,
    RecordType,
    Status,
    finished_phases,
    phase_keys,
    position_of,
    status_of,
)

if TYPE_CHECKING:
    from omnibench.store.checkpoints import CheckpointStore


class RecordSource(Protocol):
    """A source of records that are read one at a time: there may be a million."""

    def records(self, prefix: str = "", /) -> Iterable[tuple[str, Record]]:
        """Return every sound record whose key begins with a prefix."""

    def fits(self) -> Iterable[tuple[str, FitIdentity]]:
        """Return key and identity of the fit of every item; those of trials are left out."""

    def get(self, key: str, /) -> Record | None:
        """Return a sound record, or None."""


class StateSource(RecordSource, Protocol):
    """A source of records that tell how items stand."""

    def phases_of_others(self) -> tuple[Iterable[tuple[str, Record]], set[str]]:
        """Return the sound records of the phases of all items but some that seem to be done, and the fit keys of these."""


class RecordsInMemory:
    """Records that have been read already, to be read again as a ``RecordSource``.

    Args:
        records: By key.
    """

    def __init__(self, records: Mapping[str, Record]) -> None:
        self._records = records

    def records(self, prefix: str = "") -> Iterable[tuple[str, Record]]:
        """Return every record whose key begins with a prefix."""
        record_type, slash, behind = prefix.partition("/")
        keys = self._keys_of.get(record_type, ()) if slash else self._records
        if slash and not behind:
            return ((key, self._records[key]) for key in keys)
        return ((key, self._records[key]) for key in keys if key.startswith(prefix))

    @cached_property
    def _keys_of(self) -> dict[str, list[str]]:
        """The keys by the names of their types: most of a hundred thousand are of items."""
        keys: dict[str, list[str]] = {}
        for key in self._records:
            keys.setdefault(key.partition("/")[0], []).append(key)
        return keys

    def fits(self) -> Iterable[tuple[str, FitIdentity]]:
        """Return key and identity of the fit of every item; those of trials are left out."""
        identities = ((key, identity_of(record)) for key, record in self.records(RecordType.FIT.prefix))
        return ((key, identity) for key, identity in identities if identity is not None)

    def get(self, key: str) -> Record | None:
        """Return a record, or None."""
        return self._records.get(key)

    def phases_of_others(self) -> tuple[Iterable[tuple[str, Record]], set[str]]:
        """Return the records of the phases of all items: nothing has to be read for them."""
        return _phases(self), set()


class Sighting(NamedTuple):
    """The last report of a worker that has not ended.

    Attributes:
        phase: The phase that it reports, or that it waits for a guest.
        alive: Whether its process lives.
    """

    phase: str
    alive: bool


class RecordedState(NamedTuple):
    """An item's record with its status and phase.

    Attributes:
        record: Its own record; one of a finished phase while it has none.
        state: Its status and phase as of now.
    """

    record: Record
    state: ItemState


def is_alive(root: Path, worker: Record) -> bool:
    """Whether the process of a worker is alive: it holds a lock for as long as it lives.

    Args:
        root: The store's directory.
        worker: The worker's record.
    """
    if worker["ended"] is not None:
        return False
    lock = (root / worker["lock"]).resolve()
    return lock.is_relative_to(root.resolve()) and is_held(lock) is not None


def sightings(root: Path, workers: Iterable[Record]) -> dict[str, Sighting]:
    """Return what the workers that have not ended are doing, by the names of their items.

    Args:
        root: The store's directory.
        workers: Records of workers.
    """
    seen: dict[str, Sighting] = {}
    for worker in workers:
        if worker["item"] and worker["phase"] and worker["ended"] is None:
            sighting = Sighting(worker["phase"], is_alive(root, worker))
            seen[worker["item"]] = max(sighting, seen.get(worker["item"], sighting), key=_weight)
    return seen


def _weight(sighting: Sighting) -> tuple[bool, int]:
    """Return the order of sightings of one item: a living worker counts most, then the later phase."""
    return sighting.alive, position_of(sighting.phase)


def phase_left_in(store: CheckpointStore, name: str, item: Record, worker: str, *, is_fitted: bool) -> str:
    """Return the phase in which an attempt of another process has ended without a word, as far as anybody knows.

    Args:
        store: The checkpoint store.
        name: The item's name.
        item: Its record, empty where there is none.
        worker: The identifier of the worker that asks, whose own phase does not count.
        is_fitted: Whether a model is recorded.
    """
    prefix, own = RecordType.WORKER.prefix, RecordType.WORKER.key(worker)
    workers = store.read(lambda reader: [record for key, record in reader.records(prefix) if key != own])
    sighting = sightings(store.root, workers).get(name)
    _, phase = status_of(
        item if item.get("status") == Status.INTERRUPTED else None,
        [Phase.FIT] if is_fitted else [],
        last_seen=sighting and sighting.phase,
    )
    return phase or Phase.FIT.value


def item_states(
    records: StateSource, seen: Mapping[str, Sighting], is_running: Callable[[Record], bool]
) -> Iterator[RecordedState]:
    """Yield the status and phase of every item.

    Args:
        records: All records; those of items are read one at a time.
        seen: The last reports of workers, by item; see ``sightings``.
        is_running: Whether somebody computes the item of a record right now, which its lease tells. Not asked of
            items that are done.
    """
    begun = {search[SEARCHED]: search.get("item") for _, search in records.records(RecordType.SEARCH.prefix)}
    in_fit = {snapshot["fit_key"] for _, snapshot in records.records(RecordType.SNAPSHOT.prefix)}
    phases, seemingly_done = records.phases_of_others()
    keys = phase_keys(phases)

    def recorded_state(item: Record | None, labelled: Record, recorded: Collection[str]) -> RecordedState:
        sighting = seen.get(labelled["item"])
        # Others that share the search of an item have not begun with it.
        own_search = Phase.TUNE.value if begun.get(labelled.get(SEARCHED, "")) == labelled["item"] else None
        own_fit = Phase.FIT.value if labelled["fit_key"] in in_fit else None
        seen_in = [phase for phase in (sighting.phase if sighting else own_search, own_fit) if phase]
        running = labelled.get("status") != Status.DONE and is_running(labelled)
        return RecordedState(
            labelled,
            status_of(
                item,
                finished_phases(item, recorded),
                last_seen=max(seen_in, key=position_of, default=None),
                running=running,
            ),
        )

    done = ItemState(Status.DONE, Phase.DONE.value)
    not_done: dict[str, Record] = {}
    recorded_as_done, begin = Status.DONE.value, len(RecordType.ITEM.prefix)
    for key, record in records.records(RecordType.ITEM.prefix):
        fit_key = key[begin:]
        recorded = keys.pop(fit_key, ())
        if record["status"] == recorded_as_done:  # most are, and nothing else decides about them
            seemingly_done.discard(fit_key)
            yield RecordedState(record, done)
        elif fit_key in seemingly_done:
            not_done[fit_key] = record
        else:
            yield recorded_state(record, record, recorded)
    if seemingly_done:
        all_keys = phase_keys(_phases(records))
        for fit_key, record in not_done.items():
            yield recorded_state(record, record, all_keys.pop(fit_key, ()))
        keys |= {fit_key: all_keys[fit_key] for fit_key in seemingly_done & all_keys.keys()}
    for recorded in keys.values():  # of items whose own record is damaged
        for _, record in records.records(min(recorded)):
            yield recorded_state(None, record, recorded)


def _phases(records: RecordSource) -> Iterator[tuple[str, Record]]:
    return (pair for phase in (RecordType.FIT, RecordType.PREDICT) for pair in records.records(phase.prefix))
