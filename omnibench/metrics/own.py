"""Users' own metrics: a function of the hit matrix, or a class with ``calculate(predictions, test)``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from omnibench.arguments import checked_arguments
from omnibench.code import code_of
from omnibench.data.own_code import codes_within
from omnibench.errors import DataError, EvaluationError, PlanError
from omnibench.guest.family import tried_code
from omnibench.keys import canonical
from omnibench.metrics.base import Metric, Values, checked_name
from omnibench.metrics.by import By, groupings_of
from omnibench.metrics.examples import hits_example, ranking_example, rating_example, trial
from omnibench.metrics.hits import Hits
from omnibench.metrics.labels import split_label
from omnibench.metrics.ranking_metric import RelevanceMetric, lengths_of
from omnibench.metrics.relevance import checked_threshold

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
else:
    from omnibench.lazy import np, npt

HitFunction: TypeAlias = "Callable[..., npt.ArrayLike]"


@checked_arguments
class HitMetric(RelevanceMetric):
    """A function of the hit matrix as a metric.

    The function gets ``hits`` (bool, shape (n, k): whether the item at each rank is relevant; False after the end
    of a list), ``relevant`` (int64, shape (n,): the number of relevant items of each user, at least 1) and the
    parameters, and returns a value per user (NaN for users who do not count), shape (n,). Its key is made of the
    parameters and of the function's code, see ``omnibench.code.code_of``.

    Args:
        function: A function at the top level of a module.
        k: One or several list lengths, each at least 1.
        name: What to call it; its own name by default.
        higher_is_better: Whether larger values are better.
        relevant: The lowest rating in the test part that counts as relevant; by default every interaction does.
        by: Groups of users or items that each have a column, e.g. ``Activity(4)``; passed to a function that has a parameter
            of this name.
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
        relevant: float | None = None,
        by: By | Any = None,
        **parameters: Any,
    ) -> None:
        argument: Any = function
        if not callable(argument) or isinstance(argument, type):
            raise EvaluationError(f"{function!r} is no function; give one that takes hits and relevant.")
        self._name = checked_name(name or str(getattr(function, "__name__", type(function).__name__)))
        if by is not None and "by" in inspect.signature(function).parameters:
            parameters["by"], by = by, None
        self.k = lengths_of(k, self._name)
        self.groupings = groupings_of(by, self._name, judges_items=True)
        self.relevant = checked_threshold(relevant, self._name)
        self.function = function
        self.higher_is_better = higher_is_better
        self._arguments = parameters
        self._code = _code(function, parameters, self._name)
        _check_key(parameters, self._name)
        _check_call(function, self._name, parameters)
        self._try()

    def _try(self) -> None:
        """Compute it for an example of two users, so that a mistake is found before anything is fitted."""
        for k in self.k:
            hits, relevant = hits_example(k)
            try:
                with tried_code():
                    values = self.function(hits, relevant, **self._arguments)
            except Exception as error:
                raise EvaluationError(
                    f"{self.name} fails on an example of two users, hits of shape (2, {k}) and relevant [1, 3]: "
                    f"{type(error).__name__}: {error}"
                ) from error
            self._checked(values, n_users=2)

    def _checked(self, returned: npt.ArrayLike, n_users: int) -> Values:
        values = np.asarray(returned)
        if values.shape != (n_users,) or values.dtype.kind not in "bfiu":
            raise EvaluationError(
                f"{self.name} returned {values.dtype} of shape {values.shape} for {n_users} users; return one number for "
                "each."
            )
        return values.astype(np.float64)

    @property
    def name(self) -> str:
        return self._name

    @property
    def parameters(self) -> dict[str, Any]:
        return {"own": self._code, "parameters": self._arguments}

    def per_user(self, hits: Hits, k: int) -> Values:
        matrix = np.zeros((len(hits.users), k), dtype=bool)
        width = min(k, hits.matrix.shape[1])
        matrix[:, :width] = hits.matrix[:, :width]
        return self._checked(self.function(matrix, hits.relevant.copy(), **self._arguments), len(hits.users))


class CalculatedMetric(Metric):
    """An object with ``calculate(predictions, test)`` as a metric.

    Both are pandas frames with the user's own ids: user, item, score and rank (from 1) of the recommendations, or
    user, item and rating of predicted ratings; user, item, and rating where there is one, of the test part. It
    returns a number, or a mapping from each of its ``k`` to a number; or an object whose ``result`` is one of
    these, as OmniRec's metrics do. Its class's code (see ``omnibench.code.code_of``) and its constructor's
    parameters are its key; it has no values per user.

    Args:
        calculator: The object. Its attribute ``k`` (or OmniRec's ``_k_list``) says for which list lengths it answers;
            without one, it is asked for those of an example of two users. ``name`` and ``higher_is_better`` may say
            what else tables show.

    Raises:
        EvaluationError: Its source cannot be read, a parameter cannot be part of a key, or it does not return numbers
            for the example.
    """

    kind = "calculated"

    def __init__(self, calculator: Any) -> None:
        self.calculator = calculator
        own_name = getattr(calculator, "name", None)
        self._name = checked_name(own_name if isinstance(own_name, str) else type(calculator).__name__)
        self.higher_is_better = bool(getattr(calculator, "higher_is_better", True))
        self._arguments = _attributes(calculator)
        self._code = _code(type(calculator), self._arguments, self._name)
        _check_key(self._arguments, self._name)
        self._doubt = ""
        k = getattr(calculator, "k", getattr(calculator, "_k_list", None))
        self.k = self._lengths_of_example() if k is None else lengths_of(k, self._name)

    def _lengths_of_example(self) -> tuple[int, ...]:
        """Return the list lengths for which it answers on an example; nothing if it needs the data itself."""
        for example in (ranking_example, rating_example):
            try:
                with tried_code(), trial(self.calculator) as calculate:
                    answer = _result(calculate(*example()))
            except Exception as error:  # such as a KeyError for what only real items have
                self._doubt = f"{type(error).__name__}: {error}"
                continue
            if isinstance(answer, Mapping):
                return lengths_of(answer, self._name)
            self._number(answer, answer, self._name)
            return ()
        return ()

    @property
    def name(self) -> str:
        return self._name

    @property
    def labels(self) -> list[str]:
        return [f"{self.name}@{k}" for k in self.k] or [self.name]

    @property
    def parameters(self) -> dict[str, Any]:
        return {"own": self._code, "parameters": self._arguments}

    @property
    def is_mean(self) -> bool:
        return False

    def values(self, predictions: pd.DataFrame, test: pd.DataFrame) -> dict[str, float]:
        """Return the metric by label.

        Raises:
            EvaluationError: It returned something else.
        """
        return self._by_label(self.calculator.calculate(predictions, test))

    def try_on(self, predictions: pd.DataFrame, test: pd.DataFrame) -> None:
        """Calculate it with a copy of the object, for what it may raise.

        Raises:
            EvaluationError: It returned something else than numbers for its columns.
        """
        with trial(self.calculator) as calculate:
            self._by_label(calculate(predictions, test))

    def _by_label(self, returned: Any) -> dict[str, float]:
        answer = _result(returned)
        if not isinstance(answer, Mapping):
            labels = dict.fromkeys(self.labels[:1], answer)
            answer = {split_label(label)[1]: value for label, value in labels.items()}
        elif not self.k:
            raise EvaluationError(
                f"{self.name}.calculate returned {answer!r}, but nothing said before for which k: give it an attribute k, "
                f"e.g. self.k = {list(answer)!r}. (On an example of two users it raised {self._doubt or 'nothing'}.)"
            )
        dropped = [k for k in answer if k not in (self.k or (None,))]
        if dropped:
            raise EvaluationError(
                f"{self.name}.calculate returned numbers for k = {', '.join(map(repr, dropped))}, for which there is no "
                f"column: its k says {list(self.k)}. Give it these, too, or return only those."
            )
        return {label: self._number(answer.get(split_label(label)[1]), answer, label) for label in self.labels}

    def _number(self, value: Any, answer: Any, label: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise EvaluationError(
                f"{self.name}.calculate returned {answer!r}, which has no number for {label}; return a number, or a "
                "mapping from each k to one."
            )
        return float(value)


def _result(answer: Any) -> Any:
    """Return what OmniRec's metrics wrap."""
    return getattr(answer, "result", answer)


def _code(definition: Any, parameters: Mapping[str, Any], name: str) -> str:
    """Return what identifies the code of a metric, and of its parameters' classes that have methods."""
    try:
        return "; ".join([code_of(definition), *codes_within(parameters)])
    except (PlanError, DataError, TypeError, AttributeError) as error:
        raise EvaluationError(f"{name} cannot get a key: {error}") from error


def _attributes(calculator: Any) -> dict[str, Any]:
    """Return a calculator's attributes named like its constructor's parameters, or all where one is missing."""
    attributes = vars(calculator) if hasattr(calculator, "__dict__") else {}
    names = [name for name in inspect.signature(type(calculator)).parameters if name not in ("args", "kwargs", "k")]
    return {name: attributes[name] for name in names} if all(name in attributes for name in names) else dict(attributes)


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
