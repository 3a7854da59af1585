"""The ``@benchmark`` decorator: what a bench function declares. Nothing is computed or even checked here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

from omnibench.arguments import checked_call
from omnibench.seed import get_random_state

if TYPE_CHECKING:  # conftest files that only name the decorator need none of it
    from omnibench.data.dataset import RecSysDataSet
    from omnibench.experiment.evaluator import Evaluator
    from omnibench.experiment.plan import ExperimentPlan
    from omnibench.experiment.seeds import Seeds
    from omnibench.snapshots.control import Snapshots

Function = TypeVar("Function", bound=Callable[..., Any])

RESULT = "result"
"""The argument of a bench function that is no fixture."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """The arguments of ``@benchmark``, unchecked, and the random state of that moment."""

    datasets: Any
    plan: Any
    evaluator: Any
    seeds: Any
    random_state: int
    refit: Any = None
    snapshots: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class Benchmark:
    """A bench function with its checked declaration; its items are made from it.

    Attributes:
        function: Checks a result; may be trivial.
        declaration: What the function was decorated with.
        evaluator: The metrics: the declared ones, and those that plugins add.
        takes_result: Whether the function has an argument for the item's result.
        is_trivial: Whether the function checks nothing.
        line: The line of the function in its file, from 0.
    """

    function: Callable[..., Any]
    declaration: Declaration
    evaluator: Evaluator
    takes_result: bool
    is_trivial: bool
    line: int

    @classmethod
    def of(cls, function: Callable[..., Any], declaration: Declaration, evaluator: Evaluator) -> Benchmark:
        """Make the benchmark of a function.

        Args:
            function: The function, unbound.
            declaration: What it was decorated with.
            evaluator: All metrics to be measured.
        """
        takes_result = RESULT in inspect.signature(function).parameters
        line = function.__code__.co_firstlineno - 1
        return cls(function, declaration, evaluator, takes_result, is_trivial(function), line)


@checked_call
def benchmark(
    datasets: RecSysDataSet | Iterable[RecSysDataSet],
    plan: ExperimentPlan,
    evaluator: Evaluator,
    *,
    seeds: Seeds = 1,
    refit: str | None = None,
    snapshots: Snapshots | str | None = None,
) -> Callable[[Function], Function]:
    """Make a function a benchmark: one pytest item per dataset, configuration, fold and seed.

    The body runs once per item, with its ``Result`` when it takes an argument ``result``; a failing assertion
    fails the item. ``...`` is a valid body.

    Args:
        datasets: One or several datasets with a split.
        plan: The algorithms.
        evaluator: The metrics.
        seeds: How many seeds, the first being that of ``set_random_state``, or a list of them. With several, an item's
            name ends in ``/seed_43``; what is known to be deterministic is fitted once.
        refit: ``train+validation`` to fit on both parts what needs no validation; by default on training alone.
        snapshots: When the state of running Fits is kept, where the plan says nothing: ``Snapshots(...)``, or a text such as
            ``10m``, ``50it`` or ``off``; by default what the run says.

    Example:
        >>> @benchmark(movielens, plan, Evaluator(NDCG([10, 20])))
        ... def bench_baselines(result):
        ...     assert result["NDCG@10"] > 0.20
    """
    argument: Any = datasets  # a text, too, which is refused as a whole when the function is collected
    declared = list(argument) if isinstance(argument, Iterable) and not isinstance(argument, str) else argument

    def declare(function: Function) -> Function:
        # Of a static method, too, the function inside is looked at: else nobody would see it, nor refuse it.
        inner: Any = function.__func__ if isinstance(function, staticmethod | classmethod) else function
        inner.__omnibench__ = Declaration(
            declared, plan, evaluator, _copied(seeds), get_random_state(), refit, snapshots
        )
        return function

    return declare


def _copied(seeds: Any) -> Any:
    """Return seeds that nobody changes later; whether they are any is checked when the function is collected."""
    return (
        seeds
        if isinstance(seeds, str | bytes | dict | set | frozenset) or not isinstance(seeds, Iterable)
        else list(seeds)
    )


def declaration_of(function: object) -> Declaration | None:
    """Return what a function declares, or None when it is no benchmark."""
    if isinstance(function, (staticmethod, classmethod)):
        function = function.__func__
    declaration = function.__dict__.get("__omnibench__") if type(function) is FunctionType else None
    return declaration if isinstance(declaration, Declaration) else None


def has_benchmarks(definition: object) -> bool:
    """Whether something is a class with functions under ``@benchmark``, its own or inherited."""
    return isinstance(definition, type) and any(
        declaration_of(attribute) for base in definition.__mro__ for attribute in vars(base).values()
    )


def is_trivial(function: Callable[..., Any]) -> bool:
    """Whether a body does nothing: ``...``, ``pass`` or only a docstring."""

    def nothing() -> None: ...

    code = function.__code__
    return code.co_code == nothing.__code__.co_code and not code.co_names
