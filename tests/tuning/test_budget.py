"""How an algorithm is tuned: arguments, their identity, and refusals."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import subprocess
import sys
from typing import Any

import optuna
import pytest
from support.hash_seeds import run_with_hash_seeds

from omnibench import NDCG, RMSE, Choice, Float, HitMetric, Int, Log, Recall, Tuning, When
from omnibench.errors import PlanError
from omnibench.keys import canonical
from omnibench.tuning.optuna_objects import identity_of
from omnibench.tuning.space import Space


def test_a_label_is_the_metric() -> None:
    """A label names the metric of omnibench with its direction; a metric object may say more than a label."""
    assert Tuning("NDCG@10", trials=3).label == "NDCG@10"
    assert Tuning("NDCG@10", trials=3) == Tuning(NDCG(10), trials=3)
    assert not Tuning("RMSE", trials=3).higher_is_better
    assert Tuning(Recall(5, relevant=4), trials=3).label == "Recall[relevant=4]@5"
    assert Tuning(RMSE(), trials=3) == Tuning("RMSE", trials=3)


@pytest.mark.parametrize(
    "tuning",
    [
        Tuning("NDCG@10", trials=30),
        Tuning(
            "RMSE", seconds=10.5, sampler="random", pruner="halving", parallel=2, per_fold=False, refit="train", seed=7
        ),
        Tuning(
            "NDCG@10", trials=3, sampler=optuna.samplers.RandomSampler(seed=3), pruner=optuna.pruners.MedianPruner()
        ),
        Tuning("NDCG@10", sampler="grid"),
    ],
)
def test_tunings_round_trip_through_their_identity(tuning: Tuning) -> None:
    """A record gives back all that decides results."""
    again = Tuning.from_identity(json.loads(json.dumps(tuning.identity)))
    assert again == tuning
    assert canonical(again.identity) == canonical(tuning.identity)
    assert (again.label, again.higher_is_better, again.budget) == (tuning.label, tuning.higher_is_better, tuning.budget)
    assert (again.sampler_words, again.pruner_words) == (tuning.sampler_words, tuning.pruner_words)


def test_the_budget_decides_no_proposal() -> None:
    """A larger budget continues the same search; a sampler, a seed or another size of rounds makes another."""
    small = Tuning("NDCG@10", trials=30)
    assert small.proposing == Tuning("NDCG@10", trials=60, seconds=5, refit="train", per_fold=False).proposing
    assert small.proposing != Tuning("NDCG@10", trials=30, parallel=2).proposing
    assert small.proposing != Tuning("NDCG@10", trials=30, seed=1).proposing
    assert small.proposing == Tuning("NDCG@10", trials=30, parallel=4).proposing


def test_rounds_are_where_results_decide() -> None:
    """Random, grid and Sobol searches have no rounds, unless a pruner compares their trials."""
    assert Tuning("NDCG@10", trials=3).round_size == 4
    assert Tuning("NDCG@10", trials=3, parallel=2).round_size == 2
    assert Tuning("NDCG@10", trials=3, sampler="random", parallel=2).round_size is None
    assert Tuning("NDCG@10", trials=3, sampler="random", pruner="median").round_size == 4
    assert Tuning("NDCG@10", trials=3, sampler=optuna.samplers.RandomSampler()).round_size == 4


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_samplers_of_optuna_are_told_apart_by_their_settings() -> None:
    """The same settings are the same sampler, whether seeded or not; others are another."""
    samplers = optuna.samplers
    assert identity_of(samplers.TPESampler()) == identity_of(samplers.TPESampler())
    assert identity_of(samplers.TPESampler(seed=1)) == identity_of(samplers.TPESampler(seed=1))
    different = [
        samplers.TPESampler(),
        samplers.TPESampler(seed=1),
        samplers.TPESampler(seed=2),
        samplers.TPESampler(n_startup_trials=3),
        samplers.RandomSampler(),
        samplers.QMCSampler(qmc_type="halton"),
        samplers.QMCSampler(qmc_type="sobol"),
        samplers.NSGAIISampler(population_size=10),
        samplers.NSGAIISampler(population_size=12),
        samplers.GridSampler({"x": [1, 2]}),
        samplers.GridSampler({"x": [1, 3]}),
    ]
    identities = [canonical(identity_of(sampler)) for sampler in different]
    assert len(set(identities)) == len(different)


_IDENTITIES = """
import warnings; warnings.simplefilter("ignore")
import json, optuna
from omnibench.tuning.optuna_objects import identity_of
from omnibench.tuning.space import Space
samplers = [optuna.samplers.TPESampler(), optuna.samplers.TPESampler(seed=5), optuna.samplers.QMCSampler(scramble=True),
            optuna.samplers.NSGAIISampler(), optuna.samplers.GridSampler({"x": [1, 2]}), optuna.samplers.BruteForceSampler(),
            optuna.samplers.PartialFixedSampler({"y": 1}, optuna.samplers.RandomSampler()), optuna.samplers.NSGAIIISampler(),
            optuna.pruners.HyperbandPruner(), optuna.pruners.PatientPruner(optuna.pruners.MedianPruner(), 2)]
print(json.dumps([identity_of(each) for each in samplers], sort_keys=True))
"""


def test_the_identity_of_an_optuna_sampler_is_the_same_in_every_process() -> None:
    """Neither the hash seed, nor a generator that is seeded from the clock, nor an address is part of it."""
    texts = {process.stdout for process in run_with_hash_seeds(_IDENTITIES)}
    assert len(texts) == 1
    assert "0x" not in next(iter(texts))


class Class:
    """No metric."""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("NDGC@10",), "omnibench has no metric 'NDGC'; did you mean 'NDCG@10'?"),
        (("ndcg@10",), "did you mean 'NDCG@10'?"),
        (("NDCG",), "give its list length, e.g. 'NDCG@10'"),
        (("RMSE@10",), "RMSE has no list length, write 'RMSE'"),
        (("NDCG@0",), "the list length is a positive number"),
        (("NDCG@ten",), "the list length is a positive number"),
        (("NDCG[relevant=4]@10",), "give the metric itself, e.g. NDCG[(]10, relevant=4[)]"),
        (("FitTime",), "FitTime is a cost"),
        ((NDCG,), "is the class NDCG; write NDCG[(]10[)]"),
        ((NDCG([10, 20]),), "has 2 columns, NDCG@10, NDCG@20; give one of them"),
        ((3,), "is 3; give a label or a metric"),
        ((Class(),), "give a label or a metric"),
        (("HitMetric@10",), "needs more than a label says"),
    ],
)
def test_metrics_are_checked(arguments: tuple[Any], sentence: str) -> None:
    """A metric that cannot be computed is refused where the plan is written."""
    with pytest.raises(PlanError, match=sentence):
        Tuning(*arguments, trials=3)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "has no budget; give trials=30, or seconds=600"),
        ({"trials": 0}, "trials of a Tuning is 0; give a whole number of at least 1"),
        ({"trials": True}, "trials of a Tuning is True"),
        ({"trials": 2.5}, "trials of a Tuning is 2.5"),
        ({"trials": "30"}, "trials of a Tuning is '30'"),
        ({"seconds": 0}, "seconds of a Tuning is 0; give a number above 0"),
        ({"seconds": float("nan")}, "seconds of a Tuning is nan"),
        (
            {"trials": 3, "sampler": "tep"},
            "sampler of a Tuning is 'tep'; did you mean 'tpe'.* There are 'tpe', 'random'",
        ),
        ({"trials": 3, "sampler": optuna.samplers.TPESampler}, "is the class TPESampler; write TPESampler[(][)]"),
        (
            {"trials": 3, "sampler": optuna.pruners.NopPruner()},
            "There are 'tpe', 'random', 'grid', 'sobol', and the samplers",
        ),
        ({"trials": 3, "pruner": "halvign"}, "pruner of a Tuning is 'halvign'; did you mean 'halving'"),
        ({"trials": 3, "pruner": True}, "pruner of a Tuning is True"),
        ({"trials": 3, "parallel": 0}, "parallel of a Tuning is 0"),
        ({"trials": 3, "per_fold": "no"}, "per_fold of a Tuning is 'no'; give True or False"),
        ({"trials": 3, "refit": "all"}, "refit of a Tuning is 'all'; give 'train' or 'train[+]validation'"),
        ({"trials": 3, "seed": -1}, "seed of a Tuning is -1"),
        ({"trails": 3}, "Tuning has no argument 'trails'; did you mean 'trials'"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, Any], sentence: str) -> None:
    """Each impossible argument is refused with the one that was probably meant."""
    with pytest.raises(PlanError, match=sentence):
        Tuning("NDCG@10", **arguments)


def test_a_tuning_can_be_copied_and_changed() -> None:
    """An override of a plan's tuning is a copy with another budget; copies, and those of spaces, are equal."""
    tuning = Tuning("NDCG@10", trials=30, sampler=optuna.samplers.TPESampler())
    assert dataclasses.replace(tuning, trials=60).budget == {"trials": 60, "seconds": None}
    assert copy.deepcopy(tuning) == pickle.loads(pickle.dumps(tuning)) == tuning
    space = Space.of(
        {
            "solver": Choice(["als", [1]]),
            "rate": When("solver", "als", Log(1e-4, 1.0)),
            "k": Int(1, 9),
            "x": Float(0, 1),
        }
    )
    assert copy.deepcopy(space) == pickle.loads(pickle.dumps(space)) == space


def fraction(hits: Any, relevant: Any) -> Any:  # noqa: ARG001 - what every metric gets
    """Return a value per user."""
    return hits.mean(axis=1)


def test_own_metrics_judge_as_well() -> None:
    """A user's function of hits is a metric to tune by, with its own direction."""
    tuning = Tuning(HitMetric(fraction, 5, higher_is_better=False), trials=3)
    assert tuning.label == "fraction@5"
    assert not tuning.higher_is_better
    assert Tuning.from_identity(json.loads(json.dumps(tuning.identity))) == tuning


def test_nothing_imports_optuna_before_it_is_needed() -> None:
    """Neither omnibench, nor spaces and budgets that are declared, cost Optuna's import."""
    code = (
        "import sys, omnibench; omnibench.Tuning('NDCG@10', trials=3); "
        "from omnibench.tuning.space import Space; Space.of({'l2': omnibench.Log(1, 10)}); "
        "import omnibench.plugin.hooks; "
        "plan = omnibench.ExperimentPlan('untuned'); plan.add_algorithm(omnibench.RecPack.EASE, {'l2': omnibench.Grid([1, 10])}); "
        "assert 'optuna' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
