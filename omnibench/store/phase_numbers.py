"""The numbers in the texts of phases' records, cut out of them and kept as the texts that they are, e.g. ``b"0.5,0.25,0.75,30"``.

To parse a float and to write it again takes longer than to find it, and most numbers go from a record into a file. Python has
written both, so that every digit is as it would be. What is null is empty.

The search relies on the order of members in what ``builders`` makes and on how ``json.dumps`` writes it; see ``phase_forms`` and ``phase_texts``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from omnibench.store.phase_forms import (
    ATTEMPTS,
    EPOCHS,
    IDENTITY,
    OF_TRIAL,
    SECONDS,
    START,
    STDERR,
    VERSION,
    costs_pattern,
    uncertainty_pattern,
)

_FLOAT = r"(null|-?[0-9]++(?:\.[0-9]++(?:e[+-]?[0-9]++)?|e[+-]?[0-9]++))"
_INTEGER = r"(null|[0-9]{1,15})"
"""A whole number, which floats hold without loss."""
_COUNT = r"(null|[0-9]{1,9})"
_ANY = r'[^,{}"]++'

_STDERR, _SECONDS, _START = STDERR.encode(), SECONDS.encode(), START.encode()
_OF_TRIAL, _ATTEMPTS = OF_TRIAL.encode(), ATTEMPTS.encode()
_MADE_OF, _BEGIN_OF_VERSION = f'{IDENTITY}["fit/'.encode(), f'{VERSION}"'.encode()

_SPREAD = re.compile(f", {uncertainty_pattern(_FLOAT, _FLOAT, _FLOAT, _COUNT, _COUNT)}".encode())
_COSTS = re.compile(f", {costs_pattern(_FLOAT, _ANY, _INTEGER, _ANY, _ANY)}(?:{START}{_FLOAT})?, ".encode())
_USUAL_FLOAT, _USUAL_INTEGER, _USUAL_COUNT = r"([0-9]++\.[0-9]++)", "([0-9]{1,15})", "([0-9]{1,9})"
"""How most numbers are written; patterns that capture nothing else take a quarter less time."""
_USUAL_SPREAD = re.compile(f", {uncertainty_pattern(_USUAL_FLOAT, _USUAL_FLOAT, _USUAL_FLOAT, _USUAL_COUNT)}".encode())
_USUAL_COSTS = re.compile(
    f", {costs_pattern(_USUAL_FLOAT, _ANY, _USUAL_INTEGER, _ANY, _ANY)}{START}{_USUAL_FLOAT}, ".encode()
)
_VERSION = re.compile(rf'{VERSION}"([^"\\]*+)"{EPOCHS}'.encode())
_NULL = b"null"


def spreads_in(texts: Iterable[bytes]) -> list[bytes | None]:
    """Return of each evaluation the standard error, both ends of the interval, the users; None where the record has to be parsed to tell.

    Args:
        texts: The JSON of their records.
    """
    spreads: list[bytes | None] = []
    for text in texts:
        start = text.rfind(_STDERR)
        if start < 0 or text.find(_STDERR, 0, start) >= 0:
            spreads.append(None)
            continue
        usual = _USUAL_SPREAD.match(text, start)
        spreads.append(_spread_at(text, start) if usual is None else b",".join(usual.groups()))
    return spreads


def _spread_at(text: bytes, start: int) -> bytes | None:
    """Return what ``spreads_in`` does of an evaluation.

    Args:
        text: The JSON of its record.
        start: Where its standard error is.
    """
    match = _SPREAD.match(text, start)
    if match is None:
        return None
    stderr, low, high, users, counted = match.groups()
    if (low == _NULL) != (high == _NULL):
        return None
    return b",".join(map(_plain, (stderr, low, high, users if counted is None else counted)))


def cost_rows_in(texts: Iterable[bytes]) -> list[bytes | None]:
    """Return of each fit or prediction the seconds, those of waiting, the peak of memory; None of trials, and where it has to be parsed to tell.

    Args:
        texts: The JSON of their records.
    """
    all_costs: list[bytes | None] = []
    for text in texts:
        start = text.find(_SECONDS)
        usual = match = _USUAL_COSTS.match(text, start) if start >= 0 else None
        if usual is None:
            match = _COSTS.match(text, start) if start >= 0 else None
        if match is None or text.find(_SECONDS, match.end()) >= 0 or _OF_TRIAL in text:
            all_costs.append(None)
        elif usual is not None:
            all_costs.append(b",".join(usual.group(1, 3, 2)))
        elif match[3] is None and _START in text:  # elsewhere than we write it
            all_costs.append(None)
        else:
            all_costs.append(b",".join(map(_plain, match.group(1, 3, 2))))
    return all_costs


def versions_in(texts: Iterable[bytes]) -> list[bytes | None]:
    """Return of each fit the version of its framework; None where its record has to be parsed to tell, as where several attempts have made it.

    Args:
        texts: The JSON of their records.
    """
    versions: list[bytes | None] = []
    latest: tuple[bytes, bytes | None] = b"", None  # most have that of the one before
    for text in texts:
        end = text.find(_MADE_OF)
        member = text[text.rfind(_BEGIN_OF_VERSION, 0, end) : end] if end >= 0 else b""
        if not member or text.find(_MADE_OF, end + 1) >= 0 or _ATTEMPTS in text:
            versions.append(None)
            continue
        if member != latest[0]:
            match = _VERSION.fullmatch(member)
            latest = member, None if match is None else match[1]
        versions.append(latest[1])
    return versions


def _plain(number: bytes | None) -> bytes:
    return b"" if number is None or number == _NULL else number
