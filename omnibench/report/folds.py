"""Results of folds that follow each other and are alike but for their numbers: of many, no result is made of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from typing import overload

from omnibench.report.numbers import finite
from omnibench.report.recorded_items import RecordedItem
from omnibench.results import Result
from omnibench.store.item_names import seed_of
from omnibench.store.item_records import result_of
from omnibench.store.packed_metrics import PackedValues, labels_of, texts_in
from omnibench.store.plain_items import PlainItems
from omnibench.tables.seeds import seed_groups


class Folds:
    """Results of a configuration on a dataset that follow each other, with the same labels.

    Args:
        alike: The last of them; the others are as it is, but for fold, key and numbers.
        listed: The results; made where they are asked for, unless they are given.
        items: The items, where all of them are plain.
        data_key: Identifies the dataset; empty where the results do not say it.
    """

    __slots__ = ("_listed", "alike", "data_key", "items")

    def __init__(self, alike: Result, listed: list[Result] | None = None, items: PlainItems | None = None) -> None:
        self.alike = alike
        self._listed = listed
        self.items = items
        self.data_key: str = "" if items is None else items.example["data_key"]

    @classmethod
    def of_items(cls, items: PlainItems, *, with_seedless_key: bool) -> Folds:
        """Return those of plain items; see ``item_records.results_of``."""
        last = len(items) - 1
        example = {**items.example, "fold": items.folds[last], "fit_key": items.fit_keys[last]}
        result = result_of({**example, "metrics": items.unpacked(last)}, with_seedless_key=with_seedless_key)
        return cls(result, items=items)

    def __len__(self) -> int:
        return len(self._listed or ()) if self.items is None else len(self.items)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the metrics of each."""
        return labels_of(self.alike.metrics)

    @property
    def folds(self) -> list[int | None]:
        """The fold of each."""
        return [result.fold for result in self._listed or ()] if self.items is None else self.items.folds

    @property
    def fit_keys(self) -> list[str]:
        """The key of each."""
        return [result.fit_key for result in self._listed or ()] if self.items is None else self.items.fit_keys

    @property
    def results(self) -> list[Result]:
        """The results, made anew each time where they were not given."""
        items, alike = self.items, self.alike
        if items is None:
            return self._listed or []
        rows = zip(items.folds, items.fit_keys, items.metrics, strict=True)
        return [
            replace(alike, fold=fold, metrics=PackedValues(items.names, packed), fit_key=key)
            for fold, key, packed in rows
        ]

    @property
    def first(self) -> Result:
        """The first result."""
        return self.part(0, 1).results[0]

    def value_texts(self, written: Callable[[float], str]) -> list[list[str]]:
        """Return the values of the metrics of each, with every digit; what is no finite number is empty.

        Args:
            written: Writes a value that is no text yet.
        """
        if self.items is None:
            return [_texts_of(result, written) for result in self._listed or ()]
        width = len(self.labels)
        return [texts_in(packed, width) for packed in self.items.metrics]

    def all_value_texts(self, written: Callable[[float], str]) -> list[str]:
        """Return the same in one list, one item after the other."""
        if self.items is None:
            return [text for of_item in self.value_texts(written) for text in of_item]
        return self.items.value_texts

    @property
    def are_packed(self) -> bool:
        """Whether the metrics of each are packed: none is of a search then, and none says that another seed has made the same."""
        return self.items is not None or all(isinstance(result.metrics, PackedValues) for result in self._listed or ())

    @property
    def are_of_a_search(self) -> bool:
        """Whether a search has chosen something for one of them."""
        return self.items is None and any(result.chosen is not None for result in self._listed or ())

    def part(self, begin: int, end: int) -> Folds:
        """Return those from one to another."""
        if begin == 0 and end >= len(self):
            return self
        items = None if self.items is None else self.items.part(range(begin, min(end, len(self))))
        return Folds(self.alike, None if self._listed is None else self._listed[begin:end], items)

    def recorded_item(self, number: int) -> RecordedItem:
        """Return what facts about a plain item take of its own record."""
        items = self.items
        if items is None:
            raise KeyError(number)
        whole = {**items.example, "predict_key": items.prediction(number), "metrics": items.unpacked(number)}
        return RecordedItem.of({**whole, "finished": items.finished[number]})


def _texts_of(result: Result, written: Callable[[float], str]) -> list[str]:
    if isinstance(result.metrics, PackedValues):
        return result.metrics.texts
    return ["" if value is None else written(value) for value in map(finite, result.metrics.values())]


def folds_of(results: Iterable[Result]) -> list[Folds]:
    """Return results as folds."""
    if isinstance(results, FoldedResults):
        return results.folds
    return [Folds(listed[-1], listed) for _, of_group in groupby(results, _alike) for listed in [list(of_group)]]


def _alike(result: Result) -> tuple[object, ...]:
    circumstances = (result.configuration, result.seed, result.refit, result.search)
    return result.dataset, result.algorithm, *circumstances, labels_of(result.metrics)


class FoldedResults(Sequence[Result]):
    """Results of which each is made when it is asked for.

    Args:
        folds: The results, in their order.
    """

    def __init__(self, folds: Sequence[Folds]) -> None:
        self.folds = list(folds)

    def __len__(self) -> int:
        return sum(map(len, self.folds))

    def __bool__(self) -> bool:
        return bool(self.folds)

    def __iter__(self) -> Iterator[Result]:
        return (result for folds in self.folds for result in folds.results)

    @overload
    def __getitem__(self, number: int) -> Result: ...

    @overload
    def __getitem__(self, number: slice) -> list[Result]: ...

    def __getitem__(self, number: int | slice) -> Result | list[Result]:
        return list(self)[number]

    @property
    def examples(self) -> list[Result]:
        """One result of each configuration on each dataset, if not more."""
        return [folds.alike for folds in self.folds]

    @property
    def listed(self) -> list[Result]:
        """Those that are not of plain items."""
        return [result for folds in self.folds if folds.items is None for result in folds.results]

    @cached_property
    def of_several_seeds(self) -> Sequence[Result]:
        """All results where some are of configurations with several seeds; else none."""
        return list(self) if seed_groups(self.examples) else []

    @property
    def plain_items(self) -> Mapping[str, tuple[Folds, int]]:
        """Where each plain item is, by its key."""
        return {
            key: (folds, number)
            for folds in self.folds
            if folds.items is not None
            for number, key in enumerate(folds.items.fit_keys)
        }


def examples_of(results: Iterable[Result]) -> Iterable[Result]:
    """Return one result of each configuration on each dataset, if not more."""
    return results.examples if isinstance(results, FoldedResults) else results


class RecordedItems(Mapping[str, RecordedItem]):
    """What the own records of items say, by their keys, which is put together when it is asked for.

    Args:
        results: All results.
        unplain: What the records of items say that are not plain.
    """

    def __init__(self, results: FoldedResults, unplain: Mapping[str, RecordedItem]) -> None:
        self._results = results
        self._unplain = unplain

    @cached_property
    def _plain(self) -> Mapping[str, tuple[Folds, int]]:
        return self._results.plain_items

    def __getitem__(self, fit_key: str) -> RecordedItem:
        if fit_key in self._unplain:
            return self._unplain[fit_key]
        folds, number = self._plain[fit_key]
        return folds.recorded_item(number)

    def __iter__(self) -> Iterator[str]:
        return (key for folds in self._results.folds for key in folds.fit_keys)

    def __len__(self) -> int:
        return len(self._results)


def ordered(plain: Sequence[PlainItems], unplain: Sequence[Result]) -> list[Folds] | None:
    """Return results by dataset, configuration and fold; None where two have all of these alike.

    Args:
        plain: Plain items.
        unplain: The results of others.
    """
    seeds = {seed_of(items.example) for items in plain} | {result.seed for result in unplain}
    units: dict[tuple[str, str], tuple[list[PlainItems], list[Result]]] = {}
    for items in plain:
        units.setdefault((items.example["dataset"], items.example["algorithm"]), ([], []))[0].append(items)
    for result in unplain:
        units.setdefault((result.dataset, result.algorithm), ([], []))[1].append(result)
    all_folds: list[Folds] = []
    for unit in sorted(units):
        in_order = _in_order(*units[unit], several_seeds=len(seeds) > 1)
        if in_order is None:
            return None
        all_folds += in_order
    return all_folds


def _in_order(groups: Collection[PlainItems], results: Sequence[Result], *, several_seeds: bool) -> list[Folds] | None:
    """Return the results of a configuration on a dataset by fold; None where two are of the same.

    Args:
        groups: Plain items.
        results: The results of others.
        several_seeds: Whether any configurations have other seeds, so that somebody asks which of them differ by the seed alone.
    """
    if len(groups) == 1 and not results:
        (items,) = groups
        folds = [_number(fold) for fold in items.folds]
        if folds == sorted(folds):
            return [Folds.of_items(items, with_seedless_key=several_seeds)] if len(set(folds)) == len(folds) else None
    entries = [(_number(fold), items, number) for items in groups for number, fold in enumerate(items.folds)]
    all_entries = [*entries, *((_number(result.fold), result, 0) for result in results)]
    all_entries.sort(key=lambda entry: entry[0])
    if len({entry[0] for entry in all_entries}) < len(all_entries):
        return None
    in_order: list[Folds] = []
    for source, of_source in groupby(all_entries, lambda entry: entry[1] if isinstance(entry[1], PlainItems) else None):
        if source is None:
            in_order += folds_of([entry[1] for entry in of_source if isinstance(entry[1], Result)])
        else:
            part = source.part([entry[2] for entry in of_source])
            in_order.append(Folds.of_items(part, with_seedless_key=several_seeds))
    return in_order


def _number(fold: int | None) -> int:
    return -1 if fold is None else fold
