"""The contents of exported files: results, facts about their items and datasets, and the items that are missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from omnibench.comparison.variance import Variances, seed_variances
from omnibench.data.leakage import NOTHING_COUNTED, SplitCounts, read_split_counts
from omnibench.data.words import recipe_words
from omnibench.markup import one_line
from omnibench.masking import masked
from omnibench.report.folds import FoldedResults, examples_of
from omnibench.report.item_facts import ItemFacts, facts_of_item
from omnibench.report.tuning import tuned_items_of
from omnibench.results import Result
from omnibench.store.beneath import tree
from omnibench.store.choices import with_choices
from omnibench.store.item_names import title_of
from omnibench.store.item_records import failure_text
from omnibench.store.packed_metrics import labels_of
from omnibench.store.schema import SEARCHED, Record, RecordLookup, RecordType
from omnibench.store.series import Epoch, series_of
from omnibench.store.trials import trials_by_number
from omnibench.store.tuned_items import TunedItem, tuned_item
from omnibench.tables.seeds import with_seeds_together


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is recorded of all items of files, for which nobody has to look at each again.

    Attributes:
        labels: The labels of the metrics, chosen or not; None where nobody has looked.
        finished: When the last of the items was done, as an ISO timestamp; likewise.
        series: The fit keys of what has reported losses; None where nobody has looked.
        facts: The facts about each item, by its fit key, looked up when they are asked for.
        data_keys: What identifies each dataset, by its name.
    """

    labels: Collection[str] | None = None
    finished: str | None = None
    series: Collection[str] | None = None
    facts: Mapping[str, ItemFacts] = field(default_factory=dict)
    data_keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """The size of a dataset and how it was made.

    Attributes:
        text: Its size and its steps, in one line.
        folds: How many folds it has.
        counts: The counts of test users and items that are unknown in training, and of leakage; see ``data.leakage``.
    """

    text: str
    folds: int
    counts: SplitCounts = NOTHING_COUNTED


@dataclass(frozen=True, slots=True)
class MissingItem:
    """An item without results.

    Attributes:
        item: Its name, as its directory is called.
        status: failed, interrupted, running or pending.
        reason: Why it has no results, as far as that is known, in one line.
        label: What people call it; empty where that is not known.
    """

    item: str
    status: str
    reason: str = ""
    label: str = ""

    @property
    def title(self) -> str:
        """Its name for people."""
        return self.label or self.item


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents of exported files.

    Attributes:
        results: All results, in the order of their rows.
        lower_is_better: The columns where the smallest value is the best.
        undirected: The columns of which it is unknown whether larger values are better.
        missing: The items that have no results.
        facts: The facts about each item, by its fit key.
        dataset_summaries: The size and the making of each dataset, by its name.
        variances: What contributes to the variance of a user's value, of configurations with several seeds, by dataset and
            configuration, and by label; see ``comparison.variance``.
        trouble: What could not be read, a sentence each.
        tuned: The tuned items with their trials, by their fit keys.
        series: The losses and validation values of items by epoch, by their fit keys; of those that have reported any.
        recorded: The labels of the metrics that items have recorded, chosen or not; those of ``facts`` by default.
        finished: When the last of the items was done, as an ISO timestamp; that of ``facts`` by default.
    """

    results: Sequence[Result]
    lower_is_better: Collection[str]
    undirected: Collection[str]
    missing: list[MissingItem]
    facts: Mapping[str, ItemFacts]
    dataset_summaries: Mapping[str, DatasetSummary]
    variances: Mapping[tuple[str, str], Mapping[str, Variances]] = field(default_factory=dict)
    trouble: tuple[str, ...] = ()
    tuned: Mapping[str, TunedItem] = field(default_factory=dict)
    series: Mapping[str, Sequence[Epoch]] = field(default_factory=dict)
    recorded: Collection[str] | None = None
    finished: str | None = None

    def __post_init__(self) -> None:
        if self.recorded is None:
            labels = frozenset(label for facts in self.facts.values() for label in facts.uncertainties)
            object.__setattr__(self, "recorded", labels)
        if self.finished is None:
            object.__setattr__(self, "finished", max((facts.finished for facts in self.facts.values()), default=""))

    def facts_of(self, result: Result) -> ItemFacts:
        """Return the facts about the item of a result."""
        return self.facts.get(result.fit_key, ItemFacts())

    def split_counts(self, result: Result) -> Mapping[str, int]:
        """Return what is counted of a result's test part: cold users and items, and leakage; see ``data.leakage``."""
        return self.split_counts_of(result.dataset, result.fold)

    def split_counts_of(self, dataset: str, fold: int | None) -> Mapping[str, int]:
        """Return the same of a fold of a dataset."""
        summary = self.dataset_summaries.get(dataset)
        counts: dict[str, int] = {}
        for counted in summary.counts if summary else ():
            folds: Sequence[Mapping[str, int]] = counted["folds"] if counted else ()
            counts |= dict(enumerate(folds)).get(fold or 0, {})
        return counts

    @property
    def labels(self) -> list[str]:
        """The metrics' labels, in the order in which they come."""
        different = dict.fromkeys(labels_of(result.metrics) for result in examples_of(self.results))
        return list(dict.fromkeys(label for labels in different for label in labels))


def contents_of(
    lookup: RecordLookup,
    results: Iterable[Result],
    missing: Iterable[MissingItem],
    lower_is_better: Collection[str],
    undirected: Collection[str] = (),
    *,
    root: Path | None = None,
    recorded: Recorded | None = None,
) -> Contents:
    """Gather the contents of files from results and the records of their items.

    Args:
        lookup: From a record's key to the record, or None.
        results: The results.
        missing: The items without results.
        lower_is_better: The columns where the smallest value is the best.
        undirected: The columns of which it is unknown whether larger values are better.
        root: The store's directory, for what prepared datasets say of themselves.
        recorded: What is recorded of all items, where the facts about each are to be looked up when they are asked for.
    """
    folded = results if isinstance(results, FoldedResults) else None  # in their order, and with their choices
    all_results: Sequence[Result] = with_choices(with_seeds_together(results), lookup) if folded is None else folded
    if recorded is None:
        recorded = _recorded_of(all_results, lookup)
    datasets = {name: lookup(RecordType.DATA.key(key)) for name, key in recorded.data_keys.items()}
    summaries = {name: _dataset_summary(record, root) for name, record in datasets.items() if record is not None}
    trouble: list[str] = []
    of_seeds = all_results if folded is None else folded.of_several_seeds
    variances = {} if root is None else seed_variances(lookup, root, of_seeds, trouble.append)
    with_series = all_results if recorded.series is None else _of_items(all_results, recorded.series)
    return Contents(
        all_results,
        lower_is_better,
        undirected,
        list(missing),
        recorded.facts,
        summaries,
        variances,
        tuple(trouble),
        tuned_items_of(all_results if folded is None else folded.listed, lookup),
        {result.fit_key: epochs for result in with_series if (epochs := series_of(result.fit_key, lookup))},
        recorded.labels,
        recorded.finished,
    )


def _of_items(results: Sequence[Result], fit_keys: Collection[str]) -> list[Result]:
    """Return the results of some items."""
    return [result for result in results if result.fit_key in fit_keys] if fit_keys else []


def _recorded_of(results: Iterable[Result], lookup: RecordLookup) -> Recorded:
    """Return what is recorded of the items of results."""
    keyed = [result for result in results if result.fit_key]
    facts = {result.fit_key: facts_of_item(result.fit_key, lookup) for result in keyed}
    return Recorded(facts=facts, data_keys={result.dataset: facts[result.fit_key].dataset_key for result in keyed})


def missing_of(item: Record, lookup: RecordLookup = lambda _: None) -> MissingItem:
    """Return the status of an item without results, and why it has none.

    Args:
        item: Its record.
        lookup: From a record's key to the record, or None; tells how far a search is that was cut short.
    """
    error = item.get("error")
    reason = failure_text(error) if error else _search_text(item, lookup)
    return MissingItem(item["item"], item["status"], one_line(masked(reason)), title_of(item))


def _search_text(item: Record, lookup: RecordLookup) -> str:
    """Return how far the search of a tuned item is that has no results; nothing where it has not begun."""
    search_key = item.get(SEARCHED)
    trials = trials_by_number(search_key, lookup) if search_key else []
    if not trials:
        return ""
    tuned = tuned_item(item, lookup(RecordType.SEARCH.key(str(search_key))) or {}, trials)
    return f"its search was cut short: {tuned.counts_text}"


def _dataset_summary(data: Record, root: Path | None) -> DatasetSummary:
    sizes = ", ".join(
        f"{data[noun]:,} {noun}" for noun in ("users", "items", "interactions", "positions") if noun in data
    )
    steps = recipe_words(data["identity"][1])
    text = one_line(f"{sizes}, after {steps}" if steps else sizes)
    return DatasetSummary(
        text,
        len(data["test"]),
        NOTHING_COUNTED if root is None else read_split_counts(tree(root, data["directory"]), data),
    )
