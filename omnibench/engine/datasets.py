"""Prepared datasets: the first process that needs one makes it, and all processes use it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omnibench.data.dataset import RecSysDataSet
from omnibench.data.prepare import prepare
from omnibench.engine.failures import classified
from omnibench.errors import PhaseError, StoreError
from omnibench.guest.base import Meter
from omnibench.store import CheckpointStore
from omnibench.store.builders import data_record
from omnibench.store.schema import Phase, RecordType


class PreparedDatasets:
    """The prepared datasets of a store that one process has used so far.

    Args:
        store: The store in which they are published and recorded.
        elsewhere: Directories that are written to beside the store's: for temporary files, and the user's cache.
    """

    def __init__(self, store: CheckpointStore, elsewhere: Sequence[Path] = ()) -> None:
        self.store = store
        self._elsewhere = elsewhere
        self._directories: dict[str, Path | PhaseError] = {}

    def is_located(self, dataset: RecSysDataSet) -> bool:
        """Whether this process knows already where a dataset is."""
        return dataset.key in self._directories

    def get(self, dataset: RecSysDataSet) -> Path:
        """Return the directory of a dataset's arrays; prepare the dataset if it is not there yet.

        Raises:
            PhaseError: The recipe is impossible; remembered, so that every item of the dataset says it at once.
            StoreError: The store cannot be used, or a disk (a DiskError).
        """
        if dataset.key not in self._directories:
            try:
                self._directories[dataset.key] = self._prepare(dataset)
            except StoreError:
                raise
            except Exception as error:  # a loader of the user's may raise anything
                failure = classified(error, Phase.PREPARE.value, self.store.root, self._elsewhere)
                if isinstance(failure, StoreError):  # the next item tries again: there may be room by then
                    raise failure from error
                self._directories[dataset.key] = failure
        directory = self._directories[dataset.key]
        if isinstance(directory, PhaseError):
            raise PhaseError(directory.phase, directory.message, directory.details)
        return directory

    def _prepare(self, dataset: RecSysDataSet) -> Path:
        key = RecordType.DATA.key(dataset.key)
        with self.store.lease(f"data-{dataset.key}") as lease:
            record = self.store.records.get(key)
            if record is not None and all([self.store.usable(file) for file in record["files"]]):  # noqa: C419 - look at every file, so that each damaged one is set aside
                return self.store.root / str(record["directory"])
            meter = Meter(("rss",))
            directory = self.store.claim(self.store.root / "datasets", dataset.name, dataset.key)
            with self.store.temporary() as scratch:
                partial = scratch / "dataset"
                partial.mkdir(mode=0o700)
                (partial / ".key").write_text(dataset.key, encoding="utf-8")
                manifest = prepare(dataset, partial)
                files = self.store.publish_directory(partial, directory)
            record = data_record(manifest, meter.read(), directory.relative_to(self.store.root).as_posix(), files)
            self.store.commit(lease, {key: record})
            return directory
