"""Rows are made block by block: a block has values, and no more rows than are kept at hand."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.reporting import contents, whole

from omnibench.errors import ExportError
from omnibench.report import rows
from omnibench.report.choices import Choices
from omnibench.report.contents import Contents
from omnibench.report.export import write_files
from omnibench.report.files import SUFFIXES
from omnibench.report.frames import frame
from omnibench.report.parquet_file import parquet
from omnibench.report.row_files import csv
from omnibench.report.rows import COLUMN_TYPES, ROWS_AT_HAND, blocks_of, rows_of

_FOLD, _METRIC = (list(COLUMN_TYPES).index(name) for name in ("fold", "metric"))
HEADER = f"{','.join(COLUMN_TYPES)}\n".encode()


def measured(values_per_item: list[int]) -> Contents:
    """Contents whose items have so many values each, under labels that all of them share."""
    single = contents({"Lib.A-0000aaaa": {"M": [0.5]}}).results[0]
    results = [
        replace(single, fold=fold, fit_key=str(fold), metrics={f"M{number}": fold + number / 8 for number in range(n)})
        for fold, n in enumerate(values_per_item)
    ]
    return Contents(results, (), (), [], {}, {})


@pytest.mark.parametrize("several", [1, 3], ids=["one-item", "several-items"])
def test_a_store_without_any_value_makes_whole_files(tmp_path: Path, several: int) -> None:
    """CSV has its header, Parquet its columns, JSON the items; documents say what they always do."""
    files = [tmp_path / f"results{suffix}" for suffix in SUFFIXES]
    assert write_files(files, measured([0] * several), tmp_path, Choices(), str) == []
    assert (tmp_path / "results.csv").read_bytes() == HEADER
    written = pd.read_parquet(tmp_path / "results.parquet")
    assert (len(written), list(written)) == (0, list(COLUMN_TYPES))
    assert written.dtypes.astype(str).tolist() == frame(measured([0])).dtypes.astype(str).tolist()
    (dataset,) = json.loads((tmp_path / "results.json").read_text())["datasets"]
    assert [fold["metrics"] for fold in dataset["configurations"][0]["folds"]] == [{}] * several
    for suffix in (".md", ".html", ".tex"):
        assert "Data" in (tmp_path / f"results{suffix}").read_text(), suffix


def test_a_thousand_items_without_the_metric_come_before_one_that_has_it() -> None:
    """The rows are those of the one."""
    few = measured([*[0] * 1000, 2])
    lines = whole(csv(few)).splitlines()
    assert len(lines) == 3
    assert pq.read_table(io.BytesIO(whole(parquet(few))), columns=["fold", "metric"]).to_pylist() == [
        {"fold": 1000, "metric": "M0"},
        {"fold": 1000, "metric": "M1"},
    ]


def test_many_metrics_make_no_larger_blocks() -> None:
    """A group of rows in Parquet has no more rows than are at hand, however many values an item has."""
    many = measured([600] * 20)
    metadata = pq.ParquetFile(io.BytesIO(whole(parquet(many)))).metadata
    groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    assert sum(groups) == 600 * 20
    assert max(groups) <= ROWS_AT_HAND


@given(st.lists(st.integers(0, 12), max_size=30))
def test_blocks_hold_every_row_once_and_in_order(values_per_item: list[int]) -> None:
    """None is empty, and only a single item may have more rows than are at hand."""
    few, at_hand = measured(values_per_item), 8
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "ROWS_AT_HAND", at_hand)
        blocks = [[part.positions for part in parts] for parts in blocks_of(few)]
        folds_and_labels = [(row[_FOLD], row[_METRIC]) for row in rows_of(few)]
    for parts in blocks:
        (length,) = {len(positions) for positions in parts}
        assert 0 < length <= at_hand or len(set(parts[3])) == 1  # a part of costs is an item's own
    assert folds_and_labels == [(result.fold, label) for result in few.results for label in result.metrics]


def test_a_value_that_a_format_has_no_form_for_is_an_error_of_the_export(tmp_path: Path) -> None:
    """Parquet's integers have 64 bits; what was there before is as it was."""
    few = measured([1])
    few = replace(few, results=[replace(few.results[0], seed=2**70)])
    files = [tmp_path / "results.csv", tmp_path / "results.parquet"]
    files[1].write_text("old")
    with pytest.raises(
        ExportError, match=r"results\.parquet' could not be written: its format has no form for one of the values"
    ):
        write_files(files, few, tmp_path, Choices(), str)
    assert str(2**70) in files[0].read_text()
    assert files[1].read_text() == "old"
