"""How items end, and how a run ends in which some failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from omnibench.errors import OmnibenchError, PhaseError
from omnibench.evaluation import Evaluator, Result

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
