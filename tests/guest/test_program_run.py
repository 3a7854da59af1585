"""Programs while they run: what is heard of them, that they stand still and end with all that they have started, and snapshots."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support.runs import wait_until

from omnibench import Snapshots as Control
from omnibench.guest.base import Task
from omnibench.guest.epochs import Epochs, PrunedFit
from omnibench.guest.family_guard import numbers_of
from omnibench.guest.program_commands import RATE, ProgramError
from omnibench.guest.program_output import LONGEST_LINE
from omnibench.guest.program_progress import ProgramCourse
from omnibench.guest.program_run import RunningProgram
from omnibench.guest.snapshots import MANIFEST, Snapshots, versions

COUNTING = """
(i=0; while [ $i -lt 9999 ]; do i=$((i + 1)); echo $i > next; mv next count; done) & echo $! > pid
echo omnibench progress epoch=1
until [ -e go ]; do sleep 0.02; done
echo omnibench progress epoch=2 validation=0.5
wait
"""
"""A shell that waits for another, which counts, and starts a program for each number; a file has it tell of an epoch that the host prunes."""


def shell(script: str, work: Path) -> RunningProgram:
    """Start a script of the shell."""
    return RunningProgram(["sh", "-c", script], work)


def printed(script: str, work: Path) -> RunningProgram:
    """Return a program that has printed everything before anybody listens."""
    program = shell(f"{script}\ntouch printed", work)
    wait_until((work / "printed").exists)
    return program


class Fit:
    """A Fit with a snapshot after each epoch, as a guest has it; the host prunes it when it asks.

    Args:
        folder: Where snapshots and the checkpoint lie.
        resume: The snapshot that it goes on from.
    """

    def __init__(self, folder: Path, resume: Path | None = None) -> None:
        self.sent: list[dict[str, Any]] = []
        self.checkpoint = folder / "checkpoint"
        self.checkpoint.mkdir()
        self.epochs = Epochs({"prunable": True}, self.sent.append, lambda: {"stop": True}, lambda *_: None)
        request = {
            **Control(every_iterations=1).plain,
            "directory": str(folder / "snapshots"),
            "ask": str(folder / "ask"),
        }
        if resume is not None:
            request["resume"] = {"name": "a", "directory": str(resume)}
        snapshots = Snapshots(request, self.epochs, self.sent.append, lambda: {"name": "a"})
        task = Task("A", {}, 0, report=self.epochs.report, keep=self.epochs.keep, snapshots=snapshots)
        self.course = ProgramCourse(task, self.checkpoint)

    @property
    def snapshots(self) -> list[dict[str, Any]]:
        """The snapshots that were taken."""
        return [message["snapshot"] for message in self.sent if "snapshot" in message]


@pytest.mark.skipif(sys.platform != "linux", reason="only /proc tells what a program has started")
def test_what_a_program_has_started_stands_still_and_ends_with_it(tmp_path: Path) -> None:
    """Behind a wrapper, too: it goes on after a pause, and nothing of a pruned Fit is left."""
    program, count = shell(COUNTING, tmp_path), tmp_path / "count"
    wait_until(count.exists)
    heard = []
    for _ in range(5):
        with program.paused() as lines:
            heard += lines
            before = count.read_text()
            time.sleep(0.05)  # in which it would count to ten and more
            assert count.read_text() == before
        wait_until(lambda before=before: count.read_text() != before)  # type: ignore[misc]
    assert [line.split()[1] for line in heard] == ["progress"]
    (tmp_path / "go").touch()
    counting = int((tmp_path / "pid").read_text())
    assert numbers_of(counting)[1]
    with pytest.raises(PrunedFit):
        Fit(tmp_path).course.follow(program)
    assert not numbers_of(counting)[1]


def test_a_fit_that_has_nothing_left_to_do_keeps_its_epochs(tmp_path: Path) -> None:
    """Those of its snapshot; and a program that tells of checkpoints alone has those of the last."""
    snapshot = tmp_path / "snapshot"
    (snapshot / "checkpoint").mkdir(parents=True)
    (snapshot / "checkpoint" / "state").write_text("10")
    series = {"history": [], "series": [[10, {"loss": 0.5}]]}
    manifest = {"format": 1, "versions": versions(), "iteration": 10, "iterations": 10, **series}
    (snapshot / MANIFEST).write_text(json.dumps(manifest))
    fit = Fit(tmp_path, snapshot)
    fit.course.restore()
    assert (fit.checkpoint / "state").read_text() == "10"
    fit.course.follow(shell("echo nothing left to do", tmp_path))
    assert fit.epochs.trained == 10
    fit.course.follow(shell("echo omnibench checkpoint epoch=12 epochs=12", tmp_path))
    assert fit.epochs.trained == 12


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("progress epoch=-3", "'epoch=-3' is not a whole number from 0 to 2**53"),
        ("progress epoch=1e300", "'epoch=1e300' is not a whole number from 0 to 2**53"),
        ("progress epoch=1 epochs=inf", "'epochs=inf' is not a whole number"),
        ("checkpoint epoch=nan", "'epoch=nan' is not a whole number"),
        ("progress epoch=1 0=2", "'0=2' is not a name with a number, such as loss=0.41"),
        ("checkpoint epochs=3", "does not say of which epoch; e.g. 'omnibench checkpoint epoch=3 epochs=20'"),
        ("progres epoch=1", "behind 'omnibench' there is 'progress' or 'checkpoint'"),
        ("progress loss=" + "1" * LONGEST_LINE, "…' is not a name with a number"),
    ],
)
def test_what_nobody_can_read_is_said_with_the_line(tmp_path: Path, line: str, says: str) -> None:
    """Before it can get into a record: counts that cannot be, words that are no numbers, lines without end."""
    with pytest.raises(ProgramError) as refusal:
        Fit(tmp_path).course.follow(shell(f"echo omnibench {line}", tmp_path))
    assert says in str(refusal.value)
    assert f"'omnibench {line}'"[:60] in str(refusal.value)


def test_numbers_may_have_any_name(tmp_path: Path) -> None:
    """Also those of the arguments of ours."""
    fit = Fit(tmp_path)
    fit.course.follow(shell("echo omnibench progress epoch=2 self=1 values=2 lambda=0.5", tmp_path))
    assert fit.epochs.series == [(2, {"self": 1.0, "values": 2.0, "lambda": 0.5})]
    assert fit.epochs.trained == 2


def test_only_fits_have_checkpoints(tmp_path: Path) -> None:
    """The command that has told of one is named, with what to do there."""
    task = Task("A", {}, 0)
    for course, says in (
        (ProgramCourse(task, None), r"its command `fit` has no \{checkpoint\}; write it in"),
        (ProgramCourse(task, None, RATE), "only `fit` has checkpoints, and this was `rate`"),
    ):
        with pytest.raises(ProgramError, match=says):
            course.follow(shell("echo omnibench checkpoint epoch=3", tmp_path))


def test_a_snapshot_is_of_the_epoch_that_its_files_are_of(tmp_path: Path) -> None:
    """A program whose epochs are faster than its guest is of its last one when the files are copied.

    What it has told before belongs to the snapshot; the epoch after it does not.
    """
    fit = Fit(tmp_path)
    program = printed(
        """
        for i in 1 2 3 4 5; do
            echo omnibench progress epoch=$i epochs=9 loss=0.$i
            echo $i > checkpoint/state
            echo omnibench checkpoint epoch=$i epochs=9
        done
        echo omnibench progress epoch=6 epochs=9 loss=0.6
        """,
        tmp_path,
    )
    fit.course.follow(program)
    (snapshot,) = fit.snapshots
    assert snapshot["iteration"] == 5
    assert snapshot["series"] == [(epoch, {"loss": epoch / 10}) for epoch in range(1, 6)]
    assert (tmp_path / "snapshots" / snapshot["folder"] / "checkpoint" / "state").read_text() == "5\n"
    assert [message["progress"]["epoch"] for message in fit.sent if message["progress"]] == [1, 2, 3, 4, 5, 6]
    assert fit.epochs.trained == 6


def test_a_program_prints_what_it_likes_while_nobody_listens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of it is in the log; what is kept until somebody listens are lines with the mark, which line feeds alone end."""
    script = r"""
        printf ' 10%%\r 20%%\romnibench progress epoch=1\r'
        head -c 3000000 /dev/zero | tr '\0' x
        printf '\nomnibench progress epoch=2 loss=0.5\r\n'
        yes 'é loss' | head -n 200000
        printf 'omnibench progress epoch=3'
    """
    program = printed(script, tmp_path)
    assert list(program.lines()) == ["omnibench progress epoch=2 loss=0.5\r", "omnibench progress epoch=3"]
    log = capsys.readouterr().out
    bar = " 10%\r 20%\romnibench progress epoch=1\r"
    expected = bar + "x" * 3000000 + "\nomnibench progress epoch=2 loss=0.5\r\n" + "é loss\n" * 200000
    assert log == expected + "omnibench progress epoch=3"


def test_the_last_words_are_those_that_a_terminal_would_show(tmp_path: Path) -> None:
    """Of a progress bar its last state, and of what was said before the last lines nothing."""
    script = r"printf '1\n2\n3\n4\n 10%%\r100%%\nno memory\n' >&2; exit 3"
    with pytest.raises(ProgramError, match="sh ended with exit status 3; it said: 2\n3\n4\n100%\nno memory\n"):
        list(shell(script, tmp_path).lines())
