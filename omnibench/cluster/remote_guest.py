"""A guest on another machine, asked as any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from omnibench.cluster.files import RequestFiles
from omnibench.cluster.mailbox import Message
from omnibench.errors import GuestError, LostGuestError, PrunedError
from omnibench.runners.replies import OnEpoch, OnSnapshot, Replies

if TYPE_CHECKING:
    from omnibench.cluster.remote_session import RemoteSession
    from omnibench.cluster.terms import GuestTerms


class Pool(Protocol):
    """What a guest needs of its pool; see ``pool.RemotePool``."""

    while_waiting: Callable[[], None]

    def session(self) -> RemoteSession:
        """Return the session of the item."""

    def lost(self, error: LostGuestError) -> None:
        """Note that the machine of the session is gone."""

    def give_up(self) -> None:
        """Leave the session as it is."""


class RemoteGuest:
    """A guest in a session.

    Args:
        pool: Its pool, which opens another session where one was lost.
        terms: Which guest it is.
        threads: How many threads it computes with.

    Attributes:
        fitted: The fit key of the model that it has in memory; empty where nobody knows of one.
        alive: Whether it runs, as far as is known.
        pid: Its process id where it runs on this machine, else 0.
        host: The machine that it runs on.
    """

    def __init__(self, pool: Pool, terms: GuestTerms) -> None:
        self._pool, self.terms = pool, terms
        self.fitted, self.alive = "", False
        self.pid, self.threads, self.host = 0, terms.threads, ""

    def start(self) -> RemoteSession:
        """Return the session, in which it runs.

        Raises:
            LostGuestError: The session was lost.
            Exception: What starting it has raised on its machine.
        """
        session = self._pool.session()
        if not self.alive:
            self.fitted = ""
            session.send({"kind": "start", "guest": self.terms})
            started = self._answer(session, self._pool.while_waiting)
            self.alive, self.threads, self.host = True, started["threads"], session.location.host
            self.pid = started["pid"] if session.location.is_this_machine else 0
        return session

    def ask(
        self,
        request: Mapping[str, Any],
        on_progress: Callable[[dict[str, Any]], None] | None = None,
        while_waiting: Callable[[], None] = lambda: None,
        timeout: float | None = None,
        on_silence: Callable[[float, bool], None] = lambda *_: None,
        on_epoch: OnEpoch | None = None,
        on_snapshot: OnSnapshot | None = None,
        limit: str = "",
    ) -> dict[str, Any]:
        """Send a request and wait for its answer; see ``runners.gateway.Guest.ask``.

        A machine that is lost meanwhile is replaced by another. Where there are snapshots, that is left to the caller, who
        knows from which one to go on.

        Raises:
            GuestError, SnapshotError, PrunedError: As there.
            LostGuestError: The machine was lost; only with ``on_snapshot``.
            ClusterError: Too many machines were, or the cluster is.
        """
        while True:
            exchange: _Exchange | None = None
            try:
                exchange = _Exchange(self.start(), request, on_progress, on_silence, Replies(on_epoch, on_snapshot))
                self.fitted = ""
                hears = {"hears_epochs": on_epoch is not None, "hears_snapshots": on_snapshot is not None}
                exchange.begin({"guest": self.terms, "timeout": timeout, "limit": limit, **hears})
                answer = self._answer(exchange.session, partial(exchange.wait, while_waiting), exchange.hear)["answer"]
                exchange.replies.check()
            except LostGuestError as error:
                if exchange is not None:
                    exchange.drop()
                self._pool.lost(error)
                if on_snapshot is not None:
                    raise
            else:
                self.fitted = str(request.get("fit_key", ""))
                return dict(answer)

    def _answer(
        self, session: RemoteSession, wait: Callable[[], None], hear: Callable[[Message], bool] = lambda _: False
    ) -> Message:
        """Return the message that ends what was sent, or raise what it says."""
        try:
            while hear(message := session.receive(wait)):
                pass
        except LostGuestError:
            raise
        except BaseException:  # the guest is in the middle of something
            self._pool.give_up()
            raise
        if message["kind"] == "pruned":
            raise PrunedError(message["epoch"], message["value"], message["history"], costs=message["costs"])
        if message["kind"] == "failed":
            error: Exception = message["error"]
            if isinstance(error, GuestError) and (error.died or error.short or error.unusable):
                self.alive = False
            raise error
        return message


class _Exchange:
    """One request in a session, and what comes of it before its answer.

    Args:
        session: The session.
        request: The request.
        on_progress: See ``RemoteGuest.ask``.
        on_silence: Likewise.
        replies: The answers to the guest's questions.
    """

    def __init__(
        self,
        session: RemoteSession,
        request: Mapping[str, Any],
        on_progress: Callable[[dict[str, Any]], None] | None,
        on_silence: Callable[[float, bool], None],
        replies: Replies,
    ) -> None:
        self.session, self.replies = session, replies
        self._request, self._on_progress, self._on_silence = request, on_progress, on_silence
        self._files = RequestFiles(request, session.token, is_shared=session.location.is_shared)

    def begin(self, terms: Mapping[str, Any]) -> None:
        """Send the request.

        Args:
            terms: What else the session has to know.
        """
        self.session.send({"kind": "ask", "request": dict(self._request), "roots": self._files.roots, **terms})

    def drop(self) -> None:
        """Remove what its session has written, which was lost."""
        self._files.drop()

    def wait(self, while_waiting: Callable[[], None]) -> None:
        """Do what is to be done about once a second.

        Args:
            while_waiting: Called; it may write into the file by which a guest is asked for a snapshot, which is passed on.
        """
        while_waiting()
        text = self._files.take_ask()
        if text:
            self.session.send({"kind": "write", "text": text})

    def hear(self, message: Message) -> bool:
        """Do what a message of a request in progress asks for; return whether it is one."""
        subject = message["kind"]
        if subject == "progress":
            if self._on_progress is not None:
                self._on_progress(message["values"])
        elif subject == "silence":
            self._on_silence(*message["silence"])
        elif subject == "file":
            self._files.take(message)
        elif subject == "need":
            data = self._files.piece(message["root"], message["path"], message["offset"])
            self.session.send({"kind": "piece", "data": data})
        elif subject == "question":
            self.session.send({"kind": "reply", "answer": self.replies.reply(message["question"])})
        elif subject == "note":
            self.replies.note(message["note"])
        else:
            return False
        return True
