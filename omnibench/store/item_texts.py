"""How the records of done items are read from their texts: 100,000 of them are matched, not parsed and looked over.

What the pattern matches is of the form of an item's record, member by member, as ``item_records.done_item`` builds it and
``json.dumps`` writes it: parsing and ``forms.flaw`` would return the same members. Any other text is None here, and is parsed: of
items that are not done, that are tuned, that failed later, of earlier releases, of other hands.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from omnibench.store.checks import is_moment
from omnibench.store.file_forms import ITEM_DIRECTORY
from omnibench.store.identity_forms import is_tagged_configuration
from omnibench.store.json_patterns import ANY_TEXT, CAPTURED_TEXT, INTEGER, NUMBER, TEXT
from omnibench.store.schema import Phase, Record, RecordType, Status

_DIGITS = r'"([0-9a-f]{64})"'
_FOLD = rf"(null|{INTEGER})"
_METRIC = rf'{ANY_TEXT}: \{{"value": {NUMBER}, "key": "[0-9a-f]{{64}}", "metric": {ANY_TEXT}\}}'

_LABELS = re.compile(
    rf'\{{"item": {CAPTURED_TEXT}, "fit_key": {_DIGITS}, "dataset": {CAPTURED_TEXT}, "algorithm": {CAPTURED_TEXT}, "parameters": '
)
_BEHIND_PARAMETERS = ', "fold": '
_IDENTITY = re.compile(rf', "fold": {_FOLD}, "identity": \["(fit/\d+)", \{{"configuration": ')
_BEHIND_CONFIGURATION = ', "data": "'
_REST = re.compile(
    rf', "data": {_DIGITS}, "fold": {_FOLD}\}}\], "data_key": {_DIGITS}'
    rf'(?:, "user_label": {CAPTURED_TEXT})?(?:, "dataset_label": {CAPTURED_TEXT})?(?:, "module": {CAPTURED_TEXT})?(?:, "node": {CAPTURED_TEXT})?'
    rf', "phase": "{Phase.DONE}", "finished": {CAPTURED_TEXT}, "run": {TEXT}, "worker": {TEXT}'
    rf', "directory": {CAPTURED_TEXT}, "status": "{Status.DONE}", "metrics": (\{{{_METRIC}(?:, {_METRIC})*+\}}), "error": null'
    rf', "exported": {INTEGER}, "generation": ({INTEGER}), "predict_key": {CAPTURED_TEXT}, "failures": {INTEGER}, "deaths": {INTEGER}'
    rf', "predicted": {ANY_TEXT}, "test": {TEXT}(?:, "token": {TEXT})?\}}'
)
_MOST_BRACKETS = 20
"""Brackets in hyperparameters or a configuration up to which nobody has to look how deep they are nested."""

_PHASE, _STATUS = Phase.DONE.value, Status.DONE.value

_AT_HAND = 4096
"""Texts of which is kept what they hold: the folds of a configuration have them alike."""


def light_item_in(key: str, text: str, *, with_node: bool = False) -> Record | None:
    """Return the record of a done item without what only runs need; None where it has to be parsed to tell.

    Parts that several items have alike are the same objects in their records. ``metrics`` is the JSON of its metrics.

    Args:
        key: The record's key.
        text: Its JSON, without its checksum.
        with_node: Whether the record says the item's node id.
    """
    labels = _LABELS.match(text)
    if labels is None or not key.endswith(labels[2]) or not RecordType.ITEM.has(key):
        return None
    begin = labels.end()
    end = text.find(_BEHIND_PARAMETERS, begin)
    identity = _IDENTITY.match(text, end)
    if identity is None:
        return None
    behind = text.find(_BEHIND_CONFIGURATION, identity.end())
    parts, rest = _parts_in(text[begin:end], text[identity.end() : behind]), _REST.fullmatch(text, behind)
    if parts is None or rest is None:
        return None
    item, fit_key, dataset, algorithm = labels.groups()
    data, fold, data_key, user, name, module, node, finished, directory, metrics, generation, predict_key = (
        rest.groups()
    )
    if not is_moment(finished) or not _is_directory(directory):
        return None
    parameters, configuration = parts
    light: Record = {
        "item": item,
        "fit_key": fit_key,
        "dataset": _shared(dataset),
        "algorithm": _shared(algorithm),
        "parameters": parameters,
        "fold": _fold(identity[1]),
        "identity": [
            _shared(identity[2]),
            {"configuration": configuration, "data": _shared(data), "fold": _fold(fold)},
        ],
    }
    light["data_key"] = _shared(data_key)
    for member, label in (("user_label", user), ("dataset_label", name), ("module", module)):
        if label is not None:
            light[member] = _shared(label)
    if with_node and node is not None:
        light["node"] = node
    light["phase"] = _PHASE
    light["finished"] = _shared(finished)
    light["directory"] = item if directory == item else _shared(directory)
    light["status"] = _STATUS
    light["metrics"] = metrics
    light["error"] = None
    light["generation"] = int(generation)
    light["predict_key"] = predict_key
    return light


def _fold(text: str) -> int | None:
    return None if text == "null" else int(text)


@lru_cache(maxsize=_AT_HAND)
def _shared(text: str) -> str:
    """Return a text that others have alike, once for all of them."""
    return text


@lru_cache(maxsize=_AT_HAND)
def _is_directory(text: str) -> bool:
    return ITEM_DIRECTORY.fullmatch(text) is not None


@lru_cache(maxsize=_AT_HAND)
def _parts_in(parameters_text: str, configuration_text: str) -> tuple[dict[str, Any], list[Any]] | None:
    """Return the hyperparameters and the configuration that two texts are, or None where they are none, or nested deep."""
    both = parameters_text + configuration_text
    if both.count("{") + both.count("[") > _MOST_BRACKETS:
        return None
    try:
        parameters, configuration = json.loads(parameters_text), json.loads(configuration_text)
    except (ValueError, RecursionError):
        return None
    if type(parameters) is not dict or not is_tagged_configuration(configuration):
        return None
    recorded = configuration[1]["parameters"]
    return (recorded if repr(recorded) == repr(parameters) else parameters), configuration
