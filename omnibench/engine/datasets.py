"""Prepared datasets: the first process that needs one makes it, and all processes use it."""

from __future__ import annotations

import traceback
from pathlib import Path

from omnibench.data.dataset import RecSysDataSet
from omnibench.data.prepare import prepare
from omnibench.errors import OmnibenchError, PhaseError, StoreError
from omnibench.guest.base import Meter
from omnibench.limits import limit_error, with_limit
from omnibench.store import CheckpointStore
from omnibench.store.builders import data_record
from omnibench.store.schema import Phase, RecordType


class PreparedDatasets:
    """The prepared datasets of a store that one process has used so far.

    Args:
        store: The store in which they are published and recorded.
    """

    def __init__(self, store: CheckpointStore) -> None:
        self.store = store
        self._directories: dict[str, Path | PhaseError] = {}

    def is_located(self, dataset: RecSysDataSet) -> bool:
        """Whether this process knows already where a dataset is."""
        return dataset.key in self._directories

    def get(self, dataset: RecSysDataSet) -> Path:
        """Return the directory of a dataset's arrays; prepare the dataset if it is not there yet.

        Raises:
            PhaseError: The recipe is impossible; remembered, so that every item of the dataset says it at once.
        """
        if dataset.key not in self._directories:
            try:
                self._directories[dataset.key] = self._prepare(dataset)
            except StoreError:
                raise
            except OmnibenchError as error:
                self._directories[dataset.key] = PhaseError(Phase.PREPARE.value, str(error))
            except Exception as error:  # a loader of the user's may raise anything
                if limit := limit_error(error):
                    raise limit from error
                message = f"{type(error).__name__}: {with_limit(error)}"
                self._directories[dataset.key] = PhaseError(Phase.PREPARE.value, message, traceback.format_exc())
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
