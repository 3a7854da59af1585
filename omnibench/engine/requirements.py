"""Estimates of how much memory Fits need, from the records of earlier ones and the formulas of their algorithms."""

from __future__ import annotations

import sqlite3
import statistics
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from omnibench.data.data_size import COUNTS, DataSize, FeatureSize, expected_size
from omnibench.data.dataset import RecSysDataSet
from omnibench.errors import StoreError
from omnibench.experiment.experiment import Experiment
from omnibench.guest import TRAIN_AND_VALIDATION
from omnibench.runners.info import DEFAULTS, algorithm_info
from omnibench.runners.learned import learned_from, spelled
from omnibench.runners.requirements import EarlierFit, Requirement, formula_of, grown_bytes, required
from omnibench.store.checks import is_natural
from omnibench.store.identity_forms import are_feature_sizes
from omnibench.store.reader import Reader
from omnibench.store.schema import RecordType

_Fits = dict[int, EarlierFit]
"""Fits by what their formula says of them."""

_Work = tuple[DataSize, str, str, str]
"""What an estimate is made for: data by size and name, a configuration, and what the model is fitted on."""

_LOOK = Callable[[Callable[[Reader], Any]], Any]

_SAMPLE = 500
"""So many experiments of different configurations tell enough of all."""


class Requirements:
    """How much memory the Fits of a run need. What records say of an algorithm is read once.

    Args:
        read: Calls what it is given with a reader of the store, and returns what that returns.
    """

    def __init__(self, read: _LOOK) -> None:
        self._read = read
        self._sizes: dict[str, DataSize] | None = None
        self._earlier: dict[str, dict[str, _Fits]] = {}
        self._latest: tuple[_Work, Requirement] | None = None
        """That of the configuration that was asked for last, whose other folds follow; None once something was learned."""

    def of(self, experiment: Experiment, *, expected: bool = False) -> Requirement | None:
        """Return how much memory an experiment's Fit needs; None where the size of its data is not known.

        Other folds of its data, and other configurations on it, tell most: where there are any, they alone count.

        Args:
            experiment: The experiment.
            expected: Whether the size of data that nobody has prepared yet may be guessed.
        """
        size = self.size_of(experiment.dataset)
        if size is None and expected:
            size = expected_size(experiment.dataset)
        if size is None:
            return None
        work = size, experiment.dataset_name, experiment.configuration_key, experiment.refit
        latest = self._latest
        if latest is None or latest[0] != work:
            latest = self._latest = work, self._estimated(experiment, size)
        return latest[1]

    def _estimated(self, experiment: Experiment, size: DataSize) -> Requirement:
        configuration = experiment.configuration
        formula = formula_of(configuration.runner, configuration.algorithm)
        described = _described(experiment)
        parameters = {**described["parameters"], **spelled(described, configuration.plain_parameters)}
        size = learned_from(size, described, parameters)
        if experiment.refit == TRAIN_AND_VALIDATION:  # nothing is left to judge by
            size = size._replace(validated=0)
        earlier = self._earlier_fits(experiment, formula)
        chosen = [earlier[experiment.dataset_name]] if experiment.dataset_name in earlier else earlier.values()
        return required(formula, size, parameters, [fit for fits in chosen for fit in fits.values()])

    def size_of(self, dataset: RecSysDataSet) -> DataSize | None:
        """Return the size of a dataset that is, or was, prepared; else None."""
        if self._sizes is None or dataset.key not in self._sizes:
            self._sizes = self._recorded(_sizes_in) or {}
        return self._sizes.get(dataset.key)

    def usual(self, experiments: Iterable[Experiment]) -> dict[str, int]:
        """Return the bytes that the median Fit of each framework needs, of those of which that can be said.

        Larger ones are no reason for fewer workers: they wait for each other.

        Args:
            experiments: The experiments; of very many a sample counts.
        """
        different = {(experiment.dataset.key, experiment.configuration_key): experiment for experiment in experiments}
        step = len(different) // _SAMPLE + 1
        sizes: dict[str, list[int]] = {}
        for experiment in list(different.values())[::step]:
            requirement = self.of(experiment, expected=True)
            if requirement is not None:
                sizes.setdefault(experiment.configuration.runner.name, []).append(requirement.size)
        return {framework: statistics.median_high(needed) for framework, needed in sizes.items()}

    def learn(self, experiment: Experiment, effective: dict[str, Any], peak: int | None) -> None:
        """Note what a Fit has needed.

        Args:
            experiment: The experiment.
            effective: All of its hyperparameters.
            peak: The largest resident memory of its process in bytes; None where that was not measured.
        """
        size, configuration = self.size_of(experiment.dataset), experiment.configuration
        if size is not None and peak:
            formula = formula_of(configuration.runner, configuration.algorithm)
            fits = self._earlier_fits(experiment, formula).setdefault(experiment.dataset_name, {})
            fit = EarlierFit(learned_from(size, _described(experiment), effective), effective, peak)
            if _add(fits, formula, fit):
                self._latest = None

    def _earlier_fits(self, experiment: Experiment, formula: Mapping[str, float]) -> dict[str, _Fits]:
        """Return what earlier Fits of an experiment's algorithm needed, by the names of their datasets."""
        algorithm, described = experiment.configuration.name, _described(experiment)
        if algorithm not in self._earlier:
            sizes = self._sizes or {}
            earlier: dict[str, _Fits] = {}
            for dataset, parameters, peak in self._recorded(lambda reader: list(reader.peaks_of_fits(algorithm))) or ():
                name, _, digits = dataset.rpartition("-")
                size = next((size for key, size in sizes.items() if key.startswith(digits)), None)
                if name and size is not None:
                    fit = EarlierFit(learned_from(size, described, parameters), parameters, peak)
                    _add(earlier.setdefault(dataset, {}), formula, fit)
            self._earlier[algorithm] = earlier
        return self._earlier[algorithm]

    def _recorded(self, take: Callable[[Reader], Any]) -> Any:
        """Return what records say; None where they cannot be read, because no result depends on it."""
        with suppress(sqlite3.Error, StoreError, OSError, ValueError):
            return self._read(take)
        return None


def _described(experiment: Experiment) -> Mapping[str, Any]:
    """Return what the catalogue says of an experiment's algorithm; of a class of the user's own nothing is said."""
    configuration = experiment.configuration
    return DEFAULTS if configuration.own else algorithm_info(configuration.runner, configuration.algorithm)


def _add(fits: _Fits, formula: Mapping[str, float], fit: EarlierFit) -> bool:
    """Add a Fit to others, and return whether it stays.

    Of those with as much to do the one does that needed most, or thousands would be looked at.
    """
    work = int(grown_bytes(formula, fit.size, fit.parameters))
    stays = work not in fits or fits[work].peak < fit.peak
    if stays:
        fits[work] = fit
    return stays


def _sizes_in(reader: Reader) -> dict[str, DataSize]:
    """Return the sizes of all datasets that have a record, by their keys."""
    sizes = {
        key.removeprefix(RecordType.DATA.prefix): size_in(record)
        for key, record in reader.unformed(RecordType.DATA.prefix)
    }
    return {key: size for key, size in sizes.items() if size is not None}


def size_in(record: Mapping[str, Any]) -> DataSize | None:
    """Return the size that the record of a dataset says; None where it says none.

    Args:
        record: The record, whose form nobody has looked at.
    """
    counts: list[Any] = [record.get(name) for name in COUNTS]
    if not all(map(is_natural, counts)):
        return None
    features = record.get("features", {})
    if not are_feature_sizes(features):
        features = {}
    sized = [
        FeatureSize(
            subject, name, *(size.get(count, 0) for count in ("type", "values", "longest", "vocabulary", "words"))
        )
        for subject, sizes in features.items()
        for name, size in sizes.items()
    ]
    later: dict[str, Any] = {name: record.get(name) for name in ("validated", "longest_user", "longest_item")}
    counted_later = {name: count for name, count in later.items() if is_natural(count)}
    return DataSize(*counts)._replace(features=tuple(sized), **counted_later)
