"""The forms of records: which members they have, of which types, and which names of files they may give.

A checksum only says that a record is as somebody wrote it. A store may come from anybody, so whatever is read of it
passes here once, before any of it is used: nothing behind this looks again whether a key is a key, whether a path stays
in the store, or whether a number is one. What is not of its form counts as damaged: it is left out, and made anew.
Members that no form names are left alone: another omnibench may have written them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from omnibench.store.schema import Record, RecordType, Status
from omnibench.store.sealing import DamagedRecordError, unseal, unsealed

Check = Callable[[Any], bool]
"""Whether a value is of a form."""

DIGEST = re.compile(r"[0-9a-f]{64}")
"""Keys of items and datasets, and digests of files: sha256 as hex digits."""

_OWNED = r"[\w.+-]+-[0-9a-f]{8,64}"
"""The name of a directory that belongs to a key; see ``CheckpointStore.claim``."""

_FILE = r"(?!\.\.?(?:/|\Z))[^/\x00]+"
"""A name of a file or a directory; ``.`` and ``..`` are none."""

ITEM_DIRECTORY = re.compile(rf"{_OWNED}/{_OWNED}(?:/fold_\d{{1,9}})?")
"""The directory of an item, relative to the store's."""

DATA_DIRECTORY = re.compile(rf"datasets/{_OWNED}")
"""The directory of a prepared dataset, relative to the store's."""

ITEM_FILE = re.compile(rf"{_OWNED}/{_OWNED}(?:/fold_\d{{1,9}})?(?:/generation_\d{{1,9}})?/{_FILE}")
"""A file of an item, relative to the store's directory."""

DATA_FILE = re.compile(rf"datasets/{_OWNED}(?:/{_FILE})+")
"""A file of a prepared dataset, relative to the store's directory."""

LIFELINE = re.compile(r"tmp/work\.\d+\.[0-9a-f]{8}/\.lock")
"""The lock that a worker holds for as long as it lives, relative to the store's directory."""

MOST_NESTED = 60
"""Levels of lists and objects in a record; ours have about ten."""

_LARGEST = 2**63
_SHOWN = 60
"""Characters of a value that an error shows."""


def record_of(key: str, text: str, *, sealed: bool = True) -> Record:
    """Return the record that a text holds, once its checksum and its form have been looked at.

    Args:
        key: The record's key.
        text: Its text.
        sealed: Whether it has to have a checksum, as all have but those of store format 1.

    Raises:
        DamagedRecordError: It has changed, belongs to another key, or is not of the form of its type.
    """
    try:
        record = unseal(key, text) if sealed else unsealed(key, text)
    except (ValueError, RecursionError) as error:
        if isinstance(error, DamagedRecordError):
            raise
        raise DamagedRecordError(f"it cannot be read ({error})") from error  # numbers of 5,000 digits, 10,000 brackets
    trouble = flaw(key, record, text)
    if trouble:
        raise DamagedRecordError(trouble)
    return record


def flaw(key: str, record: Record, text: str) -> str:
    """Return what a record has that its type cannot have; empty where it is of its form.

    Args:
        key: The record's key.
        record: The record.
        text: Its JSON.
    """
    brackets = text.count("{") + text.count("[")
    if brackets > MOST_NESTED and depth(record) > MOST_NESTED:  # looked at only where it can be
        return f"it is nested more than {MOST_NESTED} levels deep"
    record_type = RecordType.of(key)
    if record_type is RecordType.OLD:
        generation, _, inner = RecordType.OLD.identity(key).partition("/")
        if not generation.isdecimal() or RecordType.of(inner) in (RecordType.OLD, None):
            return f"its key {_shown(key)} is that of no earlier generation"
        if type(record.get("kept")) is not bool:
            return f"its kept is {_shown(record.get('kept'))}"
        key, record_type = inner, RecordType.of(inner)
    required, members = _FORMS[record_type]
    for name in required:
        if name not in record:
            return f"it has no {name}"
    for name, is_sound in members:
        if name in record and not is_sound(record[name]):
            return f"its {name} is {_shown(record[name])}"
    if record_type in _KEYED and record_type.identity(key) != record["fit_key"]:
        return f"its fit_key {_shown(record['fit_key'])} is not that of its key"
    return ""


def depth(value: Any, most: int = MOST_NESTED) -> int:
    """Return how many levels of lists and objects a value of JSON has, counted no further than just behind ``most``."""
    levels, layer = 0, [value]
    while layer and levels <= most:
        layer = [
            inner
            for outer in layer
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        levels += 1
    return levels - 1


def _shown(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _of(*types: type) -> Check:
    allowed = frozenset(types)
    return lambda value: type(value) in allowed


def _text(pattern: re.Pattern[str]) -> Check:
    return lambda value: type(value) is str and pattern.fullmatch(value) is not None


def _either(*checks: Check) -> Check:
    return lambda value: any(is_sound(value) for is_sound in checks)


def _listed(is_sound: Check) -> Check:
    return lambda value: type(value) is list and all(map(is_sound, value))


def _mapped(is_sound: Check) -> Check:
    return lambda value: type(value) is dict and all(map(is_sound, value.values()))


def _object(members: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    further = optional or {}

    def check(value: Any) -> bool:
        return (
            type(value) is dict
            and all(name in value and is_sound(value[name]) for name, is_sound in members.items())
            and all(is_sound(value[name]) for name, is_sound in further.items() if name in value)
        )

    return check


def is_name(value: Any) -> bool:
    """Whether a value is a name: a text that can be written everywhere."""
    return type(value) is str and (value.isascii() or value.encode(errors="replace").decode() == value)


def is_count(value: Any) -> bool:
    """Whether a value is a whole number of a plausible size."""
    return type(value) is int and -_LARGEST < value < _LARGEST


def is_natural(value: Any) -> bool:
    """Whether a value is a whole number that is not negative."""
    return type(value) is int and 0 <= value < _LARGEST


def is_number(value: Any) -> bool:
    """Whether a value is a number of a plausible size, not NaN."""
    return (type(value) is float and not math.isnan(value)) or is_count(value)


def is_cost(value: Any) -> bool:
    """Whether a value is what something can cost, None where nobody has measured it."""
    return value is None or (type(value) in (int, float) and 0 <= value < _LARGEST)


def is_moment(value: Any) -> bool:
    """Whether a value is a time as records keep it; see ``schema.timestamp``."""
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _nothing(value: Any) -> bool:
    return value is None


_key = _text(DIGEST)
_optional_name = _either(_nothing, is_name)
_optional_moment = _either(_nothing, is_moment)
_plain = _of(dict)
_natural_or_none = _either(_nothing, is_natural)


def _is_artifact(pattern: re.Pattern[str]) -> Check:
    return _object(
        {"path": _text(pattern), "size": is_natural, "sha256": _key}, {"stat": _listed(_of(int))}
    )


_item_file, _data_file = _is_artifact(ITEM_FILE), _is_artifact(DATA_FILE)

_is_configuration = _object(
    {"runner": is_name, "algorithm": is_name, "parameters": _plain},
    {"seed": _either(_nothing, is_count), "refit": is_name, "version": _optional_name, "code": _optional_name},
)


def _is_tagged(value: Any, check: Check) -> bool:
    """Whether a value is a form's name with its members, as identities are made of."""
    return type(value) is list and len(value) == 2 and type(value[0]) is str and check(value[1])  # noqa: PLR2004


_identity_members = _object(
    {
        "data": _key,
        "fold": _natural_or_none,
        "configuration": lambda value: _is_tagged(value, _is_configuration),
    }
)
_recipe_members = _object({"source": _of(list), "steps": _of(list), "seed": _either(_nothing, is_count)})


def _is_identity(value: Any) -> bool:
    return value is None or _is_tagged(value, _identity_members)


def _is_recipe(value: Any) -> bool:
    """Whether a value is the recipe of a dataset, of which people can be told."""
    if not _is_tagged(value, _recipe_members):
        return False
    from omnibench.data.words import source_words, step_words  # few records have one, and few sessions read them

    try:
        return isinstance(step_words(value[1]["steps"]) + source_words(value[1]["source"]), str)
    except Exception:  # noqa: BLE001 - whatever it is that cannot be told
        return False


_costs: dict[str, Check] = dict.fromkeys(
    ("seconds", "cpu_seconds", "peak_rss", "gpu_peak", "python_peak", "start_seconds"), is_cost
)
_attempt = _object(
    {"phase": is_name, "status": _of(str)},
    {**_costs, "finished": _optional_moment, "run": _optional_name, "worker": _optional_name},
)
_error = _object({"phase": is_name, "message": _of(str), "details": _of(str)})
_metric = _object({"value": is_number, "key": is_name}, {"metric": is_name})
_place = _object({"user": _listed(is_natural), "value": _listed(is_natural)})
_git = _object({"commit": is_name, "dirty": _of(bool)})

_MEMBERS: dict[str, Check] = {
    "fit_key": _key,
    "directory": _either(_nothing, _text(ITEM_DIRECTORY)),
    "model": _either(_nothing, _item_file),
    "predictions": _either(_nothing, _item_file),
    "per_user": _either(_nothing, _item_file),
    "files": _listed(_data_file),
    "data_key": _key,
    "dropped": _optional_moment,
}
"""What any record may have that leads to files, whatever its type."""

_LABELS = ("item", "fit_key", "dataset", "algorithm", "parameters", "fold")
_OF_ITEMS: dict[str, Check] = {
    **_MEMBERS,
    **_costs,
    "item": is_name,
    "dataset": is_name,
    "algorithm": is_name,
    "parameters": _plain,
    "fold": _natural_or_none,
    "identity": _is_identity,
    "phase": _optional_name,
    "finished": _optional_moment,
    "run": _optional_name,
    "worker": _optional_name,
    "threads": _natural_or_none,
}
_OF_FIT: dict[str, Check] = {
    "version": is_name,
    "effective": _either(_nothing, _plain),
    "notes": _listed(_of(str)),
}
_OF_PREDICT: dict[str, Check] = {"rows": is_natural, "as_seed": is_count}
_OF_EVAL: dict[str, Check] = {
    "label": is_name,
    "value": _either(_nothing, is_number),
    "stderr": _either(_nothing, is_number),
    "interval": lambda value: value is None or (_listed(is_number)(value) and len(value) == 2),  # noqa: PLR2004
    "users": _natural_or_none,
    "counted": _natural_or_none,
    "place": _either(_nothing, _place),
    "row": is_natural,
    "batch": is_name,
}
_STATUSES = frozenset(status.value for status in Status if status is not Status.RUNNING)
_OF_ITEM: dict[str, Check] = {
    **dict.fromkeys(("user_label", "dataset_label", "module", "node", "predict_key", "test"), is_name),
    **dict.fromkeys(("generation", "failures", "deaths", "exported", "seeds"), is_natural),
    "status": lambda value: type(value) is str and value in _STATUSES,
    "metrics": _mapped(_metric),
    "error": _either(_nothing, _error),
    "attempts": _listed(_attempt),
    "as_seed": _either(_nothing, is_count),
    "seed": _either(_nothing, is_count),
    "deterministic": _of(bool),
    "predicted": _optional_name,
}
_OF_DATA: dict[str, Check] = {
    **_MEMBERS,
    **_costs,
    "name": is_name,
    "identity": _is_recipe,
    "directory": _text(DATA_DIRECTORY),
    "test": lambda value: _listed(is_name)(value) and bool(value),
    **dict.fromkeys(("users", "items", "interactions"), is_natural),
    "finished": _optional_moment,
}
_OF_RUN: dict[str, Check] = {
    **_MEMBERS,
    "id": is_name,
    "started": is_moment,
    "ended": _optional_moment,
    **dict.fromkeys(("items", "pending"), is_count),
    "policy": _plain,
    **dict.fromkeys(("host", "user", "platform", "cwd"), _optional_name),
    "cores": _natural_or_none,
    "command": _either(_nothing, _listed(_of(str))),
    "versions": _mapped(is_name),
    "git": _either(_nothing, _git),
}
_OF_WORKER: dict[str, Check] = {
    **_MEMBERS,
    **dict.fromkeys(("id", "run", "host"), is_name),
    "pid": is_natural,
    **dict.fromkeys(("started", "heartbeat"), is_moment),
    **dict.fromkeys(("item", "phase"), _optional_name),
    "progress": _either(_nothing, _plain),
    "completed": is_natural,
    "ended": _optional_moment,
    "lock": _text(LIFELINE),
}
_OF_PLAN: dict[str, Check] = {
    **_MEMBERS,
    **dict.fromkeys(("source", "root"), lambda value: is_name(value) and "\0" not in value),
    "columns": _mapped(_of(bool)),
    "items": _listed(is_name),
    **dict.fromkeys(("datasets", "configurations"), _mapped(is_name)),
    "seeds": _mapped(is_natural),
    **dict.fromkeys(("fitted_once", "unsteady"), _listed(is_name)),
    "noted": is_moment,
}
_OF_MARKS: dict[str, Check] = {
    **_MEMBERS,
    "of": is_name,
    "not_worse": _either(_nothing, _listed(is_name)),
}

_FORMS: dict[RecordType | None, tuple[tuple[str, ...], tuple[tuple[str, Check], ...]]] = {
    record_type: (required, tuple(members.items()))
    for record_type, required, members in (
        (RecordType.FIT, (*_LABELS, "model"), {**_OF_ITEMS, **_OF_FIT}),
        (RecordType.PREDICT, (*_LABELS, "predictions"), {**_OF_ITEMS, **_OF_PREDICT}),
        (RecordType.EVAL, _LABELS, {**_OF_ITEMS, **_OF_EVAL}),
        (RecordType.ITEM, (*_LABELS, "status"), {**_OF_ITEMS, **_OF_ITEM}),
        (RecordType.DATA, ("name", "directory", "files"), _OF_DATA),
        (RecordType.RECIPE, ("name", "identity"), _OF_DATA),
        (RecordType.RUN, (), _OF_RUN),
        (RecordType.WORKER, ("id", "started", "lock", "ended", "item", "phase"), _OF_WORKER),
        (RecordType.PLAN, ("source", "root", "columns", "items"), _OF_PLAN),
        (RecordType.MARKS, ("of", "not_worse"), _OF_MARKS),
        (None, (), _MEMBERS),
    )
}
"""By type, the members that every record of it has, and the form of those that it may have."""

_KEYED = (RecordType.FIT, RecordType.ITEM)
"""The types whose key is that of their item."""
