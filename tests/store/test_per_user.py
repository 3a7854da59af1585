"""Values per user: Parquet that anybody reads, and a reader here that needs no Parquet library."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibench import open_store
from omnibench.errors import StoreError
from omnibench.store.artifacts import describe, sha256_of
from omnibench.store.per_user import read_per_user, write_per_user

STORES = Path(__file__).parent.parent / "assets" / "stores"


def written(root: Path, users: int, labels: int = 3, seed: int = 1) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """A file of values; its users, its columns, and the record of each."""
    rng = np.random.default_rng(seed)
    codes = np.cumsum(rng.integers(1, 9, users), dtype=np.int32)
    columns = {f"NDCG@{k}": np.where(rng.random(users) < 0.1, np.nan, rng.random(users)) for k in range(1, labels + 1)}
    path = root / "per_user-00000000.parquet"
    places = write_per_user(path, codes, columns)
    artifact = describe(path, root, sha256_of(path))
    records = {
        label: {
            "label": label,
            "per_user": artifact,
            "users": users,
            "place": {"user": places["user"], "value": places[label]},
        }
        for label in columns
    }
    return codes, columns, records


@settings(max_examples=20)
@given(users=st.sampled_from([0, 1, 1000, 16_384, 16_385, 50_000]), labels=st.integers(0, 3), seed=st.integers(0, 99))
def test_what_was_written_is_read(users: int, labels: int, seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Values are read back without pyarrow, without users who do not count; pyarrow and pandas read the file, too."""
    root = tmp_path_factory.mktemp("values")
    codes, columns, records = written(root, users, labels, seed)
    frame = pd.read_parquet(root / "per_user-00000000.parquet")
    assert list(frame) == ["user", *columns]
    np.testing.assert_array_equal(frame["user"].to_numpy(), codes)
    for label, values in columns.items():
        np.testing.assert_array_equal(frame[label].to_numpy(), values)
        found_users, found = read_per_user(root, records[label])
        counted = ~np.isnan(values)
        np.testing.assert_array_equal(found_users, codes[counted])
        np.testing.assert_array_equal(found, values[counted])
    schema = pq.read_schema(root / "per_user-00000000.parquet")
    assert [str(field.type) for field in schema] == ["int32", *["double"] * labels]


def test_a_second_table_of_the_same_form_is_what_pyarrow_writes(tmp_path: Path) -> None:
    """Small tables with the same columns and rows are filled into the same bytes; each is what pyarrow would have written."""
    for seed in (1, 2):
        (tmp_path / f"{seed}").mkdir()
        codes, columns, _ = written(tmp_path / f"{seed}", 500, seed=seed)
        arrays = {"user": pa.array(codes, pa.int32()), **{name: pa.array(values) for name, values in columns.items()}}
        fields = [pa.field(name, array.type, nullable=False) for name, array in arrays.items()]
        table = pa.Table.from_arrays([*arrays.values()], schema=pa.schema(fields))
        expected = tmp_path / "expected.parquet"
        pq.write_table(table, expected, compression="none", use_dictionary=False, write_statistics=False)
        assert (tmp_path / f"{seed}" / "per_user-00000000.parquet").read_bytes() == expected.read_bytes()


def test_reading_needs_no_parquet_library(tmp_path: Path) -> None:
    """The table's marks are computed where nothing else needs pyarrow or pandas."""
    _, _, records = written(tmp_path, 50)
    program = (
        "import sys, json, pathlib\n"
        "from omnibench.store.per_user import read_per_user\n"
        f"print(len(read_per_user(pathlib.Path({str(tmp_path)!r}), {records['NDCG@1']!r})[0]))\n"
        "assert not {'pyarrow', 'pandas', 'scipy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_damaged_or_missing_file_is_an_error(tmp_path: Path) -> None:
    """Every byte is part of its record; it is never half a number."""
    _, _, records = written(tmp_path, 50)
    path = tmp_path / "per_user-00000000.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="differs from its record"):
        read_per_user(tmp_path, records["NDCG@1"])
    path.unlink()
    with pytest.raises(StoreError, match="cannot be read"):
        read_per_user(tmp_path, records["NDCG@1"])


def test_a_path_out_of_the_store_is_refused(tmp_path: Path) -> None:
    """A record is no way to read somebody's files."""
    (tmp_path / "store").mkdir()
    _, _, records = written(tmp_path, 50)
    record = records["NDCG@1"]
    record["per_user"]["path"] = "../per_user-00000000.parquet"
    with pytest.raises(StoreError, match="leads out of the checkpoint directory"):
        read_per_user(tmp_path / "store", record)


def test_a_metric_of_all_lists_together_has_none(tmp_path: Path) -> None:
    """The error says which."""
    _, _, records = written(tmp_path, 50)
    with pytest.raises(StoreError, match="Gini@5 has no values per user"):
        read_per_user(tmp_path, {**records["NDCG@1"], "label": "Gini@5", "place": None})


@pytest.mark.parametrize("store", sorted(STORES.glob("format-*")), ids=lambda path: path.name)
def test_values_of_earlier_versions_are_read(store: Path, tmp_path: Path) -> None:
    """Their arrays, with the users of the test part; their mean is what was recorded."""
    root = Path(shutil.copytree(store, tmp_path / "checkpoints"))  # SQLite's readers leave files beside what they read
    records = [record for key, record in open_store(root).records().items() if key.startswith("eval/")]
    assert len(records) == 12
    for record in records:
        users, values = read_per_user(root, record)
        assert len(users) == len(values) == record["users"]
        assert values.mean() == pytest.approx(record["value"])
