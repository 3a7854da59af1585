"""An algorithm whose contract is checked: its experiments, fitted and asked in real guest processes."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omnibench.data.dataset import RecSysDataSet
from omnibench.data.prepare import prepare
from omnibench.engine import phases
from omnibench.engine.phases import PhaseOptions
from omnibench.errors import OmnibenchError
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.outputs import Outputs
from omnibench.experiment.plan import ExperimentPlan
from omnibench.experiment.planning import experiments
from omnibench.guest.predictions import Predictions, read_predictions
from omnibench.metrics import NDCG, RMSE
from omnibench.runners.environments import Environments
from omnibench.testing import data
from omnibench.testing.framework_advice import to_change
from omnibench.testing.processes import SHARED, Processes
from omnibench.testing.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted model.

    Attributes:
        experiment: What was fitted.
        dataset: The prepared dataset.
        file: The model's file.
        answer: What the guest has answered.
    """

    experiment: Experiment
    dataset: Path
    file: Path
    answer: Mapping[str, Any]


class Subject:
    """An algorithm whose contract is checked. Close it.

    Args:
        algorithm: A class, an enum member such as ``LensKit.PopScorer``, or its name as a text.
        parameters: Its hyperparameters.
        dataset: The data of most checks; None for the contract's own.
        folder: An empty directory.
        seed: The seed of everything random.
        list_length: Recommendations per user.
        timeout: Seconds after which a Fit or Predict fails.
        environments: Where frameworks run.
        device: ``auto``, ``cpu`` or ``cuda``.

    Attributes:
        own_class: The class, if it is the user's; else None.
        outcomes: How checks have ended that others depend on, by name.

    Raises:
        OmnibenchError: No plan would take it.
    """

    def __init__(
        self,
        algorithm: str | type,
        parameters: Mapping[str, Any],
        dataset: RecSysDataSet | None,
        folder: Path,
        *,
        seed: int = 42,
        list_length: int = 10,
        timeout: float = 60.0,
        environments: str | Mapping[str, str] = "isolated",
        device: str = "cpu",
    ) -> None:
        self._environments = (
            Environments.parse(environments) if isinstance(environments, str) else Environments(environments)
        )
        self._plan = ExperimentPlan("contract")
        self._plan.add_algorithm(algorithm, dict(parameters))
        self.own_class = algorithm if isinstance(algorithm, type) else None
        (self.configuration,) = self._plan.configurations()
        self._device = self.configuration.device(device)
        self._folder = folder
        self.seed = seed
        self.list_length = list_length
        self.options = PhaseOptions(timeout=timeout)
        self.dataset = dataset or data.usual(self.form)
        self.outcomes: dict[str, BaseException | None] = {}
        self._numbers = itertools.count()
        self._prepared: dict[str, Path] = {}
        self._fits: dict[str, Fitted | OmnibenchError] = {}
        self._refits: dict[str, tuple[Fitted, Predictions]] = {}
        self._predictions: dict[tuple[Path, bool], Predictions] = {}
        threads = self.configuration.fixed_threads or 1
        self.processes = Processes(self.configuration.runner, self._environments, threads, self._device)

    def close(self) -> None:
        """End its processes, and remove its files."""
        self.processes.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def to_change(self, change: str) -> str:
        """Return what to change, said of a class, as it is said of what this algorithm is."""
        return to_change(change, is_class=self.own_class is not None)

    @property
    def name(self) -> str:
        """What plans call it."""
        return self.configuration.name

    @property
    def ranks(self) -> bool:
        """Whether it recommends, be it by the ratings that it predicts."""
        return self.configuration.offers_ranking

    @property
    def rates(self) -> bool:
        """Whether it predicts ratings."""
        return self.configuration.offers_ratings

    @property
    def form(self) -> str:
        """What kind of data it is made for; see ``data``."""
        if not self.ranks:
            return data.EXPLICIT
        return data.RATED if self.configuration.request_for_ratings else data.RANKED

    def experiment(self, dataset: RecSysDataSet, seed: int | None = None) -> Experiment:
        """Return an experiment of the algorithm on some data; guests tell each from all others by its key.

        Raises:
            OmnibenchError: They do not go together.
        """
        metric = RMSE() if dataset.feedback == "explicit" else NDCG(self.list_length)
        (experiment, *_) = experiments(
            dataset,
            self._plan,
            [metric],
            versions=self._environments.version,
            seeds=[self.seed if seed is None else seed],
            device=lambda *_: self._device,
            salt=f"contract {next(self._numbers)}",
        )
        return experiment

    def prepared(self, dataset: RecSysDataSet) -> Path:
        """Return the directory of a prepared dataset."""
        if dataset.key not in self._prepared:
            directory = self.new_folder()
            prepare(dataset, directory)
            self._prepared[dataset.key] = directory
        return self._prepared[dataset.key]

    def new_folder(self) -> Path:
        """Return an empty directory."""
        return Path(tempfile.mkdtemp(dir=self._folder))

    def fit(
        self,
        dataset: RecSysDataSet | None = None,
        process: str = SHARED,
        seed: int | None = None,
        recorder: Recorder | None = None,
    ) -> Fitted:
        """Fit it, whatever was fitted before.

        Args:
            dataset: The data; those of most checks by default.
            process: In which of its processes.
            seed: Another seed.
            recorder: What keeps its snapshots, and says which one it goes on from.

        Raises:
            OmnibenchError: It fails.
        """
        dataset = dataset or self.dataset
        experiment, directory, output = self.experiment(dataset, seed), self.prepared(dataset), self.new_folder()
        guest = self.processes.get(process)
        answer = phases.fit(guest, experiment, directory, output, self.options, snapshots=recorder)
        return Fitted(experiment, directory, output / answer["file"], answer)

    def fitted(self, dataset: RecSysDataSet | None = None) -> Fitted:
        """Return the model of some data, fitted once for all checks.

        Raises:
            OmnibenchError: The Fit fails, or has failed for another check.
        """
        dataset = dataset or self.dataset
        key = dataset.key
        if key not in self._fits:
            try:
                self._fits[key] = self.fit(dataset)
            except OmnibenchError as error:
                self._fits[key] = error
        fitted = self._fits[key]
        if isinstance(fitted, OmnibenchError):
            raise fitted
        return fitted

    def predict(self, model: Fitted, process: str = SHARED, *, ratings: bool = False, length: int = 0) -> Predictions:
        """Return what a fitted model predicts.

        Args:
            model: The fitted model.
            process: In which of its processes.
            ratings: Ratings of the test pairs in the place of lists.
            length: Recommendations per user, if not as many as usual.

        Raises:
            OmnibenchError: It fails, or breaks the contract of predictions.
        """
        output = self.new_folder() / "predictions.npy"
        phases.predict(
            self.processes.get(process),
            model.experiment,
            model.dataset,
            model.file,
            length or self.list_length,
            output,
            self.options,
            outputs=Outputs(lists=not ratings, ratings=ratings),
        )
        return read_predictions(output)

    def predicted(self, model: Fitted, *, ratings: bool = False) -> Predictions:
        """Return what a fitted model predicts, asked once for all checks; see ``predict``."""
        if (model.file, ratings) not in self._predictions:
            self._predictions[model.file, ratings] = self.predict(model, ratings=ratings)
        return self._predictions[model.file, ratings]

    def usual(self, model: Fitted, process: str = SHARED) -> Predictions:
        """Return what a fitted model predicts: lists, if the algorithm recommends; see ``predict``."""
        return self.predict(model, process, ratings=not self.ranks)

    def refitted(self, process: str) -> tuple[Fitted, Predictions]:
        """Return a second model of the same seed and what it predicts, once for all checks; see ``fit``.

        Args:
            process: In which of its processes; another than the shared one knows nothing yet.
        """
        if process not in self._refits:
            if process != SHARED:
                self.processes.renew(process)
            model = self.fit(process=process)
            self._refits[process] = model, self.usual(model, process)
        return self._refits[process]

    def moved(self, model: Fitted) -> Fitted:
        """Return a model whose file lies in another directory, where nobody who remembers the first one looks."""
        file = self.new_folder() / model.file.name
        shutil.copy(model.file, file)
        return replace(model, file=file)
