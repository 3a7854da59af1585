"""The calls of a user's own class: what fit is given, what is seeded, and what is said when something is wrong."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.own_networks import CompiledDraws, KerasNetwork, LazyTorchNetwork, TensorflowDraws, TorchNetwork

from omnibench import UserHoldout, from_frame
from omnibench.data.prepare import prepare
from omnibench.experiment.own import OwnAlgorithm
from omnibench.guest.base import Task
from omnibench.guest.folds import Fold
from omnibench.guest.ranking import cut_lists
from omnibench.runners import own_guest as own


class Recommends:
    """Recommends all items that it was given."""

    given: dict[str, Any]

    def recommend(self, users: list[Any], k: int) -> Any:
        return {user: self.given["items"]["item"].tolist() for user in users}


class Everything(Recommends):
    """Keeps what fit was given."""

    def fit(self, train: Any, report: Any, validation: Any, items: Any, users: Any) -> None:
        self.given = {"train": train, "validation": validation, "items": items, "users": users}
        for epoch in (1, 2, 3):
            report(epoch=epoch, epochs=3, loss=np.float32(0.5))


class Whatever(Recommends):
    """Names its first argument as it likes, and takes nothing else."""

    def fit(self, interactions: Any, epochs: int = 3) -> None:
        self.given = {"train": interactions, "items": interactions}


class ByName(Recommends):
    """Takes the training part second, and by name only."""

    def fit(self, users: Any, *, train: Any) -> None:
        self.given = {"train": train, "users": users, "items": train}


class Nothing(Recommends):
    """Takes nothing at all."""

    def fit(self) -> None:
        self.given = {}


class Seeded(Whatever):
    """Takes a seed."""

    def __init__(self, random_state: int | None = None) -> None:
        self.random_state = random_state


class Locked(Whatever):
    """Cannot be pickled."""

    def fit(self, interactions: Any, epochs: int = 3) -> None:
        self.size, self.lock, self.key = 3, threading.Lock(), lambda item: item


class Genres(Whatever):
    """Looks for a column that is not there."""

    def fit(self, interactions: Any, epochs: int = 3) -> None:
        interactions["genre"].unique()


class Ratings(Whatever):
    """Looks for ratings in implicit data."""

    def fit(self, interactions: Any, epochs: int = 3) -> None:
        interactions.groupby("item")["rating"].mean()


class Dictionary(Whatever):
    """Fails by itself."""

    def fit(self, interactions: Any, epochs: int = 3) -> None:
        dict[str, int]()["genre"]


class Silent(Whatever):
    """Recommends nothing to anybody."""

    def recommend(self, users: list[Any], k: int) -> Any:
        return {}


class Close(Whatever):
    """Scores that float32 cannot tell apart, best last in the catalogue."""

    def recommend(self, users: list[Any], k: int) -> Any:
        items = sorted(self.given["items"]["item"].unique(), reverse=True)
        return [[(item, 1 - n * 1e-9) for n, item in enumerate(items)] for _ in users]


class Consuming(Whatever):
    """Empties the list of users that it gets."""

    def recommend(self, users: list[Any], k: int) -> Any:
        lists = []
        while users:
            lists.append([(users.pop(), f"i{k:02}")[1]])
        return lists


@pytest.fixture(scope="module")
def fold(tmp_path_factory: pytest.TempPathFactory) -> Fold:
    """Twenty users and thirty items with text ids, and a validation part."""
    root = tmp_path_factory.mktemp("fold")
    rng = np.random.default_rng(3)
    rows = [(f"u{user:02}", f"i{item:02}") for user in range(20) for item in rng.choice(30, 10, replace=False)]
    prepare(from_frame(pd.DataFrame(rows, columns=["user", "item"])).pipe(UserHoldout(0.2, 0.2)), root)
    return Fold(root, 0)


def task(algorithm: type, seed: int = 42, report: Callable[..., None] = lambda **_: None) -> Task:
    """A task for a class of this module."""
    return Task(json.dumps(OwnAlgorithm.of(algorithm).locator), {}, seed, k=5, report=report)


def fitted(algorithm: type, fold: Fold, **options: Any) -> Any:
    """Fit a class and return the instance."""
    return own.fit(task(algorithm, **options), fold)[0].instance


def test_fit_gets_what_it_asks_for_by_name(fold: Fold) -> None:
    """The parts, and all ids of the dataset, as frames; in any order of the arguments."""
    given = fitted(Everything, fold).given
    assert [len(given[name]) for name in ("train", "validation")] == [len(fold.train), len(fold.validation)]
    assert list(given["train"].columns) == list(given["validation"].columns) == ["user", "item"]
    assert sorted(given["users"]["user"]) == [f"u{user:02}" for user in range(20)]
    assert set(given["items"]["item"]) >= set(given["train"]["item"]) | set(given["validation"]["item"])
    assert list(given["items"].columns) == ["item"]


@pytest.mark.parametrize(("algorithm", "names"), [(Whatever, ["train", "items"]), (Nothing, [])])
def test_fit_gets_nothing_else(algorithm: type, names: list[str], fold: Fold) -> None:
    """A first argument of any name is the training part; defaults of others stay; no argument is needed."""
    assert list(fitted(algorithm, fold).given) == names


def test_train_may_stand_anywhere(fold: Fold) -> None:
    """An argument called train gets the training part also where it is not the first, or can be given by name only."""
    given = fitted(ByName, fold).given
    assert len(given["train"]) == len(fold.train)
    assert len(given["users"]) == fold.n_users


def test_reports_reach_the_host_and_the_log(fold: Fold, capsys: pytest.CaptureFixture[str]) -> None:
    """The log has each one; the host gets plain numbers, the first at once and the last in any case."""
    sent: list[dict[str, Any]] = []
    fitted(Everything, fold, report=lambda **values: sent.append(values))
    assert [line for line in capsys.readouterr().out.splitlines() if "epoch" in line] == [
        f"Everything: epoch={epoch}, epochs=3, loss=0.5" for epoch in (1, 2, 3)
    ]
    assert sent[0] == {"epoch": 1, "epochs": 3, "loss": 0.5}
    assert sent[-1]["epoch"] == 3
    assert {type(value) for value in sent[0].values()} == {int, float}


def test_a_seed_that_is_filled_in_is_said(fold: Fold, capsys: pytest.CaptureFixture[str]) -> None:
    """The log says it, and the effective hyperparameters have it, which provenance() returns."""
    model, effective = own.fit(task(Seeded, seed=2**40 + 5), fold)
    assert model.instance.random_state == effective["random_state"] == 2**40 + 5
    assert "Seeded: random_state=1099511627781, the seed of the run" in capsys.readouterr().out


def test_what_cannot_be_pickled_is_named(fold: Fold, tmp_path: Path) -> None:
    """The attributes, their types, and the ways out."""
    model, _ = own.fit(task(Locked), fold)
    with pytest.raises(
        TypeError, match=r"Locked cannot be stored: its attribute lock \(lock\), key \(function\) cannot"
    ):
        own.save(model, tmp_path)


def test_a_missing_column_is_explained(fold: Fold) -> None:
    """What train has, and where ratings or other columns went; a KeyError of the class's own stays what it is."""
    with pytest.raises(LookupError, match=r"asked pandas for 'genre'.*train has user, item\. A dataset keeps"):
        fitted(Genres, fold)
    with pytest.raises(LookupError, match=r"asked pandas for .*rating.*MakeImplicit drops ratings"):
        fitted(Ratings, fold)
    with pytest.raises(KeyError, match="'genre'"):
        fitted(Dictionary, fold)


def test_a_class_may_consume_the_users_that_it_gets(fold: Fold) -> None:
    """The list is its own: what is asked for stays known."""
    model, _ = own.fit(task(Consuming), fold)
    answers = [answer for _, answer in own.lists(model, task(Consuming), fold)]
    assert [answer.shape for answer in answers] == [(20,)]


def test_nobody_answered_is_an_error(fold: Fold) -> None:
    """Metrics of zero for everybody would look like a result."""
    model, _ = own.fit(task(Silent), fold)
    with pytest.raises(ValueError, match=r"recommended nothing to any of the 20 users .* such as 'u00' \(str\)"):
        list(own.lists(model, task(Silent), fold))


def test_the_order_survives_masking_and_the_file(fold: Fold) -> None:
    """The file's lists are those of the class without what the user has, though float32 would tie all scores."""
    model, _ = own.fit(task(Close), fold)
    rows = cut_lists(fold, own.lists(model, task(Close), fold), 5)
    for row in rows:
        unseen = np.setdiff1d(np.flatnonzero(fold.candidates), fold.seen(row["user"]))
        names = sorted((model.item_ids[code] for code in unseen), reverse=True)[:5]
        assert [model.item_ids[code] for code in row["item"]] == names
        assert (np.diff(row["score"]) < 0).all()


NETWORKS = [
    ("torch", TorchNetwork),
    ("torch", LazyTorchNetwork),
    ("numba", CompiledDraws),
    ("tensorflow", TensorflowDraws),
    ("keras", KerasNetwork),
]


@pytest.mark.parametrize(("package", "algorithm"), NETWORKS, ids=lambda value: getattr(value, "__name__", value))
def test_every_generator_is_seeded_before_fit_and_before_recommend(package: str, algorithm: type, fold: Fold) -> None:
    """A class that draws from a package's own generator is the same, however much was drawn from it before."""
    pytest.importorskip(package)
    first, second = (fitted(algorithm, fold) for _ in range(2))
    assert first.weights == second.weights != fitted(algorithm, fold, seed=43).weights
    model = own.Model(first, [f"u{n:02}" for n in range(20)], [f"i{n:02}" for n in range(30)])
    draws = [[lists.item.tolist() for _, lists in own.lists(model, task(algorithm), fold)] for _ in "ab"]
    assert draws[0] == draws[1]


def test_a_folder_of_the_users_own_may_be_called_like_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module called torch without torch's functions is imported as ever."""
    if importlib.util.find_spec("numba_of_nobody"):
        pytest.fail("the name is taken")
    from omnibench.guest import generators

    (tmp_path / "numba_of_nobody.py").write_text("value = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(generators._PACKAGES, "numba_of_nobody", generators._seed_torch)
    generators.seed_everything(1)
    assert importlib.import_module("numba_of_nobody").value == 3
    generators.seed_everything(2)
