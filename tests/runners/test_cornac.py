"""Cornac beyond what all frameworks are asked: its epochs, models of TensorFlow's, and what it does not run."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.agreeing_lists import disagreement
from support.guest_scripts import GUEST, run
from support.own_features import write_features

from omnibench import Cornac, ExperimentPlan, MakeImplicit, RecSysDataSet, UserHoldout, from_frame
from omnibench.data.prepare import prepare
from omnibench.errors import GuestError, PlanError
from omnibench.experiment.compatibility import check_configuration
from omnibench.guest.folds import Fold
from omnibench.runners.gateway import Guest
from omnibench.runners.info import refused_algorithms
from omnibench.runners.registry import get_runner
from omnibench.runners.thread_variables import thread_variables

SEED = 42


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The purchases of 80 users, each of one of four kinds."""
    rng = np.random.default_rng(3)
    pairs = [(user, int(item)) for user in range(80) for item in user % 4 * 20 + rng.choice(20, 8, replace=False)]
    root = tmp_path_factory.mktemp("data")
    prepare(from_frame(pd.DataFrame(pairs, columns=["user", "item"])).pipe(UserHoldout(0.0, 0.2)), root)
    return root


class Fits:
    """Fits in a guest with two threads.

    Args:
        guest: The guest.
        data: The prepared data.
        work: A directory for models and predictions.
    """

    def __init__(self, guest: Guest, data: Path, work: Path) -> None:
        self._guest, self._data, self._work = guest, data, work
        self._done = 0
        self.reports: list[Mapping[str, Any]] = []

    def predicted(self, algorithm: str, *, reloaded: bool = False, threads: int = 1, **parameters: Any) -> bytes:
        """Return what a fresh Fit predicts, by the model as it is in the guest, or as it was stored."""
        self._done += 1
        output = self._work / str(self._done)
        output.mkdir()
        request = {
            "op": "fit",
            "algorithm": algorithm,
            "parameters": parameters,
            "seed": SEED,
            "device": "cpu",
            "threads": threads,
            "dataset": str(self._data),
            "fold": 0,
            "output": str(output),
            "fit_key": str(self._done),
        }
        self.reports.clear()
        answer = self._guest.ask(request, on_progress=self.reports.append)
        lists = output / "lists.npy"
        predict = {**request, "op": "predict", "k": 10, "model": str(output / answer["file"]), "output": str(lists)}
        self._guest.ask({**predict, "fit_key": "stored"} if reloaded else predict)
        return lists.read_bytes()


@pytest.fixture
def fits(data: Path, tmp_path: Path, environment_python: Callable[[str], Path]) -> Iterator[Fits]:
    """A guest of Cornac's."""
    python = environment_python("Cornac")
    with Guest(get_runner("Cornac"), python, tmp_path, tmp_path, 2, thread_variables(2), lambda *_: None) as guest:
        yield Fits(guest, data, tmp_path)


@pytest.mark.guests
def test_the_same_seed_predicts_the_same_whatever_the_threads(fits: Fits) -> None:
    """Cornac's own loops take one thread with a seed; to the last bit."""
    for name in ("BPR", "WBPR", "MMMF", "HPF", "ItemKNN", "SKMeans"):
        assert len({fits.predicted(name, threads=threads) for threads in (1, 1, 2)}) == 1, name


@pytest.mark.guests
def test_each_epoch_is_reported_with_what_cornac_says_of_it(fits: Fits) -> None:
    """The share of pairs in order rises; what tells of no epochs reports none."""
    fits.predicted("BPR", max_iter=40, learning_rate=0.1)
    assert [report["epoch"] for report in fits.reports] == list(range(1, 41))
    shares = [report["correct"] for report in fits.reports]
    assert 0 < shares[0] < shares[-1] <= 1
    fits.predicted("HPF", max_iter=5)
    assert not fits.reports


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("WMF", {"max_iter": 3}),
        pytest.param("IBPR", {"max_iter": 3}, marks=pytest.mark.catalogue),
        ("VAECF", {"n_epochs": 3}),
        pytest.param("BiVAECF", {"n_epochs": 3}, marks=pytest.mark.catalogue),
        pytest.param("RecVAE", {"n_epochs": 2}, marks=pytest.mark.catalogue),
        pytest.param("NeuMF", {"num_epochs": 2}, marks=pytest.mark.catalogue),
        pytest.param("NeuMF", {"num_epochs": 2, "backend": "pytorch"}, marks=pytest.mark.catalogue),
    ],
)
def test_a_network_is_repeatable_and_predicts_the_same_when_it_was_stored(
    name: str, parameters: dict[str, Any], fits: Fits
) -> None:
    """Two Fits with one thread, and the stored model of a third; the epochs are reported one by one."""
    first = fits.predicted(name, **parameters)
    (epochs,) = [count for parameter, count in parameters.items() if parameter != "backend"]
    assert [report["epoch"] for report in fits.reports] == list(range(1, epochs + 1))
    assert fits.predicted(name, **parameters) == first
    assert fits.predicted(name, reloaded=True, **parameters) == first


def described_tastes() -> RecSysDataSet:
    """Return what users have of four kinds of items, with ratings, texts and numbers of the items, some of them missing."""
    rng = np.random.default_rng(8)
    rows = [
        (user, int(item), float(rng.integers(1, 6)))
        for user in range(60)
        for item in user % 4 * 10 + rng.choice(16, 12, replace=False)
    ]
    item = np.arange(46)
    words = [f"of kind {number // 10} and number {number % 7}" if number % 9 else None for number in item]
    labels = [["low", "dark night"][: number % 3] if number % 8 else None for number in item]
    known = pd.DataFrame({"item": item, "plot": words, "labels": labels, "price": np.where(item % 6, item % 5, np.nan)})
    ratings = pd.DataFrame(rows, columns=["user", "item", "rating"])
    return from_frame(ratings, "tastes").with_features(items=known)


@pytest.mark.guests
@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        pytest.param("VBPR", {"item_features": ["labels", "price"], "n_epochs": 3}, marks=pytest.mark.slow),
        pytest.param("AMR", {"item_features": ["price", "plot"], "n_epochs": 2}, marks=pytest.mark.slow),
        ("CTR", {"item_features": ["plot", "labels"], "max_iter": 3, "k": 10}),
        ("HFT", {"item_features": ["plot"], "max_iter": 2, "grad_iter": 5}),
    ],
)
def test_predictions_with_features_are_those_of_cornac(
    algorithm: str, settings: dict[str, Any], environment_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """Of texts, lists and numbers, some of which are missing: lists, and of what predicts ratings the ratings."""
    steps = () if algorithm == "HFT" else (MakeImplicit(2),)
    data, work = tmp_path / "data", tmp_path / "work"
    for folder in (data, work):
        folder.mkdir()
    prepare(described_tastes().pipe(*steps, UserHoldout(0.0, 0.25)), data)
    write_features(data)
    output = str(work / "own.npy")
    jobs = [{"algorithm": algorithm, "settings": settings, "changes": [], "output": output}]
    (work / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    python = environment_python("Cornac")
    run(python, "cornac_own.py", data, 0, SEED, work / "jobs.json", cwd=work)
    words = algorithm, json.dumps(settings), work / "ours.npy"
    run(python, "adapter_run.py", GUEST, "cornac", data, 0, SEED, Fold(data, 0).n_items, *words, cwd=work)
    assert not disagreement(work / "ours.npy", work / "own.npy")


@pytest.mark.slow
@pytest.mark.guests
def test_as_many_words_as_there_are_may_be_counted_and_no_fewer(
    environment_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """HFT's are those of the texts, without Cornac's marks of beginnings and ends: of, kind, and, number, and what numbers leave."""
    prepare(described_tastes().pipe(UserHoldout(0.0, 0.25)), tmp_path)
    for words in (5, 4):
        settings = {"item_features": ["plot"], "max_iter": 1, "grad_iter": 1, "vocab_size": words}
        command = GUEST, "cornac", tmp_path, 0, SEED, 5, "HFT", json.dumps(settings), tmp_path / "ratings.npy"
        refused = pytest.raises(AssertionError, match="the texts have 5 words, and vocab_size is 4")
        with refused if words < 5 else contextlib.nullcontext():
            run(environment_python("Cornac"), "adapter_run.py", *command, cwd=tmp_path)


@pytest.mark.parametrize(
    ("algorithm", "parameters", "has_features", "says"),
    [
        ("VBPR", {}, False, "Cornac.VBPR learns from features of items, but tastes has none"),
        ("CTR", {"item_features": []}, True, "Cornac.CTR learns from features of items, .* or item_features is empty"),
        (
            "AMR",
            {"item_features": ["plots"]},
            True,
            r"Cornac.AMR asks for the feature 'plots' .* did you mean 'plot'\?",
        ),
    ],
)
def test_data_without_the_features_is_refused_before_anything_runs(
    algorithm: str, parameters: dict[str, Any], has_features: bool, says: str
) -> None:
    """By the names of the model, the feature and the data."""
    described = described_tastes()
    bare = from_frame(pd.DataFrame({"user": [1, 1, 2], "item": [1, 2, 1]}), "tastes")
    plan = ExperimentPlan()
    plan.add_algorithm(f"Cornac.{algorithm}", parameters)
    dataset = (
        described.pipe(MakeImplicit(2), UserHoldout(0.0, 0.25)) if has_features else bare.pipe(UserHoldout(0.0, 0.5))
    )
    with pytest.raises(PlanError, match=says):
        check_configuration(dataset, plan.configurations()[0])


@pytest.mark.guests
def test_a_model_of_ratings_refuses_data_without(fits: Fits) -> None:
    """With the way out, before anything is computed."""
    with pytest.raises(GuestError, match="MF predicts ratings, but the dataset is implicit and has none"):
        fits.predicted("MF")


def test_every_other_model_is_refused_with_its_reason() -> None:
    """By name and by member, and none is on both lists."""
    runner = get_runner("Cornac")
    refused = refused_algorithms(runner)
    assert not refused.keys() & runner.catalogue["algorithms"].keys()
    for name, reason in refused.items():
        with pytest.raises(PlanError) as error:
            ExperimentPlan().add_algorithm(f"Cornac.{name}")
        assert str(error.value) == f"Cornac.{name} does not run: {reason}."
    with pytest.raises(AttributeError, match="needs dgl"):
        Cornac.LightGCN  # type: ignore[attr-defined]  # noqa: B018
