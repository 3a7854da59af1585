"""Logs go on: what was printed behind the snapshot that a later attempt went on from is marked, and nothing is deleted."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from omnibench.guest.snapshots import RESUMED_LINE, SNAPSHOT_LINE
from omnibench.store import logbook
from omnibench.store.logbook import LogBook
from omnibench.store.superseded import (
    BEGINS,
    OWN,
    FitBeginning,
    anew_words,
    guest_logger,
    phase_words,
    resumed_progress,
    trial_words,
)

ITEM = "D-1/A-2/fold_0"

Attempt = Callable[..., LogBook]


def taken(name: str, epoch: int) -> str:
    """What a guest prints when a snapshot was taken."""
    return SNAPSHOT_LINE.format(name=name, progress=f"epoch {epoch} of 50")


def resumed(name: str, epoch: int) -> str:
    """What a guest prints when it goes on from a snapshot."""
    return RESUMED_LINE.format(name=name, progress=f"epoch {epoch} of 50")


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    """Write what an attempt in a process of its own logs; with a snapshot, it is asked to go on from that."""
    numbers = iter(range(100))

    def write(
        *lines: str, snapshot: str | None = None, item: str = ITEM, trial: int | None = None, is_shared: bool = False
    ) -> LogBook:
        book = LogBook(tmp_path / logbook.NAME, "run", f"w{next(numbers)}")
        book.add(logging.INFO, OWN, BEGINS, item)
        if snapshot is not None:
            book.begin_fit(FitBeginning(item, trial, snapshot, is_shared))
        for line in lines:
            book.add_lines(logging.INFO, guest_logger("out", trial), f"{line}\n".encode(), item)
        book.flush()
        return book

    return write


def shown(directory: Path, *, everything: bool = False) -> list[str]:
    """What guests have printed, as `omnibench logs` shows it: with an asterisk where it is superseded."""
    entries = logbook.select(directory, 0, items=None, min_level=0, limit=-1, superseded=everything)
    return [
        f"{entry['message']}{'' if entry['superseded'] is None else '*'}" for entry in entries if entry["logger"] != OWN
    ]


def test_what_follows_the_snapshot_is_superseded(attempt: Attempt, tmp_path: Path) -> None:
    """The history by default has each epoch once; all of it is there, marked with the entry that goes on."""
    attempt("one", taken("s", 1), "two", "three")
    attempt("a warning of an import", resumed("s", 1), "two again", snapshot="s")
    history = ["one", taken("s", 1), "a warning of an import", resumed("s", 1), "two again"]
    assert shown(tmp_path) == history
    assert shown(tmp_path, everything=True) == [*history[:2], "two*", "three*", *history[2:]]
    entries = logbook.select(tmp_path, 0, items=[ITEM], min_level=0, limit=-1, superseded=True)
    (going_on,) = [entry["id"] for entry in entries if entry["message"] == resumed("s", 1)]
    assert {entry["superseded"] for entry in entries} == {None, going_on}
    with closing(sqlite3.connect(tmp_path / logbook.NAME)) as connection:
        query = "SELECT message FROM logs WHERE superseded IS NULL AND logger LIKE 'guest%' ORDER BY id"
        assert [message for (message,) in connection.execute(query)] == history


def test_several_attempts_leave_one_history(attempt: Attempt, tmp_path: Path) -> None:
    """Killed four times: each attempt goes on from the newest snapshot, of whichever attempt before."""
    attempt("1", taken("a", 1), "2")
    attempt(resumed("a", 1), "2", taken("b", 2), "3", snapshot="a")
    attempt(resumed("b", 2), "3", snapshot="b")
    attempt(resumed("b", 2), "3", taken("c", 3), snapshot="b")
    attempt(resumed("c", 3), "4", snapshot="c")
    assert [line for line in shown(tmp_path) if line.isdigit()] == ["1", "2", "3", "4"]


def test_an_older_snapshot_and_then_the_newer_one_again(attempt: Attempt, tmp_path: Path) -> None:
    """What a restored snapshot supersedes counts again when its user takes back the choice."""
    attempt("1", taken("a", 1), "2", taken("b", 2), "3")
    attempt(resumed("a", 1), "2 of a", snapshot="a")
    assert [line for line in shown(tmp_path) if line[0].isdigit()] == ["1", "2 of a"]
    attempt(resumed("b", 2), "3 of b", snapshot="b")
    assert [line for line in shown(tmp_path) if line[0].isdigit()] == ["1", "2", "3 of b"]


def test_a_fit_that_begins_anew_supersedes_what_did_not_end(attempt: Attempt, tmp_path: Path) -> None:
    """The lines of a Fit that has ended stay a history of their own, whatever is fitted after that."""
    book = attempt("1", "2")
    book.add(logging.INFO, OWN, phase_words("Fit", 1.25), ITEM)
    book.flush()
    attempt("1 after a reset")
    attempt("1 at last", snapshot="")
    assert shown(tmp_path, everything=True) == ["1", "2", "1 after a reset*", "1 at last"]
    entries = logbook.select(tmp_path, 0, items=None, min_level=0, limit=-1, superseded=False)
    assert [entry["message"] for entry in entries if entry["logger"] == OWN].count(anew_words(None)) == 1


def test_a_snapshot_that_cannot_be_used_leads_to_the_one_before(attempt: Attempt, tmp_path: Path) -> None:
    """The Fit has said that it goes on from it; what it printed then is superseded, as is all behind the one before."""
    attempt("1", taken("a", 1), "2", taken("b", 2), "3")
    book = attempt(resumed("b", 2), "setting up", snapshot="b")
    book.begin_fit(FitBeginning(ITEM, None, "a"))
    book.add_lines(20, guest_logger("out", None), f"{resumed('a', 1)}\n2 again\n".encode(), ITEM)
    book.flush()
    assert shown(tmp_path) == ["1", taken("a", 1), resumed("a", 1), "2 again"]
    book.begin_fit(FitBeginning(ITEM, None))
    book.add_lines(20, guest_logger("out", None), b"1 anew\n", ITEM)
    book.flush()
    assert shown(tmp_path) == ["1 anew"]


def test_a_snapshot_whose_line_was_lost(attempt: Attempt, tmp_path: Path) -> None:
    """A kill takes the last lines with it: what is left of that attempt was printed before the snapshot, and counts."""
    attempt("1", "2")
    attempt(resumed("lost", 3), "4 of the second", snapshot="lost")
    assert shown(tmp_path) == ["1", "2", resumed("lost", 3), "4 of the second"]
    attempt()  # killed before its Fit began
    attempt(resumed("lost", 3), "4 of the last", snapshot="lost")
    assert shown(tmp_path) == ["1", "2", resumed("lost", 3), "4 of the last"]


def test_what_a_user_prints_supersedes_nothing(attempt: Attempt, tmp_path: Path) -> None:
    """Only the Fit that was asked to go on does, from that snapshot, and once."""
    attempt("1", taken("s", 1), "2", resumed("s", 1), "3")
    assert all("*" not in line for line in shown(tmp_path, everything=True))
    attempt(resumed("s", 1), "2", resumed("s", 1), resumed("other", 4), "3", snapshot="s")
    lines = shown(tmp_path, everything=True)
    assert lines[-5:] == [resumed("s", 1), "2", resumed("s", 1), resumed("other", 4), "3"]


def test_trials_and_items_are_kept_apart(attempt: Attempt, tmp_path: Path) -> None:
    """The same name in another item, in another trial of the search, or of the Fit with what was chosen."""
    for trial in (None, 1, 2):
        attempt(f"1 of {trial}", taken("s", 1), f"2 of {trial}", trial=trial)
    attempt("1 of another", taken("s", 1), "2 of another", item="D-1/A-2/fold_1")
    attempt(resumed("s", 1), "2 anew", snapshot="s", trial=2)
    lines = [line for line in shown(tmp_path, everything=True) if line.endswith("*")]
    assert lines == ["2 of 2*"]


def test_a_trial_that_has_ended_is_a_history_of_its_own(attempt: Attempt, tmp_path: Path) -> None:
    """A search that was reset fits its trials again."""
    book = attempt("1", trial=3)
    book.add(logging.INFO, OWN, trial_words(3, "l2=4", "NDCG@10 0.5"), ITEM)
    book.flush()
    attempt("1 again", trial=3, snapshot="")
    assert shown(tmp_path, everything=True) == ["1", "1 again"]


def test_a_trial_that_items_share_goes_on_for_another_item(attempt: Attempt, tmp_path: Path) -> None:
    """Of a search for all folds, earlier attempts were at other folds' items; other configurations have other trials."""
    other = "D-1/A-22/fold_0"
    attempt("1", taken("s", 1), "2", trial=0)
    attempt("1 of another", taken("s", 1), "2 of another", trial=0, item=other)
    attempt(resumed("s", 1), "2 again", trial=0, item="D-1/A-2/fold_1", snapshot="s", is_shared=True)
    attempt(resumed("s", 1), "2 at last", trial=0, snapshot="s", is_shared=True)
    history = ["1", taken("s", 1), "1 of another", taken("s", 1), "2 of another", resumed("s", 1), "2 at last"]
    assert shown(tmp_path) == history
    for fold in (0, 1):  # what was chosen is fitted in each fold
        attempt("1 of a fold", taken("s", 1), "2 of a fold", item=f"D-1/A-2/fold_{fold}", is_shared=True)
    attempt(resumed("s", 1), snapshot="s", is_shared=True)
    assert shown(tmp_path).count("2 of a fold") == 1


def test_a_name_that_is_taken_again(attempt: Attempt, tmp_path: Path) -> None:
    """The snapshot of a name is gone, and a later one has it: the Fit goes on from that, also where its line was lost."""
    attempt("1", taken("s", 1), "2", taken("t", 2), "3", taken("s", 3), "4")
    attempt(resumed("s", 3), "4 again", snapshot="s")
    assert [line for line in shown(tmp_path) if line[0].isdigit()] == ["1", "2", "3", "4 again"]
    attempt(resumed("s", 4), "5", snapshot="s")
    assert [line for line in shown(tmp_path) if line[0].isdigit()] == ["1", "2", "3", "4 again", "5"]


def test_another_trial_that_begins_anew_cuts_no_history(attempt: Attempt, tmp_path: Path) -> None:
    """Helpers of a search log for the same item while a trial is fitted."""
    book = attempt("1", taken("s", 1), "2", trial=0)
    attempt("1 before", trial=1)
    attempt("1 anew", trial=1, snapshot="")
    book.add_lines(20, guest_logger("out", 0), f"3\n{taken('t', 3)}\n4\n".encode(), ITEM)
    book.flush()
    attempt(resumed("t", 3), "4 again", trial=0, snapshot="t")
    assert [line for line in shown(tmp_path) if line[0].isdigit()] == ["1", "2", "1 anew", "3", "4 again"]


def test_stderr_is_superseded_with_stdout(attempt: Attempt, tmp_path: Path) -> None:
    """Its lines stand among those of stdout as they came; omnibench's own stay, which say what has happened."""
    book = attempt("1", taken("s", 1))
    book.add_lines(30, guest_logger("err", None), b"trouble in 2\n", ITEM)
    book.add(logging.ERROR, OWN, "was interrupted in Fit", ITEM)
    book.flush()
    attempt(resumed("s", 1), snapshot="s")
    assert "trouble in 2*" in shown(tmp_path, everything=True)
    entries = logbook.select(tmp_path, 0, items=None, min_level=logging.ERROR, limit=-1, superseded=False)
    assert [entry["message"] for entry in entries] == ["was interrupted in Fit"]


def test_lines_of_snapshots_are_kept_beyond_the_limit(
    attempt: Attempt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guest that prints a line per batch: what is superseded is known all the same."""
    monkeypatch.setattr(logbook, "_MOST_LINES", 4)
    attempt("1", "2", "3", "4", taken("s", 4), "5")
    attempt(resumed("s", 4), "5 again", snapshot="s")
    end = "... more of this item's lines are in out.log and err.log only"
    assert shown(tmp_path) == ["1", "2", "3", end, taken("s", 4), resumed("s", 4), "5 again"]


def test_a_log_of_an_earlier_omnibench_gets_the_column(attempt: Attempt, tmp_path: Path) -> None:
    """It is read as it stands, also where nobody may write, and goes on when somebody does."""
    table = logbook._TABLE.replace(",\n    superseded INTEGER", "")
    row = ("2026-01-01T00:00:00.000Z", "run", "old", ITEM, 20, "INFO", "guest.stdout")
    with closing(sqlite3.connect(tmp_path / logbook.NAME)) as connection, connection:
        connection.execute(table)
        for message in ("1", taken("s", 1), "2"):
            connection.execute(
                "INSERT INTO logs (time, run, worker, item, level, level_name, logger, message) VALUES (?,?,?,?,?,?,?,?)",
                (*row, message),
            )
    assert shown(tmp_path) == ["1", taken("s", 1), "2"]
    assert logbook.count(tmp_path, None, items=None, min_level=0, superseded=False) == 3
    attempt(resumed("s", 1), "2 again", snapshot="s")
    assert shown(tmp_path, everything=True) == ["1", taken("s", 1), "2*", resumed("s", 1), "2 again"]


def test_entries_go_on_when_the_log_was_locked(attempt: Attempt, tmp_path: Path, monkeypatch: Any) -> None:
    """What supersedes is kept with its entry until there is room for it."""
    monkeypatch.setattr(logbook, "_WAIT_SECONDS", 0.01)
    attempt("1", taken("s", 1), "2")
    with closing(sqlite3.connect(tmp_path / logbook.NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        book = attempt(resumed("s", 1), "2 again", snapshot="s")
        other.execute("ROLLBACK")
    book.flush()
    assert shown(tmp_path) == ["1", taken("s", 1), resumed("s", 1), "2 again"]


@pytest.mark.parametrize("progress", ["epoch 3", "epoch 3 of 5", "epoch 3 of 5 and a part of the next"])
@pytest.mark.parametrize("name", ["snapshot_20261126_161500", "after it from snapshot x", "a b"])
def test_the_lines_of_guests_are_read(name: str, progress: str) -> None:
    """Whatever a snapshot is called, and however its progress is said."""
    line = RESUMED_LINE.format(name=name, progress=progress)
    assert resumed_progress(line, name) == progress
    assert resumed_progress(line, "another") == ""
    assert resumed_progress(f"{line} ", name) == ""
