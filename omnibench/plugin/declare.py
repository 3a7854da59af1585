"""The ``@benchmark`` decorator: what a bench function declares. Nothing is computed or even checked here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

from omnibench.seed import get_random_state

if TYPE_CHECKING:
    from omnibench.data.dataset import RecSysDataSet
    from omnibench.experiment.evaluator import Evaluator
    from omnibench.experiment.plan import ExperimentPlan

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Declaration:
    """What ``@benchmark`` was given, and the random state of that moment."""

    datasets: Any
    plan: Any
    evaluator: Any
    seed: int


def benchmark(
    datasets: RecSysDataSet | Iterable[RecSysDataSet], plan: ExperimentPlan, evaluator: Evaluator
) -> Callable[[Function], Function]:
    """Make a function a benchmark: one pytest item per dataset, configuration and fold.

    The body runs once per item, with its ``Result`` when it takes an argument ``result``; a failing assertion
    fails the item. ``...`` is a valid body.

    Args:
        datasets: One or several datasets with a split.
        plan: The algorithms.
        evaluator: The metrics.

    Example:
        >>> @benchmark(movielens, plan, Evaluator(NDCG([10, 20])))
        ... def bench_baselines(result):
        ...     assert result["NDCG@10"] > 0.20
    """
    listed = list(datasets) if isinstance(datasets, Iterable) else datasets

    def declare(function: Function) -> Function:
        function.__omnibench__ = Declaration(listed, plan, evaluator, get_random_state())  # type: ignore[attr-defined]
        return function

    return declare


def declaration_of(function: object) -> Declaration | None:
    """Return what a function declares, or None when it is no benchmark."""
    if isinstance(function, (staticmethod, classmethod)):
        function = function.__func__
    found = function.__dict__.get("__omnibench__") if type(function) is FunctionType else None
    return found if isinstance(found, Declaration) else None


def is_trivial(function: Callable[..., Any]) -> bool:
    """Whether a body does nothing: ``...``, ``pass`` or only a docstring."""

    def nothing() -> None: ...

    code = function.__code__
    return code.co_code == nothing.__code__.co_code and not code.co_names
