"""What a worker does that has run out of items: it computes trials of the searches that others are at."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from omnibench.engine.attempt import phase_options
from omnibench.engine.progress import Progress
from omnibench.engine.search import TunedSearch
from omnibench.engine.workbench import Workbench
from omnibench.errors import OmnibenchError, PhaseError
from omnibench.experiment.experiment import Experiment
from omnibench.store.schema import Phase, RecordType, Status

_LOOK_SECONDS = 0.1
_PATIENCE_SECONDS = 2.0
"""So long nobody has to be at any search before nobody is expected to begin one: an item ends, the next one begins."""


def help_searches(workbench: Workbench, experiments: Sequence[Experiment]) -> None:
    """Compute trials of tuned items that other workers are at, until there is nothing left to help with.

    What goes wrong here is no item's failure: whoever is at the item meets it as well.

    Args:
        workbench: Where trials are computed.
        experiments: All items of the run.
    """
    tuned = [experiment for experiment in experiments if experiment.search is not None]
    if not tuned:
        return
    try:
        _help(workbench, tuned)
    except (OmnibenchError, OSError) as error:
        workbench.worker.log.add(logging.WARNING, "omnibench", f"stopped helping: {error}")


def _help(workbench: Workbench, tuned: Sequence[Experiment]) -> None:
    searches: dict[str, tuple[TunedSearch, Progress]] = {}
    left = {experiment.fit_key: experiment for experiment in tuned}
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while left and time.monotonic() < deadline:
        workbench.stopping.check()
        is_busy = False
        for fit_key, experiment in list(left.items()):
            if _has_ended(workbench, fit_key):
                del left[fit_key]
                continue
            if workbench.store.holder(fit_key) is None:
                continue
            key = experiment.search_key
            if key not in searches:
                begun = workbench.store.records.get(RecordType.SEARCH.key(key))
                if begun is None:  # its item is being prepared
                    deadline = time.monotonic() + _PATIENCE_SECONDS
                    continue
                searches[key] = _joined(workbench, experiment, begun["directory"])
            try:
                is_busy = _advance(workbench, experiment, *searches[key]) or is_busy
            except PhaseError:  # all trials have failed, as whoever is at the item will say
                del left[fit_key]
            deadline = time.monotonic() + _PATIENCE_SECONDS  # from now on: a trial may take long
        if not is_busy:
            workbench.resources.wait_for_others()
            time.sleep(_LOOK_SECONDS)


def _advance(workbench: Workbench, experiment: Experiment, search: TunedSearch, progress: Progress) -> bool:
    """Compute a trial of a search, or propose some; return whether there was anything to do."""
    if search.outcome() is not None:
        return False
    workbench.current = experiment.name
    try:
        progress.enter(Phase.TUNE)
        return search.advance()
    finally:
        progress.leave()
        workbench.current = ""


def _joined(workbench: Workbench, experiment: Experiment, directory: str | None) -> tuple[TunedSearch, Progress]:
    """Take part in a search, whose trials stand in the manifest of its item, whoever computes them."""
    progress = Progress(workbench, experiment)
    dataset = workbench.datasets.get(experiment.dataset)
    search = TunedSearch(workbench, experiment, progress, dataset, phase_options(workbench), directory)
    search.records.refresh(everything=True)
    return search, progress


def _has_ended(workbench: Workbench, fit_key: str) -> bool:
    """Whether nothing more is to come of an item in this run; what has failed in an earlier one is tried again."""
    record = workbench.store.records.get(RecordType.ITEM.key(fit_key)) or {}
    if record.get("status") == Status.FAILED:
        return any(attempt.get("run") == workbench.worker.log.run for attempt in record.get("attempts", ())[-1:])
    return record.get("status") == Status.DONE
