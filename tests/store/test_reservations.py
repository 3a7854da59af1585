"""Reservations of memory: all workers of a machine see each other's, and what a dead one has reserved is free."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from omnibench.store import reservations
from omnibench.store.reservations import COMPUTES, WAITS, Reservations

OTHER = """
import sys
from pathlib import Path
from omnibench.store.reservations import COMPUTES, Reservations
with Reservations(Path(sys.argv[1])).changed() as board:
    board.put(COMPUTES, "another item", 5_000)
print("reserved", flush=True)
sys.stdin.read()
"""


def test_workers_see_each_other(tmp_path: Path) -> None:
    """Each has one reservation, which the next replaces; it sees its own apart from the others'."""
    first, second = Reservations(tmp_path), Reservations(tmp_path)
    with first.changed() as board:
        assert (board.own, board.of_others) == (None, [])
        board.put(COMPUTES, "an item", 7_000, os.getpid())
    with second.changed() as board:
        (other,) = board.of_others
        assert (other.state, other.size, other.outstanding) == (COMPUTES, 7_000, 0)
        assert other.has > 7_000
        assert other.holder.startswith(f"an item (process {os.getpid()} on ")
        board.put(WAITS, "its own")
    with first.changed() as board:
        assert board.own is not None
        assert [entry.state for entry in board.of_others] == [WAITS]
        board.remove()
    with second.changed() as board:
        assert board.of_others == []


def test_the_dead_reserve_nothing(tmp_path: Path) -> None:
    """A process that was killed had no time to give anything back."""
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "reserved\n"
    own = Reservations(tmp_path)
    with own.changed() as board:
        assert [(entry.item, entry.outstanding) for entry in board.of_others] == [("another item", 5_000)]
    process.kill()
    process.communicate()
    with own.changed() as board:
        assert board.of_others == []


@pytest.mark.parametrize("content", ["", "nonsense", "[[1]]", '[["a","computes","x","many",0,{}]]', '{"a": 1}'])
def test_what_a_crash_has_cut_counts_as_none(tmp_path: Path, content: str) -> None:
    """Nobody is kept from computing by it, and the next change mends it."""
    own = Reservations(tmp_path)
    with own.changed() as board:
        board.put(COMPUTES)
    (file,) = (tmp_path / "leases").iterdir()
    file.write_text(content)
    with own.changed() as board:
        assert (board.own, board.of_others) == (None, [])
        board.put(COMPUTES, "again")
    with Reservations(tmp_path).changed() as board:
        assert [entry.item for entry in board.of_others] == ["again"]


def test_who_holds_them_for_good_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may be stopped while it holds the file: the others give up, and say so."""
    monkeypatch.setattr(reservations, "_PATIENCE_SECONDS", 0.1)
    with (
        Reservations(tmp_path).changed(),
        pytest.raises(TimeoutError, match="somebody holds"),
        Reservations(tmp_path).changed(),
    ):
        pass
