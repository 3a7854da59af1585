"""Models as a cache: which are worth their space, and dropping those that are not without losing a number.

A model is needed again only for other predictions: longer lists, other candidates. Without it that item is fitted
again; its recorded predictions and metrics stay as they are. The record of the fit stays too, with what it cost, and
says that the file was dropped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from omnibench.metrics.directions import direction
from omnibench.statistics.exact_means import exact_mean
from omnibench.store import artifacts
from omnibench.store.changes import portions
from omnibench.store.checkpoints import CheckpointStore
from omnibench.store.leases import free_leases
from omnibench.store.schema import (
    DROPPED,
    Artifact,
    Phase,
    Record,
    RecordType,
    Status,
    finished_phases,
    phase_keys,
    timestamp,
)

SMALL = 1_000_000
"""Bytes up to which ``auto`` keeps every model."""

BYTES_PER_SECOND = 1_000_000
"""Bytes that a second of fitting is worth to ``auto``: it keeps a model that takes longer than this to make again."""


def is_spare(fit: Record, keep: str) -> bool:
    """Whether the model of an item that is done should be dropped at once.

    Args:
        fit: The record of its fit.
        keep: One of ``schema.KEEP_MODELS``; what ``best`` drops depends on other items, and is found later.
    """
    if not fit.get("model") or fit.get(DROPPED):
        return False
    if keep == "none":
        return True
    size, seconds = fit["model"]["size"], fit.get("seconds") or 0.0
    return keep == "auto" and size > max(SMALL, seconds * BYTES_PER_SECOND)


def without_model(fit: Record) -> Record:
    """Return the record of a fit whose model is dropped now."""
    return {**fit, DROPPED: timestamp()}


def remove_file(store: CheckpointStore, artifact: Artifact) -> None:
    """Remove a file that no record needs any more; if that fails, ``omnibench gc`` does it."""
    path = artifacts.resolve(artifact, store.root)
    if path is not None:
        with suppress(OSError):
            path.unlink(missing_ok=True)


@dataclass
class DroppedModels:
    """What was, or would be, dropped.

    Attributes:
        items: Fit keys of the items that lose their models.
        busy: Those that somebody computes right now.
        needed: Those that still need theirs, because they have no predictions yet.
        size: Bytes of the models.
    """

    items: list[str] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    needed: list[str] = field(default_factory=list)
    size: int = 0


def drop_models(store: CheckpointStore, items: Iterable[str], *, dry_run: bool = False) -> DroppedModels:
    """Remove the models of items that have their predictions, and nothing else of them.

    Args:
        store: The store.
        items: Their fit keys.
        dry_run: Only tell what would be dropped.

    Raises:
        StoreError: The store cannot be written.
    """
    dropped = DroppedModels()
    snapshot = store.snapshot()
    fit_keys = [key for key in dict.fromkeys(items) if _model_of(key, snapshot)]
    for portion in portions(fit_keys):
        with free_leases(store.lease, portion, dropped.busy) as leases:
            records = store.snapshot()  # only under the leases is it certain what there is
            recorded = phase_keys(records.items())
            changed: dict[str, Record] = {}
            for key in leases:
                model = _model_of(key, records)
                if model is None:
                    continue
                item = records.get(RecordType.ITEM.key(key))
                if Phase.PREDICT not in finished_phases(item, recorded.get(key, ())):
                    dropped.needed.append(key)
                    continue
                changed[RecordType.FIT.key(key)] = without_model(records[RecordType.FIT.key(key)])
                dropped.items.append(key)
                dropped.size += model["size"]
            if changed and not dry_run:
                store.commit(list(leases.values()), changed)
                for record in changed.values():
                    path = artifacts.resolve(record["model"], store.root)
                    if path is not None:  # a failure is told, unlike where an item's own model goes
                        path.unlink(missing_ok=True)
    return dropped


def _model_of(fit_key: str, records: Mapping[str, Record]) -> Artifact | None:
    fit = records.get(RecordType.FIT.key(fit_key), {})
    return None if fit.get(DROPPED) else fit.get("model")


def worse_models(records: Mapping[str, Record]) -> list[str]:
    """Return the fit keys of items whose configuration is not the best of its dataset and algorithm.

    The best has the best mean over folds of the first metric that all of them have and whose good direction is known. A
    configuration that is not done in all its folds is left alone, and so are all where no metric tells.

    Args:
        records: All records.
    """
    groups: dict[tuple[str, str], dict[str, list[Record]]] = {}
    for key, item in records.items():
        if RecordType.ITEM.has(key):
            group = (item["dataset"], item["algorithm"].rpartition("-")[0])
            groups.setdefault(group, {}).setdefault(item["algorithm"], []).append(item)
    worse: list[str] = []
    for configurations in groups.values():
        complete = [items for items in configurations.values() if all(item["status"] == Status.DONE for item in items)]
        if len(complete) > 1:
            worse += _worse(complete)
    return worse


def _worse(configurations: list[list[Record]]) -> list[str]:
    everything = [item for items in configurations for item in items]
    common = (label for label in everything[0]["metrics"] if all(label in item["metrics"] for item in everything))
    label, higher = next(((label, higher) for label in common if (higher := direction(label)) is not None), ("", True))
    if not label:
        return []
    means = [exact_mean([item["metrics"][label]["value"] for item in items]) for items in configurations]
    best = max(means) if higher else min(means)
    return [
        item["fit_key"] for items, mean in zip(configurations, means, strict=True) if mean != best for item in items
    ]


class BestModels:
    """Drops what ``best`` does not keep, while items are computed, at a small share of the time.

    Args:
        store: The store.
        share: Of the time since the last look, at most this much may go into the next.
        is_awaited: Whether other predictions of an item are still to come in this run.
    """

    def __init__(self, store: CheckpointStore, is_awaited: Callable[[str], bool], share: float = 0.05) -> None:
        self._store = store
        self._is_awaited = is_awaited
        self._share = share
        self._next = 0.0

    def refresh(self, *, immediately: bool = False) -> None:
        """Drop the models of worse configurations, if it is time.

        Args:
            immediately: Also when it is not.

        Raises:
            StoreError: The store cannot be written.
        """
        if time.monotonic() < self._next and not immediately:
            return
        started = time.monotonic()
        spare = [key for key in worse_models(self._store.snapshot()) if not self._is_awaited(key)]
        drop_models(self._store, spare)
        self._next = time.monotonic() + (time.monotonic() - started) / self._share
