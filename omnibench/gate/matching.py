"""Match current entries with those of a baseline, whose keys differ wherever there is a change to judge."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from omnibench.gate.entries import Dataset, Entry
from omnibench.gate.series import Series, series_of
from omnibench.keys import canonical

Element = TypeVar("Element")
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Match:
    """The pairs of current and baseline series to compare, and the series that cannot be compared.

    Attributes:
        pairs: Current series, each with that of the baseline.
        reparametrised: Those of the pairs whose hyperparameters have changed; of tuned ones also whose search has.
        resplit: Current datasets with those of the baseline, whose test parts differ; their users cannot be paired.
        ambiguities: Which series or datasets cannot be told apart, in sentences.
        new: Series that the baseline does not have.
        missing: Series that only the baseline has.
    """

    pairs: list[tuple[Series, Series]] = field(default_factory=list)
    reparametrised: list[tuple[Series, Series]] = field(default_factory=list)
    resplit: list[tuple[Dataset, Dataset]] = field(default_factory=list)
    ambiguities: list[str] = field(default_factory=list)
    new: list[Series] = field(default_factory=list)
    missing: list[Series] = field(default_factory=list)


def match(current: Sequence[Entry], baseline: Sequence[Entry]) -> Match:
    """Match current entries with those of a baseline, in series of entries that differ in the seed alone.

    Datasets go by their keys, and what is left of one name by its test parts and then, where there is one on each side,
    by the name alone. Configurations on a dataset go by their keys, whatever the seed, then by algorithm, hyperparameters
    and what else is configured; where one of an algorithm is left on each side, its hyperparameters have changed. A tuned
    algorithm is one thing, whatever its search space and budget: it goes by its label, and never with one that is not.

    Args:
        current: The entries that are measured now.
        baseline: The entries of the baseline.
    """
    matched = Match()
    current_series, baseline_series = _by_dataset(series_of(current)), _by_dataset(series_of(baseline))
    datasets, new, missing = _paired(
        current_series,
        baseline_series,
        (lambda dataset: dataset.key, lambda dataset: (dataset.name, dataset.tests), _name_of),
    )
    for dataset, baseline_dataset in datasets:
        if dataset.tests and dataset.tests != baseline_dataset.tests:  # which are unknown until it is prepared
            matched.resplit.append((dataset, baseline_dataset))
        else:
            _match_configurations(matched, current_series[dataset], baseline_series[baseline_dataset])
    new, missing = _without_ambiguous(matched, new, missing, _name_of)
    matched.new.extend(series for dataset in new for series in current_series[dataset])
    matched.missing.extend(series for dataset in missing for series in baseline_series[dataset])
    return matched


def _match_configurations(matched: Match, current: Sequence[Series], baseline: Sequence[Series]) -> None:
    def key_with(*settings: str) -> Callable[[Series], Hashable]:
        return lambda series: (
            *_grid_point_of(series),
            canonical([series.configuration.get(setting) for setting in settings]),
        )

    keys = (
        key_with("device", "threads", "refit", "version", "code"),
        key_with("device", "threads", "refit"),
        key_with("device", "refit"),
        key_with("refit"),
        key_with(),
    )
    pairs, new, missing = _paired(current, baseline, (lambda series: series.key, *keys))
    matched.pairs.extend(pairs)
    new, missing = _without_ambiguous(matched, new, missing, _grid_point_of)
    reparametrised, new, missing = _paired(
        new, missing, (_labelled_grid_point_of, _labelled_algorithm_of, _algorithm_of)
    )
    matched.pairs.extend(reparametrised)
    matched.reparametrised.extend(reparametrised)
    matched.new.extend(new)
    matched.missing.extend(missing)


def _without_ambiguous(
    matched: Match, new: Sequence[Element], missing: Sequence[Element], key_of: Callable[[Element], Hashable]
) -> tuple[list[Element], list[Element]]:
    """Note the elements whose keys are ambiguous, and return the others.

    Elements that could be paired are paired by now: a key that both sides still have is one that a side has several
    times.
    """
    current_groups, baseline_groups = _grouped(new, key_of), _grouped(missing, key_of)
    ambiguous = current_groups.keys() & baseline_groups.keys()
    for key in ambiguous:
        current, baseline = (
            ", ".join(_exact_name(element) for element in groups[key]) for groups in (current_groups, baseline_groups)
        )
        matched.ambiguities.append(f"{current} may be any of the baseline's {baseline}")
    return (
        [element for element in new if key_of(element) not in ambiguous],
        [element for element in missing if key_of(element) not in ambiguous],
    )


def _grid_point_of(series: Series) -> tuple[str, str, str]:
    """Return an algorithm, its hyperparameters, and how the others are searched for."""
    return series.algorithm, series.parameters, canonical(series.configuration.get("search"))


def _labelled_grid_point_of(series: Series) -> tuple[str, bool, str, str]:
    return *_labelled_algorithm_of(series), series.parameters


def _labelled_algorithm_of(series: Series) -> tuple[str, bool, str]:
    """Return an algorithm, whether it is tuned, and the label that then tells it from others."""
    return *_algorithm_of(series), series.user_label


def _algorithm_of(series: Series) -> tuple[str, bool]:
    """Return an algorithm, and whether it is tuned."""
    return series.algorithm, series.is_tuned


def _name_of(dataset: Dataset) -> str:
    return dataset.name


def _by_dataset(series: Iterable[Series]) -> dict[Dataset, list[Series]]:
    return _grouped(series, lambda each: each.dataset)


def _exact_name(element: object) -> str:
    """Return the name by which an element is told from all others, as its label might not."""
    return element.name if isinstance(element, Series) else str(element)


def _grouped(elements: Iterable[Element], key_of: Callable[[Element], Key]) -> dict[Key, list[Element]]:
    groups: dict[Key, list[Element]] = {}
    for element in elements:
        groups.setdefault(key_of(element), []).append(element)
    return groups


def _paired(
    current: Iterable[Element], baseline: Iterable[Element], keys: Sequence[Callable[[Element], Hashable]]
) -> tuple[list[tuple[Element, Element]], list[Element], list[Element]]:
    """Pair the elements whose key is unique on both sides, trying one key after the other.

    Returns:
        The pairs, and the unpaired elements of each side.
    """
    pairs: list[tuple[Element, Element]] = []
    for key_of in keys:
        current_groups, baseline_groups = _grouped(current, key_of), _grouped(baseline, key_of)
        pairs += [
            (group[0], baseline_groups[key][0])
            for key, group in current_groups.items()
            if len(group) == len(baseline_groups.get(key, ())) == 1
        ]
        paired = {id(element) for pair in pairs for element in pair}
        current, baseline = (
            [element for element in elements if id(element) not in paired] for elements in (current, baseline)
        )
    return pairs, list(current), list(baseline)
