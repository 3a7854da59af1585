"""Why an item is computed: from which phase on, and which part of its key differs from what is recorded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from omnibench.keys import canonical
from omnibench.store.schema import Record

_ABSENT = "(absent)"


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
