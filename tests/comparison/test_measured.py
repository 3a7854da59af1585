"""What a store has measured, per user: read, paired, and refused when it is not what was recorded."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from support.measuring import LENGTH, datasets

from omnibench import compare_configurations, compare_with_best, open_store, rank_configurations
from omnibench.comparison.configurations import measured
from omnibench.comparison.measured import Measured, PairedSample
from omnibench.data.dataset import FoldedData, SplitData
from omnibench.data.stored_ids import read_ids
from omnibench.errors import StatisticsError
from omnibench.metrics.directions import higher_is_better
from omnibench.store.artifacts import sha256_of
from omnibench.store.per_user import read_per_user, write_per_user

FROZEN = Path(__file__).parent.parent / "assets" / "stores" / "format-2"


def hit_rates(store: Path, name: str, k: int) -> pd.DataFrame:
    """Whether each user of each fold got a relevant item among the first k, from the exported predictions alone.

    Columns are configurations, rows (fold, user).
    """
    (dataset,) = [recipe for recipe in datasets() if recipe.name == name]
    data = dataset.data
    parts = data.folds if isinstance(data, FoldedData) else {None: data}
    frames = []
    for item, record in open_store(store).items().items():
        if not item.startswith(f"{name}-"):
            continue
        part = parts[record["fold"]]
        assert isinstance(part, SplitData)
        lists = pd.DataFrame(json.loads((store / record["directory"] / "predictions.json").read_text()))
        assert lists["rank"].max() <= LENGTH
        hits = lists[lists["rank"] <= k].merge(part.test[["user", "item"]])["user"].unique()
        users = sorted(part.test["user"].unique())
        values = {user: float(user in set(hits)) for user in users}
        frames.append(
            pd.DataFrame(
                {"algorithm": record["algorithm"], "fold": record["fold"] or 0, "user": users, "hit": values.values()}
            )
        )
    return pd.concat(frames).set_index(["fold", "user", "algorithm"])["hit"].unstack()  # noqa: PD010 - one value each


def values_of(pairs: PairedSample | pd.DataFrame) -> list[tuple[float, ...]]:
    """Pairs in an order that does not depend on who they are."""
    rows = pairs.to_numpy() if isinstance(pairs, pd.DataFrame) else np.stack([pairs.first, pairs.second], axis=1)
    return sorted(tuple(row) for row in np.round(rows, 12).tolist())


@pytest.fixture
def own(measured_store: Path, tmp_path: Path) -> Path:
    """A copy of the store that may be damaged."""
    return Path(shutil.copytree(measured_store, tmp_path / "checkpoints"))


def records_of(store: Path) -> dict[str, Any]:
    return open_store(store).records()


def names(store: Path, dataset: str) -> tuple[str, list[str]]:
    measurements = measured(store)
    (dataset_name,) = [name for name in measurements.datasets if name.startswith(dataset)]
    return dataset_name, list(measurements.means(dataset_name, "HR@3"))


@pytest.mark.parametrize("label", ["HR@3", "HR@10"])
@pytest.mark.parametrize("dataset", ["crossed", "held"])
def test_pairs_are_users_and_their_means_over_folds(measured_store: Path, dataset: str, label: str) -> None:
    """Means of users over folds are what pandas computes from exported predictions, even if users miss folds."""
    expected = hit_rates(measured_store, dataset, int(label.partition("@")[2]))
    folds = expected.groupby("user").size()
    assert folds.max() == (3 if dataset == "crossed" else 1)
    assert (folds.min() < folds.max()) == (dataset == "crossed")
    by_user = expected.groupby("user").mean()
    dataset_name, configurations = names(measured_store, dataset)
    first, second, *_ = configurations
    sample = measured(measured_store).paired_sample(dataset_name, label, first, second)
    assert (sample.units, sample.test_to_train) == ("users", 0.0)
    assert values_of(sample) == values_of(by_user[[first, second]])
    compared = compare_configurations(measured_store, first, second, label, dataset=dataset_name, test="t")
    differ = bool((by_user[first] != by_user[second]).any())
    assert compared.p == (pytest.approx(scipy.stats.ttest_rel(by_user[first], by_user[second]).pvalue) if differ else 1)
    assert (compared.pairs, compared.units) == (len(by_user), "users")


def test_the_mean_is_that_of_the_table(measured_store: Path) -> None:
    """A mean is over folds, equal to that of records and tables."""
    results = open_store(measured_store).results()
    for dataset in measured(measured_store).datasets:
        expected = results[(results["dataset"] == dataset) & (results["metric"] == "NDCG@10")]
        means = measured(measured_store).means(dataset, "NDCG@10")
        assert means == pytest.approx(expected.groupby("algorithm")["value"].mean().to_dict())


def test_all_against_the_best(measured_store: Path) -> None:
    """Rotating by nine is worse than by none; the same as comparing one by one."""
    dataset_name, configurations = names(measured_store, "crossed")
    standing = compare_with_best(measured_store, "crossed", "NDCG@10")
    means = measured(measured_store).means(dataset_name, "NDCG@10")
    assert standing.best == max(means, key=lambda name: means[name])
    assert set(standing.comparisons) == set(configurations) - {standing.best}
    for name, comparison in standing.comparisons.items():
        assert comparison == compare_configurations(measured_store, name, standing.best, "NDCG@10", dataset="crossed")
    worst = min(means, key=lambda name: means[name])
    assert worst not in standing.not_worse


def test_only_folds_in_common_are_compared(measured_store: Path) -> None:
    """An item that is not done leaves its fold out of the pairs of both."""
    dataset_name, (first, second, _) = names(measured_store, "crossed")
    records = records_of(measured_store)
    missing = next(
        key
        for key, record in records.items()
        if key.startswith("item/") and record["item"] == f"{dataset_name}/{second}/fold_1"
    )
    del records[missing]
    by_user = hit_rates(measured_store, "crossed", 3).drop(index=1, level="fold").groupby("user").mean()
    sample = Measured(measured_store, records).paired_sample(dataset_name, "HR@3", first, second)
    assert values_of(sample) == values_of(by_user[[first, second]])
    only = Measured(
        measured_store, records, items=[f"{dataset_name}/{first}/fold_0", f"{dataset_name}/{second}/fold_2"]
    )
    with pytest.raises(StatisticsError, match=r"have no fold of crossed-.* in common where HR@3 was measured"):
        only.paired_sample(dataset_name, "HR@3", first, second)


def test_what_shares_no_fold_with_the_best_is_undecided(measured_store: Path) -> None:
    """The others are compared all the same."""
    dataset_name, (first, second, third) = names(measured_store, "crossed")
    items = [f"{dataset_name}/{first}/fold_0", f"{dataset_name}/{second}/fold_0", f"{dataset_name}/{third}/fold_1"]
    standing = compare_with_best(Measured(measured_store, records_of(measured_store), items), dataset_name, "NDCG@10")
    apart = {first, second} if standing.best == third else {third}
    assert set(standing.undecided) == apart
    for name in apart:
        assert (standing.comparisons[name].pairs, standing.comparisons[name].p) == (0, None)
        assert standing.comparisons[name].reason == "no fold in common with the best"


def without_users(records: dict[str, Any]) -> dict[str, Any]:
    """Records as a metric has them that is one number for all users, such as coverage."""
    return {
        key: {name: value for name, value in record.items() if name not in ("per_user", "row")}
        if key.startswith("eval/")
        else record
        for key, record in records.items()
    }


def test_of_what_has_no_users_folds_are_compared(measured_store: Path) -> None:
    """The t test is corrected for training sets that overlap: three folds test on half of what they train on."""
    dataset_name, (first, second, _) = names(measured_store, "crossed")
    measurements = Measured(measured_store, without_users(records_of(measured_store)))
    sample = measurements.paired_sample(dataset_name, "NDCG@10", first, second)
    assert (sample.units, len(sample.first)) == ("folds", 3)
    assert sample.test_to_train == pytest.approx(1 / 2, abs=0.01)
    differences = sample.first - sample.second
    t = differences.mean() / np.sqrt((1 / 3 + sample.test_to_train) * differences.var(ddof=1))
    compared = compare_configurations(measurements, first, second, "NDCG@10", dataset="crossed")
    assert compared.p == pytest.approx(2 * scipy.stats.t.sf(abs(t), 2))
    for test in ("wilcoxon", "randomisation"):
        ranked = compare_configurations(measurements, first, second, "NDCG@10", dataset="crossed", test=test)
        assert ranked.p is None
        assert ranked.reason.startswith("too few folds to say: with 3")


def test_of_a_single_split_without_users_nothing_can_be_said(measured_store: Path) -> None:
    """A metric without values per user, of a single split, leaves one number each: nothing can be said."""
    measurements = Measured(measured_store, without_users(records_of(measured_store)))
    standing = compare_with_best(measurements, "held", "NDCG@10")
    assert len(standing.undecided) == 2
    assert {comparison.reason for comparison in standing.comparisons.values()} == {
        "too few folds to say: one difference tells nothing about chance"
    }


@pytest.mark.parametrize("dataset", ["crossed", "held"])
def test_undefined_values_of_a_user_do_not_count(own: Path, dataset: str) -> None:
    """A fold in which a user has no value on one side does not count on the other side either."""
    dataset_name, (first, second, _) = names(own, dataset)
    records = records_of(own)
    expected = hit_rates(own, dataset, 3)[[first, second]].copy()
    codes = read_ids(own / "datasets" / dataset_name, "users")
    for key, record in records.items():
        if (
            key.startswith("eval/")
            and record["label"] == "HR@3"
            and record["item"].startswith(f"{dataset_name}/{first}")
        ):
            path = own / record["per_user"]["path"]
            users, values = read_per_user(own, record)
            changed = values.copy()
            changed[::3] = np.nan
            offsets = write_per_user(path, users, {"HR@3": changed})
            record["place"] = {"user": offsets["user"], "value": offsets["HR@3"]}
            record["per_user"] = {**record["per_user"], "size": path.stat().st_size, "sha256": sha256_of(path)}
            fold = record["fold"] or 0
            tested = [user for user in codes if (fold, user) in expected.index]
            expected.loc[[(fold, user) for user in tested[::3]], first] = np.nan
    by_user = expected.dropna().groupby("user").mean()
    assert len(expected.dropna()) < len(expected)
    sample = Measured(own, records).paired_sample(dataset_name, "HR@3", first, second)
    assert values_of(sample) == values_of(by_user[[first, second]])


def test_a_damaged_file_is_no_number(own: Path) -> None:
    """What differs from its record is said, with the way out."""
    dataset_name, (first, second, _) = names(own, "crossed")
    (damaged,) = (own / dataset_name / first / "fold_1").glob("per_user-*.parquet")
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(StatisticsError, match=r"per_user-.* differs from its record; `omnibench verify "):
        compare_configurations(own, first, second, "HR@3", dataset="crossed")
    damaged.write_bytes(content)
    compare_configurations(own, first, second, "HR@3", dataset="crossed")


def test_ranks_over_datasets(measured_store: Path) -> None:
    """Every dataset counts once, with the mean of its folds."""
    dataset_ranking = rank_configurations(measured_store, "NDCG@10")
    measurements = measured(measured_store)
    means = pd.DataFrame({dataset: measurements.means(dataset, "NDCG@10") for dataset in dataset_ranking.datasets}).loc[
        list(dataset_ranking.configurations)
    ]
    assert dataset_ranking.ranking.ranks.tolist() == means.rank(ascending=False).mean(axis=1).tolist()
    assert dataset_ranking.ranking.reason.startswith("too few datasets to say: with 2")
    with pytest.raises(StatisticsError, match="'MAP@10' was not measured; did you mean 'HR@10'"):
        rank_configurations(measured_store, "MAP@10")


def test_names_may_be_short(measured_store: Path) -> None:
    """The beginning of a name, an algorithm, or a hash, as long as it is clear."""
    dataset_name, (first, second, _) = names(measured_store, "held")
    whole = compare_configurations(measured_store, first, second, "HR@3", dataset=dataset_name)
    hashes = [name.rpartition("-")[2][:5] for name in (first, second)]
    for dataset in ("held", dataset_name.rpartition("-")[2]):
        assert compare_configurations(measured_store, hashes[0], hashes[1], "HR@3", dataset=dataset) == whole


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (
            ("Rotated", "x", "HR@3"),
            {},
            "'Rotated' may be any of 3 configurations; give one of their names:\n  Rotated-",
        ),
        (("x", "x", "HR@3"), {}, "'x': there is no such configuration"),
        (("{0}", "{1}", "HR@3"), {}, "were measured on crossed-.*, held-.*; choose one with dataset="),
        (("{0}", "{1}", "HR@4"), {"dataset": "held"}, "'HR@4' was not measured on held-.*; there are NDCG@10, HR@3"),
        (("{0}", "{1}", "HR@3"), {"dataset": "hold"}, "there is no dataset 'hold'"),
        (("{0}", "{1}", "HR@3"), {"dataset": "held", "test": "z"}, "there is no test 'z'"),
        (("{0}", "{1}", "HR@3"), {"dataset": "held", "alpha": 0}, "alpha is 0"),
    ],
)
def test_what_is_not_there_is_refused(
    measured_store: Path, arguments: tuple[str, str, str], options: dict[str, Any], message: str
) -> None:
    """A dataset, metric or configuration that is not there is refused; the error lists those that are."""
    _, configurations = names(measured_store, "held")
    with pytest.raises(StatisticsError, match=message):
        compare_configurations(measured_store, *(argument.format(*configurations) for argument in arguments), **options)


def test_which_direction_is_good_is_known_or_said() -> None:
    """The direction of omnibench's own metrics is known; that of others has to be given."""
    assert higher_is_better("NDCG@10")
    assert not higher_is_better("RMSE")
    assert higher_is_better("NDCG[lenskit]@10")
    assert not higher_is_better("Surprise@10", declared=False)
    with pytest.raises(StatisticsError, match=r"'Surprise@10' is no metric of omnibench's own"):
        higher_is_better("Surprise@10")


def test_a_frozen_store_is_compared(tmp_path: Path) -> None:
    """A frozen store of 12 users in two folds is compared with the records of its time."""
    store = shutil.copytree(FROZEN, tmp_path / "store")  # a reader, too, leaves SQLite's files beside the database
    standing = compare_with_best(store, "frozen", "NDCG@10")
    assert [comparison.pairs for comparison in standing.comparisons.values()] == [12]


def test_measurements_are_gone_at_once(measured_store: Path) -> None:
    """Without the garbage collector, with the values of users that were read to be compared."""
    measurements = Measured(measured_store, records_of(measured_store))
    dataset, (first, second, *_) = names(measured_store, "held")
    assert measurements.paired_sample(dataset, "HR@3", first, second).units == "users"
    left = weakref.ref(measurements)
    gc.disable()
    try:
        del measurements
        assert left() is None
    finally:
        gc.enable()
