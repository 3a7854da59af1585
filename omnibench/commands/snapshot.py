"""``omnibench snapshot``: ask running Fits for a snapshot, now."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from omnibench.commands.parsing import ITEM, add_parser, complain, say
from omnibench.durations import seconds
from omnibench.engine.asking import Outcome
from omnibench.engine.running_fits import RunningFit, active_workers, ask, is_fitting
from omnibench.store.light_records import light_records
from omnibench.store.queries import Store, open_store
from omnibench.store.schema import Record, RecordType
from omnibench.tables.names import recorded_names

_FINE = (Outcome.SUCCESS, Outcome.ENDED)
"""What leaves nothing of a Fit's work in memory alone."""


def snapshot(arguments: argparse.Namespace) -> int:
    """Ask the running Fits of a store for a snapshot now, and say what was made."""
    store = open_store(arguments.store)
    timeout = None if arguments.timeout is None else seconds(arguments.timeout)
    records = light_records(store.root).records
    items = store.items_in(records)
    title = _Titles(items)
    workers = (record for key, record in records.items() if RecordType.WORKER.has(key))
    active = active_workers(store.root, workers)
    fits = [fit for fit in active if is_fitting(fit.phase)]
    is_fine = True
    if arguments.items:
        names = {fit.item for fit in active}  # whose records may not be there yet
        selections = [[text] if text in names else store.select(text) for text in arguments.items]
        fitting = {fit.item for fit in fits}
        for selection in selections:
            if fitting.isdisjoint(selection):
                is_fine = False
                _say_elsewhere(selection, active, items, title)
        fits = [fit for fit in fits if any(fit.item in selection for selection in selections)]
    elif not active:
        complain(f"nothing is computed in {store.root} right now; --store names another checkpoint directory.")
        return 1
    elif not fits:
        _say_elsewhere([fit.item for fit in active], active, items, title)
    return 0 if _ask(store, fits, timeout, title) and fits and is_fine else 1


class _Titles:
    """Says what people call items and their trials.

    Args:
        items: The records of the store's items, by name.
    """

    def __init__(self, items: Mapping[str, Record]) -> None:
        self._items = items
        self._names = recorded_names(items.values())

    def of(self, name: str) -> str:
        """Return what people call an item."""
        return self._names.recorded_item(self._items[name]) if name in self._items else name

    def of_fit(self, fit: RunningFit) -> str:
        """Return what people call a Fit, which may be that of a trial."""
        return f"{self.of(fit.item)}{'' if fit.trial is None else f', trial {fit.trial}'}"


def _say_elsewhere(
    selection: Sequence[str], active: Sequence[RunningFit], items: Mapping[str, Record], title: _Titles
) -> None:
    """Say why none of some items is asked for a snapshot."""
    phases = {fit.item: fit.phase for fit in active if fit.item in selection}
    for name, phase in phases.items():
        say(f"{title.of(name)}: is in {phase}, where there is nothing to snapshot")
    if not phases and len(selection) > 1:
        say(f"none of these {len(selection)} items is being fitted right now")
    elif not phases:
        for name in selection:
            say(f"{title.of(name)}: is {items[name]['status']}, and is not being fitted right now")


def _ask(store: Store, fits: Sequence[RunningFit], timeout: float | None, title: _Titles) -> bool:
    """Ask for snapshots and say what comes of it; return whether all is on disk."""
    is_fine = True

    def say_waiting(waiting: Sequence[RunningFit]) -> None:
        for fit in waiting:
            complain(f"waiting for {title.of_fit(fit)}: a snapshot is taken between two iterations{_reached(fit)}")

    if fits:
        for fit, answer in ask(store.root, fits, timeout, say_waiting):
            say(f"{title.of_fit(fit)}: {answer.sentence}")
            is_fine = is_fine and answer.outcome in _FINE
    return is_fine


def _reached(fit: RunningFit) -> str:
    epoch, epochs = fit.progress.get("epoch"), fit.progress.get("epochs")
    if type(epoch) is not int:
        return ""
    return f" (it has reported epoch {epoch}{f' of {epochs}' if type(epochs) is int else ''})"


def add_parsers(commands: Any) -> None:
    """Declare the command to argparse."""
    parser = add_parser(commands, "snapshot", snapshot)
    parser.add_argument("items", metavar="ITEM", nargs="*", help=f"{ITEM} (default: all that run)")
    parser.add_argument(
        "--timeout",
        metavar="TIME",
        help="wait no longer than this for the answers, e.g. 90s (default: as long as it takes)",
    )
