"""What a tuned item does with the outcome of its search: the configuration that is tested, and where its model comes from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from omnibench.engine.search import Outcome, TunedSearch
from omnibench.experiment.experiment import Experiment
from omnibench.store.trials import chosen_trial


class Tuned:
    """A tuned item whose search has come to its end.

    Args:
        experiment: The item's experiment.
        search: Its search.
        outcome: The outcome.
    """

    def __init__(self, experiment: Experiment, search: TunedSearch, outcome: Outcome) -> None:
        self._experiment = experiment
        self._search = search
        self._outcome = outcome

    @property
    def _parameters(self) -> Mapping[str, Any]:
        parameters: Mapping[str, Any] = self._outcome.chosen["parameters"]
        return parameters

    @cached_property
    def requested(self) -> Experiment:
        """The experiment with the chosen hyperparameters; fitted on both parts, it is trained as long as validation found."""
        epochs, name = self._outcome.chosen.get("epochs"), self._experiment.configuration.epochs_parameter
        duration = {name: epochs} if self._experiment.refit and name and epochs else {}
        return self._experiment.chosen({**self._parameters, **duration})

    @property
    def record(self) -> dict[str, Any]:
        """What the item's record says of it."""
        search = self._experiment.search
        assert search is not None, "it is tuned"
        return chosen_trial(
            self._outcome.chosen,
            self._outcome.counted,
            parameters=self.requested.configuration.plain_parameters,
            edges=search.space.at_edge(self._parameters),
            budget=search.tuning.budget,
            override=search.overrides,
            per_fold=search.tuning.per_fold,
            defaults=self._searched_defaults,
        )

    @property
    def _searched_defaults(self) -> dict[str, Any]:
        """What the searched hyperparameters are by default, as far as that is a plain value that is known."""
        configuration, search = self._experiment.configuration, self._experiment.search
        assert search is not None, "it is tuned"
        defaults = {**configuration.default_parameters, **configuration.parameters}
        return {
            dimension.name: defaults[dimension.name]
            for dimension in search.space.dimensions
            if dimension.name in defaults
            and isinstance(defaults[dimension.name], str | int | float | None)
            and dimension.is_active(defaults)
        }

    def take_model(self, scratch: Path) -> dict[str, Any] | None:
        """Link the model of the chosen trial into a directory, as if it had been fitted there; None where it has to be.

        Args:
            scratch: The directory, on the store's file system.

        Returns:
            The answer of the trial's Fit.
        """
        if self.requested.fit_key != self._outcome.chosen["fit_key"]:
            return None
        model_and_fit = self._search.records.model(self.requested)
        if model_and_fit is None:
            return None
        model, fit = model_and_fit
        try:
            os.link(model, scratch / model.name)
        except OSError:  # a file system without hard links
            with suppress(FileNotFoundError):
                shutil.copyfile(model, scratch / model.name)
        if not (scratch / model.name).exists():
            return None
        return {**fit, "file": model.name}

    def drop_models(self, *, all_of_them: bool) -> None:
        """Drop the models of the trials.

        Args:
            all_of_them: Also that of the chosen one, which is the item's by another name: a plan that has this
                configuration as well need not fit it.
        """
        self._search.records.drop_others("" if all_of_them else self._outcome.chosen["fit_key"])
