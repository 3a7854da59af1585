"""Prepared datasets: the first process that needs one makes it, and all processes use it."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from pathlib import Path

from omnibench.data.dataset import RecSysDataSet
from omnibench.data.prepare import prepare
from omnibench.engine.failures import phase_errors
from omnibench.errors import PhaseError
from omnibench.guest.family import own_code
from omnibench.guest.meter import Meter
from omnibench.store import CheckpointStore
from omnibench.store.builders import data_record
from omnibench.store.refusals import out_of_use
from omnibench.store.schema import DROPPED, Artifact, Phase, RecordType

_OF_FOLD = re.compile(r"/fold_\d+/[^/]+$")
"""The path of a file that belongs to a single fold."""


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
        self._files: dict[str, list[Artifact]] = {}
        self._suspect: set[str] = set()
        self._locating: dict[str, threading.Lock] = {}
        """By dataset: of the threads of this process only one waits for its lease, and the others for that one."""

    def is_located(self, dataset: RecSysDataSet) -> bool:
        """Whether this process knows already where a dataset is."""
        return dataset.key in self._directories

    def get(self, dataset: RecSysDataSet) -> Path:
        """Return the directory of a dataset's arrays; prepare the dataset if it is not there yet.

        Raises:
            PhaseError: The recipe is impossible; remembered, so that every item of the dataset says it at once.
            StoreError: The store cannot be used, or a disk (a DiskError).
        """
        directory = self._directories.get(dataset.key)
        if directory is None:
            with self._locating.setdefault(dataset.key, threading.Lock()):
                directory = self._directories.get(dataset.key) or self._located(dataset)
        if isinstance(directory, PhaseError):
            raise PhaseError(directory.phase, directory.message, directory.details)
        return directory

    def _located(self, dataset: RecSysDataSet) -> Path | PhaseError:
        """Return where a dataset is, or why it is nowhere, and remember it."""
        try:
            self._directories[dataset.key] = directory = self._prepare(dataset)
        except PhaseError as error:
            self._directories[dataset.key] = error
            return error
        except OSError as error:
            raise out_of_use(self.store.root, error) from error
        return directory

    def _prepare(self, dataset: RecSysDataSet) -> Path:
        key = RecordType.DATA.key(dataset.key)
        with self.store.lease(f"data-{dataset.key}") as lease:
            record = self.store.records.get(key)
            is_whole = record is not None and not record.get(DROPPED)  # else a file of it was damaged and set aside
            verify = "full" if dataset.key in self._suspect else self.store.verify
            if record is not None and is_whole and all([self.store.usable(file, verify) for file in record["files"]]):  # noqa: C419 - look at every file, so that each damaged one is set aside
                self._suspect.discard(dataset.key)
                self._files[dataset.key] = record["files"]
                return self.store.root / str(record["directory"])
            meter = Meter(("rss",))
            directory = self.store.claim(self.store.root / "datasets", dataset.name, dataset.key)
            with self.store.temporary() as scratch:
                partial = scratch / "dataset"
                partial.mkdir(mode=0o700)
                (partial / ".key").write_text(dataset.key, encoding="utf-8")
                with phase_errors(Phase.PREPARE.value, self.store.root, self._elsewhere), own_code():
                    manifest = prepare(dataset, partial)
                files = self.store.publish_directory(partial, directory)
            record = data_record(manifest, meter.read(), directory.relative_to(self.store.root).as_posix(), files)
            self.store.commit(lease, {key: record})
            self._files[dataset.key] = files
            return directory

    def files(self, dataset: RecSysDataSet, fold: int) -> list[Artifact]:
        """Return the files of a dataset that has been gotten, except those of other folds."""
        own = f"/fold_{fold}/"
        return [file for file in self._files[dataset.key] if own in file["path"] or not _OF_FOLD.search(file["path"])]

    def forget(self, dataset: RecSysDataSet) -> None:
        """Read a dataset's files again, in full, when it is needed next."""
        self._directories.pop(dataset.key, None)
        self._suspect.add(dataset.key)
