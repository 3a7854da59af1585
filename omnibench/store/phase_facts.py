"""The numbers in the records of phases, read in one pass over all of them and kept packed.

Of a hundred thousand items there are half a million such records. To look each up by its key takes several times as long as to
read them as they lie, and dictionaries of what they say would take ten times the memory.
"""

from __future__ import annotations

import math
import re
from struct import Struct

from omnibench.store.phase_texts import version_in
from omnibench.store.reader import Reader
from omnibench.store.schema import SEARCHED, Record, RecordType

_FLOAT = r"(null|-?\d++(?:\.\d++(?:e[+-]?\d++)?|e[+-]?\d++))"
_INTEGER = r"(null|\d{1,15})"  # which floats hold without loss
_STDERR, _SECONDS = ', "stderr": ', ', "seconds": '
_UNCERTAINTY = re.compile(
    rf'{_STDERR}{_FLOAT}, "interval": (?:null|\[{_FLOAT}, {_FLOAT}\]), "users": {_INTEGER}(?:, "counted": {_INTEGER})?, "place": '
)
_COSTS = re.compile(
    rf'{_SECONDS}{_FLOAT}, "cpu_seconds": [^,{{}}"]++, "peak_rss": {_INTEGER}, "gpu_peak": [^,{{}}"]++, "python_peak": [^,{{}}"]++'
    rf'(?:, "start_seconds": {_FLOAT})?, '
)
_START = ', "start_seconds": '
_OF_TRIAL = f'"{SEARCHED}": "'
_FOUR, _THREE = Struct("<4d"), Struct("<3d")


class PhaseFacts:
    """What facts about items take of the records of phases as of one moment.

    Records whose text is not as ``builders`` makes it, or that hold other types of numbers, are left out.

    Args:
        reader: Reads the records.
        record_types: The types of phases to read, among those of ``schema.PHASE_OF``.
    """

    def __init__(self, reader: Reader, *record_types: RecordType) -> None:
        # By the hash of the key, in a third of the memory; of two keys that have it alike both are left out.
        self._packed: dict[int, bytes | None] = {}
        self._versions: dict[int, str] = {}
        versions: dict[str, str] = {}
        for key, text in reader.sound_texts_of(*record_types):
            packed = _packed_uncertainty(text) if RecordType.EVAL.has(key) else _packed_costs(text)
            if packed is None:
                continue
            number = hash(key)
            if RecordType.FIT.has(key):
                version = version_in(text)
                if version is None:
                    continue
                self._versions[number] = versions.setdefault(version, version)
            self._packed[number] = None if number in self._packed else packed

    def facts(self, key: str) -> Record | None:
        """Return the numbers of a phase by name, of fits their ``version``, too; None where it is left out.

        Those of an evaluation are ``stderr``, ``interval`` and ``users``, those of others ``seconds``, ``start_seconds`` and
        ``peak_rss``.
        """
        number = hash(key)
        packed = self._packed.get(number)
        if packed is None:
            return None
        if len(packed) == _FOUR.size:
            stderr, low, high, users = _FOUR.unpack(packed)
            interval = None if math.isnan(low) else [low, high]
            return {
                "stderr": _or_none(stderr),
                "interval": interval,
                "users": None if math.isnan(users) else int(users),
            }
        seconds, start_seconds, peak = _THREE.unpack(packed)
        facts: Record = {
            "seconds": _or_none(seconds),
            "start_seconds": _or_none(start_seconds),
            "peak_rss": None if math.isnan(peak) else int(peak),
        }
        version = self._versions.get(number)
        return facts if version is None else {**facts, "version": version}


def _packed_uncertainty(text: str) -> bytes | None:
    """Return the uncertainty in the text of an evaluation, packed; None where its record has to be parsed to tell."""
    start = text.rfind(_STDERR)
    match = _UNCERTAINTY.match(text, start) if start >= 0 else None
    if match is None or text.find(_STDERR, 0, start) >= 0:
        return None
    stderr, low, high, users, counted = match.groups()
    if (low == _NULL) != (high == _NULL):
        return None
    return _FOUR.pack(_number(stderr), _number(low), _number(high), _number(users if counted is None else counted))


def _packed_costs(text: str) -> bytes | None:
    """Return the costs in the text of a fit or a prediction, packed; None of trials, and where it has to be parsed to tell."""
    start = text.find(_SECONDS)
    match = _COSTS.match(text, start) if start >= 0 else None
    if match is None or text.find(_SECONDS, match.end()) >= 0 or _OF_TRIAL in text:
        return None
    seconds, peak, start_seconds = match.groups()
    if start_seconds is None and _START in text:  # elsewhere than we write it
        return None
    return _THREE.pack(_number(seconds), _number(start_seconds), _number(peak))


_NULL = "null"


def _number(text: str | None) -> float:
    """Return a number as JSON has it; NaN, which JSON has not, for null and for what is not there."""
    return math.nan if text is None or text == _NULL else float(text)


def _or_none(number: float) -> float | None:
    return None if math.isnan(number) else number
