"""A session: the task that keeps a place on a worker for an item, and drives a guest as the submitter asks."""

from __future__ import annotations

import json
import logging
import pickle
import platform
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import Any

from omnibench import __version__
from omnibench.cluster import worker_guests
from omnibench.cluster.mailbox import AbandonedError, Mailbox, Message
from omnibench.cluster.staging import Staging
from omnibench.cluster.terms import GuestTerms, Terms
from omnibench.cluster.worker_cache import worker_cache
from omnibench.cluster.worker_gpus import WorkerGpus
from omnibench.errors import ClusterError, DiskError, OmnibenchError, PrunedError
from omnibench.guest.disk import ERRNOS, advice, explain
from omnibench.runners.gateway import Guest
from omnibench.runners.machine import is_gpu

NO_SILENCE = (0, False)
SILENCE_STEP = 5
"""Seconds in which a guest's silence is counted, as in the records of workers."""


def topic_of(run: str) -> str:
    """Return the topic under which the sessions of a run say where they are, and that they have messages.

    Args:
        run: The run.
    """
    return f"omnibench-{run}"


def serve(token: str, terms: Terms) -> None:
    """Serve one item, until its submitter has no more to ask, or is gone; runs as a task of Dask's.

    Args:
        token: Names the session.
        terms: What the submitting process says.
    """
    from distributed import Status, get_worker

    worker: Any = get_worker()
    key = worker.get_current_task()

    def is_wanted() -> bool:
        task = worker.state.tasks.get(key)
        return worker.status == Status.running and task is not None and task.state != "cancelled"

    def ring() -> None:
        worker.log_event(topic_of(terms.run), [token])

    _silence_calls()
    with Mailbox(token, terms.run, worker.loop.asyncio_loop, is_wanted, terms.patience, ring) as mailbox:
        is_shared = terms.probe.is_seen()
        worker.log_event(topic_of(terms.run), [token, worker.address, platform.node(), is_shared, worker.name])
        if terms.version != __version__:
            reason = f"{platform.node()} has omnibench {__version__}, the submitting process {terms.version}"
            _send_failure(mailbox, ClusterError(f"{reason}; install the same one on both.", ends_run=True))
        guests = worker_guests.take(terms, Path(worker.local_directory))
        guests.mailbox = mailbox
        with WorkerGpus(mailbox.check) as gpus:
            session = Session(token, mailbox, guests, gpus, is_shared=is_shared)
            try:
                session.serve()
            except AbandonedError:
                guests.pool.end_idle()  # they are in the middle of something
            finally:
                session.close()
                if gpus.are_held:  # the next session on them may be another worker's
                    guests.pool.end_idle(only_gpus=True)
                worker_guests.give_back(terms, guests)


class Session:
    """What serves one item.

    Args:
        token: Names the session.
        mailbox: The messages.
        guests: The guests that it may use.
        gpus: The GPUs of the machine.
        is_shared: Whether this machine sees the submitter's files.
    """

    def __init__(
        self, token: str, mailbox: Mailbox, guests: worker_guests.WorkerGuests, gpus: WorkerGpus, *, is_shared: bool
    ) -> None:
        self._token, self._mailbox, self._guests, self._is_shared = token, mailbox, guests, is_shared
        self._gpus = gpus
        self._pending: list[Message] = []
        """What has come while something else was waited for."""
        self._said_silence = NO_SILENCE
        self._staging: Staging | None = None
        self._own_directories: set[str] = set()
        """Those that it shares with the submitter."""
        self._seen_code: set[str] = set()
        """The classes of the user's own whose files this machine sees."""

    def serve(self) -> None:
        """Do what is asked, until the end is.

        Raises:
            AbandonedError: The submitter is gone.
        """
        actions = {"start": self._start, "ask": self._ask, "discard": self._discard}
        while (message := self._next())["kind"] != "end":
            action = actions.get(message["kind"])
            if action is None:
                continue  # it came too late, e.g. what is to be written for a guest that has ended its request
            try:
                action(message)
            except AbandonedError:
                raise
            except PrunedError as error:
                pruned = {"epoch": error.epoch, "value": error.value, "history": error.history, "costs": error.costs}
                self._mailbox.send({"kind": "pruned", **pruned})
            except _CancelledError:
                self._discard(message)
                self._mailbox.send({"kind": "cancelled"})
            except Exception as error:
                _send_failure(self._mailbox, self._of_disk(error))

    def _next(self) -> Message:
        if self._pending:
            return self._pending.pop(0)
        message = self._mailbox.receive()
        assert message is not None, "it was waited for"
        return message

    def _of_disk(self, error: Exception) -> Exception:
        """Return an error, or what it means where this machine's disk is its reason."""
        number = getattr(error, "errno", None)
        if isinstance(error, OSError) and number in ERRNOS:
            reason = explain(number, [self._guests.scratch, worker_cache(), Path(tempfile.gettempdir())])
            return DiskError(f"{platform.node()}: {reason}: {error}; {advice(number)}, and run again.")
        return error

    def _guest(self, terms: GuestTerms) -> Guest:
        runner = terms.local_runner()
        if runner.adapter_identity != terms.adapter:
            raise ClusterError(f"{platform.node()} has another adapter of {runner.name}; install the same one on both.")
        version = self._guests.environments.version(runner)
        if version != terms.version:
            words = f"{platform.node()} has {runner.name} {version}, the submitting process {terms.version}"
            raise ClusterError(f"{words}; the numbers would be recorded for the latter. Install the same version.")
        if is_gpu(terms.device):
            self._guests.pool.use_gpus(terms.cards or self._gpus.cards(terms.n_gpus))
        return self._guests.pool.get(runner, terms.device, terms.threads)

    def _start(self, message: Message) -> None:
        guest = self._guest(message["guest"])
        self._mailbox.send({"kind": "started", "pid": guest.pid, "threads": guest.threads})

    def _discard(self, message: Message) -> None:
        terms: GuestTerms = message["guest"]
        self._guests.pool.discard(terms.local_runner(), terms.device, terms.threads)

    def _ask(self, message: Message) -> None:
        """Pass a request to the guest, and its files before and after it."""
        guest, request, roots = self._guest(message["guest"]), message["request"], message["roots"]
        self._said_silence = NO_SILENCE
        self._require_code(request)
        scratch = self._guests.scratch / f"request-{uuid.uuid4().hex[:12]}"
        self._staging = Staging(roots, self._token, scratch, self._fetch, self._check, is_shared=self._is_shared)
        try:
            self._own_directories.update(self._staging.own_directories)
            self._staging.stage(with_model=guest.fitted != request["fit_key"])
            answer = guest.ask(
                self._staging.rewritten(request),
                on_progress=lambda values: self._mailbox.send({"kind": "progress", "values": values}, hurries=False),
                while_waiting=self._check,
                timeout=message["timeout"],
                limit=message["limit"],
                on_silence=self._note_silence,
                on_epoch=self._question if message["hears_epochs"] else None,
                on_snapshot=self._snapshot if message["hears_snapshots"] else None,
            )
            self._staging.hand_back(self._send_file)
            self._mailbox.send({"kind": "answer", "answer": answer})
        finally:
            self._staging.clear()
            self._staging = None

    def close(self) -> None:
        """Remove the directories of its own; what the submitter has taken is out of them."""
        for directory in self._own_directories:
            shutil.rmtree(directory, ignore_errors=True)

    def _require_code(self, request: Message) -> None:
        """Refuse to fit a class of the user's own whose file this machine does not see."""
        algorithm = request["algorithm"]
        if algorithm.startswith("{") and algorithm not in self._seen_code:
            file = json.loads(algorithm).get("file")
            if file and not Path(file).is_file():
                raise ClusterError(
                    f"{platform.node()} does not see {file}, which has a class of yours; put it where all machines see "
                    "it, or install it as a package on them."
                )
            self._seen_code.add(algorithm)

    def _note_silence(self, seconds: float, is_stopped: bool) -> None:
        """Tell the submitter, once a second at most, what it does not know: a call for each guest each second would keep it busy."""
        silence = int(seconds) // SILENCE_STEP * SILENCE_STEP, is_stopped
        if silence != self._said_silence:
            self._said_silence = silence
            self._mailbox.send({"kind": "silence", "silence": (seconds, is_stopped)}, hurries=False)

    def _send_file(self, message: Message, size: int) -> None:
        self._mailbox.send(message, size, is_followed=True)  # by the answer or the question

    def _check(self) -> None:
        """Look after the messages while something else is done.

        Raises:
            AbandonedError: The submitter is gone.
            _CancelledError: It gives the request up.
        """
        self._mailbox.check()
        while (message := self._mailbox.receive(0)) is not None:
            self._note(message)

    def _note(self, message: Message) -> None:
        if message["kind"] == "cancel":
            raise _CancelledError
        if message["kind"] == "write" and self._staging is not None:
            self._staging.ask(message["text"])
        else:
            self._pending.append(message)

    def _await(self, subject: str) -> Message:
        """Return the next message of a kind."""
        while True:
            for position, message in enumerate(self._pending):
                if message["kind"] == subject:
                    return self._pending.pop(position)
            message_now = self._mailbox.receive()
            assert message_now is not None, "it was waited for"
            self._note(message_now)

    def _question(self, question: Message) -> Message:
        """Have the submitter answer a guest's question."""
        assert self._staging is not None, "a guest asks during its request"
        self._staging.hand_back(self._send_file)
        self._mailbox.send({"kind": "question", "question": question})
        answer: Message = self._await("reply")["answer"]
        return answer

    def _snapshot(self, snapshot: Message) -> Message:
        if "nothing" in snapshot:  # the guest goes on meanwhile, so that nothing it writes is whole
            self._mailbox.send({"kind": "note", "note": {"snapshot": snapshot}}, hurries=False)
            return {}
        answer = self._question({"snapshot": snapshot})
        if "folder" in snapshot and self._staging is not None:
            self._staging.drop(snapshot["folder"])
        return answer

    def _fetch(self, root: str, path: str, offset: int) -> bytes:
        self._mailbox.send({"kind": "need", "root": root, "path": path, "offset": offset})
        piece: bytes = self._await("piece")["data"]
        return piece


class _CancelledError(OmnibenchError):
    """The submitter gives a request up."""


def _send_failure(mailbox: Mailbox, error: Exception) -> None:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own, whether the other side can read it
    except Exception:  # whatever a library's exceptions do
        error = ClusterError(f"{platform.node()}: {type(error).__name__}: {error}")
    mailbox.send({"kind": "failed", "error": error})


class _Calls(logging.Filter):
    """Keeps the calls of ``exchange`` out of the worker's log, of which there are several a second."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "out-of-band function" not in str(record.msg)


_calls = _Calls()


def _silence_calls() -> None:
    logging.getLogger("distributed.worker").addFilter(_calls)  # once, however often
