"""The contents of exported files: results, facts about their items and datasets, and the items that are missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from omnibench.comparison.variance import Variances, seed_variances
from omnibench.data.leakage import NOTHING_COUNTED, SplitCounts, read_split_counts
from omnibench.data.words import recipe_words
from omnibench.keys import recorded_text, sha256
from omnibench.markup import one_line
from omnibench.masking import masked
from omnibench.report.tuning import tuned_items_of
from omnibench.results import Result
from omnibench.store.beneath import tree
from omnibench.store.choices import with_choices
from omnibench.store.item_names import title_of
from omnibench.store.item_records import failure_text
from omnibench.store.schema import SEARCHED, Record, RecordLookup, RecordType
from omnibench.store.series import Epoch, series_of
from omnibench.store.trials import trials_by_number
from omnibench.store.tuned_items import TunedItem, tuned_item
from omnibench.tables.seeds import with_seeds_together

_FACTS_AT_HAND = 1000
"""How many items the facts are kept of that are looked up: a row per metric, and a configuration with all of its folds."""


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """The uncertainty of a metric's mean over users.

    Attributes:
        stderr: Its standard error, where it is a mean over users.
        low: The lower end of its 95 % interval, likewise.
        high: The upper end.
        users: How many users count.
    """

    stderr: float | None = None
    low: float | None = None
    high: float | None = None
    users: int | None = None


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """The facts about an item that are recorded beside its metrics; what is not recorded is None, or empty.

    Attributes:
        dataset_key: Identifies its dataset.
        configuration_key: Identifies its configuration, whatever the data.
        parameters: The hyperparameters that were given, as JSON with sorted names and no blanks.
        framework: The framework, e.g. ``RecPack``.
        version: The framework's version.
        fit_seconds: Wall seconds of Fit, without the start of the framework's process.
        predict_seconds: Wall seconds of Predict, for all users with test items; likewise.
        peak_memory: Largest resident set of the framework's process in Fit and Predict, in bytes.
        finished: When it was done, as an ISO timestamp.
        uncertainties: By label, of the metrics that are recorded.
        start_seconds: Wall seconds that Fit and Predict waited for that process to start; 0 when it ran already.
        attempts: What each attempt at Fit has cost, where it went on from a snapshot; its seconds and memory are those of all.
    """

    dataset_key: str = ""
    configuration_key: str = ""
    parameters: str = "{}"
    framework: str = ""
    version: str = ""
    fit_seconds: float | None = None
    predict_seconds: float | None = None
    peak_memory: int | None = None
    finished: str = ""
    uncertainties: Mapping[str, Uncertainty] = field(default_factory=dict)
    start_seconds: float | None = None
    attempts: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is recorded of all items of files, for which nobody has to look at each again.

    Attributes:
        labels: The labels of the metrics, chosen or not; None where nobody has looked.
        finished: When the last of the items was done, as an ISO timestamp; likewise.
        series: The fit keys of what has reported losses; None where nobody has looked.
        facts: From the key of a record to what facts are made of; see ``store.lookups``.
    """

    labels: Collection[str] | None = None
    finished: str | None = None
    series: Collection[str] | None = None
    facts: RecordLookup = lambda _: None


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

    results: list[Result]
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
        summary = self.dataset_summaries.get(result.dataset)
        counts: dict[str, int] = {}
        for counted in summary.counts if summary else ():
            folds: Sequence[Mapping[str, int]] = counted["folds"] if counted else ()
            counts |= dict(enumerate(folds)).get(result.fold or 0, {})
        return counts

    @property
    def labels(self) -> list[str]:
        """The metrics' labels, in the order in which they come."""
        return list(dict.fromkeys(label for result in self.results for label in result.metrics))


class FactsByKey(Mapping[str, ItemFacts]):
    """The facts about items by fit key, looked up when they are asked for: there may be a hundred thousand.

    Args:
        fit_keys: The keys of the items.
        lookup: From a record's key to the record, or None; usable for as long as this is.
    """

    def __init__(self, fit_keys: Iterable[str], lookup: RecordLookup) -> None:
        self._fit_keys = dict.fromkeys(fit_keys)
        self._facts = lru_cache(maxsize=_FACTS_AT_HAND)(partial(_facts, lookup))

    def __getitem__(self, fit_key: str) -> ItemFacts:
        if fit_key not in self._fit_keys:
            raise KeyError(fit_key)
        return self._facts(fit_key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._fit_keys)

    def __len__(self) -> int:
        return len(self._fit_keys)


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
    all_results = with_choices(with_seeds_together(results), lookup)
    facts: Mapping[str, ItemFacts]
    if recorded is None:
        facts = {result.fit_key: _facts(lookup, result.fit_key) for result in all_results if result.fit_key}
        recorded = Recorded()
    else:
        facts = FactsByKey((result.fit_key for result in all_results), recorded.facts)
    examples = {result.dataset: result.fit_key for result in all_results if result.fit_key}
    datasets = {name: lookup(RecordType.DATA.key(facts[fit_key].dataset_key)) for name, fit_key in examples.items()}
    summaries = {name: _dataset_summary(record, root) for name, record in datasets.items() if record is not None}
    trouble: list[str] = []
    variances = {} if root is None else seed_variances(lookup, root, all_results, trouble.append)
    with_series = all_results if recorded.series is None else [r for r in all_results if r.fit_key in recorded.series]
    return Contents(
        all_results,
        lower_is_better,
        undirected,
        list(missing),
        facts,
        summaries,
        variances,
        tuple(trouble),
        tuned_items_of(all_results, lookup),
        {result.fit_key: epochs for result in with_series if (epochs := series_of(result.fit_key, lookup))},
        recorded.labels,
        recorded.finished,
    )


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


def _facts(lookup: RecordLookup, fit_key: str) -> ItemFacts:
    item = lookup(RecordType.ITEM.key(fit_key))
    if item is None:
        return ItemFacts()
    fit = lookup(RecordType.FIT.key(fit_key)) or {}
    predict_key = item.get("predict_key")  # store format 1 has none
    predict = (lookup(RecordType.PREDICT.key(predict_key)) if predict_key else None) or {}
    identity = item.get("identity") or fit.get("identity")  # store format 1 has it in some records only
    identity_fields = identity[1] if identity else {}
    configuration = identity_fields.get("configuration", ["", {}])
    parameters = configuration[1].get("parameters", item["parameters"])
    peaks = [peak for phase in (fit, predict) if (peak := phase.get("peak_rss")) is not None]
    waits = [waited for phase in (fit, predict) if (waited := phase.get("start_seconds")) is not None]
    return ItemFacts(
        item.get("data_key") or identity_fields.get("data", ""),
        sha256(recorded_text(configuration)) if identity_fields else "",
        recorded_text(parameters),
        configuration[1].get("runner", ""),
        fit.get("version") or configuration[1].get("version", ""),
        fit.get("seconds"),
        predict.get("seconds"),
        max(peaks) if peaks else None,
        item.get("finished") or "",
        {
            label: _uncertainty(lookup(RecordType.EVAL.key(metric["key"])) or {})
            for label, metric in item["metrics"].items()
        },
        sum(waits) if waits else None,
        tuple(fit.get("attempts") or ()),
    )


def _uncertainty(evaluation: Record) -> Uncertainty:
    low, high = evaluation.get("interval") or (None, None)  # store formats 1 and 2 have no interval
    users = evaluation.get("counted", evaluation.get("users"))  # earlier formats do not say who counts
    return Uncertainty(evaluation.get("stderr"), low, high, users)


def _dataset_summary(data: Record, root: Path | None) -> DatasetSummary:
    sizes = ", ".join(f"{data[noun]:,} {noun}" for noun in ("users", "items", "interactions"))
    steps = recipe_words(data["identity"][1])
    text = one_line(f"{sizes}, after {steps}" if steps else sizes)
    return DatasetSummary(
        text, len(data["test"]), NOTHING_COUNTED if root is None else read_split_counts(tree(root, data["directory"]))
    )
