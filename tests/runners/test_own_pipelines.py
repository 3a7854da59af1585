"""The adapters against the frameworks' own pipelines: the same lists, but for what docs/algorithms.md says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from support.agreeing_lists import disagreement
from support.documented import Difference, documented_differences
from support.guest_scripts import GUEST, SCRIPTS, run

import omnibench
from omnibench.data.prepare import prepare
from omnibench.guest.folds import RATING_DTYPE, Fold
from omnibench.runners.info import NO_USE, learns_from_features, use_of_validation
from omnibench.runners.registry import get_runner

SEED = 42
FRAMEWORKS = ("LensKit", "RecPack", "RecBole", "Implicit", "Cornac", "Surprise", "RecTools")
SLOW_TO_IMPORT = ("LensKit", "RecBole", "RecTools")

SAMPLE = {
    "LensKit": (
        "PopScorer",
        "ItemKNNScorer",
        "ImplicitMFScorer",
        "FlexMFImplicitScorer",
        "BiasedMFScorer",
        "LightGCNScorer",
        "TimeBoundedPopScore",
        "ALS",
        "BPR",
        "NMFScorer",
        "BiasedSVDScorer",
    ),
    "RecPack": ("Popularity", "ItemKNN", "EASE", "SVD", "BPRMF", "ItemPNN", "WeightedMatrixFactorization"),
    "RecBole": ("Pop", "ItemKNN", "AsymKNN", "EASE", "Random", "BPR", "NCL", "MacridVAE"),
    "Implicit": (
        "AlternatingLeastSquares",
        "BayesianPersonalizedRanking",
        "LogisticMatrixFactorization",
        "ItemItemRecommender",
        "CosineRecommender",
        "TFIDFRecommender",
        "BM25Recommender",
    ),
    "Cornac": ("MostPop", "BPR", "EASE", "HPF", "ItemKNN", "MF", "BaselineOnly"),
    "Surprise": (
        "NormalPredictor",
        "BaselineOnly",
        "KNNBasic",
        "KNNWithMeans",
        "KNNWithZScore",
        "KNNBaseline",
        "SVD",
        "SVDpp",
        "NMF",
        "SlopeOne",
        "CoClustering",
    ),
    "RecTools": (
        "EASEModel",
        "PureSVDModel",
        "ImplicitALSWrapperModel",
        "ImplicitBPRWrapperModel",
        "ImplicitItemKNNWrapperModel",
        "LightFMWrapperModel",
        "PopularModel",
        "RandomModel",
    ),
}
"""What is compared on each change, on a small data set; ``-m catalogue`` compares all on real data."""

EPOCHS = 2
AT_DEFAULT_EPOCHS = {
    "RecPack": ("BPRMF",),
    "RecBole": ("BPR", "LINE", "MultiVAE", "MultiDAE", "CDAE", "ENMF", "DiffRec", "LDiffRec"),
}
"""Algorithms that train for as long as is their default within a minute; the others train for two epochs on both sides."""

ON_SMALL_DATA: dict[str, dict[str, Any]] = {
    "LensKit.TimeBoundedPopScore": {"cutoff": "1970-01-01T00:25:00"},
    "RecBole.Pop": {"train_batch_size": 64},
    "RecBole.ItemKNN": {"k": 5},
}
"""What both ways get on the small data set: in the few batches of the default size nearly every item is in each, and among
100 neighbours are all that have anything in common."""

EVERYWHERE: dict[str, dict[str, Any]] = {
    "LensKit.TimeBoundedPopScore": {"cutoff": "1998-03-01"},
    "LensKit.NMFScorer": {"embedding_size": 8},
    "RecBole.NCL": {"epochs": 3, "num_clusters": 20, "warm_up_step": 1},
    "RecPack.ItemPNN": {"K": 20, "pdf": "softmax_empirical"},
    "RecPack.WeightedMatrixFactorization": {"num_components": 8, "alpha": 2, "regularization": 5.0, "iterations": 3},
}
"""What both ways get on all data. TimeBoundedPopScore
has no default of its time, which on the small data set is another one; NMFScorer has as many components as there are items by its
default; NCL makes more clusters by its default than there are users here, and learns from them after
20 epochs only; ItemPNN draws more neighbours of an item than a rare one has; and RecPack's own way does not give
WeightedMatrixFactorization the same last digits each time."""

PROBES = {"RecPack.*": "RecPack.ItemKNN", "RecBole.*": "RecBole.BPR"}
"""The algorithm that shows whether an exception for all of a framework is needed."""


@dataclass(frozen=True)
class Directory:
    """A prepared data set.

    Attributes:
        path: Where it lies.
        has_ratings: Whether it is to be rated, not ranked.
        is_small: Whether it is the small one, for the sample.
    """

    path: Path
    has_ratings: bool
    is_small: bool

    def algorithms(self, framework: str) -> list[str]:
        """The algorithms of a framework that are compared on it."""
        offered = get_runner(framework).catalogue["algorithms"]
        task = "ratings" if self.has_ratings else "ranking"
        return [
            name
            for name in offered
            if offered[name][task]
            and not offered[name].get(
                "sequential"
            )  # compared by itself: test_sequential.py, test_recpack_sequences.py, test_rectools.py
            and not offered[name].get("item_feature")  # likewise
            and not learns_from_features(offered[name])  # likewise: test_recbole_features.py, test_cornac.py
            and f"{framework}.{name}" != "RecBole.RaCT"  # likewise: test_recbole_stages.py
            and (not self.is_small or name in SAMPLE[framework])
        ]


@pytest.fixture(scope="module", params=["small", pytest.param("MovieLens100K", marks=pytest.mark.catalogue)])
def directories(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Directory]:
    """Publish data with and without ratings: a small set, or 200 users of MovieLens-100K."""
    is_small = request.param == "small"
    data = _tastes() if is_small else omnibench.load_dataset("MovieLens100K").pipe(omnibench.Subsample(200, of="users"))
    published = []
    for steps in ((omnibench.MakeImplicit(3),), ()):
        root = tmp_path_factory.mktemp("data")
        prepare(data.pipe(*steps, omnibench.UserHoldout(0.1, 0.2)), root)
        published.append(Directory(root, has_ratings=not steps, is_small=is_small))
    return published


def _tastes() -> omnibench.RecSysDataSet:
    """Return the ratings of 120 users with tastes, among items of which a few are rare."""
    rng = np.random.default_rng(7)
    taste, nature = rng.normal(size=(120, 4)), rng.normal(size=(180, 4))
    liked = taste @ nature.T + rng.gumbel(size=(120, 180)) + np.linspace(2, -2, 180)
    item = np.argsort(-liked, axis=1)[:, :25]
    user = np.repeat(np.arange(120), 25)
    rating = np.tile(np.repeat([5.0, 4.0, 3.0, 2.0, 1.0], 5), 120)
    frame = pd.DataFrame({"user": user, "item": item.ravel(), "rating": rating, "timestamp": np.arange(len(user))})
    return omnibench.from_frame(frame, "tastes")


@dataclass(frozen=True)
class Comparison:
    """An algorithm by both ways on one data set.

    Attributes:
        name: The algorithm's full name, and its data.
        flaw: In what the adapter's lists are not the pipeline's; empty where they are.
        differing_settings: The hyperparameters in effect that are not the framework's defaults.
        documented_settings: Those that the page names.
        same_without: By each documented difference that was left out, whether the lists are the same without it.
    """

    name: str
    flaw: str
    differing_settings: dict[str, Any]
    documented_settings: dict[str, Any]
    same_without: dict[str, bool]


def _given(framework: str, algorithm: str, *, is_small: bool) -> dict[str, Any]:
    """Return the settings that both ways get, so that training takes less than a minute and is not trivial."""
    if is_small and f"{framework}.{algorithm}" in ON_SMALL_DATA:
        return ON_SMALL_DATA[f"{framework}.{algorithm}"]
    if f"{framework}.{algorithm}" in EVERYWHERE:
        return EVERYWHERE[f"{framework}.{algorithm}"]
    info = get_runner(framework).catalogue["algorithms"][algorithm]
    if use_of_validation(info) == NO_USE or algorithm in AT_DEFAULT_EPOCHS[framework]:
        return {}
    return {name: EPOCHS for name in ("epochs", "max_epochs") if name in info["parameters"]}


def _job(algorithm: str, given: dict[str, Any], differences: list[Difference], output: Path) -> dict[str, Any]:
    settings = {name: value for difference in differences for name, value in difference.setting.items()}
    changes = [difference.text for difference in differences if not difference.setting]
    return {"algorithm": algorithm, "settings": {**settings, **given}, "changes": changes, "output": str(output)}


def _compare(framework: str, directory: Directory, python: Path, work: Path) -> list[Comparison]:
    """Run both ways, each in processes of its own, and compare."""
    needed = [difference for difference in documented_differences() if difference.is_needed]
    jobs, words, probes = [], [], []
    algorithms = directory.algorithms(framework)
    for algorithm in algorithms:
        name, given = f"{framework}.{algorithm}", _given(framework, algorithm, is_small=directory.is_small)
        applying = [entry for entry in needed if entry.applies(name, has_ratings=directory.has_ratings)]
        jobs.append(_job(algorithm, given, applying, work / f"{algorithm}-own.npy"))
        words += [algorithm, json.dumps(given), work / f"{algorithm}-adapter.npy"]
        for number, left_out in enumerate(applying):
            if name in left_out.algorithms or name in {PROBES.get(pattern) for pattern in left_out.algorithms}:
                output = work / f"{algorithm}-without-{number}.npy"
                rest = [entry for entry in applying if entry is not left_out]
                jobs.append(_job(algorithm, given, rest, output))
                probes.append((algorithm, left_out, output))
    (work / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    module = framework.lower()
    run(python, f"{module}_own.py", directory.path, 0, SEED, work / "jobs.json", cwd=work)
    length = Fold(directory.path, 0).n_items
    run(python, "adapter_run.py", GUEST, module, directory.path, 0, SEED, length, *words, cwd=work)
    return [
        Comparison(
            f"{framework}.{algorithm}{' (ratings)' if directory.has_ratings else ''}",
            disagreement(work / f"{algorithm}-adapter.npy", work / f"{algorithm}-own.npy"),
            _differing_settings(work, algorithm, _given(framework, algorithm, is_small=directory.is_small)),
            {
                setting: value
                for entry in documented_differences()
                if entry.applies(f"{framework}.{algorithm}", has_ratings=directory.has_ratings)
                for setting, value in entry.setting.items()
            },
            {
                left_out.text: not disagreement(work / f"{algorithm}-adapter.npy", output)
                for probe, left_out, output in probes
                if probe == algorithm
            },
        )
        for algorithm in algorithms
    ]


def _differing_settings(work: Path, algorithm: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the hyperparameters in effect that are neither given, nor the seed, nor the framework's defaults."""
    effective, defaults = (
        json.loads((work / f"{algorithm}-{file}").read_text(encoding="utf-8"))
        for file in ("adapter.npy.effective", "own.npy.defaults")
    )
    for settings in (effective, defaults):
        if (settings.get("train_neg_sample_args") or {}).get("distribution") == "none":
            settings["train_neg_sample_args"] = None  # RecBole spells it out
    names = effective.keys() - given.keys() - {"seed"}
    return {name: effective[name] for name in names if name not in defaults or effective[name] != defaults[name]}


@pytest.fixture(scope="module")
def comparisons(
    directories: list[Directory],
    tmp_path_factory: pytest.TempPathFactory,
    environment_python: Callable[[str], Path],
) -> Callable[[str], list[Comparison]]:
    """Return the comparisons of a framework's algorithms, made once."""

    @cache
    def compare(framework: str) -> list[Comparison]:
        python = environment_python(framework)
        return [
            comparison
            for directory in directories
            if directory.algorithms(framework)
            for comparison in _compare(framework, directory, python, tmp_path_factory.mktemp(framework))
        ]

    return compare


@pytest.mark.guests
@pytest.mark.parametrize(
    "framework",
    [pytest.param(name, marks=[] if name in ("Implicit", "Surprise") else pytest.mark.slow) for name in FRAMEWORKS],
)
def test_the_adapter_predicts_as_the_frameworks_own_pipeline(
    framework: str, comparisons: Callable[[str], list[Comparison]]
) -> None:
    """The framework's own pipeline, with the page's exceptions, gives the adapter's lists or ratings for everything."""
    flaws = {comparison.name: comparison.flaw for comparison in comparisons(framework) if comparison.flaw}
    assert not flaws, "mend the adapter, or name the difference in docs/algorithms.md"


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_exception_of_the_page_is_needed(framework: str, comparisons: Callable[[str], list[Comparison]]) -> None:
    """Without any one of its exceptions, the lists of some algorithm that it names differ from the framework's own."""
    is_same: dict[str, list[bool]] = {}
    for comparison in comparisons(framework):
        for text, same in comparison.same_without.items():
            is_same.setdefault(text, []).append(same)
    needless = [text for text, each_same in is_same.items() if all(each_same)]
    assert not needless, "docs/algorithms.md names exceptions that are none"


@pytest.mark.guests
@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.slow
def test_hyperparameters_are_the_frameworks_defaults_but_for_what_the_page_says(
    framework: str, comparisons: Callable[[str], list[Comparison]]
) -> None:
    """What is in effect differs from the framework's own configuration in exactly the settings that the page names."""
    done = comparisons(framework)
    differing = {comparison.name: comparison.differing_settings for comparison in done}
    assert differing == {comparison.name: comparison.documented_settings for comparison in done}


def test_the_page_names_algorithms_that_there_are_and_says_why() -> None:
    """Every name is in a catalogue or stands for a whole framework, and every exception has a reason."""
    full_names = {
        f"{framework}.{name}" for framework in FRAMEWORKS for name in get_runner(framework).catalogue["algorithms"]
    }
    for difference in documented_differences():
        assert difference.reason
        for name in difference.algorithms:
            assert name in full_names or name in PROBES, name
        script = (SCRIPTS / f"{difference.algorithms[0].partition('.')[0].lower()}_own.py").read_text(encoding="utf-8")
        assert difference.setting or f'"{difference.text}"' in script, difference.text


def test_a_difference_is_seen(tmp_path: Path) -> None:
    """Other orders, items, scores and ratings are no agreement; another order of equal scores is one."""
    rows = np.zeros(1, dtype=[("user", "<i4"), ("item", "<i4", (3,)), ("score", "<f4", (3,))])
    rows["item"], rows["score"] = [4, 7, 9], [2.0, 2.0, 1.0]
    ratings = np.array([(0, 1, 3.5)], dtype=RATING_DTYPE)
    for name, array in {"lists": rows, "ratings": ratings}.items():
        np.save(tmp_path / f"{name}.npy", array)

    def flaw(name: str, own: Any) -> str:
        np.save(tmp_path / "own.npy", own)
        return disagreement(tmp_path / f"{name}.npy", tmp_path / "own.npy")

    def lists(items: list[int], scores: list[float]) -> npt.NDArray[Any]:
        pairs = list(zip(items, scores, strict=True))
        return np.array([pairs], dtype=[("item", "<i4"), ("score", "<f8")])

    assert not flaw("lists", lists([7, 4, 9], [2.0, 2.0, 1.0]))
    assert not flaw("ratings", np.array([3.5]))
    for items, scores in (
        ([4, 9, 7], [2.0, 1.0, 2.0]),
        ([4, 7, -1], [2.0, 2.0, np.nan]),
        ([4, 7, 8], [2.0, 2.0, 1.0]),
        ([4, 7, 9], [2.0, 1.5, 1.0]),
    ):
        assert flaw("lists", lists(items, scores)) == "the lists of 1 of 1 users differ"
    assert flaw("ratings", np.array([3.6])) == "1 of 1 ratings differ"


@pytest.mark.guests
@pytest.mark.parametrize(
    "framework",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW_TO_IMPORT else []) for name in FRAMEWORKS],
)
def test_the_committed_catalogue_is_what_the_framework_says(
    framework: str, tmp_path: Path, environment_python: Callable[[str], Path]
) -> None:
    """The host may check names and hyperparameters by the JSON file: the installed framework offers just those."""
    name, offered = framework.lower(), tmp_path / "offered.json"
    run(environment_python(framework), "adapter_catalogue.py", GUEST, name, offered, cwd=tmp_path)
    committed = GUEST.parent / "runners" / "catalogue" / f"{name}.json"
    assert json.loads(offered.read_text("utf-8")) == json.loads(committed.read_text("utf-8"))


OTHER_COMPARISONS = {
    "RecPack": ["test_recpack_sequences.py"],
    "RecTools": ["test_rectools.py"],
    "Cornac": ["test_cornac.py"],
}
"""Tests that compare algorithms by name. Those of RecBole's sequential models, and models of features, go through its catalogue."""


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_each_algorithm_is_compared_somewhere(framework: str) -> None:
    """What docs/frameworks.md counts as equal to the framework's own script: nothing that runs here is left out."""
    offered = get_runner(framework).catalogue["algorithms"]
    compared = {
        name
        for has_ratings in (False, True)
        for name in Directory(Path(), has_ratings=has_ratings, is_small=False).algorithms(framework)
    }
    for file in OTHER_COMPARISONS.get(framework, []):
        text = Path(__file__).with_name(file).read_text("utf-8")
        compared |= {name for name in offered if f'"{name}"' in text}
    if framework == "RecBole":
        compared |= {name for name, info in offered.items() if info.get("sequential") or info.get("features")} | {
            "RaCT"
        }
    assert offered.keys() - compared == set()
