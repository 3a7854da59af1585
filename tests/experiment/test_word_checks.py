"""Words that hyperparameters take: others are refused with the plan, and so is every other spelling of them."""

from __future__ import annotations

import enum
import re
from typing import Any

import numpy as np
import pytest
from support.plan_refusals import refusal

from omnibench import Choice, Cornac, ExperimentPlan, Grid, LensKit, RecBole, RecPack, Tuning
from omnibench.errors import PlanError
from omnibench.runners.registry import runners


@pytest.mark.parametrize("runner", runners(), ids=lambda runner: runner.name)
def test_words_go_with_the_catalogue(runner: Any) -> None:
    """The default is among the words that a hyperparameter takes, each of them is let through, and they differ."""
    plan = ExperimentPlan("values")
    for name, described in runner.catalogue["algorithms"].items():
        for parameter, words in described.get("words", {}).items():
            assert described["parameters"][parameter] in words, (name, parameter)
            assert len({word.casefold() for word in words}) == len(words) > 0
            needed = {key: value for key, value in described.get("required", {}).items() if key != parameter}
            plan.add_algorithm(f"{runner.name}.{name}", {**needed, parameter: Grid(words)})


@pytest.mark.parametrize(
    ("algorithm", "parameters", "says"),
    [
        (
            RecPack.ItemKNN,
            {"similarity": "cosin"},
            "RecPack.ItemKNN: similarity is 'cosin'; did you mean 'cosine'? It takes 'cosine', 'conditional_probability'.",
        ),
        (
            RecPack.ItemKNN,
            {"similarity": "Cosine"},
            "RecPack.ItemKNN: similarity is 'Cosine'; did you mean 'cosine'? It takes 'cosine', 'conditional_probability'.",
        ),
        (
            RecPack.TARSItemKNNXia,
            {"decay_function": Grid(["linear", "zigzag"])},
            "RecPack.TARSItemKNNXia: decay_function is 'zigzag', within a Grid; it takes 'convex', 'concave', 'linear'.",
        ),
        (
            LensKit.ItemKNNScorer,
            {"feedback": "impicit"},
            "LensKit.ItemKNNScorer: feedback is 'impicit'; did you mean 'implicit'? It takes 'explicit', 'implicit'.",
        ),
        (
            Cornac.UserKNN,
            {"similarity": "jaccard"},
            "Cornac.UserKNN: similarity is 'jaccard'; it takes 'cosine', 'pearson'.",
        ),
        (
            RecBole.GRU4Rec,
            {"loss_type": "'CE'"},
            "RecBole.GRU4Rec: loss_type is \"'CE'\"; did you mean 'CE'? It takes 'CE', 'BPR'.",
        ),
        (RecBole.CORE, {"loss_type": "BPR"}, "RecBole.CORE: loss_type is 'BPR'; it takes 'CE'."),
        (
            RecBole.SINE,
            {"loss_type": "NL"},
            "RecBole.SINE: loss_type is 'NL'; did you mean 'NLL'? It takes 'CE', 'BPR', 'NLL'.",
        ),
    ],
)
def test_a_word_that_is_not_taken_is_refused(algorithm: Any, parameters: dict[str, Any], says: str) -> None:
    """With the nearest word, and all that are taken."""
    with pytest.raises(PlanError, match=f"^{re.escape(says)}$"):
        ExperimentPlan("values").add_algorithm(algorithm, parameters)


@pytest.mark.parametrize("runner", runners(), ids=lambda runner: runner.name)
@pytest.mark.parametrize("spelling", ["'{}'", '"{}"', "' {} '", " {} ", "\"'{}'\"", "b'{}'", "['{}']", "{}\n", "{}x"])
def test_words_have_one_spelling(runner: Any, spelling: str) -> None:
    """Quotes of their own, as YAML and shells leave them, brackets and blanks are refused with the word, by every framework."""
    for name, described in runner.catalogue["algorithms"].items():
        needed = described.get("required", {})
        for parameter, words in described.get("words", {}).items():
            for word in words:
                value = spelling.format(word)
                says = refusal(f"{runner.name}.{name}", {**needed, parameter: value})
                assert f"{parameter} is {value!r}; did you mean {word!r}? It takes {words[0]!r}" in says, (name, says)
    if any("words" in described for described in runner.catalogue["algorithms"].values()):
        return
    assert runner.name in ("Implicit", "Surprise"), "their hyperparameters are numbers and booleans"


@pytest.mark.parametrize("value", ["", " ", "''", '""', "[]", b"cosine", ["cosine"], ("cosine",)])
def test_what_is_no_word_is_refused_in_the_place_of_one(value: Any) -> None:
    """Nothing at all, bytes, and lists, as values and as texts."""
    assert "similarity" in refusal(RecPack.ItemKNN, {"similarity": value})
    assert "similarity" in refusal(RecPack.ItemKNN, {"similarity": Grid(["cosine", value])})


def test_a_searched_word_has_one_spelling() -> None:
    """Those of a search space are looked at as well."""
    plan = ExperimentPlan("values")
    with pytest.raises(PlanError, match=r"similarity is '\"pearson\"'.*did you mean 'pearson'"):
        plan.tune(Cornac.UserKNN, {"similarity": Choice(["cosine", '"pearson"'])}, tuning=Tuning("NDCG@10", trials=2))


@pytest.mark.parametrize("value", ["0.5", "01", "inf", " 05 ", "None"])
def test_what_may_be_read_as_something_else_is_no_word(value: str) -> None:
    """A number in quotes, where a word stands by default, is the framework's to read."""
    ExperimentPlan("values").add_algorithm(LensKit.NMFScorer, {"alpha_H": value})


class Similarity(enum.Enum):
    """Values as a user's own enumeration has them."""

    COSINE = "cosine"
    COSIN = "cosin"


@pytest.mark.parametrize("value", [Similarity.COSIN, np.str_("cosin")])
def test_a_word_counts_whatever_holds_it(value: Any) -> None:
    """A member of an enumeration, and a text of NumPy, stand for the text that the framework gets."""
    with pytest.raises(PlanError, match="similarity is 'cosin'; did you mean 'cosine'"):
        ExperimentPlan("values").add_algorithm(RecPack.ItemKNN, {"similarity": value})
    ExperimentPlan("values").add_algorithm(RecPack.ItemKNN, {"similarity": Similarity.COSINE})
