"""Reservations: all workers of a machine see each other's, and what a dead one has reserved is free."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from omnibench.store import reservations
from omnibench.store.admission import Needs
from omnibench.store.reservations import COMPUTES, WAITS, Reservations

OTHER = """
import sys
from pathlib import Path
from omnibench.store.admission import Needs
from omnibench.store.reservations import Reservations
with Reservations(Path(sys.argv[1])).changed() as board:
    board.begin("another item", Needs(5_000, 2.0, True, 1), ["GPU-7"])
print("reserved", flush=True)
sys.stdin.read()
"""


def test_workers_see_each_other(tmp_path: Path) -> None:
    """Each has one reservation, which the next replaces; it sees its own apart from the others'."""
    first, second = Reservations(tmp_path), Reservations(tmp_path)
    with first.changed() as board:
        assert (board.own, board.of_others) == (None, [])
        board.begin("an item", Needs(7_000))
        board.note_guest(os.getpid())
    with second.changed() as board:
        (other,) = board.of_others
        assert (other.state, other.size, other.outstanding) == (COMPUTES, 7_000, 0)
        assert other.has > 7_000
        assert other.holder.startswith(f"an item (process {os.getpid()} on ")
        board.wait("its own", Needs(3_000, 4.0, True))
    with first.changed() as board:
        assert board.own is not None
        (waiting,) = board.of_others
        assert (waiting.state, waiting.needs, waiting.outstanding) == (WAITS, Needs(3_000, 4.0, True), 0)
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
        (other,) = board.of_others
        assert (other.item, other.needs, other.cards) == ("another item", Needs(5_000, 2.0, True, 1), ("GPU-7",))
    assert own.are_asked_for()
    process.kill()
    process.communicate()
    assert not own.are_asked_for()
    with own.changed() as board:
        assert board.of_others == []


def test_who_waits_keeps_its_turn(tmp_path: Path) -> None:
    """However often it looks; who came later is behind it, and who begins anew waits anew."""
    first, second, third = (Reservations(tmp_path) for _ in range(3))
    for each in (first, second, first):
        with each.changed() as board:
            board.wait("an item", Needs(1))
    with third.changed() as board:
        assert [entry.id for entry in board.ahead] == [first._id, second._id]
    with first.changed() as board:
        assert board.ahead == []
        board.begin("an item", Needs(1))
        board.finish("an item")
        board.wait("its next", Needs(1))
        assert [entry.id for entry in board.ahead] == [second._id]


def test_a_fit_that_has_ended_keeps_its_gpus(tmp_path: Path) -> None:
    """Its item predicts on them; memory and cores are free."""
    own = Reservations(tmp_path)
    with own.changed() as board:
        board.begin("an item", Needs(5, 2.0, True, 1), ["0"])
        board.finish("an item")
    with Reservations(tmp_path).changed() as board:
        (other,) = board.computing
        assert (other.needs, other.cards) == (Needs(0, 0.0, False, 1), ("0",))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells that a process is stopped")
def test_nobody_waits_behind_who_is_stopped(tmp_path: Path) -> None:
    """Ctrl-Z on one run does not keep another from beginning what it does not even have."""
    script = OTHER.replace("board.begin", "board.wait").replace(', ["GPU-7"]', "")
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reserved\n"
        own = Reservations(tmp_path)
        with own.changed() as board:
            assert len(board.ahead) == 1
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        with own.changed() as board:
            assert board.ahead == []
        process.kill()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "nonsense",
        "[[1]]",
        '[["a","waits","x",1,0,{},"many",0,0,[],1]]',
        '[["a","computes","x","many",0,{}]]',
        '{"a": 1}',
    ],
)
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
