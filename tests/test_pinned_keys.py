"""Keys as releases have made them: who changes one makes results of every store unreachable, and has to say so."""

from __future__ import annotations

import pandas as pd
import pytest
from support.newest import Newest

from omnibench import (
    HR,
    NDCG,
    RMSE,
    CorePruning,
    Deduplicate,
    ExperimentPlan,
    GivenCandidates,
    LeaveLastOut,
    LensKit,
    MakeImplicit,
    RatingFilter,
    RecBole,
    RecPack,
    RecSysDataSet,
    SampledNegatives,
    Subsample,
    TimeBasedHoldout,
    TimeFilter,
    UserCrossValidation,
    UserHoldout,
    from_frame,
)
from omnibench.experiment.candidates import UNSEEN, Candidates
from omnibench.experiment.experiment import Experiment, eval_key
from omnibench.experiment.planning import experiments
from omnibench.experiment.recorded import RecordedKeys

FRAME = pd.DataFrame(
    {
        "user": [1, 1, 1, 2, 2, 3, 3, 3, 4, 4],
        "item": ["a", "b", "c", "a", "b", "b", "c", "d", "d", "a"],
        "rating": [5.0, 3.0, 1.0, 4.0, 2.5, 3.5, 4.0, 1.0, 2.0, 5.0],
        "timestamp": [100, 200, 300, 150, 250, 50, 60, 70, 400, 500],
    }
)
PREDICTIONS, TEST = "a" * 64, "b" * 64

DATASETS = {
    "folds": "383592160a773dc362d43db03643c3b853afe55f2dabfc0e2868cbeff42b157c",
    "explicit": "3bd951f54fb91577991788dfb0a527e8c13296a50f83027e51b53cfb0bc5500c",
    "last": "f3b3a295980f247adfee34a4a8967d425ab14cfa4844f23b0a9b94a8e0d9eab4",
    "time": "9d9d4115946bae9a8b95da0be29d98ad1c34f5ef5d989a1aee5d4953746535e5",
}

EXPERIMENTS = {
    "LensKit": (
        "6d02615878d716c4bc6365e7ea2429fa8f3680a013a238261f549e088028c9f8",
        "09d95e34b364ae4d7150a9d3523973ea239670fc460e1e31ae72dbf4c8e25ec3",
        "524253ca9223550543b875cacab6b2517d1acaf9c668bf1ca3073ccc987c3abe",
    ),
    "RecBole": (
        "73c0cd2a29238de783635c73f914227322c16b28eb9bc1d5c28928ed5d886c1d",
        "10c2c0b025944fe767752523143f4702645d506b700a2d148727b12c35c942dd",
        "465e9d8f97886d08a92c2b78bcbdfc5a647603c230fd4d45e30fb5799d70c5af",
    ),
    "RecPack": (  # revision 1 of EASE, whose scores are ranked in float64
        "e5022aec05bc626c9d5eb5d6c1185cbc443cf788763ed6d179f608971b637fa7",
        "bab26b6f969a7b363222d33a6a2b2a0f347c1a4294dde302de2cfc455089213f",
        "6270e33305af8e185e3f1872c03f90523f1463121bda3ab36d009d84e811f4ea",
    ),
    "ratings": (
        "19e49a20e908004b05f6c5287563143feb5669dfa8dfbc762ec39fcc8f8e9e12",
        "3032a3be64c127cfd6976d10e000dfec64d6fcd4eb91086b8851dc5d48f4eccf",
        "54809fbcfa5d05d08a96212212a49782088af2d3870845933f5ea238b4b076ba",
    ),
    "own": (
        "024a242df386a5e0f28926e59f1ae2a002feb3959e5601f5acddc572c218251d",
        "f0a11c6462cb824acd14fc2f97c84437b6a547bed7185f8a3976cc978c2b0578",
        "eb1d6fc5abfce84421ce84c5c37004bea4b9fb2fb70f4ee9e508190453e1df2e",
    ),
    "sampled": (
        "fa3bf4586d0aa51b42beeb8b5709e70fe109cb5732d7b4970ee6bf493c712666",
        "67ab8306fde6be424a0c6d1e8536c0fd7e925c080513e8322128dd22d98ae745",
        "7cc71f0e94b231d3d9a7c998ca6d435251c22c26c378d61a7b7365c09f821f40",
    ),
    "given": (
        "fa3bf4586d0aa51b42beeb8b5709e70fe109cb5732d7b4970ee6bf493c712666",
        "86c7784b9c344520ede81940229aa357fff6d38fa96f8b93dbb02a3165b88058",
        "7cc71f0e94b231d3d9a7c998ca6d435251c22c26c378d61a7b7365c09f821f40",
    ),
}


def datasets() -> dict[str, RecSysDataSet]:
    """Recipes of every sort on the same ten interactions."""
    raw = from_frame(FRAME, "ten")
    return {
        "folds": raw.pipe(MakeImplicit(3), CorePruning(2), UserCrossValidation(2, validation_size=0.1)),
        "explicit": raw.pipe(RatingFilter(2), UserHoldout(validation_size=0.25, test_size=0.25)),
        "last": raw.pipe(MakeImplicit(1), Deduplicate(), LeaveLastOut()),
        "time": raw.pipe(MakeImplicit(1), Subsample(0.9), TimeFilter(start=60), TimeBasedHoldout(0.1, 0.2)),
    }


def of(
    dataset: str,
    algorithm: object,
    parameters: dict[str, object] | None = None,
    candidates: Candidates = UNSEEN,
    recorded: str = "",
) -> Experiment:
    """The first experiment of an algorithm on a recipe, with everything fixed that a machine could decide.

    The store has an item of the fit key ``recorded``, which one thread computed, and no other.
    """
    plan = ExperimentPlan("pinned")
    plan.add_algorithm(algorithm, parameters or {})  # type: ignore[arg-type]
    metric = RMSE() if dataset == "explicit" else NDCG(10)
    return experiments(
        datasets()[dataset],
        plan,
        [metric],
        versions=lambda _: "2026.1",
        seeds=[42],
        candidates=candidates,
        recorded=RecordedKeys(
            present=lambda keys: {f"item/{recorded}"} & {*keys},
            threads_of=lambda keys: {recorded: 1} if recorded in keys else {},
        ),
    )[0]


@pytest.mark.parametrize(("name", "key"), DATASETS.items())
def test_the_key_of_a_dataset_stays(name: str, key: str) -> None:
    """Source, steps, split and seed make the key that the first release has made of them."""
    assert datasets()[name].key == key


def experiments_of_every_sort() -> dict[str, Experiment]:
    """One experiment of every framework and of an own class, and of every way to choose candidates."""
    with pytest.warns(UserWarning, match="sample"):
        sampled = SampledNegatives(3)
    return {
        "LensKit": of("folds", LensKit.ItemKNNScorer, {"max_nbrs": 20}),
        "RecBole": of("folds", RecBole.BPR, {"epochs": 3, "learning_rate": 1e-3}),
        "RecPack": of("last", RecPack.EASE, {"l2": 500.0}, recorded=EXPERIMENTS["RecPack"][0]),
        "ratings": of("explicit", LensKit.BiasScorer),
        "own": of("time", Newest, recorded=EXPERIMENTS["own"][0]),
        "sampled": of("folds", RecPack.ItemKNN, {"K": 100}, sampled),
        "given": of("folds", RecPack.ItemKNN, {"K": 100}, GivenCandidates({1: ["a", "b"]})),
    }


def keys_of(experiment: Experiment, metric: HR | RMSE) -> tuple[str, str, str]:
    """The keys of Fit, Predict (lists of 20) and Eval of one metric."""
    evaluation = eval_key(experiment.fit_key, PREDICTIONS, TEST, metric, metric.labels[0])
    return experiment.fit_key, experiment.predict_key(20), evaluation


OWN_WITHOUT_DOCSTRINGS = (
    "e41c7ad062ae52b9b79a434c6380c4a739ad776606a499e698d029f864431db6",
    "2c425812dee6088a92525a67b40edf9591e3c89feb4a1d57724a78bdf823bbc9",
    "42b2f3dc99b3b48066366c70ca46a1a576872f5231c23d385e462c6daef6d890",
)


def test_own_classes_with_docstrings_have_two_keys() -> None:
    """Docstrings do not count any more, and what the first release has recorded of a class that has some is found."""
    assert keys_of(of("time", Newest), HR(10)) == OWN_WITHOUT_DOCSTRINGS
    earlier = EXPERIMENTS["own"]
    assert keys_of(of("time", Newest, recorded=earlier[0]), HR(10)) == earlier


EASE_BEFORE = (
    "f1a4e3181d5c26d6d947643844584629cfb7c5d4627f1833ced59fdc40ac059f",
    "980c4667df21493212f0db5268ec0c25cf1fdec7b787896c546aee10369c5f93",
    "fc09d7829dfd9cffecd5b3f1b0a02862c2eb987bd4ff2783622aa0f51ab57c11",
)
EASE = (
    "b86a5ddbbd3a5ec28a6b43c394a93603b8857eff9894f4aac1658bc5cd884256",
    "3023aa69518daf043e39a817d84c307a705698e088251cafc17ea7b855630394",
    "58de7f938ac5a3928b0e7a21edd13a87d7d20642bdf8f6804ca00d1cc286a672",
)


def test_what_depends_on_threads_has_two_keys() -> None:
    """Its key names them by now, and what the first release has recorded with one thread is found."""
    assert keys_of(of("folds", LensKit.EASEScorer), HR(10)) == EASE
    assert keys_of(of("folds", LensKit.EASEScorer, recorded=EASE_BEFORE[0]), HR(10)) == EASE_BEFORE


@pytest.mark.parametrize(("name", "keys"), EXPERIMENTS.items())
def test_the_keys_of_an_experiment_stay(name: str, keys: tuple[str, str, str]) -> None:
    """Fit, Predict (lists of 20) and Eval of one metric keep the keys that the first release has made, but for revisions."""
    experiment = experiments_of_every_sort()[name]
    metric = RMSE() if name == "ratings" else HR(10)
    assert keys_of(experiment, metric) == keys
