"""Plans: algorithms by name, member or class, grids, and early refusal of what does not exist."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench import Cornac, ExperimentPlan, Grid, Implicit, LensKit, RecBole, RecPack, RecTools, Surprise
from omnibench.errors import PlanError
from omnibench.experiment.circumstances import Circumstances
from omnibench.runners.info import algorithm_info
from omnibench.runners.registry import get_runner, runners


class Own:
    """An algorithm of the user's."""

    def __init__(self, k: int = 3, *, shrink: float = 0.0) -> None:
        self.k, self.shrink = k, shrink

    def fit(self, train: Any) -> None:
        """Learn nothing."""

    def recommend(self, users: list[Any], k: int) -> list[list[Any]]:
        """Recommend nothing."""
        return [[] for _ in users]


def keys_of(plan: ExperimentPlan) -> list[str]:
    return [one.keyed(Circumstances("1.0", 42, "cpu")).key for one in plan.configurations()]


@pytest.mark.parametrize(
    "members",
    [LensKit, RecBole, RecPack, Implicit, Cornac, Surprise, RecTools],
    ids=lambda members: str(members.__name__),
)
def test_the_members_are_what_the_runner_runs(members: type[StrEnum]) -> None:
    """An enum and the catalogue that the framework itself wrote have the same algorithms, in full names."""
    runner = get_runner(members.__name__)
    assert {member.name for member in members} == set(runner.catalogue["algorithms"])
    assert all(member.value == f"{members.__name__}.{member.name}" for member in members)


def test_there_is_an_enum_for_every_framework() -> None:
    """No framework can be forgotten."""
    assert {runner.name for runner in runners()} == {
        "LensKit",
        "RecBole",
        "RecPack",
        "Implicit",
        "Cornac",
        "Surprise",
        "RecTools",
    }


@pytest.mark.parametrize("member", [*LensKit, *RecBole, *RecPack, *Implicit, *Cornac, *Surprise, *RecTools])
def test_every_algorithm_can_be_planned_and_does_something(member: StrEnum) -> None:
    """Member and name mean the same, and the algorithm ranks or rates."""
    plan, by_name = ExperimentPlan(), ExperimentPlan()
    plan.add_algorithm(member)
    by_name.add_algorithm(str(member))
    (configuration,) = plan.configurations()
    assert keys_of(plan) == keys_of(by_name)
    assert configuration.name == str(member)
    assert configuration.offers_ranking or configuration.offers_ratings


names_of_grids = st.dictionaries(
    st.sampled_from(["max_nbrs", "min_nbrs", "min_sim", "save_nbrs"]),
    st.integers(1, 5) | st.lists(st.integers(1, 5), min_size=1, max_size=4).map(Grid),
    max_size=4,
)


@given(names_of_grids)
def test_a_plan_has_a_configuration_for_each_point_of_its_grids(config: dict[str, Any]) -> None:
    """The product of all grids, in the order of the values; other hyperparameters are the same in all."""
    plan = ExperimentPlan()
    plan.add_algorithm(LensKit.ItemKNNScorer, config)
    choices = [list(dict.fromkeys(one.values)) if isinstance(one, Grid) else [one] for one in config.values()]
    expected = [dict(zip(config, point, strict=True)) for point in itertools.product(*choices)]
    assert [dict(one.parameters) for one in plan.configurations()] == expected
    assert len(set(keys_of(plan))) == len(expected)


def test_a_bare_list_is_a_value() -> None:
    """Layer sizes are one configuration, a Grid of them several."""
    plan = ExperimentPlan()
    plan.add_algorithm(RecBole.NeuMF, {"mlp_hidden_size": [64, 32]})
    plan.add_algorithm(RecBole.MultiVAE, {"mlp_hidden_size": Grid([[600], [64, 32]])})
    points = [one.parameters for one in plan.configurations()]
    assert points == [{"mlp_hidden_size": [64, 32]}, {"mlp_hidden_size": [600]}, {"mlp_hidden_size": [64, 32]}]


def test_repeated_values_of_a_grid_count_once() -> None:
    """Equal means equal as a key: 1 and 1.0 are two values."""
    assert Grid([20, 20, 40]).values == (20, 40)
    assert len(Grid([1, 1.0, True]).values) == 3


@given(names_of_grids, st.permutations(["max_nbrs", "min_nbrs", "min_sim", "save_nbrs"]))
def test_keys_do_not_depend_on_the_order_of_hyperparameters(config: dict[str, Any], order: list[str]) -> None:
    """The same hyperparameters written in another order are the same configurations."""
    plan, other = ExperimentPlan(), ExperimentPlan()
    plan.add_algorithm(LensKit.ItemKNNScorer, config)
    other.add_algorithm(LensKit.ItemKNNScorer, {name: config[name] for name in order if name in config})
    assert sorted(keys_of(plan)) == sorted(keys_of(other))


def test_keys_are_independent_of_the_rest_of_the_plan() -> None:
    """Adding algorithms, updating others or naming the plan leaves a configuration's key alone."""
    plan = ExperimentPlan("one")
    plan.add_algorithm(LensKit.ItemKNNScorer, {"max_nbrs": 20})
    (before,) = keys_of(plan)
    other = ExperimentPlan("other")
    other.add_algorithm(RecPack.ItemKNN, {"K": 100})
    other.add_algorithm(LensKit.ItemKNNScorer, {"max_nbrs": Grid([40, 20])})
    other.update_algorithm(RecPack.ItemKNN, {"K": 50})
    assert before in keys_of(other)


def test_only_explicit_hyperparameters_are_in_the_key() -> None:
    """Writing down a default makes an entry of its own, and so does every other ingredient."""
    plan, explicit = ExperimentPlan(), ExperimentPlan()
    plan.add_algorithm(LensKit.ItemKNNScorer)
    explicit.add_algorithm(LensKit.ItemKNNScorer, {"max_nbrs": 20})
    (one,), (other,) = plan.configurations(), explicit.configurations()
    keys = {
        one.keyed(Circumstances("1.0", 42, "cpu")).key,
        other.keyed(Circumstances("1.0", 42, "cpu")).key,
        one.keyed(Circumstances("1.1", 42, "cpu")).key,
        one.keyed(Circumstances("1.0", 43, "cpu")).key,
        one.keyed(Circumstances("1.0", 42, "cuda")).key,
    }
    assert len(keys) == 5


def test_the_key_of_a_configuration_never_changes() -> None:
    """A frozen key: whoever changes it makes every model of every user unreachable."""
    plan = ExperimentPlan()
    plan.add_algorithm(LensKit.ItemKNNScorer, {"max_nbrs": 20})
    (configuration,) = plan.configurations()
    first_adapter = dataclasses.replace(configuration.runner, adapter_version=1)
    frozen = dataclasses.replace(configuration, runner=first_adapter)
    assert frozen.keyed(Circumstances("1.0", 42, "cpu")).key.startswith(FROZEN)


FROZEN = "7577b10a"


def test_a_plan_may_have_an_algorithm_twice() -> None:
    """Two grids of one algorithm are all of their points, what both have once; force replaces them."""
    plan = ExperimentPlan("baselines")
    plan.add_algorithm(RecPack.ItemKNN, {"K": Grid([10, 20])})
    plan.add_algorithm("RecPack.ItemKNN", {"K": Grid([20, 30]), "similarity": "cosine"})
    plan.add_algorithm(RecPack.ItemKNN, {"K": 20})
    points = [dict(configuration.parameters) for configuration in plan.configurations()]
    assert points == [{"K": 10}, {"K": 20}, {"K": 20, "similarity": "cosine"}, {"K": 30, "similarity": "cosine"}]
    assert len(plan) == 1
    with pytest.raises(PlanError, match=r"has RecPack.ItemKNN with 3 sets of hyperparameters; configurations\(\)"):
        plan.get_algorithm_config(RecPack.ItemKNN)
    plan.update_algorithm(RecPack.ItemKNN, {"similarity": "conditional_probability"})
    assert {configuration.parameters["similarity"] for configuration in plan.configurations()} == {
        "conditional_probability"
    }
    plan.add_algorithm(RecPack.ItemKNN, {"K": 5}, force=True)
    assert plan.get_algorithm_config(RecPack.ItemKNN) == {"K": 5}


@pytest.mark.parametrize("together", [list, Grid], ids=["list", "Grid"])
def test_dependent_values_are_dictionaries(together: Callable[[list[dict[str, Any]]], Any]) -> None:
    """A list of dictionaries is a configuration each, in which grids are expanded."""
    plan = ExperimentPlan()
    plan.add_algorithm(LensKit.ItemKNNScorer, together([{"max_nbrs": 20, "min_nbrs": 1}, {"max_nbrs": 40}]))
    plan.add_algorithm(RecPack.ItemKNN, [{"K": Grid([10, 20])}, {"K": 30, "similarity": "cosine"}])
    points = [dict(configuration.parameters) for configuration in plan.configurations()]
    assert points == [
        {"max_nbrs": 20, "min_nbrs": 1},
        {"max_nbrs": 40},
        {"K": 10},
        {"K": 20},
        {"K": 30, "similarity": "cosine"},
    ]


@pytest.mark.parametrize("config", [[], "K", [3], [{"K": 1}, "K"], {"K"}])
def test_what_is_no_dictionary_is_refused(config: Any) -> None:
    """Hyperparameters are a dictionary or a list of dictionaries; an unknown name is refused in each of them."""
    plan = ExperimentPlan()
    with pytest.raises(PlanError, match=r"RecPack.ItemKNN: the hyperparameters are .*; give a dictionary"):
        plan.add_algorithm(RecPack.ItemKNN, config)
    with pytest.raises(PlanError, match="no hyperparameter 'L'"):
        plan.add_algorithm(RecPack.ItemKNN, [{"K": 1}, {"L": 2}])


def test_labels_say_in_what_configurations_differ() -> None:
    """A single configuration goes by its name, several by what they differ in; the user's label comes instead of the name."""
    plan = ExperimentPlan()
    plan.add_algorithm(LensKit.PopScorer, {"score": "count"})
    plan.add_algorithm(RecPack.ItemKNN, {"K": Grid([10, 20]), "similarity": "cosine"})
    plan.add_algorithm(RecPack.EASE, {"l2": Grid([1.5, 200])}, label="our EASE")
    plan.add_algorithm(RecPack.SLIM, label="SLIM of the paper")
    plan.add_algorithm(RecBole.NeuMF, {"mlp_hidden_size": Grid([[64, 32], [8]])})
    assert [configuration.label for configuration in plan.configurations()] == [
        "LensKit.PopScorer",
        "RecPack.ItemKNN(K=10)",
        "RecPack.ItemKNN(K=20)",
        "our EASE(l2=1.5)",
        "our EASE(l2=200)",
        "SLIM of the paper",
        "RecBole.NeuMF(mlp_hidden_size=(64,32))",
        "RecBole.NeuMF(mlp_hidden_size=(8))",
    ]


def test_labels_are_in_no_key() -> None:
    """Another label, and the growth of a plan, leave every key as it is."""
    plan, labelled = ExperimentPlan(), ExperimentPlan()
    plan.add_algorithm(RecPack.ItemKNN, {"K": 10})
    labelled.add_algorithm(RecPack.ItemKNN, {"K": Grid([10, 20])}, label="neighbours")
    assert keys_of(plan)[0] == keys_of(labelled)[0]
    assert plan.configurations()[0] == labelled.configurations()[0]


def test_a_configuration_has_one_label() -> None:
    """The same configuration under two labels is refused, because only one could be shown."""
    plan = ExperimentPlan("baselines")
    plan.add_algorithm(RecPack.ItemKNN, {"K": 10}, label="a")
    plan.add_algorithm(RecPack.ItemKNN, {"K": Grid([10, 20])})
    with pytest.raises(
        PlanError,
        match=r"has RecPack.ItemKNN\(K=10\) twice, once with the label 'a' and once without a label; leave out one",
    ):
        plan.configurations()
    with pytest.raises(PlanError, match="the label is 3; give a text"):
        plan.add_algorithm(RecPack.ItemKNN, label=3)  # type: ignore[arg-type]


def test_update_changes_what_is_named_and_keeps_the_rest() -> None:
    """Hyperparameters not named stay; grids stay unexpanded."""
    plan = ExperimentPlan()
    plan.add_algorithm(LensKit.ItemKNNScorer, {"max_nbrs": 20, "min_nbrs": 1})
    plan.update_algorithm("LensKit.ItemKNNScorer", {"max_nbrs": Grid([20, 40])})
    assert plan.get_algorithm_config(LensKit.ItemKNNScorer) == {"max_nbrs": Grid([20, 40]), "min_nbrs": 1}
    with pytest.raises(PlanError, match=r"no LensKit.UserKNNScorer; did you mean 'LensKit.ItemKNNScorer'"):
        plan.update_algorithm(LensKit.UserKNNScorer, {"max_nbrs": 20})
    with pytest.raises(PlanError, match=r"no RecPack\.EASE"):
        plan.get_algorithm_config(RecPack.EASE)
    with pytest.raises(PlanError, match="no hyperparameter 'max_nbr'; did you mean 'max_nbrs'"):
        plan.update_algorithm(LensKit.ItemKNNScorer, {"max_nbr": 20})
    assert plan.get_algorithm_config(LensKit.ItemKNNScorer)["max_nbrs"] == Grid([20, 40])


def test_a_plan_does_not_change_with_what_it_was_given_or_gave() -> None:
    """Lists are copied on the way in and out, so no later append moves a key."""
    sizes, plan = [64], ExperimentPlan()
    grid = [[1], [2]]
    plan.add_algorithm(RecBole.NeuMF, {"mlp_hidden_size": sizes})
    plan.add_algorithm(RecBole.MultiVAE, {"mlp_hidden_size": Grid(grid)})
    before = keys_of(plan)
    sizes.append(32)
    grid[0].append(7)
    plan.get_algorithm_config(RecBole.NeuMF)["mlp_hidden_size"].append(16)
    plan.get_algorithm_config(RecBole.MultiVAE)["mlp_hidden_size"].values[0].append(16)
    for configuration in plan.configurations():
        configuration.parameters["mlp_hidden_size"].append(8)
    assert keys_of(plan) == before


def nested(levels: int) -> Any:
    """A number within dictionaries and tuples."""
    value: Any = 1
    for level in range(levels):
        value = (value,) if 0 < level < levels - 1 else {"a": value}
    return value


def planned(algorithm: Any, config: Any = None) -> Callable[[], None]:
    return lambda: ExperimentPlan().add_algorithm(algorithm, config)


@pytest.mark.parametrize(
    ("attempt", "says"),
    [
        (lambda: ExperimentPlan("mine").configurations(), "the plan 'mine' is empty; add"),
        (planned("LensKitt.PopScorer"), "no framework named 'LensKitt'; did you mean 'LensKit'"),
        (planned("lenskit.PopScorer"), "no framework named 'lenskit'; did you mean 'LensKit'"),
        (planned("Elliot.EASER"), "no framework named 'Elliot'.*known are: LensKit, RecBole, RecPack"),
        (planned("LensKit.ItemKNN"), "no algorithm named 'ItemKNN'; did you mean 'ItemKNNScorer'"),
        (planned("RecPack.itemknn"), "no algorithm named 'itemknn'; did you mean 'ItemKNN'"),
        (planned("RecPack."), "RecPack has no algorithm named ''"),
        (planned("EASE"), "'EASE' is not a framework and an algorithm; write 'RecBole.EASE' or 'RecPack.EASE'"),
        (planned("LensKit"), "write e.g. 'LensKit.ItemKNNScorer'"),
        (planned("Own.Mine"), "give the class itself"),
        (planned(3), "3 is no algorithm"),
        (planned(None), "None is no algorithm"),
        (planned(Own()), "is no algorithm"),
        (
            planned(LensKit.ItemKNNScorer, {"max_neighbours": 3}),
            "did you mean 'max_nbrs'\\? It has max_nbrs, min_nbrs",
        ),
        (planned(Own, {"K": 3}), "Own has no hyperparameter 'K'; did you mean 'k'\\? It has k, shrink"),
        (planned(Own, {1: 3}), "the hyperparameter 1 is no text"),
        (planned(LensKit.ItemKNNScorer, ["max_nbrs"]), r"hyperparameters are \['max_nbrs'\]; give a dictionary"),
        (planned(LensKit.ItemKNNScorer, 20), "hyperparameters are 20; give a dictionary"),
        (planned(LensKit.ItemKNNScorer, {"max_nbrs": Path("x")}), "max_nbrs: .*is the path 'x'"),
        (planned(LensKit.ItemKNNScorer, {"max_nbrs": [object()]}), r"max_nbrs: value\[0\] is <object"),
        (planned(LensKit.ItemKNNScorer, {"max_nbrs": [Grid([1])]}), "max_nbrs has a Grid inside a value"),
        (planned(LensKit.ItemKNNScorer, {"max_nbrs": {"a": Grid([1])}}), "max_nbrs has a Grid inside a value"),
        (planned(LensKit.ItemKNNScorer, {"max_nbrs": Grid([Grid([1])])}), "max_nbrs has a Grid inside"),
        (planned(Own, {"k": nested(51)}), "k is nested more than 50 levels deep; give flatter lists"),
        (lambda: Grid([]), r"Grid got \[\]"),
        (lambda: Grid("abc"), "Grid got 'abc'"),
        (lambda: Grid(b"abc"), "Grid got b'abc'"),
        (lambda: Grid({1, 2}), r"Grid got \{1, 2\}"),  # type: ignore[arg-type]
        (lambda: Grid(5), "Grid got 5"),  # type: ignore[arg-type]
        (lambda: Grid([object()]), "a value of a Grid"),
        (lambda: ExperimentPlan().update_algorithm(LensKit.PopScorer, {}), "no LensKit.PopScorer"),
    ],
)
def test_what_does_not_exist_is_refused_before_anything_runs(attempt: Callable[[], Any], says: str) -> None:
    """The error names the thing and the nearest valid name or the way out."""
    with pytest.raises(PlanError, match=says):
        attempt()


def test_a_refused_algorithm_leaves_the_plan_as_it_was() -> None:
    """Nothing half-added stays behind."""
    plan = ExperimentPlan()
    plan.add_algorithm(LensKit.PopScorer)
    with pytest.raises(PlanError):
        plan.add_algorithm(LensKit.PopScorer, {"nothing": 1}, force=True)
    with pytest.raises(PlanError):
        plan.add_algorithm(LensKit.ItemKNNScorer, {"nothing": 1})
    assert [str(one) for one in plan.configurations()] == ["LensKit.PopScorer()"]


def test_a_users_own_class_is_planned_by_itself() -> None:
    """Its name is its own, its hyperparameters those of its constructor."""
    plan = ExperimentPlan()
    plan.add_algorithm(Own, {"k": Grid([1, 2]), "shrink": 0.5})
    assert [str(one) for one in plan.configurations()] == ["Own(k=1, shrink=0.5)", "Own(k=2, shrink=0.5)"]
    assert all(one.offers_ranking and not one.offers_ratings for one in plan.configurations())
    assert len(set(keys_of(plan))) == 2


def test_every_catalogue_says_what_an_algorithm_offers() -> None:
    """Parameters, ratings and ranking are known for each, so that plans can be checked without the framework."""
    for runner in runners():
        for name in runner.catalogue["algorithms"]:
            info = algorithm_info(runner, name)
            assert {"parameters", "ratings", "ranking"} <= set(info), f"{runner.name}.{name}"


def test_missing_argument_of_an_own_class_is_refused_before_anything_runs() -> None:
    """A class whose constructor needs an argument is refused while the argument is not given; a seed is given anyway."""
    plan = ExperimentPlan()
    plan.add_algorithm(NeedsFactors)
    with pytest.raises(PlanError, match=r"NeedsFactors needs factors; give it in add_algorithm"):
        plan.configurations()
    plan.update_algorithm(NeedsFactors, {"factors": 3})
    assert len(plan.configurations()) == 1


class NeedsFactors:
    """An algorithm with an argument that has no default."""

    def __init__(self, factors: int, seed: int) -> None: ...

    def fit(self, train: object) -> None: ...

    def recommend(self, users: object, k: int) -> None: ...


def test_a_plan_shows_its_configurations() -> None:
    """Configurations have hyperparameters and labels, also while the plan lacks something; of many, the first."""
    plan = ExperimentPlan("<b>first</b>\x1b[31m")
    assert repr(plan) == "ExperimentPlan '<b>first</b>\\x1b[31m': empty"
    plan.add_algorithm(LensKit.PopScorer)
    plan.add_algorithm(RecPack.ItemKNN, [{"K": 100}, {"K": Grid([10, 20]), "similarity": "cosine"}], label="knn")
    assert repr(plan).splitlines()[1:] == [
        "  LensKit.PopScorer",
        "  knn: RecPack.ItemKNN(K=100)",
        "  knn: RecPack.ItemKNN(K=10, similarity='cosine')",
        "  knn: RecPack.ItemKNN(K=20, similarity='cosine')",
    ]
    markup = plan._repr_html_()
    assert "&lt;b&gt;first&lt;/b&gt;" in markup
    assert "<li>knn: RecPack.ItemKNN(K=100)</li>" in markup
    assert "<b>first" not in markup
    plan.update_algorithm(RecPack.ItemKNN, {"K": Grid(range(10_000))})
    *_, last = repr(plan).splitlines()
    assert len(repr(plan).splitlines()) == 32
    assert last == "  ... and 19,971 more"


def test_a_plan_shows_each_configuration_once() -> None:
    """What two grids have in common is one configuration, in what is shown as in what is run."""
    plan = ExperimentPlan("twice")
    plan.add_algorithm("LensKit.ItemKNNScorer", {"max_nbrs": Grid([20, 40])})
    plan.add_algorithm("LensKit.ItemKNNScorer", [{"max_nbrs": 40}, {"max_nbrs": 60}])
    assert repr(plan).splitlines()[0] == "ExperimentPlan 'twice': 3 configurations"
    assert repr(plan).count("max_nbrs=40") == 1
    assert len(plan.configurations()) == 3
    plan.add_algorithm("LensKit.ItemKNNScorer", {"max_nbrs": 60}, label="sixty")
    with pytest.raises(PlanError, match="twice, once without a label and once with the label 'sixty'; leave out one"):
        plan.configurations()


def test_what_was_added_twice_is_described_once() -> None:
    """Two grids that overlap: as many configurations as run."""
    plan = ExperimentPlan("grids")
    plan.add_algorithm(RecPack.ItemKNN, {"K": Grid([1, 2])})
    plan.add_algorithm(RecPack.ItemKNN, {"K": Grid([2, 3])})
    heading, *lines = repr(plan).splitlines()
    assert heading == "ExperimentPlan 'grids': 3 configurations"
    assert lines == [f"  RecPack.ItemKNN(K={k})" for k in (1, 2, 3)]
