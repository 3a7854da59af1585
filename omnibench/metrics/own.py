"""Metrics of the user's own: a function of the hit matrix, or a class with ``calculate(predictions, test)``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from omnibench.code import code_of
from omnibench.errors import EvaluationError, PlanError
from omnibench.keys import canonical
from omnibench.metrics.base import Metric, Values, checked_name
from omnibench.metrics.hits import Hits
from omnibench.metrics.labels import split_label
from omnibench.metrics.ranking import RankingMetric, lengths_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
else:
    from omnibench.lazy import np, npt

HitFunction: TypeAlias = "Callable[..., npt.ArrayLike]"


class HitMetric(RankingMetric):
    """A function of the hit matrix as a metric.

    The function gets ``hits`` (bool, shape (n, k): whether the item at each rank is relevant; False after the end of a
    list), ``relevant`` (int64, shape (n,): the number of relevant items of each user, at least 1) and the parameters, and
    returns a value per user (NaN for one who does not count), shape (n,). Its source and the parameters are its key.

    Args:
        function: A function at the top level of a module.
        k: One or several list lengths, each at least 1.
        name: What to call it; its own name by default.
        higher_is_better: Which direction is good.
        **parameters: Passed to the function.

    Raises:
        EvaluationError: Its source cannot be read, it does not take the parameters, one of these cannot be part of a
            key, or a k is no positive integer.
    """

    def __init__(
        self,
        function: HitFunction,
        k: int | Iterable[int] = 10,
        *,
        name: str | None = None,
        higher_is_better: bool = True,
        **parameters: Any,
    ) -> None:
        given: Any = function
        if not callable(given) or isinstance(given, type):
            raise EvaluationError(f"{function!r} is no function; give one that takes hits and relevant.")
        self._name = checked_name(name or str(getattr(function, "__name__", type(function).__name__)))
        self.k = lengths_of(k, self._name)
        self.function = function
        self.higher_is_better = higher_is_better
        self._given = parameters
        self._code = _code(function, self._name)
        _check_key(parameters, self._name)
        _check_call(function, self._name, parameters)

    @property
    def name(self) -> str:
        return self._name

    @property
    def parameters(self) -> dict[str, Any]:
        return {"own": self._code, "parameters": self._given}

    def per_user(self, hits: Hits, k: int) -> Values:
        matrix = np.zeros((len(hits.users), k), dtype=bool)
        width = min(k, hits.matrix.shape[1])
        matrix[:, :width] = hits.matrix[:, :width]
        found = np.asarray(self.function(matrix, hits.relevant.copy(), **self._given))
        if found.shape != (len(hits.users),) or found.dtype.kind not in "bfiu":
            raise EvaluationError(
                f"{self.name} returned {found.dtype} of shape {found.shape} for {len(hits.users)} users; return one "
                "number for each."
            )
        return found.astype(np.float64)


class CalculatedMetric(Metric):
    """An object with ``calculate(predictions, test)`` as a metric.

    Both are pandas frames with the user's own ids: user, item, score and rank (from 1) of the recommendations, or user,
    item and rating of predicted ratings; user, item, and rating where there is one, of the test part. It returns a
    number, or a mapping from each of its ``k`` to a number; or an object whose ``result`` is one of these, as OmniRec's
    metrics do. Its class's source and its constructor's parameters are its key; it has no values per user.

    Args:
        calculator: The object. Its attribute ``k`` (or OmniRec's ``_k_list``) says for which list lengths it answers;
            ``name`` and ``higher_is_better`` may say what else tables show.

    Raises:
        EvaluationError: Its source cannot be read, or a parameter cannot be part of a key.
    """

    kind = "calculated"

    def __init__(self, calculator: Any) -> None:
        self.calculator = calculator
        named = getattr(calculator, "name", None)
        self._name = checked_name(named if isinstance(named, str) else type(calculator).__name__)
        k = getattr(calculator, "k", getattr(calculator, "_k_list", None))
        self.k = () if k is None else lengths_of(k, self._name)
        self.higher_is_better = bool(getattr(calculator, "higher_is_better", True))
        self._code = _code(type(calculator), self._name)
        self._given = _attributes(calculator)
        _check_key(self._given, self._name)

    @property
    def name(self) -> str:
        return self._name

    @property
    def labels(self) -> list[str]:
        return [f"{self.name}@{k}" for k in self.k] or [self.name]

    @property
    def parameters(self) -> dict[str, Any]:
        return {"own": self._code, "parameters": self._given}

    @property
    def is_mean(self) -> bool:
        return False

    def values(self, predictions: pd.DataFrame, test: pd.DataFrame) -> dict[str, float]:
        """Return the metric by label.

        Raises:
            EvaluationError: It returned something else.
        """
        answer = self.calculator.calculate(predictions, test)
        answer = getattr(answer, "result", answer)
        by_k: Mapping[Any, Any] = (
            answer if isinstance(answer, Mapping) else {None: answer} if not self.k else {self.k[0]: answer}
        )
        found = {}
        for label in self.labels:
            value = by_k.get(split_label(label)[1])
            if isinstance(value, bool) or not isinstance(value, int | float | np.number):
                raise EvaluationError(
                    f"{self.name}.calculate returned {answer!r}, which has no number for {label}; return a number, or a "
                    "mapping from each k to one."
                )
            found[label] = float(value)
        return found


def _code(thing: Any, name: str) -> str:
    try:
        return code_of(thing)
    except (PlanError, TypeError, AttributeError) as error:
        raise EvaluationError(f"{name} cannot get a key: {error}") from error


def _attributes(calculator: Any) -> dict[str, Any]:
    """Return what a calculator was made with: the attributes called like its constructor's parameters, or all."""
    kept = vars(calculator) if hasattr(calculator, "__dict__") else {}
    wanted = [one for one in inspect.signature(type(calculator)).parameters if one not in ("args", "kwargs", "k")]
    return {one: kept[one] for one in wanted} if all(one in kept for one in wanted) else dict(kept)


def _check_call(function: HitFunction, name: str, parameters: Mapping[str, Any]) -> None:
    try:
        inspect.signature(function).bind(None, None, **parameters)
    except TypeError as error:
        raise EvaluationError(
            f"{name} cannot be called with hits, relevant and {sorted(parameters)}: {error}."
        ) from error


def _check_key(parameters: Mapping[str, Any], name: str) -> None:
    try:
        canonical(dict(parameters))
    except Exception as error:
        raise EvaluationError(
            f"{name} cannot get a key: {error} Keep its parameters under the names that its constructor gives them."
        ) from error
