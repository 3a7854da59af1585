"""What fitted models are made of, cut out of the texts of their records: of a hundred thousand, one is shown in the end."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from omnibench.store.schema import SEARCHED, Record

_BEGIN = ', "identity": ["fit/'
_CONFIGURATION = re.compile(r'\d+", \{"configuration": ')
_DATA = ', "data": "'
_END = re.compile(r', "data": "([0-9a-f]{64})", "fold": (null|0|[1-9]\d{0,17})\}\]')
_TRIAL = f'"{SEARCHED}": "'


class FitIdentity(NamedTuple):
    """What a model is made of.

    Attributes:
        configuration: The JSON of its configuration, which the folds of a configuration have alike.
        data: The key of its dataset.
        fold: Its fold.
    """

    configuration: str
    data: str
    fold: int | None


def identity_in(text: str) -> FitIdentity | None:
    """Return what the model of a fit is made of, from the text of its record; None where it has to be parsed to tell.

    So it is of trials, which are no items.

    Args:
        text: The JSON of the record.
    """
    begin = text.find(_BEGIN)
    start = None if begin < 0 else _CONFIGURATION.match(text, begin + len(_BEGIN))
    if start is None or text.find(_BEGIN, begin + 1) >= 0 or _TRIAL in text:
        return None
    behind = text.find(_DATA, start.end())
    end = None if behind < 0 else _END.match(text, behind)
    if end is None:
        return None
    return FitIdentity(text[start.end() : behind], end[1], None if end[2] == "null" else int(end[2]))


def identity_of(fit: Record) -> FitIdentity | None:
    """Return what the model of a fit is made of; None of a trial, which is no item.

    Args:
        fit: Its record.
    """
    if fit.get(SEARCHED) or not fit.get("identity"):
        return None
    _, members = fit["identity"]
    return FitIdentity(json.dumps(members["configuration"]), members["data"], members["fold"])
