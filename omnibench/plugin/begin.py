"""The beginning of a run, in the process that oversees it: resets items, and looks at the records once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import pytest

from omnibench.engine.items import Item
from omnibench.engine.run import require_begun, require_reset
from omnibench.engine.survey import State, begun, count
from omnibench.errors import OmnibenchError, SharingError, StoreError
from omnibench.metrics.labels import alternatives, has_label
from omnibench.plugin.items import ExperimentItem
from omnibench.plugin.lines import usage_error
from omnibench.plugin.options import CLUSTER, DETACH, FROM, PLAN, RESET, RESUME, SORT, YES
from omnibench.plugin.plan import note_plan
from omnibench.plugin.session import BenchSession
from omnibench.store.beneath import OF_ALL, refuse_links
from omnibench.store.formats import NewerStoreError
from omnibench.store.ownership import refuse_foreign
from omnibench.store.permissions import sharing
from omnibench.store.schema import RecordType
from omnibench.store.sharing import make_root
from omnibench.store.strangers import refuse_strangers, refuse_unreadable
from omnibench.store.waiting import LockedStoreError

if TYPE_CHECKING:  # which runs on this machine do not need
    from omnibench.cluster.cluster import Cluster


def start_run(session: BenchSession, items: Sequence[pytest.Item]) -> None:
    """Reset the items that the options ask for, look at the records once, and print the counts by status.

    Args:
        session: The benchmarks of the overseeing process.
        items: The selected items, of benchmarks and others; without benchmarks nothing happens.

    Raises:
        pytest.UsageError: There is nothing to resume although there has to be, the user says no to a reset or it cannot be
            done, nothing has the metric to sort by, a newer omnibench has made the store, the checkpoint directory holds
            others' files, data differs from process to process, or nothing is published where items are to be pulled from.
    """
    session.items = [item for item in items if isinstance(item, ExperimentItem)]
    session.pending = session.items
    if not session.items:
        return
    _check_sort(session)
    _check_directory(session)
    try:
        _check_resume(session)
        reset, busy = _reset(session)
        states = session.look_at_records(session.items)
        if FROM.value(session.config) and not session.looks_only:
            from omnibench.plugin.pulling import with_pulled  # which imports whatever fetches files

            states = with_pulled(session, states)
    except (NewerStoreError, SharingError) as error:
        raise usage_error(error) from error
    except LockedStoreError as error:
        session.give_up(error)
    except (StoreError, OSError) as error:
        session.notify(f"the checkpoints cannot be read: {error}")  # and each item will say so
        return
    try:
        require_reset(zip((item.experiment for item in session.items), states, strict=True), busy)
    except OmnibenchError as error:
        raise usage_error(error) from error
    _note_states(session, states, reset)
    if PLAN.is_on(session.config):
        from omnibench.plugin.preview import show_plan  # imports that other runs save

        show_plan(session, session.snapshot())
        return
    if session.pending:
        _begin(session, states)
    note_plan(session)


def _begin(session: BenchSession, states: Sequence[State]) -> None:
    """Check and note what is to be computed, or have a job compute it."""
    if DETACH.is_on(session.config):
        from omnibench.plugin.detach import cluster_of, detach  # which other runs do not need

        _refuse_oversized(session, partial(cluster_of, session))
        detach(session, states)
    elif not session.readonly:
        is_elsewhere = bool(CLUSTER.value(session.config))
        _refuse_oversized(session, lambda: session.coordinator.workbench.cluster if is_elsewhere else None)
        from omnibench.plugin.unsteady import refuse_redrawn_data  # which runs without pending items save

        refuse_redrawn_data(session)
        _note_run(session, states)


def _refuse_oversized(session: BenchSession, cluster: Callable[[], Cluster | None]) -> None:
    """Refuse Fits that ask for more than this machine has, or the cluster, before anything runs."""
    asking = {
        RecordType.FIT.key(item.experiment.fit_key): item.experiment
        for item in session.pending
        if item.experiment.resources.is_said
        or item.experiment.device != "cpu"  # as ``fit_needs.may_be_refused`` has it
    }
    if asking:
        from omnibench.engine.fit_needs import refuse_oversized  # most runs ask for nothing

        fitted = session.present(list(asking))
        try:
            unfitted = [each for key, each in asking.items() if key not in fitted]
            refuse_oversized(unfitted, session.policy, cluster())
        except OmnibenchError as error:
            raise usage_error(error) from error


def _note_states(session: BenchSession, states: Sequence[State], reset: str) -> None:
    """Note the states of the items, and print how many of each there are."""
    session.begun = True
    for item, state in zip(session.items, states, strict=True):
        item.state = state
    session.pending = [item for item in session.items if not item.is_done]
    if session.config.getoption("verbose", 0) >= 0:
        session.notify(f"{count(states)}{reset} ({session.directory})")
        for sentence in session.validation.sentences():
            session.notify(sentence)


def _check_sort(session: BenchSession) -> None:
    label = SORT.value(session.config)
    evaluators = {id(item.evaluator): item.evaluator for item in session.items}
    labels = {name for evaluator in evaluators.values() for name in evaluator.labels}
    if label and not has_label(labels, label):
        raise usage_error(f"{SORT.flag} is {label!r}, which is not measured; {alternatives(label, sorted(labels))}")


def _check_directory(session: BenchSession) -> None:
    try:
        if not session.looks_only:
            refuse_strangers(session.directory, session.policy.shared)
        refuse_unreadable(session.directory)
        refuse_foreign(session.directory)
        refuse_links(session.directory, *OF_ALL)  # which a run that finds everything done would not meet
        if not session.looks_only and sharing(session.policy.shared) != "no" and session.directory.exists():
            make_root(session.directory, shared=True, notify=session.notify)
    except StoreError as error:
        raise usage_error(error) from error
    except OSError as error:
        session.notify(f"the checkpoints cannot be shared: {error}")


def _check_resume(session: BenchSession) -> None:
    if session.policy.resume != "require":
        return
    items = (Item.of(item.experiment, item.evaluator) for item in session.items)
    try:
        require_begun(begun(session.snapshot(), items))
    except OmnibenchError as error:
        raise usage_error(error) from error


def _reset(session: BenchSession) -> tuple[str, frozenset[str]]:
    """Reset the items that the options ask for.

    Returns:
        What the first line of the run says about it, and the keys of items that another process works on.
    """
    try:
        return _reset_items(session)
    except NewerStoreError:
        raise
    except (StoreError, OSError) as error:  # or the run would serve the numbers that nobody wants any more
        option = RESET if session.policy.resume != "fresh" else RESUME
        raise usage_error(f"{option.flag} could not be done, so nothing ran: {error}") from error


def _reset_items(session: BenchSession) -> tuple[str, frozenset[str]]:
    extent = RESET.value(session.config)
    items = [item.experiment for item in session.items]
    if session.policy.resume == "fresh":
        return " in a fresh generation", frozenset(session.coordinator.reset(items, keep=True).busy)
    if not extent:
        return "", frozenset()
    if extent == RESET.bare and not YES.is_on(session.config) and not _agreed(session, len(items)):
        raise usage_error("nothing was reset, and nothing ran.")
    reset = session.coordinator.reset(items, extent)
    return f" after the reset of {len(reset.items)}", frozenset(reset.busy)


def _agreed(session: BenchSession, items: int) -> bool:
    """Ask on a terminal whether everything selected is to be reset; without a terminal the answer is yes."""
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
    except LockedStoreError as error:
        session.give_up(error)
    except (StoreError, OSError) as error:
        session.notify(f"the checkpoints cannot be written: {error}")  # and each item will say so
