"""What files tell: results, what is known of each beside its metrics, and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from omnibench.keys import recorded_text, sha256
from omnibench.results import Result
from omnibench.store.schema import Record

Get = Callable[[str], Record | None]


@dataclass(frozen=True, slots=True)
class Spread:
    """How sure a metric's mean over users is.

    Attributes:
        stderr: Its standard error, where it is a mean over users.
        low: The lower end of its bootstrap interval (95 %), likewise.
        high: The upper end.
        users: How many users were judged.
    """

    stderr: float | None = None
    low: float | None = None
    high: float | None = None
    users: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an item beside its metrics; what is not recorded is None, or empty.

    Attributes:
        dataset_key: Identifies its dataset.
        configuration_key: Identifies its configuration, whatever the data.
        parameters: The hyperparameters that were given, as JSON with sorted names and no blanks.
        framework: Who computed, e.g. ``RecPack``.
        version: The framework's version.
        fit_seconds: Wall seconds of Fit.
        predict_seconds: Wall seconds of Predict, for all users with test items.
        peak_memory: Largest resident set of the framework's process in Fit and Predict, in bytes.
        finished: When it was done, ISO 8601.
        spreads: By label, of the metrics that are recorded.
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
    spreads: Mapping[str, Spread] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a dataset.

    Attributes:
        text: Its size and its steps, in one line.
        folds: How many folds it has.
    """

    text: str
    folds: int


@dataclass(frozen=True, slots=True)
class Missing:
    """An item without results.

    Attributes:
        item: Its name.
        status: failed, interrupted, running or pending.
        why: What is known of the reason, in one line.
    """

    item: str
    status: str
    why: str = ""


@dataclass(frozen=True)
class Contents:
    """What files tell.

    Attributes:
        results: All results, in the order of their rows.
        lower_is_better: The columns where the smallest value is the best.
        undirected: The columns of which nobody knows which values are better.
        missing: The items that have no results.
        facts: What else is known of each item, by its fit key.
        about: What is known of each dataset, by its name.
    """

    results: list[Result]
    lower_is_better: Collection[str]
    undirected: Collection[str]
    missing: list[Missing]
    facts: Mapping[str, Facts]
    about: Mapping[str, About]

    def facts_of(self, result: Result) -> Facts:
        """Return what is known of a result's item beside its metrics."""
        return self.facts.get(result.fit_key, Facts())

    @property
    def labels(self) -> list[str]:
        """The metrics' labels, in the order in which they come."""
        return list(dict.fromkeys(label for result in self.results for label in result.metrics))


def contents_of(
    get: Get,
    results: Iterable[Result],
    missing: Iterable[Missing],
    lower_is_better: Collection[str],
    undirected: Collection[str] = (),
) -> Contents:
    """Return what files tell of some results.

    Args:
        get: From a record's key to the record, or None.
        results: The results.
        missing: The items without.
        lower_is_better: The columns where the smallest value is the best.
        undirected: The columns of which nobody knows.
    """
    listed = list(results)
    facts = {result.fit_key: _facts(get, result.fit_key) for result in listed if result.fit_key}
    keys = {result.dataset: facts[result.fit_key].dataset_key for result in listed if result.fit_key}
    about = {name: _about(data) for name, key in keys.items() if (data := get(f"data/{key}")) is not None}
    return Contents(listed, lower_is_better, undirected, list(missing), facts, about)


def result_of(item: Record) -> Result:
    """Return the result that a done item's record holds."""
    name = item["algorithm"].rpartition("-")[0]
    given = ", ".join(f"{parameter}={value!r}" for parameter, value in item["parameters"].items())
    metrics = {label: metric["value"] for label, metric in item["metrics"].items()}
    return Result(item["dataset"], item["algorithm"], f"{name}({given})", item["fold"], metrics, item["fit_key"])


def missing_of(item: Record) -> Missing:
    """Return what the record of an item without results says of it."""
    error = item.get("error")
    why = f"{error['phase']} failed: {error['message']}" if error else ""
    return Missing(item["item"], item["status"], one_line(why))


def one_line(text: str) -> str:
    """Return a text without control characters and line breaks."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def _facts(get: Get, fit_key: str) -> Facts:
    item = get(f"item/{fit_key}")
    if item is None:
        return Facts()
    fit, predict = get(f"fit/{fit_key}") or {}, get(f"predict/{item.get('predict_key')}") or {}
    identity = item.get("identity") or fit.get("identity")  # store format 1 has it in some records only
    of = identity[1] if identity else {}
    configuration = of.get("configuration", ["", {}])
    parameters = configuration[1].get("parameters", item["parameters"])
    peaks = [peak for phase in (fit, predict) if (peak := phase.get("peak_rss")) is not None]
    return Facts(
        item.get("data_key") or of.get("data", ""),
        sha256(recorded_text(configuration)) if of else "",
        recorded_text(parameters),
        configuration[1].get("runner", ""),
        fit.get("version") or configuration[1].get("version", ""),
        fit.get("seconds"),
        predict.get("seconds"),
        max(peaks) if peaks else None,
        item.get("finished") or "",
        {label: _spread(get(f"eval/{metric['key']}") or {}) for label, metric in item["metrics"].items()},
    )


def _spread(evaluation: Record) -> Spread:
    low, high = evaluation.get("interval") or (None, None)
    return Spread(evaluation.get("stderr"), low, high, evaluation.get("users"))


def _about(data: Record) -> About:
    sizes = ", ".join(f"{data[what]:,} {what}" for what in ("users", "items", "interactions") if what in data)
    steps = [
        f"{name}({', '.join(f'{parameter}={value}' for parameter, value in parameters.items())})"
        for name, _, parameters in data["identity"][1]["steps"]
    ]
    return About(one_line(f"{sizes}, after {', '.join(steps)}" if steps else sizes), len(data.get("test") or (0,)))
