"""What a worker of a distributed run does that has run its last item."""

from __future__ import annotations

from contextlib import suppress

import pytest

from omnibench.engine.stopping import StoppedError
from omnibench.plugin.items import ExperimentItem
from omnibench.plugin.session import BenchSession


def help_others(benchmarks: BenchSession, session: pytest.Session) -> None:
    """Compute trials of tuned items that other workers are at.

    Args:
        benchmarks: The worker's benchmarks.
        session: Its session, whose items are those of the whole run.
    """
    tuned = [
        item.experiment
        for item in session.items
        if isinstance(item, ExperimentItem) and item.experiment.search is not None
    ]
    if tuned and not (session.shouldstop or session.shouldfail or benchmarks.gave_up):
        with suppress(StoppedError):  # it is no item's; the overseeing process ends the run
            benchmarks.coordinator.help_searches(tuned)
