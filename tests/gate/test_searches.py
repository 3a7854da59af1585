"""Tuned algorithms in the gate: one thing each, whatever is searched and with which effort; what has changed is said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gated import Measurements, judged

from omnibench import Choice, Float, Int, Log, Tuning
from omnibench.experiment.candidates import UNSEEN
from omnibench.experiment.search import TuningRequest
from omnibench.experiment.tuned import search_of
from omnibench.gate.baseline_lines import unpacked
from omnibench.gate.entries import newest
from omnibench.gate.matching import Match, match
from omnibench.gate.report import lines
from omnibench.gate.searches import search_sentence, search_words
from omnibench.gate.verdicts import Gate
from omnibench.keys import canonical
from omnibench.tuning.space import Space

EASE = "RecPack.EASE"
L2 = {"l2": Log(1, 1e4)}
BUDGET = Tuning("NDCG@10", trials=30)
VALUES = {"NDCG@10": [np.linspace(0.2, 0.8, 40)]}
WORSE = {"NDCG@10": [np.linspace(0.1, 0.7, 40)]}


def search(space: Mapping[str, Any] = L2, tuning: Tuning | None = None, seed: int = 42) -> Any:
    """Return what the configuration of a tuned algorithm says of its search, as records have it."""
    made = search_of(TuningRequest(Space.of(space), tuning or BUDGET), UNSEEN, seed)
    return json.loads(canonical(made.identity))


def measured(values: Mapping[str, Any] = VALUES, **fields: Any) -> Measurements:
    store = Measurements()
    store.add(fields.pop("algorithm", EASE), values, **{"search": search(), **fields})
    return store


def matched(now: Measurements, then: Measurements) -> Match:
    return match(now.entries, then.entries)


def sentence(now: Measurements, then: Measurements) -> str:
    ((current, baseline),) = matched(now, then).pairs
    return search_sentence(current, baseline)


def printed(gate: Gate, verbosity: int = 0) -> str:
    return " ".join(" ".join(line.text.split()) for line in lines(gate, verbosity=verbosity))


def test_a_changed_space_and_budget_are_said_in_words(tmp_path: Path) -> None:
    """The algorithm is compared with itself all the same, and the report says what changed; the run passes."""
    now = measured(search=search({"l2": Log(1, 1e5)}, Tuning("NDCG@10", trials=60)))
    gate = judged(tmp_path, measured(), now)
    (note,) = gate.notes
    assert note == "shop/RecPack.EASE (tuned): budget 30 -> 60 trials; l2 log 1 to 10000 -> log 1 to 100000"
    assert gate.passed
    assert [verdict.verdict for verdict in gate.verdicts] == ["same"]
    assert note in printed(gate)
    assert note in gate.to_dict()["notes"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"search": search(tuning=Tuning("NDCG@10", seconds=60))}, "budget 30 trials -> 60 s"),
        (
            {"search": search(tuning=Tuning("NDCG@10", trials=30, sampler="random"))},
            "trials proposed together 4 -> any number",
        ),
        ({"search": search(tuning=Tuning("NDCG@10", trials=30, sampler="random"))}, "sampler tpe -> random"),
        ({"search": search(tuning=Tuning("NDCG@10", trials=30, pruner="halving"))}, "pruner none -> halving"),
        ({"search": search(tuning=Tuning("NDCG@10", trials=30, parallel=8))}, "trials proposed together 4 -> 8"),
        ({"search": search(tuning=Tuning("NDCG@10", trials=30, seed=7))}, "seed of the sampler 7, which was not there"),
        ({"search": search(tuning=Tuning("NDCG@10", trials=30, per_fold=False))}, "a search per fold yes -> no"),
        ({"search": search(tuning=Tuning("Recall@20", trials=30))}, "metric NDCG@10 -> Recall@20"),
        ({"search": search(seed=43), "seed": 43}, "seed 42 -> 43"),
        ({"search": search({"l2": Log(1, 10000)})}, "l2 log 1 to 10000 -> log 1 to 10000 (whole)"),
        ({"search": search({**L2, "density": Float(0.1, 0.5)})}, "density 0.1 to 0.5, which was not there"),
        ({"search": search({"density": Int(1, 5)})}, "l2 log 1 to 10000 no more"),
        ({"parameters": {"epochs": 20}}, "epochs 20, which was not there"),
        ({"refit": "train+validation"}, "refit train -> train+validation"),
    ],
)
def test_whatever_changes_of_a_search_it_stays_one_thing(change: dict[str, Any], words: str) -> None:
    """Space, budget, sampler, seed and fixed hyperparameters: the pair is found, and each change is named, both ways."""
    now, then = measured(**change), measured()
    assert words in sentence(now, then)
    assert not matched(now, then).new + matched(now, then).missing
    assert sentence(then, now)


def test_nothing_is_said_of_a_search_that_has_not_changed() -> None:
    """The code of the class may have changed: that is what a gate is for."""
    chosen = {0: {"l2": 5.0}}
    assert sentence(measured(code="2", chosen=chosen), measured(chosen=chosen)) == ""


@pytest.mark.parametrize("parameters", [{}, {"l2": 5.0}])
def test_a_tuned_algorithm_is_never_compared_with_an_untuned_one(tmp_path: Path, parameters: dict[str, Any]) -> None:
    """Though it is the only one of its algorithm on either side: one is new, the other is missed, and the gate fails."""
    tuned, untuned = measured(), measured(parameters=parameters, search=None)
    for now, then in ((tuned, untuned), (untuned, tuned)):
        pairs = matched(now, then)
        assert (len(pairs.pairs), len(pairs.new), len(pairs.missing)) == (0, 1, 1)
    gate = judged(tmp_path, untuned, tuned)
    assert not gate.passed
    assert any(f"{tuned.entries[0]}: new" in note for note in gate.notes)


def test_labels_tell_tuned_ones_of_an_algorithm_apart() -> None:
    """Both searches have changed, and each is compared with that of its label, also where a label is left alone."""
    then, now = Measurements(), Measurements()
    for store, trials, labels in ((then, 30, ("narrow", "wide")), (now, 60, ("wide", "narrow"))):
        for label in labels:
            space = {"l2": Log(1, 1e4 if label == "wide" else 10)}
            store.add(EASE, VALUES, search=search(space, Tuning("NDCG@10", trials=trials)), user_label=label)
    assert {(str(current), str(baseline)) for current, baseline in matched(now, then).pairs} == {
        ("shop/narrow (tuned)", "shop/narrow (tuned)"),
        ("shop/wide (tuned)", "shop/wide (tuned)"),
    }
    ((current, baseline),) = matched(measured(user_label="mine"), measured()).pairs
    assert search_sentence(current, baseline).endswith("(tuned): compared with shop/RecPack.EASE (tuned)")


def test_two_searches_that_both_changed_are_told_as_new_and_missing() -> None:
    """Without labels nobody knows which was which, as of the points of a grid."""
    then, now = Measurements(), Measurements()
    for store, ends in ((then, (10, 100)), (now, (20, 200))):
        for end in ends:
            store.add(EASE, VALUES, search=search({"l2": Log(1, end)}))
    pairs = matched(now, then)
    assert (len(pairs.pairs), len(pairs.new), len(pairs.missing)) == (0, 2, 2)


def test_other_values_that_were_chosen_are_said_and_fail_nothing(tmp_path: Path) -> None:
    """Fold by fold, without what the plan fixes; a value that is as good passes."""
    folds = {"NDCG@10": VALUES["NDCG@10"] * 5}
    fixed = {"epochs": 5}
    then = measured(folds, parameters=fixed, chosen={fold: {"l2": 512.34 + fold, "epochs": 5} for fold in range(5)})
    chosen = {
        0: {"l2": 800.0, "epochs": 5},
        1: {"l2": 513.34, "epochs": 5},
        2: {"epochs": 5},
        3: {"l2": 1},
        4: {"l2": 2},
    }
    gate = judged(tmp_path, then, measured(folds, parameters=fixed, code="2", chosen=chosen))
    assert gate.passed
    (note,) = gate.notes
    assert note == (
        "shop/RecPack.EASE (tuned, epochs=5): chosen in fold 0: l2 512.3 -> 800; in fold 2: l2 514.3 -> the default; "
        "in fold 3: l2 515.3 -> 1; and in 1 more fold"
    )
    single = sentence(measured(chosen={0: {"l2": 0.50001}}), measured(chosen={0: {"l2": 0.5}}))
    assert single == "shop/RecPack.EASE (tuned): chosen l2 0.5 -> 0.50001"


def test_a_quiet_run_says_that_a_search_has_changed(tmp_path: Path) -> None:
    """The code is not blamed for what another search may have done, and a larger budget hides no loss silently."""
    now = measured(WORSE, search=search(tuning=Tuning("NDCG@10", trials=5)))
    gate = judged(tmp_path, measured(), now)
    assert not gate.passed
    assert "budget 30 -> 5 trials" in printed(gate, verbosity=-1)
    same = judged(tmp_path, measured(), measured(search=search(tuning=Tuning("NDCG@10", trials=5))))
    assert same.passed
    assert "budget 30 -> 5 trials" in printed(same, verbosity=-1)
    assert same.to_dict()["retuned"] == list(same.notes)


def test_a_quiet_run_says_nothing_of_another_choice(tmp_path: Path) -> None:
    """What is chosen is a result, as the numbers are; where nothing is worse, a quiet run leaves it out."""
    then, now = (measured(chosen={0: {"l2": value}}) for value in (5.0, 6.0))
    gate = judged(tmp_path, then, now)
    assert "chosen l2 5 -> 6" in printed(gate)
    assert "l2" not in printed(gate, verbosity=-1)


def test_a_baseline_keeps_search_choice_and_label(tmp_path: Path) -> None:
    """What is not tuned has neither, as in baselines of earlier omnibenches."""
    store = measured(chosen={0: {"l2": 5.0}, 3: {"l2": 7.5}}, user_label="mine")
    baseline = store.baseline(tmp_path)
    (entry,) = baseline.entries
    assert entry.chosen == {0: {"l2": 5.0}, 3: {"l2": 7.5}}
    assert (entry.user_label, entry.is_tuned, entry.key) == ("mine", True, store.entries[0].key)
    assert search_words(entry.configuration)["l2"] == "log 1 to 10000"
    (untuned,) = measured(search=None, user_label="mine").baseline(tmp_path).entries
    assert (untuned.chosen, untuned.is_tuned) == ({}, False)
    (line,) = unpacked(pq.ParquetFile(tmp_path / "baseline.parquet").metadata.metadata[b"omnibench.entries"])
    assert "chosen" not in json.loads(line)


@pytest.mark.parametrize(
    "identity",
    [
        {"space": 3},
        {"space": {"parameters": {"l2": [{"type": "later"}]}, "constants": {}}, "tuning": search()["tuning"]},
        {"space": search()["space"], "tuning": {"budget": "all of it"}},
        {"space": {"parameters": {"l2": "\x1b[31m"}}, "seed": [1], "length": {}},
    ],
)
def test_a_search_that_cannot_be_read_is_another(tmp_path: Path, identity: dict[str, Any]) -> None:
    """Of a later omnibench, or of somebody who wrote the file: the algorithm is compared, and something is said."""
    gate = judged(tmp_path, measured(search=identity), measured())
    assert gate.passed
    assert gate.notes
    both = judged(tmp_path, measured(search=identity), measured(search={**identity, "further": 1}))
    assert both.notes == ("shop/RecPack.EASE (tuned): the search has changed",)


def test_the_newest_effort_stands_for_a_search_and_for_no_untuned_configuration() -> None:
    """A store may keep a search with fewer trials, and the defaults: the one is older, the other something else."""
    store = Measurements()
    store.add(EASE, VALUES, search=search(), finished="2026-01-01T00:00:00Z")
    store.add(EASE, VALUES, search=search(tuning=Tuning("NDCG@10", trials=60)), finished="2026-01-02T00:00:00Z")
    store.add(EASE, VALUES, finished="2026-01-03T00:00:00Z")
    store.add(EASE, VALUES, search=search({"l2": Log(1, 7)}), finished="2026-01-01T00:00:00Z")
    taken, older = newest(store.entries)
    assert taken == [store.entries[1], store.entries[2], store.entries[3]]
    assert older == [store.entries[0]]


numbers = st.integers(1, 50)
distributions = st.one_of(
    st.builds(lambda low, more: Int(low, low + more), numbers, numbers),
    st.builds(lambda low, more: Log(float(low), float(low + more)), numbers, numbers),
    st.builds(Choice, st.lists(numbers, min_size=1, max_size=3, unique=True)),
)
spaces = st.dictionaries(st.sampled_from(["l2", "k", "budget", "metric"]), distributions, min_size=1)
budgets = st.builds(
    lambda trials, sampler, seed: Tuning("NDCG@10", trials=trials, sampler=sampler, seed=seed),
    numbers,
    st.sampled_from(["tpe", "random", "sobol"]),
    st.none() | numbers,
)
searches = st.builds(search, spaces, budgets, st.integers(0, 3))


@given(searches, searches)
def test_any_two_searches_of_an_algorithm_are_one_pair(now: Any, then: Any) -> None:
    """And something is said exactly where they differ: every hyperparameter whose range does, by its name."""
    text = sentence(measured(search=now), measured(search=then))
    assert bool(text) == (canonical(now) != canonical(then))
    ranges, earlier = (Space.from_identity(identity["space"]).plain for identity in (now, then))
    for name in ranges.keys() | earlier.keys():
        if ranges.get(name) != earlier.get(name):
            assert f"{name} " in text
