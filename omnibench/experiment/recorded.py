"""Keys of earlier releases: what a store has under one is served, and goes on, under that.

Earlier, the order of rows and the types of numbers were always part of a dataset's key, and the digest of a user's
class covered less, or other, text. Where a store has results under such a key, and none under the present one, the
dataset or the class keeps it. Keys did not name the number of threads either: where a store says that results which
depend on it were computed with the number that is fixed now, they keep theirs. So do those whose key names one thread, of
an algorithm that has since been measured to compute the same with any number.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from omnibench.data.dataset import RecSysDataSet
from omnibench.experiment.circumstances import USUAL_THREADS
from omnibench.experiment.configuration import Configuration
from omnibench.experiment.experiment import Experiment
from omnibench.keys import display
from omnibench.store.schema import RecordType


def _none_present(keys: Sequence[str]) -> Collection[str]:  # noqa: ARG001 - of a store without records
    return ()


def _no_threads(fit_keys: Sequence[str]) -> Mapping[str, int]:  # noqa: ARG001 - as above
    return {}


@dataclass(frozen=True, slots=True)
class RecordedKeys:
    """The keys under which a store has something; without a store, none.

    Attributes:
        directory: The store's directory.
        present: Returns those of some records' keys that the store has.
        threads_of: Returns of those of some fit keys of which the store has a fit how many threads computed it; 0 where
            that is not known, or where Fit and Predict had different ones.
    """

    directory: Path | None = None
    present: Callable[[Sequence[str]], Collection[str]] = _none_present
    threads_of: Callable[[Sequence[str]], Mapping[str, int]] = _no_threads

    def dataset(self, dataset: RecSysDataSet) -> RecSysDataSet:
        """Return a dataset under the key that it has in the store, where that has it under an earlier one only."""
        if self.directory is None or not os.path.isdir(self.directory) or self._has(dataset):
            return dataset  # whose other key need not be made, for which all rows are read
        recorded = dataset.as_recorded()
        return recorded if recorded.key != dataset.key and self._has(recorded) else dataset

    def _has(self, dataset: RecSysDataSet) -> bool:
        """Whether the store has prepared a dataset, or has items of it."""
        assert self.directory is not None, "the caller has looked"
        name = display(dataset.name, dataset.key)
        # Unlike Path's, it says no where nobody may look.
        return any(os.path.isdir(parent / name) for parent in (self.directory / "datasets", self.directory))

    def experiments(self, planned: Sequence[Experiment]) -> list[Experiment]:
        """Return experiments under the keys that the store has results of.

        These are, of users' classes, another digest of their code; of what depends on the number of threads keys that do not
        name it, and of what does not, as was measured later, keys that do.
        """
        by_class: dict[int, list[Experiment]] = {}
        for experiment in planned:
            own = experiment.configuration.own
            if own is not None and own.other_code:
                by_class.setdefault(id(own), []).append(experiment)
        recorded: dict[str, Experiment] = {}
        for of_class in by_class.values():
            if self._is_under_other_code(of_class):
                pairs = zip(of_class, _under_other_code(of_class), strict=True)
                recorded |= {experiment.fit_key: earlier for experiment, earlier in pairs}
        recorded |= self._under_other_threads(planned)
        return [recorded.get(experiment.fit_key, experiment) for experiment in planned]

    def _under_other_threads(self, planned: Sequence[Experiment]) -> dict[str, Experiment]:
        """Return by their fit keys the experiments that the store has under keys which name no threads, or needlessly one.

        The folds of a configuration go together, as they do in tables. So do its seeds and datasets: those of which nothing is
        recorded go with those that are under the earlier key, where none is under the present one.
        """
        groups: dict[tuple[str, str], list[Experiment]] = {}
        for experiment in planned:
            if experiment.configuration.own is None and _earlier_threads(experiment) is not None:
                groups.setdefault((experiment.dataset.key, experiment.configuration_key), []).append(experiment)
        # Of what is done, which may be thousands, the first fold's key is looked for, and no record is read.
        first_keys = [RecordType.FIT.key(folds[0].fit_key) for folds in groups.values()]
        present = self.present(first_keys) if groups else ()
        absent = [folds for key, folds in zip(first_keys, groups.values(), strict=True) if key not in present]
        earlier = {
            experiment.fit_key: replace(
                experiment, circumstances=experiment.circumstances._replace(threads=_earlier_threads(experiment) or 0)
            )
            for folds in absent
            for experiment in folds
        }
        threads = (
            self.threads_of([*earlier, *(experiment.fit_key for experiment in earlier.values())]) if earlier else {}
        )
        recorded: dict[str, Experiment] = {}
        series: dict[str, _Series] = {}
        for key, folds in zip(first_keys, groups.values(), strict=True):
            of_series = series.setdefault(folds[0].seedless_key, _Series())
            keys = [experiment.fit_key for experiment in folds]
            if key in present or any(key in threads for key in keys):
                of_series.has_present = True
                continue
            counts = {threads.get(earlier[key].fit_key) for key in keys} - {None}
            if counts == {USUAL_THREADS}:
                of_series.has_earlier = True
                recorded |= {key: earlier[key] for key in keys}
            elif not counts:
                of_series.unrecorded += keys
        for of_series in series.values():
            if of_series.has_earlier and not of_series.has_present:
                recorded |= {key: earlier[key] for key in of_series.unrecorded}
        return recorded

    def _is_under_other_code(self, of_class: Sequence[Experiment]) -> bool:
        """Whether the first item that the store has of a class is under the other digest of its code."""
        # The first tells of a class whose results are all there, so that thousands of keys need not be made twice.
        for several in (of_class[:1], of_class[1:]):
            pairs = [
                (RecordType.ITEM.key(experiment.fit_key), RecordType.ITEM.key(earlier.fit_key))
                for experiment, earlier in zip(several, _under_other_code(several), strict=True)
            ]
            present = self.present([key for pair in pairs for key in pair]) if pairs else ()
            for key, earlier_key in pairs:
                if key in present or earlier_key in present:
                    return key not in present
        return False


NOTHING_RECORDED = RecordedKeys()


@dataclass(slots=True)
class _Series:
    """What a store has of a configuration with all seeds, on all datasets.

    Attributes:
        has_present: Whether it has something under a present key.
        has_earlier: Whether it has something under an earlier key.
        unrecorded: The present fit keys of the seeds and datasets of which it has nothing.
    """

    has_present: bool = False
    has_earlier: bool = False
    unrecorded: list[str] = field(default_factory=list)


def _earlier_threads(experiment: Experiment) -> int | None:
    """Return the number of threads that a key had before it was the present one; None where there was none."""
    if experiment.circumstances.threads == USUAL_THREADS:
        return 0
    is_independent = experiment.circumstances.threads == 0 and experiment.configuration.depends_on_threads is False
    return USUAL_THREADS if is_independent else None


def _under_other_code(planned: Sequence[Experiment]) -> list[Experiment]:
    """Return experiments of a user's class as they are under the other digest of its code."""
    configurations: dict[int, Configuration] = {}  # shared, because they remember their keys
    for configuration in (experiment.configuration for experiment in planned):
        if configuration.own is not None and id(configuration) not in configurations:
            configurations[id(configuration)] = replace(configuration, own=configuration.own.with_other_code())
    return [replace(experiment, configuration=configurations[id(experiment.configuration)]) for experiment in planned]
