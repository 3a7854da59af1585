"""What is matched of a phase's record from end to end is what parsing it returns, or nothing is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.store.builders import ItemLabels, Origin, eval_record, fit_record, predict_record
from omnibench.store.phase_texts import phase_in
from omnibench.store.schema import COSTS, GUEST_MEMBERS, Artifact, Record
from omnibench.store.usual_phases import UsualPhases, numbers_in

FILE: Artifact = {
    "path": "D-dddddddd/A-aaaaaaaa/model.bin",
    "size": 3,
    "sha256": "c" * 64,
    "stat": [7, 1764323000123456789, 3],
}
ANSWER: dict[str, Any] = {
    **dict.fromkeys(COSTS, None),
    "seconds": 0.25,
    "cpu_seconds": 1,
    "peak_rss": 2**27,
    "start_seconds": 0.0,
    "threads": 2,
    "rows": 30,
    "effective": {"k": [1, {"seconds": 3}]},
    "version": "1.0",
}
FACTS = {"value": 0.5, "stderr": 1e-7, "interval": [0.25, 0.75], "users": 30, "place": {"user": [25], "value": [427]}}
TEXTS = st.text(max_size=6) | st.sampled_from(
    ["tiny", 'a "b"', ', "fold": 1', ', "version": "', "\x00", '"seconds": 1']
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)


def records_of(
    parameters: dict[str, Any], name: str = "D/a", label: str = "HR@5", answer: Any = ANSWER
) -> list[Record]:
    """The records of an item's phases as runs build them, one metric with values per user and one without."""
    configuration = ["configuration/1", {"runner": "Own", "algorithm": "A", "parameters": parameters, "seed": 42}]
    identity = ["fit/1", {"configuration": configuration, "data": "d" * 64, "fold": 1}]
    labels = ItemLabels(name, "a" * 64, "D", "A-aaaaaaaa", parameters, 1, identity, "d" * 64)
    origin = Origin("run", "run.main.x", "D-dddddddd/A-aaaaaaaa")
    nothing = {**dict.fromkeys(FACTS), "value": 1}
    return [
        fit_record(labels, origin, answer, FILE),
        predict_record(labels, origin, answer, FILE),
        eval_record(labels, origin, label, FILE, FACTS, answer),
        eval_record(labels, origin, "MRR", FILE, nothing, answer),
    ]


def assert_is_parsed(text: str, phases: UsualPhases | None = None) -> bool:
    """Assert that what a text says is what JSON says; return whether it says anything."""
    phase = (phases or UsualPhases()).phase_in(text)
    if phase is None:
        return False
    record = json.loads(text)
    said = (phase.item, phase.fit_key, phase.finished, phase.run, phase.worker, phase.batch)
    assert said == tuple(record.get(name, "") for name in ("item", "fit_key", "finished", "run", "worker", "batch"))
    numbers = numbers_in(phase.costs)
    names = (*COSTS, *GUEST_MEMBERS)
    assert repr(numbers) == repr(tuple(record[name] for name in names if name in record))
    searched = phase_in(text)
    if searched is not None:
        assert searched.costs == (*numbers, *[None] * (len(names) - len(numbers)))
    return True


def test_records_as_runs_write_them_are_matched() -> None:
    """All phases of an item, one after the other, also with the token of a lease; metrics of an Eval are the same object."""
    phases = UsualPhases()
    texts = [json.dumps({**record, "token": "0" * 32}) for record in records_of({"k": 3, "more": {"seconds": [1]}})]
    assert [assert_is_parsed(text, phases) for text in texts] == [True] * 4
    assert phases.phase_in(texts[2]) is phases.phase_in(texts[3])
    assert phases.phase_in(texts[1]) is not phases.phase_in(texts[2])


@given(parameters=st.dictionaries(TEXTS, VALUES, max_size=2), name=TEXTS, label=TEXTS)
def test_whatever_stands_in_texts_it_is_what_json_says(parameters: dict[str, Any], name: str, label: str) -> None:
    """Neither hyperparameters nor names can be taken for members; the reader remembers nothing wrong of an item before."""
    phases = UsualPhases()
    for record in (*records_of({"k": 1}), *records_of(parameters, name, label)):
        assert_is_parsed(json.dumps(record), phases)
        assert_is_parsed(json.dumps(record))


@pytest.mark.parametrize(
    "member", ['"run": "other"', '"fit_key" : "x"', '"gpu_peak":3', '"sec\\u006fnds": 7', '"search": "x"', '"k": 1']
)
@pytest.mark.parametrize("place", ["end", "begin", "before costs"])
def test_a_record_with_another_member_is_not_matched(member: str, place: str) -> None:
    """In JSON the last of two counts, wherever it stands and however it is written."""
    phases = UsualPhases()
    for record in records_of({"k": 3}):
        text = json.dumps(record)
        assert phases.phase_in(text) is not None
        changed = {
            "end": f"{text[:-1]}, {member}}}",
            "begin": f"{{{member}, {text[1:]}",
            "before costs": text.replace(', "seconds": ', f', {member}, "seconds": ', 1),
        }[place]
        if place == "before costs" and text.find(', "seconds": ') < text.find('"phase"'):
            continue
        assert phases.phase_in(changed) is None


@pytest.mark.parametrize(
    ("member", "wrong"),
    [
        ('"stat": [7, ', '"stat": [7, , '),
        ('"stat": [7, ', '"stat": [007, '),
        ('"peak_rss": 134217728', '"peak_rss": 134\u0662217'),
        ('"threads": 2', '"threads": 02'),
    ],
)
def test_a_text_that_is_no_json_is_not_matched(member: str, wrong: str) -> None:
    """Also where all that is wrong with it is a number."""
    usual = json.dumps(records_of({"k": 3}, answer={**ANSWER, "peak_rss": 2**27})[0])
    assert member in usual
    assert assert_is_parsed(usual)
    assert UsualPhases().phase_in(usual.replace(member, wrong)) is None


@pytest.mark.parametrize(
    "costs",
    [
        {"seconds": -1.0},
        {"seconds": 1e-300, "cpu_seconds": 1.5e300},
        {"peak_rss": 2**53 + 1},
        {"threads": None, "start_seconds": None},
        {"gpu_peak": 0, "python_peak": 7},
        {"seconds": True},
    ],
)
def test_numbers_keep_their_types_and_their_last_digit(costs: dict[str, Any]) -> None:
    """Of what is no cost, or too large for a float, nothing is said."""
    for record in records_of({}, answer={**ANSWER, **costs}):
        said = assert_is_parsed(json.dumps(record))
        assert said or costs.keys() & {"peak_rss", "seconds"}
