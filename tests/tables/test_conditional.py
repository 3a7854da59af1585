"""The sentence that a test speaks of fitted models alone: where it has to be said, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from omnibench.results import Result
from omnibench.runners import randomness
from omnibench.runners.randomness import SeedSpread
from omnibench.runners.registry import runners
from omnibench.tables.conditional import conditional_note
from omnibench.tables.layout import Layout, tables
from omnibench.tables.legend import indented

CATALOGUE: Mapping[str, Mapping[str, Any]] = {
    "Lib.Fixed": {"deterministic": True},
    "Lib.Random": {"deterministic": False},
    **{
        f"Lib.Random{number}": {
            "deterministic": False,
            "seed_spread": {
                "NDCG@10": {"relative_sd": number / 100, "differs": 0.1, "seeds": 20, "data": "MovieLens-100K, fold 0"}
            },
        }
        for number in range(1, 6)
    },
}


@pytest.fixture(autouse=True)
def _catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(randomness, "_described", lambda algorithm: CATALOGUE.get(algorithm, {}))


def result(name: str, seed: int = 42, **members: Any) -> Result:
    return Result("shop-1", f"{name}-{seed}", f"{name}(k=3)", None, {"HR@10": 0.5}, seed=seed, **members)


def test_deterministic_algorithms_need_no_sentence() -> None:
    """Neither those of the catalogue nor an own class that says so."""
    assert not conditional_note([result("Lib.Fixed"), result("Mine", module="mine", deterministic=True)])


def test_one_seed_of_a_stochastic_algorithm_is_said() -> None:
    """Also of an own class of which nothing is known, and of an algorithm that the catalogue does not describe."""
    plain = "of these fitted models; other seeds may differ"
    assert conditional_note([result("Lib.Fixed"), result("Lib.Random")]) == plain
    assert conditional_note([result("Lib.Unknown")]) == plain
    assert conditional_note([result("Mine", module="mine")]) == plain
    assert conditional_note([result("Mine", module="mine")], hint=True) == (
        f"{plain} unless a class says deterministic = True"
    )


def test_several_seeds_need_no_sentence() -> None:
    """What was fitted with several seeds is tested over them; another configuration with one seed is still said."""
    several = [result("Lib.Random", seed) for seed in (1, 2, 3)]
    assert not conditional_note(several)
    assert conditional_note([*several, result("Mine", module="mine")])


def test_the_spread_is_said_where_it_is_known() -> None:
    """The largest ones by name, with what was measured on which data."""
    note = conditional_note([result(f"Lib.Random{number}") for number in range(1, 6)])
    assert note == (
        "of these fitted models; other seeds may differ (std of NDCG@10 on MovieLens-100K: Lib.Random5 5 %, Lib.Random4 "
        "4 %, Lib.Random3 3 %, others less)"
    )
    assert "Lib.Random2 2 %" in conditional_note([result("Lib.Random2"), result("Lib.Random")])


def test_the_table_says_it_below_its_marks_alone() -> None:
    """Where nothing is tested nothing is claimed, so nothing has to be taken back; lines are as wide as the terminal."""
    results = [result("Lib.Random5"), result("Lib.Fixed")]
    (untested,) = tables(results, Layout(width=60))
    assert not any("seeds" in note for note in untested.notes)
    (tested,) = tables(results, Layout(width=60), lambda _: {("shop-1", "HR@10"): []})
    position = tested.notes.index(
        "~ not significantly worse than the best (paired bootstrap test, Holm-corrected, 0.05)"
    )
    assert tested.notes[position + 1 : position + 3] == [
        "  of these fitted models; other seeds may differ (std of",
        "  NDCG@10 on MovieLens-100K: Lib.Random5 5 %)",
    ]


def test_the_catalogue_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the catalogue of a framework says of an algorithm is what is told; of own classes it says nothing."""
    monkeypatch.undo()
    assert not randomness.is_deterministic("Popular")
    assert randomness.is_deterministic("Popular", stated=True)
    assert not randomness.is_deterministic("RecBole.NoSuch")
    (runner,) = (runner for runner in runners() if runner.name == "RecBole")
    described = {
        **runner.catalogue["algorithms"]["BPR"],
        "deterministic": True,
        "seed_spread": CATALOGUE["Lib.Random1"]["seed_spread"],
    }
    monkeypatch.setitem(runner.catalogue["algorithms"], "BPR", described)
    assert randomness.is_deterministic("RecBole.BPR")
    assert randomness.seed_spread("RecBole.BPR") == SeedSpread("NDCG@10", 0.01, 0.1, 20, "MovieLens-100K")


def test_a_number_and_its_sign_stay_on_one_line() -> None:
    """Whatever the width, no line begins with the sign of percent."""
    text = "of these fitted models; other seeds may differ (std of NDCG@10 on MovieLens-100K: Lib.Random1 0.39 %)"
    for width in range(20, 110):
        lines = indented(text, width)
        assert " ".join(line.strip() for line in lines) == text
        assert not any(line.strip().startswith("%") for line in lines)
