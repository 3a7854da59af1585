"""The record of an item: how to build it, and what its result is.

How its metrics are read from its text relies on the order of members in what ``done_item`` builds; see ``store.done_text``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from sys import intern
from typing import Any, NamedTuple

from omnibench.errors import PhaseError
from omnibench.naming import tuned_label
from omnibench.results import Result
from omnibench.store.builders import ItemLabels, Origin
from omnibench.store.item_names import asks_once, search_hash, seedless_key
from omnibench.store.packed_metrics import PackedMetrics
from omnibench.store.schema import COSTS, GROUPS, GUEST_MEMBERS, SEARCHED, Phase, Record, Status, configuration_members
from omnibench.store.stops import STOPPED, failure_left, with_attempt, with_failure


def pending_item(labels: Record, generation: int = 0) -> Record:
    """Return the record of an item that nothing has been computed of yet.

    Args:
        labels: The members of ``ItemLabels.item_members``, as far as they are known.
        generation: How often it was reset.
    """
    return {
        **labels,
        "status": Status.PENDING.value,
        "phase": None,
        "generation": generation,
        "metrics": {},
        "error": None,
        "failures": 0,
        "deaths": 0,
        "exported": 0,
        "finished": None,
    }


_MOST_ATTEMPTS = 20
"""How many attempts that came to nothing an item's record remembers."""


def stopped_attempt(status: Status, origin: Origin, phase: str, costs: Mapping[str, Any]) -> Record:
    """Return what the record of an item keeps of an attempt that failed or was interrupted.

    Args:
        status: How it ended.
        origin: The run and worker of the attempt.
        phase: The phase that it was in; the phases before it have records of their own.
        costs: What that phase has cost until then, by the names of ``COSTS`` and ``GUEST_MEMBERS``, as far as known.
    """
    members = origin.members(phase)
    return {
        "phase": phase,
        "status": status.value,
        **{name: costs.get(name) for name in (*COSTS, *GUEST_MEMBERS)},
        **{name: members[name] for name in ("finished", "run", "worker")},
    }


def item_metric(value: float, eval_key: str, identity: str) -> dict[str, Any]:
    """Return what the record of an item keeps of one metric.

    Args:
        value: The metric's value.
        eval_key: The key of its evaluation.
        identity: The text that identifies the metric; see ``Metric.canonical_identity``.
    """
    return {"value": value, "key": eval_key, "metric": identity}


def recorded_groups(eval_key: str, identity: str, groups: Sequence[str]) -> dict[str, Any]:
    """Return what the record of an item keeps of the groups that a metric is divided into.

    Args:
        eval_key: The key that the evaluation of all groups together would have.
        identity: The text that identifies the metric; see ``Metric.canonical_identity``.
        groups: The groups of the fold, as labels call them.
    """
    return {"key": eval_key, "metric": identity, "names": list(groups)}


def done_item(
    labels: ItemLabels,
    origin: Origin,
    previous: Record,
    *,
    metrics: Mapping[str, Mapping[str, Any]],
    predict_key: str,
    list_length: int,
    predicted: str,
    test: str,
    as_seed: int | None = None,
    chosen: Mapping[str, Any] | None = None,
    groups: Mapping[str, Mapping[str, Any]] | None = None,
) -> Record:
    """Return the record of an item whose metrics are all recorded.

    Args:
        labels: The item.
        origin: The run and worker that computed it.
        previous: The item's record as earlier attempts left it; empty when there is none.
        metrics: By label, each as ``item_metric`` builds it; those of ``previous`` that still hold come first.
        predict_key: The key of its predictions.
        list_length: Recommendations per user.
        predicted: What the predictions depend on beside the model; see ``Experiment.predicted``.
        test: The sha256 of the test part.
        as_seed: Another seed that has made equal predictions, or None.
        chosen: The configuration that a search has chosen, as ``trials.chosen_trial`` builds it; None where none did.
        groups: The groups of metrics that are divided into some, as ``recorded_groups`` builds them, by the label that stands
            for all groups.
    """
    return {
        **labels.item_members,
        **origin.members(Phase.DONE.value),
        # Before the status: behind it only the metrics are objects, see `done_text`.
        **({"attempts": attempts} if (attempts := previous.get("attempts")) else {}),
        **({STOPPED: failure} if (failure := failure_left(previous, metrics)) else {}),
        **({} if chosen is None else {"chosen": dict(chosen)}),
        **({GROUPS: dict(groups)} if groups else {}),  # behind it only the seed, see `done_text`
        **({} if as_seed is None else {"as_seed": as_seed}),
        "status": Status.DONE.value,
        "metrics": dict(metrics),
        "error": None,
        "exported": max(previous.get("exported", 0), list_length),
        "generation": previous.get("generation", 0),
        "predict_key": predict_key,
        "failures": 0,
        "deaths": 0,
        # What the metrics were made of, once more, so that one look at this record is enough.
        "predicted": predicted,
        "test": test,
    }


def failed_item(
    labels: ItemLabels,
    origin: Origin,
    previous: Record,
    *,
    predict_key: str,
    error: PhaseError,
    costs: Mapping[str, Any],
    missing: Mapping[str, str] | None = None,
) -> Record:
    """Return the record of an item whose attempt has failed; one that was done stays done, without the missing metrics.

    Args:
        labels: The item.
        origin: The run and worker of the attempt.
        previous: The item's record as earlier attempts left it; empty when there is none.
        predict_key: The key that its predictions would have.
        error: The error, with its phase.
        costs: What that phase has cost; see ``stopped_attempt``.
        missing: The identities of the metrics that were to be computed, by label.
    """
    if previous.get("status") == Status.DONE:
        attempt = stopped_attempt(Status.FAILED, origin, error.phase, costs)
        failure = {"phase": error.phase, "error": _error_members(error)}
        return with_failure(_attempted(previous, attempt), failure, missing or {}, died=error.died)
    counts = {
        "failures": previous.get("failures", 0) + 1,
        "deaths": previous.get("deaths", 0) + 1 if error.died else 0,
    }
    return _stopped_item(labels, origin, previous, Status.FAILED, error.phase, predict_key, error, counts, costs)


def interrupted_item(
    labels: ItemLabels,
    origin: Origin,
    previous: Record,
    *,
    predict_key: str,
    phase: str,
    costs: Mapping[str, Any],
    error: PhaseError | None = None,
) -> Record:
    """Return the record of an item whose attempt was stopped from outside: a signal, a full disk; if done, it stays so.

    Args:
        labels: The item.
        origin: The run and worker of the attempt.
        previous: The item's record as earlier attempts left it; empty when there is none.
        predict_key: The key that its predictions would have.
        phase: The phase that it was in.
        costs: What that phase has cost; see ``stopped_attempt``.
        error: The trouble of the store or the machine; None for a signal.
    """
    if previous.get("status") == Status.DONE:
        return _attempted(previous, stopped_attempt(Status.INTERRUPTED, origin, phase, costs))
    counts = {"failures": previous.get("failures", 0), "deaths": previous.get("deaths", 0)}
    return _stopped_item(labels, origin, previous, Status.INTERRUPTED, phase, predict_key, error, counts, costs)


def _stopped_item(
    labels: ItemLabels,
    origin: Origin,
    previous: Record,
    status: Status,
    phase: str,
    predict_key: str,
    error: PhaseError | None,
    counts: Mapping[str, int],
    costs: Mapping[str, Any],
) -> Record:
    attempts = _attempts(previous, stopped_attempt(status, origin, phase, costs))
    return {
        **labels.item_members,
        **origin.members(phase),
        "status": status.value,
        "metrics": previous.get("metrics", {}),
        "error": error and _error_members(error),
        "exported": previous.get("exported", 0),
        "generation": previous.get("generation", 0),
        "predict_key": predict_key,
        **counts,
        **({"snapshot": previous["snapshot"]} if previous.get("snapshot") else {}),
        "attempts": attempts,
    }


def _attempted(item: Record, attempt: Record) -> Record:
    """Return the record of a done item of which a later attempt came to nothing."""
    return with_attempt(item, _attempts(item, attempt))


def _attempts(previous: Record, attempt: Record) -> list[Record]:
    return [*previous.get("attempts", []), attempt][-_MOST_ATTEMPTS:]


def _error_members(error: PhaseError) -> dict[str, str]:
    return {"phase": error.phase, "message": error.message, "details": error.details}


def failure_text(error: Mapping[str, Any] | None) -> str:
    """Return why an item failed, from its record's ``error``, e.g. ``Fit failed: RuntimeError``.

    Args:
        error: ``{phase, message, details}``; what earlier releases and other hands have recorded may lack any of it.
    """
    phase, message = (error or {}).get("phase") or "it", (error or {}).get("message")
    return f"{phase} failed: {message}" if message else f"{phase} failed, and no reason is recorded"


def outdated_item(previous: Record) -> Record:
    """Return the record of an item that has new predictions, but metrics of earlier ones."""
    return {**previous, "predicted": None}


def unmeasured_item(previous: Record) -> Record:
    """Return the record of an item whose metrics are of predictions that are not there any more."""
    interrupted: Record = {
        "status": Status.INTERRUPTED.value,
        "phase": Phase.EVAL.value,
        "metrics": {},
        "predicted": None,
    }
    return {**previous, **interrupted}


class _Configuration(NamedTuple):
    """What the results of a configuration's folds have alike.

    Attributes:
        called: The algorithm with its explicit hyperparameters, for people.
        is_tuned: Whether a search has chosen hyperparameters.
        seed: The seed.
        seedless_key: Identifies it without its seed; empty where nobody asks for it.
        refit: The parts that the model was fitted on.
        search: What labels tell its search by.
    """

    called: str
    is_tuned: bool
    seed: int | None
    seedless_key: str
    refit: str
    search: str

    @classmethod
    def of(cls, item: Record, *, with_seedless_key: bool) -> _Configuration:
        """Return that of an item's record; see ``results_of``."""
        name, is_tuned = item["algorithm"].rpartition("-")[0], bool(item.get(SEARCHED))
        values = [f"{parameter}={value!r}" for parameter, value in item["parameters"].items()]
        called = tuned_label(name, values) if is_tuned else f"{name}({', '.join(values)})"
        members = configuration_members(item)
        return cls(
            intern(called),  # there may be thousands of folds
            is_tuned,
            members.get("seed"),
            intern(seedless_key(item)) if with_seedless_key else "",
            members.get("refit", ""),
            search_hash(item) if "search" in members else "",
        )


def have_several_seeds(items: Iterable[Record]) -> bool:
    """Whether the records of items have different seeds."""
    return len({configuration_members(item).get("seed") for item in items}) > 1


def results_of(items: Iterable[Record], *, with_seedless_key: bool = True) -> Iterator[Result]:
    """Yield the results of items; those of a configuration, of whose records parts are the same objects, should follow each other.

    Args:
        items: Their records.
        with_seedless_key: Whether results have their ``seedless_key``, which nobody asks for where all have the same seed.
    """
    recorded = parameters = algorithm = search = configuration = None
    for item in items:
        identity = item.get("identity")
        of_item = identity[1]["configuration"] if identity else None
        if (
            configuration is None
            or of_item is not recorded
            or item["parameters"] is not parameters
            or item["algorithm"] is not algorithm
            or item.get(SEARCHED) is not search
        ):
            recorded, parameters, algorithm, search = of_item, item["parameters"], item["algorithm"], item.get(SEARCHED)
            configuration = _Configuration.of(item, with_seedless_key=with_seedless_key)
        yield _result_of(item, configuration)


def result_of(item: Record, *, with_seedless_key: bool = True) -> Result:
    """Return the result that an item's record holds; without metrics while none are recorded; see ``results_of``."""
    return _result_of(item, _Configuration.of(item, with_seedless_key=with_seedless_key))


def _result_of(item: Record, configuration: _Configuration) -> Result:
    return Result(
        item["dataset"],
        item["algorithm"],
        configuration.called,
        item["fold"],
        _values_in(item.get("metrics", {})),
        item["fit_key"],
        item.get("dataset_label", ""),
        "",  # other configurations of the store may call for another label than its plan did
        item.get("user_label", ""),
        item["parameters"],
        configuration.seed,
        item.get("module", ""),
        item.get("deterministic", False) or asks_once(item),
        configuration.seedless_key,
        seeds=item.get("seeds", 1),
        as_seed=item.get("as_seed"),
        refit=configuration.refit,
        tuned=configuration.is_tuned,
        search=configuration.search,
        chosen=choice_of(item),
    )


def _values_in(metrics: Mapping[str, Mapping[str, Any]]) -> Mapping[str, float]:
    """Return the values of metrics by label: of packed ones without unpacking them, as a store may have a hundred thousand."""
    if isinstance(metrics, PackedMetrics):
        return metrics.numbers
    return {intern(label): metric["value"] for label, metric in metrics.items()}


def choice_of(item: Record) -> dict[str, Any] | None:
    """Return what a tuned item's record says of the chosen trial, with ``tuning``, what all trials were proposed by."""
    chosen = item.get("chosen")
    if chosen is None:
        return None
    search = configuration_members(item).get("search")
    tuning = search.get("tuning") if isinstance(search, dict) else None
    return {**chosen, "tuning": tuning}
