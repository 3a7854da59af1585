"""The benchmarks of one pytest process: one look at the records, one coordinator."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from omnibench.engine.devices import Devices
from omnibench.engine.items import Item
from omnibench.engine.policy import DEVICES
from omnibench.engine.run import CACHED, Outcome, new_run_id, throwaway_workspace
from omnibench.engine.stopping import StoppedError, Stopping
from omnibench.engine.survey import State, look_up_all, recorded_threads
from omnibench.errors import OmnibenchError, PhaseError, StoreError
from omnibench.experiment.refit import ValidationUse
from omnibench.experiment.resources import Resources
from omnibench.experiment.threads import keyed_threads
from omnibench.limits import limit_error
from omnibench.plugin import garbage
from omnibench.plugin.copies import refresh_stale_copies
from omnibench.plugin.items import ExperimentItem
from omnibench.plugin.lines import echo, prints_are_shown, usage_error, write_line
from omnibench.plugin.options import CLUSTER, DETACH, ENVIRONMENTS, PLAN, READONLY, TMP_DIR
from omnibench.plugin.settings import checkpoint_dir, path_of, policy
from omnibench.plugin.wire import RunMessage
from omnibench.runners.environments import Environments
from omnibench.store.damage import DamagedStoreError
from omnibench.store.formats import SEALED_SINCE
from omnibench.store.reader import Reader
from omnibench.store.reading import Answer, read
from omnibench.store.schema import Record, Status
from omnibench.store.waiting import LockedStoreError
from omnibench.store.workspaces import Workspace

if TYPE_CHECKING:  # half a second of imports, which a cached run saves
    from omnibench.engine.coordinator import Coordinator
    from omnibench.experiment.configuration import Configuration
    from omnibench.runners.info import RunnerInfo


BRIEFLY = 2.0
"""Seconds that what a later run could also find out may wait for others' writes."""

_LOOKAHEAD = 10
"""So many items ahead a framework that they need is worth starting."""


class BenchSession:
    """The state of one process while benchmarks run: its store, its coordinator, its items.

    Attributes:
        policy: The settings that are the same for all items.
        readonly: Whether nothing may be computed or written, by the user's wish.
        is_worker: Whether this process is one of xdist's workers.
        environments: The frameworks' environments.
        directory: The checkpoint directory.
        run_id: The run that this process takes part in.
        stopping: Whether the run was asked to stop; entered by whoever drives items.
        items: The benchmark items of this run, in the process that oversees it.
        pending: Those that were not found done.
        planned: All items that bench functions declare, by the function's node id; also those that are deselected.
        validation: Who uses the validation parts of the datasets that bench functions declare.
        begun: Whether the records were looked at.
        computed: The outcomes, or the errors, of items that a cluster has computed and pytest is yet to run, by their ids.
        gave_up: Whether the run ended because of what would keep every item from being computed.
        say: Writes a line to the terminal from any thread, while something is displayed there.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.policy = policy(config)
        self.readonly = READONLY.is_on(config)
        self.is_worker = hasattr(config, "workerinput")
        message = RunMessage.received(config)
        self.run_id = message.run_id if message is not None else new_run_id()
        self._worker: str = getattr(config, "workerinput", {}).get("workerid", "main")
        self._throwaway: Workspace | None = None
        if self.policy.resume == "never" and not self.is_worker:
            self._throwaway = _throwaway_workspace()
        if message is not None:
            self.directory = Path(message.directory)
        else:
            self.directory = self._throwaway.directory / "checkpoints" if self._throwaway else checkpoint_dir(config)
        self.stopping = Stopping(
            self.policy.grace, self.notify, insistent=not self.is_worker, on_first_signal=self._stop_soon
        )
        if self.is_worker:
            from omnibench.guest import forks
            from omnibench.guest.base import end_with_parent

            # Its controller learns by the end of its pipe that it has died, which what it has forked must not keep open.
            for plugin in config.pluginmanager.get_plugins():
                if type(plugin).__name__ == "WorkerInteractor":  # which xdist registers without a name
                    forks.withhold_gateway(plugin.channel.gateway)
            end_with_parent()  # a worker whose controller was killed would go on with its item, and its guests with it
            self.stopping.__enter__()  # until the process ends
        self.environments = Environments.parse(ENVIRONMENTS.value(config))
        self._coordinator: Coordinator | None = None
        self.begun = False
        self.say: Callable[[str], None] | None = None
        self.items: list[ExperimentItem] = []
        self.pending: list[ExperimentItem] = []
        self.planned: dict[str, list[ExperimentItem]] = {}
        self.validation = ValidationUse()
        self._positions: dict[int, int] = {}
        self.gave_up = False
        self.computed: dict[int, Outcome | OmnibenchError] = {}

    @cached_property
    def _devices(self) -> Devices:
        return Devices(self.policy.device, CLUSTER.value(self.config) or None)

    def device_of(self, configuration: Configuration, resources: Resources) -> str:
        """Return the device class of a configuration: a plugin's choice, else the options'; see ``Devices.of``.

        Raises:
            OmnibenchError: A GPU is wanted, and there is none; or a plugin says something else.
        """
        hook = self.config.hook.pytest_omnibench_device
        plugin_choice = hook(config=self.config, configuration=configuration) if hook.get_hookimpls() else None
        if plugin_choice not in (None, *DEVICES[1:]):
            raise OmnibenchError(
                f"pytest_omnibench_device returned {plugin_choice!r} for {configuration}; return {', '.join(DEVICES[1:])}."
            )
        return self._devices.of(configuration, resources, plugin_choice)

    def threads_of(self, configuration: Configuration) -> int:
        """Return the number of threads that a configuration's key names, or 0; see ``keyed_threads``."""
        return keyed_threads(configuration, self.policy.threads)

    @property
    def looks_only(self) -> bool:
        """Whether this process computes nothing, nor writes anything but what ``detach`` notes for the job that does."""
        return self.readonly or PLAN.is_on(self.config) or DETACH.is_on(self.config)

    def look_at_records(self, items: Sequence[ExperimentItem]) -> list[State]:
        """Return the state of items according to the records.

        Raises:
            StoreError: They cannot be read.
        """
        evaluators = {id(item.benchmark): item.evaluator for item in items}
        metrics = {key: (evaluator.columns, evaluator.list_length) for key, evaluator in evaluators.items()}
        engine_items = [Item(item.experiment, *metrics[id(item.benchmark)]) for item in items]
        damaged: list[str] = []
        with garbage.paused():
            states = self._read(lambda reader: look_up_all(reader, engine_items), damaged.append)
        if damaged:
            self.notify(f"{len(damaged)} records are damaged, the first is {damaged[0]}; they are made anew")
        return states

    def present(self, keys: Sequence[str]) -> set[str]:
        """Return those of some keys that have a record; a store that cannot be read says so later."""
        return self._from_store(lambda reader: reader.present(keys)) or set()

    def recorded_threads(self, fit_keys: Sequence[str]) -> dict[str, int]:
        """Return how many threads computed the items that were fitted, by their keys; see ``survey.recorded_threads``."""
        return self._from_store(lambda reader: recorded_threads(reader, fit_keys)) or {}

    def _from_store(self, take: Callable[[Reader], Answer]) -> Answer | None:
        """Read records for the keys of items, or return None where they cannot be read."""
        with suppress(StoreError, OSError):
            return read(self.directory / "store", take, untouched=self.looks_only)
        return None

    def snapshot(self) -> dict[str, Record]:
        """Return all records by key.

        Raises:
            StoreError: They cannot be read.
        """
        return self._read(lambda reader: dict(reader.records()))

    def _read(self, take: Callable[[Reader], Answer], on_damage: Callable[[str], None] = lambda _: None) -> Answer:
        """Read records; a damaged database is set aside and rebuilt first, unless nothing may be written."""
        try:
            return read(self.directory / "store", take, on_damage, untouched=self.looks_only)
        except DamagedStoreError:
            if self.looks_only:
                raise
            return self.coordinator.store.read(take)

    def _stop_soon(self, reason: str = "") -> None:
        """On a worker, begin no further item; a KeyboardInterrupt there would have xdist start another worker."""
        session = self.config.pluginmanager.get_plugin("session")
        if self.is_worker and isinstance(session, pytest.Session):
            session.shouldstop = reason or f"asked to stop by {self.stopping.reason}"

    @property
    def coordinator(self) -> Coordinator:
        """The coordinator of this process, opened on first use.

        Raises:
            StoreError: The checkpoint directory cannot be used.
        """
        if self._coordinator is None:
            from omnibench.engine.coordinator import Coordinator  # see above

            workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
            try:
                self._coordinator = Coordinator(
                    self.directory,
                    path_of(TMP_DIR, self.config) if TMP_DIR.value(self.config) else None,
                    # `never` and `fresh` are the overseeing process's business, once.
                    policy=replace(self.policy, resume="auto"),
                    environments=self.environments,
                    workers=workers,
                    notify=self.notify,
                    run_id=self.run_id,
                    worker=self._worker,
                    stopping=self.stopping,
                    cluster=CLUSTER.value(self.config) or None,
                )
            except (OSError, RuntimeError) as error:  # the latter where no thread can be started
                if limit := limit_error(error):
                    raise limit from error
                raise
            collected = self.config.pluginmanager.get_plugin("session")
            items = collected.items if isinstance(collected, pytest.Session) else []
            self._coordinator.workbench.expect(
                Item.of(item.experiment, item.evaluator) for item in items if isinstance(item, ExperimentItem)
            )
            if not self.is_worker and prints_are_shown(self.config):
                self._coordinator.workbench.echo = echo
        return self._coordinator

    def notify(self, line: str) -> None:
        """Show a line now, also while an item runs and its output is captured, also from a worker."""
        if self.config.getoption("verbose", 0) < -1:
            return
        if self.say is not None:
            self.say(f"omnibench: {line}")
            return
        if self.is_worker and self._coordinator is not None:  # for the overseeing process to show
            self._coordinator.worker.note(line)
            return
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
            reporter = self.config.pluginmanager.get_plugin("terminalreporter")
            if reporter is not None and not self.is_worker:  # a worker's writes to nowhere
                reporter.ensure_newline()
                write_line(reporter, f"omnibench: {line}")
                reporter.flush()  # who reads a pipe or a file wants to know it now
            else:
                from omnibench.terminal import terminal_text  # as in plugin.lines

                print(terminal_text(f"omnibench: {line}"), file=sys.stderr, flush=True)  # noqa: T201 - a worker has no terminal

    def build_environments(self) -> None:
        """Begin to build the environments that pending items need; an item whose environment fails says so itself."""
        if self.looks_only or CLUSTER.value(self.config):  # where they are built where they are used
            return
        skipping = self.policy.failed != "retry"
        needed = {
            item.experiment.configuration.runner.guest_name: item.experiment.configuration.runner
            for item in self.pending
            if not (skipping and item.state and item.state.error)
        }
        missing = [runner for runner in needed.values() if not self.environments.is_built(runner)]
        if missing:  # meanwhile the first datasets are prepared, and what is ready computes
            threading.Thread(target=self._build, args=(missing,), daemon=True, name="omnibench-environments").start()

    def _build(self, missing: list[RunnerInfo]) -> None:
        for runner in missing:
            try:
                self.environments.python(runner, self.notify)
            except OmnibenchError as error:
                self.notify(str(error))

    def run(self, item: ExperimentItem) -> Outcome:
        """Bring an item to Done, or return its recorded result when it is done already."""
        if item.is_done:
            return Outcome(CACHED, item.recorded)
        if self.readonly:
            return self._unavailable(item)
        computed = self.computed.pop(id(item), None)
        if isinstance(computed, OmnibenchError):
            raise computed
        if computed is not None:
            item.seconds_before = sum(computed.seconds.values())
            return computed
        self._start_next_guests(item)
        try:
            return self.coordinator.run_item(Item.of(item.experiment, item.evaluator))
        except StoppedError as stopped:
            words = f"{stopped}" if self.policy.resume == "never" else f"{stopped}; the next run goes on from there"
            if self.is_worker:
                pytest.skip(words)
            raise StoppedError(words) from stopped
        except LockedStoreError as error:
            self.give_up(error)

    def give_up(self, error: OmnibenchError) -> NoReturn:
        """End the run: what keeps one item from being computed, and is none's failure, would keep the next one as well.

        Args:
            error: The reason.
        """
        self.gave_up = True
        self.stopping.ask("what keeps every item from being computed")
        if self.is_worker:  # the overseeing process ends the run when it hears of this
            self._stop_soon(str(error))
            pytest.skip(f"{error}")
        from omnibench.terminal import terminal_text  # as in plugin.lines

        pytest.exit(terminal_text(str(error)), pytest.ExitCode.INTERRUPTED)

    def _start_next_guests(self, item: ExperimentItem) -> None:
        """Start the next framework's guest early, unless workers leave no core idle or costs are measured."""
        if self.is_worker or item.evaluator.costs:
            return
        if not self._positions:
            self._positions = {id(pending): position for position, pending in enumerate(self.pending)}
        start = self._positions.get(id(item), len(self.pending)) + 1
        for following in self.pending[start : start + _LOOKAHEAD]:
            self.coordinator.foresee(item.experiment, following.experiment)

    def _unavailable(self, item: ExperimentItem) -> Outcome:
        """Return the failure that a read-only store has recorded of an item, or skip it."""
        state = item.state or self.look_at_records([item])[0]
        if state.error:
            error = PhaseError.recorded(state.error)
            return Outcome(Status.FAILED, item.experiment.result({}), error=error, replayed=True)
        pytest.skip(f"not available: {self.directory} has no result of it, and {READONLY.flag} computes none")

    def remember(self, records: dict[str, Record], forgotten: Sequence[str] = ()) -> None:
        """Record what a later run could also find out again, unless the store would have to be migrated first.

        Args:
            records: By key.
            forgotten: The keys of records that do not hold any more.
        """
        if self.looks_only:
            return
        with suppress(StoreError, OSError):
            if read(self.directory / "store", lambda reader: reader.version) >= SEALED_SINCE:
                self._commit(records, forgotten)

    def _commit(self, records: dict[str, Record], forgotten: Sequence[str]) -> None:
        if self._coordinator is not None:
            self._coordinator.store.records.commit(records, forgotten, patience=BRIEFLY)
            return
        from omnibench.store import CheckpointStore

        # A coordinator would bring the exports up to date, of which nothing has changed.
        store = CheckpointStore(
            self.directory,
            allow_network_fs=self.policy.allow_network_fs,
            shared=self.policy.shared,
            notify=self.notify,
            patience=BRIEFLY,
        )
        with closing(store):
            store.records.commit(records, forgotten)

    def note_death(self, nodeid: str, message: str) -> str:
        """Record that the worker which computed an item died; return what the next run does about it, if that is known."""
        for item in self.items:
            if item.nodeid == nodeid and not self.readonly:
                try:
                    evaluator = item.evaluator
                    columns, list_length = evaluator.columns, evaluator.list_length
                    return self.coordinator.note_death(item.experiment, message, columns, list_length)
                except (StoreError, OSError) as error:
                    self.notify(f"{item.experiment.label}: its failure could not be recorded: {error}")
        return ""

    def close(self) -> None:
        """End the guests and close the store; on the overseeing process, bring the exports up to date."""
        idle = self.looks_only or self.is_worker or not self.begun or self.gave_up
        if self._coordinator is None and self.pending and not idle:
            try:
                _ = self.coordinator
            except OmnibenchError:
                return  # every item has said so
        if self._coordinator is not None:
            self._coordinator.close()
            self._coordinator = None
        elif self.begun and not idle:
            refresh_stale_copies(self.directory, self.notify)
        if self._throwaway is not None:
            self._throwaway.remove()


def _throwaway_workspace() -> Workspace:
    try:
        return throwaway_workspace()
    except OmnibenchError as error:
        raise usage_error(error) from error
