"""Which records of a store are of no use any more, and what the others name; ``gc`` removes the former, with their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from omnibench.store import searches
from omnibench.store.deletion import unused_datasets
from omnibench.store.history import outdated_records
from omnibench.store.reader import Reader
from omnibench.store.schema import Record, RecordType, Status, artifacts_of, current_key
from omnibench.store.snapshot_files import directory_outside, folder_of
from omnibench.store.states import item_states, sightings
from omnibench.store.stored_records import StoredRecords, Without, of_type
from omnibench.store.trials import open_trials


@dataclass(frozen=True)
class Named:
    """What the records name that stay.

    Attributes:
        files: Paths of files, relative to the store's directory.
        directories: Those of items and datasets, likewise.
        homes: Those of datasets, likewise.
        folders: Those of snapshots.
        runs: Ids of runs.
    """

    files: set[str] = field(default_factory=set)
    directories: set[str] = field(default_factory=set)
    homes: set[str] = field(default_factory=set)
    folders: set[Path] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)

    def add(self, key: str, record: Record, root: Path) -> None:
        """Add what a record names."""
        self.files.update(artifact["path"] for artifact in artifacts_of(record))
        if record.get("directory"):
            self.directories.add(str(record["directory"]))
        if RecordType.DATA.has(key):
            self.homes.add(record["directory"])
        elif RecordType.SNAPSHOT.has(current_key(key)):
            self.folders.add(folder_of(record, root))
        elif RecordType.RUN.has(key):
            self.runs.add(RecordType.RUN.identity(key))


@dataclass(frozen=True)
class Unneeded:
    """What of the records goes, and what is named by the others.

    Attributes:
        removed: The records that go, by key.
        stays: What the others name.
        outside: The directories of the user's in which snapshots lie, or have been written.
    """

    removed: dict[str, Record]
    stays: Named
    outside: list[Path]


def unneeded_records(
    root: Path,
    reader: Reader,
    *,
    kept: bool,
    planned: bool,
    datasets: bool,
    snapshots: bool,
    history_older_than: float | None,
) -> Unneeded:
    """Return which records are of no use any more; all are read one at a time, see ``collect``."""
    recorded, removed = StoredRecords(reader), dict[str, Record]()
    remaining = Without(recorded, removed)
    if planned:
        removed |= _never_begun(root, reader)
    removed |= of_type(recorded, RecordType.MARKS)  # the next table finds the marks out again
    removed |= ((key, record) for key, record in of_type(recorded, RecordType.OLD) if kept or not record["kept"])
    if snapshots:
        removed |= _of_ended_fits(recorded)
    removed |= searches.unused(remaining)
    if datasets:
        removed |= unused_datasets(remaining, lambda _: False)
    if history_older_than is not None:
        removed |= outdated_records(remaining, history_older_than)
    stays = Named()
    for key, record in remaining.items():
        stays.add(key, record, root)
    return Unneeded(removed, stays, _directories_outside(recorded))


def _never_begun(root: Path, reader: Reader) -> dict[str, Record]:
    """Return the records of items that were planned, and of which nothing was ever computed or tried."""
    workers = (record for _, record in reader.records(RecordType.WORKER.prefix))
    return {
        RecordType.ITEM.key(record["fit_key"]): record
        for record, state in item_states(reader, sightings(root, workers), lambda _: False)
        if state.status is Status.PENDING and not record["generation"]
    }


def _directories_outside(records: Mapping[str, Record]) -> list[Path]:
    """Return the directories of the user's in which snapshots lie, or have been written."""
    pairs = (pair for record_type in (RecordType.SNAPSHOT, RecordType.OLD) for pair in of_type(records, record_type))
    of_snapshots = (record for key, record in pairs if RecordType.SNAPSHOT.has(current_key(key)))
    return sorted({directory for record in of_snapshots if (directory := directory_outside(record)) is not None})


def _of_ended_fits(records: Mapping[str, Record]) -> dict[str, Record]:
    """Return the records of snapshots whose Fit has ended: they have stayed because somebody wanted them to.

    Of a trial there may be no record of the Fit: it was not the best.
    """
    trials = [record for _, record in of_type(records, RecordType.TRIAL)]
    tried, still_open = ({trial["fit_key"] for trial in group} for group in (trials, open_trials(trials)))

    def has_ended(fit_key: str) -> bool:
        is_item = RecordType.ITEM.key(fit_key) in records
        return RecordType.FIT.key(fit_key) in records or (fit_key in tried - still_open and not is_item)

    return {key: record for key, record in of_type(records, RecordType.SNAPSHOT) if has_ended(record["fit_key"])}
