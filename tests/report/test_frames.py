"""Results for analysis: every value with every digit, and whose it is."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.reporting import contents

from omnibench import export_results, open_store
from omnibench.keys import canonical
from omnibench.report.contents import Contents, MissingItem
from omnibench.report.frames import csv, nested, parquet

STORES = sorted((Path(__file__).parent.parent / "assets" / "stores").glob("format-*"))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
PANDAS = tuple(int(part) for part in pd.__version__.split(".")[:2])
EXACT: dict[str, Any] = {} if PANDAS >= (3, 1) else {"float_precision": "round_trip"}
READERS: dict[str, Callable[[Any], pd.DataFrame]] = {
    "csv": lambda file: pd.read_csv(file, **EXACT),
    "parquet": pd.read_parquet,
}


@pytest.mark.parametrize("kind", READERS)
def test_files_hold_what_the_store_holds(measured_store: Path, tmp_path: Path, kind: str) -> None:
    """Values, spreads, users, costs and keys, equal to what the store's own queries and records say."""
    file = tmp_path / f"results.{kind}"
    assert export_results(measured_store, file) == []
    found = READERS[kind](file)
    store = open_store(measured_store)
    expected, items, phases = store.results(), store.items(), store.phases().to_dict("records")
    records = store.records()
    fold = [f"/fold_{one:.0f}" if pd.notna(one) else "" for one in found["fold"]]
    found.index = pd.MultiIndex.from_arrays([found["dataset"] + "/" + found["configuration"] + fold, found["metric"]])
    assert len(found) == len(expected) == 3 * 4 * 3
    expected = expected.set_index(["item", "metric"]).loc[found.index]
    for column in ("value", "stderr", "low", "high"):
        assert found[column].tolist() == expected[column].tolist(), column
    seconds = {(one["item"], one["phase"]): one["seconds"] for one in phases}
    peaks = {(one["item"], one["phase"]): one["peak_rss"] for one in phases}
    for (item, label), row in zip(found.index.tolist(), found.to_dict("records"), strict=True):
        record = items[item]
        assert row["dataset_key"] == record["data_key"]
        assert row["fit_key"] == record["fit_key"]
        assert row["configuration"] == f"{row['algorithm']}-{row['configuration_key'][:8]}"
        assert row["parameters"] == canonical(record["parameters"])
        assert row["users"] == records[f"eval/{record['metrics'][label]['key']}"]["users"]
        assert row["fit_seconds"] == seconds[item, "Fit"]
        assert row["predict_seconds"] == seconds[item, "Predict"]
        assert row["peak_memory"] == max(peaks[item, "Fit"], peaks[item, "Predict"])


def test_frameworks_have_names_and_versions() -> None:
    """What is known of the item as a whole stands in each of its rows."""
    found = READERS["parquet"](io.BytesIO(parquet(contents())))
    expected = {"framework": "Lib", "framework_version": "1.2", "fit_seconds": 1.5, "peak_memory": 1 << 20, "users": 30}
    assert [set(found[name]) for name in expected] == [{value} for value in expected.values()]


@settings(max_examples=40)
@given(st.lists(FLOATS, min_size=1, max_size=5))
def test_every_float_comes_back(values: list[float]) -> None:
    """Whatever its size, to its last bit, from each of the three formats."""
    told = contents({"A-1": {"M": values[:1]}, **{f"B{number}-1": {"M": [one]} for number, one in enumerate(values)}})
    written = [one.metrics["M"] for one in told.results if one.metrics]
    from_json = [
        fold["metrics"]["M"]["value"]
        for one in json.loads(nested(told))["datasets"][0]["configurations"]
        for fold in one["folds"]
        if fold["metrics"]
    ]
    assert READERS["csv"](io.BytesIO(csv(told)))["value"].tolist() == written
    assert READERS["parquet"](io.BytesIO(parquet(told)))["value"].tolist() == written
    assert from_json == written


def test_json_nests_the_same(measured_store: Path, tmp_path: Path) -> None:
    """Dataset, configuration, fold, metric: the rows of the frame, with a format that says what it is."""
    files = [tmp_path / "results.json", tmp_path / "results.parquet"]
    export_results(measured_store, *files)
    told, rows = json.loads(files[0].read_text()), pd.read_parquet(files[1])
    assert (told["format"], told["missing"]) == ("omnibench.results/1", [])
    flat = [
        {
            "dataset": dataset["name"],
            "dataset_key": dataset["key"],
            "algorithm": one["algorithm"],
            "configuration": one["name"],
            "configuration_key": one["key"],
            "parameters": canonical(one["parameters"]),
            "framework": one["framework"],
            "framework_version": one["framework_version"],
            "fold": fold["fold"],
            "metric": label,
            **metric,
            **{name: fold[name] for name in ("fit_seconds", "predict_seconds", "peak_memory", "fit_key")},
        }
        for dataset in told["datasets"]
        for one in dataset["configurations"]
        for fold in one["folds"]
        for label, metric in fold["metrics"].items()
    ]
    pd.testing.assert_frame_equal(pd.DataFrame(flat)[list(rows)].astype(rows.dtypes), rows)


def test_what_is_missing_stands_in_json() -> None:
    """Each item with its state and the reason."""
    told = contents(missing=[MissingItem("D/A/fold_1", "failed", "Fit failed: no")])
    assert json.loads(nested(told))["missing"] == [{"item": "D/A/fold_1", "status": "failed", "why": "Fit failed: no"}]


def test_json_has_no_infinity() -> None:
    """A column that a plugin has added may be anything; what JSON cannot say is null."""
    told = contents({"A-1": {"gain": [float("inf"), float("nan"), 1.0]}})
    (one,) = json.loads(nested(told), parse_constant=pytest.fail)["datasets"][0]["configurations"]
    assert [fold["metrics"]["gain"]["value"] for fold in one["folds"]] == [None, None, 1.0]


def test_nothing_makes_an_empty_frame() -> None:
    """With all its columns, so that programs that read it need not ask."""
    nothing = Contents([], (), (), [], {}, {})
    full, empty = READERS["parquet"](io.BytesIO(parquet(contents()))), READERS["parquet"](io.BytesIO(parquet(nothing)))
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    assert len(empty) == 0


@pytest.mark.parametrize("frozen", STORES, ids=lambda path: path.name)
def test_old_stores_are_exported(frozen: Path, tmp_path: Path) -> None:
    """What an older format does not record is missing; the numbers are there, and the records stay as they are."""
    store = Path(shutil.copytree(frozen, tmp_path / "store"))
    files = [tmp_path / f"results.{kind}" for kind in ("csv", "parquet", "json", "md", "tex", "html")]
    before = open_store(store).records()
    export_results(store, *files)
    assert open_store(store).records() == before
    found = pd.read_parquet(files[1])
    expected = open_store(store).results()
    assert sorted(found["value"]) == sorted(expected["value"])
    assert (found["configuration"] == found["algorithm"] + "-" + found["configuration_key"].str[:8]).all()
    assert (found["dataset_key"].str[:8] == found["dataset"].str.rpartition("-")[2]).all()
