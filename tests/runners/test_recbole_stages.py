"""RecBole's models that several runs train: against the scripts of its documentation, with their progress and their refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.recbole_lists import differences
from support.shelves import as_recbole_reads_it, items, likes, users

from omnibench import NDCG, Choice, ExperimentPlan, Grid, LeaveLastOut, RecBole, Tuning, UserHoldout, from_frame
from omnibench.data.prepare import prepare
from omnibench.data.stored_ids import read_ids
from omnibench.engine import phases
from omnibench.errors import GuestError, PlanError
from omnibench.experiment.compatibility import check_configuration
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.planning import experiments
from omnibench.runners.gateway import Guest

SHORT: dict[str, Any] = {"epochs": 3, "stopping_step": 1, "train_batch_size": 128, "valid_metric": "NDCG@10"}
PRETRAINED = {**SHORT, "pretrain_epochs": 4}
SETTINGS: dict[str, dict[str, Any]] = {
    "RaCT": {
        **PRETRAINED,
        "train_batch_size": 16,
        "metrics_k": 20,
        "critic_pretrain": {"pretrain_epochs": 2, "learning_rate": 0.0001},
        "finetune": {"learning_rate": 0.00001},
    },
    "S3Rec": {**PRETRAINED, "pretrain_epochs": 2, "MAX_ITEM_LIST_LENGTH": 8, "finetune": {"learning_rate": 0.002}},
    "KD_DAGFM": {**SHORT, "epochs": 5, "distillation": {"epochs": 2}, "finetuning": {"learning_rate": 0.0001}},
}
RUNS: dict[str, list[dict[str, Any]]] = {
    "RaCT": [
        {"train_stage": "actor_pretrain", "save_step": 4},
        {"train_stage": "critic_pretrain", "save_step": 2, "pretrain_epochs": 2, "learning_rate": 0.0001},
        {"train_stage": "finetune", "learning_rate": 0.00001},
    ],
    "S3Rec": [
        {"train_stage": "pretrain", "save_step": 2, "item_attribute": "item.genres"},
        {"train_stage": "finetune", "learning_rate": 0.002, "item_attribute": "item.genres"},
    ],
    "KD_DAGFM": [
        {"phase": "teacher_training"},
        {"phase": "distillation", "epochs": 2},
        {"phase": "finetuning", "learning_rate": 0.0001},
    ],
}
"""What the scripts set, one after the other."""


@pytest.mark.guests
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("RaCT", marks=pytest.mark.slow),
        *(pytest.param(name, marks=pytest.mark.catalogue) for name in ("S3Rec", "KD_DAGFM")),
    ],
)
def test_lists_are_those_of_recboles_own_runs(
    name: str, environment_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """The same lists and scores on the same fold, where each run of RecBole's reads the file that the one before has saved."""
    data, work = tmp_path / "data", tmp_path / "work"
    data.mkdir()
    work.mkdir()
    known: dict[str, Any] = {
        "RaCT": {},
        "S3Rec": {"items": items().drop(columns="price")},
        "KD_DAGFM": {"items": items(), "users": users()},
    }[name]
    split = LeaveLastOut(validation_size=1) if name == "S3Rec" else UserHoldout(0.2, 0.2)
    prepare(from_frame(likes(), "shelves", **known).pipe(split), data)
    for subject, frame in known.items():
        as_recbole_reads_it(frame, subject.removesuffix("s"), read_ids(data, subject), work / f"{subject}.tsv")
    drawn = None if name != "KD_DAGFM" else {"distribution": "uniform", "sample_num": 1}
    own = {
        "source": "warm_up" if name == "KD_DAGFM" else "pre_model_path",
        "runs": RUNS[name],
        "train_neg_sample_args": drawn,
    }
    settings = {**SETTINGS[name], **({"item_attribute": "genres"} if name == "S3Rec" else {})}
    assert not differences(environment_python("RecBole"), "recbole_stages_own.py", data, work, settings, {name: own})


def experiment_of(parameters: dict[str, Any], root: Path) -> Experiment:
    """Return RecBole.RaCT on a bookshop, which is prepared in ``data``, with a directory for a model in ``model``."""
    dataset = from_frame(likes(), "shelves").pipe(UserHoldout(0.2, 0.2))
    plan = ExperimentPlan()
    plan.add_algorithm(RecBole.RaCT, {**SETTINGS["RaCT"], **parameters})
    (single,) = experiments(dataset, plan, [NDCG(10)], versions=lambda _: "", seeds=[7])
    for folder in (root / "data", root / "model"):
        folder.mkdir(parents=True)
    prepare(dataset, root / "data")
    return single


@pytest.mark.guests
def test_epochs_are_those_of_the_last_run(guests: Callable[[str], Guest], tmp_path: Path) -> None:
    """The runs before it report iterations, with losses of their own, and validation judges none of theirs."""
    reports: list[dict[str, Any]] = []
    options = phases.PhaseOptions(on_progress=reports.append)
    single = experiment_of({}, tmp_path)
    fitted = phases.fit(guests("RecBole"), single, tmp_path / "data", tmp_path / "model", options)
    series = {number: values.keys() for number, values in fitted["series"]}
    assert series[1] == {"actor_pretrain_loss", "critic_pretrain_loss", "loss", "validation"}
    assert series[3] == {"actor_pretrain_loss", "loss", "validation"}
    assert series[4] == {"actor_pretrain_loss"}
    assert [number for number, _ in fitted["history"]] == [1, 2, 3]
    assert 1 <= fitted["epochs"] <= 3
    assert [report["iteration"] for report in reports if "iteration" in report] == [1, 2, 3, 4, 1, 2]
    effective = fitted["effective"]
    assert effective["learning_rate"] == 0.001, "of the first run"
    assert effective["finetune"] == SETTINGS["RaCT"]["finetune"]
    assert not effective.keys() & {"train_stage", "pre_model_path", "save_step"}


@pytest.mark.guests
@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"metrics_k": 100}, r"first metrics_k=100 items, and has 41. Set metrics_k to 41 or less"),
        (
            {"train_batch_size": 1},
            r"train_batch_size=1 the last one of critic_pretrain would have .* 60 users .* e\.g\. 7\.",
        ),
        (
            {"train_batch_size": 7, "finetune": {"train_batch_size": 12}},
            r"train_batch_size=12 the last one of finetune would have a single row of 61, .* e\.g\. 13\.",
        ),
    ],
)
def test_what_no_run_can_have_is_refused(
    parameters: dict[str, Any], says: str, guests: Callable[[str], Guest], tmp_path: Path
) -> None:
    """Before anything is trained."""
    single = experiment_of(parameters, tmp_path)
    with pytest.raises(GuestError, match=says):
        phases.fit(guests("RecBole"), single, tmp_path / "data", tmp_path / "model")


@pytest.mark.parametrize(
    ("algorithm", "parameters", "says"),
    [
        (
            RecBole.RaCT,
            {"finetune": {"dropout_prob": 0.1}},
            r"RaCT: finetune is .*; give a dict of the settings .*, learning_rate",
        ),
        (RecBole.RaCT, {"finetune": {"epochs": 3}}, r"RaCT: finetune is .*'epochs': 3"),
        (RecBole.RaCT, {"finetune": {"pretrain_epochs": 3}}, r"RaCT: finetune is .*'pretrain_epochs': 3"),
        (RecBole.RaCT, {"critic_pretrain": 2}, r"RaCT: critic_pretrain is 2; give a dict"),
        (RecBole.RaCT, {"critic_pretrain": None}, r"RaCT: critic_pretrain is None; give a dict"),
        (
            RecBole.RaCT,
            {"finetune": {"learning_rate": "x"}},
            r"learning_rate of finetune is 'x'; give a number such as 0.001",
        ),
        (
            RecBole.RaCT,
            {"critic_pretrain": {"pretrain_epochs": 2.5}},
            r"pretrain_epochs of critic_pretrain is 2.5; give a number",
        ),
        (
            RecBole.KD_DAGFM,
            {"distillation": {"epochs": [2, 3]}},
            r"epochs of distillation is \[2, 3\]; give a number such as 300",
        ),
        (
            RecBole.KD_DAGFM,
            {"finetuning": Grid([{}, {"alpha": 1}])},
            r"KD_DAGFM: finetuning is \{'alpha': 1\}; give a dict",
        ),
    ],
)
def test_settings_of_later_runs_are_refused_with_the_plan(
    algorithm: Any, parameters: dict[str, Any], says: str
) -> None:
    """By their names, and where the first run has a number, by their type; nothing is built or trained for that."""
    with pytest.raises(PlanError, match=says):
        ExperimentPlan().add_algorithm(algorithm, parameters)


def test_several_settings_of_a_later_run_are_a_grid() -> None:
    """What a run may have passes, whole numbers for fractions, and numpy's, too."""
    plan = ExperimentPlan()
    rates: list[dict[str, Any]] = [{"learning_rate": 1}, {"learning_rate": np.float32(0.5), "learner": "sgd"}]
    plan.add_algorithm(RecBole.RaCT, {"finetune": Grid(rates), "critic_pretrain": {"pretrain_epochs": np.int64(3)}})
    assert len(plan.configurations()) == 2


def test_why_a_search_does_not_refit_is_said() -> None:
    """Several runs have a best epoch each, which is another reason than stopping early: others do, and are fitted on both parts."""
    plan = ExperimentPlan(tuning=Tuning("NDCG@10", trials=2))
    with pytest.raises(
        PlanError, match=r"early stopping\), and no one number of epochs says for how long .* has trained it"
    ):
        plan.tune(RecBole.KD_DAGFM, {"alpha": Choice([0.1, 1.0])}, refit="train+validation")


def test_the_attribute_has_to_be_named() -> None:
    """S3Rec learns to predict one feature of the items; which, nobody can guess."""
    dataset = from_frame(likes(), "shelves", items=items()).pipe(LeaveLastOut())
    plan = ExperimentPlan()
    plan.add_algorithm(RecBole.S3Rec)
    with pytest.raises(PlanError, match=r"RecBole.S3Rec needs item_attribute, .*have genres, price, studio"):
        check_configuration(dataset, plan.configurations()[0])


def test_an_attribute_of_numbers_is_refused_with_the_plan() -> None:
    """S3Rec predicts categories; which features of the data are some, the refusal says."""
    dataset = from_frame(likes(), "shelves", items=items()).pipe(LeaveLastOut())
    plan = ExperimentPlan()
    plan.add_algorithm(RecBole.S3Rec, {"item_attribute": "price"})
    with pytest.raises(PlanError, match=r"S3Rec cannot read the feature 'price' of items .* has genres, studio"):
        check_configuration(dataset, plan.configurations()[0])
