"""The workbench of a process: the store, the guests and all else that its items share, opened once and closed once."""

from __future__ import annotations

import copy
import logging
import os
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from omnibench.engine.asking import Requests
from omnibench.engine.chkpt import working_directory
from omnibench.engine.datasets import PreparedDatasets
from omnibench.engine.fit_resources import FitResources
from omnibench.engine.items import Item
from omnibench.engine.policy import Policy
from omnibench.engine.rehearsal import Rehearsals
from omnibench.engine.requirements import Requirements
from omnibench.engine.run import throwaway_workspace
from omnibench.engine.stopping import Stopping
from omnibench.errors import OmnibenchError, StoreError
from omnibench.masking import masked
from omnibench.paths import cache_directory, expanded
from omnibench.runners.environments import Environments
from omnibench.runners.gateway import GUEST_MARK
from omnibench.runners.machine import dealt_gpu
from omnibench.runners.pool import GuestPool, Guests
from omnibench.runners.shared_core import SharedCore
from omnibench.store import CheckpointStore
from omnibench.store.exports import Exports
from omnibench.store.models import BestModels
from omnibench.store.reservations import Reservations
from omnibench.store.schema import RecordType
from omnibench.store.superseded import ANEW_WORDS, FitBeginning, guest_logger, resumed_words
from omnibench.store.workers import Worker
from omnibench.store.workspaces import Workspace

if TYPE_CHECKING:  # which runs on this machine do not need
    from omnibench.cluster.cluster import Cluster


class Workbench:
    """What all items of a process share; it has to be closed.

    Args:
        checkpoint_dir: Where checkpoints are kept; a directory that nobody keeps when the policy resumes ``never``.
        tmp_dir: Where guests get their working directories; inside the checkpoint directory by default.
        policy: The settings that are the same for all items.
        environments: The environments of the frameworks.
        threads: Threads per guest, where an experiment asks for no other number.
        notify: Called with a line when something is worth telling.
        run_id: The run that the process is part of.
        worker: The name of the process in the run.
        stopping: Whether the run was asked to stop.
        share: How many cores the process has, as a share of the machine's.
        cluster: Where guests run; on this machine by default.
        core: The core that it shares with its guests while items are small.

    Attributes:
        store: The store in which everything is published and recorded.
        guests: The guest processes.
        cluster: Where they run; None for this machine.
        requirements: How much memory Fits need.
        resources: What its Fits have of the machine, which others use as well.
        elsewhere: The directories that are written to beside the store's.
        datasets: The prepared datasets.
        rehearsals: The trials of users' own metrics.
        worker: This process, as the store knows it.
        requests: The snapshots that somebody asks this process for by hand.
        stopping: Whether the run was asked to stop.
        policy: The settings that are the same for all items.
        current: The name of the item that is computed right now, or nothing.
        trial: The number of its trial that is computed right now, or None.
        echo: Called with (``out`` or ``err``, whole lines) as guests print them, from other threads; None for nobody.
        evaluating: Held during Eval, so that metrics of the user's own meet no other thread.
        core: The core that it shares with its guests while items are small.

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
        threads: int,
        notify: Callable[[str], None],
        run_id: str,
        worker: str,
        stopping: Stopping,
        share: float,
        cluster: Callable[[Path], Cluster] | None = None,
        core: SharedCore | None = None,
    ) -> None:
        self._pid = os.getpid()
        self.policy = policy
        self.stopping = stopping
        self.evaluating = threading.Lock()
        self.core = core or SharedCore()
        self.current = ""
        self.trial: int | None = None
        self.echo: Callable[[str, bytes], None] | None = None
        self._notify = notify
        self._environments = environments
        directory = throwaway_workspace() if policy.resume == "never" else None
        self.store = CheckpointStore(
            directory.directory / "checkpoints" if directory else checkpoint_dir,
            verify=policy.verify,
            allow_network_fs=policy.allow_network_fs,
            shared=policy.shared,
            notify=notify,
            while_waiting=stopping.expired,
        )
        self.elsewhere = written_elsewhere(tmp_dir)
        self.datasets = PreparedDatasets(self.store, self.elsewhere)
        self.rehearsals = Rehearsals()
        self._said_lines: set[str] = set()
        self._exports = Exports(self.store)
        self._predict_keys: dict[str, frozenset[str]] = {}
        self._best_models = BestModels(self.store, self.is_awaited) if policy.keep_models == "best" else None
        try:
            self._scratch = self.store.scratch(tmp_dir)
        except StoreError:
            self.store.close()
            raise
        self.worker = Worker(self.store, run_id, worker, self._exports)
        self._directory = working_directory()
        self.requests = Requests(self.store.root, self.worker.id, notify, self._directory)
        self.cluster = None if cluster is None else cluster(self._scratch)
        self.guests = self._guests_of(self, worker, threads)
        self.requirements = Requirements(self.store.read)
        self.resources = self._resources_of(self, share)
        # Also when nobody closes it: DESIGN's `Coordinator(...).run(...)` leaves that to the interpreter's end.
        self._finalizer = weakref.finalize(
            self, _end, os.getpid(), self.guests, self.worker, self.store, directory, notify, self.cluster
        )

    def expect(self, items: Iterable[Item]) -> None:
        """Note which items of the run need several predictions of one model: it is not dropped before the last.

        Args:
            items: All items of the run.
        """
        by_model: dict[str, list[Item]] = {}
        all_items = list(items)
        self.resources.expect(item.experiment for item in all_items)
        for item in all_items:
            by_model.setdefault(item.experiment.fit_key, []).append(item)
        for fit_key, sharing in by_model.items():
            if len(sharing) > 1:  # in place: the workbenches beside this one share it
                self._predict_keys[fit_key] = frozenset(item.predict_key for item in sharing)

    def is_awaited(self, fit_key: str) -> bool:
        """Whether other predictions of a model are still to come in this run."""
        predict_keys = self._predict_keys.get(fit_key, frozenset())
        return not all(self.store.records.get(RecordType.PREDICT.key(key)) for key in predict_keys)

    @contextmanager
    def at_trial(self, number: int) -> Iterator[None]:
        """Have logs say that what guests print is of a trial of the current item.

        Args:
            number: The trial's number.
        """
        self.trial = number
        try:
            yield
        finally:
            self.trial = None

    def beside(self, worker: str, threads: int, share: float) -> Workbench:
        """Return a workbench for another thread: the same store and datasets, guests of its own; it has to be left.

        Args:
            worker: The name of the worker in the run.
            threads: Threads per guest, as above.
            share: How many cores the thread has, as above.
        """
        twin = copy.copy(self)
        twin.current, twin.trial, twin.core = "", None, SharedCore()
        twin.worker = self.worker.for_thread(worker)
        twin.requests = Requests(self.store.root, twin.worker.id, self._notify, self._directory)
        twin.guests = self._guests_of(twin, worker, threads)
        twin.resources = self._resources_of(twin, share, self.resources.counts_all)
        twin._finalizer = weakref.finalize(  # noqa: SLF001 - its own class
            twin, _end, os.getpid(), twin.guests, twin.worker, None, None, self._notify
        )
        return twin

    def _guests_of(self, workbench: Workbench, worker: str, threads: int) -> Guests:
        log = workbench._log
        if self.cluster is not None:
            return self.cluster.pool(
                log, self.stopping.expired, dealt_gpu(worker) if self.cluster.is_this_machine else None
            )
        gpu, core = dealt_gpu(worker), workbench.core
        return GuestPool(self._environments, self._scratch, threads, log, self._notify, gpu, core=core)

    def _resources_of(self, workbench: Workbench, share: float, counts_all: bool = False) -> FitResources:
        def log(level: int, line: str) -> None:
            workbench.worker.log.add(level, "omnibench", line, workbench.current or None)

        # The stores that nobody keeps are one per process; what they have in common is the user.
        is_kept = self.policy.resume != "never"
        reservations = Reservations(self.store.root if is_kept else cache_directory() / "memory")
        guests, stopping = workbench.guests, self.stopping
        return FitResources(
            reservations, self.requirements, guests, self.policy, stopping, log, share, counts_all, self.cluster
        )

    def leave(self) -> None:
        """End the guests and the worker of a workbench beside another, in its thread."""
        self._finalizer()
        self.resources.leave()
        self._report_lost()
        self.store.records.close()  # this thread's own connection

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
        """Bring the readable copies up to date if that is due, so that they are right also when the process is killed."""
        self._exports.refresh_progress()

    def close(self, record_end: Callable[[], None]) -> None:
        """End the guests, write the exports, close the records; once is enough.

        Args:
            record_end: Called before the records are closed.
        """
        if not self._finalizer.alive or os.getpid() != self._pid:
            return
        self.guests.close()
        self.resources.leave()
        self.store.waiting.hurry()
        self.export(immediately=True)
        try:
            record_end()
        except (StoreError, OSError) as error:
            self._notify(str(error))
        self._finalizer()
        self._report_lost()

    def _report_lost(self) -> None:
        if self.worker.log.lost:
            self._notify(f"{self.worker.log.lost} log entries could not be written to {self.worker.log.path}")

    def say(self, line: str) -> None:
        """Tell whoever watches the run something that is worth it."""
        self._notify(line)

    def say_once(self, line: str) -> None:
        """Tell whoever watches the run something that holds for many of its items; all workers of a process share it."""
        if line not in self._said_lines:
            self._said_lines.add(line)
            self.say(line)

    def print_error(self, item: str, text: str) -> None:
        """Write why an item failed to ``err.log``, beside what its guest has printed."""
        with suppress(OSError):  # the item's record has it, too
            self._print("err", f"{masked(text)}\n".encode(errors="backslashreplace"), item)

    def _print(self, stream: str, lines: bytes, item: str) -> None:
        prefix = _prefix(item)
        self.store.append_log(stream, b"".join(prefix + line for line in lines.splitlines(keepends=True)))

    def _log(self, stream: str, lines: bytes) -> None:
        """Write what a guest prints to the store's logs, and to whoever wants to see it."""
        if self.echo is not None:
            self.echo(stream, lines)
        logger = guest_logger(stream, self.trial)
        snapshot, progress = self.worker.log.resumed_from(logger, lines)
        if snapshot:
            self._print_supersession(resumed_words(snapshot, progress))
        self._print(stream, lines, self._of_current)
        level = logging.INFO if stream == "out" else logging.WARNING
        self.worker.log.add_lines(level, logger, lines, self.current or None)

    @property
    def _of_current(self) -> str:
        """What begins the lines of the current item, or of its trial, in out.log and err.log."""
        return f"{self.current}{'' if self.trial is None else f'#{self.trial}'}"

    @cached_property
    def abandoned(self) -> frozenset[str]:
        """The names of the items that processes were at which had died before this one began, or live elsewhere."""
        workers = self.store.read(lambda reader: [worker for _, worker in reader.records(RecordType.WORKER.prefix)])
        unended = (worker for worker in workers if worker["id"] != self.worker.id and not worker["ended"])
        return frozenset(worker["item"] for worker in unended if worker["item"])

    def begin_fit(self, snapshot: str = "", *, is_shared: bool = False) -> None:
        """Have logs say that the Fit of the current item, or trial, goes on with what an earlier attempt has begun.

        Args:
            snapshot: The name of the snapshot that it goes on from; empty where it begins anew.
            is_shared: Whether it is a trial of a search of all folds.
        """
        if not snapshot and self.trial is None:  # whether a trial was begun before only its lines tell
            self._print_supersession(ANEW_WORDS)
        self.worker.log.begin_fit(FitBeginning(self.current, self.trial, snapshot, is_shared))

    def _print_supersession(self, words: str) -> None:
        with suppress(OSError):  # a full disk
            for stream in ("out", "err"):
                if self.store.has_logged(stream, _prefix(self._of_current)):  # else nothing stands above
                    self._print(stream, f"{words}\n".encode(), self._of_current)


def _prefix(item: str) -> bytes:
    """Return what begins the lines of an item in out.log and err.log."""
    return f"[{item}] ".encode() if item else b""


def written_elsewhere(tmp_dir: str | os.PathLike[str] | None) -> tuple[Path, ...]:
    """Return the directories that a run writes to beside its store: for temporary files, and the user's cache."""
    directories = [] if tmp_dir is None else [expanded(tmp_dir)]
    with suppress(OSError):  # none can be written, which is not the first thing to say
        directories.append(Path(tempfile.gettempdir()))
    return (*directories, cache_directory())


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


def _end(
    pid: int,
    guests: Guests,
    worker: Worker,
    store: CheckpointStore | None,
    directory: Workspace | None,
    notify: Callable[[str], None],
    cluster: Cluster | None = None,
) -> None:
    """Leave neither processes nor temporary files behind; without a store, others go on using it.

    Trouble with the store is a line for the user, at the interpreter's end as well, where an error would be a traceback.
    """
    if os.getpid() != pid:  # a forked child ends as a Python program does: all of this is its parent's
        return
    try:
        guests.close()
        if cluster is not None:
            cluster.close()
    finally:
        try:
            worker.end()
            if store is not None:
                store.close()
        except (StoreError, OSError) as error:
            notify(f"{error} What was recorded is safe.")
        finally:
            if directory is not None:
                directory.remove()
