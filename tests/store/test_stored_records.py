"""Records that are read when they are asked for: the same as all of them in memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.stored import compute, prepare

from omnibench.store import CheckpointStore
from omnibench.store.reading import read, read_all
from omnibench.store.schema import RecordType
from omnibench.store.stored_records import StoredRecords, of_type


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The records of a store with two items, of which one has a damaged record."""
    store = CheckpointStore(tmp_path / "store")
    prepare(store, "d")
    for name in "ab":
        compute(store, name)
    store.records._connection.execute("UPDATE Cache SET value = replace(value, '0.5', '0.7') WHERE key = 'eval/eb'")
    store.close()
    return tmp_path / "store" / "store"


def test_stored_records_are_those_in_memory(directory: Path) -> None:
    """Keys, records and their order, of all and of a type, are those of a reading that keeps all; damaged ones are in neither."""
    in_memory = read_all(directory)
    assert "eval/ea" in in_memory
    assert "eval/eb" not in in_memory

    def compared(records: StoredRecords) -> None:
        assert list(records.items()) == list(in_memory.items())
        assert list(records) == list(in_memory)
        assert len(records) == len(in_memory)
        for record_type in RecordType:
            assert list(of_type(records, record_type)) == list(of_type(in_memory, record_type))
        assert {key: records.get(key) for key in (*in_memory, "eval/eb", "fit/x")} == {
            **in_memory,
            "eval/eb": None,
            "fit/x": None,
        }

    read(directory, lambda reader: compared(StoredRecords(reader)))


def test_damage_is_told_whenever_it_is_met(directory: Path) -> None:
    """A reading of all records, and one of a single type, name the damaged record."""
    for record_type in (None, RecordType.EVAL):
        met: list[str] = []
        read(directory, lambda reader, kept=record_type: list(StoredRecords(reader).pairs(kept)), met.append)  # type: ignore[misc]
        assert met == ["eval/eb"]
