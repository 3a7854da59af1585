"""The keys of datasets that a store of an earlier omnibench has."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omnibench.data.dataset import RecSysDataSet
from omnibench.keys import display


def under_recorded_keys(datasets: Any, directory: Path) -> Any:
    """Return datasets under the keys that they have in a store, so that a store of an earlier omnibench goes on.

    Earlier, the order of rows and the types of numbers were always part of a dataset's key. Where a store has prepared a
    dataset under such a key, and not under the present one, its results are served and go on under that.

    Args:
        datasets: One or several datasets; what is no dataset is returned as it is.
        directory: The directory of the store.
    """
    if isinstance(datasets, RecSysDataSet):
        return _under_recorded_key(datasets, directory)
    if isinstance(datasets, Iterable):
        return [under_recorded_keys(dataset, directory) for dataset in datasets]
    return datasets


def _under_recorded_key(dataset: RecSysDataSet, directory: Path) -> RecSysDataSet:
    if not directory.is_dir() or _has(directory, dataset):
        return dataset  # whose other key need not be made, for which all rows are read
    recorded = dataset.as_recorded()
    return recorded if recorded.key != dataset.key and _has(directory, recorded) else dataset


def _has(directory: Path, dataset: RecSysDataSet) -> bool:
    """Whether a store has prepared a dataset, or has items of it."""
    name = display(dataset.name, dataset.key)
    return (directory / "datasets" / name).is_dir() or (directory / name).is_dir()
