"""Evaluator with OmniRec's methods: metrics of a run, its results as frames, and files of them."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.compat.omnirec.metrics.base import Metric, MetricResult
from omnibench.compat.omnirec.metrics.prediction import PredictionMetric
from omnibench.compat.omnirec.metrics.ranking import RankingMetric
from omnibench.compat.omnirec.settings import root_logger
from omnibench.errors import EvaluationError
from omnibench.experiment import evaluator as native
from omnibench.metrics.base import Metric as NativeMetric
from omnibench.metrics.labels import plain_label, split_label
from omnibench.metrics.own import CalculatedMetric
from omnibench.results import Result
from omnibench.tables.layout import Layout, tables
from omnibench.tables.terminal import rich_table

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

COLUMNS = ["algorithm", "fold", "name", "k", "value"]
_ERRORS = ("RMSE", "MAE")
"""The metrics of which the smallest value is the best."""

logger = root_logger.getChild("eval")


class OwnMetric(CalculatedMetric):
    """A metric of the user's own that says its name and its list lengths in its result only.

    Args:
        metric: An object with ``calculate(predictions, test)``, which is asked about an example of two users.
    """

    def __init__(self, metric: Any) -> None:
        super().__init__(metric)
        answer = _answer_of_example(metric)
        if isinstance(answer, MetricResult):
            self._name = answer.name
            if isinstance(answer.result, Mapping):
                self.k = tuple(answer.result)


def _answer_of_example(metric: Any) -> Any:
    """Return a metric's answer to an example, or None where it needs more than that."""
    import pandas as pd

    test = pd.DataFrame({"user": [0, 0, 1], "item": [0, 1, 2], "rating": [4.0, 3.0, 5.0], "timestamp": [1, 2, 3]})
    predictions = test.assign(score=[0.9, 0.8, 0.7], rank=[1, 2, 1]).drop(columns="timestamp")
    for columns in (["user", "item", "score", "rank"], ["user", "item", "rating"]):
        try:
            return copy.copy(metric).calculate(predictions[columns], test)  # which may keep what it was given
        except Exception as error:  # what the user's own code raises about an example says nothing about real data
            logger.debug("%r does not answer an example: %s", metric, error)
    return None


class Evaluator:
    """The metrics of a run, and the results that it fills in.

    Args:
        metrics: OmniRec's metrics, metrics of omnibench that OmniRec has, too, or objects with
            ``calculate(predictions, test)``.

    Raises:
        EvaluationError: Something is no metric.
    """

    def __init__(self, *metrics: Any) -> None:
        for metric in metrics:
            is_metric = isinstance(metric, NativeMetric) or callable(getattr(metric, "calculate", None))
            if isinstance(metric, type) or not is_metric:
                hint = f"; write {metric.__name__}(...)" if isinstance(metric, type) else ""
                raise EvaluationError(f"{metric!r} is no metric{hint}.")
        self._metrics = metrics
        self._results: dict[str, pd.DataFrame] = {}
        self._labelled: dict[tuple[str, str], Result] = {}

    def native(self) -> native.Evaluator:
        """Return omnibench's evaluator of these metrics, under OmniRec's convention.

        Raises:
            EvaluationError: A metric cannot be used in a run.
        """
        return native.Evaluator(*(_native(metric) for metric in self._metrics), convention="omnirec")

    @property
    def max_ranking_k(self) -> int | None:
        """The largest list length of the ranking metrics; None without any."""
        return max((metric.max_k for metric in self._metrics if isinstance(metric, RankingMetric)), default=None)

    def run_evaluation(
        self, dataset: str, algorithm: str, predictions: pd.DataFrame, test: pd.DataFrame, fold: int | None = None
    ) -> None:
        """Add the metrics of predictions that were made elsewhere.

        Args:
            dataset: What to call the dataset.
            algorithm: What to call the algorithm.
            predictions: Columns user, item, score and rank, or user, item and rating.
            test: Columns user and item, and rating.
            fold: The fold's number, or None.

        Raises:
            EvaluationError: A metric returns no number.
        """
        values: dict[str, float] = {}
        for metric in self._metrics:
            if not isinstance(metric, Metric):
                raise EvaluationError(
                    f"{metric!r} has no calculate(predictions, test); take it from omnibench.compat.omnirec."
                )
            answer = metric.calculate(predictions, test)
            result: Any = answer.result
            by_k: Mapping[Any, Any] = result if isinstance(result, Mapping) else {None: result}
            for k, value in by_k.items():
                if not isinstance(value, int | float) and not hasattr(value, "dtype"):
                    raise EvaluationError(f"{answer.name} returned {value!r}; return a number, or one for each k.")
                values[answer.name if k is None else f"{answer.name}@{k}"] = float(value)
        self.add(Result(dataset, algorithm, "", fold, values))

    def add(self, result: Result) -> None:
        """Add a result of omnibench; it replaces an earlier one of the same algorithm and fold."""
        import pandas as pd

        rows = []
        for label, value in result.metrics.items():
            name, k = split_label(plain_label(label))
            rows.append((result.algorithm, result.fold, name, k, value))
        frame = pd.DataFrame(rows, columns=COLUMNS)
        if result.dataset in self._results:
            earlier = self._results[result.dataset]
            same_fold = earlier["fold"].isna() if result.fold is None else earlier["fold"] == result.fold
            earlier = earlier[~((earlier["algorithm"] == result.algorithm) & same_fold)]
            frame = pd.concat([earlier, frame], ignore_index=True) if len(earlier) else frame
        self._results[result.dataset] = frame
        self._labelled[result.dataset, result.algorithm] = result

    def get_results(self) -> dict[str, pd.DataFrame]:
        """Return the results by dataset: frames with the columns algorithm, fold, name, k and value."""
        return self._results

    def get_tables(self) -> list[Table]:
        """Return rich tables: a row per algorithm and fold, a column per metric; several where one is too wide."""
        from rich.console import Console

        return [rich_table(table) for table in tables(self._plain_results(), Layout(_ERRORS, Console().width))]

    def _plain_results(self) -> list[Result]:
        """Return the frames' rows as omnibench's results, each algorithm and fold once, with the labels of this run."""
        import pandas as pd

        metrics: dict[tuple[str, str, int | None], dict[str, float]] = {}
        for dataset, frame in self._results.items():
            for row in frame.to_dict("records"):
                fold = None if pd.isna(row["fold"]) else int(row["fold"])
                label = row["name"] if pd.isna(row["k"]) else f"{row['name']}@{int(row['k'])}"
                metrics.setdefault((dataset, row["algorithm"], fold), {})[label] = row["value"]
        return [
            replace(
                self._labelled.get((dataset, algorithm), Result(dataset, algorithm, "", fold)),
                fold=fold,
                metrics=values,
            )
            for (dataset, algorithm, fold), values in metrics.items()
        ]

    def save_results(self, path: str | os.PathLike[str]) -> None:
        """Write the results into a JSON file; its directory is made when it is missing."""
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        records = {dataset: frame.to_dict("records") for dataset, frame in self._results.items()}
        file.write_text(json.dumps(records), encoding="utf-8")

    def load_results(self, path: str | os.PathLike[str]) -> None:
        """Read results that ``save_results`` wrote, here or in OmniRec; OmniRec's ``results.json`` is such a file.

        Raises:
            EvaluationError: The file cannot be read, or holds something else.
        """
        import pandas as pd

        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            self._results = {dataset: pd.DataFrame(rows, columns=COLUMNS) for dataset, rows in content.items()}
        except (OSError, ValueError, AttributeError, KeyError) as error:
            raise EvaluationError(f"{path} holds no results that save_results wrote: {error}") from error


def _native(metric: Any) -> Any:
    """Return omnibench's metric for a metric of a moved script."""
    built_in = metric.native() if isinstance(metric, RankingMetric | PredictionMetric) else None
    return built_in or (metric if isinstance(metric, NativeMetric) else OwnMetric(metric))
