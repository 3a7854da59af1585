"""Results for analysis: every value with every digit, and whose it is."""

from __future__ import annotations

import io
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.reporting import contents, whole

from omnibench import export_results, open_store
from omnibench.keys import canonical
from omnibench.report.contents import Contents, MissingItem
from omnibench.report.frames import _indented, nested
from omnibench.report.parquet_file import parquet
from omnibench.report.row_files import csv

STORES = sorted((Path(__file__).parent.parent / "assets" / "stores").glob("format-*"))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
PANDAS = tuple(int(part) for part in pd.__version__.split(".")[:2])
EXACT: dict[str, Any] = {} if PANDAS >= (3, 1) else {"float_precision": "round_trip"}
READERS: dict[str, Callable[[Any], pd.DataFrame]] = {
    "csv": lambda file: pd.read_csv(file, **EXACT),
    "parquet": pd.read_parquet,
}


@pytest.mark.parametrize("ending", READERS)
def test_files_hold_what_the_store_holds(measured_store: Path, tmp_path: Path, ending: str) -> None:
    """Values, spreads, users, costs and keys, equal to what the store's own queries and records say."""
    file = tmp_path / f"results.{ending}"
    assert export_results(measured_store, file) == []
    frame = READERS[ending](file)
    store = open_store(measured_store)
    expected, items, phases = store.results(), store.items(), store.phases().to_dict("records")
    records = store.records()
    fold = [f"/fold_{number:.0f}" if pd.notna(number) else "" for number in frame["fold"]]
    frame.index = pd.MultiIndex.from_arrays([frame["dataset"] + "/" + frame["configuration"] + fold, frame["metric"]])
    assert len(frame) == len(expected) == 3 * 4 * 3
    expected = expected.set_index(["item", "metric"]).loc[frame.index]
    for column in ("value", "stderr", "low", "high"):
        assert frame[column].tolist() == expected[column].tolist(), column
    seconds = {(phase["item"], phase["phase"]): phase["seconds"] for phase in phases}
    waits: dict[str, float] = {}
    for phase in phases:
        if phase["phase"] in ("Fit", "Predict"):
            waits[phase["item"]] = waits.get(phase["item"], 0.0) + phase["start_seconds"]
    peaks = {(phase["item"], phase["phase"]): phase["peak_rss"] for phase in phases}
    for (item, label), row in zip(frame.index.tolist(), frame.to_dict("records"), strict=True):
        record = items[item]
        assert row["dataset_key"] == record["data_key"]
        assert row["fit_key"] == record["fit_key"]
        assert row["configuration"] == f"{row['algorithm']}-{row['configuration_key'][:8]}"
        assert row["parameters"] == canonical(record["parameters"])
        assert row["users"] == records[f"eval/{record['metrics'][label]['key']}"]["users"]
        assert row["fit_seconds"] == seconds[item, "Fit"]
        assert row["predict_seconds"] == seconds[item, "Predict"]
        assert row["start_seconds"] == waits[item]
        assert row["peak_memory"] == max(peaks[item, "Fit"], peaks[item, "Predict"])


def test_frameworks_have_names_and_versions() -> None:
    """What is known of the item as a whole stands in each of its rows."""
    frame = READERS["parquet"](io.BytesIO(whole(parquet(contents()))))
    expected = {"framework": "Lib", "framework_version": "1.2", "fit_seconds": 1.5, "peak_memory": 1 << 20, "users": 30}
    assert [set(frame[name]) for name in expected] == [{value} for value in expected.values()]


@settings(max_examples=40)
@given(st.lists(FLOATS, min_size=1, max_size=5))
def test_every_float_comes_back(values: list[float]) -> None:
    """Every float comes back to its last bit from each of the three formats."""
    many = contents(
        {"A-1": {"M": values[:1]}, **{f"B{number}-1": {"M": [value]} for number, value in enumerate(values)}}
    )
    written = [result.metrics["M"] for result in many.results if result.metrics]
    from_json = [
        fold["metrics"]["M"]["value"]
        for configuration in json.loads(whole(nested(many)))["datasets"][0]["configurations"]
        for fold in configuration["folds"]
        if fold["metrics"]
    ]
    assert READERS["csv"](io.BytesIO(whole(csv(many))))["value"].tolist() == written
    assert READERS["parquet"](io.BytesIO(whole(parquet(many))))["value"].tolist() == written
    assert from_json == written


def _counts(dataset: dict[str, Any], fold: dict[str, Any]) -> dict[str, int]:
    folds = [dataset[name] for name in ("unknown_in_training", "leakage") if name in dataset]
    return {name: count for counts in folds for name, count in counts[fold["fold"] or 0].items()}


def test_json_nests_the_same(measured_store: Path, tmp_path: Path) -> None:
    """Dataset, configuration, fold, metric: the rows of the frame, with a format that says what it is."""
    files = [tmp_path / "results.json", tmp_path / "results.parquet"]
    export_results(measured_store, *files)
    document, rows = json.loads(files[0].read_text()), pd.read_parquet(files[1])
    assert (document["format"], document["missing"]) == ("omnibench.results/1", [])
    flat = [
        {
            "dataset": dataset["name"],
            "dataset_label": dataset["label"],
            "dataset_key": dataset["key"],
            "algorithm": configuration["algorithm"],
            "configuration": configuration["name"],
            "label": configuration["label"],
            "configuration_key": configuration["key"],
            "parameters": canonical(configuration["parameters"]),
            "seed": configuration["seed"],
            "refit": configuration["refit"],
            "framework": configuration["framework"],
            "framework_version": configuration["framework_version"],
            "fold": fold["fold"],
            "metric": label,
            **metric,
            **{name: _counts(dataset, fold).get(name) for name in ("cold_users", "cold_items", "before_training_end")},
            **{name: fold[name] for name in ("fit_seconds", "predict_seconds", "start_seconds")},
            **{name: fold[name] for name in ("peak_memory", "fit_key")},
            "seeds": configuration["seeds"],
            **configuration["summary"][label],
            **dict.fromkeys(
                name for name in map(str, rows) if name == "chosen" or name.startswith(("tuning_", "taken_"))
            ),  # nothing is tuned, nor taken over
        }
        for dataset in document["datasets"]
        for configuration in dataset["configurations"]
        for fold in configuration["folds"]
        for label, metric in fold["metrics"].items()
    ]
    pd.testing.assert_frame_equal(pd.DataFrame(flat)[list(rows)].astype(rows.dtypes), rows)


def test_what_is_missing_stands_in_json() -> None:
    """Each item with its state and the reason."""
    incomplete = contents(missing=[MissingItem("D/A/fold_1", "failed", "Fit failed: no")])
    assert json.loads(whole(nested(incomplete)))["missing"] == [
        {"item": "D/A/fold_1", "status": "failed", "why": "Fit failed: no"}
    ]


def test_json_has_no_infinity() -> None:
    """A column that a plugin has added may be anything; what JSON cannot say is null."""
    infinite = contents({"A-1": {"gain": [float("inf"), float("nan"), 1.0]}})
    (configuration,) = json.loads(whole(nested(infinite)), parse_constant=pytest.fail)["datasets"][0]["configurations"]
    assert [fold["metrics"]["gain"]["value"] for fold in configuration["folds"]] == [None, None, 1.0]


def test_nothing_makes_an_empty_frame() -> None:
    """Without results the frame is empty but has all columns, so that programs need no special case."""
    nothing = Contents([], (), (), [], {}, {})
    full, empty = (
        READERS["parquet"](io.BytesIO(whole(parquet(contents())))),
        READERS["parquet"](io.BytesIO(whole(parquet(nothing)))),
    )
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    assert len(empty) == 0


@pytest.mark.parametrize("frozen", STORES, ids=lambda path: path.name)
def test_old_stores_are_exported(frozen: Path, tmp_path: Path) -> None:
    """What an older format does not record is missing; the numbers are there, and the records stay as they are."""
    store = Path(shutil.copytree(frozen, tmp_path / "store"))
    files = [tmp_path / f"results.{ending}" for ending in ("csv", "parquet", "json", "md", "tex", "html")]
    before = open_store(store).records()
    export_results(store, *files)
    assert open_store(store).records() == before
    frame = pd.read_parquet(files[1])
    expected = open_store(store).results()
    assert sorted(frame["value"]) == sorted(expected["value"])
    assert (frame["configuration"] == frame["algorithm"] + "-" + frame["configuration_key"].str[:8]).all()
    assert (frame["dataset_key"].str[:8] == frame["dataset"].str.rpartition("-")[2]).all()


_PLAIN = st.none() | st.booleans() | st.integers() | FLOATS | st.text()


@given(st.recursive(_PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)))
def test_nested_json_is_written_as_the_library_writes_it(data: Any) -> None:
    """Objects and lists of plain values go through its fast encoder, the others are put together."""
    assert _indented(data, 0) == json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)
    deeper = json.dumps([[data]], indent=1, ensure_ascii=False, allow_nan=False)
    assert deeper == f"[\n [\n{_indented(data, 2)}\n ]\n]"


def test_nested_json_has_no_nan() -> None:
    """No reader of JSON knows it."""
    for data in (math.nan, {"a": math.inf}, [{"a": [1]}, -math.inf]):
        with pytest.raises(ValueError, match="JSON compliant"):
            _indented(data, 0)


@pytest.mark.parametrize("value", [1.7e308, -1.7e308])
def test_means_of_values_whose_sum_no_float_holds(value: float) -> None:
    """The mean is one of the values all the same; a deviation that no float holds is missing."""
    part = contents({"Own.A-0000aaaa": {"RMSE": [value, value, value], "MAE": [value, -value, value]}})
    frames = [READERS["csv"](io.BytesIO(whole(csv(part)))), READERS["parquet"](io.BytesIO(whole(parquet(part))))]
    for frame in frames:
        rows = frame[["metric", "mean", "std"]].astype(object).fillna("missing").to_numpy().tolist()
        assert rows == [["RMSE", value, 0.0], ["MAE", value / 3, "missing"]] * 3
    (dataset,) = json.loads(whole(nested(part)))["datasets"]
    summary = dataset["configurations"][0]["summary"]
    assert {label: (of_label["mean"], of_label["std"]) for label, of_label in summary.items()} == {
        "RMSE": (value, 0.0),
        "MAE": (value / 3, None),
    }
