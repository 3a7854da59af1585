"""run_omnirec with OmniRec's arguments."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from rich.console import Console

from omnibench.compat.omnirec.recsys_data_set import RecSysDataSet
from omnibench.compat.omnirec.runner.coordinator import DEFAULT_CHECKPOINT_DIR, Coordinator
from omnibench.compat.omnirec.runner.evaluation import Evaluator
from omnibench.compat.omnirec.runner.plan import ExperimentPlan


def run_omnirec(
    datasets: RecSysDataSet[Any] | Iterable[RecSysDataSet[Any]],
    plan: ExperimentPlan,
    evaluator: Evaluator,
    checkpoint_dir: os.PathLike[str] | str = DEFAULT_CHECKPOINT_DIR,
    tmp_dir: os.PathLike[str] | str | None = None,
    slurm_script: os.PathLike[str] | str | None = None,
) -> None:
    """Run every experiment that is not done, fill the evaluator with the results of all, and print them as tables.

    Args:
        datasets: One or several datasets with a split.
        plan: The algorithms.
        evaluator: The metrics.
        checkpoint_dir: Where checkpoints are kept.
        tmp_dir: Where the frameworks' processes get their working directories.
        slurm_script: Not implemented, as in OmniRec 1.1.0.

    Raises:
        NotImplementedError: A SLURM script is given.
        OmnibenchError: Datasets, plan and metrics do not go together; nothing has been computed.
        ItemsFailedError: Some experiments failed; raised after all others are done and printed.
    """
    if slurm_script is not None:
        raise NotImplementedError(
            "slurm_script is not implemented, as in OmniRec 1.1.0. Leave it out, and submit the script itself: "
            "sbatch --wrap 'python script.py'; a second job takes up what the first one left."
        )
    try:
        Coordinator(checkpoint_dir, tmp_dir).run(datasets, config=plan, evaluator=evaluator)
    finally:
        for table in evaluator.get_tables():
            Console().print(table)
