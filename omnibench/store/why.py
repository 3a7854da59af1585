"""Why an item is computed: from which phase on, and which part of its key differs from what is recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from omnibench.keys import canonical
from omnibench.store.schema import SEARCHED, Record, RecordType
from omnibench.store.states import RecordSource

_ABSENT = "(absent)"
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
_SHOWN_DIGITS = 12


def differences(old: Any, new: Any, path: str = "", *, absent: Any = _ABSENT) -> list[tuple[str, Any, Any]]:
    """Return the innermost members in which two identities differ: the path of each and both values.

    Args:
        old: Plain data, as JSON keeps it.
        new: Likewise.
        path: The path of these two.
        absent: What stands for a member that only the other has.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        changes = []
        for name in [*old, *(name for name in new if name not in old)]:
            inner = f"{path}.{name}" if path else str(name)
            changes += differences(old.get(name, absent), new.get(name, absent), inner, absent=absent)
        return changes
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        changes = []
        for position, (old_element, new_element) in enumerate(zip(old, new, strict=True)):
            changes += differences(old_element, new_element, f"{path}[{position}]", absent=absent)
        return changes
    # As keys see it: 1 is not 1.0, and True is not 1.
    return [] if canonical(old) == canonical(new) else [(path, old, new)]


def expanded(identity: Any, recipes: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item's identity for people: without schema names, with its dataset's recipe instead of its key.

    Args:
        identity: The identity whose digest is its fit key.
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
        record_type.identity(key): record["identity"]
        for key, record in records.items()
        for record_type in (RecordType.DATA, RecordType.RECIPE)
        if record_type.has(key)
    }


def nearest(identity: dict[str, Any], candidates: Iterable[tuple[Record, dict[str, Any]]]) -> Any:
    """Return the candidate whose identity differs in the fewest places, as (record, differences), or None.

    Args:
        identity: An expanded identity.
        candidates: Records with theirs.
    """
    best = None
    for record, candidate in candidates:
        changes = differences(candidate, identity)
        # What is nearer in other respects but of another algorithm tells little.
        other_algorithm, other_runner = (candidate[name] != identity[name] for name in ("algorithm", "runner"))
        rank = (other_algorithm, other_runner, len(changes))
        if best is None or rank < best[0]:
            best = (rank, record, changes)
    return None if best is None else best[1:]


def explain(identity: Any, fit_key: str, records: RecordSource, more: Mapping[str, Any] | None = None) -> str:
    """Say which parts of an item's key differ from the nearest item that was fitted.

    Args:
        identity: The identity whose digest is its fit key.
        fit_key: The key.
        records: All records; those of fits are read one at a time.
        more: Recipes that the records need not know, by key.
    """
    described = (records.records(record_type.prefix) for record_type in (RecordType.DATA, RecordType.RECIPE))
    recipes = {**recipes_of(dict(chain.from_iterable(described))), **(more or {})}
    fitted = (
        (record, expanded(record["identity"], recipes))  # trials are no items
        for _, record in records.records(RecordType.FIT.prefix)
        if record["fit_key"] != fit_key and not record.get(SEARCHED)
    )
    match = nearest(expanded(identity, recipes), fitted)
    if match is None:
        return "No other item has been fitted, so there is nothing to compare its key with."
    record, changes = match
    if not changes:
        return f"The nearest item, {record['item']}, differs in nothing that its key shows."
    width = max(len(path) for path, _, _ in changes)
    lines = [f"The nearest item that was fitted is {record['item']} ({record['finished']}). What differs:"]
    lines += [f"  {path:{width}}  {formatted(old)} -> {formatted(new)}" for path, old, new in changes]
    return "\n".join(lines)


def without_long_digests(value: Any) -> Any:
    """Return a value with the first digits of each sha256 in a text; anything else is returned as it is."""
    return _DIGEST.sub(lambda match: match[0][:_SHOWN_DIGITS], value) if isinstance(value, str) else value


def formatted(value: Any, length: int = 60) -> str:
    """Return a value of a key as JSON, cut at a length."""
    if value == _ABSENT:
        return _ABSENT
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= length else text[: length - 3] + "..."
