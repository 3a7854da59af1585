"""Numbers and lists that are given as texts count in estimates of memory as what the framework makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.guest_scripts import run

from omnibench.data.data_size import DataSize
from omnibench.runners.evaluated_texts import evaluated
from omnibench.runners.info import algorithm_info
from omnibench.runners.learned import spelled
from omnibench.runners.registry import get_runner, runners
from omnibench.runners.requirements import formula_of, required

SMALL = DataSize(943, 1_682, 100_000)

MADE: dict[str, Any] = {
    "[600]": [600],
    "\t[600, 200]": [600, 200],
    "(600, 200)": (600, 200),
    "600,200": (600, 200),
    "[64]*3": [64, 64, 64],
    "[64]+[32]": [64, 32],
    "[-1]*2": [-1, -1],
    "['600']": ["600"],
    "[]": [],
    "600": 600,
    "600 ": 600,
    "(600)": 600,
    "2**6": 64,
    "2**-1": 0.5,
    "64*2": 128,
    "10//3": 3,
    "7%4": 3,
    "--5": 5,
    "1e3": 1000.0,
    "1_000": 1000,
    "0x10": 16,
    "1e400": float("inf"),
    "{'distribution': 'uniform', 'sample_num': 4}": {"distribution": "uniform", "sample_num": 4},
    "None": None,
    "none": "none",
    "True": True,
    "TRUE": True,
    "false": False,
    "CE": "CE",
    "'CE'": "CE",
    "b'CE'": "b'CE'",
    "{1, 2}": "{1, 2}",
    "(-8)**0.5": "(-8)**0.5",
    "2**300": 2**300,
    "1j": "1j",
    "0512": "0512",
    "[600": "[600",
    "[1, 2]-[3]": "[1, 2]-[3]",
    "64.": 64.0,
    "\n600": 600,
    "": "",
    "  ": "  ",
    "many": "many",
}
"""Texts, and what RecBole makes of them."""


@pytest.mark.parametrize("text", MADE)
def test_texts_are_evaluated(text: str) -> None:
    """Expressions of numbers, lists, texts and dictionaries; what is none stays a text."""
    assert repr(evaluated(text)) == repr(MADE[text])


@pytest.mark.guests
def test_recbole_makes_the_same_of_them(tmp_path: Path, environment_python: Callable[[str], Path]) -> None:
    """Its own configuration was asked."""
    file = tmp_path / "made.json"
    run(environment_python("RecBole"), "recbole_texts.py", json.dumps([*MADE]), file, cwd=tmp_path)
    assert json.loads(file.read_text()) == {text: repr(value) for text, value in MADE.items()}


@pytest.mark.parametrize(
    "text",
    [
        "int(64)",
        "__import__('os').getcwd()",
        "[n for n in (1, 2)]",
        "9**9**9**9",
        "10**400",
        "[1]*10**9",
        "[[0]*10000]*10000",
        "[[[0]*10]*100]*100",
        "[1]*10000+[1]*10000",
        "[[0]*5000]+[[0]*5000]",
        "'a'*10**12",
        "'%1000000000d' % 5",
        "1/0",
        "{[]: 1}",
        "{**{}}",
        "(" * 500 + ")" * 500,
    ],
)
def test_nothing_is_run_and_nothing_large_is_made(text: str) -> None:
    """Calls, powers and repetitions without an end stay texts."""
    assert evaluated(text) == text


def test_how_a_text_is_written_is_nothing_to_warn_of(recwarn: pytest.WarningsRecorder) -> None:
    """Python warns of odd escapes and of numbers that run into words, in programs; these are none."""
    assert evaluated("1if 2else 3") == "1if 2else 3"
    assert evaluated(r"'\d'") == r"\d"
    assert not recwarn.list


@given(st.text("0123456789.+-*/%[](){}:,'eE_ \n#x~TrueNonfals", max_size=30))
def test_no_text_makes_an_error(text: str) -> None:
    """Whatever stands in it."""
    evaluated(text)


@pytest.mark.parametrize("value", [600, [600], None, True, ["600"], {"a": "5"}])
def test_what_is_no_text_stays(value: Any) -> None:
    """RecBole evaluates whole values alone, none within lists."""
    assert evaluated(value) is value


@pytest.mark.parametrize(
    ("algorithm", "text", "value"),
    [
        ("RecBole.MultiDAE", {"mlp_hidden_size": "[4000, 200]"}, {"mlp_hidden_size": [4000, 200]}),
        ("RecBole.MultiDAE", {"mlp_hidden_size": "[4000]*2"}, {"mlp_hidden_size": [4000, 4000]}),
        ("RecBole.NGCF", {"hidden_size_list": "(512,512,512)"}, {"hidden_size_list": [512, 512, 512]}),
        ("RecBole.BPR", {"embedding_size": "2**12"}, {"embedding_size": 4096}),
        ("RecBole.SASRec", {"hidden_size": " 1024 ", "n_layers": "4"}, {"hidden_size": 1024, "n_layers": 4}),
        ("RecBole.SASRec", {"train_batch_size": "1e5"}, {"train_batch_size": 100_000}),
        ("RecBole.SimpleX", {"history_len": "None"}, {"history_len": None}),
        (
            "RecBole.SimpleX",
            {"train_neg_sample_args": "{'distribution': 'uniform', 'sample_num': 2}"},
            {"train_neg_sample_args": {"distribution": "uniform", "sample_num": 2}},
        ),
        ("RecTools.SASRecModel", {"n_factors": "1_024"}, {"n_factors": 1024}),
        ("RecTools.SASRecModel", {"n_factors": "+1024.0"}, {"n_factors": 1024}),
        ("LensKit.ImplicitMFScorer", {"embedding_size": "+5_12"}, {"embedding_size": 512}),
    ],
)
def test_texts_need_what_their_values_need(algorithm: str, text: dict[str, str], value: dict[str, Any]) -> None:
    """Of memory; which is not what the defaults need."""
    usual, by_text, by_value = (needed(algorithm, given) for given in ({}, text, value))
    assert by_text == by_value != usual


def needed(algorithm: str, given: dict[str, Any]) -> int:
    """What is said that a Fit needs of small data, in bytes."""
    framework, _, name = algorithm.partition(".")
    described = algorithm_info(get_runner(framework), name)
    parameters = {**described["parameters"], **spelled(described, given)}
    return required(formula_of(get_runner(framework), name), SMALL, parameters).size


def test_other_frameworks_evaluate_nothing() -> None:
    """There a list in quotes is a fault of the configuration."""
    for runner in runners():
        for name, described in runner.catalogue["algorithms"].items():
            assert described.get("evaluates_texts", False) == (runner.name == "RecBole")
            is_list = next((key for key, default in described["parameters"].items() if isinstance(default, list)), None)
            if is_list is not None and runner.name != "RecBole":
                assert spelled(described, {is_list: "[600]"}) == {is_list: "[600]"}, name


def test_lists_of_features_are_the_adapters() -> None:
    """It reads these itself."""
    for name, parameter in (("DeepFM", "item_features"), ("SASRecF", "selected_features"), ("S3Rec", "item_attribute")):
        described = algorithm_info(get_runner("RecBole"), name)
        assert spelled(described, {parameter: "['genres']"}) == {parameter: "['genres']"}
