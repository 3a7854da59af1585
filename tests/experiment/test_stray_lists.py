"""A list for a hyperparameter that takes a single value is refused at once, with the Grid that was meant."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pytest

from omnibench import Cornac, ExperimentPlan, Grid, Implicit, LensKit, RecBole, RecPack, RecTools, Surprise
from omnibench.errors import PlanError
from omnibench.runners.registry import runners


class Mine:
    """Takes one of each: with a default, with an annotation, with both."""

    def __init__(  # type: ignore[no-untyped-def]  # an argument without annotation is the case
        self,
        k=20,
        hidden=(64,),
        mode: Literal["cosine", "a list"] = "cosine",
        most: int | None = None,
        either: int | list[int] = 3,
        free=None,
        several: "Sequence[int]" = (),  # noqa: UP037 - as in a file without the future import
        ratio: "float" = 0.5,  # noqa: UP037
        anything: Any = 1,
    ) -> None:
        """Take them."""

    def fit(self, train: Any) -> None:
        """Learn nothing."""

    def recommend(self, users: Any, k: int) -> dict[Any, list[Any]]:
        """Recommend nothing."""
        return {user: [] for user in users}


@pytest.mark.parametrize(
    ("algorithm", "parameters", "message"),
    [
        (
            RecPack.ItemKNN,
            {"K": [20, 40]},
            r"RecPack\.ItemKNN: K is \[20, 40\], but takes a single value.*Grid\(\[20, 40\]\)",
        ),
        (RecPack.ItemKNN, {"K": (20, 40)}, r"K is \(20, 40\).*write Grid\(\[20, 40\]\)\.$"),
        (RecPack.ItemKNN, {"K": range(20, 60, 20)}, r"write Grid\(range\(20, 60, 20\)\)\.$"),
        (RecPack.ItemKNN, {"K": np.array([20, 40])}, r"write Grid\(\[20, 40\]\)\.$"),
        (RecPack.ItemKNN, {"K": Grid([[20, 40]])}, r"K is \[20, 40\], within a Grid, but takes.*Grid\(\[20, 40\]\)\.$"),
        (RecPack.ItemKNN, {"K": []}, r"K is \[\], but takes a single value; give one\.$"),
        (RecPack.ItemKNN, {"similarity": ["cosine"]}, r"write Grid\(\['cosine'\]\)\.$"),
        (RecPack.ItemKNN, {"normalize_X": [True, False]}, r"write Grid\(\[True, False\]\)\.$"),
        (RecBole.BPR, {"learning_rate": [0.1, 0.01]}, r"write Grid\(\[0\.1, 0\.01\]\)\.$"),
        (LensKit.ItemKNNScorer, {"max_nbrs": [5, 10]}, r"write Grid\(\[5, 10\]\)\.$"),
        (Mine, {"k": [20, 40]}, r"Mine: k is .*write Grid\(\[20, 40\]\); if it takes lists, say so in the annotation"),
        (Mine, {"mode": ["cosine"]}, r"mode is \['cosine'\], but takes a single value"),
        (Mine, {"most": [1, 2]}, r"most is \[1, 2\], but takes a single value"),
        (Mine, {"ratio": [0.1]}, r"ratio is \[0\.1\], but takes a single value"),
    ],
)
def test_a_list_that_was_meant_as_a_grid(algorithm: Any, parameters: dict[str, Any], message: str) -> None:
    """The framework's default tells, or the annotation or the default of a class's argument; also in an update."""
    plan = ExperimentPlan()
    with pytest.raises(PlanError, match=message):
        plan.add_algorithm(algorithm, parameters)
    plan.add_algorithm(algorithm)
    with pytest.raises(PlanError, match=message):
        plan.update_algorithm(algorithm, parameters)


@pytest.mark.parametrize(
    ("algorithm", "parameters", "configurations"),
    [
        (RecBole.NeuMF, {"mlp_hidden_size": [64, 32]}, 1),
        (RecBole.NeuMF, {"mlp_hidden_size": Grid([[64, 32], [8]])}, 2),
        (LensKit.FunkSVDScorer, {"range": [1, 5]}, 1),
        (RecPack.ItemKNN, {"K": np.int64(20), "similarity": "cosine"}, 1),
        (Mine, {"hidden": [64, 32], "either": [1, 2], "free": [3], "several": [1], "anything": [1]}, 1),
        (Mine, {"k": np.int64(3), "most": Grid([1, None]), "free": Grid([1, 2])}, 4),
    ],
)
def test_lists_where_lists_belong(algorithm: Any, parameters: dict[str, Any], configurations: int) -> None:
    """What takes a list by its default or annotation, or says nothing of it, gets one; so do single numbers of numpy."""
    plan = ExperimentPlan()
    plan.add_algorithm(algorithm, parameters)
    assert len(plan.configurations()) == configurations


def test_every_default_of_every_framework_is_taken() -> None:
    """What a framework has as its own default is never refused."""
    for runner in runners():
        for name, facts in runner.catalogue["algorithms"].items():
            ExperimentPlan().add_algorithm(f"{runner.name}.{name}", json.loads(json.dumps(facts["parameters"])))


@pytest.mark.parametrize(
    ("enum", "name"), [(RecBole, "SASRecs"), (RecBole, "BRP"), (LensKit, "ItemKNN"), (RecPack, "Ease")]
)
def test_a_missing_member_says_what_the_missing_name_says(enum: Any, name: str) -> None:
    """The same sentence with the near name, whether the algorithm is written as a member or as a text."""
    with pytest.raises(PlanError) as of_text:
        ExperimentPlan().add_algorithm(f"{enum.__name__}.{name}")
    with pytest.raises(PlanError) as of_member:
        getattr(enum, name)
    assert str(of_member.value) == str(of_text.value)
    assert f"has no algorithm named {name!r}; did you mean " in str(of_text.value)
    assert not hasattr(enum, name)


def test_the_enums_have_what_the_catalogues_have() -> None:
    """Every algorithm is a member under its own name, and can be looked up in every way that enums have."""
    for enum, runner in zip((LensKit, RecBole, RecPack, Implicit, Cornac, Surprise, RecTools), runners(), strict=True):
        assert set(enum.__members__) == set(runner.catalogue["algorithms"])
        for name, member in enum.__members__.items():
            assert getattr(enum, name) is enum[name] is enum(member.value) is member
