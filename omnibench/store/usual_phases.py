"""The records of phases as runs write them, matched from end to end: what has this form has each member once, and is not searched.

The pattern follows ``builders`` member by member. Nested objects that differ from framework to framework (hyperparameters, what a
key is made of) are parsed once for all texts that have them alike, which says where they end. Any other text is None here:
``phase_texts`` searches it.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import NamedTuple

from omnibench.store.json_patterns import ANY_TEXT, CAPTURED_TEXT, COST, INTEGER, NUMBER, TEXT
from omnibench.store.phase_forms import EPOCHS, START, costs_pattern, uncertainty_pattern
from omnibench.store.schema import COSTS

_FOLD = rf"(?:null|{INTEGER})"
_NUMBER = rf"(?:null|{NUMBER})"
_COST = rf"(?:null|{COST})"
_COLUMN = rf"\[(?:{INTEGER}(?:, {INTEGER})*+)?\]"
_STAT = r"\[(?:(?:0|[1-9][0-9]{0,19})(?:, (?:0|[1-9][0-9]{0,19}))*+)?\]"
_FILE = rf'\{{"path": {TEXT}, "size": {INTEGER}, "sha256": "[0-9a-f]{{64}}"(?:, "stat": {_STAT})?\}}'
_FILE_COLUMNS = rf'(?:null|\{{"user": {_COLUMN}, "value": {_COLUMN}\}})'
_MEASURED = costs_pattern(f"({_COST}", *(_COST,) * (len(COSTS) - 1))  # the group ends behind what is of the guest
_OF_GUEST = rf'{START}{_COST}, "threads": (?:null|0|[1-9][0-9]{{0,8}}))'
_TOKEN = rf'(?:, "token": {TEXT})?\}}'

_LABELS = re.compile(
    rf'\{{"item": {CAPTURED_TEXT}, "fit_key": "([0-9a-f]{{64}})", "dataset": {TEXT}, "algorithm": {TEXT}, "parameters": '
)
_BEHIND_PARAMETERS = ', "fold": '
_ORIGIN = rf', "fold": {_FOLD}, "phase": "%s", "finished": {CAPTURED_TEXT}, "run": {CAPTURED_TEXT}, "worker": {CAPTURED_TEXT}, "directory": (?:null|{TEXT}), '
_EVAL = re.compile(
    rf'{_ORIGIN % "Eval"}"label": {ANY_TEXT}, "per_user": (?:null|{_FILE}), "value": {_NUMBER}, '
    rf"{uncertainty_pattern(*(_NUMBER,) * 5)}{_FILE_COLUMNS}"
    rf', {_MEASURED}), "batch": {CAPTURED_TEXT}{_TOKEN}'
)
_PREDICT = re.compile(
    rf'{_ORIGIN % "Predict"}{_MEASURED}{_OF_GUEST}, "rows": {INTEGER}, "predictions": (?:null|{_FILE})(?:, "as_seed": {INTEGER})?{_TOKEN}'
)
_FIT = re.compile(rf'{_ORIGIN % "Fit"}{_MEASURED}{_OF_GUEST}, "effective": ')
_BEHIND_EFFECTIVE = ', "version": '
_IDENTITY = re.compile(rf', "version": {TEXT}{EPOCHS}, "identity": \["fit/[0-9]+", \{{"configuration": ')
_BEHIND_CONFIGURATION = ', "data": "'
_MODEL = re.compile(rf', "data": "[0-9a-f]{{64}}", "fold": {_FOLD}\}}\], "model": (?:null|{_FILE}){_TOKEN}')

_AT_HAND = 4096
"""Texts of which is kept whether they are JSON: the folds of a configuration have them alike."""


class UsualPhase(NamedTuple):
    """What the row of a finished phase says, as it stands in the text of its record.

    Attributes:
        item: The name of its item.
        fit_key: The key of its item.
        finished: When it ended; whether that is a time is not looked at.
        run: The run that computed it.
        worker: The worker that did.
        costs: The JSON of its numbers, from that of ``seconds`` on; see ``numbers_in``.
        batch: What the metrics that were computed together have alike; empty of other phases.
    """

    item: str
    fit_key: str
    finished: str
    run: str
    worker: str
    costs: str
    batch: str = ""


class UsualPhases:
    """Reads the texts of records, of which those of an item follow each other: they begin alike, and its metrics share a row."""

    def __init__(self) -> None:
        self._head = "\0"
        self._labels: tuple[str, str] = "", ""
        self._latest: UsualPhase | None = None

    def phase_in(self, text: str) -> UsualPhase | None:
        """Return what the row of a finished phase says; None where the text is of another form.

        Where it says the same as the one before, as of metrics that were computed together, that is the same object.

        Args:
            text: The JSON of the record.
        """
        if not text.startswith(self._head):
            labels = _LABELS.match(text)
            if labels is None:
                return None
            begin = labels.end()
            end = text.find(_BEHIND_PARAMETERS, begin)
            if not _is_json(text[begin:end]):
                return None
            self._head, self._labels = text[:end], (labels[1], labels[2])
        end = len(self._head)
        match = _EVAL.fullmatch(text, end) or _PREDICT.fullmatch(text, end) or _fit_in(text, end)
        if match is None:
            return None
        phase = UsualPhase(*self._labels, *match.groups())
        if phase != self._latest:
            self._latest = phase
        return self._latest


def _fit_in(text: str, begin: int) -> re.Match[str] | None:
    """Return the match of what the record of a fit says of its row; None where the rest of it is of another form.

    Args:
        text: The JSON of the record.
        begin: Where its fold is.
    """
    match = _FIT.match(text, begin)
    if match is None:
        return None
    end = text.find(_BEHIND_EFFECTIVE, match.end())
    identity = _IDENTITY.match(text, end)
    if identity is None or not _is_json(text[match.end() : end]):
        return None
    behind = text.find(_BEHIND_CONFIGURATION, identity.end())
    if not _is_json(text[identity.end() : behind]) or _MODEL.fullmatch(text, behind) is None:
        return None
    return match


@lru_cache(maxsize=_AT_HAND)
def _is_json(text: str) -> bool:
    """Whether a text is a single value as JSON, and so ends where it should."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


_NULL = "null"


def numbers_in(costs: str) -> tuple[float | None, ...]:
    """Return the numbers in the costs of a usual phase, whole ones as such; None where nobody has measured.

    Args:
        costs: Their JSON; see ``UsualPhase``.
    """
    texts = [part.rpartition(" ")[2] for part in costs.split(",")]
    return tuple(
        [None if text == _NULL else float(text) if "." in text or "e" in text else int(text) for text in texts]
    )
