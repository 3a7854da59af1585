"""WHAT IS KNOWN: records, artifacts, leases. Only this room writes under the checkpoint directory."""

from omnibench.store.checkpoints import CheckpointStore

__all__ = ["CheckpointStore"]
