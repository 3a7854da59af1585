"""Which configuration and which dataset of a store a text stands for."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from omnibench.comparison.measured import Measured
from omnibench.errors import StatisticsError, StoreError
from omnibench.store.selection import select_configuration, select_datasets


class Choice(NamedTuple):
    """What a text stands for in a comparison.

    Attributes:
        configuration: The configuration's name; of one with several seeds, that of the lowest.
        datasets: The datasets that the text leaves, of those on which the configuration was measured.
        members: The names of the configuration, one for each seed that the text leaves.
    """

    configuration: str
    datasets: AbstractSet[str]
    members: tuple[str, ...]


def with_named(measurements: Measured, *names: str, dataset: str | None = None) -> Measured:
    """Return measurements that have configurations of these names: those of all items where the current ones lack some.

    Args:
        measurements: The measurements.
        *names: Texts that stand for a configuration each; see ``store.selection``.
        dataset: The name of a dataset.
    """
    if not measurements.left_out:
        return measurements
    datasets = measurements.datasets
    try:
        if dataset is not None:
            datasets = [find_dataset(dataset, measurements)]
        for name in names:
            find_configuration(name, measurements, datasets)
    except StatisticsError:
        return measurements.of_all_items()
    return measurements


def find_configuration(text: str, measurements: Measured, datasets: Iterable[str]) -> Choice:
    """Return the configuration that a text stands for; see ``store.selection``.

    Args:
        text: A label, an algorithm, ``dataset/algorithm``, the beginning of a hash or a key, or a pattern.
        measurements: The measurements to look in.
        datasets: The names of the datasets to look at.

    Raises:
        StatisticsError: No configuration with results is called so, or several are.
    """
    among = set(datasets)
    items = {name: item for name, item in measurements.items.items() if item["dataset"] in among}
    try:
        members, chosen_datasets = select_configuration(text, items)
    except StoreError as error:
        raise StatisticsError(str(error)) from error
    return Choice(measurements.members(members[0])[0], chosen_datasets, members)


def find_dataset(text: str, measurements: Measured) -> str:
    """Return the name of the dataset that a text stands for; see ``store.selection``.

    Raises:
        StatisticsError: No dataset with results is called so, or several are.
    """
    try:
        names = select_datasets(text, measurements.items)
    except StoreError as error:
        raise StatisticsError(str(error)) from error
    if len(names) > 1:
        raise StatisticsError(f"{text!r} may be any of {', '.join(names)}; give the dataset's name with its hash.")
    return names[0]
