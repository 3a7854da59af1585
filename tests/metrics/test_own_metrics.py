"""Metrics of the user's own: what they get, what they may return, and what their keys are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from sklearn.metrics import mean_absolute_error
from support.cases import Case, ranking_case, rating_case

from omnibench import HR, NDCG, RMSE, Evaluator, HitMetric, IntraListDiversity, Precision
from omnibench.errors import EvaluationError

Matrix = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


def rank_biased_precision(hits: Matrix, relevant: Numbers, patience: float = 0.8) -> npt.NDArray[np.float64]:
    """Moffat & Zobel, TOIS 27(1), 2008."""
    values: npt.NDArray[np.float64] = (1 - patience) * hits @ patience ** np.arange(hits.shape[1])
    return values


def share_found(hits: Matrix, relevant: Numbers) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = hits.mean(axis=1)
    return found


def one_number(hits: Matrix, relevant: Numbers) -> float:
    return float(hits.mean())


def names(hits: Matrix, relevant: Numbers) -> list[str]:
    return ["a"] * len(hits)


class HitCount:
    """Counts hits in the frames, for one or several k."""

    def __init__(self, k: Any, weight: float = 1.0) -> None:
        self.k = k
        self.weight = weight

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> Mapping[int, float] | float:
        both = predictions.merge(test, on=["user", "item"])
        counts = {k: self.weight * float((both["rank"] <= k).sum()) for k in np.atleast_1d(self.k).tolist()}
        return counts if isinstance(self.k, list) else counts[self.k]


class Result:
    """What OmniRec's metrics return."""

    def __init__(self, result: Any) -> None:
        self.result = result


class AbsoluteError:
    """A metric of predicted ratings."""

    higher_is_better = False

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> Result:
        both = predictions.merge(test, on=["user", "item"], suffixes=("_predicted", ""))
        return Result(mean_absolute_error(both["rating"], both["rating_predicted"]))


class Wrong:
    """Returns no number."""

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> str:
        return "good"


class ByLength:
    """Answers for list lengths that no attribute called k says."""

    def __init__(self, lengths: list[int]) -> None:
        self.lengths = lengths

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> Mapping[int, float]:
        both = predictions.merge(test, on=["user", "item"])
        return {k: float((both["rank"] <= k).sum()) for k in self.lengths}


class Features:
    """Knows the user's own items, and so fails for those of any example."""

    def __init__(self, k: int | None = None) -> None:
        self.k = k

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> Mapping[int, float]:
        if 0 not in set(predictions["item"]):
            raise KeyError("item 0")
        return {3: 0.5}


class Dropping:
    """Answers for more list lengths than it says."""

    k = (5, 10)

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> Mapping[int, float]:
        return {5: 0.1, 10: 0.2, 20: 0.3}


class Labelled:
    """Answers under names."""

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> Mapping[str, float]:
        return {"at five": 0.1}


class Remembering:
    """Keeps what it was called with."""

    def __init__(self) -> None:
        self.called = 0

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame) -> float:
        self.called += 1
        return float(self.called)


def fails(hits: Matrix, relevant: Numbers) -> npt.NDArray[np.float64]:
    """Fail for every user with fewer relevant items than ranks."""
    raise ZeroDivisionError("no relevant item")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Lists, some of them short or missing."""
    return ranking_case(tmp_path_factory.mktemp("lists"), full=False)


def test_a_function_of_the_hits_is_a_metric(case: Case) -> None:
    """It gets the first k of every user, False after the end, and its values are kept per user."""
    found = case.evaluate(HitMetric(share_found, [5, 50], name="Found"), Precision([5, 50]))
    assert found.per_user[:2].tolist() == found.per_user[2:].tolist()
    assert found.values["Found@5"] == found.values["Precision@5"] > 0
    assert found.stderr["Found@5"] == found.stderr["Precision@5"]


def test_a_function_gets_its_parameters(case: Case) -> None:
    """With a patience of 0 only the first rank counts, which is HR@1."""
    found = case.evaluate(HitMetric(rank_biased_precision, 10, patience=0), HR(1))
    assert found.values["rank_biased_precision@10"] == pytest.approx(found.values["HR@1"])


def test_source_and_parameters_are_the_key_of_a_function() -> None:
    """Another parameter, or another function of the same name, is another evaluation."""
    label = "RBP@10"
    metrics = [
        HitMetric(rank_biased_precision, 10, name="RBP"),
        HitMetric(rank_biased_precision, 10, name="RBP", patience=0.5),
        HitMetric(share_found, 10, name="RBP"),
    ]
    keys = {str(metric.identity(label)) for metric in metrics}
    assert len(keys) == 3
    assert str(HitMetric(rank_biased_precision, [5, 10], name="RBP").identity(label)) in keys


RULED = """
from dataclasses import dataclass
from omnibench import Evaluator, HitMetric


@dataclass(frozen=True)
class Rule:
    weight: float = 1.0

    def value(self, hits):
        return self.weight * hits.mean(axis=1)


def ruled(hits, relevant, rule):
    return rule.value(hits)


class Ruled:
    k = (5,)

    def __init__(self, rule):
        self.rule = rule

    def calculate(self, predictions, test):
        return {5: self.rule.weight}


def identities():
    return [HitMetric(ruled, 5, rule=Rule()).identity("ruled@5"), Evaluator(Ruled(Rule())).metrics[0].identity("Ruled@5")]
"""


def test_the_code_of_its_parameters_is_in_the_key(imported: Callable[[str], ModuleType]) -> None:
    """A rule with a method decides what comes out, though no name in the metric's source leads to it."""
    before, same, after = (
        list(map(str, imported(text).identities()))
        for text in (RULED, RULED.replace("mean(axis=1)", "mean(axis=1)  # all"), RULED.replace("mean", "max"))
    )
    assert before == same
    assert all(old != new for old, new in zip(before, after, strict=True))


def test_a_function_has_to_return_a_number_per_user(case: Case) -> None:
    """The error says what it returned."""
    for function in (one_number, names):
        with pytest.raises(EvaluationError, match=f"{function.__name__} returned .* for .* users; return one number"):
            case.evaluate(HitMetric(function, 5))


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda hits, relevant: relevant, "cannot get a key.*not defined at the top level"),
        (len, "cannot get a key"),
        (HitCount, "no function"),
        (3, "no function"),
    ],
)
def test_a_function_without_a_key_is_refused(function: Any, says: str) -> None:
    """What cannot be identified would be served from a record of something else."""
    with pytest.raises(EvaluationError, match=says):
        HitMetric(function, 5)


def test_a_function_is_refused_before_anything_is_fitted() -> None:
    """When it does not take its parameters, and when its column could not be told from another convention's."""
    with pytest.raises(EvaluationError, match=r"share_found cannot be called with hits, relevant and \['weigth'\]"):
        HitMetric(share_found, 5, weigth=2.0)
    for name in ("HR@5", "HR[trec]", ""):
        with pytest.raises(EvaluationError, match=f"a metric cannot be called {name!r}".replace("[", r"\[")):
            IntraListDiversity({1: {"a"}}, name=name)
        with pytest.raises(EvaluationError, match="a metric cannot be called"):
            HitMetric(share_found, 5, name=name or "@")


def test_a_class_with_calculate_gets_frames_of_the_users_own_ids(case: Case) -> None:
    """As in OmniRec, one number or one per k; the evaluator takes it as it is."""
    (several,) = Evaluator(HitCount([5, 10])).metrics
    (single,) = Evaluator(HitCount(5, weight=2.0)).metrics
    found = case.evaluate(several, Precision([5, 10])).values
    judged = len(np.unique(case.fold.test.user))
    for k in (5, 10):
        assert found[f"HitCount@{k}"] == pytest.approx(found[f"Precision@{k}"] * k * judged)
    assert case.evaluate(single).values == {"HitCount@5": 2 * found["HitCount@5"]}


def test_a_class_may_judge_ratings_and_answer_as_omnirec_does(tmp_path: Path) -> None:
    """An object with a result; there is nothing per user, and no standard error."""
    evaluator = Evaluator(AbsoluteError(), RMSE())
    found = rating_case(tmp_path).evaluate(*evaluator.metrics)
    assert 0 < found.values["AbsoluteError"] < found.values["RMSE"]
    assert not found.stderr
    assert not found.interval
    assert list(found.values_per_user()) == ["RMSE"]
    assert evaluator.lower_is_better == ["AbsoluteError", "RMSE"]


def test_what_is_no_number_is_an_error_before_anything_is_fitted() -> None:
    """It says what came back for an example."""
    with pytest.raises(EvaluationError, match="calculate returned 'good', which has no number for Wrong"):
        Evaluator(Wrong())
    with pytest.raises(EvaluationError, match="Labelled: k is 'at five'; give integers"):
        Evaluator(Labelled())
    with pytest.raises(EvaluationError, match=r"fails on an example of two users.*ZeroDivisionError: no relevant item"):
        HitMetric(fails, 5)


def test_a_mapping_needs_no_attribute_k(case: Case) -> None:
    """The list lengths of an example are the columns, and count for the length of the lists."""
    evaluator = Evaluator(ByLength([5, 70]))
    assert evaluator.labels == ["ByLength@5", "ByLength@70"]
    assert evaluator.list_length == 70
    found, expected = (
        case.evaluate(*Evaluator(made).metrics).values for made in (ByLength([5, 10]), HitCount([5, 10]))
    )
    assert [*found.values()] == [*expected.values()]


def test_a_metric_of_the_users_own_items_may_say_its_k(case: Case) -> None:
    """What fails on an example of other items is asked for nothing in advance: with an attribute k it just works."""
    (metric,) = Evaluator(Features(k=3)).metrics
    assert case.evaluate(metric).values == {"Features@3": 0.5}
    (unsaid,) = Evaluator(Features()).metrics
    with pytest.raises(EvaluationError, match=r"nothing said before for which k.*self.k = \[3\].*KeyError: 'item 0'"):
        case.evaluate(unsaid)


def test_a_number_without_a_column_is_an_error(case: Case) -> None:
    """Nobody would notice that it was dropped."""
    with pytest.raises(
        EvaluationError, match=r"numbers for k = 20, for which there is no column: its k says \[5, 10\]"
    ):
        case.evaluate(*Evaluator(Dropping()).metrics)


def test_an_example_leaves_no_trace_in_the_object(case: Case) -> None:
    """A copy is tried, so that an object that remembers its calls counts those with data."""
    made = Remembering()
    (metric,) = Evaluator(made).metrics
    assert made.called == 0
    assert case.evaluate(metric).values == {"Remembering": 1.0}


def test_parameters_and_source_are_the_key_of_a_class() -> None:
    """The key of a class has its source and parameters; parameters without a stable form are refused at once."""
    one, other, same = (Evaluator(made).metrics[0] for made in (HitCount(5), HitCount(5, 2.0), HitCount([5, 10])))
    assert one.identity("HitCount@5") == same.identity("HitCount@5") != other.identity("HitCount@5")
    with pytest.raises(EvaluationError, match=r"HitCount cannot get a key: value.*has no canonical form"):
        Evaluator(HitCount(5, weight=object()))  # type: ignore[arg-type]


def test_lists_are_long_enough_for_own_metrics() -> None:
    """Their k counts as everybody's."""
    assert Evaluator(HitCount([5, 70])).list_length == 70
    assert Evaluator(HitMetric(share_found, 80), NDCG(10)).list_length == 80


def test_two_metrics_under_one_name_are_refused() -> None:
    """Two metrics under one name are refused, because one would stand in the other's column."""
    with pytest.raises(EvaluationError, match="two different metrics are called HR@5"):
        Evaluator(HR(5), HitMetric(share_found, 5, name="HR"))
