"""Blocks of rows made by column: of items of which all is recorded as runs record it, which most are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from omnibench.report.contents import Contents
from omnibench.report.csv_texts import written
from omnibench.report.item_facts import FactsInBlocks, PlainFacts
from omnibench.report.parts import Part
from omnibench.report.summaries import Summaries, WithSeeds, finite
from omnibench.results import Result
from omnibench.store.packed_metrics import PackedValues, labels_of
from omnibench.store.phase_facts import or_none
from omnibench.tables.conditional import algorithm_of
from omnibench.tables.names import DisplayNames

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


def plain_facts_of(contents: Contents, results: Sequence[Result]) -> PlainFacts | None:
    """Return the facts about the items of results by column; None where one of them has to be looked at alone.

    Args:
        contents: The contents of the file.
        results: The results, which have values.
    """
    if not isinstance(contents.facts, FactsInBlocks) or any(result.chosen is not None for result in results):
        return None
    labels_by_key = {result.fit_key: result.metrics for result in results}
    return contents.facts.plain(labels_by_key) if len(labels_by_key) == len(results) else None


def configuration_cells(
    result: Result, names: DisplayNames, dataset_key: str, made_of: tuple[str, str, str, str]
) -> tuple[Any, ...]:
    """Return the cells of a row that say which configuration it is of.

    Args:
        result: The result.
        names: What people call datasets and configurations.
        dataset_key: The key of its dataset.
        made_of: The configuration's key, its hyperparameters as text, the framework and its version.
    """
    configuration_key, parameters, framework, version = made_of
    return (
        result.dataset,
        names.dataset(result.dataset),
        dataset_key,
        algorithm_of(result),
        result.algorithm,
        names.configuration(result.algorithm),
        configuration_key,
        parameters,
        result.seed,
        result.refit or None,
        framework,
        version,
    )


class PlainBlocks:
    """Makes the parts of blocks of rows by column; what they have to be equal to is ``rows.blocks_of``.

    Args:
        contents: The contents of the file.
        names: What people call datasets and configurations.
        with_seeds: Each configuration with all of its seeds.
        summaries: What the values of configurations have in common.
    """

    def __init__(
        self,
        contents: Contents,
        names: DisplayNames,
        with_seeds: Mapping[tuple[str, str], WithSeeds],
        summaries: Summaries,
    ) -> None:
        self._contents = contents
        self._names = names
        self._with_seeds = with_seeds
        self._summaries = summaries

    def parts_of(self, results: Sequence[Result], facts: PlainFacts) -> list[Part]:
        """Return the parts of a block of rows but the last two, those of searches and of origins, which these items have none of.

        Args:
            results: The results of the block.
            facts: The facts about their items.
        """
        counts = [len(result.metrics) for result in results]
        folds, costs = Part(), self._costs(results, facts)
        for result, rows in zip(results, counts, strict=True):
            folds.add_shared((result.fold,), rows)
        costs.positions = [number for number, rows in enumerate(counts) for _ in range(rows)]
        return [
            self._configurations(results, facts, counts),
            folds,
            _values(results, facts),
            costs,
            self._summary_part(results),
        ]

    def _configurations(self, results: Sequence[Result], facts: PlainFacts, counts: Sequence[int]) -> Part:
        part, latest, number = Part(), None, 0
        for result, item, making, version, rows in zip(
            results, facts.items, facts.makings, facts.versions, counts, strict=True
        ):
            of_seed = (result.seed, result.refit, result.configuration)
            circumstances = (result.dataset, result.algorithm, *of_seed, version, item.data_key, making)
            if circumstances == latest:  # the folds of a configuration follow each other
                part.positions += [number] * rows
                continue
            latest = circumstances
            made_of = (making.configuration_key, making.parameters, making.framework, version)
            cells = configuration_cells(result, self._names, item.data_key, made_of)
            number = part.add_shared(cells, rows)
        return part

    def _costs(self, results: Sequence[Result], facts: PlainFacts) -> Part:
        counted: dict[tuple[str, int | None], tuple[int | None, ...]] = {}
        for result in results:
            if (result.dataset, result.fold) not in counted:
                counts = self._contents.split_counts(result)
                names = ("cold_users", "cold_items", "before_training_end")
                counted[result.dataset, result.fold] = tuple(map(counts.get, names))
        seeds = [len(self._with_seeds[result.dataset, result.algorithm].seeds) for result in results]
        of_splits = {
            split: ",".join(["" if count is None else str(count) for count in counts])
            for split, counts in counted.items()
        }
        return Part(
            lambda: [
                *zip(*(counted[result.dataset, result.fold] for result in results), strict=True),
                *costs_of(facts),
                [result.fit_key for result in results],
                seeds,
            ],
            [
                f"{of_splits[result.dataset, result.fold]},{fit},{predict},{start},{peak},{written(result.fit_key)},{count}"
                for result, (fit, predict, start, peak), count in zip(results, cost_texts_of(facts), seeds, strict=True)
            ],
        )

    def _summary_part(self, results: Sequence[Result]) -> Part:
        part = Part()
        summarised: tuple[WithSeeds | None, tuple[str, ...]] = None, ()
        positions: list[int] = []
        for result in results:
            configuration, labels = self._with_seeds[result.dataset, result.algorithm], labels_of(result.metrics)
            if configuration is not summarised[0] or labels != summarised[1]:
                summarised = configuration, labels
                cells = self._summaries.cells_of(configuration)
                begin = len(part.positions)
                for label in labels:
                    part.add_shared(cells[label], key=(configuration, label))
                positions = part.positions[begin:]
            else:
                part.positions += positions
        return part


def _values(results: Sequence[Result], facts: PlainFacts) -> Part:
    part = Part(lambda: values_of(results, facts), _value_lines(results, facts))
    part.positions = list(range(len(facts.spreads.rows)))
    return part


def _value_lines(results: Sequence[Result], facts: PlainFacts) -> list[str]:
    """Return the label, value, standard error, both ends of the interval and users of each metric as CSV."""
    spreads, lines = iter(facts.spreads.rows), list[str]()
    beginnings: dict[tuple[str, ...], list[str]] = {}
    for result in results:
        labels = labels_of(result.metrics)
        begins = beginnings.get(labels) or beginnings.setdefault(labels, [f"{written(label)}," for label in labels])
        values = value_texts_of(result)
        lines += [f"{begin}{value},{spread}" for begin, value, spread in zip(begins, values, spreads, strict=False)]
    return lines


def value_texts_of(result: Result) -> list[str]:
    """Return the values of a result's metrics with every digit; what is no finite number is empty."""
    metrics = result.metrics
    if isinstance(metrics, PackedValues):
        return metrics.texts
    values = map(finite, metrics.values())
    return ["" if value is None else repr(float(value)) for value in values]


def values_of(results: Sequence[Result], facts: PlainFacts) -> list[list[Any]]:
    """Return the labels, values, standard errors, both ends of intervals and users of all metrics, one result after the other.

    Args:
        results: The results.
        facts: The facts about their items.
    """
    labels: list[str] = []
    values: list[float | None] = []
    for result in results:
        metrics = result.metrics
        labels += metrics
        values += metrics.in_order if isinstance(metrics, PackedValues) else metrics.values()
    spreads = facts.spreads.columns
    numbers = map(_finite_or_none, (spreads.first, spreads.second, spreads.third))
    users = [None if count < 0 else count for count in spreads.last.tolist()]
    return [labels, list(map(finite, values)), *numbers, users]


def costs_of(facts: PlainFacts) -> list[list[Any]]:
    """Return the seconds of fits, those of predictions, those of waiting for both, and the largest memory of each item."""
    fits, predictions = facts.fits.columns, facts.predictions.columns
    peaks = or_none(np.fmax(fits.third, predictions.third))
    return [
        or_none(fits.first),
        or_none(predictions.first),
        or_none(_sums(fits.second, predictions.second)),
        [None if peak is None else int(peak) for peak in peaks],
    ]


def cost_texts_of(facts: PlainFacts) -> Iterator[tuple[str, str, str, str]]:
    """Yield of each item what ``costs_of`` returns, with every digit; what is not recorded is empty."""
    for fit, prediction in zip(facts.fits.rows, facts.predictions.rows, strict=True):
        fit_seconds, fit_wait, fit_peak = fit.split(",")
        seconds, wait, peak = prediction.split(",")
        waited = wait if fit_wait == wait == "0.0" else _sum_text(fit_wait, wait)  # most wait for nothing
        largest = peak if fit_peak == peak else max(fit_peak, peak, key=lambda text: int(text or -1))
        yield fit_seconds, seconds, waited, largest


def _sum_text(*numbers: str) -> str:
    known = [float(number) for number in numbers if number]
    return repr(sum(known, 0.0)) if known else ""


def _sums(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the sums of what is recorded, NaN where nothing is; shape (n,)."""
    missing = np.isnan(first), np.isnan(second)
    total = 0.0 + np.where(missing[0], 0.0, first) + np.where(missing[1], 0.0, second)
    return np.where(missing[0] & missing[1], np.nan, total)


def _finite_or_none(numbers: npt.NDArray[np.float64]) -> list[Any]:
    """Return numbers, None in the place of those that not every reader of a file knows."""
    return list(map(finite, numbers.tolist())) if not np.isfinite(numbers).all() else numbers.tolist()
