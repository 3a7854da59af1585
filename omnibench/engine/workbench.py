"""The workbench of a process: the store, the guests and all else that its items share, opened once and closed once."""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path

from omnibench.engine.datasets import PreparedDatasets
from omnibench.engine.items import Item
from omnibench.engine.policy import Policy
from omnibench.engine.run import throwaway_workspace
from omnibench.engine.stopping import Stopping
from omnibench.errors import OmnibenchError, StoreError
from omnibench.runners.environments import Environments
from omnibench.runners.gateway import GUEST_MARK
from omnibench.runners.machine import available_cores, dealt_gpu
from omnibench.runners.pool import GuestPool
from omnibench.store import CheckpointStore
from omnibench.store.exports import Exports
from omnibench.store.leases import Workspace
from omnibench.store.models import BestModels
from omnibench.store.schema import RecordType
from omnibench.store.workers import Worker


class Workbench:
    """What all items of a process share; it has to be closed.

    Args:
        checkpoint_dir: Where checkpoints are kept; a directory that nobody keeps when the policy resumes ``never``.
        tmp_dir: Where guests get their working directories; inside the checkpoint directory by default.
        policy: The settings that are the same for all items.
        environments: The environments of the frameworks.
        threads: Threads per guest; all cores of this process by default.
        notify: Called with a line when something is worth telling.
        run_id: The run that the process is part of.
        worker: The name of the process in the run.
        stopping: Whether the run was asked to stop.

    Attributes:
        store: The store in which everything is published and recorded.
        guests: The guest processes.
        datasets: The prepared datasets.
        worker: This process, as the store knows it.
        stopping: Whether the run was asked to stop.
        policy: The settings that are the same for all items.
        current: The name of the item that is computed right now, or nothing.

    Raises:
        StoreError: The checkpoint directory cannot be used.
    """

    def __init__(
        self,
        checkpoint_dir: str | os.PathLike[str],
        tmp_dir: str | os.PathLike[str] | None,
        *,
        policy: Policy,
        environments: Environments,
        threads: int | None,
        notify: Callable[[str], None],
        run_id: str,
        worker: str,
        stopping: Stopping,
    ) -> None:
        self.policy = policy
        self.stopping = stopping
        self.current = ""
        self._notify = notify
        directory = throwaway_workspace() if policy.resume == "never" else None
        self.store = CheckpointStore(
            directory.directory / "checkpoints" if directory else checkpoint_dir,
            verify=policy.verify,
            allow_network_fs=policy.allow_network_fs,
            notify=notify,
        )
        self.datasets = PreparedDatasets(self.store)
        self._exports = Exports(self.store)
        self._predict_keys: dict[str, frozenset[str]] = {}
        self._best_models = BestModels(self.store, self.is_awaited) if policy.keep_models == "best" else None
        try:
            scratch = self.store.scratch(tmp_dir)
        except StoreError:
            self.store.close()
            raise
        self.worker = Worker(self.store, run_id, worker)
        cores = threads or available_cores()
        self.guests = GuestPool(environments, scratch, cores, self._log, notify, dealt_gpu(worker))
        # Also when nobody closes it: DESIGN's `Coordinator(...).run(...)` leaves that to the interpreter's end.
        self._finalizer = weakref.finalize(self, _end, self.guests, self.worker, self.store, directory)

    def expect(self, items: Iterable[Item]) -> None:
        """Note which items of the run need several predictions of one model: it is not dropped before the last.

        Args:
            items: All items of the run.
        """
        by_model: dict[str, list[Item]] = {}
        for item in items:
            by_model.setdefault(item.experiment.fit_key, []).append(item)
        self._predict_keys = {
            fit_key: frozenset(item.predict_key for item in sharing)
            for fit_key, sharing in by_model.items()
            if len(sharing) > 1
        }

    def is_awaited(self, fit_key: str) -> bool:
        """Whether other predictions of a model are still to come in this run."""
        predict_keys = self._predict_keys.get(fit_key, frozenset())
        return not all(self.store.records.get(RecordType.PREDICT.key(key)) for key in predict_keys)

    def export(self, *, immediately: bool = False) -> None:
        """Bring ``progress.json`` and ``results.json`` up to date, and drop the models that are not to be kept.

        Args:
            immediately: Also when that was done a moment ago.
        """
        trouble = self._exports.refresh(immediately=immediately)
        if trouble:
            self._notify(trouble)
        if self._best_models is not None:
            try:
                self._best_models.refresh(immediately=immediately)
            except (StoreError, OSError) as error:
                self._notify(f"models could not be dropped: {error}")

    def export_progress(self) -> None:
        """Bring ``progress.json`` up to date if that is due, so that it is right also when the process is killed."""
        if self._exports.due:
            self._exports.refresh_progress()

    def close(self, record_end: Callable[[], None]) -> None:
        """End the guests, write the exports, close the records; once is enough.

        Args:
            record_end: Called before the records are closed.
        """
        if not self._finalizer.alive:
            return
        self.guests.close()
        self.export(immediately=True)
        try:
            record_end()
            self._finalizer()
        except StoreError as error:
            self._notify(str(error))
        if self.worker.log.lost:
            self._notify(f"{self.worker.log.lost} log entries could not be written to {self.worker.log.path}")

    def _log(self, stream: str, lines: bytes) -> None:
        """Write what a guest prints to the store's logs."""
        prefix = f"[{self.current}] ".encode() if self.current else b""
        self.store.append_log(stream, b"".join(prefix + line for line in lines.splitlines(keepends=True)))
        level = logging.INFO if stream == "out" else logging.WARNING
        self.worker.log.add_lines(level, f"guest.std{stream}", lines, self.current or None)


def out_of_use(root: Path, error: OSError) -> StoreError:
    """Return the error that says that a checkpoint directory cannot be used any more."""
    return StoreError(
        f"the checkpoints in {root} cannot be used ({error}). What was recorded is safe; make room or make "
        "it writable, and run again."
    )


def refuse_guests() -> None:
    """Refuse to run benchmarks inside a guest, which imports a script only to find a class in it.

    Raises:
        OmnibenchError: This process is a guest.
    """
    if os.environ.get(GUEST_MARK):
        raise OmnibenchError(
            "this script runs its benchmarks while it is imported, and a class of yours in it is being imported by the "
            'process that fits it. Put the run below `if __name__ == "__main__":`.'
        )


def _end(guests: GuestPool, worker: Worker, store: CheckpointStore, directory: Workspace | None) -> None:
    """Leave neither processes nor temporary files behind."""
    try:
        guests.close()
    finally:
        try:
            worker.end()
            store.close()
        finally:
            if directory is not None:
                directory.remove()
