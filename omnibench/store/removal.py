"""Removing items, or their models, from a store that no run has open: as scripts and commands ask for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from omnibench.store.checkpoints import CheckpointStore
from omnibench.store.deletion import delete, tidy
from omnibench.store.exports import Exports
from omnibench.store.models import drop_models


@dataclass(frozen=True, slots=True)
class Removed:
    """What a deletion has removed, or would remove.

    Attributes:
        items: Keys of the items that are gone, or whose models are.
        busy: Keys of items that somebody computes right now, so that they were left alone.
        needed: Keys of items that still need their models, because they have no predictions yet.
        size: Bytes of their files.
        sizes: The same by directory, relative to the store's; not of models alone.
    """

    items: tuple[str, ...]
    busy: tuple[str, ...]
    needed: tuple[str, ...]
    size: int
    sizes: Mapping[str, int] = field(default_factory=dict)


def remove_models(root: Path, fit_keys: Iterable[str], *, dry_run: bool) -> Removed:
    """Remove the models of items, which stay done, with their numbers and predictions.

    Args:
        root: The store's directory.
        fit_keys: The items' keys.
        dry_run: Remove nothing, and return what would be removed.

    Raises:
        StoreError: The store cannot be written.
    """
    store = CheckpointStore(root)
    try:
        dropped = drop_models(store, fit_keys, dry_run=dry_run)
    finally:
        store.close()
    return Removed(tuple(dropped.items), tuple(dropped.busy), tuple(dropped.needed), dropped.size)


def remove_items(root: Path, fit_keys: Iterable[str], *, dry_run: bool) -> Removed:
    """Remove items for good, with all that was recorded and computed of them.

    Args:
        root: The store's directory.
        fit_keys: The items' keys.
        dry_run: Remove nothing, and return what would be removed.

    Raises:
        StoreError: The store cannot be written.
    """
    store = CheckpointStore(root)
    try:
        deleted = delete(store, fit_keys, dry_run=dry_run)
        has_changed = bool(deleted.items) and not dry_run
        if has_changed:
            Exports(store).refresh(immediately=True)
    finally:
        store.close()
    if has_changed:
        tidy(root)
    return Removed(tuple(deleted.items), tuple(deleted.busy), (), deleted.size, deleted.sizes)
