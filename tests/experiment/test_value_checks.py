"""Values of hyperparameters that an algorithm refuses are told with the plan, and what a framework takes is let through."""

from __future__ import annotations

import enum
import re
from typing import Any, Literal, Optional

import numpy as np
import pytest
from support.plan_refusals import refusal

from omnibench import (
    Choice,
    Cornac,
    ExperimentPlan,
    Float,
    Grid,
    Implicit,
    Int,
    LensKit,
    Log,
    RecBole,
    RecPack,
    RecTools,
    Surprise,
    Tuning,
    When,
)
from omnibench.errors import PlanError
from omnibench.experiment.value_checks import KINDS_OF_VALUES, expected, is_refused
from omnibench.runners.registry import get_runner, runners
from omnibench.tuning.shipped import shipped_space

STRICT = ("text", "digits", "None", "zero", "negative", "fraction", "float")
COERCING = ("text", "None", "zero", "negative", "fraction")


class Typed:
    """A class whose constructor says what it takes."""

    def __init__(
        self,
        size: int = 20,
        rate: float = 0.1,
        mode: str = "a",
        flag: bool = False,
        most: int | None = None,
        least: Optional[int] = 3,  # noqa: UP045 - an older way
        either: int | str = 1,
        kind: Literal["a", "b"] = "a",
        old: int = None,  # type: ignore[assignment]  # noqa: RUF013 - an older way still
        plain: Any = 3,
    ) -> None: ...

    def fit(self, train: Any) -> None: ...

    def recommend(self, users: Any, k: int) -> None: ...


class Three(enum.Enum):
    """A number with a name."""

    VALUE = 3


@pytest.mark.parametrize(
    ("algorithm", "parameters", "says"),
    [
        (RecBole.BPR, {"epochs": "five"}, "epochs is 'five'; give a whole number, such as its default 300."),
        (RecBole.BPR, {"epochs": 2.5}, "epochs is 2.5; give a whole number"),
        (RecBole.BPR, {"epochs": "2.5"}, "epochs is '2.5'; give a whole number"),
        (RecBole.BPR, {"epochs": None}, "epochs is None; give a whole number"),
        (RecBole.BPR, {"epochs": "None"}, "epochs is 'None'; give a whole number"),
        (RecBole.SASRec, {"epochs": "five"}, "epochs is 'five'; give a whole number"),
        (RecBole.BPR, {"learning_rate": "a"}, "learning_rate is 'a'; give a number"),
        (RecBole.BPR, {"learning_rate": -0.1}, "learning_rate is -0.1; give a number from 0, such as its default 0.001."),
        (RecBole.BPR, {"embedding_size": [64]}, "embedding_size is [64], but takes a single value"),
        (RecBole.MultiVAE, {"mlp_hidden_size": 600}, "mlp_hidden_size is 600; give a list, such as its default [600]."),
        (RecBole.MultiVAE, {"dropout_prob": 1.5}, "dropout_prob is 1.5; give a number from 0 to 1, such as"),
        (LensKit.ImplicitMFScorer, {"features": 0}, "features is 0; give a whole number from 1 on, such as its default 50."),
        (LensKit.ImplicitMFScorer, {"features": "0"}, "features is '0'; give a whole number from 1 on"),
        (LensKit.ImplicitMFScorer, {"epochs": 2.5}, "epochs is 2.5; give a whole number from 1 on"),
        (LensKit.ImplicitMFScorer, {"regularization": "x"}, "regularization is 'x'; give a number above 0"),
        (LensKit.ItemKNNScorer, {"max_nbrs": None}, "max_nbrs is None; give a whole number from 1 on"),
        (LensKit.ItemKNNScorer, {"feedback": 3}, "feedback is 3; give a text, such as its default 'explicit'."),
        (LensKit.SLIMScorer, {"max_nbrs": -1}, "max_nbrs is -1; give a number from 0, or None."),
        (RecPack.ItemKNN, {"K": -1}, "K is -1; give a "),
        (RecPack.ItemKNN, {"K": 2.5}, "K is 2.5; give a whole number"),
        (RecPack.ItemKNN, {"K": "10"}, "K is '10'; give a "),
        (RecPack.ItemKNN, {"K": True}, "K is True; give a "),
        (RecPack.ItemKNN, {"K": Grid([10, -1])}, "K is -1, within a Grid; give a "),
        (RecPack.ItemKNN, {"similarity": 3}, "similarity is 3; give a text, such as its default 'cosine'."),
        (RecPack.EASE, {"l2": "a"}, "l2 is 'a'; give a number, such as its default 1000.0."),
        (RecPack.NMF, {"num_components": 0}, "num_components is 0; give a whole number from 1 on, such as its default 100."),
        (Implicit.AlternatingLeastSquares, {"factors": -5}, "factors is -5; give a whole number from 0 on"),
        (Implicit.AlternatingLeastSquares, {"iterations": np.float64(1.5)}, "iterations is "),
        (Implicit.BM25Recommender, {"K": 0}, "K is 0; give a number above 0, such as its default 20."),
        (Surprise.SVD, {"n_factors": "20"}, "n_factors is '20'; give a whole number from 0 on"),
        (Surprise.SVD, {"n_factors": 10.0}, "n_factors is 10.0; give a whole number from 0 on"),
        (Surprise.KNNBasic, {"k": "many"}, "k is 'many'; give a whole number, such as its default 40."),
        (Cornac.NeuMF, {"num_factors": 0}, "num_factors is 0; give a "),
        (Cornac.MLP, {"layers": 64}, "layers is 64; give a list, such as its default [64, 32, 16, 8]."),
        (Cornac.MF, {"max_iter": None}, "max_iter is None; give a "),
        (Cornac.ItemKNN, {"k": -1}, "k is -1; give a "),
        (Cornac.CTR, {"lambda_u": None}, "lambda_u is None; give a number"),
        (Cornac.VBPR, {"learning_rate": "a"}, "learning_rate is 'a'; give a number"),
        (RecTools.PureSVDModel, {"factors": 0}, "factors is 0; give a whole number from 1 on, such as its default 10."),
        (RecTools.ImplicitItemKNNWrapperModel, {"model.K": 0}, "model.K is 0; give a whole number from 1 on"),
        (RecBole.GCSAN, {"hidden_size": 0}, "hidden_size is 0; give a whole number from 1 on, such as its default 64."),
        (RecBole.SHAN, {"reg_weight": 0.1}, "reg_weight is 0.1; give a list, such as its default [0.01, 0.0001]."),
        (RecBole.AutoInt, {"mlp_hidden_size": "128"}, "mlp_hidden_size is '128'; give a list, such as its default [128, 128]."),
        (RecBole.EulerNet, {"drop_ex": 1.5}, "drop_ex is 1.5; give a number from 0 to 1, such as"),
        (Cornac.MLP, {"layers": "[64, 32]"}, "layers is '[64, 32]'; give a list, such as its default [64, 32, 16, 8]."),
        (RecTools.SASRecModel, {"n_factors": 0}, "n_factors is 0; give a whole number from 1 on, such as its default 256."),
        (RecTools.SASRecModel, {"dropout_rate": 1.5}, "dropout_rate is 1.5; give a number from 0 to 1, such as its default 0.2."),
        (RecTools.DSSMModel, {"batch_size": 0}, "batch_size is 0; give a whole number from 1 on, such as its default 128."),
        (RecTools.DSSMModel, {"n_factors": "64"}, "n_factors is '64'; give a whole number from 0 on, such as its default 128."),
        (LensKit.TimeBoundedPopScore, {"cutoff": "soon"}, "cutoff is 'soon', which is no time; give one in UTC, e.g."),
        (LensKit.TimeBoundedPopScore, {"cutoff": Grid([0, "soon"])}, "cutoff is 'soon', within a Grid, which is no time"),
        (LensKit.TimeBoundedPopScore, {"cutoff": True}, "cutoff is True, which is no time"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_the_plan(algorithm: Any, parameters: dict[str, Any], says: str) -> None:
    """With the algorithm, the hyperparameter, its value, what is expected, and the default."""
    assert refusal(algorithm, parameters).startswith(f"{algorithm.value}: {says}")


@pytest.mark.parametrize(
    ("algorithm", "parameters"),
    [
        (LensKit.ImplicitMFScorer, {"features": "10", "epochs": 2.0, "regularization": "0.1"}),
        (LensKit.ImplicitMFScorer, {"regularization": {"user": 0.1, "item": 0.2}}),
        (LensKit.ImplicitMFScorer, {"regularization": 1, "use_ratings": 1, "user_embeddings": "prefer"}),
        (LensKit.SLIMScorer, {"max_nbrs": None}),
        (LensKit.TimeBoundedPopScore, {"cutoff": "1998-03-01 12:00"}),
        (LensKit.TimeBoundedPopScore, {"cutoff": 888750000}),
        (RecBole.BPR, {"epochs": "5", "learning_rate": "1e-3", "embedding_size": "8*2"}),
        (RecBole.BPR, {"epochs": np.int64(5), "learning_rate": np.float32(0.1), "weight_decay": 0}),
        (RecBole.BPR, {"clip_grad_norm": {"max_norm": 5, "norm_type": 2}, "eval_step": 0}),
        (RecBole.BPR, {"shuffle": "False"}),
        (RecBole.SASRec, {"train_neg_sample_args": None}),
        (RecBole.NeuMF, {"train_neg_sample_args": None}),
        (RecBole.MultiVAE, {"mlp_hidden_size": "[600, 200]", "dropout_prob": 1}),
        (RecBole.ItemKNN, {"k": 5, "shrink": 1}),
        (RecBole.GCSAN, {"n_heads": "2", "hidden_size": "8*8", "weight": "0.5", "loss_type": "BPR"}),
        (RecBole.MultiVAE, {"mlp_hidden_size": "600, 200"}),
        (RecBole.BPR, {"train_neg_sample_args": "{'distribution': 'uniform', 'sample_num': 2}"}),
        (RecBole.AutoInt, {"mlp_hidden_size": "[128]*2", "dropout_probs": (0.2, 0.2, 0.2)}),
        (RecTools.SASRecModel, {"n_factors": "64", "dropout_rate": 0, "lr": 1}),
        (RecPack.ItemKNN, {"K": np.int32(5), "pop_discount": 0.5}),
        (RecPack.EASE, {"l2": 500, "alpha": 0.5, "density": None}),
        (RecPack.MultVAE, {"dropout": 0, "validation_sample_size": None}),
        (Implicit.BM25Recommender, {"K": 10.0, "B": 1}),
        (Implicit.AlternatingLeastSquares, {"dtype": "float64", "alpha": 2, "factors": Three.VALUE}),
        (Cornac.EASE, {"lamb": 0.5}),
        (Cornac.RecVAE, {"beta": 0.2, "gamma": None}),
        (Cornac.MLP, {"layers": [32, 16], "lr": 0.01, "num_epochs": 3}),
        (RecTools.ImplicitALSWrapperModel, {"model.iterations": 0, "model.dtype": None}),
        (Surprise.SVD, {"init_mean": 0.5, "lr_bu": None, "lr_bi": 1}),
        (Surprise.KNNBasic, {"sim_options": {"name": "msd"}}),
        (Surprise.CoClustering, {"n_cltr_u": np.uint8(3)}),
    ],
)
def test_what_a_framework_takes_is_taken(algorithm: Any, parameters: dict[str, Any]) -> None:
    """Unusual types that the frameworks coerce, parse, or name in their own words."""
    assert refusal(algorithm, parameters) == ""


@pytest.mark.parametrize(
    ("parameters", "annotated"),
    [
        ({"size": "x"}, "int"),
        ({"size": 2.5}, "int"),
        ({"size": None}, "int"),
        ({"size": True}, "int"),
        ({"size": {"a": 1}}, "int"),
        ({"rate": "0.1"}, "float"),
        ({"mode": 3}, "str"),
        ({"flag": "yes"}, "bool"),
        ({"flag": 2}, "bool"),
        ({"most": "x"}, "int | None"),
        ({"least": "x"}, "int | None"),
        ({"either": 2.5}, "int | str"),
        ({"old": "x"}, "int"),
    ],
)
def test_a_class_of_ones_own_is_taken_at_its_word(parameters: dict[str, Any], annotated: str) -> None:
    """What its constructor annotates as plain values is that, and the error says how to let it take more."""
    ((name, value),) = parameters.items()
    said = refusal(Typed, parameters)
    assert said.startswith(f"Typed: {name} is {value!r}, and is annotated as {annotated}; give such a value, such as ")
    assert said.endswith("or say in the annotation what else it takes.")


def test_what_a_class_does_not_say_is_not_guessed() -> None:
    """Neither a default nor an annotation of other words refuses a text; whole numbers are real ones as well."""
    taken = {
        "plain": "auto",
        "kind": "c",
        "rate": 1,
        "size": 3.0,
        "flag": 1,
        "most": None,
        "least": None,
        "either": "x",
    }
    for name, value in {**taken, "old": None, "mode": "", "size": np.int64(3)}.items():
        assert refusal(Typed, {name: value}) == ""


@pytest.mark.parametrize(
    ("algorithm", "space", "says"),
    [
        (RecPack.ItemKNN, {"K": Int(-1, 5)}, "K is -1, of -1 to 5 (whole); give a "),
        (RecPack.NMF, {"num_components": Choice([10, 0])}, "num_components is 0, of 10 or 0; give a whole number from 1"),
        (RecPack.NMF, {"num_components": Float(1, 5)}, "num_components is 1.0, of 1 to 5; give a whole number from 1"),
        (RecBole.BPR, {"learning_rate": Float(-0.1, 0.1)}, "learning_rate is -0.1, of "),
        (RecBole.BPR, {"learner": Choice(["adam", "sgd"]), "epochs": When("learner", "sgd", Choice([5, 2.5]))}, "epochs is 2.5, of"),
        (RecPack.NMF, {"num_components": Int(1, 5), "max_iter": 3}, None),
        (LensKit.TimeBoundedPopScore, {"cutoff": Choice(["1998-01-01", "soon"])}, "cutoff is 'soon', of 1998-01-01 or soon, which"),
        (LensKit.ImplicitMFScorer, {"features": Float(1, 5)}, "features is 2.508, of 1 to 5; give a whole number from 1 on"),
        (Typed, {"size": Log(1, 8.5)}, "size is "),
        (Typed, {"rate": Int(1, 3), "size": "x"}, "size is 'x', and is annotated as int"),
    ],
)  # fmt: skip
def test_each_candidate_of_a_search_is_looked_at(algorithm: Any, space: dict[str, Any], says: str | None) -> None:
    """All values of a Choice, both ends of a range and what lies between, and constants."""
    plan = ExperimentPlan("values", tuning=Tuning("NDCG@10", trials=3))
    if says is None:
        with pytest.raises(PlanError, match="has no hyperparameter 'max_iter'"):
            plan.tune(algorithm, space)
        return
    name = getattr(algorithm, "value", "Typed")
    with pytest.raises(PlanError, match=f"^{re.escape(f'{name}: {says}')}"):
        plan.tune(algorithm, space)


def test_what_all_trials_have_is_looked_at() -> None:
    """Fixed hyperparameters beside a space that omnibench ships."""
    plan = ExperimentPlan("values", tuning=Tuning("NDCG@10", trials=3))
    with pytest.raises(
        PlanError, match=r"^RecBole.BPR: epochs is 2.5; give a whole number, such as its default 300\.$"
    ):
        plan.tune(RecBole.BPR, fixed={"epochs": 2.5})


@pytest.mark.parametrize("runner", runners(), ids=lambda runner: runner.name)
def test_no_default_and_no_published_range_is_refused(runner: Any) -> None:
    """What is measured goes with the catalogue: kinds that there are, of hyperparameters that the algorithm has."""
    plan = ExperimentPlan("values", tuning=Tuning("NDCG@10", trials=3))
    for name, described in runner.catalogue["algorithms"].items():
        for parameter, refused in described.get("refuses", {}).items():
            default = described["parameters"][parameter]
            assert set(refused) <= set(KINDS_OF_VALUES)
            assert default is None or not is_refused(default, default, refused), (name, parameter)
            assert not is_refused(expected(default, refused), "", ("None",))
        if shipped_space(f"{runner.name}.{name}") is not None:
            plan.tune(f"{runner.name}.{name}")


@pytest.mark.parametrize("value", ["'5'", '"5"', " '5' ", "b'5'", "['5']", ""])
@pytest.mark.parametrize(
    ("algorithm", "parameter"),
    [
        (RecBole.BPR, "epochs"),
        (RecBole.BPR, "learning_rate"),
        (LensKit.ImplicitMFScorer, "features"),
        (Cornac.BPR, "k"),
        (RecTools.SASRecModel, "n_factors"),
        (RecPack.ItemKNN, "K"),
    ],
)
def test_numbers_with_quotes_of_their_own(algorithm: Any, parameter: str, value: str) -> None:
    """They are refused also where a framework reads numbers out of texts: what it reads is a text again."""
    assert f"{parameter} is {value!r}; give a " in refusal(algorithm, {parameter: value})


def test_most_numbers_are_known() -> None:
    """What most algorithms of these frameworks make of a text in the place of a number was measured."""
    for runner in map(get_runner, ("LensKit", "RecBole", "RecPack", "Implicit", "Surprise")):
        entries = runner.catalogue["algorithms"].values()
        numbers = [
            "text" in described.get("refuses", {}).get(name, ())
            for described in entries
            for name, default in described["parameters"].items()
            if isinstance(default, int | float) and not isinstance(default, bool)
        ]
        assert sum(numbers) > 0.5 * len(numbers), runner.name


@pytest.mark.parametrize(
    ("value", "default", "refused", "is_wrong"),
    [
        (5, 20, STRICT, False),
        (5.0, 20, STRICT, True),
        (5.0, 20, COERCING, False),
        ("5", 20, STRICT, True),
        ("5", 20, COERCING, False),
        (" 5 ", 20, COERCING, False),
        ("-5", 20, COERCING, True),
        ("5.5", 20, COERCING, True),
        ("(5, 6)", 20, COERCING, True),
        ("2 * 3", 20, COERCING, False),
        ("max", 20, COERCING, True),
        ("", 20, COERCING, True),
        ("1" * 5000, 20, COERCING, True),
        ("1e400", 20, COERCING, True),
        (True, 20, STRICT, True),
        (True, 20, COERCING, False),
        (float("inf"), 20, COERCING, True),
        (0, 0.5, ("negative",), False),
        (-0.0, 0.5, ("negative",), False),
        (2, 0.5, ("above 1",), True),
        (None, 0.5, ("text",), False),
        (3, "adam", ("number",), True),
        (True, "adam", ("number",), True),
        (1, False, ("text", "None"), False),
        ("False", False, ("text", "None"), False),
        ("maybe", False, ("text", "None"), True),
        ("[1, 2]", [2], ("number", "text", "None"), True),
        ("12", [2], ("number", "text", "None"), True),
        ("{'a': 1}", {}, ("number", "text", "None"), True),
        ([1], [2], ("number", "text", "None"), False),
        ({}, 20, STRICT, False),
        (np.arange(3), 20, STRICT, False),
    ],
)
def test_kinds_of_values(value: Any, default: Any, refused: tuple[str, ...], is_wrong: bool) -> None:
    """A text counts as what it reads as where a framework reads it; what is of no kind is let through."""
    assert is_refused(value, default, refused) == is_wrong


def test_what_is_expected_is_said_in_words() -> None:
    """Whole or not, from where on, up to where, and whether None stands for something."""
    assert expected(20, STRICT) == "a whole number from 1 on"
    assert expected(20, ("fraction", "negative")) == "a whole number from 0 on"
    assert expected(20, ("fraction",)) == "a whole number"
    assert expected(0.5, ("zero", "negative")) == "a number above 0"
    assert expected(0.5, ("zero", "negative", "above 1")) == "a number above 0 and up to 1"
    assert expected(0.5, ("negative", "above 1")) == "a number from 0 to 1"
    assert expected(0.5, ("above 1",)) == "a number up to 1"
    assert expected(None, ("negative",)) == "a number from 0, or None"


def test_a_version_that_says_nothing_refuses_nothing() -> None:
    """A framework of the project has no such measurement, and takes what its adapter takes."""
    described = dict(get_runner("RecPack").catalogue["algorithms"]["ItemKNN"])
    assert "refuses" in described
    assert not is_refused("x", 20, ())
