"""The table of costs says of every phase what its record says, whoever writes the record."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.stored import compute, prepare

from omnibench.store import CheckpointStore, phase_costs
from omnibench.store.phase_costs import TYPES, PhaseCosts, are_kept, blocks_of_costs, keep_costs, members_in
from omnibench.store.reading import read
from omnibench.store.schema import RecordType


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    """A store with two done items."""
    made = CheckpointStore(tmp_path / "store")
    prepare(made, "d")
    for name in "ab":
        compute(made, name)
    yield made
    made.close()


def recorded(store: CheckpointStore) -> dict[int, tuple[RecordType, PhaseCosts]]:
    """Return the type and the costs in all records of phases, by the numbers of their rows."""
    rows = store.records._connection.execute("SELECT rowid, key FROM Cache").fetchall()
    costs = {}
    for number, key in rows:
        record_type, record = RecordType.of(key), store.records.get(key)
        if record_type in TYPES and record is not None:
            names = ("fit_key", "seconds", "start_seconds", "batch", "search")
            costs[number] = record_type, PhaseCosts(*[record.get(name) for name in names])
    return costs


def kept(store: CheckpointStore) -> dict[int, tuple[RecordType, PhaseCosts]]:
    rows = [row for block in blocks_of_costs(store.records._connection) for row in block.rows()]
    all_members = members_in([text for _, _, text in rows])
    return {
        number: (TYPES[position], PhaseCosts(*members))
        for (number, position, _), members in zip(rows, all_members, strict=True)
    }


def test_costs_are_those_of_records(store: CheckpointStore) -> None:
    """With every digit, after records were written, replaced, changed by another hand, and deleted."""
    assert len(kept(store)) == 6
    fit = store.records.get(f"fit/{'a' * 64}") or {}
    costs = {"seconds": 0.1 + 0.2, "start_seconds": 1, "effective": {"seconds": 7, "batch": "no"}}
    store.records.commit({f"fit/{'a' * 64}": {**fit, **costs}}, ["predict/pb"])
    evaluation = store.records.get("eval/ea") or {}
    store.records.commit({"eval/ea": {**evaluation, "batch": 'a "b"', "seconds": 2**60}})
    assert kept(store) == recorded(store)
    assert kept(store).keys() == recorded(store).keys()
    assert 0.1 + 0.2 in [costs.seconds for _, costs in kept(store).values()]
    store.records._connection.execute(
        "UPDATE Cache SET value = replace(value, 'seconds', 'hours') WHERE key GLOB 'fit/*'"
    )
    assert [costs.seconds for record_type, costs in kept(store).values() if record_type is RecordType.FIT] == [
        None,
        None,
    ]


def test_a_store_without_the_table_gets_it(store: CheckpointStore) -> None:
    """A store of an earlier omnibench has it once it was opened to be written; triggers of another form are renewed."""
    before = kept(store)
    connection = store.records._connection
    connection.execute("DROP TABLE Costs")
    connection.execute("DROP TRIGGER Costs_INSERT")
    assert read(store.root / "store", lambda reader: reader.phase_costs()) is None
    keep_costs(connection)
    assert are_kept(connection)
    assert kept(store) == before


@pytest.mark.parametrize(
    "value", ["'{'", "x'00ff'", "NULL", "'[1]'", "CAST(x'7b2273ff' AS TEXT)", "'{\"fit_key\": [[[]]]}'"]
)
def test_a_damaged_record_is_no_error(store: CheckpointStore, value: str) -> None:
    """Neither of who writes nor of who reads: of what is no JSON there is only that it is there."""
    connection: sqlite3.Connection = store.records._connection
    connection.execute(f"UPDATE Cache SET value = {value} WHERE key = 'predict/pa'")
    (number,) = connection.execute("SELECT rowid FROM Cache WHERE key = 'predict/pa'").fetchone()
    assert kept(store)[number][1].seconds is None
    connection.execute("DROP TABLE Costs")
    keep_costs(connection)
    assert len(kept(store)) == 6


def test_phases_of_some_items_are_passed_over_without_being_parsed(store: CheckpointStore) -> None:
    """Those of others are left, trials of whatever item, and what is damaged; by type, then as they were written.

    Evaluations are among them where somebody asks for these.
    """
    connection: sqlite3.Connection = store.records._connection
    trial = store.records.get(f"fit/{'a' * 64}") or {}
    store.records.commit({f"fit/{'a' * 64}": {**trial, "search": "5" * 64}})
    connection.execute("UPDATE Cache SET value = '{' WHERE key = 'predict/pa'")
    numbers = dict(connection.execute("SELECT key, rowid FROM Cache").fetchall())
    others = [f"fit/{'a' * 64}", f"fit/{'b' * 64}", "predict/pa", "predict/pb", "eval/ea", "eval/eb"]
    for fit_keys in ((), ("a" * 64,), ("a" * 64, "b" * 64)):
        own = [key for key in others if key[-1] in {fit_key[0] for fit_key in fit_keys}]
        left = {numbers[key] for key in others if key not in own or key in (f"fit/{'a' * 64}", "predict/pa")}
        rows = read(store.root / "store", lambda reader: reader.rows_of_other_phases(frozenset(fit_keys)))  # noqa: B023 - called at once
        assert set(rows or ()) == left
        short = read(
            store.root / "store",
            lambda reader: reader.rows_of_other_phases(frozenset(fit_keys), with_evaluations=False),  # noqa: B023 - called at once
        )
        assert short == [number for number in rows or () if kept(store)[number][0] is not RecordType.EVAL]
        types = [list(RecordType).index(kept(store)[number][0]) for number in rows or ()]
        assert types == sorted(types)


def test_a_first_row_that_begins_like_no_item_is_left(store: CheckpointStore) -> None:
    """It is nobody's phase, so it is among those that have to be looked at."""
    connection: sqlite3.Connection = store.records._connection
    (first,) = connection.execute("SELECT MIN(number) FROM Costs").fetchone()
    connection.execute("UPDATE Costs SET members = '-damaged,null]' WHERE number = ?", (first,))
    known = frozenset(("a" * 64, "b" * 64))
    assert read(store.root / "store", lambda reader: reader.rows_of_other_phases(known)) == [first]


@pytest.mark.parametrize("size", [1, 2, 4, 1000])
@pytest.mark.parametrize("with_evaluations", [True, False])
def test_blocks_have_all_rows_once_and_the_same_texts(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, size: int, with_evaluations: bool
) -> None:
    """However many rows a block has, and however far apart their numbers are; in the order in which they were written."""
    monkeypatch.setattr(phase_costs, "_BLOCK", size)
    connection: sqlite3.Connection = store.records._connection
    connection.execute("UPDATE Costs SET number = 2000000000000 WHERE number = (SELECT MIN(number) FROM Costs)")
    everything = connection.execute("SELECT number, type, CAST(members AS BLOB) FROM Costs ORDER BY number").fetchall()
    expected = [row for row in everything if with_evaluations or TYPES[row[1]] is not RecordType.EVAL]
    blocks = list(blocks_of_costs(connection, with_evaluations=with_evaluations))
    assert [row for block in blocks for row in block.rows()] == expected
    assert [text for block in blocks for text in block.texts or ()] == [text for _, _, text in expected]


@pytest.mark.parametrize(
    "members", [["NULL"], ["'[1,\n2]'"], ["NULL", "'[1,\n2]'"], ["''"], ["x'5bff0a5d'"], ["CAST(x'5b00ff5d' AS TEXT)"]]
)
def test_texts_that_cannot_be_told_apart_are_not_given(store: CheckpointStore, members: list[str]) -> None:
    """As of what another hand has written: where a block has texts, these are those of its rows."""
    connection: sqlite3.Connection = store.records._connection
    numbers = connection.execute("SELECT number FROM Costs ORDER BY number").fetchall()
    for text, (number,) in zip(members, numbers, strict=False):
        connection.execute(f"UPDATE Costs SET members = {text} WHERE number = ?", (number,))
    (block,) = blocks_of_costs(connection)
    assert block.texts is None or block.texts == [text for _, _, text in block.rows()]
    assert (block.texts is None) == ("NULL" in members or "\n" in "".join(members) or "0a" in "".join(members))
