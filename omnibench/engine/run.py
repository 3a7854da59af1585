"""A run: its id, whether there is anything to go on from, how its items end, and the store of a run that keeps nothing."""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from omnibench.errors import OmnibenchError, PhaseError
from omnibench.experiment.evaluator import Evaluator
from omnibench.results import Result
from omnibench.store.leases import Workspace

CACHED, SKIPPED = "cached", "skipped"


@dataclass(frozen=True)
class Outcome:
    """How an item ended.

    Attributes:
        status: ``done`` (something was computed), ``cached``, ``failed`` or ``skipped``.
        result: Its metrics, when done or cached.
        seconds: Wall time of each phase that ran now.
        error: Why it failed, or failed last time when it is skipped.
        replayed: Whether the failure is an earlier run's, and nothing was tried now.
    """

    status: str
    result: Result
    seconds: dict[str, float] = field(default_factory=dict)
    error: PhaseError | None = None
    replayed: bool = False


class ItemsFailedError(OmnibenchError):
    """Some items of a run failed; the others are done.

    Attributes:
        evaluator: With the results of all that are done.
        failures: The error of each failed item, by name.
    """

    def __init__(self, evaluator: Evaluator, failures: Mapping[str, PhaseError], total: int) -> None:
        first, error = next(iter(failures.items()))
        super().__init__(
            f"{len(failures)} of {total} items failed, the first is {first}: {error}\n{error.details}\n"
            "The others are done; the next run tries the failed ones again."
        )
        self.evaluator = evaluator
        self.failures = dict(failures)


def new_run_id() -> str:
    """Return an id for a run: when, and a few digits."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{uuid.uuid4().hex[:8]}"


def throwaway() -> Workspace:
    """Return a directory for a store that nobody keeps; it is gone when its process is, if need be by the next one."""
    return Workspace(Path(tempfile.gettempdir()) / f"omnibench-{os.getuid()}")


def require(begun: Iterable[bool]) -> None:
    """Refuse a run that has nothing to go on from.

    Raises:
        OmnibenchError: Of none of the items anything is recorded.
    """
    if not any(begun):
        raise OmnibenchError(
            "there is nothing to resume: nothing is recorded of the selected items. Check --omnirec-checkpoint-dir, or "
            "leave out --omnirec-resume=require."
        )
