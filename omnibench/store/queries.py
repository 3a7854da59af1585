"""Questions to a store, for scripts and notebooks: ``open_store("checkpoints")``."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.arguments import checked_call, checked_methods
from omnibench.caller_warnings import warn_caller
from omnibench.store.advice import repair_command
from omnibench.store.columns import sorted_positions
from omnibench.store.facts import FactSource, explanation, is_explained_alone, provenance_of
from omnibench.store.frames import RESULT_COLUMNS, result_columns
from omnibench.store.item_files import files_of_item, item_of_file
from omnibench.store.item_records import failure_text
from omnibench.store.light_records import light_records
from omnibench.store.named_items import NamedItems
from omnibench.store.overview import items_of, remaining_of, summary_of, with_states, workers_of
from omnibench.store.phase_frames import phase_frame
from omnibench.store.plans import unsteady_in
from omnibench.store.reader import Reader
from omnibench.store.reading import read
from omnibench.store.refusals import told_as_store_errors
from omnibench.store.resumption import snapshot_frame
from omnibench.store.schema import Record, RecordType, Status
from omnibench.store.selection import select_all
from omnibench.store.series import epoch_frame, records_with_series
from omnibench.store.sizes import Sizes, sizes_of
from omnibench.store.states import RecordsInMemory
from omnibench.store.stored_records import RecordsInOrder
from omnibench.store.verification import Damage, snapshot_of_items, verify, verify_store

if TYPE_CHECKING:  # what writes, and what compares, is imported where it is needed: most questions are small
    import pandas as pd

    from omnibench.store.contrast import Contrast
    from omnibench.store.divergence import Divergence
    from omnibench.store.generations import Reset
    from omnibench.store.removal import Removed
    from omnibench.store.restoring import Restored


@checked_call
def open_store(path: str | os.PathLike[str] = "checkpoints") -> Store:
    """Open a checkpoint directory to look at it, even while a run writes to it or when it is read-only.

    Raises:
        StoreError: There is no store, or it cannot be read.
    """
    return Store(path)


@checked_methods
class Store(NamedItems):
    """The items of a checkpoint directory, and what is known of them. Every question reads the records anew.

    Items are named as their directories are, e.g. ``MovieLens100K-609e34c9/LensKit.PopScorer-6fa597e8/fold_0``; where
    items are asked for, readable labels, beginnings of keys, node ids and patterns do as well (``docs/store.md``).

    Args:
        path: The checkpoint directory.

    Raises:
        StoreError: There is no store, or a newer omnibench has made it.
    """

    def __repr__(self) -> str:
        counts = self.summary()
        return f"<Store {self.root}: {counts['completed']} of {counts['total']} items completed>"

    def _with_status(self, *statuses: str) -> dict[str, Record]:
        return {name: record for name, record in self._light_items().items() if record["status"] in statuses}

    def _light_items(self) -> dict[str, Record]:
        return items_of(self.root, light_records(self.root).records)

    @property
    def completed(self) -> list[str]:
        """The items that are done."""
        return list(self._with_status(Status.DONE))

    @property
    def failed(self) -> dict[str, str]:
        """The items whose last attempt failed, with their errors."""
        errors = {name: record["error"] for name, record in self._with_status(Status.FAILED).items()}
        return {name: failure_text(error) for name, error in errors.items()}

    @property
    def interrupted(self) -> list[str]:
        """The items that were begun and then given up: a signal, a kill, a full disk."""
        return list(self._with_status(Status.INTERRUPTED))

    @property
    def remaining(self) -> list[str]:
        """The items that are not done and that the next run of the last plan would compute or wait for.

        That is also those that failed, unless their process has died three times in a row: a run tries such ones again
        only where one says so (``--omnirec-max-attempts``, ``--omnirec-reset=failed``).
        """
        records = light_records(self.root).records
        return remaining_of(records, items_of(self.root, records))

    @property
    def unsteady(self) -> dict[str, str]:
        """The datasets that differed from process to process when a run was refused last, with who declares them."""
        return unsteady_in(self.records_of(RecordType.PLAN))

    def summary(self) -> dict[str, Any]:
        """Return how many items have each status, and how long they took.

        Returns:
            ``total``, ``completed``, ``failed``, ``interrupted``, ``running``, ``pending``, ``remaining`` (how many the
            list of that name has), ``elapsed`` (wall seconds of all phases, also of those that failed), ``starting``
            (seconds of waiting for frameworks' processes to start, which are no part of phases), ``average`` (of a
            completed item's finished phases, or None), ``workers`` (alive right now).
        """
        light = light_records(self.root)
        return summary_of(self.root, light, items_of(self.root, light.records))

    def results(self) -> pd.DataFrame:
        """Return one row per metric of each done item.

        Columns: item, dataset, algorithm, fold, metric, value, and for means over users stderr (standard error), low
        and high (95 % interval); see ``docs/conventions.md``.
        """
        import pandas as pd

        columns = read(self.root / "store", result_columns)
        order = sorted_positions(columns["item"].values, columns["metric"].values)
        # By column, so that no two forms of all of them are in memory at once.
        return pd.DataFrame({name: columns.pop(name).series().take(order).array for name in RESULT_COLUMNS})

    def phases(self) -> pd.DataFrame:
        """Return what each phase cost: those that are done, and those that failed or were interrupted.

        Columns: item, phase, status (done, failed, interrupted); seconds and cpu_seconds; peak_rss, gpu_peak and
        python_peak (bytes); start_seconds (of waiting for the framework's process to start, which are no part of
        seconds) and threads (of that process); finished, run, worker. What was not measured is missing, as of a process
        that was killed. Of an item the latest twenty failures are kept, until it is reset.
        """
        return read(self.root / "store", phase_frame)

    def snapshots(self, *items: str) -> pd.DataFrame:
        """Return a row per snapshot of a Fit, of all items or of some; see ``resumption.snapshot_frame``."""
        return snapshot_frame(light_records(self.root).records, self.select(*items) if items else None)

    def restore(self, item: str, snapshot: str) -> Restored:
        """Have the next attempt at an item go on from an older snapshot; see ``restoring.restore``."""
        from omnibench.store.restoring import restore_in

        return restore_in(self.root, self.find(item), snapshot)

    def trials(self) -> pd.DataFrame:
        """Return a row per trial of every search for hyperparameters; see ``trial_frames.trial_frame``."""
        from omnibench.store.trial_frames import trial_frame

        return trial_frame(light_records(self.root).records)

    def epochs(self) -> pd.DataFrame:
        """Return a row per epoch that the Fits of items have reported: losses, validation values; see ``series.epoch_frame``."""
        return epoch_frame(read(self.root / "store", records_with_series))

    def workers(self, *, active: bool = True) -> list[dict[str, Any]]:
        """Return the processes that compute, or have computed.

        Args:
            active: Only those that are alive.

        Returns:
            For each ``id, run, pid, host, started, heartbeat, item, phase, completed, ended, alive``.
        """
        return workers_of(self.root, self.records_of(RecordType.WORKER), active=active)

    def runs(self) -> list[Record]:
        """Return every run that had something to compute, oldest first: when, where, with which versions."""
        runs = self.records_of(RecordType.RUN).values()
        return sorted(runs, key=lambda run: str(run["started"]))

    def files(self, item: str) -> list[Path]:
        """Return an item's files: model, predictions, per-user metrics; and the readable copy of the predictions.

        A warning says which of them are missing or damaged.
        """
        for damage in self.verify(item):
            warn_caller(f"{damage.name} {damage.trouble}; `{repair_command(self.root, [item])}`")
        record, records = self.about(item)
        return files_of_item(self.root, records, record["fit_key"])

    def verify(self, *items: str) -> list[Damage]:
        """Return what is not as it was recorded: records, files, manifests, copies; `omnibench verify --repair` repairs it.

        Args:
            items: Texts that stand for one or several items each, as for ``select``; the whole store by default.

        Raises:
            StoreError: There is no such item, or the records cannot be read.
        """
        chosen = snapshot_of_items(self.root, items) if items else None
        if chosen is not None:
            return verify(self.root, *chosen).damages
        recorded = self.brief_items() if items else {}
        fit_keys = {recorded[name]["fit_key"] for name in select_all(items, recorded)} if items else None
        return verify_store(self.root, fit_keys).damages

    def item_of(self, path: str | os.PathLike[str]) -> str:
        """Return the name of the item that made a file.

        Raises:
            StoreError: No record names it.
        """
        file = Path(os.path.abspath(path))
        return read(self.root / "store", lambda reader: item_of_file(self.root, reader.records(), file))

    def provenance(self, item: str) -> dict[str, Any]:
        """Return where an item's numbers come from.

        Returns:
            ``item``, ``configuration`` (dataset recipe, algorithm, hyperparameters, seed, versions: what its key is
            made of), ``configuration_json`` and its ``sha256``, ``effective`` (all hyperparameters as the framework
            reports them), ``dropped`` (when its model was removed to save space, or None), ``run`` (versions, host,
            user, command, git commit).
        """
        return provenance_of(*self.about(item))

    def describe(self, item: str) -> dict[str, Any]:
        """Return what an item was made of, its numbers, and how, when and where they were computed.

        Returns:
            Plain data: ``item``, ``status``, ``dataset``, ``fold``, ``algorithm``, ``metrics``, ``phases``, ...; see
            ``store.facts.FactSource``.
        """
        record, records = self.about(item)
        return FactSource(records).facts_of(record)

    def contrast(self, a: str, b: str) -> Contrast:
        """Return what two items do not share: parts of their keys, how they were computed, numbers.

        Args:
            a: The name of an item, or the beginning of its key.
            b: Likewise.
        """
        from omnibench.store.contrast import contrast

        return contrast(*(self.describe(item) for item in (a, b)))

    def diff(self, store: Store) -> Divergence:
        """Return how this store and another differ.

        Items of both are matched by their keys, else by dataset, configuration and fold.

        Args:
            store: The other one.
        """
        from omnibench.store.divergence import diverge
        from omnibench.store.facts_in_turn import FactsInTurn

        def with_facts(reader: Reader) -> Divergence:
            items = FactsInTurn(self.root, reader)
            return read(
                store.root / "store",
                lambda reader_there: diverge(
                    str(self.root), items, str(store.root), FactsInTurn(store.root, reader_there)
                ),
            )

        return read(self.root / "store", with_facts)

    def why(self, item: str) -> str:
        """Say what is known of an item: what it was made of, or what differs from the nearest one that was fitted."""
        record, records = self.about(item)
        if is_explained_alone(record, records):
            return explanation(record, records, RecordsInMemory(records))
        return read(self.root / "store", lambda reader: explanation(record, records, RecordsInOrder(reader)))

    def reset(self, items: Iterable[str] | None = None, what: str = "all") -> Reset:
        """Have items computed anew by the next run; items that somebody computes right now are left alone.

        Args:
            items: Texts that stand for one or several each, as for ``select``; all by default.
            what: ``all``, ``failed``, ``incomplete``, or ``Fit``, ``Predict``, ``Eval`` for what is from there on.

        Raises:
            StoreError: There is no such item, or the store cannot be written.
        """
        from omnibench.store.checkpoints import CheckpointStore
        from omnibench.store.exports import Exports
        from omnibench.store.generations import reset

        recorded = self.brief_items()
        names = list(recorded) if items is None else select_all(items, recorded)
        store = CheckpointStore(self.root)
        try:
            with told_as_store_errors(self.root, "reset"):
                outcome = reset(store, [recorded[name]["fit_key"] for name in names], what)
                Exports(store).refresh(immediately=True)
                return outcome
        finally:
            store.close()

    def delete(self, items: Iterable[str], *, models: bool = False, dry_run: bool = False) -> Removed:
        """Remove items for good, or only their models; items that somebody computes right now are left alone.

        Without its model an item stays done, with its numbers and predictions; longer lists or other candidates fit it
        again.

        Args:
            items: Texts that stand for one or several each, as for ``select``.
            models: Only the models.
            dry_run: Remove nothing, and return what would be removed.

        Raises:
            StoreError: There is no such item, or the store cannot be written.
        """
        from omnibench.store.removal import remove_items, remove_models

        recorded = self.brief_items()
        fit_keys = [recorded[name]["fit_key"] for name in select_all(items, recorded)]
        remove = remove_models if models else remove_items
        with told_as_store_errors(self.root, "removed"):
            return remove(self.root, fit_keys, dry_run=dry_run)

    def remove_datasets(self, needed: Collection[str] = (), *, dry_run: bool = False) -> tuple[list[str], int]:
        """Remove the prepared datasets that no item is of.

        Args:
            needed: Keys of datasets that stay all the same.
            dry_run: Remove nothing, and return what would be removed.

        Returns:
            Their directories, and the bytes of their files.

        Raises:
            StoreError: Somebody is using the store.
        """
        from omnibench.store.deletion import remove_datasets

        with told_as_store_errors(self.root, "removed"):
            return remove_datasets(self.root, lambda key: key in needed, dry_run=dry_run)

    def sizes(self) -> Sizes:
        """Return what the store's files take on disk: of models, predictions, values per user, snapshots, datasets; by item."""
        snapshots = read(self.root / "store", lambda reader: dict(reader.records(RecordType.SNAPSHOT.prefix)))
        return sizes_of(self.root, snapshots.values())

    def reset_item(self, item: str, what: str = "all") -> Reset:
        """Have one item computed anew by the next run; see ``reset``."""
        return self.reset([item], what)

    def sql(self, query: str, parameters: Iterable[Any] = ()) -> pd.DataFrame:
        """Return the rows of a query over the views that ``docs/store.md`` lists, e.g. ``items``, ``phases``, ``snapshots``.

        They are made of the records that are sound, in a database of their own, with the statuses that ``items`` has as of now: nothing
        that the query does reaches the store.

        Raises:
            StoreError: The query is broken, or the records cannot be read.
        """
        from omnibench.store import views

        values = tuple(parameters)
        names, rows = read(
            self.root / "store", lambda reader: views.select(with_states(reader, self.root), query, values)
        )
        import pandas as pd  # behind what takes memory itself

        return pd.DataFrame(rows, columns=list(names))
