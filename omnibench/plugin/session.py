"""The benchmarks of one pytest process: one look at the records, one coordinator."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from omnibench.coordinator import Coordinator
from omnibench.errors import OmnibenchError, PhaseError, StoreError
from omnibench.evaluation import Result
from omnibench.outcome import CACHED, Outcome
from omnibench.plugin.collect import BenchItem
from omnibench.plugin.foresee import show_plan
from omnibench.plugin.options import ENVIRONMENTS, READONLY, TMP_DIR, checkpoint_dir, policy
from omnibench.plugin.summary import Summary
from omnibench.runners.guest.base import end_with_parent
from omnibench.runners.pool import Environments, available_cores
from omnibench.runs import new_run_id, require, throwaway
from omnibench.stopping import StoppedError, Stopping
from omnibench.store.damage import DamagedStoreError
from omnibench.store.leases import Workspace
from omnibench.store.records import read_all
from omnibench.store.sealing import Record
from omnibench.survey import DONE, FAILED, State, count, is_begun, look_up


class BenchSession:
    """What one process knows and holds while benchmarks run.

    Attributes:
        policy: What is the same for all items.
        directory: The checkpoint directory.
        run_id: The run that this process takes part in.
        stopping: Whether the run was asked to stop; entered by whoever drives items.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.policy = policy(config)
        self.readonly = READONLY.is_on(config)
        told: dict[str, str] = getattr(config, "workerinput", {})
        self.is_worker = hasattr(config, "workerinput")
        self.run_id = told.get("omnibench_run") or new_run_id()
        self._worker = told.get("workerid", "main")
        self._throwaway: Workspace | None = None
        if self.policy.resume == "never" and not self.is_worker:
            self._throwaway = throwaway()
        kept = self._throwaway.directory / "checkpoints" if self._throwaway else checkpoint_dir(config)
        self.directory = Path(told.get("omnibench_directory") or kept)
        self.stopping = Stopping(
            self.policy.grace, self._notify, insistent=not self.is_worker, on_first=self._stop_soon
        )
        if self.is_worker:
            end_with_parent()  # a worker whose controller was killed would go on with its item, and its guests with it
            self.stopping.__enter__()  # until the process ends
        self.environments = Environments.parse(ENVIRONMENTS.value(config))
        self._coordinator: Coordinator | None = None
        self._states: dict[str, State] = {}
        self._begun = False
        self._items: list[BenchItem] = []

    @property
    def looks_only(self) -> bool:
        """Whether nothing is to be computed or written."""
        return self.readonly or bool(self.config.getoption("omnirec_plan"))

    def _stop_soon(self) -> None:
        """On a worker, begin no further item; a KeyboardInterrupt there would have xdist start another worker."""
        session = self.config.pluginmanager.get_plugin("session")
        if self.is_worker and isinstance(session, pytest.Session):
            session.shouldstop = f"asked to stop by {self.stopping.reason}"

    @property
    def coordinator(self) -> Coordinator:
        """The coordinator of this process, opened on first use.

        Raises:
            StoreError: The checkpoint directory cannot be used.
        """
        if self._coordinator is None:
            workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
            self._coordinator = Coordinator(
                self.directory,
                TMP_DIR.value(self.config) or None,
                # `never` and `fresh` are the overseeing process's business, once.
                policy=replace(self.policy, resume="auto"),
                environments=self.environments,
                threads=max(1, available_cores() // workers),
                notify=self._notify,
                run_id=self.run_id,
                worker=self._worker,
                stopping=self.stopping,
            )
        return self._coordinator

    def _notify(self, line: str) -> None:
        """Show a line now, also while an item runs and its output is captured, also from a worker."""
        if self.config.option.verbose < -1:
            return
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
            reporter = self.config.pluginmanager.get_plugin("terminalreporter")
            if reporter is not None and not self.is_worker:  # a worker's writes to nowhere
                reporter.ensure_newline()
                reporter.write_line(f"omnibench: {line}")
                reporter.flush()  # who reads a pipe or a file wants to know it now
            else:
                print(f"omnibench: {line}", file=sys.stderr, flush=True)  # noqa: T201 - a worker has no terminal

    def begin(self, items: Sequence[pytest.Item]) -> None:
        """Reset what is to be reset, then read once what is done, failed and pending."""
        self._items = [item for item in items if isinstance(item, BenchItem)]
        summary = self.config.pluginmanager.get_plugin("omnibench-summary")
        if isinstance(summary, Summary):
            summary.order = {item.nodeid: number for number, item in enumerate(self._items)}
        try:
            snapshot = self.snapshot()
            self._check_resume(snapshot)
            reset = self._reset()
            if reset:
                snapshot = self.snapshot()
        except (StoreError, OSError) as error:
            self._notify(f"the checkpoints cannot be read: {error}")  # and each item will say so
            return
        self._begun = True
        for item in self._items:
            wanted = item.evaluator
            self._states[item.nodeid] = look_up(snapshot.get, item.experiment, wanted.columns, wanted.list_length)
        if self.config.option.verbose >= 0:
            self._notify(f"{count(self._states.values())}{reset} ({self.directory})")
        if self.config.getoption("omnirec_plan"):
            show_plan(self, snapshot)
        elif self.pending and not self.readonly:
            self._note_run()

    def snapshot(self) -> dict[str, Record]:
        """Return every record; a damaged database is set aside and rebuilt first (unless nothing may be written).

        Raises:
            StoreError: They cannot be read.
        """
        damaged: list[str] = []
        try:
            records = read_all(self.directory / "store", damaged.append, untouched=self.looks_only)
        except DamagedStoreError:
            if self.looks_only:
                raise
            return self.coordinator.store.snapshot()
        if damaged:
            self._notify(f"{len(damaged)} records are damaged, the first is {damaged[0]}; they are made anew")
        return records

    def _check_resume(self, snapshot: dict[str, Record]) -> None:
        if self.policy.resume != "require":
            return
        try:
            require(is_begun(snapshot.get, item.experiment, item.evaluator.list_length) for item in self._items)
        except OmnibenchError as error:
            raise pytest.UsageError(str(error)) from error

    def _reset(self) -> str:
        """Reset what is to be reset, and return how to say so."""
        what = self.config.getoption("omnirec_reset")
        items = [item.experiment for item in self._items]
        if self.policy.resume == "fresh":
            self.coordinator.reset(items, keep=True)
            return " in a fresh generation"
        if not what:
            return ""
        if what == "all" and not self.config.getoption("omnirec_yes") and not self._agreed(len(items)):
            raise pytest.UsageError("nothing was reset, and nothing ran.")
        found = self.coordinator.reset(items, what)
        return f" after the reset of {len(found.items)}"

    def _agreed(self, items: int) -> bool:
        """Ask on a terminal whether everything selected is to be reset; elsewhere nobody could answer."""
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        capturing = capture is not None and capture.is_globally_capturing()
        if capture is not None:
            capture.suspend_global_capture(in_=True)  # capturing replaces the terminal by nothing to read from
        try:
            if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
                return True
            question = (
                f"omnibench: compute {items} items anew, whatever is recorded of them in {self.directory}? [y/N] "
            )
            print(question, end="", flush=True)  # noqa: T201 - a question to whoever sits there
            return sys.stdin.readline().strip().lower() in ("y", "yes")
        finally:
            if capture is not None and capturing:
                capture.resume_global_capture()

    def _note_run(self) -> None:
        items = [item.experiment for item in self._items]
        try:
            self.coordinator.begin(items, [self._states[item.nodeid] for item in self._items], self.config.rootpath)
        except (StoreError, OSError) as error:
            self._notify(f"the checkpoints cannot be written: {error}")  # and each item will say so

    def is_done(self, item: pytest.Item) -> bool:
        """Whether the one look at the records found an item done."""
        state = self._states.get(item.nodeid)
        return state is not None and state.status == DONE

    @property
    def pending(self) -> list[BenchItem]:
        """The items that are not done."""
        return [item for item in self._items if not self.is_done(item)]

    def build_environments(self) -> None:
        """Build the environments that pending items need; an item whose environment fails says so itself."""
        if self.looks_only:
            return
        skipping = self.policy.failed != "retry"
        needed = {
            item.experiment.configuration.runner.name: item.experiment.configuration.runner
            for item in self.pending
            if not (skipping and item.nodeid in self._states and self._states[item.nodeid].error)
        }
        for runner in needed.values():
            try:
                self.environments.python(runner, self._notify)
            except OmnibenchError as error:
                self._notify(str(error))

    def report_cached(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Report a done item without running it; False when it must take the ordinary way."""
        if not isinstance(item, BenchItem) or not self.is_done(item) or item.has_body or _has_conditions(item):
            return False
        item.tell(self._cached(item))
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        item.ihook.pytest_runtest_logreport(report=_report(item, "call", omnibench=item.told))
        item.ihook.pytest_runtest_logreport(report=_report(item, "teardown"))  # when JUnit files take properties
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        item.session._setupstate.teardown_exact(nextitem)  # noqa: SLF001 - as pytest's own protocol ends
        return True

    def _cached(self, item: BenchItem) -> Outcome:
        return Outcome(CACHED, Result.of(item.experiment, self._states[item.nodeid].metrics))

    def run(self, item: BenchItem) -> Outcome:
        """Bring an item to Done, or return what was found at the start."""
        if self.is_done(item):
            return self._cached(item)
        if self.readonly:
            return self._unavailable(item)
        wanted = item.evaluator
        try:
            return self.coordinator.run_item(item.experiment, wanted.columns, wanted.list_length)
        except StoppedError as stopped:
            if self.is_worker:
                pytest.skip(f"{stopped}; the next run goes on with it")
            raise

    def _unavailable(self, item: BenchItem) -> Outcome:
        """Return the failure that a read-only store has recorded of an item, or skip it."""
        if not self._states and self.is_worker:
            snapshot = self.snapshot()
            state = look_up(snapshot.get, item.experiment, item.evaluator.columns, item.evaluator.list_length)
        else:
            state = self._states.get(item.nodeid, State(FAILED))
        if state.error:
            error = PhaseError.recorded(state.error)
            return Outcome(FAILED, Result.of(item.experiment, {}), error=error, replayed=True)
        pytest.skip(f"not available: {self.directory} has no result of it, and {READONLY.flag} computes none")

    def note_death(self, nodeid: str, message: str) -> None:
        """Record that the worker which computed an item died."""
        for item in self._items:
            if item.nodeid == nodeid and not self.readonly:
                try:
                    self.coordinator.note_death(item.experiment, message)
                except (StoreError, OSError) as error:
                    self._notify(f"{item.experiment.name}: its failure could not be recorded: {error}")

    def close(self) -> None:
        """End the guests and close the store; on the overseeing process, bring the exports up to date."""
        idle = self.looks_only or self.is_worker or not self._begun
        if self._coordinator is None and self.pending and not idle:
            try:
                _ = self.coordinator
            except OmnibenchError:
                return  # every item has said so
        if self._coordinator is not None:
            self._coordinator.close()
            self._coordinator = None
        if self._throwaway is not None:
            self._throwaway.remove()


def _report(item: BenchItem, when: Literal["call", "teardown"], **told: Any) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords=dict.fromkeys(item.keywords, 1),
        outcome="passed",
        longrepr=None,
        when=when,
        user_properties=item.user_properties,
        **told,
    )


def _has_conditions(item: BenchItem) -> bool:
    """Whether a mark decides about the item when it is set up."""
    return any(next(item.iter_markers(name), None) is not None for name in ("skip", "skipif", "xfail", "usefixtures"))


def report_all(items: Sequence[Any], session: pytest.Session) -> None:
    """Run items in this process, as pytest's own loop does."""
    for index, item in enumerate(items):
        nextitem = items[index + 1] if index + 1 < len(items) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
