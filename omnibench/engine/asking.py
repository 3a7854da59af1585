"""Requests by hand for a snapshot of a running Fit: both ends, of whoever computes and of whoever asks.

Who computes looks for them about once a second while a Fit runs, and not at all otherwise: in the store (``omnibench
snapshot``) and in the working directory (``CHKPT``). What comes of one is said to whoever has asked: what was made, that it
failed, that there is nothing to snapshot, or that the Fit has ended before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from omnibench.engine.chkpt import NAME, ChkptFile
from omnibench.errors import PrunedError
from omnibench.guest.snapshots import progress
from omnibench.sizes import size_text
from omnibench.store.requests import OpenRequest, read_request, request_tokens, write_answer
from omnibench.store.search_words import seconds_text

_LOOK_SECONDS = 1.0


class Outcome(StrEnum):
    """What has come of a request."""

    SUCCESS = "success"
    FAILED = "failed"
    NOTHING = "nothing"
    """There is nothing to snapshot: the algorithm has no iterations, snapshots are off."""
    ENDED = "ended"
    """The Fit has ended, and is recorded."""
    LATE = "late"
    """Nothing has come within the time that the asker waits."""
    STOPPED = "stopped"
    """The Fit has failed, or was interrupted, without a snapshot."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What has come of a request for one Fit.

    Attributes:
        outcome: One of ``Outcome``.
        sentence: The same for people, to stand behind the item's name and a colon.
    """

    outcome: str
    sentence: str

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Answer | None:
        """Return an answer that was written as plain data, or None where it is none: a store may come from anybody.

        Args:
            plain: What ``asdict`` has made of it.
        """
        outcome, sentence = plain.get("outcome"), plain.get("sentence")
        return cls(outcome, sentence) if isinstance(outcome, str) and isinstance(sentence, str) else None

    @classmethod
    def of_snapshot(cls, record: Mapping[str, Any]) -> Answer:
        """Return the answer that a snapshot was taken.

        Args:
            record: The snapshot's record.
        """
        cost = f"{size_text(record['size'])} in {seconds_text(record['seconds'])}"
        without = f"; it is incomplete, without {', '.join(record['missing'])}" if record.get("missing") else ""
        return cls(Outcome.SUCCESS, f"snapshot {record['name']} after {progress(record)} ({cost}){without}")


class Requests:
    """The requests for snapshots that a worker hears; one for as long as the worker lives, from its own thread only.

    Args:
        root: The store's directory.
        worker: The worker's id.
        notify: Called with a sentence for whoever watches the run: what has come of a file ``CHKPT``.
        directory: The working directory of the run.
    """

    def __init__(self, root: Path, worker: str, notify: Callable[[str], None], directory: Path) -> None:
        self._root = root
        self._worker = worker
        self._notify = notify
        self._file = ChkptFile(directory, notify)
        self._item = self._label = ""
        self._next_look = 0.0
        self._passed_over: set[str] = set()
        """The tokens of requests that are not for this Fit, or were answered."""
        self._open: list[tuple[OpenRequest, int]] = []
        self._is_asked_by_file = False
        self._lasting: Answer | None = None
        """What answers all requests for this Fit: there is nothing to snapshot in it."""

    @contextmanager
    def during_fit(self, item: str, label: str) -> Iterator[None]:
        """Hear the requests for a Fit, and answer at its end those that were not answered before.

        Args:
            item: The item's name.
            label: What people call the item.
        """
        self._item, self._label = item, label
        self._next_look, self._lasting = 0.0, None
        self._passed_over.clear()
        try:
            yield
        except BaseException as error:
            if not isinstance(error, PrunedError):
                self._give(_stopped(error))
                self._file.close()
            raise
        finally:
            self._give(Answer(Outcome.ENDED, "its Fit has ended before a snapshot could be taken"))
            self._file.settle()
            self._item = ""

    def pending(self) -> bool:
        """Return whether somebody waits for a snapshot of the Fit; to be called often, looks once a second at most."""
        if not self._item:
            return False
        moment = time.monotonic()
        if moment >= self._next_look:
            self._next_look = moment + _LOOK_SECONDS
            self._look()
            if self._lasting is not None:
                self._give(self._lasting)
        return bool(self._open) or self._is_asked_by_file

    def _look(self) -> None:
        self._is_asked_by_file = self._file.look()
        tokens = request_tokens(self._root)
        if not tokens:
            self._open.clear()
            self._passed_over.clear()
            return
        self._open = [(request, position) for request, position in self._open if request.token in tokens]
        seen = self._passed_over | {request.token for request, _ in self._open}
        for token in tokens:
            request = None if token in seen else read_request(self._root, token)
            if request is None:
                continue
            positions = request.positions(self._worker, self._item)
            self._open += [(request, position) for position in positions]
            if not positions:
                self._passed_over.add(token)

    def recorded(self, record: Mapping[str, Any]) -> None:
        """Tell whoever waits that a snapshot was recorded.

        Args:
            record: Its record.
        """
        self._give(Answer.of_snapshot(record))

    def failed(self, reason: str) -> None:
        """Tell whoever waits that the snapshot has failed.

        Args:
            reason: Why, as a sentence.
        """
        self._give(Answer(Outcome.FAILED, f"the snapshot has failed: {reason}"))

    def nothing(self, reason: str) -> None:
        """Tell whoever waits now, or asks later during this Fit, that there is nothing to snapshot.

        Args:
            reason: Why, e.g. that the algorithm has no iterations.
        """
        self._lasting = Answer(Outcome.NOTHING, f"nothing to snapshot: {reason}")
        self._give(self._lasting)

    def _give(self, answer: Answer) -> None:
        for request, position in self._open:
            write_answer(self._root, request, position, asdict(answer))
            self._passed_over.add(request.token)
        self._open.clear()
        if self._is_asked_by_file:
            self._is_asked_by_file = False
            self._notify(f"{NAME}: {self._label}: {answer.sentence}")
            self._file.answer()


def _stopped(error: BaseException) -> Answer:
    reason = str(error).partition("\n")[0] or type(error).__name__
    return Answer(Outcome.STOPPED, f"its Fit has ended without a snapshot ({reason})")
