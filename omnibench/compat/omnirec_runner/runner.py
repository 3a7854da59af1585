"""The base of runners: an algorithm as a script, which reads CSV files and returns columns of predictions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class RunnerInfo:
    """A script with a runner.

    Attributes:
        runner_path: The script.
        algorithms: The names of its algorithms.
        python_version: The Python that OmniRec would have installed for it.
        packages: What OmniRec would have installed for it.
    """

    runner_path: Path
    algorithms: list[str]
    python_version: str
    packages: list[str]


@dataclass
class Runner(ABC):
    """An algorithm. ``fit`` and ``predict`` may be called in different processes: what is between them is pickled.

    Attributes:
        algorithm_name: The algorithm's name.
        algorithm_config: Its hyperparameters.
        dataset_name: The dataset's name.
        train_file: A CSV file of the training part.
        val_file: The same of validation.
        test_file: The same of test.
        predictions_file: Where OmniRec would have written the predictions.
        checkpoint_dir: A directory for a model of one's own, which is kept between fit and predict.
        tmp_dir: A directory that is not kept.
        recommendation_n: How many items the lists have.
    """

    algorithm_name: str
    algorithm_config: dict[str, Any]
    dataset_name: str
    train_file: Path
    val_file: Path
    test_file: Path
    predictions_file: Path
    checkpoint_dir: Path
    tmp_dir: Path
    recommendation_n: int | None

    @classmethod
    def main(cls) -> None:
        """Do nothing: omnibench imports the script, and starts it itself."""

    def init_runner(self) -> None:
        """Prepare for either phase."""

    def setup_fit(self) -> None:
        """Prepare for ``fit``."""

    @abstractmethod
    def fit(self) -> None:
        """Train."""

    def post_fit(self) -> None:
        """Clean up after ``fit``, e.g. save the model."""

    def setup_predict(self) -> None:
        """Prepare for ``predict``, e.g. load the model."""

    @abstractmethod
    def predict(self) -> dict[Any, Any]:
        """Return columns: user, item, score and rank (from 1), or user, item and rating."""

    def post_predict(self) -> None:
        """Clean up after ``predict``."""


class RunnerService:
    """What the scripts of OmniRec's own runners end with; omnibench needs no service.

    Args:
        runner_cls: The runner.
    """

    def __init__(self, runner_cls: type[Runner]) -> None:
        self.runner_cls = runner_cls

    def run(self) -> None:
        """Do nothing: omnibench imports the script, and starts it itself."""
