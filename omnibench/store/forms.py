"""The forms of records: which members they have, of which types, and which names of files they may give.

A checksum only says that a record is as somebody wrote it. A store may come from anybody, so whatever is read of it
passes here once, before any of it is used: nothing behind this looks again whether a key is a key, whether a path stays
in the store, or whether a number is one. What is not of its form counts as damaged: it is left out, and made anew.
Members that no form names are left alone: another omnibench may have written them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from omnibench.store.checks import (
    Check,
    abridged,
    are_names,
    depth,
    is_cost,
    is_count,
    is_moment,
    is_name,
    is_natural,
    is_number,
    list_of,
    mapping_of,
    matching,
    object_of,
    of_type,
    optional,
)
from omnibench.store.file_forms import (
    DATA_DIRECTORY,
    DATA_FILE,
    ITEM_DIRECTORY,
    ITEM_FILE,
    LIFELINE,
    OUTSIDE_FILE,
    SNAPSHOT_FILE,
    is_artifact,
)
from omnibench.store.identity_forms import DIGEST, OF_SPLITS, are_feature_sizes, is_identity, is_recipe
from omnibench.store.schema import (
    GROUPS,
    PASSED_OVER,
    SEARCHED,
    UNSUPPLIED,
    Record,
    RecordType,
    Status,
    TrialStatus,
    snapshot_identity,
    trial_identity,
)
from omnibench.store.sealing import DamagedRecordError, unseal, unsealed
from omnibench.store.stops import STOPPED
from omnibench.store.taken_form import are_marks

MOST_NESTED = 60
"""Levels of lists and objects in a record; ours have about ten."""


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
    if brackets > MOST_NESTED and depth(record, MOST_NESTED) > MOST_NESTED:  # looked at only where it can be
        return f"it is nested more than {MOST_NESTED} levels deep"
    record_type = RecordType.of(key)
    if record_type is RecordType.OLD:
        generation, _, inner = RecordType.OLD.identity(key).partition("/")
        if not generation.isdecimal() or RecordType.of(inner) in (RecordType.OLD, None):
            return f"its key {abridged(key)} is that of no earlier generation"
        if type(record.get("kept")) is not bool:
            return f"its kept is {abridged(record.get('kept'))}"
        key, record_type = inner, RecordType.of(inner)
    required, members = _FORMS[record_type]
    for name in required:
        if name not in record:
            return f"it has no {name}"
    for name, member in record.items():
        is_sound = members.get(name)
        if is_sound is not None and not is_sound(member):
            return f"its {name} is {abridged(member)}"
    return _contradiction(key, record_type, record)


def _contradiction(key: str, record_type: RecordType | None, record: Record) -> str:
    """Return which of its members, sound by themselves, do not go together; empty where they do."""
    member, identity = _KEYED.get(record_type, ("", None))
    if identity is not None and key.partition("/")[2] != identity(record):
        return f"its {member} {abridged(record[member])} is not that of its key"
    if record_type is RecordType.ITEM and record["status"] == Status.DONE and record["finished"] is None:
        return "it is done, and does not say when"
    if record_type is RecordType.SNAPSHOT and not record["files"] and not record.get("outside"):
        return "it names no files"
    return ""


_key = matching(DIGEST)
_optional_name = optional(is_name)
_optional_moment = optional(is_moment)
_plain = of_type(dict)
_natural_or_none = optional(is_natural)


_item_file, _data_file = is_artifact(ITEM_FILE), is_artifact(DATA_FILE)


_costs: dict[str, Check] = dict.fromkeys(
    ("seconds", "cpu_seconds", "peak_rss", "gpu_peak", "python_peak", "start_seconds"), is_cost
)
_attempt = object_of(
    {"phase": is_name, "status": of_type(str)},
    {**_costs, "finished": _optional_moment, "run": _optional_name, "worker": _optional_name},
)
_error = object_of({"phase": is_name, "message": of_type(str), "details": of_type(str)})
_metric = object_of({"value": is_number, "key": is_name}, {"metric": is_name})
_failure = object_of(
    {"phase": _optional_name, "error": optional(_error), "failures": is_natural, "deaths": is_natural},
    {"metrics": optional(mapping_of(is_name))},
)
_silence = object_of({"seconds": is_natural, "stopped": of_type(bool)})
_newest = object_of(
    {"name": is_name, "iteration": is_natural, "iterations": _natural_or_none, "unit": is_name, "made": is_moment},
    {"bytes": is_natural, "missing": list_of(is_name)},
)
_columns = object_of({"user": list_of(is_natural), "value": list_of(is_natural)})
_git = object_of({"commit": is_name, "dirty": of_type(bool)})

_MEMBERS: dict[str, Check] = {
    "fit_key": _key,
    "directory": optional(matching(ITEM_DIRECTORY)),
    **dict.fromkeys(("model", "predictions", "per_user"), optional(_item_file)),
    "files": list_of(_data_file),
    "data_key": _key,
    "dropped": _optional_moment,
}
"""What any record may have that leads to files, whatever its type."""

_LABELS = ("item", "fit_key", "dataset", "algorithm", "parameters", "fold")
_OF_ITEMS: dict[str, Check] = {
    **_MEMBERS,
    SEARCHED: _key,
    **_costs,
    "item": is_name,
    "dataset": is_name,
    "algorithm": is_name,
    "parameters": _plain,
    "fold": _natural_or_none,
    "identity": is_identity,
    "phase": _optional_name,
    "finished": _optional_moment,
    "run": _optional_name,
    "worker": _optional_name,
    "threads": _natural_or_none,
}
_OF_FIT: dict[str, Check] = {
    "version": is_name,
    "effective": optional(_plain),
    "notes": list_of(of_type(str)),
    "epochs": _natural_or_none,
}
_OF_PREDICT: dict[str, Check] = {"predictions": _item_file, "rows": is_natural, "as_seed": is_count}
_OF_EVAL: dict[str, Check] = {
    "label": is_name,
    "value": optional(is_number),
    "stderr": optional(is_number),
    "interval": lambda value: value is None or (list_of(is_number)(value) and len(value) == 2),  # noqa: PLR2004
    "users": _natural_or_none,
    "counted": _natural_or_none,
    "place": optional(_columns),
    "row": is_natural,
    "batch": is_name,
}
_edge = matching(re.compile("low|high"))
_chosen = object_of(
    {"number": is_natural, "parameters": _plain},
    {
        "fit_key": _key,
        "metric": is_name,
        "value": optional(is_number),
        "epochs": _natural_or_none,
        **dict.fromkeys(("trials", "pruned", "failed", "reused"), is_natural),
        "seconds": is_cost,
        "edges": list_of(
            lambda value: (
                type(value) is list
                and len(value) == 3  # noqa: PLR2004
                and is_name(value[0])
                and is_number(value[1])
                and _edge(value[2])
            )
        ),
        **dict.fromkeys(("budget", "defaults"), _plain),
        **dict.fromkeys(("override", "per_fold"), of_type(bool)),
    },
)
_STATUSES = frozenset(status.value for status in Status if status is not Status.RUNNING)
_OF_ITEM: dict[str, Check] = {
    **dict.fromkeys(("user_label", "dataset_label", "module", "node", "predict_key", "test"), is_name),
    **dict.fromkeys(("generation", "failures", "deaths", "exported", "seeds", "snapshot"), is_natural),
    "status": lambda value: type(value) is str and value in _STATUSES,
    "metrics": mapping_of(_metric),
    "error": optional(_error),
    STOPPED: optional(_failure),
    "attempts": list_of(_attempt),
    **dict.fromkeys(("as_seed", "seed"), optional(is_count)),
    GROUPS: mapping_of(object_of({"key": is_name, "metric": is_name, "names": list_of(is_name)})),
    "deterministic": of_type(bool),
    "predicted": _optional_name,
    "chosen": optional(_chosen),
}
_SIZES = ("users", "items", "interactions")
_OF_DATA: dict[str, Check] = {
    **(_MEMBERS | _costs | OF_SPLITS | {"name": is_name}),
    "identity": is_recipe,
    "directory": matching(DATA_DIRECTORY),
    "test": lambda value: list_of(is_name)(value) and bool(value),
    **dict.fromkeys((*_SIZES, "validated", "longest_user", "longest_item"), is_natural),
    "positions": optional(is_natural),
    "features": are_feature_sizes,
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
    "command": optional(list_of(of_type(str))),
    "versions": mapping_of(is_name),
    "git": optional(_git),
}
_OF_WORKER: dict[str, Check] = {
    **_MEMBERS,
    **dict.fromkeys(("id", "run", "host"), is_name),
    "pid": is_natural,
    **dict.fromkeys(("started", "heartbeat"), is_moment),
    **dict.fromkeys(("item", "phase"), _optional_name),
    "progress": optional(_plain),
    "silence": optional(_silence),
    "snapshot": optional(_newest),
    "completed": is_natural,
    "ended": _optional_moment,
    "lock": matching(LIFELINE),
}
_OF_PLAN: dict[str, Check] = {
    **_MEMBERS,
    **dict.fromkeys(("source", "root"), lambda value: is_name(value) and "\0" not in value),
    "columns": mapping_of(of_type(bool)),
    "items": are_names,
    **dict.fromkeys(("datasets", "configurations"), mapping_of(is_name)),
    "seeds": mapping_of(is_natural),
    **dict.fromkeys(("fitted_once", "unsteady"), are_names),
    "noted": is_moment,
}
_OF_MARKS: dict[str, Check] = {**_MEMBERS, "of": is_name, "not_worse": optional(list_of(is_name))}
_OF_TAKEN: dict[str, Check] = {**_MEMBERS, "item": is_name, "marks": are_marks}

_OF_SEARCHES: dict[str, Check] = {
    **_MEMBERS,
    SEARCHED: _key,
    "metric": is_name,
    **dict.fromkeys(("run", "worker"), _optional_name),
}
"""What the records of searches, trials and scores share."""

_OF_SEARCH: dict[str, Check] = {
    **_OF_SEARCHES,
    **dict.fromkeys(("item", "algorithm", "dataset", "dataset_label", "label"), is_name),
    "fold": _natural_or_none,
    "higher_is_better": of_type(bool),
    **dict.fromkeys(("space", "tuning"), of_type(dict, list)),
    "fixed": _plain,
    "per_fold": of_type(bool),
    "begun": _optional_moment,
}
_TRIAL_STATUSES = frozenset(status.value for status in TrialStatus)
_OF_VALUE: dict[str, Check] = {
    **_OF_SEARCHES,
    "value": optional(is_number),
    **dict.fromkeys(("seconds", "peak_rss"), is_cost),
    "phases": mapping_of(is_cost),
    **dict.fromkeys(("epochs", "threads"), _natural_or_none),
    "history": list_of(
        lambda value: type(value) is list and len(value) == 2 and is_natural(value[0]) and optional(is_number)(value[1])  # noqa: PLR2004
    ),
    "finished": _optional_moment,
}
_OF_TRIAL: dict[str, Check] = {
    **_OF_VALUE,
    "number": is_natural,
    "status": lambda value: type(value) is str and value in _TRIAL_STATUSES,
    "parameters": _plain,
    "pruned": optional(object_of({"epoch": is_natural}, {"value": optional(is_number), "reason": is_name})),
    "error": optional(_error),
    "reused": of_type(bool),
}

_segment = object_of(
    {"seconds": is_cost},
    {**_costs, **dict.fromkeys(("from", "to"), _natural_or_none), **dict.fromkeys(("run", "worker"), _optional_name)},
)
_OF_FIT["attempts"] = list_of(_segment)
_series = list_of(
    lambda value: type(value) is list and len(value) == 2 and is_natural(value[0]) and mapping_of(is_number)(value[1])  # noqa: PLR2004
)
_snapshot_file = is_artifact(SNAPSHOT_FILE)
_outside_file = is_artifact(OUTSIDE_FILE)
_OF_SNAPSHOT: dict[str, Check] = {
    **_OF_ITEMS,
    "files": list_of(_snapshot_file),
    "outside": optional(
        object_of(
            {
                "folder": lambda value: is_name(value) and value.startswith("/") and "\0" not in value,
                "files": list_of(_outside_file),
            }
        )
    ),
    "requested": _key,
    **dict.fromkeys(("name", "unit", "reason"), is_name),
    "finished": is_moment,
    **dict.fromkeys(("number", "iteration", "size"), is_natural),
    "iterations": _natural_or_none,
    **dict.fromkeys(("within", UNSUPPLIED), of_type(bool)),
    "missing": list_of(is_name),
    "fit_seconds": is_cost,
    "attempts": list_of(_segment),
    "series": _series,
    PASSED_OVER: _optional_moment,
}
_TO_GO_ON = ("requested", "name", "number", "iteration", "unit", "within", "attempts", "finished", "size", "files")
_OF_SERIES: dict[str, Check] = {**_OF_ITEMS, "epochs": is_natural, "series": _series}

_FORMS: dict[RecordType | None, tuple[tuple[str, ...], dict[str, Check]]] = {
    record_type: (required, members)
    for record_type, required, members in (
        (RecordType.FIT, _LABELS, {**_OF_ITEMS, **_OF_FIT}),
        (RecordType.PREDICT, (*_LABELS, "predictions"), {**_OF_ITEMS, **_OF_PREDICT}),
        (RecordType.EVAL, (*_LABELS, "value"), {**_OF_ITEMS, **_OF_EVAL}),
        (RecordType.ITEM, (*_LABELS, "status", "metrics", "finished"), {**_OF_ITEMS, **_OF_ITEM}),
        (RecordType.DATA, ("name", "identity", "directory", "files", "test", *_SIZES), _OF_DATA),
        (RecordType.RECIPE, ("name", "identity"), _OF_DATA),
        (RecordType.SEARCH, (SEARCHED, "algorithm", "dataset", "fold", "metric", "space", "tuning"), _OF_SEARCH),
        (RecordType.TRIAL, (SEARCHED, "number", "status", "parameters", "fit_key", "metric"), _OF_TRIAL),
        (RecordType.SCORE, ("fit_key", "metric", "value"), _OF_VALUE),
        (RecordType.SNAPSHOT, (*_LABELS, *_TO_GO_ON), _OF_SNAPSHOT),
        (RecordType.SERIES, (*_LABELS, "series"), _OF_SERIES),
        (RecordType.RUN, ("id", "host", "user", "versions", "git"), _OF_RUN),
        (RecordType.WORKER, ("id", "started", "heartbeat", "lock", "ended", "item", "phase"), _OF_WORKER),
        (RecordType.PLAN, ("source", "root", "columns", "items", "noted"), _OF_PLAN),
        (RecordType.MARKS, ("of", "not_worse"), _OF_MARKS),
        (RecordType.TAKEN, ("fit_key", "item", "marks"), _OF_TAKEN),
        (None, (), _MEMBERS),
    )
}
"""By type, the members that every record of it has, and the form of those that it may have."""

_KEYED: dict[RecordType | None, tuple[str, Callable[[Record], Any]]] = {
    **dict.fromkeys((RecordType.FIT, RecordType.ITEM, RecordType.SERIES), ("fit_key", itemgetter("fit_key"))),
    RecordType.SEARCH: (SEARCHED, itemgetter(SEARCHED)),
    RecordType.SNAPSHOT: ("name", lambda record: snapshot_identity(record["fit_key"], record["name"])),
    RecordType.TRIAL: ("number", lambda record: trial_identity(record[SEARCHED], record["number"])),
}
"""The types whose key is made of members: the one that an error shows, and what the key consists of behind its type."""
