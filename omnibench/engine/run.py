"""A run: its id, the outcomes of its items, and the workspace of a run that keeps nothing."""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from omnibench.engine.policy import Policy
from omnibench.engine.survey import State
from omnibench.errors import OmnibenchError, PhaseError
from omnibench.experiment.evaluator import Evaluator
from omnibench.experiment.experiment import Experiment
from omnibench.naming import first_few
from omnibench.owners import is_swappable
from omnibench.results import Result
from omnibench.store.schema import Status
from omnibench.store.workspaces import Workspace
from omnibench.terminal import command_line, terminal_line, terminal_text

CACHED, SKIPPED = "cached", "skipped"
"""How an item ends when nothing is computed, beside ``schema.Status``."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an item ended.

    Attributes:
        status: ``done`` (something was computed), ``cached``, ``failed`` or ``skipped``.
        result: Its metrics, when done or cached.
        seconds: Wall time of each phase that ran now, and of waiting for a process to start; see ``Progress.seconds``.
        error: Why it failed, or failed last time when it is skipped.
        replayed: Whether the failure is an earlier run's, and nothing was tried now.
        blocked: Whether the framework's environment or the cluster cannot be used: that is recorded as no failure of the item's.
    """

    status: str
    result: Result
    seconds: dict[str, float] = field(default_factory=dict)
    error: PhaseError | None = None
    replayed: bool = False
    blocked: bool = False


def recorded_outcome(experiment: Experiment, state: State, policy: Policy) -> Outcome | None:
    """Return the outcome of an item that needs no work, or None when it is to be computed.

    Args:
        experiment: The item's experiment.
        state: Its state, from its records.
        policy: The policy, which says what is done about failures.
    """
    if state.metrics is not None:
        return Outcome(CACHED, experiment.result(state.metrics, state.as_seed))
    if state.error is None:
        return None
    error = PhaseError.recorded(state.error)
    if policy.failed == "skip":
        return Outcome(SKIPPED, experiment.result({}), error=error)
    if policy.failed == "replay":
        return Outcome(Status.FAILED, experiment.result({}), error=error, replayed=True)
    if state.deaths >= policy.max_attempts:
        message = (
            f"its process died {state.deaths} times in a row, so it is not tried again; --omnirec-max-attempts="
            f"{state.deaths + 1} tries once more, --omnirec-reset=failed forgets it. Last time: {error.message}"
        )
        refusal = PhaseError(error.phase, message, error.details, died=True)
        return Outcome(Status.FAILED, experiment.result({}), error=refusal, replayed=True)
    return None


class ItemsFailedError(OmnibenchError):
    """Some items of a run failed; the others are done.

    Attributes:
        evaluator: With the results of all that are done.
        failures: The error of each failed item, by name.
    """

    def __init__(self, evaluator: Evaluator, failures: Mapping[str, PhaseError], total: int) -> None:
        first, error = next((terminal_line(name), error) for name, error in failures.items())
        details = terminal_text(f"{error}\n{error.details}")
        super().__init__(
            f"{len(failures)} of {total} items failed, the first is {first}: {details}\n"
            "The others are done; the next run tries the failed ones again."
        )
        self.evaluator = evaluator
        self.failures = dict(failures)


def new_run_id() -> str:
    """Return an id for a run: the time in UTC and eight random digits."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{uuid.uuid4().hex[:8]}"


def throwaway_workspace() -> Workspace:
    """Return a temporary directory for a store; if its process dies, the next such process removes it.

    Raises:
        OmnibenchError: Anybody could put another directory in its place.
    """
    parent = Path(tempfile.gettempdir())
    if is_swappable(parent):
        raise OmnibenchError(
            f"everybody can replace what is in {str(parent)!r}, as it has no sticky bit, so no models are kept there, not even "
            f"for a moment. Set TMPDIR to a directory of yours, or have the administrator say `{command_line('chmod', '+t', parent)}`."
        )
    return Workspace(parent, "omnibench-")


def require_reset(states: Iterable[tuple[Experiment, State]], busy: Collection[str]) -> None:
    """Refuse to serve numbers that were to be computed anew; those of an item that is not done will be new.

    Args:
        states: The experiments of a run with the states of their items, after a reset.
        busy: The fit keys of items that could not be reset, because another process holds them.

    Raises:
        OmnibenchError: Some of them are done.
    """
    labels = [experiment.label for experiment, state in states if state.is_done and experiment.fit_key in busy]
    if labels:
        raise OmnibenchError(
            f"{first_few(labels, 3)} could not be reset, because another process works on {'it' if len(labels) == 1 else 'them'} "
            "right now; the old numbers would have been taken for new ones, so nothing ran. Wait for that process to end "
            "(`omnibench status` shows it), and run again."
        )


def require_begun(begun: Iterable[bool]) -> None:
    """Refuse to resume when none of the items was begun.

    Args:
        begun: Whether anything is recorded of each item.

    Raises:
        OmnibenchError: Nothing is recorded of any item.
    """
    if not any(begun):
        raise OmnibenchError(
            "there is nothing to resume: nothing is recorded of the selected items. Check --omnirec-checkpoint-dir, or "
            "leave out --omnirec-resume=require."
        )
