"""The coordinator of a whole run: looks up what is done, computes the rest, and gathers results and failures."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from omnibench.arguments import checked_call
from omnibench.data.dataset import RecSysDataSet
from omnibench.engine.declared import note_declared
from omnibench.engine.display import PlainScreen, ScriptView, screen_of_script
from omnibench.engine.elsewhere import compute_elsewhere, number_elsewhere
from omnibench.engine.equal_seeds import urgency
from omnibench.engine.fit_needs import machine_capacity, may_be_refused, needs_of_all, refuse_oversized
from omnibench.engine.item_coordinator import ItemCoordinator, print_to_stderr
from omnibench.engine.items import Item
from omnibench.engine.live import Tally, estimates_in
from omnibench.engine.parallel import (
    Waiting,
    checked_workers,
    compute_side_by_side,
    longest_first,
    most_workers,
    number_of_workers,
    weight,
)
from omnibench.engine.policy import check_directories
from omnibench.engine.run import CACHED, ItemsFailedError, Outcome, recorded_outcome, require_begun, require_reset
from omnibench.engine.sentences import Volume, ended_line, stop_sentence
from omnibench.engine.stopping import StoppedError, stopped_for_good
from omnibench.engine.summary import show_tables
from omnibench.engine.survey import State, begun, count, look_up_all, recorded_threads
from omnibench.engine.workbench import Workbench
from omnibench.errors import EvaluationError, PhaseError
from omnibench.experiment.evaluator import Evaluator
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.framework_resources import framework_resources
from omnibench.experiment.plan import ExperimentPlan
from omnibench.experiment.planning import check_order, experiments
from omnibench.experiment.recorded import RecordedKeys
from omnibench.experiment.refit import ValidationUse
from omnibench.experiment.seeds import Seeds, checked_seeds
from omnibench.experiment.threads import keyed_threads
from omnibench.notebooks import is_interactive
from omnibench.seed import get_random_state
from omnibench.snapshots.control import Snapshots
from omnibench.store.choices import with_choices
from omnibench.store.schema import RecordLookup, RecordType, Status


class Coordinator(ItemCoordinator):
    """Runs items against a checkpoint store. Use it as a context manager, or close it.

    Args:
        checkpoint_dir: Where checkpoints are kept; made absolute at once, created when missing.
        tmp_dir: Where guests get their working directories; inside the checkpoint directory by default.
        policy: How to deal with earlier runs' checkpoints, with failures, and with requests to stop.
        environments: ``isolated``, ``current``, or by framework: a mapping, or a text such as ``LensKit=current``.
        threads: The number of cores that the guests share, of which algorithms make use whose numbers do not depend on it;
            all of this process by default. For the others see ``Policy.threads``.
        notify: Called with a line when something is worth telling; stderr by default.
        run_id: The run that this is part of; one of its own by default.
        worker: The name of this process in the run.
        stopping: Hears signals; ``run`` listens by itself when none is given.
        cluster: Where guests run: ``local:4``, ``slurm``, ``tcp://...``, ``tls://...`` or ``file:...``; on this machine, in
            processes of this one, by default.
        workers: How many processes like this one share the cores of the machine.

    Raises:
        ClusterError: There is no such place.
        StoreError: The checkpoint directory cannot be used.
    """

    @checked_call
    def run(
        self,
        datasets: RecSysDataSet | Iterable[RecSysDataSet],
        plan: ExperimentPlan,
        evaluator: Evaluator,
        *,
        seeds: Seeds = 1,
        workers: int | str = 1,
        quiet: bool = False,
        verbose: bool = False,
        tables: bool = True,
        refit: str | None = None,
        snapshots: Snapshots | str | None = None,
        pull_from: str | os.PathLike[str] | None = None,
    ) -> Evaluator:
        """Run every experiment that is not done, and fill the evaluator with the results of all.

        On a terminal and in a notebook a block shows what the run is doing, elsewhere each item gets a line on stderr;
        the tables follow at the end, on stdout.

        Args:
            datasets: One or several datasets with a split.
            plan: The algorithms.
            evaluator: The metrics; it is returned with all results.
            seeds: How many seeds, the first being that of ``set_random_state``, or a list of them. What is known to be
                deterministic is fitted once.
            workers: How many items are computed at once, the longest first; ``auto`` for as many as cores and memory
                allow. Each has framework processes of its own.
            quiet: Say nothing but what goes wrong, and print no tables.
            verbose: Say each item's times also where there is a block.
            tables: Print the tables; False for a caller who shows the results otherwise.
            refit: ``train+validation`` to fit on both parts what needs no validation; by default on training alone.
            snapshots: When the state of running Fits is kept, where the plan says nothing: ``Snapshots(...)``, or a text such as
                ``10m``, ``50it`` or ``off``; by default what the policy says.
            pull_from: Where somebody has published finished items, which are taken over before anything is computed: a
                directory, or an address.

        Raises:
            SharingError: Nothing is published there, or it cannot be reached; nothing has been computed.
            OmnibenchError: Datasets, plan and metrics do not go together; nothing has been computed.
            ItemsFailedError: Some items failed; raised after all others are done.
            KeyboardInterrupt: The run was asked to stop. Its text says what is done; a script that does not catch it
                ends without a traceback.
        """
        check_order(datasets, plan, evaluator)
        if not isinstance(evaluator, Evaluator):
            raise EvaluationError(f"the evaluator is {evaluator!r}; give an Evaluator, e.g. Evaluator(NDCG(10)).")
        volume = Volume.of(quiet=quiet, verbose=verbose)
        checked_workers(workers)
        all_seeds = checked_seeds(seeds, get_random_state())
        outcomes: dict[int, Outcome] = {}
        planned: list[Experiment] = []
        validation = ValidationUse()
        try:
            with self._stopping:
                planned = experiments(
                    datasets,
                    plan,
                    evaluator.metrics,
                    versions=self.environments.version,
                    seeds=all_seeds,
                    device=self.devices.of,
                    salt=self.policy.salt,
                    threads=lambda configuration: keyed_threads(configuration, self.policy.threads),
                    candidates=evaluator.candidates,
                    recorded=RecordedKeys(
                        self.store.root,
                        lambda keys: self.store.read(lambda reader: reader.present(keys)),
                        lambda keys: self.store.read(lambda reader: recorded_threads(reader, keys)),
                    ),
                    refit=refit,
                    validation=validation,
                    snapshots=snapshots,
                    resources=framework_resources(Path.cwd()),
                )
                check_directories(planned, self.policy, self.store.root)
                for sentence in validation.sentences() if volume is not Volume.QUIET else ():
                    self._notify(sentence)
                return self._run(planned, evaluator, outcomes, workers, volume, tables=tables, pull_from=pull_from)
        except StoppedError:
            stopped = stopped_for_good(stop_sentence(self._stopping.reason, outcomes, planned), self._stopping.reason)
            if not is_interactive():
                self._notify(str(stopped))
            raise stopped from None

    def _run(
        self,
        planned: Sequence[Experiment],
        evaluator: Evaluator,
        outcomes: dict[int, Outcome],
        workers: int | str,
        volume: Volume,
        *,
        tables: bool,
        pull_from: str | os.PathLike[str] | None,
    ) -> Evaluator:
        columns, list_length = evaluator.columns, evaluator.list_length
        items = [Item(experiment, columns, list_length) for experiment in planned]
        if self.policy.resume == "require":
            require_begun(begun(self.store.snapshot(), items))
        busy = self.reset(planned, keep=True).busy if self.policy.resume == "fresh" else ()
        self.workbench.expect(items)
        states = self.store.read(lambda reader: look_up_all(reader, items))
        if pull_from is not None and self._pulled(pull_from, items, states):
            states = self.store.read(lambda reader: look_up_all(reader, items))
        require_reset(zip(planned, states, strict=True), busy)
        if volume is not Volume.QUIET:
            self._notify(f"{count(states)} ({self.store.root})")
        pending = [item.experiment for item, state in zip(items, states, strict=True) if not state.is_done]
        refuse_oversized(self._unfitted(pending), self.policy, self.workbench.cluster)
        if pending:
            self._prepare(pending)
            self.begin(planned, states)
        note_declared(self.store, planned, columns, self._notify)
        recorded = (
            recorded_outcome(item.experiment, state, self.policy) for item, state in zip(items, states, strict=True)
        )
        outcomes.update((number, outcome) for number, outcome in enumerate(recorded) if outcome is not None)
        try:
            self._compute(items, outcomes, workers, volume)
        finally:
            _add(outcomes, evaluator, self.store.records.get)
        self.workbench.export(immediately=True)
        if tables and volume is not Volume.QUIET:
            lower = evaluator.lower_is_better
            show_tables(self.store.root, planned, evaluator.results, lower, self.store.records.commit, self._notify)
            evaluator.note_shown()
        failures = _failures(items, outcomes)
        if failures:
            raise ItemsFailedError(evaluator, failures, len(items))
        return evaluator

    def _unfitted(self, pending: Sequence[Experiment]) -> list[Experiment]:
        """Return the experiments that ask for anything and have no fitted model."""
        asking = {RecordType.FIT.key(each.fit_key): each for each in pending if may_be_refused(each)}
        fitted = self.store.read(lambda reader: reader.present(list(asking))) if asking else set()
        return [experiment for key, experiment in asking.items() if key not in fitted]

    def _pulled(self, address: str | os.PathLike[str], items: Sequence[Item], states: Sequence[State]) -> bool:
        """Take over what is published of items that are not done; return whether anything was."""
        pending = [item.experiment.fit_key for item, state in zip(items, states, strict=True) if not state.is_done]
        if not pending or self.policy.resume in ("never", "fresh"):
            return False
        from omnibench.engine.pulling import pull, source_at  # which import whatever fetches files

        outcome = pull(self.store, source_at(address), list(dict.fromkeys(pending)), self._notify)
        return bool(outcome.gained or outcome.extended)

    def _compute(self, items: Sequence[Item], outcomes: dict[int, Outcome], workers: int | str, volume: Volume) -> None:
        """Compute the items that have no outcome yet, and show that."""
        queue = [number for number in range(len(items)) if number not in outcomes]
        if not queue:
            return
        estimates = estimates_in(self.store.root)
        experiments_left = {number: items[number].experiment for number in queue}
        frameworks = {experiment.configuration.runner.name for experiment in experiments_left.values()}
        is_elsewhere = self.workbench.cluster is not None
        left = [items[number] for number in queue]
        count_of_workers = (
            number_elsewhere(self, left)
            if is_elsewhere
            else number_of_workers(
                workers,
                most_workers(experiments_left.values()),
                estimates,
                frameworks,
                partial(self.workbench.requirements.usual, experiments_left.values()),
                self.policy.memory_limit,
            )
        )
        tally = Tally({str(number): item for number, item in experiments_left.items()}, len(outcomes), estimates)
        ending = threading.Lock()

        def compute(number: int, workbench: Workbench) -> None:
            outcome = self.run_item(items[number], workbench)
            with ending:
                outcomes[number] = outcome
                tally.count(str(number), outcome.status, outcome.seconds)
                if volume.says(outcome, has_block=self._screen is not None and self._screen.has_block):
                    self._notify(ended_line(items[number].experiment.label, outcome, tally))

        with self._on_screen(tally, count_of_workers, volume):
            if is_elsewhere:
                compute_elsewhere(self, left, estimates, lambda position, bench: compute(queue[position], bench))
                return
            if count_of_workers == 1:
                for number in queue:
                    compute(number, self.workbench)
                return
            experiments_to_do = list(experiments_left.values())
            seconds = [urgency(experiment, estimates.expected(experiment)) for experiment in experiments_to_do]
            threads, share = (
                self.policy.guest_threads(self._threads // count_of_workers),
                self._threads / count_of_workers,
            )
            needs = needs_of_all(experiments_to_do, self.workbench.requirements, self.policy, share)
            capacity = machine_capacity(self.policy)
            if needs is not None:
                pairs = zip(seconds, needs, strict=True)
                seconds = [weight(each, needed, capacity, count_of_workers) for each, needed in pairs]
            needs_of_number = None if needs is None else dict(zip(queue, needs, strict=True)).__getitem__
            compute_side_by_side(
                Waiting([queue[position] for position in longest_first(seconds)], needs_of_number, capacity).next,
                [partial(self.workbench.beside, f"gw{number}", threads, share) for number in range(count_of_workers)],
                compute,
                self._stopping,
                partial(self.help_searches, [item.experiment for item in items]),
            )

    @contextmanager
    def _on_screen(self, tally: Tally, workers: int, volume: Volume) -> Iterator[None]:
        """Show the run while it goes on; on a screen only when nobody else has asked for the lines."""
        if volume is Volume.QUIET:
            yield
            return
        screen = screen_of_script() if self._user_notify is print_to_stderr else None
        self._screen = screen or PlainScreen(self._user_notify)
        try:
            with ScriptView(self.store.root, self.run_id, tally, workers, self._screen):
                yield
        finally:
            self._screen = None


def _add(outcomes: Mapping[int, Outcome], evaluator: Evaluator, lookup: RecordLookup) -> None:
    """Add the results to an evaluator in the order of the plan, whatever ended first."""
    done = [outcome.result for _, outcome in sorted(outcomes.items()) if outcome.status in (Status.DONE, CACHED)]
    for result in with_choices(done, lookup):
        evaluator.add(result)


def _failures(items: Sequence[Item], outcomes: Mapping[int, Outcome]) -> dict[str, PhaseError]:
    """Return the error of each failed item, by its name."""
    return {
        items[number].experiment.name: outcome.error
        for number, outcome in sorted(outcomes.items())
        if (outcome.status == Status.FAILED or outcome.blocked) and outcome.error is not None
    }
