"""run_omnirec: a whole run in one call, for scripts and notebooks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from omnibench.arguments import checked_call
from omnibench.data.dataset import RecSysDataSet
from omnibench.engine.coordinator import Coordinator
from omnibench.engine.parallel import checked_workers
from omnibench.engine.policy import Policy
from omnibench.engine.sentences import Volume
from omnibench.errors import ClusterError
from omnibench.experiment.evaluator import Evaluator
from omnibench.experiment.plan import ExperimentPlan
from omnibench.experiment.seeds import Seeds, checked_seeds
from omnibench.seed import get_random_state
from omnibench.snapshots.control import Snapshots


@checked_call
def run_omnirec(
    datasets: RecSysDataSet | Iterable[RecSysDataSet],
    plan: ExperimentPlan,
    evaluator: Evaluator,
    checkpoint_dir: str | os.PathLike[str] = "checkpoints",
    tmp_dir: str | os.PathLike[str] | None = None,
    policy: Policy | None = None,
    *,
    seeds: Seeds = 1,
    workers: int | str = 1,
    environments: str | Mapping[str, str] = "isolated",
    quiet: bool = False,
    verbose: bool = False,
    refit: str | None = None,
    snapshots: Snapshots | str | None = None,
    pull_from: str | os.PathLike[str] | None = None,
    cluster: str | None = None,
) -> Evaluator:
    """Run every experiment that is not done, print the tables, and return the evaluator with all results.

    Keys and store are those of the pytest plugin: what one computed, the other finds. What the run is doing goes to
    stderr (a block on a terminal, a line per item elsewhere), the tables to stdout; a notebook shows both below the
    cell.

    Args:
        datasets: One or several datasets with a split.
        plan: The algorithms.
        evaluator: The metrics.
        checkpoint_dir: Where checkpoints are kept.
        tmp_dir: Where guests get their working directories.
        policy: How to deal with earlier runs' checkpoints, with failures, and with requests to stop.
        seeds: How many seeds, the first being that of ``set_random_state``, or a list of them. With several, tables have
            means over folds and seeds; what is known to be deterministic is fitted once.
        workers: How many items are computed at once, the longest first; ``auto`` for as many as cores and memory allow.
            Each has framework processes of its own, and none of them imports the script for it.
        environments: ``isolated``, ``current``, or by framework: a mapping, or a text such as ``LensKit=current``.
        quiet: Say nothing but what goes wrong, and print no tables.
        verbose: Say each item's times also where there is a block.
        refit: ``train+validation`` to fit on both parts what needs no validation; by default on training alone.
        snapshots: When the state of running Fits is kept, where the plan says nothing: ``Snapshots(...)``, or a text such as
            ``10m``, ``50it`` or ``off``; by default what the policy says.
        pull_from: Where somebody has published finished items (``omnibench publish``), which are taken over, verified and
            marked, before anything is computed: a directory, or an address. Models are not taken over.
        cluster: Where Fit and Predict run, in the place of ``workers`` on this machine: ``local:4``, ``slurm:8``,
            ``tcp://HOST:PORT``, ``tls://HOST:PORT`` or ``file:/shared/scheduler.json``.

    Raises:
        ClusterError: There is no such place, both ``cluster`` and ``workers`` are given, or the cluster is gone.
        SharingError: Nothing is published there, or it cannot be reached; nothing has been computed.
        OmnibenchError: Datasets, plan and metrics do not go together; nothing has been computed.
        ItemsFailedError: Some items failed; raised after all others are done.
        KeyboardInterrupt: The run was asked to stop (Ctrl-C). Its text says what is done; a script that does not catch
            it ends without a traceback.
    """
    Volume.of(quiet=quiet, verbose=verbose)
    checked_workers(workers)
    checked_seeds(seeds, get_random_state())
    if cluster is not None and workers != 1:
        raise ClusterError(
            f"workers={workers!r} computes on this machine, and cluster={cluster!r} elsewhere; give one of them."
        )
    with Coordinator(checkpoint_dir, tmp_dir, policy=policy, environments=environments, cluster=cluster) as coordinator:
        return coordinator.run(
            datasets,
            plan,
            evaluator,
            seeds=seeds,
            workers=workers,
            quiet=quiet,
            verbose=verbose,
            refit=refit,
            snapshots=snapshots,
            pull_from=pull_from,
        )
