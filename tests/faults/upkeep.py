"""Reset, deletion, garbage collection, and stores of older formats, as errands for a child."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.plant import items
from omnibench.engine.coordinator import Coordinator
from omnibench.store import CheckpointStore
from omnibench.store.deletion import delete, tidy
from omnibench.store.gc import collect
from omnibench.store.models import drop_models

FROZEN = Path(__file__).parent.parent / "assets" / "stores"


@dataclass(frozen=True)
class Reset:
    """Have items computed anew.

    Attributes:
        root: The store.
        numbers: Which items.
        selection: From which phase on, or in which state.
    """

    root: Path
    numbers: tuple[int, ...]
    selection: str = "all"

    def __call__(self) -> dict[str, Any]:
        """Do it."""
        messages: list[str] = []
        with Coordinator(self.root, environments="current", threads=1, notify=messages.append) as coordinator:
            done = coordinator.reset([items()[number] for number in self.numbers], self.selection)
        return {"told": messages, "failed": {}, "reset": list(done.items)}


@dataclass(frozen=True)
class Collect:
    """Remove what no record needs.

    Attributes:
        root: The store.
    """

    root: Path

    def __call__(self) -> dict[str, Any]:
        """Do it."""
        return {
            "told": [str(collect(self.root, kept=True, planned=True, aside_older_than=0.0, history_older_than=0.0))],
            "failed": {},
        }


@dataclass(frozen=True)
class Delete:
    """Delete an item, or its model.

    Attributes:
        root: The store.
        number: Which item.
        models: Whether only its model goes.
    """

    root: Path
    number: int
    models: bool

    @property
    def fit_key(self) -> str:
        """The item's key."""
        return items()[self.number].fit_key

    def __call__(self) -> dict[str, Any]:
        """Do it."""
        store = CheckpointStore(self.root)
        try:
            done = (drop_models if self.models else delete)(store, [self.fit_key])
        finally:
            store.close()
        tidy(self.root)
        return {"told": [], "failed": {}, "deleted": done.items}


def older_stores() -> list[Path]:
    """Return the frozen stores of earlier formats that the tests keep."""
    return sorted(FROZEN.glob("format-*"))


def thaw(frozen: Path, root: Path) -> None:
    """Put a frozen store in a store's place."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(frozen, root)
