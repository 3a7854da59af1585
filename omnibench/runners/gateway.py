"""The host's side of a guest: start it, send it requests, notice its death, keep what it prints.

A guest is an execnet gateway over pipes: no port is opened, and it dies with its host, with all that it has started (see
``guest.supervisor``). Its stdout and stderr come through named pipes, so that the last words of a guest that crashed
are not lost.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self, cast

import execnet

from omnibench import limits, proc
from omnibench.errors import GuestError, PrunedError, SnapshotError
from omnibench.guest import forks, supervisor
from omnibench.guest.messages import packed, unpacked
from omnibench.masking import masked_bytes
from omnibench.runners.info import RunnerInfo
from omnibench.runners.log_lines import LogPipe
from omnibench.runners.replies import OnEpoch, OnSnapshot, Replies
from omnibench.runners.shared_core import SharedCore
from omnibench.runners.shortage import judged, killed, killed_for_memory, open_files
from omnibench.runners.silence import Silence
from omnibench.sizes import size_text
from omnibench.variables import SCRATCH, foreign_variables, misleading_variables

GUEST_PACKAGE = Path(__file__).parents[1] / "guest"
_TAIL_LINES = 20
_POLL_SECONDS = 1.0
_RECENT_SECONDS = 5.0
_ENDING_SECONDS = supervisor.PATIENCE + 2.0
GUEST_MARK = "OMNIBENCH_GUEST"
"""The environment variable that marks a process as a guest."""
_TAKEN = ("files", "processes", "memory")
"""Of what a failed item may have left nothing to the items after it."""

_NO_REPLIES = Replies(None)

_SUPERVISED = """
import sys
sys.argv[1:] = []
supervisor = {}
exec(open(%r, encoding="utf-8").read(), supervisor)
supervisor["supervise"](%d)
del supervisor
exec(eval(sys.stdin.readline()))
"""
"""What a guest's interpreter begins with: its supervisor parts from it, and then follows what execnet would have it do."""

_BOOTSTRAP = """
import importlib.util, sys
package, adapter = channel.receive()
spec = importlib.util.spec_from_file_location(
    "omnibench_guest", package + "/__init__.py", submodule_search_locations=[package])
sys.modules["omnibench_guest"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from omnibench_guest.base import serve
serve(channel, adapter)
"""


class Guest:
    """A running guest. Close it, or use it as a context manager.

    Args:
        runner: The framework it is for.
        python: The interpreter of the environment it runs in.
        scratch: An existing directory of its own, for the log pipes.
        work: Its working directory.
        threads: How many threads it may compute with.
        variables: Environment variables in addition to ours; see ``thread_variables.thread_variables``.
        log: Called with (``out`` or ``err``, whole lines) as the guest prints them.
        core: The core on which it waits for requests while they are small ones.

    Attributes:
        fitted: The fit key of the model that it has in memory; empty where nobody knows of one.

    Raises:
        GuestError: It does not start.
    """

    def __init__(
        self,
        runner: RunnerInfo,
        python: Path,
        scratch: Path,
        work: Path,
        threads: int,
        variables: Mapping[str, str],
        log: Callable[[str, bytes], None],
        core: SharedCore | None = None,
    ) -> None:
        self.runner = runner
        self.threads = threads
        self.fitted = ""
        self._host = os.getpid()
        self._log = log
        self._core = core or SharedCore()
        self._errors: deque[str] = deque(maxlen=_TAIL_LINES)
        self._peak = 0
        self._oom_kills, self._counted_kills = proc.oom_kills(), time.monotonic()
        self._pipes = [
            LogPipe(scratch / f"{stream}.pipe", self._ended, partial(self._keep, stream)) for stream in ("out", "err")
        ]
        # A class of the user's own is the user's code; in the user's environment it gets what it would get anywhere.
        is_isolated = python != Path(sys.executable)
        foreign = (
            foreign_variables(os.environ, isolated=is_isolated)
            if runner.distribution or is_isolated
            else misleading_variables(os.environ)
        )
        command = ["env", *(word for name in foreign for word in ("-u", name))]
        command += [f"{name}={value}" for name, value in variables.items()]
        command += ["PYTHONHASHSEED=0", f"{GUEST_MARK}=1", f"{SCRATCH}={scratch}", str(python)]
        supervised = "; ".join(_SUPERVISED.strip().splitlines()) % (supervisor.__file__, os.getpid())
        self._group = execnet.Group()
        self._gateway = self._group.makegateway(f"popen//python={shlex.join([*command, '-u', '-c', supervised])}")
        forks.withhold_gateway(self._gateway)
        self._process: Any = cast(Any, self._gateway._io).popen  # noqa: SLF001 - execnet keeps its process to itself
        self._pid: int = self._process.pid
        self._channel = self._gateway.remote_exec(_BOOTSTRAP)
        self._channel.send((str(GUEST_PACKAGE), runner.adapter))
        pipes = {stream: str(scratch / f"{stream}.pipe") for stream in ("out", "err")}
        try:
            setup = {"parent": os.getpid(), "work": str(work), "path": runner.adapter_path, **pipes}
            setup["package"] = runner.adapter_package
            self._channel.send(packed(setup))
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        """Wait until the guest has imported what it needs.

        Raises:
            GuestError: It cannot.
        """
        try:
            hello = self._receive()
        except GuestError as error:
            ended = (self._process.poll() or 0) > 0  # an interpreter that does not run; a signal is somebody else's
            if not ended:
                raise
            raise GuestError(str(error), error.details, died=True, unusable=True) from error
        self._pid = hello.get("pid", self._pid)
        if not hello["ok"]:
            is_missing = hello.get("missing", False)
            advice = (
                f". What {self.runner.adapter} imports has to stand in its requirements; `omnibench envs lock {self.runner.name}` "
                "takes them over"
                if is_missing and self.runner.is_file
                else ""
            )
            raise GuestError(
                f"{self.runner.name} does not start: {hello['error']}{advice}",
                hello["traceback"],
                unusable=is_missing and self.runner.adapter_file is None,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The guest's process id."""
        return self._pid

    @property
    def host(self) -> str:
        """The machine that it runs on; nothing, which stands for this one."""
        return ""

    @property
    def alive(self) -> bool:
        """Whether the process runs and listens."""
        return self._process.poll() is None and not self._channel.isclosed()

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
        """Send a request and wait for its answer.

        Args:
            request: Plain data with an ``op``; see ``guest.base.Session``.
            on_progress: Called with what the adapter reports while it works.
            while_waiting: Called about once a second; raising gives up (and leaves the guest in the middle of
                something: close it).
            timeout: Seconds after which the guest is killed, or None.
            on_silence: Called about once a second with the seconds since the guest's last sign of life, and whether it
                is stopped; see ``Silence``.
            on_epoch: Called with what asks the host for an answer; see ``guest.epochs``. Where it raises an exception,
                the guest ends the request, and can be asked again, before that is raised.
            on_snapshot: Called with each snapshot that the guest has written, which goes on when it returns; an exception
                ends the request as one of ``on_epoch`` does.
            limit: What ``timeout`` is in words, where no option says it, e.g. ``the 8 hours that it asked for``.

        Raises:
            GuestError: The framework raised, or the guest died.
            SnapshotError: It cannot go on from the snapshot in the request.
            PrunedError: The host has ended a Fit after one of its epochs.
        """
        if os.getpid() != self._host:
            raise GuestError(
                f"the {self.runner.name} process {self.pid} answers process {self._host}, not its children"
            )
        self._errors.clear()
        self.fitted = ""
        files_before = open_files(self.pid)
        self._peak = proc.rss_of(self.pid)  # the guest, too, forgets the peak of earlier requests
        if time.monotonic() - self._counted_kills > _RECENT_SECONDS:  # not once more for each of many small items
            self._oom_kills, self._counted_kills = proc.oom_kills(), time.monotonic()
        try:
            self._channel.send(packed({**request, "core": self._core.number}))
        except OSError as error:
            raise GuestError(self._describe_end(), self._last_words(), died=True) from error
        words = limit or f"{timeout:g} s (--omnirec-timeout)" if timeout is not None else ""
        answer = self._receive(on_progress, while_waiting, timeout, on_silence, Replies(on_epoch, on_snapshot), words)
        if "pruned" in answer:
            epoch, value = answer["pruned"]
            raise PrunedError(epoch, value, answer["history"], costs=answer)
        if "unusable" in answer:
            raise SnapshotError(answer["unusable"], anew=bool(answer.get("anew")))
        if not answer["ok"]:
            peak = f"\nIts peak memory was {answer['peak_rss'] / 2**20:.0f} MiB.\n" if answer.get("peak_rss") else ""
            details = f"{answer['traceback']}{self._last_words()}{peak}"
            disk = {"errno": answer.get("errno"), "disk": answer.get("disk", "")}
            reason, short = judged(answer["error"], answer["traceback"], self.pid, files_before)
            if not short and limits.resource_of(answer["error"], answer["traceback"]) in _TAKEN:
                self.kill()  # what this item has taken may stay taken, which would be the next item's failure
            raise GuestError(reason, details, **disk, costs=answer, short=short)
        self.fitted = str(request.get("fit_key", ""))
        return answer

    def _receive(
        self,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
        while_waiting: Callable[[], None] = lambda: None,
        timeout: float | None = None,
        on_silence: Callable[[float, bool], None] = lambda *_: None,
        replies: Replies = _NO_REPLIES,
        limit: str = "",
    ) -> dict[str, Any]:
        deadline = None if timeout is None else time.monotonic() + timeout
        silence, ended = Silence(self.pid), False
        while True:
            if deadline is not None and time.monotonic() > deadline:
                self.kill()
                reason = f"the {self.runner.name} process {self.pid} was ended because it took more than {limit}"
                raise GuestError(reason, self._last_words(), died=True, costs=self._seen_costs)
            while_waiting()
            try:
                message = unpacked(self._channel.receive(timeout=_POLL_SECONDS))
            except self._channel.TimeoutError:
                if ended:  # whoever has a copy of its pipe may keep that open for ever
                    raise self._death() from None
                ended = self._process.poll() is not None  # what it has written may still be on its way
                self._core.leave()
                self._peak = max(self._peak, proc.peak_rss_of(self.pid))
                on_silence(silence.seconds(), silence.is_stopped)
                continue
            except EOFError as error:  # its text is execnet's, about the pipe
                raise self._death() from error
            except self._channel.RemoteError as error:  # what it runs has raised; its process need not end
                details = f"{error}\n{self._last_words()}"
                reason = str(error).strip().rpartition("\n")[2]
                message = f"the {self.runner.name} process {self.pid} cannot go on: {reason}"
                raise GuestError(message, details, died=True, costs=self._seen_costs, unusable=True) from error
            silence.end()
            if "progress" not in message:
                self._catch_up()  # what it has printed meanwhile is of this request
                replies.check()
                return dict(message)
            self._hear(message, replies, on_progress)

    def _hear(
        self, message: dict[str, Any], replies: Replies, on_progress: Callable[[dict[str, Any]], None] | None
    ) -> None:
        """Hear what a guest says while it works, and answer where it asks."""
        if "snapshot" in message:
            self._catch_up()  # who goes on from it later has the lines that were printed before
        if message.get("asks"):
            with contextlib.suppress(OSError):  # it has died, as is seen in a moment
                self._channel.send(packed(replies.reply(message)))
        elif "snapshot" in message:
            replies.note(message)
        elif on_progress is not None:
            on_progress(message["progress"])

    @property
    def _seen_costs(self) -> dict[str, Any]:
        """What is known of a request's cost when the guest cannot tell any more."""
        return {"peak_rss": self._peak or None}

    def _death(self) -> GuestError:
        """Return the error of a guest that has ended by itself, or was ended by others."""
        reason, details = self._describe_end(), self._last_words().lstrip()
        is_killed = self._process.poll() == -signal.SIGKILL
        for_memory = is_killed and killed_for_memory(self._oom_kills)
        return GuestError(reason, details, died=True, costs=self._seen_costs, for_memory=for_memory)

    def _describe_end(self) -> str:
        """Describe how the guest ended, for an error."""
        with contextlib.suppress(Exception):
            self._process.wait(timeout=10)
        status = self._process.poll()
        if status is None:
            ending = "stopped answering"
        elif status < 0:
            ending = f"was killed by {signal.Signals(-status).name}"
            if -status == signal.SIGKILL:
                return f"the {self.runner.name} process {self.pid} {ending}, {killed(self._peak, self._oom_kills)}"
        else:
            ending = f"ended with exit status {status}"
        peak = f"; its peak memory was at least {size_text(self._peak)}" if self._peak else ""
        return f"the {self.runner.name} process {self.pid} {ending}{peak}"

    def _last_words(self) -> str:
        for pipe in self._pipes:
            if self._process.poll() is not None:
                pipe.join(timeout=2)
        return "\nThe last lines of its stderr:\n" + "\n".join(self._errors) if self._errors else ""

    def _keep(self, stream: str, printed: bytes) -> None:
        """Keep lines that the guest has printed."""
        lines = masked_bytes(printed)  # before anybody keeps them
        if stream == "err":
            self._errors.extend(lines.decode(errors="replace").splitlines())
        with contextlib.suppress(OSError):  # a full disk must not stop the guest
            self._log(stream, lines)

    def _catch_up(self) -> None:
        for pipe in self._pipes:
            pipe.catch_up()

    def _ended(self) -> bool:
        process = getattr(self, "_process", None)
        return process is not None and process.poll() is not None

    def close(self) -> None:
        """End the guest, gently when it listens and by SIGKILL when it does not."""
        if os.getpid() != self._host:
            return
        with contextlib.suppress(OSError):
            self._channel.close()
        self.kill()
        self._group.terminate(timeout=1)
        for pipe in self._pipes:
            pipe.join(timeout=2)

    def kill(self) -> None:
        """End the guest's process, and whatever it has started."""
        if os.getpid() != self._host or self._process.poll() is not None:
            return
        with contextlib.suppress(Exception):  # until it is reaped it would still seem to be alive
            if sys.platform == "linux":
                self._process.terminate()  # its supervisor, which ends everything before itself
                self._process.wait(timeout=_ENDING_SECONDS)
                return
        supervisor.end_all(supervisor.descendants(self._process.pid))
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)  # a guest leads its own group
        with contextlib.suppress(OSError):
            self._process.kill()
        with contextlib.suppress(Exception):
            self._process.wait(timeout=5)
