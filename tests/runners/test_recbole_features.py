"""RecBole's context-aware models: against RecBole's own script, by the features that a dataset has, and refused without them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.recbole_lists import differences
from support.shelves import ITEMS, as_recbole_reads_it, items, likes, users

from omnibench import NDCG, ExperimentPlan, LeaveLastOut, RecBole, RecSysDataSet, UserHoldout, from_frame
from omnibench.data.prepare import prepare
from omnibench.data.stored_ids import read_ids
from omnibench.engine import phases
from omnibench.errors import PlanError
from omnibench.experiment.compatibility import check_configuration
from omnibench.experiment.planning import experiments
from omnibench.guest.folds import Fold
from omnibench.guest.predictions import read_predictions
from omnibench.runners.gateway import Guest
from omnibench.runners.registry import get_runner

SHORT: dict[str, Any] = {"epochs": 3, "stopping_step": 1, "train_batch_size": 128}
WITH_FEATURES = {
    name: info for name, info in get_runner("RecBole").catalogue["algorithms"].items() if info.get("features")
}
CONTEXT_AWARE = [name for name, info in WITH_FEATURES.items() if not info.get("sequential")]
SEQUENTIAL = [name for name, info in WITH_FEATURES.items() if info.get("sequential")]
OTHERS = [name for name in WITH_FEATURES if name not in ("FM", "DeepFM", "GRU4RecF", "KD_DAGFM")]


def catalogue_of(**features: Any) -> RecSysDataSet:
    return from_frame(likes(), "shelves", **features).pipe(UserHoldout(0.2, 0.2))


@pytest.mark.guests
@pytest.mark.parametrize(
    "algorithms",
    [
        ["FM", "DeepFM"],
        pytest.param(["GRU4RecF"], marks=pytest.mark.slow),
        *(pytest.param([name], marks=pytest.mark.catalogue, id=name) for name in OTHERS),
    ],
    ids="-".join,
)
def test_lists_are_those_of_recboles_own_script(
    algorithms: list[str], environment_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """The same lists and scores on the same fold, for which RecBole reads interactions and features from its files."""
    is_sequential = algorithms[0] in SEQUENTIAL
    data, work = tmp_path / "data", tmp_path / "work"
    data.mkdir()
    work.mkdir()
    known: dict[str, Any] = {"items": items()} if is_sequential else {"items": items(), "users": users()}
    split = LeaveLastOut(validation_size=1) if is_sequential else UserHoldout(0.2, 0.2)
    prepare(from_frame(likes(), "shelves", **known).pipe(split), data)
    for subject, frame in known.items():
        as_recbole_reads_it(frame, subject.removesuffix("s"), read_ids(data, subject), work / f"{subject}.tsv")
    own: dict[str, dict[str, Any]] = {}
    for name in algorithms:
        drawn = WITH_FEATURES[name]["parameters"]["train_neg_sample_args"]
        own[name] = {"train_neg_sample_args": drawn, "valid_metric": "NDCG@10"}
        if is_sequential:
            own[name]["selected_features"] = ["item.genres", "item.price", "item.studio"]
    assert not differences(environment_python("RecBole"), "recbole_features_own.py", data, work, SHORT, own)


def lists_of(guest: Guest, dataset: RecSysDataSet, parameters: dict[str, Any], root: Path) -> Any:
    """Return the lists of RecBole.FM by the engine's own phases."""
    plan = ExperimentPlan()
    plan.add_algorithm(RecBole.FM, {**SHORT, **parameters})
    (single,) = experiments(dataset, plan, [NDCG(10)], versions=lambda _: "", seeds=[7])
    data, model = root / "data", root / "model"
    for folder in (data, model):
        folder.mkdir(parents=True)
    prepare(dataset, data)
    fitted = phases.fit(guest, single, data, model)
    phases.predict(guest, single, data, model / fitted["file"], ITEMS, root / "lists.npy")
    rows = read_predictions(root / "lists.npy").lists
    assert rows is not None
    return Fold(data, 0), rows


@pytest.mark.guests
def test_features_change_what_is_learned_and_the_mask_is_that_of_all(
    guests: Callable[[str], Guest], tmp_path: Path
) -> None:
    """With all, with some and without features the same items are ranked, in another order; those of one name are as all."""
    dataset = catalogue_of(users=users(), items=items())
    ranked = {}
    selections: dict[str, dict[str, Any]] = {
        "all": {},
        "named": {"user_features": ["age", "gender", "member"], "item_features": ["genres", "price", "studio"]},
        "some": {"user_features": [], "item_features": ["studio"]},
        "none": {"user_features": [], "item_features": []},
    }
    for name, parameters in selections.items():
        fold, rows = lists_of(guests("RecBole"), dataset, parameters, tmp_path / name)
        ranked[name] = rows["item"].tolist()
        for user, row in zip(rows["user"].tolist(), rows["item"], strict=True):
            allowed = set(np.flatnonzero(fold.candidates).tolist()) - set(fold.seen(user).tolist())
            assert set(row[row >= 0].tolist()) == allowed
    assert ranked["all"] == ranked["named"]
    assert ranked["all"] != ranked["some"] != ranked["none"] != ranked["all"]
    bare, rows = lists_of(guests("RecBole"), catalogue_of(), {}, tmp_path / "bare")
    assert rows["item"].tolist() == ranked["none"]
    assert bare.features("items") is None


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        (
            {"item_features": ["year"]},
            r"RecBole.FM asks for the feature 'year' of items \(item_features\), but those of shelves have",
        ),
        ({"item_features": ["genre"]}, r"genres, price, studio; did you mean 'genres'\? Add it with"),
        ({"user_features": ["age"]}, r"RecBole.FM asks for the feature 'age' of users .*, but shelves has none\."),
        ({"item_features": "genres"}, r"RecBole.FM: item_features is 'genres'; give a list of names"),
    ],
)
def test_a_feature_that_the_data_lacks_is_refused_before_anything_runs(parameters: dict[str, Any], says: str) -> None:
    """By the names of the model, the feature and the data, with what there is."""
    plan = ExperimentPlan()
    plan.add_algorithm(RecBole.FM, parameters)
    with pytest.raises(PlanError, match=says):
        check_configuration(catalogue_of(items=items()), plan.configurations()[0])


@pytest.mark.parametrize(("parameters", "known"), [({}, {}), ({"selected_features": []}, {"items": items()})])
def test_a_model_that_needs_features_is_refused_without_any(parameters: dict[str, Any], known: dict[str, Any]) -> None:
    """Of sequential models, which are made of them: where the data has none, and where none is selected."""
    plan = ExperimentPlan()
    plan.add_algorithm(RecBole.GRU4RecF, parameters)
    with pytest.raises(
        PlanError, match=r"RecBole.GRU4RecF learns from features of items, but shelves has none, or selected"
    ):
        check_configuration(catalogue_of(**known), plan.configurations()[0])


def test_every_context_aware_model_of_recbole_runs() -> None:
    """All 18 of its folder."""
    assert len(CONTEXT_AWARE) == 18
