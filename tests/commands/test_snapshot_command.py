"""``omnibench snapshot``: running Fits are asked, whatever they answer is said, and nothing is left in the store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.asked_workers import ITEM, RECORD, fitting, wake

from omnibench.commands.main import main
from omnibench.engine import running_fits
from omnibench.store import CheckpointStore, requests
from omnibench.store.requests import Target, placed_request

OTHER = "tiny-0123abcd/Other-89abcdef"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are looked at often."""
    for name in ("_ANSWERS_SECONDS", "_RECORDS_SECONDS"):
        monkeypatch.setattr(running_fits, name, 0.02)
    monkeypatch.setattr(running_fits, "_LAST_WORDS_SECONDS", 0.3)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """The root of a store, in which nothing of a request is left."""
    yield tmp_path / "checkpoints"
    assert not (tmp_path / "checkpoints" / "requests").exists()


def await_request(root: Path, asker: subprocess.Popen[str]) -> None:
    """Wait until another process has asked."""
    while not list(root.glob("requests/*.request")):
        assert asker.poll() is None
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("reaction", "sentence", "ends"),
    [
        ("take", "snapshot snapshot_20261126_155402 after epoch 37 of 50 (12.3 MB in 0.4 s)", 0),
        pytest.param("fail", "the snapshot has failed: no room is left", 1, marks=pytest.mark.slow),
        ("nothing", "nothing to snapshot: its Fit has no iterations", 1),
        pytest.param("end", "its Fit has ended before a snapshot could be taken", 0, marks=pytest.mark.slow),
        pytest.param(
            "raise", "its Fit has ended without a snapshot (the algorithm is broken)", 1, marks=pytest.mark.slow
        ),
        pytest.param("die", "its process has died without a snapshot", 1, marks=pytest.mark.slow),
    ],
)
def test_what_has_come_of_a_request_is_said(
    root: Path, capsys: pytest.CaptureFixture[str], reaction: str, sentence: str, ends: int
) -> None:
    """The exit status says whether all of a Fit's work is on disk."""
    with fitting(root, reaction):
        assert main(["snapshot", "--store", str(root)]) == ends
    assert capsys.readouterr().out == f"{ITEM}: {sentence}\n"


@pytest.mark.slow
def test_all_that_run_are_asked_or_those_that_are_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each worker answers for its own item; who was not asked takes no snapshot."""
    incomplete = {**RECORD, "name": "second", "iterations": None, "unit": "sweep", "missing": ["network"]}
    with ExitStack() as stack:
        stack.enter_context(fitting(root, "take", name="gw0"))
        stack.enter_context(fitting(root, "take", name="gw1", item=OTHER, record=incomplete))
        assert main(["snapshot", "--store", str(root)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert sorted(lines) == [
            f"{OTHER}: snapshot second after sweep 37 (12.3 MB in 0.4 s); it is incomplete, without network",
            f"{ITEM}: snapshot snapshot_20261126_155402 after epoch 37 of 50 (12.3 MB in 0.4 s)",
        ]


@pytest.mark.slow
def test_where_nothing_runs_that_is_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A store in which nobody computes, and one whose workers are past their Fits."""
    CheckpointStore(root).close()
    assert main(["snapshot", "--store", str(root)]) == 1
    assert f"nothing is computed in {root} right now" in capsys.readouterr().err
    with fitting(root, "take", phase="Predict"):
        assert main(["snapshot", "--store", str(root)]) == 1
        assert capsys.readouterr().out == f"{ITEM}: is in Predict, where there is nothing to snapshot\n"
    assert main(["snapshot", "--store", str(root / "missing")]) == 2


@pytest.mark.slow
def test_who_does_not_hear_is_waited_for_as_long_as_one_says(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is waited for is said after a while; a limit ends it."""
    with fitting(root, "wait") as worker, pytest.MonkeyPatch.context() as patch:
        patch.setattr(running_fits, "_PATIENCE_SECONDS", 0.1)
        assert main(["snapshot", "--store", str(root), "--timeout", "0.5s"]) == 1
        said = capsys.readouterr()
        assert said.out == f"{ITEM}: no snapshot within 0.5 s; ask again, and wait longer\n"
        assert said.err == f"omnibench: waiting for {ITEM}: a snapshot is taken between two iterations\n"
        wake(worker)
        assert main(["snapshot", "--store", str(root)]) == 0
    assert main(["snapshot", "--store", str(root), "--timeout", "soon"]) == 2


@pytest.mark.slow
def test_who_stops_waiting_withdraws_the_request(root: Path) -> None:
    """Ctrl-C ends the command without a traceback; the worker is not asked any more."""
    with fitting(root, "wait"):
        command = [sys.executable, "-m", "omnibench", "snapshot", "--store", str(root)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as asker:
            await_request(root, asker)
            asker.send_signal(signal.SIGINT)
            assert asker.stderr is not None
            assert asker.stderr.read() == "omnibench: interrupted\n"
            assert asker.wait() == 130
        assert not (root / "requests").exists()


@pytest.mark.slow
def test_requests_of_dead_askers_go(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A worker takes no snapshot for somebody who is dead, and the next request removes what is left."""
    with fitting(root, "wait") as worker:
        command = [sys.executable, "-m", "omnibench", "snapshot", "--store", str(root)]
        with subprocess.Popen(command, text=True) as asker:
            await_request(root, asker)
            asker.kill()
        (left,) = root.glob("requests/*.request")
        assert requests.read_request(root, left.stem) is None
        (root / "requests" / f"{left.stem}.0.answer").write_text(json.dumps({}))
        wake(worker)
        assert main(["snapshot", "--store", str(root)]) == 0
    assert capsys.readouterr().out.count("\n") == 1


def test_gc_removes_what_dead_askers_have_left(root: Path) -> None:
    """Their requests, their answers and the directory; what is not ours stays."""
    CheckpointStore(root).close()
    (root / "requests").mkdir()
    for name in ("f" * 32 + ".request", "f" * 32 + ".0.answer"):
        (root / "requests" / name).write_text("{}")
    (root / "requests" / "mine.txt").touch()
    assert main(["gc", "--store", str(root)]) == 0
    assert [path.name for path in (root / "requests").iterdir()] == ["mine.txt"]
    (root / "requests" / "mine.txt").unlink()
    assert main(["gc", "--store", str(root)]) == 0


def test_requests_that_were_never_named_go(root: Path) -> None:
    """Whoever died while writing one left it; what somebody writes right now stays."""
    directory = root / "requests"
    directory.mkdir(parents=True)
    left, current = (directory / f"{letter * 32}.new" for letter in "ab")
    for file in (left, current):
        file.write_text("{")
    os.utime(left, (0, 0))
    with placed_request(root, [Target("worker", "item")]):
        assert not left.exists()
        assert current.exists()
        current.unlink()


def test_what_a_stranger_has_written_is_no_request(root: Path) -> None:
    """Nothing is asked of anybody, and nobody stumbles over it."""
    CheckpointStore(root).close()
    nested = '{"targets": [["run.main", "x", "y"]]}'
    with placed_request(root, [Target("worker", "item")]) as token:
        request = requests.read_request(root, token)
        assert request is not None
        assert request.positions("worker", "item") == [0]
        assert request.positions("worker", "another") == request.positions("another", "item") == []
        for content in ("", "[]", "{", '{"targets": 3}', '{"targets": [[1, 2]]}', nested, "[" * 100_000):
            (root / "requests" / f"{token}.request").write_text(content)  # in place, so that it still is locked
            assert requests.read_request(root, token) is None


def test_a_link_in_place_of_the_directory_is_not_followed(root: Path, tmp_path: Path) -> None:
    """Neither by who asks nor by who looks for requests."""
    CheckpointStore(root).close()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / f"{'a' * 32}.request").write_text("{}")
    (root / "requests").symlink_to(tmp_path / "elsewhere")
    assert requests.request_tokens(root) == []
    assert main(["snapshot", "--store", str(root)]) == 2
    (root / "requests").unlink()
