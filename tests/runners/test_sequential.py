"""RecBole's sequential models under the protocol of next items: against RecBole's own script, and beside general models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.recbole_lists import differences

from omnibench import (
    NDCG,
    AllItems,
    Deduplicate,
    ExperimentPlan,
    KeepRepeats,
    LeaveLastOut,
    RecBole,
    RecPack,
    SessionSplit,
    StrongGeneralization,
    UserHoldout,
    from_frame,
)
from omnibench.data.prepare import prepare
from omnibench.engine import phases
from omnibench.errors import PlanError
from omnibench.experiment.compatibility import check_configuration
from omnibench.experiment.planning import experiments
from omnibench.guest.folds import NO_ITEM, Fold
from omnibench.guest.predictions import read_predictions
from omnibench.runners.gateway import Guest
from omnibench.runners.info import refused_algorithms
from omnibench.runners.registry import get_runner

LENGTH = 30
SHORT: dict[str, Any] = {"epochs": 4, "stopping_step": 1, "train_batch_size": 128, "MAX_ITEM_LIST_LENGTH": 6}
SEQUENTIAL = [
    name for name, info in get_runner("RecBole").catalogue["algorithms"].items() if info.get("sequential", False)
]
WITHOUT_FEATURES = [
    name for name in SEQUENTIAL if not get_runner("RecBole").catalogue["algorithms"][name].get("features")
]
OTHERS = [name for name in WITHOUT_FEATURES if name not in ("SASRec", "GRU4Rec")]


def walks(users: int = 60, items: int = 40, each: int = 14) -> pd.DataFrame:
    """Return users who walk around a circle of items; several interactions are of one moment, or one that 32 bits take for it."""
    rng = np.random.default_rng(5)
    user = np.repeat(np.arange(users), each)
    step = np.tile(np.arange(each), users)
    item = (user * 7 + 2 * step + rng.integers(0, 2, len(user))) % items
    time = 881_250_949 + rng.integers(0, 40, users)[user] * 5000 + step // 2 * 9
    return pd.DataFrame({"user": user, "item": item, "timestamp": time})


@pytest.mark.guests
@pytest.mark.parametrize(
    "algorithms",
    [
        pytest.param(["SASRec", "GRU4Rec"], marks=pytest.mark.slow),
        *(pytest.param([name], marks=pytest.mark.catalogue, id=name) for name in OTHERS),
    ],
)
def test_lists_are_those_of_recboles_own_script(
    algorithms: list[str], environment_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """The same lists and scores on the same split, which RecBole makes of a text file, and learns and stops early by."""
    assert not differences_from_recboles_own(algorithms, environment_python, tmp_path, SHORT)


@pytest.mark.guests
@pytest.mark.slow
def test_lists_are_the_same_where_few_users_are_judged_at_once(
    environment_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """TransRec has the vectors of all items for each: of so long ones the adapter judges 51 of 60 users at once, RecBole all."""
    settings = {**SHORT, "epochs": 2, "embedding_size": 8_192}
    assert 60 * 40 * settings["embedding_size"] > 1 << 24
    assert not differences_from_recboles_own(["TransRec"], environment_python, tmp_path, settings)


def differences_from_recboles_own(
    algorithms: list[str], environment_python: Callable[[str], Path], tmp_path: Path, settings: dict[str, Any]
) -> Any:
    """What differs between lists of walks by the adapter and by RecBole's own script."""
    data, work = tmp_path / "data", tmp_path / "work"
    data.mkdir()
    work.mkdir()
    prepare(from_frame(walks().drop_duplicates(["user", "item"]), "walks").pipe(LeaveLastOut(validation_size=1)), data)
    catalogue = get_runner("RecBole").catalogue["algorithms"]
    own = {
        name: {
            "valid_metric": "NDCG@10",
            "train_neg_sample_args": catalogue[name]["parameters"]["train_neg_sample_args"],
        }
        for name in algorithms
    }
    return differences(environment_python("RecBole"), "recbole_sequences_own.py", data, work, settings, own)


@pytest.mark.parametrize("name", ["KSR", "DIEN", "SASRecCPR"])
def test_what_does_not_run_says_why(name: str) -> None:
    """Whether it is asked for as a text or as a member."""
    reason = refused_algorithms(get_runner("RecBole"))[name]
    for ask in (lambda: ExperimentPlan().add_algorithm(f"RecBole.{name}"), lambda: getattr(RecBole, name)):
        with pytest.raises(PlanError) as refusal:
            ask()
        assert str(refusal.value) == f"RecBole.{name} does not run: {reason}."


def test_every_sequential_model_of_recbole_runs_or_has_a_reason() -> None:
    """All 31 of its folder."""
    refused = {"GRU4RecKG", "KSR", "DIN", "DIEN", "SASRecCPR", "GRU4RecCPR"}
    assert refused <= refused_algorithms(get_runner("RecBole")).keys()
    assert len({*SEQUENTIAL, *refused}) == 31


def test_data_without_times_is_refused_before_anything_runs() -> None:
    """By name, with what to do; general models take it."""
    dataset = from_frame(walks().drop(columns="timestamp"), "timeless").pipe(UserHoldout(0.1, 0.2))
    plan = ExperimentPlan()
    plan.add_algorithm(RecBole.SASRec)
    plan.add_algorithm(RecBole.BPR)
    sequential, general = plan.configurations()
    with pytest.raises(
        PlanError, match=r"RecBole.SASRec learns what comes next, but timeless has no column 'timestamp'"
    ):
        check_configuration(dataset, sequential)
    check_configuration(dataset, general)


def lists_of(
    guest: Guest, dataset: Any, algorithm: RecBole | RecPack, parameters: dict[str, Any], root: Path, **options: Any
) -> tuple[Fold, dict[int, list[int]]]:
    """Return the fold and the list of each user, by the engine's own phases."""
    plan = ExperimentPlan("next items")
    plan.add_algorithm(algorithm, parameters)
    (single,) = experiments(dataset, plan, [NDCG(10)], versions=lambda _: "", seeds=[7], **options)
    model = root / f"model of {algorithm.name}"
    model.mkdir(parents=True)
    output = root / f"{algorithm.name}.npy"
    data = root / "data"
    if not data.exists():
        data.mkdir()
        prepare(dataset, data)
    phases.predict(guest, single, data, model / phases.fit(guest, single, data, model)["file"], LENGTH, output)
    rows = read_predictions(output).lists
    assert rows is not None
    fold = Fold(data, 0)
    return fold, {
        user: [item for item in items if item != NO_ITEM]
        for user, items in zip(rows["user"].tolist(), rows["item"].tolist(), strict=True)
    }


ORDINARY = {"train_batch_size": 256, "epochs": 1}


@pytest.mark.guests
def test_general_models_run_beside_sequential_ones_with_the_same_masks(
    guests: Callable[[str], Guest], tmp_path: Path
) -> None:
    """Of each user every item is in the list that is known in training and in neither part before test: for both kinds."""
    dataset = from_frame(walks().drop_duplicates(["user", "item"]), "walks").pipe(LeaveLastOut(validation_size=1))
    algorithms: dict[RecBole, dict[str, Any]] = {RecBole.GRU4Rec: {**SHORT, "epochs": 1}, RecBole.BPR: ORDINARY}
    ranked = []
    for algorithm, parameters in algorithms.items():
        fold, lists = lists_of(guests("RecBole"), dataset, algorithm, parameters, tmp_path)
        assert lists.keys() == set(range(fold.n_users))
        ranked.append(lists)
        for user, items in lists.items():
            allowed = set(np.flatnonzero(fold.candidates).tolist()) - set(fold.seen(user).tolist())
            assert fold.validation.item[fold.validation.user == user].item() not in allowed
            assert set(items) == allowed
    assert ranked[0] != ranked[1], "else this compares a model with itself"


@pytest.mark.guests
def test_repeated_items_are_ranked_where_that_is_wanted(guests: Callable[[str], Guest], tmp_path: Path) -> None:
    """With KeepRepeats() and repeats=True the list has what a user has had, also the item that was the last one."""
    frame = walks(items=12, each=16)
    assert frame.duplicated(["user", "item"]).any()
    dataset = from_frame(frame, "loops").pipe(KeepRepeats(), LeaveLastOut(validation_size=1))
    parameters = {**SHORT, "epochs": 2}
    repeats = AllItems(repeats=True)
    fold, lists = lists_of(guests("RecBole"), dataset, RecBole.SASRec, parameters, tmp_path, candidates=repeats)
    assert all(set(items) == set(np.flatnonzero(fold.candidates).tolist()) for items in lists.values())


@pytest.mark.guests
def test_users_unknown_in_training_get_lists_by_what_is_given_of_them(
    guests: Callable[[str], Guest], tmp_path: Path
) -> None:
    """Models of sequences alone fold users in, who differ by what is given; those that know users are refused by name."""
    split = StrongGeneralization(0.2, 0.2, 0.2, which="last")
    dataset = from_frame(walks().drop_duplicates(["user", "item"]), "walks").pipe(split)
    fold, lists = lists_of(guests("RecBole"), dataset, RecBole.GRU4Rec, {**SHORT, "epochs": 3}, tmp_path)
    assert not set(lists) & set(fold.train.user.tolist())
    assert len(lists) == 12
    assert len({tuple(items) for items in lists.values()}) > 1
    plan = ExperimentPlan()
    plan.add_algorithm(RecBole.Caser)
    with pytest.raises(PlanError, match=r"RecBole.Caser cannot recommend for users unknown in training"):
        check_configuration(dataset, plan.configurations()[0])


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.parametrize("repeats", [True, False])
def test_sessions_get_lists_of_models_of_every_kind_with_the_same_masks(
    repeats: bool, guests: Callable[[str], Guest], tmp_path: Path
) -> None:
    """For sessions unknown in training, by what is given of them: of the same items, with or without those that it has."""
    steps = [KeepRepeats()] if repeats else [Deduplicate()]
    split = SessionSplit(15, validation_size=10)
    dataset = from_frame(walks(items=12, each=16), "clicks").pipe(*steps, split)
    candidates = AllItems(repeats=repeats)
    ranked = []
    algorithms: dict[RecBole | RecPack, dict[str, Any]] = {RecBole.GRU4Rec: SHORT, RecPack.EASE: {}}
    for algorithm, parameters in algorithms.items():
        guest = guests(type(algorithm).__name__)
        fold, lists = lists_of(guest, dataset, algorithm, parameters, tmp_path, candidates=candidates)
        assert lists.keys() == set(fold.test.user.tolist())
        assert not lists.keys() & set(fold.train.user.tolist())
        for user, items in lists.items():
            masked: set[int] = set() if repeats else set(fold.seen(user).tolist())
            assert set(items) == set(np.flatnonzero(fold.candidates).tolist()) - masked
            assert bool(masked) != repeats
        ranked.append(lists)
    assert ranked[0] != ranked[1]


@pytest.mark.guests
def test_the_list_follows_the_last_item_of_the_input(guests: Callable[[str], Guest], tmp_path: Path) -> None:
    """On a circle the next item is the one after the validation item, which a model can only know that reads it."""
    user = np.repeat(np.arange(80), 8)
    step = np.tile(np.arange(8), 80)
    frame = pd.DataFrame({"user": user, "item": (user * 3 + step) % 20, "timestamp": step})
    parameters = {"epochs": 12, "train_batch_size": 64, "hidden_size": 32, "learning_rate": 0.01}
    dataset = from_frame(frame, "circle").pipe(LeaveLastOut(validation_size=1))
    fold, lists = lists_of(guests("RecBole"), dataset, RecBole.GRU4Rec, parameters, tmp_path)
    hits = [lists[user][0] == item for user, item in zip(fold.test.user.tolist(), fold.test.item.tolist(), strict=True)]
    assert np.mean(hits) > 0.9
