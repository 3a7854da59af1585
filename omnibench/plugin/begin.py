"""The beginning of a run, in the process that oversees it: reset what is to be reset, and look at the records once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pytest

from omnibench.engine.run import require
from omnibench.engine.survey import State, count, is_begun, look_up_all
from omnibench.errors import OmnibenchError, StoreError, nearest
from omnibench.plugin import garbage
from omnibench.plugin.items import ExperimentItem
from omnibench.plugin.options import SORT
from omnibench.store.damage import DamagedStoreError
from omnibench.store.reading import Answer, Reader, read
from omnibench.store.schema import Record

if TYPE_CHECKING:
    from omnibench.plugin.session import BenchSession


def begin(session: BenchSession, items: Sequence[pytest.Item]) -> None:
    """Reset what is to be reset, then read once what is done, failed and pending.

    Raises:
        pytest.UsageError: There is nothing to resume although there has to be, the user says no to a reset, or nothing
            has the metric to sort by.
    """
    session.items = [item for item in items if isinstance(item, ExperimentItem)]
    session.pending = session.items
    _check_sort(session)
    try:
        _check_resume(session)
        reset = _reset(session)
        states = look_at_records(session, session.items)
    except (StoreError, OSError) as error:
        session.notify(f"the checkpoints cannot be read: {error}")  # and each item will say so
        return
    session.begun = True
    for item, state in zip(session.items, states, strict=True):
        item.state = state
    session.pending = [item for item in session.items if not item.is_done]
    if session.config.getoption("verbose", 0) >= 0:
        session.notify(f"{count(states)}{reset} ({session.directory})")
    if session.config.getoption("omnirec_plan"):
        from omnibench.plugin.preview import show_plan

        show_plan(session, _snapshot(session))
    elif session.pending and not session.readonly:
        _note_run(session, states)


def _check_sort(session: BenchSession) -> None:
    label = SORT.value(session.config)
    labels = {
        one
        for evaluator in {id(item.evaluator): item.evaluator for item in session.items}.values()
        for one in evaluator.labels
    }
    if label and label not in labels:
        near = nearest(label, labels)
        raise pytest.UsageError(f"{SORT.flag} is {label!r}{near}; the metrics are {', '.join(sorted(labels))}.")


def look_at_records(session: BenchSession, items: Sequence[ExperimentItem]) -> list[State]:
    """Return what the records say of items.

    Raises:
        StoreError: They cannot be read.
    """
    evaluators = {id(item.parent): item.parent.evaluator for item in items}
    metrics = {parent: (evaluator.columns, evaluator.list_length) for parent, evaluator in evaluators.items()}
    wanted = [(item.experiment, *metrics[id(item.parent)]) for item in items]
    damaged: list[str] = []
    with garbage.none():
        states = _read(session, lambda reader: look_up_all(reader, wanted), damaged.append)
    if damaged:
        session.notify(f"{len(damaged)} records are damaged, the first is {damaged[0]}; they are made anew")
    return states


def _read(
    session: BenchSession, take: Callable[[Reader], Answer], on_damage: Callable[[str], None] = lambda _: None
) -> Answer:
    """Read records; a damaged database is set aside and rebuilt first, unless nothing may be written."""
    try:
        return read(session.directory / "store", take, on_damage, untouched=session.looks_only)
    except DamagedStoreError:
        if session.looks_only:
            raise
        return session.coordinator.store.read(take)


def _snapshot(session: BenchSession) -> dict[str, Record]:
    return _read(session, lambda reader: dict(reader.records()))


def _check_resume(session: BenchSession) -> None:
    if session.policy.resume != "require":
        return
    snapshot = _snapshot(session)
    try:
        require(is_begun(snapshot.get, item.experiment, item.evaluator.list_length) for item in session.items)
    except OmnibenchError as error:
        raise pytest.UsageError(str(error)) from error


def _reset(session: BenchSession) -> str:
    """Reset what is to be reset, and return how to say so."""
    what = session.config.getoption("omnirec_reset")
    items = [item.experiment for item in session.items]
    if session.policy.resume == "fresh":
        session.coordinator.reset(items, keep=True)
        return " in a fresh generation"
    if not what:
        return ""
    if what == "all" and not session.config.getoption("omnirec_yes") and not _agreed(session, len(items)):
        raise pytest.UsageError("nothing was reset, and nothing ran.")
    found = session.coordinator.reset(items, what)
    return f" after the reset of {len(found.items)}"


def _agreed(session: BenchSession, items: int) -> bool:
    """Ask on a terminal whether everything selected is to be reset; elsewhere nobody could answer."""
    capture = session.config.pluginmanager.get_plugin("capturemanager")
    capturing = capture is not None and capture.is_globally_capturing()
    if capture is not None:
        capture.suspend_global_capture(in_=True)  # capturing replaces the terminal by nothing to read from
    try:
        if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
            return True
        question = f"omnibench: compute {items} items anew, whatever is recorded of them in {session.directory}? [y/N] "
        print(question, end="", flush=True)  # noqa: T201 - a question to whoever sits there
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    finally:
        if capture is not None and capturing:
            capture.resume_global_capture()


def _note_run(session: BenchSession, states: Sequence[State]) -> None:
    items = [item.experiment for item in session.items]
    try:
        session.coordinator.begin(items, states, session.config.rootpath)
    except (StoreError, OSError) as error:
        session.notify(f"the checkpoints cannot be written: {error}")  # and each item will say so
