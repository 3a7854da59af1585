"""What a run would do with an item: from which phase on, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from omnibench.engine.equal_seeds import equal_seed
from omnibench.engine.items import Item
from omnibench.engine.search import seen_trial
from omnibench.store.schema import DROPPED, Phase, Record, RecordLookup, RecordType, Status, status_of
from omnibench.store.trials import finished_trials, trials_by_number
from omnibench.tuning.choice import best, is_spent, within_budget


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a run would do with an item.

    Attributes:
        phase: The first phase that it would run: Tune, Fit, Predict or Eval.
        reason: Why it would run, as a text for people.
    """

    phase: str
    reason: str


def outlook(
    get: RecordLookup, item: Item, has_files: Callable[[Record], bool], *, has_snapshot: bool = False
) -> Outlook:
    """Return from which phase an item that is not done would run.

    Args:
        get: From a record's key to the record, or None.
        item: The item.
        has_files: Whether the files that a record names are there.
        has_snapshot: Whether its Fit, or one of its search, goes on from a snapshot: a kill is recorded by nobody else.
    """
    record = get(item.record_key) or {}
    last_attempt = _last_attempt(record)
    predict = get(item.predict_record_key)
    if predict is None or not has_files(predict):
        fit = get(item.fit_record_key)
        if fit is None and predict is None and equal_seed(get, item) is not None:
            return Outlook(Phase.PREDICT.value, "two seeds have made equal predictions, which it takes over")
        if fit is None:
            phase, words = _search_outlook(get, item)
            killed = f"it was interrupted in {phase}" if has_snapshot else ""
            reason = last_attempt or killed or _first_time(record)
            return Outlook(phase.value, "; ".join(filter(None, [reason, words])))
        if fit.get(DROPPED):
            lists = "lists of" if predict is None else "the missing predictions with lists of"
            return Outlook(
                Phase.FIT.value, f"{lists} {item.list_length} need its model, which was dropped to save space"
            )
        if not has_files(fit):
            return Outlook(Phase.FIT.value, f"its model {fit['model']['path']} is missing")
        if predict is not None:
            path = predict["predictions"]["path"]
            return Outlook(Phase.PREDICT.value, f"its predictions {path} are missing")
        reason = last_attempt or f"there are no predictions with lists of {item.list_length}"
        return Outlook(Phase.PREDICT.value, reason)
    eval_keys = item.with_groups(get).eval_keys(get)
    if eval_keys is None:
        return Outlook(Phase.EVAL.value, "its dataset is not prepared")
    missing = [label for label, key in eval_keys.items() if get(RecordType.EVAL.key(key)) is None]
    return Outlook(Phase.EVAL.value, f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not recorded")


def _search_outlook(get: RecordLookup, item: Item) -> tuple[Phase, str]:
    """Return the phase from which an item without a model would run, and how many trials of its search are known."""
    search = item.experiment.search
    if search is None:
        return Phase.FIT, ""
    budget = search.tuning.budget
    finished = finished_trials(trials_by_number(item.experiment.search_key, get))
    trials = within_budget(budget, map(seen_trial, finished))
    is_chosen = is_spent(budget, trials) and best(trials, search.metric.higher_is_better) is not None
    limit = "" if budget.get("trials") is None else f" of {budget['trials']}"
    plural = "" if (budget.get("trials") or len(trials)) == 1 else "s"
    return Phase.FIT if is_chosen else Phase.TUNE, f"{len(trials)}{limit} trial{plural} known"


def _last_attempt(record: Record) -> str:
    """Say how the last attempt ended when it failed or was interrupted, of an item's record."""
    status, phase = status_of(record or None, ())
    if status is Status.FAILED:
        message = ((record.get("error") or {}).get("message") or "").partition("\n")[0]
        return f"it failed{f' in {phase}' if phase else ''}{f': {message}' if message else ''}"
    return f"it was interrupted in {phase}" if status is Status.INTERRUPTED else ""


def _first_time(record: Record) -> str:
    if record.get("generation"):
        return "it was reset"
    return "it was never begun" if record else "nothing is recorded under its key"
