"""The adapters against the frameworks' own way of doing things: the same lists come out."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.guest_scripts import GUEST, run

import omnibench
from omnibench.data.prepare import prepare
from omnibench.guest.folds import Fold

SEED = 42
ITEMS = 150


@pytest.fixture(scope="module", params=["synthetic", pytest.param("MovieLens100K", marks=pytest.mark.slow)])
def fold_directory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Publish a prepared dataset: a small one, or the real MovieLens-100K."""
    root = tmp_path_factory.mktemp("fold")
    if request.param == "synthetic":
        _tastes(root)
    else:
        movielens = omnibench.load_dataset("MovieLens100K")
        steps = (omnibench.MakeImplicit(3), omnibench.CorePruning(5), omnibench.UserHoldout(0.1, 0.2))
        prepare(movielens.pipe(*steps), root)
    return root


def _tastes(root: Path) -> None:
    """Write an implicit dataset of 200 users with tastes, split 60/20/20 per user."""
    rng = np.random.default_rng(7)
    taste, kind = rng.normal(size=(200, 4)), rng.normal(size=(ITEMS, 4))
    liked = taste @ kind.T + rng.gumbel(size=(200, ITEMS)) + np.linspace(1, -1, ITEMS)
    item = np.argsort(-liked, axis=1)[:, :25]
    user = np.repeat(np.arange(200, dtype=np.int32), 25)
    np.save(root / "user.npy", user)
    np.save(root / "item.npy", item.ravel().astype(np.int32))
    np.save(root / "timestamp.npy", np.arange(len(user), dtype=np.int64))
    manifest = {"users": 200, "items": ITEMS, "feedback": "implicit", "columns": ["user", "item", "timestamp"]}
    (root / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    place = rng.permuted(np.tile(np.arange(25), (200, 1)), axis=1).ravel()
    (root / "fold_0").mkdir()
    for name, low, high in (("train", 0, 15), ("validation", 15, 20), ("test", 20, 25)):
        np.save(root / "fold_0" / f"{name}.npy", np.flatnonzero((place >= low) & (place < high)))


ALGORITHMS: dict[str, dict[str, dict[str, object]]] = {
    "LensKit": {"ItemKNNScorer": {}, "ImplicitMFScorer": {}, "FlexMFImplicitScorer": {"preset": "bpr"}},
    "RecPack": {"ItemKNN": {}, "BPRMF": {"max_epochs": 3}},
    "RecBole": {"ItemKNN": {}, "BPR": {"epochs": 3}},
}
"""By framework, what is compared, with its parameters; the frameworks' own scripts set the same."""


@pytest.fixture(scope="module")
def lists(
    fold_directory: Path, tmp_path_factory: pytest.TempPathFactory, environment_python: Callable[[str], Path]
) -> Callable[[str], Path]:
    """Return the directory with a framework's lists by its own script and by the adapter, of all its algorithms."""

    @functools.cache
    def write(framework: str) -> Path:
        directory, python, module = tmp_path_factory.mktemp(framework), environment_python(framework), framework.lower()
        algorithms = ALGORITHMS[framework]
        own = [word for name in algorithms for word in (name, directory / f"{name}-own.npy")]
        run(python, f"{module}_own.py", fold_directory, 0, SEED, *own, cwd=directory)
        adapted = [
            word
            for name, parameters in algorithms.items()
            for word in (name, json.dumps(parameters), directory / f"{name}-adapter.npy")
        ]
        length = Fold(fold_directory, 0).n_items
        run(python, "adapter_run.py", GUEST, module, fold_directory, 0, SEED, length, *adapted, cwd=directory)
        return directory

    return write


@pytest.mark.guests
@pytest.mark.parametrize(
    ("framework", "algorithm"), [(framework, name) for framework, names in ALGORITHMS.items() for name in names]
)
def test_the_adapter_ranks_as_the_framework_itself_does(
    framework: str, algorithm: str, fold_directory: Path, lists: Callable[[str], Path]
) -> None:
    """A script that uses the framework as its documentation does gives the adapter's lists, up to exact ties."""
    directory, fold = lists(framework), Fold(fold_directory, 0)
    own, ours = (np.load(directory / f"{algorithm}-{side}.npy") for side in ("own", "adapter"))
    assert len(own) == len(ours) == len(fold.users)
    assert (own >= 0).all()
    for mine, theirs in zip(ours, own, strict=True):
        score = dict(zip(mine["item"], mine["score"], strict=True))
        assert len(set(theirs)) == 20
        # Where scores tie exactly each side may order as it likes, so the scores are compared, not the items.
        assert [score[item] for item in theirs] == list(mine["score"][:20])


@pytest.mark.guests
@pytest.mark.parametrize("framework", ["LensKit", "RecPack", "RecBole"])
def test_the_committed_catalogue_is_what_the_framework_says(
    framework: str, tmp_path: Path, environment_python: Callable[[str], Path]
) -> None:
    """The host may check names and hyperparameters by the JSON file: the installed framework offers just those."""
    name, offered = framework.lower(), tmp_path / "offered.json"
    run(environment_python(framework), "adapter_catalogue.py", GUEST, name, offered, cwd=tmp_path)
    committed = GUEST.parent / "runners" / "catalogue" / f"{name}.json"
    assert json.loads(offered.read_text("utf-8")) == json.loads(committed.read_text("utf-8"))
