"""The number of threads in keys: of which algorithms, under which choice, and what earlier releases have recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pandas as pd
import pytest

from omnibench import Cornac, ExperimentPlan, LensKit, MakeImplicit, RecBole, RecPack, UserCrossValidation, from_frame
from omnibench.data.dataset import RecSysDataSet
from omnibench.errors import PlanError
from omnibench.experiment import threads as threads_module
from omnibench.experiment.circumstances import ALL, FIXED
from omnibench.experiment.configuration import Configuration
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.planning import experiments
from omnibench.experiment.recorded import RecordedKeys
from omnibench.experiment.threads import keyed_threads
from omnibench.metrics import NDCG


class Silent:
    """A class that says nothing of threads, as classes did before there was anything to say."""

    def fit(self, train: pd.DataFrame) -> None:
        """Do nothing."""

    def recommend(self, users: list[int], k: int) -> dict[int, list[int]]:
        """Recommend nothing."""
        return {}


class OnFour(Silent):
    """A class that computes with four."""

    threads = 4


class OnAny(Silent):
    """A class whose numbers are the same with any number."""

    threads = "any"


class OnSelf(Silent):
    """A class whose objects have threads of their own."""

    @property
    def threads(self) -> int:
        """Of no interest to a plan."""
        return 8


def configuration(algorithm: object) -> Configuration:
    """The configuration of an algorithm without hyperparameters."""
    plan = ExperimentPlan("threads")
    plan.add_algorithm(algorithm)  # type: ignore[arg-type]
    return plan.configurations()[0]


@pytest.mark.parametrize(
    ("algorithm", "fixed", "everything", "four"),
    [
        (LensKit.EASEScorer, 1, 6, 4),
        (RecBole.LightGCN, 1, 6, 4),
        (LensKit.PopScorer, 0, 0, 0),
        (Silent, 0, 6, 4),
        (OnSelf, 0, 6, 4),
        (OnFour, 4, 6, 4),
        (OnAny, 0, 0, 0),
    ],
)
def test_keys_name_the_threads_of_what_depends_on_them(
    algorithm: object, fixed: int, everything: int, four: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What depends on threads names their number, what does not names none, and a class only an unusual one."""
    monkeypatch.setattr(threads_module, "available_cores", lambda: 6)
    made = configuration(algorithm)
    assert [keyed_threads(made, choice) for choice in (FIXED, ALL, 4)] == [fixed, everything, four]
    monkeypatch.setattr(threads_module, "available_cores", lambda: 1)
    assert keyed_threads(made) == fixed, "the same on every machine"
    assert keyed_threads(configuration(Silent), ALL) == 0, "what was recorded with one thread is still there"


@pytest.mark.parametrize(
    ("algorithm", "choice", "threads"),
    [
        (LensKit.EASEScorer, FIXED, 1),
        (LensKit.EASEScorer, 4, 4),
        (LensKit.PopScorer, FIXED, 0),
        (Silent, FIXED, 1),
        (Silent, 4, 4),
        (OnFour, FIXED, 4),
        (OnAny, 4, 0),
    ],
)
def test_an_experiment_computes_with_what_its_key_means(algorithm: object, choice: int | str, threads: int) -> None:
    """The number of a guest's threads is that of the key, or the usual one; 0 is as many as there are."""
    planned = planned_of(algorithm, choice=choice)
    assert {experiment.threads for experiment in planned} == {threads}
    assert planned[0].guest == (planned[0].configuration.runner, "cpu", threads)


@pytest.mark.parametrize("stated", [0, -1, 2.0, True, "all"])
def test_threads_that_are_no_number_are_refused(stated: object) -> None:
    """The error names the class and says what to give."""
    wrong = type("Wrong", (Silent,), {"threads": stated, "__module__": __name__, "__qualname__": "Silent"})
    with pytest.raises(PlanError, match=r"Silent\.threads is .*; give the number of threads .*, or 'any'"):
        configuration(wrong)


PAIRS = pd.DataFrame({"user": [1, 1, 1, 2, 2, 2, 3, 3], "item": [1, 2, 3, 1, 2, 3, 1, 2], "rating": 5})
DATA = from_frame(PAIRS, "eight").pipe(MakeImplicit(3), UserCrossValidation(2))


def planned_of(
    algorithm: object,
    recorded: dict[str, int] | None = None,
    choice: int | str = FIXED,
    seeds: Sequence[int] = (42,),
    datasets: Sequence[RecSysDataSet] = (DATA,),
) -> list[Experiment]:
    """The two folds of an algorithm, with each seed on each dataset, by a store that has fits of these keys, computed by that many threads."""
    plan = ExperimentPlan("threads")
    plan.add_algorithm(algorithm)  # type: ignore[arg-type]

    def present(keys: Sequence[str]) -> set[str]:
        return {f"fit/{key}" for key in recorded or {}} & {*keys}

    def threads_of(keys: Sequence[str]) -> dict[str, int]:
        return {key: count for key, count in (recorded or {}).items() if key in keys}

    return experiments(
        datasets,
        plan,
        [NDCG(10)],
        versions=lambda _: "1",
        seeds=seeds,
        threads=partial(keyed_threads, choice=choice),
        recorded=RecordedKeys(present=present, threads_of=threads_of),
    )


def test_what_was_computed_with_the_fixed_number_keeps_its_key() -> None:
    """Results whose key names no threads go on where the store says that they are of one thread, and only there."""
    present = planned_of(LensKit.EASEScorer)
    earlier = [replace(one, circumstances=one.circumstances._replace(threads=0)) for one in present]
    (first, second), (first_before, second_before) = ([one.fit_key for one in part] for part in (present, earlier))
    cases = [
        ({}, present),
        ({first_before: 1, second_before: 1}, earlier),
        ({second_before: 1}, earlier),
        ({first_before: 2, second_before: 2}, present),
        ({first_before: 1, second_before: 2}, present),
        ({first_before: 0}, present),
        ({first: 1, first_before: 1, second_before: 1}, present),
        ({second: 1, first_before: 1, second_before: 1}, present),
    ]
    for recorded, expected in cases:
        taken = planned_of(LensKit.EASEScorer, recorded)
        assert [one.fit_key for one in taken] == [one.fit_key for one in expected], recorded
        assert {one.threads for one in taken} == {1}, "also under its earlier key"


@pytest.mark.parametrize("algorithm", [RecPack.ItemKNN, RecBole.FISM, RecBole.NAIS, Cornac.IBPR])
def test_what_is_known_to_be_independent_keeps_the_key_that_named_a_thread(algorithm: object) -> None:
    """Results of an algorithm of which it was not known yet are found; where there are new ones, those count."""
    present = planned_of(algorithm)
    earlier = [replace(one, circumstances=one.circumstances._replace(threads=1)) for one in present]
    (first, _), (first_before, second_before) = ([one.fit_key for one in part] for part in (present, earlier))
    cases = [
        ({}, present),
        ({first_before: 1, second_before: 1}, earlier),
        ({first: 2, first_before: 1, second_before: 1}, present),
    ]
    for recorded, expected in cases:
        assert [one.fit_key for one in planned_of(algorithm, recorded)] == [one.fit_key for one in expected], recorded


@pytest.mark.parametrize(("algorithm", "before"), [(LensKit.ImplicitMFScorer, 0), (RecPack.BPRMF, 1)])
def test_further_seeds_go_with_those_that_are_under_an_earlier_key(algorithm: object, before: int) -> None:
    """Tables show seeds together whose keys differ by the seed alone; what is under the present key stays there."""
    present = planned_of(algorithm, seeds=(42, 43))
    earlier = [replace(one, circumstances=one.circumstances._replace(threads=before)) for one in present]
    first, further = (
        [now if now.seed == seed else then for now, then in zip(present, earlier, strict=True)] for seed in (42, 43)
    )
    keys = {(one.seed, one.circumstances.threads): one.fit_key for one in (*present, *earlier)}
    cases = [
        ({}, present),
        ({keys[42, before]: 1}, earlier),
        ({keys[43, before]: 1}, earlier),
        ({keys[42, before]: 2}, present),
        ({keys[42, 1 - before]: 1, keys[43, before]: 1}, first),
        ({keys[42, before]: 1, keys[43, 1 - before]: 1}, further),
    ]
    for recorded, expected in cases:
        taken = planned_of(algorithm, recorded, seeds=(42, 43))
        assert [one.fit_key for one in taken] == [one.fit_key for one in expected], recorded


def test_a_further_dataset_goes_with_those_that_are_under_an_earlier_key() -> None:
    """Tables have one row of a configuration on all datasets, which is called by its key."""
    datasets = (DATA, from_frame(PAIRS, "eight more").pipe(MakeImplicit(2), UserCrossValidation(2)))
    present = planned_of(RecPack.BPRMF, datasets=datasets)
    earlier = [replace(one, circumstances=one.circumstances._replace(threads=1)) for one in present]
    recorded = {one.fit_key: 1 for one in earlier if one.dataset.key == DATA.key}
    taken = planned_of(RecPack.BPRMF, recorded, datasets=datasets)
    assert [one.fit_key for one in taken] == [one.fit_key for one in earlier]
    assert len({one.algorithm_name for one in taken}) == 1
    (other,) = {one.fit_key for one in present if one.dataset.key != DATA.key and one.fold == 0}
    taken = planned_of(RecPack.BPRMF, {**recorded, other: 1}, datasets=datasets)
    assert {one.fit_key for one in taken} == {
        *recorded,
        *(one.fit_key for one in present if one.dataset.key != DATA.key),
    }


def test_another_number_than_the_fixed_one_has_no_earlier_key() -> None:
    """With a choice of threads nothing goes on under a key that does not name them."""
    earlier = [
        replace(one, circumstances=one.circumstances._replace(threads=0)) for one in planned_of(LensKit.EASEScorer)
    ]
    recorded = {one.fit_key: 2 for one in earlier}
    assert {one.circumstances.threads for one in planned_of(LensKit.EASEScorer, recorded, choice=2)} == {2}
