"""Why an item is computed: from which phase on, and which part of its key differs from what is recorded."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from omnibench.keys import canonical, recorded_text, sha256
from omnibench.method_caches import cached_method
from omnibench.store.fit_identities import FitIdentity
from omnibench.store.identity_forms import is_tagged_configuration
from omnibench.store.schema import Record, RecordType
from omnibench.store.states import RecordSource

_ABSENT = "(absent)"
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
_SHOWN_DIGITS = 12
_PLAINLY_EQUAL = (str, int, bool, type(None))
"""Types of which two values are the same to keys if they are equal."""
_TAGS = ("fit/1", "configuration/1")
"""The names of the forms of identities and of configurations, of which there has been one each."""
_AT_HAND = 4096
"""Configurations of which is kept how far they are: their folds do not always follow each other."""


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
    if type(old) is type(new) and type(old) in _PLAINLY_EQUAL:
        return [] if old == new else [(path, old, new)]
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


class _Distances:
    """How far other models are from one, by what they are made of.

    Args:
        identity: Its expanded identity.
        recipes: The recipes of datasets, by key.
    """

    def __init__(self, identity: Mapping[str, Any], recipes: Mapping[str, Any]) -> None:
        self._identity = identity
        self._recipes = recipes
        self._configuration = cached_method(self._of_configuration, _AT_HAND)
        self._data = cached_method(self._of_data, _AT_HAND)

    def to(self, fit: FitIdentity) -> tuple[bool, bool, int]:
        """Return whether a model is of another algorithm, of another runner, and in how many values it differs.

        What is nearer in other respects but of another algorithm tells little.
        """
        other_algorithm, other_runner, n_differences = self._configuration(fit.configuration)
        n_differences += self._data(fit.data) + len(differences(fit.fold, self._identity["fold"]))
        return other_algorithm, other_runner, n_differences

    def _of_configuration(self, text: str) -> tuple[bool, bool, int]:
        try:
            tagged = json.loads(text)
        except (ValueError, RecursionError):
            tagged = None
        if not is_tagged_configuration(tagged):  # by another hand: it is sealed, and not of its form
            return True, True, sys.maxsize // 2
        candidate = tagged[1]
        own = {name: member for name, member in self._identity.items() if name not in ("dataset", "fold")}
        other_algorithm, other_runner = (candidate[name] != own[name] for name in ("algorithm", "runner"))
        return other_algorithm, other_runner, len(differences(candidate, own))

    def _of_data(self, key: str) -> int:
        recipe = self._recipes.get(key)
        return len(differences(recipe[1] if recipe else key, self._identity["dataset"]))


def nearest(
    identity: Mapping[str, Any], recipes: Mapping[str, Any], fits: Iterable[tuple[str, FitIdentity]], fewest: int = 0
) -> str | None:
    """Return the key of the fit whose identity differs from another one in the fewest places, or None without any.

    Args:
        identity: An expanded identity.
        recipes: The recipes of datasets, by key.
        fits: The fits' keys, with what they are made of. Those behind the first that differs in the fewest places are not asked for.
        fewest: In how many places each differs at least.
    """
    distances = _Distances(identity, recipes)
    shortest, nearest_key = (True, True, sys.maxsize), None
    for key, fit in fits:
        distance = distances.to(fit)
        if distance < shortest:
            shortest, nearest_key = distance, key
            if distance <= (False, False, fewest):
                break
    return nearest_key


def _fewest_differences(identity: Any, recipes: Mapping[str, Any], records: RecordSource) -> int:
    """Return in how many places, of those that people are shown, the identity of any other fit differs at least.

    What differs in none has another key if it is of another dataset with the same recipe, or has other names of forms.

    Args:
        identity: An item's identity, whose digest is its key.
        recipes: The recipes of datasets, by key.
        records: All records.
    """
    tag, parts = identity
    if (tag, parts["configuration"][0]) != _TAGS:
        return 0
    own_recipe = recipes.get(parts["data"])
    for key, recipe in recipes.items():
        if own_recipe is not None and key != parts["data"] and not differences(recipe[1], own_recipe[1]):
            equal_key = sha256(recorded_text([tag, {**parts, "data": key}]))
            if records.get(RecordType.FIT.key(equal_key)) is not None:
                return 0
    return 1


def explain(identity: Any, fit_key: str, records: RecordSource, more: Mapping[str, Any] | None = None) -> str:
    """Say which parts of an item's key differ from the nearest item that was fitted.

    Args:
        identity: The identity whose digest is its fit key.
        fit_key: The key.
        records: All records; of fits is looked at what they are made of.
        more: Recipes that the records need not know, by key.
    """
    described = (records.records(record_type.prefix) for record_type in (RecordType.DATA, RecordType.RECIPE))
    recipes = {**recipes_of(dict(chain.from_iterable(described))), **(more or {})}
    own = expanded(identity, recipes)
    own_key = RecordType.FIT.key(fit_key)
    other_fits = ((key, fit) for key, fit in records.fits() if key != own_key)
    nearest_key = nearest(own, recipes, other_fits, _fewest_differences(identity, recipes, records))
    record = None if nearest_key is None else records.get(nearest_key)
    if record is None:
        return "No other item has been fitted, so there is nothing to compare its key with."
    changes = differences(expanded(record["identity"], recipes), own)
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
