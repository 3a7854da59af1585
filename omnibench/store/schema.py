"""What records are: their keys, their statuses, what stands in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NotRequired, TypedDict

Record = dict[str, Any]


class Artifact(TypedDict):
    """What a record keeps of a file: where, what must be in it, and how the file system knew it then."""

    path: str
    size: int
    sha256: str
    stat: NotRequired[list[int]]


Get = Callable[[str], dict[str, Any] | None]


DONE, FAILED, INTERRUPTED, PENDING = "done", "failed", "interrupted", "pending"


VERIFY = ("full", "stat", "off")


RESETS = ("all", "failed", "incomplete", "Fit", "Predict", "Eval")
"""What can be reset: items whatever their state, those that failed, those that are not done; or from a phase on."""


def pending_item(labels: Record, generation: int = 0) -> Record:
    """Return the record of an item of which nothing is computed yet."""
    return {
        **labels,
        "status": "pending",
        "phase": None,
        "generation": generation,
        "metrics": {},
        "error": None,
        "failures": 0,
        "deaths": 0,
        "exported": 0,
        "finished": None,
    }


def artifacts_of(record: Record) -> list[Artifact]:
    """Return the files that a record names."""
    named = [record[role] for role in ("model", "predictions", "per_user") if record.get(role)]
    return [*named, *record.get("files", [])]
