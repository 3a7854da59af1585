"""The baseline's file: what goes in comes out, and what is anything else is refused by name."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from support.gated import SHOP, Measurements

from omnibench.comparison.user_values import UserValues
from omnibench.errors import BaselineError
from omnibench.gate import baseline, baseline_rows
from omnibench.gate.baseline import Baseline, write
from omnibench.gate.entries import Dataset


@pytest.fixture
def measurements() -> Measurements:
    """Two datasets; metrics with and without users, undefined for some users, not measured everywhere."""
    rng = np.random.default_rng(4)
    store = Measurements()
    store.add(
        "Mine", {"NDCG@10": [rng.random(7), rng.random(5)], "Gini@10": [0.5, 0.25]}, parameters={"k": 1, "b": None}
    )
    books = Dataset("Bücher", "B_cher-bbbbbbbb", "b" * 64, ("u" * 64, "v" * 64))
    store.add("RecPack.EASE", {"HR@5": [np.ones(3)], "NDCG@10": [rng.random(4)]}, dataset=books, higher=None)
    store.add("Flat", {"Gini@10": [0.1]}, higher=False)
    values = store._values[1]
    values["HR@5", 0] = UserValues(np.array([1, 5, 9], np.int32), np.array([1.0, 0.0, 1.0]))
    return store


def test_what_goes_in_comes_out(measurements: Measurements, tmp_path: Path) -> None:
    """To the last bit, entry by entry."""
    written = write(
        tmp_path / "baseline.parquet", measurements, measurements.entries, {"commit": "1a2b3c4d5e", "dirty": False}
    )
    assert written.entries == measurements.entries
    assert written.age == f"of {written.written[:10]}, commit 1a2b3c4d"
    for entry in measurements.entries:
        expected, values = measurements.values(entry), written.values(entry)
        assert expected.keys() == values.keys()
        for key, column in expected.items():
            np.testing.assert_array_equal(values[key].users, column.users)
            np.testing.assert_array_equal(values[key].values, column.values)
    assert os.listdir(tmp_path) == ["baseline.parquet"]


def test_anybody_can_read_it(measurements: Measurements, tmp_path: Path) -> None:
    """A row is a user in a fold; a metric that was not measured of somebody is missing."""
    frame = pd.read_parquet(measurements.baseline(tmp_path).path)
    assert list(frame) == ["dataset", "algorithm", "fold", "user", "NDCG@10", "HR@5"]
    assert frame.groupby(["dataset", "algorithm"], observed=True).size().to_dict() == {
        ("shop-aaaaaaaa", "Mine-00000000"): 12,
        ("B_cher-bbbbbbbb", "RecPack.EASE-00000001"): 6,
    }
    assert frame["HR@5"].notna().sum() == 3


def test_flipped_bits_are_found(measurements: Measurements, tmp_path: Path) -> None:
    """Wherever it is, before any Parquet library looks at the file."""
    path = measurements.baseline(tmp_path).path
    content = path.read_bytes()
    rng = np.random.default_rng(1)
    for position in (*range(0, len(content), 17), *range(len(content) - 250, len(content))):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(BaselineError, match=r"is damaged|is cut off|is no baseline of omnibench's"):
            Baseline(path)
    path.write_bytes(content)
    assert Baseline(path).entries == measurements.entries


def test_a_part_of_one_is_refused(measurements: Measurements, tmp_path: Path) -> None:
    """Cut off anywhere, or with something behind it."""
    path = measurements.baseline(tmp_path).path
    content = path.read_bytes()
    for end in (0, 3, 100, len(content) // 2, len(content) - 100, len(content) - 1):
        path.write_bytes(content[:end])
        with pytest.raises(BaselineError, match=r"; restore it"):
            Baseline(path)
    path.write_bytes(content + b"\n")
    with pytest.raises(BaselineError, match="is damaged"):
        Baseline(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"there is no baseline '.*'; write it first: `omnibench baseline FILE`"),
        (
            b"NDCG@10,0.3\n",
            "is no baseline of omnibench's; restore it, name another file, or remove it and write it anew",
        ),
        (b"version https://git-lfs.github.com/spec/v1\n", "is Git LFS's pointer to a baseline; `git lfs pull`"),
        ("directory", "cannot be read"),
    ],
)
def test_what_is_no_baseline_is_refused(tmp_path: Path, content: bytes | str | None, message: str) -> None:
    """A file that is no baseline is refused; the error says what it is instead."""
    path = tmp_path / "baseline.parquet"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        path.mkdir()
    with pytest.raises(BaselineError, match=message):
        Baseline(path)


def test_any_other_parquet_file_is_refused_and_left_alone(measurements: Measurements, tmp_path: Path) -> None:
    """Somebody's data may have the name."""
    path = tmp_path / "baseline.parquet"
    pd.DataFrame({"user": [1]}).to_parquet(path)
    content = path.read_bytes()
    with pytest.raises(BaselineError, match="is no baseline of omnibench's; restore it"):
        Baseline(path)
    with pytest.raises(BaselineError, match="so it is not replaced; remove it, or name another file"):
        measurements.baseline(tmp_path)
    assert path.read_bytes() == content


def test_a_newer_format_is_refused(measurements: Measurements, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer format is refused; the error names the version that wrote it, and the ways out."""
    monkeypatch.setattr(baseline, "FORMAT", 3)
    path = measurements.baseline(tmp_path).path
    monkeypatch.undo()
    with pytest.raises(BaselineError, match=r"has the format 3 of omnibench .* reads formats up to 2\. Upgrade"):
        Baseline(path)


def test_what_was_there_stays_until_all_is_written(
    measurements: Measurements, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails leaves the old baseline, and nothing else."""
    before = measurements.baseline(tmp_path).path.read_bytes()

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    measurements.add("More", {"NDCG@10": [[0.5]]})
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(BaselineError, match=r"cannot be written \(.*No space left.*\); nothing was changed"):
        measurements.baseline(tmp_path)
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["baseline.parquet"]
    assert (tmp_path / "baseline.parquet").read_bytes() == before
    assert len(measurements.baseline(tmp_path).entries) == 4


def test_a_link_stays_one(measurements: Measurements, tmp_path: Path) -> None:
    """What it points to is replaced."""
    (tmp_path / "real").mkdir()
    (tmp_path / "baseline.parquet").symlink_to(tmp_path / "real" / "file.parquet")
    measurements.baseline(tmp_path)
    assert (tmp_path / "baseline.parquet").is_symlink()
    assert Baseline(tmp_path / "real" / "file.parquet").entries == measurements.entries


@pytest.mark.parametrize(
    ("path", "entries", "message"),
    [
        ("missing/b.parquet", 1, "is no directory, so 'b.parquet' cannot be written"),
        ("b.parquet", 0, "nothing is done"),
    ],
)
def test_what_cannot_be_written_is_said(
    measurements: Measurements, tmp_path: Path, path: str, entries: int, message: str
) -> None:
    """A baseline that cannot be written is an error before anything is written."""
    with pytest.raises(BaselineError, match=message):
        write(tmp_path / path, measurements, measurements.entries[:entries], None)
    assert not os.listdir(tmp_path)


def test_the_dataset_of_several_entries_is_one(measurements: Measurements, tmp_path: Path) -> None:
    """Entries of one dataset share its object, so that matching compares it once."""
    baseline = measurements.baseline(tmp_path)
    assert baseline.entries[0].dataset is baseline.entries[2].dataset
    assert baseline.entries[0].dataset == SHOP


def test_entries_share_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small ones one, and one that is full takes no other; each entry has its own rows of them."""
    monkeypatch.setattr(baseline_rows, "FEWEST_ROWS", 20)
    rng = np.random.default_rng(5)
    store = Measurements()
    for number, size in enumerate((7, 8, 9, 30, 1, 2)):
        store.add("Mine", {"NDCG@10": [rng.random(size)]}, parameters={"k": number})
    written = store.baseline(tmp_path)
    footer = pq.read_metadata(written.path)
    assert [footer.row_group(number).num_rows for number in range(footer.num_row_groups)] == [24, 30, 3]
    for entry in reversed(store.entries):
        (column,) = store.values(entry).values()
        np.testing.assert_array_equal(written.values(entry)["NDCG@10", 0].values, column.values)


def test_users_that_metrics_leave_out_are_missing_of_these_alone(tmp_path: Path) -> None:
    """Also where the metrics of a fold have different users."""
    store = Measurements()
    entry = store.add("Mine", {"NDCG@10": [np.arange(3.0)], "HR@5": [np.arange(2.0)]})
    store._values[0]["HR@5", 0] = UserValues(np.array([0, 7], np.int32), np.array([1.0, 0.0]))
    values = store.baseline(tmp_path).values(entry)
    assert values["NDCG@10", 0].users.tolist() == store._values[0]["NDCG@10", 0].users.tolist()
    assert values["HR@5", 0].users.tolist() == [0, 7]
