"""The forms of records: what commands and runs may rely on, whoever has written a store."""

from __future__ import annotations

import json
import math
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stored import PREPARED

from omnibench.store import forms
from omnibench.store.checks import depth
from omnibench.store.forms import record_of
from omnibench.store.schema import RecordType, artifacts_of
from omnibench.store.sealing import DamagedRecordError, seal

KEY, DATA, SEARCH = "a" * 64, "d" * 64, "c" * 64
DIRECTORY = "tiny-dddddddd/Popular-aaaaaaaa/fold_0"
FILE = {"path": f"{DIRECTORY}/model.pkl", "size": 7, "sha256": "e" * 64}
LABELS = {
    "item": DIRECTORY,
    "fit_key": KEY,
    "dataset": "tiny-dddddddd",
    "algorithm": "Popular-aaaaaaaa",
    "parameters": {"k": 3},
    "fold": 0,
    "directory": DIRECTORY,
}
MOMENT = "2026-01-01T00:00:00Z"
RECORDS: dict[str, dict[str, Any]] = {
    f"fit/{KEY}": {**LABELS, "model": FILE, "seconds": 0.5, "finished": MOMENT},
    "predict/p": {**LABELS, "predictions": {**FILE, "path": f"{DIRECTORY}/generation_2/predictions-01234567.npy"}},
    "eval/e": {**LABELS, "per_user": FILE, "label": "NDCG@10", "value": 0.25, "interval": [0.2, 0.3]},
    f"item/{KEY}": {
        **LABELS,
        "status": "done",
        "metrics": {"NDCG@10": {"value": 0.25, "key": "e"}},
        "error": None,
        "finished": MOMENT,
    },
    f"old/0/item/{KEY}": {
        **LABELS,
        "status": "done",
        "metrics": {},
        "kept": False,
        "reset": MOMENT,
        "finished": MOMENT,
    },
    f"data/{DATA}": {
        **PREPARED,
        "name": "tiny",
        "directory": "datasets/tiny-dddddddd",
        "files": [{**FILE, "path": "datasets/tiny-dddddddd/fold_0/test.npy"}],
    },
    "worker/w": {
        "id": "w",
        "item": None,
        "phase": None,
        "started": MOMENT,
        "heartbeat": MOMENT,
        "ended": None,
        "lock": "tmp/work.17.0123abcd/.lock",
    },
    f"search/{SEARCH}": {
        "search": SEARCH,
        "algorithm": "RecPack.EASE-aaaaaaaa",
        "dataset": "tiny-dddddddd",
        "fold": 0,
        "data_key": DATA,
        "metric": "NDCG@10",
        "higher_is_better": True,
        "space": {"l2": ["log", 1, 10000]},
        "fixed": {},
        "tuning": {"trials": 30},
        "per_fold": True,
        "begun": MOMENT,
        "directory": DIRECTORY,
    },
    f"trial/{SEARCH}/000012": {
        "search": SEARCH,
        "number": 12,
        "status": "pruned",
        "parameters": {"l2": 3.5},
        "fit_key": KEY,
        "metric": "NDCG@10",
        "value": None,
        "seconds": 1.5,
        "phases": {"Fit": 1.5},
        "history": [[1, 0.1], [2, None]],
        "pruned": {"epoch": 2, "value": None, "reason": "below the median"},
        "error": None,
        "reused": False,
    },
    "score/s": {"fit_key": KEY, "metric": "NDCG@10", "value": 0.25, "seconds": 1.5, "phases": {"Fit": 1.5}},
    f"old/0/trial/{SEARCH}/000000": {
        "search": SEARCH,
        "number": 0,
        "status": "done",
        "parameters": {},
        "fit_key": KEY,
        "metric": "NDCG@10",
        "value": 0.5,
        "kept": True,
        "reset": MOMENT,
    },
    f"snapshot/{KEY}/night_001": {
        **LABELS,
        "name": "night_001",
        "number": 1,
        "iteration": 37,
        "iterations": None,
        "unit": "epoch",
        "within": False,
        "requested": KEY,
        "finished": MOMENT,
        "size": 7,
        "files": [{**FILE, "path": f"{DIRECTORY}/snapshots/night_001/snapshot.json"}],
        "attempts": [{"seconds": 0.5, "from": 0, "to": 37}],
    },
    f"old/0/snapshot/{KEY}/night_002": {
        **LABELS,
        "name": "night_002",
        "number": 2,
        "iteration": 40,
        "unit": "epoch",
        "within": False,
        "requested": KEY,
        "attempts": [],
        "finished": MOMENT,
        "size": 7,
        "files": [],
        "outside": {"folder": "/kept/night_002", "files": [{**FILE, "path": "parts/network.bin"}]},
        "kept": False,
    },
    "run/r": {"id": "r", "started": MOMENT, "host": None, "user": "somebody", "versions": {}, "git": None},
    "plan/b.py::b": {
        "source": "b.py::b",
        "root": "/home",
        "columns": {"NDCG@10": True},
        "items": [KEY],
        "noted": MOMENT,
    },
}


def read(key: str, record: dict[str, Any]) -> dict[str, Any]:
    return record_of(key, seal(key, record))


@pytest.mark.parametrize("key", RECORDS)
def test_what_omnibench_writes_is_of_its_form(key: str) -> None:
    """Records of every type are read as they are."""
    assert read(key, RECORDS[key]) == RECORDS[key]


def test_what_is_new_is_left_alone() -> None:
    """Members and types of a later omnibench, which no form names, are no damage."""
    assert read("note/x", {"later": [{"a": None}]}) == {"later": [{"a": None}]}
    key = f"fit/{KEY}"
    assert read(key, {**RECORDS[key], "later": {"a": 1}})["later"] == {"a": 1}


OUTWARD = (
    "../x",
    "/x",
    "..",
    ".",
    "",
    "a/../../x",
    f"{DIRECTORY}/../../../x",
    "store/cache.db",
    "leases/store.lock",
    "\0",
)


@pytest.mark.parametrize("value", [*OUTWARD, None, 3, [], {}, "A" * 64, "a" * 63, f"{KEY}\n"])
@pytest.mark.parametrize("key", [key for key, record in RECORDS.items() if "fit_key" in record])
def test_a_key_has_64_digits(key: str, value: Any) -> None:
    """It is the name of a lock file: anything else could be the name of any file."""
    with pytest.raises(DamagedRecordError, match="its fit_key"):
        read(key, {**RECORDS[key], "fit_key": value})


@pytest.mark.parametrize(
    "value", [*OUTWARD, 3, [], {}, "tmp/x-aaaaaaaa", "datasets", "datasets/x", f"{DIRECTORY}/", "a/b"]
)
@pytest.mark.parametrize("key", [f"item/{KEY}", "eval/e", f"data/{DATA}", f"old/0/item/{KEY}", "note/x"])
def test_a_directory_is_one_of_the_store(key: str, value: Any) -> None:
    """Of items or of datasets, each where its own are, in records of any type."""
    record = RECORDS.get(key, {"fit_key": KEY})
    with pytest.raises(DamagedRecordError, match="its directory"):
        read(key, {**record, "directory": value})


@pytest.mark.parametrize("path", [*OUTWARD, None, 3, DIRECTORY, f"{DIRECTORY}/a/b", "datasets/x-aaaaaaaa/model.pkl"])
@pytest.mark.parametrize(
    ("key", "role"), [(f"fit/{KEY}", "model"), ("predict/p", "predictions"), ("eval/e", "per_user")]
)
def test_a_file_lies_in_the_directory_of_an_item(key: str, role: str, path: Any) -> None:
    """Else a record could have any file read, renamed as damaged, or removed as spare."""
    with pytest.raises(DamagedRecordError, match=f"its {role} is"):
        read(key, {**RECORDS[key], role: {**FILE, "path": path}})


_WRONG: dict[str, tuple[Any, ...]] = {
    "seconds": ("1", [], -1, math.nan, 10**400, True),
    "finished": ("today", "2026-02-30T00:00:00Z", "2026-01-01", 3),
    "identity": ([], ["fit/1"], ["fit/1", {}], "x", {"a": 1}),
    "fold": (-1, "0", 1.0, True, []),
    "item": (None, 3, [], "half \ud800"),
    "parameters": (None, [], "k=3"),
}


@pytest.mark.parametrize(
    ("member", "value"),
    [(member, value) for member, values in _WRONG.items() for value in values],
)
def test_members_have_their_types(member: str, value: Any) -> None:
    """Numbers are numbers of a plausible size, times are times, names can be printed."""
    key = f"fit/{KEY}"
    with pytest.raises(DamagedRecordError, match=f"its {member} is "):
        read(key, {**RECORDS[key], member: value})


_CHOSEN = {
    "number": 3,
    "parameters": {"l2": 7.5},
    "value": 0.25,
    "edges": [["l2", 7.5, "high"]],
    "budget": {"trials": 9},
}
_GROUPS = {"NDCG@10 by x": {"key": "e", "metric": "NDCG", "names": ["x=1"]}}
_FAILURE = {"phase": "Eval", "error": None, "failures": 1, "deaths": 0, "metrics": {"HR@5": "HR/1"}}


@pytest.mark.parametrize(
    ("key", "member", "sound", "wrong"),
    [
        (f"item/{KEY}", "stopped", _FAILURE, "x"),
        (f"item/{KEY}", "stopped", {**_FAILURE, "metrics": None}, {"phase": "Eval"}),
        (f"item/{KEY}", "stopped", {**_FAILURE, "phase": None}, {**_FAILURE, "metrics": ["HR@5"]}),
        (f"item/{KEY}", "groups", _GROUPS, {"NDCG@10 by x": {"key": "e", "metric": "NDCG", "names": [1]}}),
        (f"item/{KEY}", "search", SEARCH, "c"),
        (f"item/{KEY}", "chosen", _CHOSEN, {**_CHOSEN, "number": -1}),
        (f"item/{KEY}", "chosen", {"number": 0, "parameters": {}}, {"number": 0}),
        (f"item/{KEY}", "chosen", {**_CHOSEN, "edges": []}, {**_CHOSEN, "edges": [["l2", 1.0, "left"]]}),
        (f"search/{SEARCH}", "space", [1], "l2"),
        (f"trial/{SEARCH}/000012", "status", "failed", "running"),
        (f"trial/{SEARCH}/000012", "value", 0.5, math.nan),
        (f"trial/{SEARCH}/000012", "history", [], [[1]]),
        (f"trial/{SEARCH}/000012", "pruned", None, {"epoch": 1.5}),
        ("score/s", "seconds", None, -1),
        ("worker/w", "silence", None, "long"),
        ("worker/w", "silence", {"seconds": 40, "stopped": True}, {"seconds": "40", "stopped": True}),
    ],
)
def test_what_came_later_has_its_form_too(key: str, member: str, sound: Any, wrong: Any) -> None:
    """What summaries, tables and the live view look into: failures of done items, choices, trials, silent guests."""
    assert read(key, {**RECORDS[key], member: sound})[member] == sound
    with pytest.raises(DamagedRecordError, match=f"its {member} is "):
        read(key, {**RECORDS[key], member: wrong})


def test_what_is_done_says_when() -> None:
    """Baselines are dated by it; an item that is to be computed has no such moment."""
    key = f"item/{KEY}"
    with pytest.raises(DamagedRecordError, match="it is done, and does not say when"):
        read(key, {**RECORDS[key], "finished": None})
    assert read(key, {**RECORDS[key], "status": "pending", "finished": None})["finished"] is None


def test_a_prediction_has_its_file() -> None:
    """Nothing in its place is no file that was dropped: only models are."""
    with pytest.raises(DamagedRecordError, match="its predictions is None"):
        read("predict/p", {**RECORDS["predict/p"], "predictions": None})


NEEDED = {
    f"item/{KEY}": ("item", "fit_key", "dataset", "algorithm", "parameters", "fold", "status", "metrics", "finished"),
    "predict/p": ("predictions",),
    "eval/e": ("value",),
    f"data/{DATA}": ("name", "identity", "test", "users", "items", "interactions"),
    f"snapshot/{KEY}/night_001": (
        *("requested", "name", "number", "iteration", "unit", "within", "attempts"),
        *("finished", "size", "files"),
    ),
    "run/r": ("id", "host", "user", "versions", "git"),
    "plan/b.py::b": ("noted",),
}


@pytest.mark.parametrize(("key", "member"), [(key, member) for key, members in NEEDED.items() for member in members])
def test_members_that_everybody_asks_for_are_there(key: str, member: str) -> None:
    """A record without them is none."""
    with pytest.raises(DamagedRecordError, match=f"it has no {member}"):
        read(key, {name: value for name, value in RECORDS[key].items() if name != member})


def test_an_items_key_is_that_of_its_record() -> None:
    """Else a reset of one item would touch another."""
    with pytest.raises(DamagedRecordError, match="is not that of its key"):
        read(f"item/{'b' * 64}", RECORDS[f"item/{KEY}"])


def test_a_trials_key_is_that_of_its_search_and_number() -> None:
    """Else the trial of one search would count for another, or twice."""
    trial = RECORDS[f"trial/{SEARCH}/000012"]
    for key in (f"trial/{SEARCH}/000013", f"trial/{SEARCH}/12", f"trial/{'b' * 64}/000012", f"trial/{SEARCH}"):
        with pytest.raises(DamagedRecordError, match="its number 12 is not that of its key"):
            read(key, trial)
    with pytest.raises(DamagedRecordError, match=r"its search .* is not that of its key"):
        read(f"search/{'b' * 64}", RECORDS[f"search/{SEARCH}"])


@pytest.mark.parametrize(
    "members",
    [
        {"name": "night_002"},
        {"finished": None},
        {"files": []},
        {"files": [{**FILE, "path": f"{DIRECTORY}/snapshots/snapshot.json"}]},
        {"files": [], "outside": {"folder": "/kept"}},
        {"files": [], "outside": {"folder": "kept", "files": []}},
        {"files": [], "outside": {"folder": "/kept", "files": [{**FILE, "path": "../network.bin"}]}},
    ],
)
def test_a_snapshot_says_when_it_was_made_and_where_it_lies(members: dict[str, Any]) -> None:
    """In a folder of its item's, or in one outside of the store that it names."""
    key = f"snapshot/{KEY}/night_001"
    with pytest.raises(DamagedRecordError):
        read(key, {**RECORDS[key], **members})


def test_texts_that_python_cannot_read_are_damaged() -> None:
    """Brackets without an end, and numbers of 5,000 digits, are no errors of Python's."""
    key = f"fit/{KEY}"
    for text in ("[" * 100_000 + "]" * 100_000, "9" * 5000):
        sealed = seal(key, {"a": 0})
        body = sealed.replace('{"a": 0', '{"a": ' + text)
        with pytest.raises(DamagedRecordError):
            record_of(key, body)
        with pytest.raises(DamagedRecordError):
            record_of(key, f'{{"a": {text}}}', sealed=False)
    nested: Any = 0
    for _ in range(forms.MOST_NESTED + 1):
        nested = [nested]
    with pytest.raises(DamagedRecordError, match="nested"):
        read(key, {**RECORDS[key], "parameters": {"k": nested}})
    assert depth({"a": [[0], []]}, 9) == 3


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(("../x", "/etc/passwd", "store", KEY, DIRECTORY, MOMENT, "done", f"{DIRECTORY}/../x")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("path", "size", "value", "")), inner),
    max_leaves=5,
)


@given(st.sampled_from(sorted(RECORDS)), st.data())
def test_what_is_read_gives_no_name_that_leads_out(key: str, data: st.DataObject) -> None:
    """Whatever members a record has: it is damaged, or every name that it gives to files is of its form."""
    members = data.draw(st.dictionaries(st.sampled_from(sorted({*RECORDS[key], "files", "model"})), values, max_size=4))
    try:
        record = read(key, {**RECORDS[key], **members})
    except DamagedRecordError:
        return
    json.dumps(record)
    paths = [artifact["path"] for artifact in artifacts_of(record)]
    paths += [record[member] for member in ("directory", "lock") if record.get(member)]
    if "fit_key" in record:
        assert len(record["fit_key"]) == 64
    for path in map(PurePosixPath, paths):
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert path.parts[0] not in ("store", "leases", "STORE.json")


@pytest.mark.parametrize("record_type", RecordType)
def test_every_type_has_a_form(record_type: RecordType) -> None:
    """A new type of records without one would be read unseen."""
    assert record_type is RecordType.OLD or record_type in forms._FORMS
