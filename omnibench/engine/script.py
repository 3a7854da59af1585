"""run_omnirec: a whole run in one call, for scripts and notebooks."""

from __future__ import annotations

import os
from collections.abc import Iterable

from omnibench.data.dataset import RecSysDataSet
from omnibench.engine.coordinator import Coordinator
from omnibench.engine.policy import Policy
from omnibench.experiment.evaluator import Evaluator
from omnibench.experiment.plan import ExperimentPlan


def run_omnirec(
    datasets: RecSysDataSet | Iterable[RecSysDataSet],
    plan: ExperimentPlan,
    evaluator: Evaluator,
    checkpoint_dir: str | os.PathLike[str] = "checkpoints",
    tmp_dir: str | os.PathLike[str] | None = None,
    policy: Policy | None = None,
) -> Evaluator:
    """Run every experiment that is not done and return the evaluator with all results.

    Keys and store are those of the pytest plugin: what one computed, the other finds.

    Args:
        datasets: One or several datasets with a split.
        plan: The algorithms.
        evaluator: The metrics.
        checkpoint_dir: Where checkpoints are kept.
        tmp_dir: Where guests get their working directories.
        policy: How to deal with earlier runs' checkpoints, with failures, and with requests to stop.

    Raises:
        OmnibenchError: Datasets, plan and metrics do not go together; nothing has been computed.
        ItemsFailedError: Some items failed; raised after all others are done.
    """
    with Coordinator(checkpoint_dir, tmp_dir, policy=policy) as coordinator:
        return coordinator.run(datasets, plan, evaluator)
