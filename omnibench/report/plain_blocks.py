"""Blocks of rows made by column: of items of which all is recorded as runs record it, which most are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from omnibench.report.contents import Contents
from omnibench.report.csv_texts import written
from omnibench.report.folds import Folds
from omnibench.report.item_facts import FactsInBlocks, PlainFacts
from omnibench.report.number_columns import NumberColumn
from omnibench.report.parts import Part
from omnibench.report.recorded_items import Making
from omnibench.report.summaries import Summaries, WithSeeds
from omnibench.results import Result
from omnibench.store.number_texts import floats_in
from omnibench.tables.conditional import algorithm_of
from omnibench.tables.names import DisplayNames

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


_SPLITS_AT_HAND = 1024
"""Of so many folds of datasets it is kept what is counted of them: all configurations share them."""


def plain_facts_of(contents: Contents, block: Sequence[Folds]) -> PlainFacts | None:
    """Return the facts about the items of results by column; None where one of them has to be looked at alone.

    Args:
        contents: The contents of the file.
        block: The results, which have values.
    """
    if not isinstance(contents.facts, FactsInBlocks) or any(folds.are_of_a_search for folds in block):
        return None
    fit_keys = {key for folds in block for key in folds.fit_keys}
    return contents.facts.plain(block) if len(fit_keys) == sum(map(len, block)) else None


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
        self._names = names
        self._with_seeds = with_seeds
        self._summaries = summaries
        self._counts = lru_cache(maxsize=_SPLITS_AT_HAND)(partial(_counts_of, contents))
        self._summarised: WithSeeds | None = None
        self._lines: dict[str, str] = {}

    def parts_of(self, block: Sequence[Folds], facts: PlainFacts) -> list[Part]:
        """Return the parts of a block of rows but the last two, those of searches and of origins, which these items have none of.

        Args:
            block: The results of the block.
            facts: The facts about their items.
        """
        folds, values, costs = Part(), Part(lambda: values_of(block, facts)), self._costs(block, facts)
        number = 0
        for of_block in block:
            rows = len(of_block.labels)
            for fold in of_block.folds:
                folds.add_shared((fold,), rows)
                costs.positions += [number] * rows
                number += 1
        values.positions = list(range(len(facts.spreads.rows)))
        return [self._configurations(block, facts), folds, values, costs, self._summary_part(block)]

    def lines_of(self, block: Sequence[Folds], facts: PlainFacts, end: str) -> list[str]:
        """Return the same rows as CSV.

        Args:
            block: The results of the block.
            facts: The facts about their items.
            end: The last two parts.
        """
        lines: list[str] = []
        spreads, costs = iter(facts.spreads.rows), cost_texts_of(facts)
        number = 0
        for folds in block:
            alike = folds.alike
            configuration = self._with_seeds[alike.dataset, alike.algorithm]
            summaries, seeds = self._summary_lines(configuration), len(configuration.seeds)
            labels = [(written(label), f"{summaries[label]}{end}") for label in folds.labels]
            latest, head, is_digest = None, "", folds.items is not None
            for fold, fit_key, values in zip(folds.folds, folds.fit_keys, folds.value_texts(_as_float), strict=True):
                if latest != (of_item := (facts.data_keys[number], facts.makings[number], facts.versions[number])):
                    latest, head = of_item, self._head(alike, *of_item)
                fit, predict, start, peak = next(costs)
                counts = self._counts(alike.dataset, fold)[1]
                begin = f"{head},{'' if fold is None else fold},"
                key = fit_key if is_digest else written(fit_key)
                behind = f",{counts},{fit},{predict},{start},{peak},{key},{seeds},"
                # Labels come first, and end it: behind them `spreads` would have lost the first row of the next item.
                lines += [
                    f"{begin}{label},{value},{spread}{behind}{summary}"
                    for (label, summary), value, spread in zip(labels, values, spreads, strict=False)
                ]
                number += 1
        return lines

    def _cells(self, alike: Result, data_key: str, making: Making, version: str) -> tuple[Any, ...]:
        made_of = (making.configuration_key, making.parameters, making.framework, version)
        return configuration_cells(alike, self._names, data_key, made_of)

    def _head(self, alike: Result, data_key: str, making: Making, version: str) -> str:
        cells = self._cells(alike, data_key, making, version)
        texts = [written(cell) if isinstance(cell, str) else "" if cell is None else str(cell) for cell in cells]
        return ",".join(texts)

    def _summary_lines(self, configuration: WithSeeds) -> dict[str, str]:
        """Return what the values of a configuration have in common as CSV, by label."""
        if configuration is not self._summarised:
            cells = self._summaries.cells_of(configuration)
            self._summarised = configuration
            self._lines = {
                label: ",".join(["" if number is None else repr(float(number)) for number in numbers])
                for label, numbers in cells.items()
            }
        return self._lines

    def _configurations(self, block: Sequence[Folds], facts: PlainFacts) -> Part:
        part, number, item = Part(), 0, 0
        for folds in block:
            latest = None
            for of_item in zip(
                facts.data_keys[item : item + len(folds)],
                facts.makings[item : item + len(folds)],
                facts.versions[item : item + len(folds)],
                strict=True,
            ):
                if of_item == latest:
                    part.positions += [number] * len(folds.labels)
                else:
                    latest, number = of_item, part.add_shared(self._cells(folds.alike, *of_item), len(folds.labels))
            item += len(folds)
        return part

    def _costs(self, block: Sequence[Folds], facts: PlainFacts) -> Part:
        counts = [self._counts(folds.alike.dataset, fold)[0] for folds in block for fold in folds.folds]
        fit_keys = [key for folds in block for key in folds.fit_keys]
        seeds = [
            count
            for folds in block
            for count in [len(self._with_seeds[folds.alike.dataset, folds.alike.algorithm].seeds)] * len(folds)
        ]
        return Part(lambda: [*zip(*counts, strict=True), *costs_of(facts), fit_keys, seeds])

    def _summary_part(self, block: Sequence[Folds]) -> Part:
        part = Part()
        for folds in block:
            configuration = self._with_seeds[folds.alike.dataset, folds.alike.algorithm]
            cells = self._summaries.cells_of(configuration)
            begin = len(part.positions)
            for label in folds.labels:
                part.add_shared(cells[label], key=(configuration, label))
            part.positions += part.positions[begin:] * (len(folds) - 1)
        return part


def _counts_of(contents: Contents, dataset: str, fold: int | None) -> tuple[tuple[int | None, ...], str]:
    """Return what is counted of a split, and the same as CSV: cold users and items, and test interactions before the end of training."""
    counted = contents.split_counts_of(dataset, fold)
    counts = tuple(map(counted.get, ("cold_users", "cold_items", "before_training_end")))
    return counts, ",".join(["" if count is None else str(count) for count in counts])


def _as_float(value: float) -> str:
    return repr(float(value))


def values_of(block: Sequence[Folds], facts: PlainFacts) -> list[Sequence[Any]]:
    """Return the labels, values, standard errors, both ends of intervals and users of all metrics, one item after the other.

    Args:
        block: The results.
        facts: The facts about their items.
    """
    labels = [label for folds in block for label in folds.labels * len(folds)]
    texts = [text for folds in block for text in folds.all_value_texts(_as_float)]
    values = floats_in(",".join(texts)) if texts else np.empty(0)
    spreads = facts.spreads.columns
    # No infinite ones: not every reader of a file knows these.
    numbers = [NumberColumn(column, ~np.isfinite(column)) for column in (spreads.first, spreads.second, spreads.third)]
    users = NumberColumn(spreads.last.astype(np.int64), spreads.last < 0)
    return [labels, _column(values), *numbers, users]


def costs_of(facts: PlainFacts) -> list[NumberColumn]:
    """Return the seconds of fits, those of predictions, those of waiting for both, and the largest memory of each item."""
    fits, predictions = facts.fits.columns, facts.predictions.columns
    peaks = np.fmax(fits.third, predictions.third)
    unmeasured = np.isnan(peaks)
    return [
        *map(_column, (fits.first, predictions.first, _sums(fits.second, predictions.second))),
        NumberColumn(np.where(unmeasured, 0, peaks).astype(np.int64), unmeasured),
    ]


def _column(numbers: npt.NDArray[np.float64]) -> NumberColumn:
    """Return numbers as a column, in which those that are NaN are missing."""
    return NumberColumn(numbers, np.isnan(numbers))


def cost_texts_of(facts: PlainFacts) -> Iterator[tuple[str, str, str, str]]:
    """Yield of each item what ``costs_of`` returns, with every digit; what is not recorded is empty."""
    for fit, prediction in zip(facts.fits.rows, facts.predictions.rows, strict=True):
        fit_seconds, fit_wait, fit_peak = fit.split(",")
        seconds, wait, peak = prediction.split(",")
        waited = wait if fit_wait == wait == "0.0" else _sum_text(fit_wait, wait)  # most wait for nothing
        largest = peak if fit_peak == peak else max(fit_peak, peak, key=lambda text: int(text or -1))
        yield fit_seconds, seconds, waited, largest


def _sum_text(*numbers: str) -> str:
    recorded = [float(number) for number in numbers if number]
    return repr(sum(recorded, 0.0)) if recorded else ""


def _sums(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the sums of what is recorded, NaN where nothing is; shape (n,)."""
    missing = np.isnan(first), np.isnan(second)
    total = 0.0 + np.where(missing[0], 0.0, first) + np.where(missing[1], 0.0, second)
    return np.where(missing[0] & missing[1], np.nan, total)
