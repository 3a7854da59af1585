"""RecTools beyond what all frameworks are asked: sequences, categories, strangers, and hyperparameters of what it wraps."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.agreeing_lists import disagreement
from support.guest_scripts import GUEST, run
from support.own_features import write_features

from omnibench import (
    ExperimentPlan,
    LeaveLastOut,
    RecSysDataSet,
    RecTools,
    StrongGeneralization,
    UserHoldout,
    from_frame,
)
from omnibench.data.prepare import prepare
from omnibench.errors import PlanError
from omnibench.experiment.compatibility import check_configuration
from omnibench.guest.folds import Fold
from omnibench.runners.gateway import Guest
from omnibench.runners.info import refused_algorithms
from omnibench.runners.registry import get_runner
from omnibench.runners.thread_variables import thread_variables

SEED = 42
SHORT = {"epochs": 2, "n_factors": 16, "session_max_len": 6, "batch_size": 16}


def walks(users: int = 60, items: int = 40, each: int = 14) -> RecSysDataSet:
    """Return users who walk around a circle of items, each of which has a category; several steps are of one moment."""
    rng = np.random.default_rng(5)
    user = np.repeat(np.arange(users), each)
    step = np.tile(np.arange(each), users)
    item = (user * 7 + 2 * step + rng.integers(0, 2, len(user))) % items
    time = 881_250_949 + rng.integers(0, 40, users)[user] * 5000 + step // 2 * 9
    frame = pd.DataFrame({"user": user, "item": item, "timestamp": time}).drop_duplicates(["user", "item"])
    return from_frame(frame, "walks")


def described_walks() -> RecSysDataSet:
    """Return the walks with texts, lists, truth values and numbers about items and users, some of which are missing."""
    number = np.arange(40)
    lists = [["crime", "dark night", "war"][: item % 4] if item % 9 else None for item in number]
    kinds = [("north", "south", None)[item % 3] for item in number]
    items = pd.DataFrame(
        {"item": number, "genres": lists, "kind": kinds, "price": np.where(number % 5, number % 7, np.nan)}
    )
    user = np.arange(60)
    users = pd.DataFrame({"user": user, "gender": np.where(user % 2, "f", "m"), "member": user % 3 == 0})
    return walks().with_features(items=items, users=users)


def compared(
    dataset: RecSysDataSet, algorithms: Sequence[str], settings: dict[str, Any], python: Path, root: Path
) -> dict[str, str]:
    """Return in what the adapter's lists are not those of RecTools' own script, by algorithm."""
    data, work = root / "data", root / "work"
    data.mkdir()
    work.mkdir()
    prepare(dataset, data)
    write_features(data)
    jobs = [
        {"algorithm": name, "settings": settings, "changes": [], "output": str(work / f"{name}-own.npy")}
        for name in algorithms
    ]
    (work / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    words = [word for name in algorithms for word in (name, json.dumps(settings), work / f"{name}.npy")]
    run(python, "rectools_own.py", data, 0, SEED, work / "jobs.json", cwd=work)
    run(python, "adapter_run.py", GUEST, "rectools", data, 0, SEED, Fold(data, 0).n_items, *words, cwd=work)
    for name in algorithms:
        assert (np.load(work / f"{name}.npy")["item"][:, :3] >= 0).all(), "else nothing is compared"
    return {name: disagreement(work / f"{name}.npy", work / f"{name}-own.npy") for name in algorithms}


@pytest.mark.slow
@pytest.mark.guests
def test_transformers_rank_as_rectools_does_after_the_same_sequences(
    environment_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """They learn from training, read validation as well, and HSTU recommends at the moment of the last item."""
    algorithms = ("SASRecModel", "BERT4RecModel", "HSTUModel")
    split = walks().pipe(LeaveLastOut(validation_size=1))
    assert set(compared(split, algorithms, SHORT, environment_python("RecTools"), tmp_path).values()) == {""}


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "gBCE", "n_negatives": 4, "similarity_module_kwargs": {"distance": "cosine"}},
        {"loss": "sampled_softmax", "n_negatives": 3, "use_pos_emb": False},
    ],
    ids=["gBCE, cosine", "sampled softmax"],
)
def test_transformers_with_other_losses_and_distances_rank_as_rectools_does(
    settings: dict[str, Any], environment_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """With negative items, which are drawn, and with cosines in the place of products."""
    split = walks().pipe(LeaveLastOut(validation_size=1))
    python = environment_python("RecTools")
    assert compared(split, ["SASRecModel"], {**SHORT, **settings}, python, tmp_path) == {"SASRecModel": ""}


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.parametrize(
    ("algorithms", "settings"),
    [(("SASRecModel", "HSTUModel"), SHORT), (("EASEModel", "ImplicitItemKNNWrapperModel"), {})],
    ids=["sequences", "histories"],
)
def test_strangers_are_ranked_by_what_is_given_of_them(
    algorithms: Sequence[str], settings: dict[str, Any], environment_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """As RecTools recommends where the dataset that it is given has users whom it has not learned from."""
    split = walks().pipe(StrongGeneralization(0.1, 0.2, 0.3))
    assert set(compared(split, algorithms, settings, environment_python("RecTools"), tmp_path).values()) == {""}


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.parametrize(
    "settings", [{}, {"mixing_strategy": "group", "ratio_strategy": "equal", "n_categories": 2}], ids=["default", "two"]
)
def test_the_popular_in_category_are_those_of_rectools(
    settings: dict[str, Any], environment_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """By a feature of the items that the dataset has, however the categories are mixed."""
    dataset = walks().pipe(UserHoldout(0.1, 0.2))
    kinds = pd.DataFrame({"item": np.arange(40), "kind": [f"kind {item * 7 % 3}" for item in range(40)]})
    name, given = "PopularInCategoryModel", {"category_feature": "kind", **settings}
    python = environment_python("RecTools")
    assert compared(dataset.with_features(items=kinds), [name], given, python, tmp_path) == {name: ""}


@pytest.mark.guests
@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        ("LightFMWrapperModel", {"item_features": ["genres", "kind", "price"], "user_features": ["gender", "member"]}),
        pytest.param(
            "ImplicitALSWrapperModel",
            {"item_features": ["genres", "price"], "user_features": ["gender"]},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "ImplicitALSWrapperModel",
            {"item_features": ["kind"], "fit_features_together": True},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "DSSMModel",
            {
                "item_features": ["genres", "kind", "price"],
                "user_features": ["gender", "member"],
                "max_epochs": 2,
                "n_factors": 16,
            },
            marks=pytest.mark.slow,
        ),
        pytest.param("SASRecModel", {"item_features": ["genres", "kind"], **SHORT}, marks=pytest.mark.slow),
        pytest.param("BERT4RecModel", {"item_features": ["kind"], **SHORT}, marks=pytest.mark.slow),
        pytest.param(
            "HSTUModel",
            {
                "item_features": ["genres"],
                "item_net_block_types": ["rectools.models.nn.item_net.CatFeaturesItemNet"],
                **SHORT,
            },
            marks=pytest.mark.slow,
        ),
    ],
)
def test_lists_with_features_are_those_of_rectools(
    algorithm: str, settings: dict[str, Any], environment_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """Of texts, lists, truth values and numbers, also where some are missing, fitted for more than one epoch."""
    epochs = {"LightFMWrapperModel": {"epochs": 3}, "ImplicitALSWrapperModel": {"model.iterations": 3}}
    reads_sequences = get_runner("RecTools").catalogue["algorithms"][algorithm].get("sequential")
    split = LeaveLastOut(validation_size=1) if reads_sequences else UserHoldout(0.1, 0.2)
    dataset = described_walks().pipe(split)
    given = {**epochs.get(algorithm, {}), **settings}
    assert compared(dataset, [algorithm], given, environment_python("RecTools"), tmp_path) == {algorithm: ""}


def test_a_category_that_the_items_do_not_have_is_refused_before_anything_runs() -> None:
    """By the names of the algorithm, the dataset and the feature, also where none is named."""
    bare = walks().pipe(UserHoldout(0.1, 0.2))
    dataset = bare.with_features(items=pd.DataFrame({"item": [0, 1], "kind": ["a", "b"]}))
    plan = ExperimentPlan()
    plan.add_algorithm(RecTools.PopularInCategoryModel, {"category_feature": "kind"})
    plan.add_algorithm(RecTools.PopularInCategoryModel, {"category_feature": "kinds"})
    plan.add_algorithm(RecTools.PopularInCategoryModel)
    fitting, misspelled, unnamed = plan.configurations()
    check_configuration(dataset, fitting)
    with pytest.raises(PlanError, match=r"needs the feature 'kinds' .* but its items have kind; did you mean 'kind'"):
        check_configuration(dataset, misspelled)
    with pytest.raises(PlanError, match=r"needs the feature 'kind' .* but nothing is known about its items"):
        check_configuration(bare, fitting)
    with pytest.raises(PlanError, match=r"PopularInCategoryModel needs category_feature, .* those of walks have kind"):
        check_configuration(dataset, unnamed)


@pytest.mark.parametrize(
    ("algorithm", "parameters", "known", "says"),
    [
        ("LightFMWrapperModel", {"user_features": ["age"]}, ("users",), r"asks for the feature 'age' of users"),
        ("ImplicitALSWrapperModel", {"item_features": ["genre"]}, ("items",), r"have genres.*did you mean 'genres'"),
        (
            "SASRecModel",
            {"item_features": ["kind"]},
            (),
            r"asks for the feature 'kind' of items .*, but walks has none",
        ),
        (
            "LightFMWrapperModel",
            {"item_features": ["genres", "genres"]},
            ("items",),
            r"asks for the feature 'genres' of items twice",
        ),
        ("DSSMModel", {}, ("items",), r"learns from features of users, but walks has none"),
        ("BERT4RecModel", {"item_features": None}, (), r"learns from features of items, but walks has none"),
    ],
)
def test_a_feature_that_the_data_lacks_is_refused_before_anything_runs(
    algorithm: str, parameters: dict[str, Any], known: Sequence[str], says: str
) -> None:
    """By the names of the model, the feature and the data, also where all are asked for and there is none, or one is named twice."""
    frames = {
        "items": pd.DataFrame({"item": [0, 1], "genres": [["war"], ["crime"]]}),
        "users": pd.DataFrame({"user": [0, 1], "gender": ["f", "m"]}),
    }
    chosen: dict[str, Any] = {subject: frames[subject] for subject in known}
    bare = walks().pipe(UserHoldout(0.1, 0.2))
    dataset = bare.with_features(**chosen) if chosen else bare
    plan = ExperimentPlan()
    plan.add_algorithm(f"RecTools.{algorithm}", parameters)
    with pytest.raises(PlanError, match=f"RecTools.{algorithm} {says}" if "have" not in says else says):
        check_configuration(dataset, plan.configurations()[0])


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.parametrize("algorithm", ["LightFMWrapperModel", "DSSMModel"])
def test_all_features_of_data_that_have_only_numbers_are_refused(
    algorithm: str, environment_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """Which have to be named: else a model would learn from none in silence, or RecTools would say that there are none."""
    prices = pd.DataFrame({"item": np.arange(40), "price": np.arange(40) % 7})
    prepare(walks().pipe(UserHoldout(0.1, 0.2)).with_features(items=prices), tmp_path)
    words = GUEST, "rectools", tmp_path, 0, SEED, 5, algorithm, json.dumps({"item_features": None})
    with pytest.raises(AssertionError, match="no feature of items is of type boolean or text or texts"):
        run(environment_python("RecTools"), "adapter_run.py", *words, tmp_path / "lists.npy", cwd=tmp_path)


@pytest.mark.slow
@pytest.mark.guests
def test_networks_are_trained_in_a_job_of_several_tasks(
    environment_python: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning refuses trainers in jobs of ``sbatch --ntasks=2``, and RecTools' models make one whatever they are given."""
    for name, value in {"NTASKS": "2", "JOB_NAME": "bench", "JOB_ID": "7", "PROCID": "0", "LOCALID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    prepare(described_walks().pipe(LeaveLastOut(validation_size=1)), tmp_path)
    jobs = [("DSSMModel", json.dumps({"max_epochs": 1})), ("SASRecModel", json.dumps({**SHORT, "epochs": 1}))]
    words = [word for algorithm, settings in jobs for word in (algorithm, settings, tmp_path / f"{algorithm}.npy")]
    run(environment_python("RecTools"), "adapter_run.py", GUEST, "rectools", tmp_path, 0, SEED, 5, *words, cwd=tmp_path)


@pytest.mark.slow
@pytest.mark.guests
def test_factors_of_features_give_the_same_scores_with_any_number_of_threads(
    environment_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """To the last bit, as the catalogue says of iALS: there are so many of them that BLAS would add them up in parts."""
    rng = np.random.default_rng(8)
    pairs = pd.DataFrame({"user": rng.integers(0, 600, 20_000), "item": rng.integers(0, 500, 20_000)}).drop_duplicates()
    kinds = pd.DataFrame(
        {"item": np.arange(500), "kinds": [[f"{kind}" for kind in rng.integers(0, 350, 3)] for _ in range(500)]}
    )
    prepare(from_frame(pairs, "many kinds").with_features(items=kinds).pipe(UserHoldout(0.0, 0.2)), tmp_path)
    predicted = set()
    for threads in (1, 2):
        output = tmp_path / str(threads)
        output.mkdir()
        request = {
            "op": "fit",
            "algorithm": "ImplicitALSWrapperModel",
            "fit_key": "fit",
            "output": str(output),
            "parameters": {"item_features": ["kinds"], "model.iterations": 1},
            "seed": SEED,
            "device": "cpu",
            "threads": threads,
            "dataset": str(tmp_path),
            "fold": 0,
        }
        lists, python = output / "lists.npy", environment_python("RecTools")
        runner = get_runner("RecTools")
        with Guest(runner, python, output, output, threads, thread_variables(threads), lambda *_: None) as guest:
            model = output / guest.ask(request)["file"]
            guest.ask({**request, "op": "predict", "k": 5, "model": str(model), "output": str(lists)})
        predicted.add(lists.read_bytes())
    assert len(predicted) == 1


def test_without_a_named_feature_models_learn_from_interactions_alone() -> None:
    """As they did before they could read features, whose results stay; all of a dataset's are asked for by None."""
    algorithms = get_runner("RecTools").catalogue["algorithms"]
    for name in ("SASRecModel", "BERT4RecModel", "HSTUModel", "LightFMWrapperModel", "ImplicitALSWrapperModel"):
        assert [algorithms[name]["parameters"][parameter] for parameter in algorithms[name]["features"]] in (
            [[]],
            [[], []],
        )


@pytest.mark.parametrize("name", ["CandidateRankingModel", "UniSRecModel"])
def test_what_of_rectools_does_not_run_says_why(name: str) -> None:
    """Whether it is asked for as a text or as a member."""
    reason = refused_algorithms(get_runner("RecTools"))[name]
    for ask in (lambda: ExperimentPlan().add_algorithm(f"RecTools.{name}"), lambda: getattr(RecTools, name)):
        with pytest.raises(PlanError) as refusal:
            ask()
        assert str(refusal.value) == f"RecTools.{name} does not run: {reason}."
