"""Why an item is computed: from which phase on, and which part of its key differs from what is recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from omnibench.experiment import Experiment
from omnibench.keys import canonical
from omnibench.store.sealing import Record
from omnibench.survey import Columns, Get, eval_keys

_ABSENT = "(absent)"


@dataclass(frozen=True)
class Outlook:
    """What a run would do with an item.

    Attributes:
        phase: The first phase that it would run: Fit, Predict or Eval.
        reason: Why.
    """

    phase: str
    reason: str


def outlook(
    get: Get, experiment: Experiment, columns: Columns, list_length: int, is_there: Callable[[Record], bool]
) -> Outlook:
    """Return from which phase an item that is not done would run.

    Args:
        get: From a record's key to the record, or None.
        experiment: The item.
        columns: The wanted metrics and labels.
        list_length: Recommendations per user.
        is_there: Whether the files that a record names are there.
    """
    item = get(f"item/{experiment.fit_key}") or {}
    before = {
        "failed": f"it failed in {item.get('phase')}: {(item.get('error') or {}).get('message', '')}",
        "interrupted": f"it was interrupted in {item.get('phase')}",
    }.get(item.get("status", ""), "")
    predict = get(f"predict/{experiment.predict_key(list_length)}")
    if predict is None or not is_there(predict):
        fit = get(f"fit/{experiment.fit_key}")
        if fit is None:
            return Outlook("Fit", before or _first_time(item))
        if not is_there(fit):
            return Outlook("Fit", f"its model {fit['model']['path']} is missing")
        if predict is not None:
            return Outlook("Predict", f"its predictions {predict['predictions']['path']} are missing")
        return Outlook("Predict", before or f"there are no predictions with lists of {list_length}")
    keys = eval_keys(get, experiment, columns, list_length)
    if keys is None:
        return Outlook("Eval", "its dataset is not prepared")
    missing = [label for label, key in keys.items() if get(f"eval/{key}") is None]
    return Outlook("Eval", f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not recorded")


def _first_time(item: Record) -> str:
    if item.get("generation"):
        return "it was reset"
    return "it was never begun" if item else "nothing is recorded under its key"


def differences(old: Any, new: Any, place: str = "") -> list[tuple[str, Any, Any]]:
    """Return the places where two identities differ, with both values; only the innermost ones.

    Args:
        old: Plain data, as JSON keeps it.
        new: Likewise.
        place: What to put before the places.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        found = []
        for name in [*old, *(name for name in new if name not in old)]:
            inner = f"{place}.{name}" if place else str(name)
            found += differences(old.get(name, _ABSENT), new.get(name, _ABSENT), inner)
        return found
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        found = []
        for position, (one, other) in enumerate(zip(old, new, strict=True)):
            found += differences(one, other, f"{place}[{position}]")
        return found
    # As keys see it: 1 is not 1.0, and True is not 1.
    return [] if canonical(old) == canonical(new) else [(place, old, new)]


def expanded(identity: Any, recipes: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item's identity for people: without schema names, and with its dataset's recipe in place of its key.

    Args:
        identity: What its fit key is the digest of.
        recipes: The recipes of datasets, by key.
    """
    _, parts = identity
    _, configuration = parts["configuration"]
    recipe = recipes.get(parts["data"])
    return {
        "dataset": recipe[1] if recipe else parts["data"],
        "fold": parts["fold"],
        **configuration,
    }


def recipes_of(records: Mapping[str, Record]) -> dict[str, Any]:
    """Return the recipe of every dataset that the records know, by its key."""
    return {
        key.partition("/")[2]: record["identity"]
        for key, record in records.items()
        if key.startswith(("data/", "recipe/"))
    }


def nearest(identity: dict[str, Any], candidates: Iterable[tuple[Record, dict[str, Any]]]) -> Any:
    """Return the candidate whose identity differs in the fewest places, as (record, differences), or None.

    Args:
        identity: An expanded identity.
        candidates: Records with theirs.
    """
    best = None
    for record, other in candidates:
        found = differences(other, identity)
        # What is nearer in other respects but of another algorithm tells little.
        rank = (other["algorithm"] != identity["algorithm"], other["runner"] != identity["runner"], len(found))
        if best is None or rank < best[0]:
            best = (rank, record, found)
    return None if best is None else best[1:]


def explain(identity: Any, fit_key: str, records: Mapping[str, Record], more: Mapping[str, Any] | None = None) -> str:
    """Say which parts of an item's key differ from the nearest item that was fitted.

    Args:
        identity: What its fit key is the digest of.
        fit_key: The key.
        records: All records.
        more: Recipes that the records need not know, by key.
    """
    recipes = {**recipes_of(records), **(more or {})}
    others = [
        (record, expanded(record["identity"], recipes))
        for key, record in records.items()
        if key.startswith("fit/") and record["fit_key"] != fit_key
    ]
    found = nearest(expanded(identity, recipes), others)
    if found is None:
        return "No other item has been fitted, so there is nothing to compare its key with."
    record, changes = found
    if not changes:
        return f"The nearest item, {record['item']}, differs in nothing that its key shows."
    width = max(len(place) for place, _, _ in changes)
    lines = [f"The nearest item that was fitted is {record['item']} ({record['finished']}). What differs:"]
    lines += [f"  {place:{width}}  {_shown(old)} -> {_shown(new)}" for place, old, new in changes]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if value == _ABSENT:
        return _ABSENT
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - what fits a line
