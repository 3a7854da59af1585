"""What a guest says while it computes on: nothing that it is writing is taken away for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from omnibench.cluster.files import RequestFiles
from omnibench.cluster.mailbox import Mailbox
from omnibench.cluster.session import Session
from omnibench.cluster.staging import Staging


class Computing:
    """A session whose guest is in the middle of a Fit, and the messages that its submitter would get.

    Args:
        directory: Where the Fit writes.
    """

    def __init__(self, directory: Path) -> None:
        for name in ("dataset", "output", "snapshots", "scratch"):
            (directory / name).mkdir()
        snapshots = {"directory": str(directory / "snapshots"), "ask": str(directory / "snapshots" / "ask")}
        names = {name: str(directory / name) for name in ("dataset", "output")}
        request: dict[str, Any] = {"op": "fit", "fold": 0, "fit_key": "k", **names, "snapshots": snapshots}
        files = RequestFiles(request, "token", is_shared=True)
        self.loop = asyncio.new_event_loop()
        self.mailbox = Mailbox("token", "run", self.loop, lambda: True)
        guests: Any = None  # nothing is asked of them, nor of GPUs
        self.session = Session("token", self.mailbox, guests, guests, is_shared=True)
        fetch: Any = None  # files go by path
        staging = Staging(files.roots, "token", directory / "scratch", fetch, lambda: None, is_shared=True)
        staging.stage(with_model=False)
        self.session._staging = staging
        self.model = Path(staging.rewritten(request)["output"], "model.pkl")
        self.model.write_bytes(b"half of it")

    def messages(self) -> list[dict[str, Any]]:
        """Take away what the session has sent."""
        return self.loop.run_until_complete(self.mailbox.exchange(0, 0, [], 0.0))[1]


@pytest.fixture
def computing(tmp_path: Path) -> Iterator[Computing]:
    fit = Computing(tmp_path)
    with fit.mailbox:
        yield fit
    fit.loop.close()


def test_a_note_leaves_what_is_being_written(computing: Computing) -> None:
    """A guest that says that there is nothing to snapshot writes its model on, which is no file to be handed back yet."""
    note = {"nothing": "it is calculated in a single step"}
    assert computing.session._snapshot(note) == {}
    assert computing.messages() == [{"kind": "note", "note": {"snapshot": note}}]


def test_a_question_comes_after_what_was_written(computing: Computing) -> None:
    """A guest that waits for an answer has written what it asks about, which is there before the question."""
    computing.session._pending.append({"kind": "reply", "answer": {"name": "first"}})
    assert computing.session._snapshot({"folder": "abc"}) == {"name": "first"}
    assert [message["kind"] for message in computing.messages()] == ["file", "question"]


def test_a_guest_that_works_on_says_so_once(computing: Computing) -> None:
    """Of a thousand guests a message each second would fill the submitter's core; when one falls silent, and works again, it hears."""
    for seconds in (0.0, 0.0, 11.0, 12.0, 15.0):
        computing.session._note_silence(seconds, False)
    computing.session._note_silence(16.0, True)
    computing.session._note_silence(0.0, False)
    computing.session._note_silence(0.0, False)
    computing.mailbox.send({"kind": "answer"})
    silences = [message["silence"] for message in computing.messages() if message["kind"] == "silence"]
    assert silences == [(11.0, False), (15.0, False), (16.0, True), (0.0, False)]
