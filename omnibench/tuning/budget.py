"""How an algorithm is tuned: by which metric, with which budget and sampler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from omnibench.arguments import refuse_unknown
from omnibench.errors import PlanError, nearest
from omnibench.guest import TRAIN_AND_VALIDATION
from omnibench.keys import canonical
from omnibench.metrics.base import Metric
from omnibench.tuning.judging import RecordedMetric, judging_metric
from omnibench.tuning.optuna_objects import identity_of, is_of_optuna
from omnibench.tuning.values import is_integer, is_number

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

TPE, RANDOM, GRID, SOBOL = "tpe", "random", "grid", "sobol"
SAMPLERS = (TPE, RANDOM, GRID, SOBOL)
HALVING, MEDIAN = "halving", "median"
PRUNERS = (HALVING, MEDIAN)

DEFAULT_ROUND = 4
"""Trials that are proposed together where the next ones depend on their results: a machine's usual workers."""

BUDGET_ARGUMENTS = ("metric", "trials", "seconds", "sampler", "pruner", "parallel", "per_fold", "seed", "keep_trials")
"""What a Tuning takes, and nothing else: its refit, too, is said of single algorithms."""

_TRAIN = "train"

_ELSEWHERE = {
    "direction": "the metric itself says whether more is better (higher_is_better)",
    "timeout": "did you mean 'seconds'",
}
"""Arguments of Optuna's studies that a Tuning does not have."""

_SEED_END = 2**32


@dataclass(frozen=True, eq=False, init=False)
class Tuning:
    """The effort that a plan spends on each of its tuned algorithms, and how it is spent.

    Args:
        metric: What is maximised (or minimised, of an error) on the validation part: a label such as ``NDCG@10``, or a
            metric of one column.
        trials: How many configurations are tried, the algorithm's defaults among them.
        seconds: How long Fit, Predict and Eval of the trials may take together; the trial that exceeds it counts.
        sampler: ``tpe``, ``random``, ``grid``, ``sobol``, or a sampler of Optuna.
        pruner: ``halving`` or ``median`` to end trials early that look bad after some epochs, or a pruner of Optuna.
        parallel: How many trials are proposed together, without results of each other: 4 by default. Results depend on
            it, and not on the number of workers. Of ``random``, ``grid`` and ``sobol`` without a pruner it is only the
            largest number of trials that run at the same time.
        per_fold: Whether each fold has its own search; otherwise the first fold's choice is taken for all.
        refit: The parts that the chosen configuration is fitted on for the test: ``train``, where the trial's own model is
            taken, or ``train+validation``; the benchmark's choice by default.
        seed: Another one proposes other configurations.
        keep_trials: Whether models of trials that were not chosen are kept.

    Raises:
        PlanError: Something is impossible.
    """

    metric: Metric
    trials: int | None
    seconds: float | None
    sampler: str | BaseSampler | Mapping[str, Any]
    pruner: str | BasePruner | Mapping[str, Any] | None
    parallel: int | None
    per_fold: bool
    refit: str | None
    seed: int | None
    keep_trials: bool

    @refuse_unknown("Tuning('NDCG@10', trials=30)", elsewhere=_ELSEWHERE)
    def __init__(
        self,
        metric: str | Metric,
        trials: int | None = None,
        seconds: float | None = None,
        sampler: str | BaseSampler = TPE,
        pruner: str | BasePruner | None = None,
        parallel: int | None = None,
        per_fold: bool = True,
        refit: str | None = None,
        seed: int | None = None,
        keep_trials: bool = False,
    ) -> None:
        self._set(
            metric=judging_metric(metric),
            trials=_count(trials, "trials", "trials=30"),
            seconds=_duration(seconds),
            sampler=_checked(sampler, "sampler", SAMPLERS),
            pruner=None if pruner is None else _checked(pruner, "pruner", PRUNERS),
            parallel=_count(parallel, "parallel", "parallel=4"),
            per_fold=_truth(per_fold, "per_fold"),
            refit=_refit(refit),
            seed=_seed(seed),
            keep_trials=_truth(keep_trials, "keep_trials"),
        )
        if trials is None and seconds is None and sampler != GRID:
            raise PlanError(
                'a Tuning has no budget; give trials=30, or seconds=600, or both. Only sampler="grid" ends by itself.'
            )
        _ = self.proposing  # before the sampler is used, which changes it

    @classmethod
    def from_identity(cls, data: Mapping[str, Any]) -> Tuning:
        """Return what a record says of a tuning: samplers and pruners of Optuna are their identities in it."""
        proposing, budget = data["proposing"], data["budget"]
        tuning = object.__new__(cls)
        tuning._set(
            metric=RecordedMetric(proposing["metric"]),
            trials=budget["trials"],
            seconds=budget["seconds"],
            sampler=proposing["sampler"],
            pruner=proposing["pruner"],
            parallel=proposing["parallel"],
            per_fold=data["per_fold"],
            refit=data["refit"],
            seed=proposing["seed"],
            keep_trials=False,
        )
        return tuning

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def label(self) -> str:
        """The column of the metric, e.g. ``NDCG@10``."""
        return self.metric.labels[0]

    @property
    def higher_is_better(self) -> bool:
        """Whether the largest value of the metric is the best."""
        return self.metric.higher_is_better

    @property
    def round_size(self) -> int | None:
        """How many trials are proposed together; None where no trial depends on the result of another."""
        if self.pruner is None and self.sampler in (RANDOM, GRID, SOBOL):
            return None
        return self.parallel or DEFAULT_ROUND

    @property
    def budget(self) -> dict[str, Any]:
        """The effort: ``trials`` and ``seconds``, None where it is not limited so."""
        return {"trials": self.trials, "seconds": self.seconds}

    @property
    def budget_words(self) -> str:
        """The effort in words, e.g. ``30 trials`` or ``30 trials or 600 s``."""
        limits = [f"{self.trials} trial{'' if self.trials == 1 else 's'}"] if self.trials is not None else []
        limits += [f"{self.seconds:g} s"] if self.seconds is not None else []
        return " or ".join(limits) or "the whole grid"

    @property
    def sampler_words(self) -> str:
        """What proposes trials, e.g. ``tpe`` or ``Optuna's GPSampler``."""
        return _words(self.sampler)

    @property
    def pruner_words(self) -> str:
        """What ends trials early, e.g. ``halving``; empty where nothing does."""
        return "" if self.pruner is None else _words(self.pruner)

    @cached_property
    def proposing(self) -> dict[str, Any]:
        """All that decides which trials are proposed and how far they come, as JSON data."""
        return {
            "metric": {
                "label": self.label,
                "identity": self.metric.identity(self.label),
                "higher_is_better": self.higher_is_better,
            },
            "sampler": _identity(self.sampler),
            "pruner": _identity(self.pruner),
            "parallel": self.round_size,
            "seed": self.seed,
        }

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides a search's results, as JSON data."""
        return {"proposing": self.proposing, "budget": self.budget, "refit": self.refit, "per_fold": self.per_fold}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tuning) and canonical(self.identity) == canonical(other.identity)

    def __hash__(self) -> int:
        return hash(canonical(self.identity))


def _identity(argument: Any) -> Any:
    return argument if argument is None or isinstance(argument, str | Mapping) else identity_of(argument)


def _words(argument: Any) -> str:
    if isinstance(argument, str):
        return argument
    definition = str(argument["class"]).rpartition(".")[2] if isinstance(argument, Mapping) else type(argument).__name__
    return f"Optuna's {definition}"


def _checked(argument: Any, name: str, names: tuple[str, ...]) -> Any:
    """Return a sampler or pruner: one of omnibench's names, or an object of Optuna."""
    base = f"{name}s.Base{name.capitalize()}"
    if argument in names if isinstance(argument, str) else is_of_optuna(argument, base):
        return argument
    listed = ", ".join(f"{choice!r}" for choice in names)
    if isinstance(argument, type) and argument.__module__.startswith("optuna."):
        raise PlanError(f"the {name} of a Tuning is the class {argument.__name__}; write {argument.__name__}().")
    near = nearest(argument, names) if isinstance(argument, str) else ""
    raise PlanError(
        f"the {name} of a Tuning is {argument!r}{near or '.'} There are {listed}, and the {name}s of Optuna."
    )


def _count(argument: Any, name: str, example: str) -> int | None:
    if argument is None:
        return None
    if not is_integer(argument) or argument < 1:
        raise PlanError(f"{name} of a Tuning is {argument!r}; give a whole number of at least 1, e.g. {example}.")
    return int(argument)


def _duration(argument: Any) -> float | None:
    if argument is None:
        return None
    if not is_number(argument) or argument <= 0:
        raise PlanError(f"seconds of a Tuning is {argument!r}; give a number above 0, e.g. seconds=600.")
    return float(argument)


def _seed(argument: Any) -> int | None:
    if argument is None:
        return None
    if not is_integer(argument) or not 0 <= argument < _SEED_END:
        raise PlanError(f"seed of a Tuning is {argument!r}; give an integer from 0 to {_SEED_END - 1}.")
    return int(argument)


def _truth(argument: Any, name: str) -> bool:
    if not isinstance(argument, bool):
        raise PlanError(f"{name} of a Tuning is {argument!r}; give True or False.")
    return argument


def _refit(argument: Any) -> str | None:
    if argument in (None, _TRAIN, TRAIN_AND_VALIDATION):
        return str(argument) if argument is not None else None
    raise PlanError(f"refit of a Tuning is {argument!r}; give {_TRAIN!r} or {TRAIN_AND_VALIDATION!r}.")
