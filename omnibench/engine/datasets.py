"""Prepared datasets: made once per key by whoever comes first, found by everybody else."""

from __future__ import annotations

import traceback
from pathlib import Path

from omnibench.data.dataset import RecSysDataSet
from omnibench.data.prepare import prepare
from omnibench.errors import OmnibenchError, PhaseError, StoreError
from omnibench.guest.base import Meter
from omnibench.store import CheckpointStore
from omnibench.store.records import timestamp


class PreparedDatasets:
    """The prepared datasets of a store, as one process has looked them up.

    Args:
        store: Where they are published and recorded.
    """

    def __init__(self, store: CheckpointStore) -> None:
        self.store = store
        self._found: dict[str, Path | PhaseError] = {}

    def ready(self, dataset: RecSysDataSet) -> bool:
        """Whether this process knows where a dataset is."""
        return dataset.key in self._found

    def get(self, dataset: RecSysDataSet) -> Path:
        """Return the directory of a dataset's arrays, preparing it when nobody has.

        Raises:
            PhaseError: The recipe is impossible; remembered, so that every item of the dataset says it at once.
        """
        if dataset.key not in self._found:
            try:
                self._found[dataset.key] = self._prepare(dataset)
            except StoreError:
                raise
            except OmnibenchError as error:
                self._found[dataset.key] = PhaseError("Prepare", str(error))
            except Exception as error:  # a loader of the user's may raise anything
                told = f"{type(error).__name__}: {error}"
                self._found[dataset.key] = PhaseError("Prepare", told, traceback.format_exc())
        found = self._found[dataset.key]
        if isinstance(found, PhaseError):
            raise PhaseError(found.phase, found.message, found.details)
        return found

    def _prepare(self, dataset: RecSysDataSet) -> Path:
        key = f"data/{dataset.key}"
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
            relative = directory.relative_to(self.store.root).as_posix()
            facts = {name: manifest[name] for name in ("identity", "name", "test", "users", "items", "interactions")}
            place = {"directory": relative, "files": files, "finished": timestamp()}
            self.store.commit(lease, {key: {**facts, **meter.read(), **place}})
            return directory
