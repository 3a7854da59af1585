"""Estimates of the memory of Fits, from what a store has recorded of earlier ones on other data."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from omnibench import UserHoldout, from_frame
from omnibench.data.data_size import DataSize, FeatureSize, expected_size
from omnibench.data.from_file import from_file
from omnibench.data.prepare import prepare
from omnibench.engine.fit_needs import refusal
from omnibench.engine.requirements import Requirements, size_in
from omnibench.guest import TRAIN_AND_VALIDATION
from omnibench.guest.folds import Fold
from omnibench.runners.registry import get_runner
from omnibench.runners.requirements import formula_of, required
from omnibench.store import CheckpointStore
from omnibench.store.builders import data_record
from omnibench.store.schema import COSTS

KEYS = {"Small": "a" * 64, "Middle": "b" * 64, "Large": "c" * 64}
SIZES = {
    "Small": DataSize(100, 2_000, 10_000),
    "Middle": DataSize(1_000, 10_000, 100_000),
    "Large": DataSize(100_000, 100_000, 10_000_000),
}


def experiment(dataset: str, runner: str = "RecPack", algorithm: str = "EASE", configuration: str = "1") -> Any:
    """What an experiment says of itself."""
    own = None if runner != "Own" else object()
    return SimpleNamespace(
        dataset=SimpleNamespace(key=KEYS.get(dataset, "d" * 64), source=SimpleNamespace()),
        dataset_name=f"{dataset}-{KEYS.get(dataset, 'd')[:8]}",
        configuration=SimpleNamespace(
            runner=get_runner(runner),
            algorithm=algorithm,
            name=algorithm if own else f"{runner}.{algorithm}",
            own=own,
            plain_parameters={"l2": 7.0},
        ),
        configuration_key=configuration,
        refit="",
    )


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """A store with prepared datasets of three sizes."""
    store = CheckpointStore(tmp_path / "store")
    sizes = {f"data/{KEYS[name]}": {**size._asdict(), "name": name} for name, size in SIZES.items()}
    with store.lease("a") as lease:
        store.commit(lease, sizes)
    yield store
    store.close()


def record(store: CheckpointStore, dataset: str, peak: int, algorithm: str = "RecPack.EASE", key: str = "f") -> None:
    """Record a Fit."""
    fit = {
        "dataset": f"{dataset}-{KEYS[dataset][:8]}",
        "algorithm": f"{algorithm}-{key}",
        "phase": "Fit",
        "seconds": 1.0,
        "peak_rss": peak,
        "effective": {"l2": 500.0, "density": None},
    }
    with store.lease("a") as lease:
        store.commit(lease, {f"fit/{dataset}{key}": fit})


def by_formula(dataset: str) -> float:
    """What the formula of EASE says."""
    formula, size = formula_of(get_runner("RecPack"), "EASE"), SIZES[dataset]
    return formula["guest"] + formula["interactions"] * size.interactions + formula["items*items"] * size.items**2


def test_without_records_the_formula_counts(store: CheckpointStore) -> None:
    """And where the size of the data is not known, nothing is said."""
    requirements = Requirements(store.read)
    large = requirements.of(experiment("Large"))
    assert large is not None
    assert large.size == pytest.approx(by_formula("Large"))
    assert large.reason == "100,000 items"
    assert requirements.of(experiment("Unprepared")) is None


def test_earlier_fits_on_other_data_count(store: CheckpointStore) -> None:
    """Twice what the formula says on two datasets is twice that on a third; other algorithms say nothing."""
    for dataset in ("Small", "Middle"):
        record(store, dataset, int(4e8 + 2 * by_formula(dataset)))
        record(store, dataset, 2**45, "RecPack.EASEr", "g")
    large = Requirements(store.read).of(experiment("Large"))
    assert large is not None
    assert large.size == pytest.approx(2 * by_formula("Large"), rel=0.02)
    assert large.basis == "by 2 earlier Fits of the algorithm"


def test_the_same_data_tells_most(store: CheckpointStore) -> None:
    """Another fold has needed so much: so will this one, whatever other data would have it."""
    record(store, "Small", 2**33)
    record(store, "Large", 30 * 10**9)
    large = Requirements(store.read).of(experiment("Large"))
    assert large is not None
    assert large.size == pytest.approx(30e9, rel=0.01)


def test_a_run_learns_from_its_own_fits(store: CheckpointStore) -> None:
    """Also where its process has read the records already."""
    requirements = Requirements(store.read)
    assert requirements.of(experiment("Large")) is not None
    requirements.learn(experiment("Large"), {"l2": 7.0}, 12 * 10**9)
    requirements.learn(experiment("Large"), {"l2": 7.0}, None)
    large = requirements.of(experiment("Large"))
    assert large is not None
    assert large.size == pytest.approx(12e9, rel=0.01)


def test_each_configuration_and_dataset_has_an_estimate_of_its_own(store: CheckpointStore) -> None:
    """Also by turns, as workers come to them, and for what the model is fitted on."""
    requirements = Requirements(store.read)
    items = [experiment(dataset, configuration=number) for dataset in ("Small", "Large") for number in ("0", "1")]
    items[1].configuration.algorithm = "ItemKNN"
    alone = [Requirements(store.read).of(item) for item in items]
    assert [requirements.of(item) for item in items + items[::-1]] == alone + alone[::-1]
    assert alone[0] != alone[1]


def test_the_median_of_each_framework(store: CheckpointStore) -> None:
    """What -n auto reckons with: large data make fewer workers, a single large Fit does not, for it waits."""
    requirements = Requirements(store.read)
    few = [experiment(dataset, configuration=str(number)) for number, dataset in enumerate(["Small", "Small", "Large"])]
    usual = requirements.usual(few)
    assert usual == {"RecPack": pytest.approx(by_formula("Small"), rel=0.01)}
    many = requirements.usual([experiment("Large"), experiment("Large", "Own", "Mine", "2")])
    assert many["RecPack"] > 100 * usual["RecPack"]
    assert many["Own"] > 5e8
    assert requirements.usual([experiment("Unprepared")]) == {}


def test_what_cannot_be_read_says_nothing() -> None:
    """No result depends on it."""

    def refuse(_: Any) -> Any:
        raise OSError("unreadable")

    assert Requirements(refuse).of(experiment("Large")) is None


def test_data_that_nobody_has_read(tmp_path: Path) -> None:
    """A frame has its length, a file its bytes; what is neither has no size."""
    frame = pd.DataFrame({"user": range(5000), "item": range(5000), "timestamp": range(5000)})
    assert expected_size(from_frame(frame, name="frame")) == DataSize(51, 11, 5000)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    size = expected_size(from_file(tmp_path / "rows.csv"))
    assert size is not None
    assert 2500 < size.interactions < 10_000
    unknown: Any = SimpleNamespace(source=SimpleNamespace())
    assert expected_size(unknown) is None
    missing: Any = SimpleNamespace(source=SimpleNamespace(path=tmp_path / "missing.csv"))
    assert expected_size(missing) is None


def test_the_catalogue_says_what_to_expect() -> None:
    """Of MovieLens-20M it is known before it is fetched."""
    from omnibench import load_dataset

    size = expected_size(load_dataset("MovieLens20M"))
    assert size is not None
    assert size.interactions == pytest.approx(20e6, rel=0.01)
    assert size.items > 20_000


def test_many_fits_are_remembered_as_few(store: CheckpointStore) -> None:
    """Ten thousand items of an algorithm may not cost ten thousand looks each: of those that are alike one stays."""
    requirements, item = Requirements(store.read), experiment("Large")
    for number in range(1000):
        requirements.learn(item, {"l2": float(number)}, 10**9 + number)
    large = requirements.of(item)
    assert large is not None
    assert large.size == 10**9 + 999
    assert large.basis == "by 1 earlier Fit of the algorithm"


def test_features_are_counted_where_they_are_prepared(tmp_path: Path) -> None:
    """Different values and the longest list of what users and items of the interactions have, by the record of the dataset."""
    rows = pd.DataFrame([(user, f"i{item}") for user in range(12) for item in range(6)], columns=["user", "item"])
    items = pd.DataFrame(
        {
            "item": [f"i{item}" for item in range(8)],  # two that nobody has
            "genres": [["a", "b"], ["a"], ["c", "a", "b"], None, [], ["b"], ["of none", "of none either"], ["z"] * 9],
            "kind": ["x", "A y", "x", None, "A y", "x1_a", "of none", "z"],
            "year": [1990.0, None, 1990.0, 1.0, 2.0, 3.0, 4.0, 5.0],
            "new": [True, False, True, True, None, False, True, True],
        }
    )
    dataset = from_frame(rows, "shop", items=items).pipe(UserHoldout(0.2, 0.2))
    manifest = json.loads(json.dumps(prepare(dataset, tmp_path)))
    costs = dict.fromkeys(COSTS)
    record = data_record(manifest, costs, "datasets/shop", [])
    expected = (
        FeatureSize("items", "genres", "texts", 3, 3, 3, 7),
        FeatureSize("items", "kind", "text", 3, vocabulary=3, words=8),
        FeatureSize("items", "new", "boolean", 2),
        FeatureSize("items", "year", "number", 1),
    )
    size = size_in(record)
    judged = len(set(Fold(tmp_path, 0).validation.user.tolist()))
    assert 0 < judged <= 12
    assert size == DataSize(12, 6, len(rows), expected, judged, longest_user=6, longest_item=12)
    earlier = {**manifest, "features": {"items": {"columns": {}, "missing": 0, "ignored": 0}}}
    for count in ("validated", "longest_user", "longest_item"):
        del earlier[count]
    assert size_in(data_record(earlier, costs, "datasets/shop", [])) == DataSize(12, 6, len(rows))
    wrong: tuple[Any, ...] = ({"items": {"kind": {"type": "text", "values": -1, "longest": 1}}}, {"items": 7}, [], None)
    for damaged in wrong:
        unknown = {"features": damaged, "validated": "many", "longest_user": -1, "longest_item": None}
        assert size_in({**record, **unknown}) == DataSize(12, 6, len(rows))
    assert size_in({**record, "items": None}) is None


def test_a_model_fitted_on_both_parts_judges_nobody(store: CheckpointStore) -> None:
    """Nothing of the validation part is left then: RecBole scores no items of its users."""
    data = {**SIZES["Large"]._asdict(), "validated": 90_000, "name": "Large"}
    with store.lease("a") as lease:
        store.commit(lease, {f"data/{KEYS['Large']}": data})
    judged, refitted = (experiment("Large", "RecBole", "SASRec") for _ in range(2))
    refitted.refit = TRAIN_AND_VALIDATION
    said = [Requirements(store.read).of(each) for each in (judged, refitted)]
    assert said[0] is not None
    assert said[1] is not None
    assert said[0].size - said[1].size >= 0.99 * 4_096 * 100_000 * 8


def test_any_name_of_a_hyperparameter_and_the_features_that_are_read_count(store: CheckpointStore) -> None:
    """An estimate is the same whichever name LensKit is given; earlier Fits are asked as they were."""
    requirements = Requirements(store.read)
    sizes = []
    for number, given in enumerate([{"embedding_size": 512}, {"embedding_size_exp": 9}, {"features": 512}, {}]):
        item = experiment("Large", "LensKit", "BiasedSVDScorer", configuration=str(number))
        item.configuration.plain_parameters = given
        requirement = requirements.of(item)
        assert requirement is not None
        sizes.append(requirement.size)
    assert sizes[0] == sizes[1] == sizes[2] > sizes[3] + 1e9


def test_a_refusal_advises_what_helps() -> None:
    """Where a batch makes most of it, smaller hyperparameters do, and where items do less data; each is named with its value."""
    network, matrix = (experiment("Middle", "RecBole", name) for name in ("SASRec", "EASE"))
    defaults = get_runner("RecBole").catalogue["algorithms"]["SASRec"]["parameters"]
    formula, words = formula_of(get_runner("RecBole"), "SASRec"), "2.0 GB are here"
    said = str(refusal(network, required(formula, DataSize(300, 1_000, 6_000), defaults), words))
    assert "RecBole.SASRec with train_batch_size=2048, MAX_ITEM_LIST_LENGTH=50, inner_size=256" in said
    assert "or with a smaller train_batch_size or MAX_ITEM_LIST_LENGTH or inner_size" in said
    assert "less data" not in said
    said = str(refusal(matrix, required({"guest": 1e8, "items*items": 80.0}, SIZES["Middle"], {}), words))
    assert "RecBole.EASE on 10,000 items needs about" in said
    assert "or on less data (CorePruning, a sample), or with --omnirec-memory=ignore" in said


@pytest.mark.parametrize(
    ("framework", "algorithm", "size", "remedy"),
    [
        ("RecBole", "NAIS", DataSize(100, 30_000, 1_000, (), 90, 900, 900), "split_to=10"),
        ("RecPack", "MultVAE", DataSize(90_000, 10_000, 500_000, (), 90_000), "validation_sample_size=1000"),
        ("RecBole", "STAMP", DataSize(10_000, 1_000_000, 2_000_000), "a smaller train_batch_size"),
        ("RecBole", "STAMP", DataSize(10_000, 1_000_000, 12_000, (), 9_000), "a smaller eval_batch_size"),
        ("RecBole", "SGL", DataSize(1_000_000, 10_000, 2_000_000), "a smaller train_batch_size"),
        ("Cornac", "VAECF", DataSize(10_000, 10_000_000, 12_000_000), "a smaller batch_size"),
    ],
)
def test_a_refusal_names_what_takes_less_of_the_data_at_once(
    framework: str, algorithm: str, size: DataSize, remedy: str
) -> None:
    """Items and users make most of it, and a hyperparameter that the algorithm has says for how many of them at once."""
    parameters = get_runner(framework).catalogue["algorithms"][algorithm]["parameters"]
    requirement = required(formula_of(get_runner(framework), algorithm), size, parameters)
    asked = experiment("Middle", framework, algorithm)
    assert f", or with {remedy}, or on less data" in str(refusal(asked, requirement, "2.0 GB are here"))
    name = remedy.rsplit(maxsplit=1)[-1].split("=", maxsplit=1)[0]
    value = int(remedy.split("=")[1]) if "=" in remedy else 16
    changed = required(formula_of(get_runner(framework), algorithm), size, {**parameters, name: value})
    assert changed.size < 0.8 * requirement.size
