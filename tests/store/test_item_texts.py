"""What is matched in the text of a done item's record is what parsing the text returns, or nothing is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.store.builders import ItemLabels, Origin
from omnibench.store.forms import record_of
from omnibench.store.item_records import done_item, item_metric
from omnibench.store.item_texts import light_item_in
from omnibench.store.packed_metrics import MetricsPacker
from omnibench.store.schema import Record
from omnibench.store.sealing import DamagedRecordError, checked, seal

FIT_KEY = "a" * 64
KEY = f"item/{FIT_KEY}"
TEXTS = st.text(max_size=8) | st.sampled_from(["tiny", 'a "b"', "a, \\", '", "fold": 1, "', "\x00", "\ud800"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)


def item_of(parameters: dict[str, Any], name: str = "D/a", label: str = "HR@5", value: float = 0.5) -> Record:
    """Return the record of a done item as a run makes it."""
    configuration = ["configuration/1", {"runner": "Own", "algorithm": "A", "parameters": parameters, "seed": 42}]
    identity = ["fit/1", {"configuration": configuration, "data": "d" * 64, "fold": 1}]
    labels = ItemLabels(
        name, FIT_KEY, "D", "A-aaaaaaaa", parameters, 1, identity, "d" * 64, dataset_label="tiny", module="m", node=name
    )
    metrics = {label: item_metric(value, "e" * 64, '["HR",{"k":5},1]'), "MRR": item_metric(1, "f" * 64, "m")}
    return done_item(
        labels,
        Origin("run", "worker", "D-dddddddd/A-aaaaaaaa/fold_1"),
        {},
        metrics=metrics,
        predict_key="p",
        list_length=10,
        predicted='["unseen",10]',
        test="t",
    )


def assert_is_light(text: str) -> bool:
    """Assert that a light record has the members of the parsed one, of the same types; return whether there is one."""
    light = light_item_in(KEY, checked(KEY, text), MetricsPacker(), with_node=True)
    if light is None:
        return False
    whole = record_of(KEY, text)
    light["metrics"] = dict(light["metrics"])
    assert repr(light) == repr({name: whole[name] for name in light})
    left_out = {"run", "worker", "exported", "failures", "deaths", "predicted", "test", "token", "check"}
    assert whole.keys() - light.keys() <= left_out
    return True


def test_items_of_runs_are_matched() -> None:
    """The record that a run makes of a done item need not be parsed; with a token behind it neither."""
    assert assert_is_light(seal(KEY, item_of({"K": 3, "shape": [1, {"fold": 2}]})))
    assert assert_is_light(seal(KEY, {**item_of({}), "token": "0" * 32}))


def assert_is_as_parsed(text: str) -> None:
    """A light record of it is the parsed one, and none is made of a malformed one."""
    try:
        record_of(KEY, text)
    except DamagedRecordError:
        assert light_item_in(KEY, checked(KEY, text), MetricsPacker()) is None
    else:
        assert_is_light(text)


@given(st.dictionaries(TEXTS, VALUES, max_size=3), TEXTS, TEXTS, st.floats() | st.integers())
def test_any_item_is_as_parsed(parameters: dict[str, Any], name: str, label: str, value: float) -> None:
    """Whatever its names, hyperparameters and values: a light record is the parsed one, and none is made of a malformed one."""
    assert_is_as_parsed(seal(KEY, item_of(parameters, name, label, value)))


@pytest.mark.parametrize(
    "members",
    [
        {"status": "failed"},
        {"finished": "yesterday"},
        {"fit_key": "b" * 64},
        {"directory": "../elsewhere"},
        {"metrics": {}},
        {"metrics": {"HR@5": {"value": None, "key": "e" * 64, "metric": "m"}}},
        {"failures": -1},
        {"fold": True},
        {"data_key": "d"},
        {"search": "5" * 64},
        {"stopped": None},
        {"parameters": {"nested": [[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]}},
    ],
)
def test_other_items_are_parsed(members: dict[str, Any]) -> None:
    """Of what is not done, not of its form, or not as runs make it, the whole record is looked at."""
    assert not assert_is_light(seal(KEY, {**item_of({}), **members}))


MEMBERS = {"runner": "Own", "algorithm": "A", "parameters": None, "seed": 42}
FORMS = [
    MEMBERS,
    dict(reversed(MEMBERS.items())),
    {"parameters": None, "runner": "Own", "algorithm": "A"},
    {"runner": "Own", "algorithm": "A", "parameters": None},
    {"runner": "Own", "search": {"space": {}, "parameters": None}, "algorithm": "A", "parameters": None, "seed": 42},
    {"runner": "Own", "algorithm": "A", "search": {"space": {}, "parameters": None}, "seed": 42},
    {"runner": ', "parameters": {}', "algorithm": "A\\", "parameters": None, "code": float("nan")},
    {"runner": "Own", "parameters": None},
]
"""Members of configurations; hyperparameters are put where None stands."""


def filled(members: dict[str, Any], parameters: Any) -> dict[str, Any]:
    """Return members with hyperparameters where None stands, on any level."""
    return {
        name: parameters if value is None else filled(value, parameters) if isinstance(value, dict) else value
        for name, value in members.items()
    }


PARAMETERS = st.dictionaries(TEXTS, VALUES, max_size=2) | st.sampled_from([{}, [], 1, {"parameters": {}}])


@given(st.lists(st.tuples(st.sampled_from(FORMS), PARAMETERS, PARAMETERS, st.booleans()), min_size=1, max_size=6))
def test_configurations_in_turn_are_as_parsed(items: list[tuple[dict[str, Any], Any, Any, bool]]) -> None:
    """Whatever the configurations before had alike, wherever their hyperparameters are, and whether the item says the same of them."""
    for members, parameters, own_parameters, are_alike in items:
        record = item_of({})
        record["parameters"] = parameters if are_alike else own_parameters
        record["identity"][1]["configuration"] = ["configuration/1", filled(members, parameters)]
        assert_is_as_parsed(seal(KEY, record))


def test_the_configurations_of_an_algorithm_share_all_but_their_hyperparameters() -> None:
    """So that these alone are parsed."""
    search = {"space": {"K": [1, 2]}}
    lights = []
    for number in range(3):
        record = item_of({"K": number})
        members = {"runner": "Own", "algorithm": "A", "parameters": {"K": number}, "search": search}
        record["identity"][1]["configuration"] = ["configuration/1", members]
        light = light_item_in(KEY, checked(KEY, seal(KEY, record)), MetricsPacker())
        assert light is not None
        lights.append(light)
    configurations = [light["identity"][1]["configuration"][1] for light in lights]
    assert [members["parameters"] for members in configurations] == [{"K": number} for number in range(3)]
    assert len({id(members["search"]) for members in configurations}) == 1
    assert all(
        light["parameters"] is members["parameters"] for light, members in zip(lights, configurations, strict=True)
    )
