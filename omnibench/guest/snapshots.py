"""Snapshots of a running Fit: the guest's side. At the points that an adapter marks, one is taken where it is due.

The guest writes the state into a folder of the host's, asks the host to publish it, and goes on when that is done. It
decides by its own clock when a snapshot is due; a file that the host makes asks for one at the next point.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from .epochs import Epochs
from .random_states import undisturbed

MANIFEST = "snapshot.json"
"""The file of a snapshot that says what it is; written after all others."""

FORMAT = 1
"""The format of snapshots; others are not read."""

SNAPSHOT_LINE = "snapshot {name} after {progress}"
"""What the log says when a snapshot was taken, e.g. of the progress ``epoch 37 of 50``."""

RESUMED_LINE = "goes on after {progress} from snapshot {name}"
"""What the log says first of a Fit that goes on from a snapshot."""

_SECONDS_BETWEEN_LOOKS = 0.001
"""The file that asks for a snapshot is looked for this often at most between iterations, of which there may be 10,000 a second."""

_SECONDS_BETWEEN_LOOKS_WITHIN = 0.05
"""The same within an iteration."""

Save = Callable[[Path], Iterable[str] | None]
"""Writes a state into a directory; returns the names of the parts that could not be saved, if there are any."""


class UnusableSnapshotError(Exception):
    """A snapshot cannot be gone on from; the host takes another, or begins anew.

    Args:
        message: Why.
        anew: Whether it is the same with all others.
    """

    def __init__(self, message: str, *, anew: bool = False) -> None:
        super().__init__(message)
        self.anew = anew


class RefusedSnapshotError(Exception):
    """A snapshot lacks a part that nobody supplies: the Fit fails, so that its user can supply it."""


class StoppedFit(BaseException):
    """Ends a Fit that the host stops after a snapshot, or whose snapshot has failed, where its user wants that; no ``Exception``, so that frameworks let it through."""


class Snapshots:
    """The snapshots of one Fit.

    Args:
        request: What the host asks for: ``directory`` (where snapshots are written), ``ask`` (the file that asks for one),
            ``every_seconds``, ``every_iterations`` (None for never), ``at_init``, ``at_end``, ``native_only``, and
            ``resume``: the ``name`` and ``directory`` of the snapshot to go on from. None where nobody can publish any.
        epochs: The epochs of the Fit, whose values belong to a snapshot.
        send: Sends a message to the host.
        receive: Waits for the host's answer to a message.
        costs: Returns what the Fit has cost in this process so far.
        printed: Why there was nothing to take a snapshot of in earlier Fits, as this process has printed it.

    Attributes:
        points: How many points there were.
        native_only: Whether classes are saved by their own methods alone.
        supplies: Whether what a snapshot lacks is made anew when a Fit goes on from it.
        manifest: What the snapshot says of itself that the Fit goes on from; None from the beginning.
    """

    def __init__(
        self,
        request: Mapping[str, Any] | None = None,
        epochs: Epochs | None = None,
        send: Callable[[dict[str, Any]], None] = lambda _: None,
        receive: Callable[[], dict[str, Any]] = dict,
        costs: Callable[[], dict[str, Any]] = dict,
        printed: set[str] | None = None,
    ) -> None:
        self.points = 0
        self.supplies = True
        self.native_only = bool(request and request.get("native_only"))
        self.manifest: dict[str, Any] | None = None
        self._is_possible = request is not None
        self._printed = set() if printed is None else printed
        self._request: Mapping[str, Any] = request or {}
        self._epochs, self._send, self._receive, self._costs = epochs, send, receive, costs
        self._every_seconds = _limit(self._request.get("every_seconds"))
        self._every_iterations = _limit(self._request.get("every_iterations"))
        self._process = os.getpid()
        self._last_iteration = 0
        self._current: tuple[int, float] | None = None
        """The number of finished iterations, and since when it has been so."""
        self._last_time, self._last_look = time.monotonic(), -math.inf
        self._failure = ""

    @property
    def are_off(self) -> bool:
        """Whether none will ever be taken, so that nothing need be prepared for one."""
        return not self._is_possible

    @contextlib.contextmanager
    def restoring(self) -> Iterator[Path | None]:
        """Yield the directory of the snapshot that the Fit goes on from, or None: it begins.

        Raises:
            UnusableSnapshotError: What was done inside has failed, or the snapshot was made with other packages.
            RefusedSnapshotError: It was refused inside.
        """
        resume = self._request.get("resume")
        if resume is None:
            yield None
            return
        directory = Path(resume["directory"])
        try:
            self.manifest = _manifest(directory)
            yield directory
        except (RefusedSnapshotError, UnusableSnapshotError):
            raise
        except Exception as error:
            raise UnusableSnapshotError(f"{type(error).__name__}: {error}") from error
        self._last_iteration = int(self.manifest["iteration"])
        if self._epochs is not None:
            self._epochs.restore(self.manifest["history"], self.manifest["series"])
        self._last_time = time.monotonic()

    def refuse(self, message: str) -> NoReturn:
        """Refuse to go on from a snapshot, inside of ``restoring``.

        Args:
            message: Which part is missing, and how to supply it.
        """
        raise RefusedSnapshotError(message)

    def give_up(self, message: str, *, anew: bool = False) -> NoReturn:
        """End a Fit that does not go on from its snapshot as it should; the host takes another, or begins anew.

        Args:
            message: What is wrong.
            anew: Whether it would be wrong with every other snapshot as well.
        """
        _print(f"does not go on from the snapshot: {message}")
        raise UnusableSnapshotError(message, anew=anew)

    def announce(self) -> None:
        """Print which snapshot the Fit goes on from, before it prints anything else."""
        resume = self._request.get("resume")
        if resume is not None:
            with contextlib.suppress(OSError, ValueError, KeyError):  # as ``restoring`` says later
                manifest = json.loads(Path(resume["directory"], MANIFEST).read_text(encoding="utf-8"))
                _print(RESUMED_LINE.format(name=resume["name"], progress=progress(manifest)))

    def nothing(self, reason: str) -> None:
        """Say that there is nothing to take a snapshot of: to the host each time, in the log once per process.

        Args:
            reason: Why, e.g. ``EASE is calculated in a single step``.
        """
        if self._is_possible:
            if reason not in self._printed:  # of a thousand small Fits the same line would be most of the log
                self._printed.add(reason)
                _print(f"nothing to snapshot: {reason}")
            self._send({"progress": {}, "snapshot": {"nothing": reason}})

    def point(
        self, save: Save, *, iteration: int, iterations: int | None = None, unit: str = "epoch", within: bool = False
    ) -> None:
        """Mark a point where a snapshot may be taken, and take it where it is due.

        The global random generators stay as they are. A snapshot that fails does not end the Fit, unless its user says so.

        Args:
            save: Writes the state.
            iteration: How many iterations are finished.
            iterations: How many there will be, as far as that is known.
            unit: What an iteration is called.
            within: Whether this is inside of the next iteration: then a snapshot is due when it is asked for, or when
                the iteration alone has taken longer than the interval.

        Raises:
            StoppedFit: It has failed, or did before, and that is to end the Fit.
        """
        reason = self.due(iteration=iteration, iterations=iterations, within=within)
        if reason:
            self.take(save, reason, iteration=iteration, iterations=iterations, unit=unit, within=within)

    def due(self, *, iteration: int, iterations: int | None = None, within: bool = False) -> str:
        """Mark a point, and return why a snapshot is due there; empty where none is. Who asked for it has asked once.

        Args:
            iteration: As for ``point``.
            iterations: As for ``point``.
            within: As for ``point``.

        Raises:
            StoppedFit: A snapshot has failed before, and that is to end the Fit.
        """
        self.points += 1
        if not self._is_possible or os.getpid() != self._process:  # nobody answers a child
            return ""
        self.end()
        moment = time.monotonic()
        if self._current is None or self._current[0] != iteration:
            self._current = iteration, moment
        return self._reason(moment, iteration, iterations, within)

    def take(
        self,
        save: Save,
        reason: str,
        *,
        iteration: int,
        iterations: int | None = None,
        unit: str = "epoch",
        within: bool = False,
    ) -> None:
        """Take a snapshot that is due, possibly of a later iteration than the point where it was.

        Args:
            save: As for ``point``.
            reason: Why it is due.
            iteration: As for ``point``.
            iterations: As for ``point``.
            unit: As for ``point``.
            within: As for ``point``.

        Raises:
            StoppedFit: It has failed, and that is to end the Fit.
        """
        self._take(save, reason, {"iteration": iteration, "iterations": iterations, "unit": unit, "within": within})
        self._last_time, self._last_iteration = time.monotonic(), iteration

    def _reason(self, moment: float, iteration: int, iterations: int | None, within: bool) -> str:
        """Return why a snapshot is due; empty where it is not."""
        if moment - self._last_look >= (_SECONDS_BETWEEN_LOOKS_WITHIN if within else _SECONDS_BETWEEN_LOOKS):
            self._last_look = moment
            reason = self._request_reason()
            if reason:
                return reason
        if within:
            assert self._current is not None, "it was set before"
            is_long = moment - max(self._last_time, self._current[1]) > self._every_seconds
            return "interval" if is_long else ""
        if iteration == 0:
            return "init" if self._request.get("at_init") and self.manifest is None else ""
        if iteration == iterations:  # what follows is the model itself
            return "end" if self._request.get("at_end") else ""
        is_late = moment - self._last_time > self._every_seconds
        return "interval" if is_late or iteration - self._last_iteration >= self._every_iterations else ""

    def _request_reason(self) -> str:
        """Return why the host asks for a snapshot, once; empty where it does not."""
        ask = self._request["ask"]
        if not os.path.exists(ask):
            return ""
        try:
            reason = Path(ask).read_text(encoding="utf-8")
            os.unlink(ask)
        except OSError:
            return ""
        return reason or "request"

    def _take(self, save: Save, reason: str, members: Mapping[str, Any]) -> None:
        began = time.perf_counter()
        directory = Path(self._request["directory"], uuid.uuid4().hex[:12])
        try:
            directory.parent.mkdir(mode=0o700, exist_ok=True)  # on a cluster it is made for the first one
            directory.mkdir(mode=0o700)
            with undisturbed():
                missing = _names_of(save(directory))
            manifest = {
                "format": FORMAT,
                **members,
                "reason": reason,
                "missing": missing,
                "unsupplied": bool(missing) and not self.supplies,
                "history": self._epochs.history if self._epochs is not None else [],
                "series": self._epochs.series if self._epochs is not None else [],
                "versions": versions(),
                "costs": self._costs(),
                "seconds": time.perf_counter() - began,
            }
            (directory / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
            snapshot = {**manifest, "folder": directory.name}
        except Exception as error:  # whatever a class of the user's raises
            shutil.rmtree(directory, ignore_errors=True)
            number = error.errno if isinstance(error, OSError) else None
            snapshot = {**members, "reason": reason, "failed": f"{type(error).__name__}: {error}", "errno": number}
        self._send({"progress": {}, "asks": True, "snapshot": snapshot})
        answer = self._receive()
        if answer.get("name"):
            _print(SNAPSHOT_LINE.format(name=answer["name"], progress=progress(members)))
        elif answer.get("failed"):
            _print(f"no snapshot after {progress(members)}: {answer['failed']}")
        if answer.get("stop"):
            self._failure = str(answer.get("failed") or "the host has ended the Fit")
            raise StoppedFit(self._failure)

    def end(self) -> None:
        """End the Fit where a snapshot has ended it, also if its framework went on after that.

        Raises:
            StoppedFit: It has.
        """
        if self._failure:
            raise StoppedFit(self._failure)


def progress(members: Mapping[str, Any]) -> str:
    """Return how far a Fit is in words, e.g. ``epoch 37 of 50``, or ``epoch 37 of 50 and a part of the next``.

    Args:
        members: ``iteration``, ``iterations``, ``unit`` and ``within`` of a snapshot.
    """
    total = f" of {members['iterations']}" if members.get("iterations") else ""
    rest = " and a part of the next" if members.get("within") else ""
    return f"{members['unit']} {members['iteration']}{total}{rest}"


def versions() -> dict[str, str]:
    """Return the versions of Python and of the imported packages that a state depends on."""
    names = ("numpy", "scipy", "torch", "lenskit", "recbole", "recpack", "sklearn", "pandas")
    modules = {name: sys.modules.get(name) for name in names}
    packages = {name: str(getattr(module, "__version__", "")) for name, module in modules.items() if module is not None}
    return {"python": platform.python_version(), **packages}


def _manifest(directory: Path) -> dict[str, Any]:
    """Return what a snapshot says of itself.

    Raises:
        UnusableSnapshotError: It was made with other versions.
    """
    manifest: dict[str, Any] = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
    if manifest["format"] != FORMAT:
        raise UnusableSnapshotError(f"its format is {manifest['format']!r}, and {FORMAT} is read here")
    installed = versions()
    for name, version in manifest["versions"].items():
        if name in installed and installed[name] != version:
            raise UnusableSnapshotError(f"it was made with {name} {version}, and {installed[name]} is installed now")
    return manifest


def _limit(value: float | None) -> float:
    return math.inf if value is None else float(value)


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - into the log


def _names_of(answer: Any) -> list[str]:
    """Return the parts that could not be saved, as whoever saves returns them.

    Raises:
        TypeError: It returned something else, such as the count that writing a file returns.
    """
    if answer is None:
        return []
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        raise TypeError(
            f"the function that saves a snapshot returned {answer!r}; return nothing, or the names of the parts that it could not save"
        )
    return list(answer)
