"""The benchmarks of one pytest process: one look at the records, one coordinator."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Literal

import pytest

from omnibench.coordinator import CACHED, Coordinator, Outcome
from omnibench.errors import OmnibenchError
from omnibench.evaluation import Result
from omnibench.plugin.collect import BenchItem
from omnibench.plugin.options import ENVIRONMENTS, FAILED, TMP_DIR, checkpoint_dir
from omnibench.plugin.summary import Summary
from omnibench.runners.guest.base import end_with_parent
from omnibench.runners.pool import Environments, available_cores
from omnibench.store.records import read_all
from omnibench.survey import DONE, State, count, look_up


class BenchSession:
    """What one process knows and holds while benchmarks run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        if hasattr(config, "workerinput"):
            end_with_parent()  # a worker whose controller was killed would go on with its item, and its guests with it
        self.environments = Environments.parse(ENVIRONMENTS.value(config))
        self._coordinator: Coordinator | None = None
        self._states: dict[str, State] = {}
        self._items: list[BenchItem] = []

    @property
    def coordinator(self) -> Coordinator:
        """The coordinator of this process, opened on first use.

        Raises:
            StoreError: The checkpoint directory cannot be used.
        """
        if self._coordinator is None:
            workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
            self._coordinator = Coordinator(
                checkpoint_dir(self.config),
                TMP_DIR.value(self.config) or None,
                environments=self.environments,
                failed=FAILED.value(self.config),
                threads=max(1, available_cores() // workers),
                notify=self._notify,
            )
        return self._coordinator

    def _notify(self, line: str) -> None:
        """Show a line now, also while an item runs and its output is captured, also from a worker."""
        if self.config.option.verbose < -1:
            return
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
            reporter = self.config.pluginmanager.get_plugin("terminalreporter")
            if reporter is not None:
                reporter.ensure_newline()
                reporter.write_line(f"omnibench: {line}")
            else:
                print(f"omnibench: {line}", file=sys.stderr, flush=True)  # noqa: T201 - a worker has no terminal

    def begin(self, items: Sequence[pytest.Item]) -> None:
        """Reset what is to be reset, then read once what is done, failed and pending."""
        self._items = [item for item in items if isinstance(item, BenchItem)]
        summary = self.config.pluginmanager.get_plugin("omnibench-summary")
        if isinstance(summary, Summary):
            summary.order = {item.nodeid: number for number, item in enumerate(self._items)}
        directory = checkpoint_dir(self.config)
        try:
            reset = bool(self.config.getoption("omnirec_reset"))
            if reset:
                self.coordinator.reset([item.experiment for item in self._items])
            snapshot = read_all(directory / "store")
        except (OmnibenchError, OSError) as error:
            self._notify(f"the checkpoints cannot be read: {error}")  # and each item will say so
            return
        for item in self._items:
            wanted = item.evaluator
            self._states[item.nodeid] = look_up(snapshot.get, item.experiment, wanted.columns, wanted.list_length)
        if self.config.option.verbose < 0:
            return
        self._notify(f"{count(self._states.values())}{' after the reset' if reset else ''} ({directory})")

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
        skipping = FAILED.value(self.config) == "skip"
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
        wanted = item.evaluator
        return self.coordinator.run_item(item.experiment, wanted.columns, wanted.list_length)

    def close(self) -> None:
        """End the guests and close the store; on the overseeing process, bring the exports up to date."""
        if self._coordinator is None and self.pending and not hasattr(self.config, "workerinput"):
            try:
                _ = self.coordinator
            except OmnibenchError:
                return  # every item has said so
        if self._coordinator is not None:
            self._coordinator.close()
            self._coordinator = None


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
