"""The checkpoint store: records, artifacts, leases, and queries of them.

Only this room writes under the checkpoint directory; it knows neither algorithms nor frameworks, and of metrics only
their labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omnibench.store.checkpoints import CheckpointStore

__all__ = ["CheckpointStore"]


def __getattr__(name: str) -> Any:
    if name != "CheckpointStore":
        raise AttributeError(f"module 'omnibench.store' has no attribute {name!r}")
    from omnibench.store import checkpoints  # whoever only reads records needs none of it

    return checkpoints.CheckpointStore
