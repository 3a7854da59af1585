"""The columns of a data set of the catalogue are known before it is read: recipes are checked without a download."""

from __future__ import annotations

import io
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.raw import written

from omnibench.data.catalogue.definition import Source
from omnibench.data.catalogue.loading import catalogue_source
from omnibench.data.catalogue.names import definition, definitions
from omnibench.data.catalogue.raw_parts import RawPart
from omnibench.data.catalogue.rows import read_part, reader_of_source
from omnibench.data.readers.reader import Reader


def hdf5() -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        group = file.create_group("plays")
        group["indptr"], group["indices"], group["data"] = [0, 1], [0], [4.0]
        for name in ("artist", "user"):
            file.create_dataset(name, data=["x"], dtype=h5py.string_dtype())
    return stream.getvalue()


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, np.array([[1, 2]]))
    return stream.getvalue()


RELATION = (
    'event.session\t1\t5\t{"a": 1} {"subjects": [{"type": "user", "id": 1}], "objects": [{"type": "track", "id": 2}]}\n'
)
MIND = "1\tu1\t11/15/2019 8:55:22 AM\tN1 N2\tN3-1 N4-0\n"
TIME = "%m/%d/%Y %I:%M:%S %p"
SAMPLES = {
    "adjacency": (Reader("adjacency", (), {"user": "first"}), b"1 2 3\n"),
    "netflix": (Reader("netflix", (), {"time": "%Y-%m-%d"}), b"7:\n1,5,2001-01-01\n"),
    "impressions": (Reader("behaviours", (), {"use": "impressions", "time": TIME}), MIND.encode()),
    "history": (Reader("behaviours", (), {"use": "history", "time": TIME}), MIND.encode()),
    "idomaar": (Reader("idomaar", (), {"subject": "user", "object": "track"}), RELATION.encode()),
    "npz": (Reader("npz", ("user", "item"), {}), npz()),
    "hdf5": (Reader("hdf5", (), {"matrix": "plays", "orientation": "items"}), hdf5()),
    "table": (Reader("table", ("timestamp", "user", "", "item"), {"separator": ";"}), b"5;u;x;i\n"),
    "json": (Reader("json", {"stars": "rating", "u": "user", "i": "item"}), b'{"u": "a", "i": "b", "stars": 3}\n'),
}


@pytest.mark.parametrize(("reader", "content"), SAMPLES.values(), ids=list(SAMPLES))
def test_columns_are_those_that_are_read(reader: Reader, content: bytes, tmp_path: Path) -> None:
    """Whatever the format."""
    part = RawPart(Source("https://example.org/raw", "raw", reader=reader), written(tmp_path / "raw", content), "")
    rows = read_part(definition("MovieLens1M"), part)
    assert set(reader.roles) == set(rows.columns)


def test_the_columns_of_every_definition_are_known_without_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is fetched for them; mirrors have the same ones."""
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path))
    for entry in definitions().values():
        assert len({reader_of_source(entry, source).roles for source in entry.sources}) == 1
        assert {"user", "item"} <= set(catalogue_source(entry).columns)
    assert list(tmp_path.iterdir()) == []
