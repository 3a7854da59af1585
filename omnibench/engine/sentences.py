"""What a script's run says: how much, the line of an item that has ended, and the sentence after a Ctrl-C."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Self

from omnibench.engine.live import Tally
from omnibench.engine.run import CACHED, Outcome
from omnibench.errors import OmnibenchError
from omnibench.experiment.experiment import Experiment
from omnibench.store.schema import Status


class Volume(Enum):
    """How much a run says."""

    QUIET = "quiet"
    NORMAL = "normal"
    VERBOSE = "verbose"

    @classmethod
    def of(cls, *, quiet: bool, verbose: bool) -> Self:
        """Return the volume that the arguments of ``run_omnirec`` ask for.

        Raises:
            OmnibenchError: They contradict each other.
        """
        if quiet and verbose:
            raise OmnibenchError("quiet and verbose are both asked for; leave out one of them.")
        return cls("quiet" if quiet else "verbose" if verbose else "normal")

    def says(self, outcome: Outcome, *, has_block: bool) -> bool:
        """Return whether an item that has ended gets a line; where a block counts them, only failures need one."""
        if outcome.status == CACHED or self is Volume.QUIET:
            return False
        return self is Volume.VERBOSE or not has_block or outcome.status == Status.FAILED


def ended_line(name: str, outcome: Outcome, tally: Tally) -> str:
    """Return the line of an item that has ended.

    Args:
        name: What people call the item.
        outcome: How it ended.
        tally: The items so far, this one included.
    """
    times = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in outcome.seconds.items())
    error = outcome.error
    reason = "" if error is None else ": " + ". ".join(filter(None, [str(error).splitlines()[0], error.prospect]))
    as_seed = outcome.result.as_seed
    alike = "" if as_seed is None else f", as seed_{as_seed}"
    return f"[{tally.total - tally.pending}/{tally.total}] {outcome.status} {name} ({times}){alike}{reason}"


def stop_sentence(reason: str, outcomes: Mapping[int, Outcome], planned: Sequence[Experiment]) -> str:
    """Return what a run says when it was asked to stop.

    Args:
        reason: The signal's name.
        outcomes: How items have ended so far, by their positions.
        planned: All of them.
    """
    done = sum(outcome.status in (Status.DONE, CACHED) for outcome in outcomes.values())
    if not planned:
        return f"stopped by {reason} before anything was computed; run it again to start."
    return (
        f"stopped by {reason}: {done} of {len(planned)} items are done and recorded; run it again to go on from there."
    )
