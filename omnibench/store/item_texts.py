"""How the records of done items are read from their texts: 100,000 of them are matched, not parsed and looked over.

What is matched is of the form of an item's record, member by member, as ``item_records.done_item`` builds it and ``json.dumps``
writes it: parsing and ``forms.flaw`` would return the same members. The text is cut where members begin whose names no text in a
string can look like, since its quotation marks are escaped; parts that many items have alike are matched once. Any other text is None
here, and is parsed: of items that are not done, that are tuned, that failed later, of earlier releases, of other hands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from omnibench.store.checks import is_moment
from omnibench.store.file_forms import ITEM_DIRECTORY
from omnibench.store.identity_forms import is_tagged_configuration
from omnibench.store.json_patterns import ANY_TEXT, CAPTURED_TEXT, INTEGER, NUMBER, TEXT
from omnibench.store.packed_metrics import MetricsPacker
from omnibench.store.schema import Phase, Record, RecordType, Status

_DIGITS = r'"([0-9a-f]{64})"'
_FOLD = rf"(null|{INTEGER})"
_METRIC = rf'{ANY_TEXT}: \{{"value": {NUMBER}, "key": "[0-9a-f]{{64}}", "metric": {ANY_TEXT}\}}'

_LABELS = re.compile(
    rf'\{{"item": {CAPTURED_TEXT}, "fit_key": {_DIGITS}, "dataset": {CAPTURED_TEXT}, "algorithm": {CAPTURED_TEXT}, "parameters": '
)
_BEHIND_PARAMETERS = ', "fold": '
_IDENTITY = re.compile(rf', "fold": {_FOLD}, "identity": \["(fit/\d+)", \{{"configuration": ')
_BEHIND_CONFIGURATION, _BEHIND_DATA = ', "data": "', '", "fold": '
_DATA_AND_LABELS = re.compile(
    rf', "data": {_DIGITS}, "fold": {_FOLD}\}}\], "data_key": {_DIGITS}'
    rf'(?:, "user_label": {CAPTURED_TEXT})?(?:, "dataset_label": {CAPTURED_TEXT})?(?:, "module": {CAPTURED_TEXT})?'
)
_NODE, _BEHIND_NODE = ', "node": "', f', "phase": "{Phase.DONE}", '
_ANY_METRICS = rf"(\{{{_METRIC}(?:, {_METRIC})*+\}})"
_MOST_BRACKETS = 20
"""Brackets in hyperparameters or a configuration up to which nobody has to look how deep they are nested."""

_PARAMETERS = ', "parameters": '
"""What stands before the hyperparameters in a configuration; no text in a string can look like it."""

_SCAN = json.JSONDecoder().raw_decode
"""What ``json.loads`` calls, which looks for blanks around it, too: a third of the time that few members take."""

_PHASE, _STATUS = Phase.DONE.value, Status.DONE.value

_AT_HAND = 4096
"""Texts of which is kept what they hold: the folds of a configuration have them alike."""


class TextsAroundFold:
    """What the text of an item says before and behind both places where its fold stands, from its key up to what it is called.

    Attributes:
        texts: The three parts, once they are known.
    """

    def __init__(self) -> None:
        self.texts = ("", "", "")


def light_item_in(
    key: str,
    text: str,
    packer: MetricsPacker,
    *,
    with_node: bool = False,
    with_metrics: bool = True,
    around_fold: TextsAroundFold | None = None,
) -> Record | None:
    """Return the record of a done item without what only runs need; None where it has to be parsed to tell.

    Parts that several items have alike are the same objects in their records.

    Args:
        key: The record's key.
        text: Its JSON, without its checksum.
        packer: Packs its metrics.
        with_node: Whether the record says the item's node id.
        with_metrics: Whether it has ``metrics``, packed, and the key of its predictions.
        around_fold: Is told what other folds of its configuration have alike.
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
    behind_node = text.find(_BEHIND_NODE, behind)
    if not 0 < behind < behind_node:
        return None
    node_begin = text.find(_NODE, behind, behind_node)
    behind_labels = behind_node if node_begin < 0 else node_begin
    parts = _parts_in(text[begin:end], text[identity.end() : behind])
    data_and_labels = _data_and_labels_in(text[behind:behind_labels])
    item, fit_key, dataset, algorithm = labels.groups()
    if parts is None or data_and_labels is None:
        return None
    outcome = outcome_in(text, behind_labels, packer, with_metrics=with_metrics)
    if outcome is None:
        return None
    parameters, configuration = parts
    data, fold, data_key, known_labels = data_and_labels
    if around_fold is not None:
        behind_data = behind + len(_BEHIND_CONFIGURATION) + len(data) + len(_BEHIND_DATA)
        behind_fold = behind_data + len(identity[1])
        around_fold.texts = (
            text[labels.end(2) : identity.start(1)],
            text[identity.end(1) : behind_data],
            text[behind_fold:behind_labels],
        )
    light = _Light()
    light.item, light.fit_key = item, fit_key
    light.dataset, light.algorithm = _shared(dataset), _shared(algorithm)
    light.parameters, light.fold = parameters, _fold(identity[1])
    light.identity = [_shared(identity[2]), vars(_Identity(configuration, data, fold))]
    light.data_key = data_key
    record: Record = vars(light)
    record |= known_labels
    return with_outcome(record, outcome, with_node=with_node, with_metrics=with_metrics)


class ItemOutcome(NamedTuple):
    """What the text of a done item says behind what it was made of and is called.

    Attributes:
        node: Its node id; None where it has none.
        finished: When it was done.
        directory: Its directory.
        metrics: Its metrics, packed where their values are floats.
        generation: How often it was reset.
        predict_key: The key of its predictions.
    """

    node: str | None
    finished: str
    directory: str
    metrics: Mapping[str, dict[str, Any]]
    generation: int
    predict_key: str


def outcome_in(
    text: str, begin: int, packer: MetricsPacker, directory: str | None = None, *, with_metrics: bool = True
) -> ItemOutcome | None:
    """Return what a text says from its node id on, or from its phase on where it has none; None where it has to be parsed to tell.

    Args:
        text: The text of a done item's record.
        begin: Where that begins.
        packer: Packs its metrics.
        directory: The name of a directory of an item, which this one mostly has; of most it need not be looked at then.
        with_metrics: Whether anybody asks for its metrics.
    """
    metrics: Mapping[str, dict[str, Any]] = {}
    match = _outcome_pattern(packer.pattern).fullmatch(text, begin)
    if match is not None:
        node, moment, own_directory, *members, generation, predict_key = match.groups()
        if with_metrics:
            metrics = packer.packed_members(members)
    else:
        match = _outcome_pattern(_ANY_METRICS).fullmatch(text, begin)
        if match is None:
            return None
        node, moment, own_directory, metrics_text, generation, predict_key = match.groups()
        metrics = packer.packed(metrics_text)  # also where nobody asks: the next item is expected to have these labels
    finished = _moment(moment)
    if finished is None or (own_directory != directory and not _is_directory(own_directory)):
        return None
    return ItemOutcome(node, finished, own_directory, metrics, int(generation), predict_key)


@lru_cache(maxsize=64)
def _outcome_pattern(metrics: str) -> re.Pattern[str]:
    """Return the pattern of what ``outcome_in`` reads.

    Args:
        metrics: The pattern of metrics.
    """
    return re.compile(
        rf'(?:{_NODE[:-1]}{CAPTURED_TEXT})?{_BEHIND_NODE}"finished": {CAPTURED_TEXT}, "run": {TEXT}, "worker": {TEXT}'
        rf', "directory": {CAPTURED_TEXT}, "status": "{Status.DONE}", "metrics": {metrics}, "error": null, "exported": {INTEGER}'
        rf', "generation": ({INTEGER}), "predict_key": {CAPTURED_TEXT}, "failures": {INTEGER}, "deaths": {INTEGER}'
        rf', "predicted": {ANY_TEXT}, "test": {TEXT}(?:, "token": {TEXT})?\}}'
    )


def with_outcome(record: Record, outcome: ItemOutcome, *, with_node: bool, with_metrics: bool) -> Record:
    """Add what is an item's own to its record, which has all else; see ``light_item_in``."""
    if with_node and outcome.node is not None:
        record["node"] = outcome.node
    record["phase"], record["finished"] = _PHASE, outcome.finished
    record["directory"] = record["item"] if outcome.directory == record["item"] else _shared(outcome.directory)
    record["status"] = _STATUS
    if with_metrics:
        record["metrics"] = outcome.metrics
    record["error"] = None
    record["generation"] = outcome.generation
    if with_metrics:
        record["predict_key"] = outcome.predict_key
    return record


class _Light:
    """Has the members of a light record as attributes: the dictionaries of instances share their names, which halves their memory."""

    item: str
    fit_key: str
    dataset: str
    algorithm: str
    parameters: dict[str, Any]
    fold: int | None
    identity: list[Any]
    data_key: str


class _Identity:
    """Has the members of an item's identity as attributes; see ``_Light``."""

    def __init__(self, configuration: list[Any], data: str, fold: int | None) -> None:
        self.configuration = configuration
        self.data = data
        self.fold = fold


@lru_cache(maxsize=_AT_HAND)
def _data_and_labels_in(text: str) -> tuple[str, int | None, str, dict[str, str]] | None:
    """Return the dataset's key and the fold in an identity, the dataset's key beside it, and what an item is called."""
    match = _DATA_AND_LABELS.fullmatch(text)
    if match is None:
        return None
    data, fold, data_key, *labels = match.groups()
    names = zip(("user_label", "dataset_label", "module"), labels, strict=True)
    written_labels = {name: _shared(label) for name, label in names if label is not None}
    return _shared(data), _fold(fold), _shared(data_key), written_labels


@lru_cache(maxsize=_AT_HAND)
def _moment(text: str) -> str | None:
    """Return when an item was done, once for all that were done then; None where that is no time."""
    return text if is_moment(text) else None


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
        parameters, end = _SCAN(parameters_text, 0)
        if end != len(parameters_text) or type(parameters) is not dict:
            return None
        before, _, behind = configuration_text.partition(f"{_PARAMETERS}{parameters_text}")
        form = _around_parameters(before, behind)
        if form is not None:
            return parameters, [form[0], {**form[1], "parameters": parameters}]
        configuration, end = _SCAN(configuration_text, 0)
    except (ValueError, RecursionError):
        return None
    if end != len(configuration_text) or not is_tagged_configuration(configuration):
        return None
    recorded = configuration[1]["parameters"]
    return (recorded if repr(recorded) == repr(parameters) else parameters), configuration


@lru_cache(maxsize=64)
def _around_parameters(before: str, behind: str) -> tuple[str, dict[str, Any]] | None:
    """Return the form and the members of a configuration of which all but the hyperparameters is known, which these are put among.

    The configurations of an algorithm mostly have all else alike, so that only their hyperparameters are parsed. None where between
    both texts there is no place for hyperparameters alone.

    Args:
        before: The text of the configuration up to its hyperparameters, without ``_PARAMETERS``.
        behind: Its text behind them; nothing where it has none.
    """
    if not behind:
        return None
    filled = [f"{before}{_PARAMETERS}{parameters}{behind}" for parameters in ("{}", '{"": 0}')]
    try:
        (empty, end), (full, end_of_full) = (_SCAN(text, 0) for text in filled)
    except (ValueError, RecursionError):
        return None
    if (end, end_of_full) != (len(filled[0]), len(filled[1])) or not is_tagged_configuration(empty):
        return None
    if full != [empty[0], {**empty[1], "parameters": {"": 0}}] or empty[1]["parameters"] != {}:
        return None  # they are somewhere else in it
    return empty[0], empty[1]
