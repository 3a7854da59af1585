"""Hyperparameters of a shipped search space that a plan fixes are searched no more, and decide what depends on them."""

from __future__ import annotations

from typing import Any

import pytest

from omnibench import Choice, ExperimentPlan, Float, Int, LensKit, Log, RecBole, RecPack, Tuning, When
from omnibench.errors import PlanError
from omnibench.tuning.fixing import with_fixed
from omnibench.tuning.shipped import shipped_space
from omnibench.tuning.space import Space

SPACE = Space.of(
    {
        "solver": Choice(["als", "sgd"]),
        "reg": When("solver", "als", Log(1e-3, 1.0)),
        "sgd": When("solver", "sgd", {"rate": Log(1e-4, 1e-1), "batch": Choice([32, 64])}),
        "momentum": When("batch", 64, Float(0, 1)),
        "size": Int(1, 9),
        "verbose": False,
    }
)


@pytest.mark.parametrize(
    ("fixed", "names"),
    [
        ({}, SPACE.names),
        ({"size": 3}, ("batch", "momentum", "rate", "reg", "solver")),
        ({"solver": "als"}, ("reg", "size")),
        ({"solver": "sgd"}, ("batch", "momentum", "rate", "size")),
        ({"solver": "sgd", "batch": 32}, ("rate", "size")),
        ({"solver": "sgd", "batch": 64}, ("momentum", "rate", "size")),
        ({"solver": "newton"}, ("size",)),
        ({"unrelated": 1}, SPACE.names),
    ],
)
def test_what_depends_on_a_fixed_value_exists_always_or_never(fixed: dict[str, Any], names: tuple[str, ...]) -> None:
    """The rest is a space like any other: its points have what can exist."""
    space = with_fixed(SPACE, fixed, "Mine")
    assert space.names == names
    assert space == Space.from_identity(space.identity)
    for share in (0.0, 0.4, 0.9):
        point = space.at([share] * len(space.dimensions))
        assert SPACE.contains({**point, **fixed}) or "unrelated" in fixed or fixed.get("solver") == "newton"


def test_a_fixed_constant_is_another_constant() -> None:
    """It is no constant of the space any more."""
    assert with_fixed(SPACE, {"verbose": True}, "Mine").constants == {}
    assert with_fixed(SPACE, {"size": 1}, "Mine").constants == {"verbose": False}


def test_fixing_all_is_refused() -> None:
    """A search needs something to search, and the error names it."""
    with pytest.raises(PlanError, match=r"RecPack\.EASE: fixed has all that its search space searches \(l2\)"):
        tuned(RecPack.EASE, {"l2": 3.0})


def tuned(algorithm: str, fixed: dict[str, Any]) -> tuple[Space, dict[str, Any]]:
    """What a plan searches of an algorithm's shipped space, and what all trials have."""
    plan = ExperimentPlan("fixed", tuning=Tuning("NDCG@10", trials=3))
    plan.tune(algorithm, fixed=fixed)
    (configuration,) = plan.configurations()
    assert configuration.search is not None
    return configuration.search.space, dict(configuration.parameters)


def test_a_plan_may_fix_what_a_shipped_space_searches_or_has_as_a_constant() -> None:
    """So that nobody has to write down the rest of the space."""
    space, parameters = tuned(LensKit.FlexMFImplicitScorer, {"epochs": 5})
    assert "epochs" not in space.names
    assert parameters == {"epochs": 5}
    space, parameters = tuned(RecPack.MultVAE, {"max_epochs": 20})
    assert parameters == {"max_epochs": 20}
    shipped = shipped_space("RecPack.MultVAE")
    assert shipped is not None
    assert space.names == shipped.space.names
    space, _ = tuned(RecPack.ItemKNN, {"similarity": "cosine"})
    assert space.names == ("K", "normalize_X", "normalize_sim")
    space, _ = tuned(RecBole.DMF, {"user_hidden_size_list": [64, 32]})
    assert space.plain["item_hidden_size_list"] == "[64, 32]"


def test_in_a_space_of_ones_own_it_stays_a_contradiction() -> None:
    """There it is a slip, and easily mended."""
    plan = ExperimentPlan("twice", tuning=Tuning("NDCG@10", trials=3))
    with pytest.raises(PlanError, match="l2 is in fixed and in the search space"):
        plan.tune(RecPack.EASE, {"l2": Log(1, 10)}, fixed={"l2": 3})
