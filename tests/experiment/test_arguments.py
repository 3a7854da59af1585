"""Arguments that a public class or function does not have are refused with the nearest that it has, where the call is written."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import omnibench
from omnibench import (
    Evaluator,
    ExperimentPlan,
    UserHoldout,
    from_frame,
    run_omnirec,
)
from omnibench.arguments import checked_arguments, checked_call
from omnibench.errors import ArgumentError, DataError, EvaluationError, OmnibenchError, PlanError
from omnibench.metrics import NDCG

MADE_BY_OMNIBENCH = {
    *(
        "Comparison",
        "FoldedData",
        "Gate",
        "ItemsFailedError",
        "OmnibenchError",
        "Ranking",
        "RawData",
        "ScoreComparison",
    ),
    *("Scores", "SplitData", "Standing", "VarianceComponents", "Verdict"),
}
"""Public classes that users read, and do not make."""

PUBLIC: Any = omnibench
"""As somebody sees it who has no type checker."""

CALLED = sorted(
    name
    for name in vars(omnibench)["__all__"]
    if name not in MADE_BY_OMNIBENCH
    and not getattr(getattr(omnibench, name), "_is_protocol", False)
    and not hasattr(getattr(omnibench, name), "__members__")  # the algorithms of frameworks
)


def _data() -> Any:
    return from_frame(pd.DataFrame({"user": [1, 1, 2, 2], "item": [1, 2, 1, 2]}))


def _store() -> Any:
    """A store that is not opened: calls that do not fit are refused before."""
    return PUBLIC.Store.__new__(PUBLIC.Store)


@pytest.mark.parametrize("name", CALLED)
def test_everything_public_refuses_an_argument_that_it_does_not_have(name: str) -> None:
    """The error says what was called, and the argument; what takes any arguments says what is missing."""
    called = getattr(omnibench, name)
    with pytest.raises(ArgumentError) as error:
        called(nonsense=3)
    if any(one.kind is one.VAR_KEYWORD for one in inspect.signature(called).parameters.values()):
        assert f"{name}(nonsense=3): missing a required argument" in str(error.value)
    else:
        brackets = "()" if inspect.isfunction(called) else ""
        assert str(error.value).startswith(f"{name}{brackets} has no argument 'nonsense'")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: PUBLIC.benchmark(1, 2, 3, seed=3),
            "benchmark() has no argument 'seed'; did you mean 'seeds'? It has datasets, plan, ",
        ),
        (
            lambda: PUBLIC.benchmark(1, 2),
            "benchmark(1, 2): missing a required argument: 'evaluator'; write benchmark(datasets, plan, evaluator, *, seeds=1, ",
        ),
        (
            lambda: PUBLIC.benchmark(1, 2, 3, 4),
            "benchmark(1, 2, 3, 4): too many positional arguments; write benchmark(datasets, ",
        ),
        (lambda: PUBLIC.ExperimentPlan(nme="x"), "ExperimentPlan has no argument 'nme'; did you mean 'plan_name'? "),
        (
            lambda: PUBLIC.Evaluator(candidate=None),
            "Evaluator has no argument 'candidate'; did you mean 'candidates'? ",
        ),
        (
            lambda: PUBLIC.HR(relevnt=3),
            "HR has no argument 'relevnt'; did you mean 'relevant'? It has k, relevant, by.",
        ),
        (lambda: PUBLIC.NDCG(gain="rating"), "NDCG has no argument 'gain'; did you mean 'gains'? "),
        (lambda: PUBLIC.FitTime(10), "FitTime(10): too many positional arguments; write FitTime()."),
        (lambda: PUBLIC.UserHoldout(test=0.2), "UserHoldout has no argument 'test'; did you mean 'test_size'? "),
        (lambda: PUBLIC.Grid(value=[1]), "Grid has no argument 'value'; did you mean 'values'? It has values."),
        (
            lambda: PUBLIC.Coordinator(checkpoints="x"),
            "Coordinator has no argument 'checkpoints'; did you mean 'checkpoint_dir'? ",
        ),
        (lambda: PUBLIC.from_frame(None, nam="x"), "from_frame() has no argument 'nam'; did you mean 'name'? "),
        (
            lambda: PUBLIC.ExperimentPlan().add_algorithm("LensKit.PopScorer", confg={}),
            "ExperimentPlan.add_algorithm() has no argument 'confg'; did you mean 'config'? ",
        ),
        (
            lambda: _store().delete(["x"], model=True),
            "Store.delete() has no argument 'model'; did you mean 'models'? It has items, models, dry_run.",
        ),
        (
            lambda: PUBLIC.Store.delete(["x"], model=True),
            "Store.delete() has no argument 'model'; did you mean 'models'? ",
        ),
        (
            lambda: _store().logs(level="INFO"),
            "Store.logs() has no argument 'level'; did you mean 'min_level'? ",
        ),
        (lambda: _store().why(), "Store.why(): missing a required argument: 'item'; write Store.why(item)."),
        (
            lambda: _data().with_features(item=3),
            "RecSysDataSet.with_features() has no argument 'item'; did you mean 'items'? ",
        ),
        (
            lambda: PUBLIC.run_omnirec(1, 2),
            "run_omnirec(1, 2): missing a required argument: 'evaluator'; write run_omnirec(datasets, ",
        ),
    ],
)
def test_wrong_calls(call: Callable[[], Any], says: str) -> None:
    """What is misspelled, missing or too much is said with what to write; it is a TypeError as well, as Python has it."""
    with pytest.raises(ArgumentError) as error:
        call()
    assert str(error.value).startswith(says)
    assert isinstance(error.value, TypeError)
    assert isinstance(error.value, OmnibenchError)


def test_errors_inside_of_a_call_are_let_through() -> None:
    """A TypeError of what is called is nobody's wrong argument, also where it is a wrong call of something else."""

    @checked_call
    def joined(values: Any) -> Any:
        return "" + values

    @checked_arguments
    class Holder:
        def __init__(self, values: Any) -> None:
            self.joined = joined(values)

    with pytest.raises(TypeError, match="can only concatenate str") as error:
        Holder(3)
    assert not isinstance(error.value, OmnibenchError)
    assert Holder("x").joined == "x"
    assert list(inspect.signature(Holder).parameters) == ["values"]


def test_warnings_are_of_the_line_of_the_user() -> None:
    """That arguments are checked does not move warnings into omnibench."""
    frame = pd.DataFrame({"userId": [1, 1], "item": [1, 2]})
    with pytest.warns(UserWarning, match="'userId' is taken for the user") as said:
        from_frame(frame)
    assert {warning.filename for warning in said} == {__file__}


@pytest.mark.parametrize(
    ("order", "says"),
    [
        (
            "data evaluator plan",
            "the plan is of type Evaluator, which the evaluator has to be; give them in the order (datasets, plan, ",
        ),
        ("plan data evaluator", "the datasets are of type ExperimentPlan, which the plan has to be; "),
        ("evaluator plan data", "the datasets are of type Evaluator, which the evaluator has to be; "),
        ("data plan data", "the evaluator is of type RecSysDataSet, which the datasets have to be; "),
    ],
)
def test_another_order(tmp_path: Any, order: str, says: str) -> None:
    """Datasets, plan and evaluator in another order are said to be so."""
    given: dict[str, Any] = {"data": _data(), "plan": ExperimentPlan(), "evaluator": Evaluator(NDCG(10))}
    with pytest.raises(PlanError) as error:
        PUBLIC.run_omnirec(*(given[name] for name in order.split()), checkpoint_dir=tmp_path / "store")
    assert str(error.value).startswith(says)


def test_texts_and_lists_in_the_place_of_datasets_and_evaluators(tmp_path: Any) -> None:
    """A name is no dataset, and a list of metrics no evaluator; both are shown as they were given."""
    wrong: Any = "MovieLens100K"
    with pytest.raises(
        DataError, match=r"^'MovieLens100K' is a text, and no dataset; load it with load_dataset\('MovieLens100K'\)"
    ):
        run_omnirec(wrong, ExperimentPlan(), Evaluator(NDCG(10)), checkpoint_dir=tmp_path / "store")
    metrics: Any = [NDCG(10)]
    with pytest.raises(EvaluationError, match=r"^the evaluator is \[NDCG\(NDCG@10\)\]; give an Evaluator"):
        run_omnirec(_data(), ExperimentPlan(), metrics, checkpoint_dir=tmp_path / "store")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("NDGC@10", "'NDGC@10' is no metric; metrics are objects, not texts: write NDCG(10)."),
        ("recal@5", "'recal@5' is no metric; metrics are objects, not texts: write Recall(5)."),
        ("rmse", "'rmse' is no metric; metrics are objects, not texts: write RMSE()."),
        ("???", "'???' is no metric; metrics are objects, not texts: write e.g. NDCG(10)."),
    ],
)
def test_labels_in_the_place_of_metrics(wrong: Any, says: str) -> None:
    """The label of a metric is answered with the call that makes the metric, the nearest where it is misspelled."""
    with pytest.raises(EvaluationError) as error:
        Evaluator(wrong)
    assert str(error.value) == says


def test_list_lengths_and_sizes_that_cannot_be() -> None:
    """A list length in quotes, and shares that leave nothing to train on, are shown as they were given."""
    length: Any = "10"
    with pytest.raises(EvaluationError, match=r"^NDCG: k is '10'; give integers of at least 1\.$"):
        NDCG(length)
    with pytest.raises(
        DataError, match=r"^UserHoldout: test and validation take everything \(0\.6 and 0\.6\); .* sum is below 1\.$"
    ):
        _data().pipe(UserHoldout(0.6, 0.6))
