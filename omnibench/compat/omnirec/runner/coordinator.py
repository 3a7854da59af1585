"""Coordinator with OmniRec's arguments."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omnibench.compat.omnirec.recsys_data_set import RecSysDataSet
from omnibench.compat.omnirec.runner.evaluation import Evaluator
from omnibench.compat.omnirec.runner.plan import ExperimentPlan
from omnibench.data import dataset as native
from omnibench.engine.coordinator import Coordinator as NativeCoordinator
from omnibench.engine.run import ItemsFailedError
from omnibench.errors import EvaluationError
from omnibench.experiment.refit import TRAIN

DEFAULT_CHECKPOINT_DIR = Path("./checkpoints")


class Coordinator:
    """Runs the experiments of a plan.

    Args:
        checkpoint_dir: Where checkpoints are kept.
        tmp_dir: Where the frameworks' processes get their working directories.
    """

    def __init__(
        self,
        checkpoint_dir: os.PathLike[str] | str = DEFAULT_CHECKPOINT_DIR,
        tmp_dir: os.PathLike[str] | str | None = None,
    ) -> None:
        self._checkpoint_dir = checkpoint_dir
        self._tmp_dir = tmp_dir

    def run(
        self, datasets: RecSysDataSet[Any] | Iterable[RecSysDataSet[Any]], config: ExperimentPlan, evaluator: Evaluator
    ) -> Evaluator:
        """Run every experiment that is not done, and fill the evaluator with the results of all.

        Args:
            datasets: One or several datasets with a split.
            config: The plan.
            evaluator: The metrics.

        Returns:
            The evaluator.

        Raises:
            OmnibenchError: Datasets, plan and metrics do not go together; nothing has been computed.
            ItemsFailedError: Some experiments failed; raised after all others are done and in the evaluator.
        """
        if not isinstance(evaluator, Evaluator):
            raise EvaluationError(f"{evaluator!r} is no evaluator; give Evaluator(NDCG([10])), e.g.")
        is_single = isinstance(datasets, RecSysDataSet | native.RecSysDataSet) or not isinstance(datasets, Iterable)
        listed: Iterable[Any] = [datasets] if is_single else datasets  # type: ignore[assignment]  # is_single says it
        recipes = [RecSysDataSet.of(dataset).recipe for dataset in listed]
        native_evaluator = evaluator.native()
        try:
            with NativeCoordinator(self._checkpoint_dir, self._tmp_dir) as coordinator:
                # OmniRec fits on training alone; run_omnirec shows the tables, as there.
                coordinator.run(recipes, config, native_evaluator, tables=False, refit=TRAIN)
        except ItemsFailedError as error:
            native_evaluator = error.evaluator
            raise
        finally:
            for result in native_evaluator.results:
                evaluator.add(result)
        return evaluator
