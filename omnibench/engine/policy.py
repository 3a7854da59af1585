"""Policy: how a run deals with earlier runs' checkpoints, with failures, and with requests to stop."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.arguments import checked_arguments
from omnibench.errors import OmnibenchError, nearest
from omnibench.experiment.circumstances import ALL, FIXED
from omnibench.store.schema import KEEP_MODELS, MAX_ATTEMPTS, SHARED, VERIFY

if TYPE_CHECKING:  # every pytest session imports this module
    from omnibench.experiment.experiment import Experiment
    from omnibench.snapshots.control import Snapshots

RESUME = ("auto", "fresh", "require", "never")
FAILED = ("retry", "skip", "replay")
DEVICES = ("auto", "cpu", "cuda", "cuda-deterministic")
TRACK = ("rss", "gpu", "python")
FREE, IGNORE = "free", "ignore"
"""Of memory: what is free here, and no look at it at all."""


@checked_arguments
@dataclass(frozen=True)
class Policy:
    """The settings that are the same for all items of a run.

    Args:
        resume: ``auto`` goes on where earlier runs stopped; ``fresh`` computes anew and keeps the old results
            aside; ``require`` refuses to start when there is nothing to go on from; ``never`` neither reads nor
            writes a store.
        failed: What to do with items whose last attempt failed: ``retry`` them, ``skip`` them, or ``replay`` the
            recorded failure without running anything.
        max_attempts: An item whose process has died this often in a row is not tried again.
        verify: How closely files are looked at before they are used again: ``full`` (size and sha256), ``stat``
            (the sha256 only of files that somebody may have touched), ``off`` (the size).
        salt: A text that goes into every key, to disown what was computed without it.
        track: What is measured beside time: ``rss`` (peak memory), ``gpu`` (peak GPU memory), ``python`` (peak of
            what Python allocates; this makes frameworks several times slower).
        grace: Seconds that a phase in progress gets to finish when the run is asked to stop.
        timeout: Seconds after which a phase that still runs fails, or None.
        device: ``cpu``, ``cuda`` for the algorithms that can use a GPU, ``auto`` for ``cuda`` where there is one, or
            ``cuda-deterministic`` for a GPU on which the same numbers come in every run, more slowly.
        threads: How many threads compute what depends on their number: ``fixed`` for the same on every machine (1, or what
            a class says), ``all`` for as many as there are cores, or a number, then for everything. All but the usual
            number is part of the key.
        allow_network_fs: Whether the store may lie on NFS, SMB and the like.
        shared: Whether the store is a group's: ``no``, ``yes``, or ``models`` to load also the models of its other members,
            which runs what is in them; nothing for what the environment variable ``OMNIREC_SHARED`` says, else ``no``.
        snapshots: When the state of running Fits is kept, where neither plan nor benchmark says so: ``Snapshots(...)``, or a
            text such as ``10m``, ``50it`` or ``off``, which switches all of them off. By default every 5 minutes; see
            ``Snapshots.by_default``.
        keep_models: Which models are kept of items that are done: ``auto`` (small ones, and those that took longer to
            fit than a second per megabyte), ``all``, ``best`` (of each dataset and algorithm those of the best
            configuration), or ``none``. Without its model an item stays done; longer lists or other candidates fit it
            again.
        memory: What all Fits of this store may need together on a machine: ``free``, which is what machine and container
            have free; a size such as ``16GB``; or ``ignore`` for as much as they take. A Fit that is estimated to need more
            than that waits for the others, and is refused where it would not fit alone.
        reconnect: Seconds that a run on a cluster waits for a scheduler that is out of reach.

    Raises:
        OmnibenchError: A value is impossible.
    """

    resume: str = "auto"
    failed: str = "retry"
    max_attempts: int = MAX_ATTEMPTS
    verify: str = "full"
    salt: str = ""
    track: tuple[str, ...] = field(default=("rss", "gpu"))
    grace: float = 10.0
    timeout: float | None = None
    device: str = "auto"
    allow_network_fs: bool = False
    keep_models: str = "auto"
    shared: str = ""
    threads: int | str = FIXED
    snapshots: Snapshots | str | None = None
    memory: str = FREE
    reconnect: float = 300.0

    def __post_init__(self) -> None:
        for name, choices in (
            ("resume", RESUME),
            ("failed", FAILED),
            ("verify", VERIFY),
            ("device", DEVICES),
            ("keep_models", KEEP_MODELS),
            ("shared", ("", *SHARED)),
        ):
            _check_choice(name, getattr(self, name), choices)
        for measure in self.track:
            _check_choice("track", measure, TRACK)
        if type(self.max_attempts) is not int or self.max_attempts < 1:
            raise OmnibenchError(f"max_attempts is {self.max_attempts!r}; give a whole number from 1 on.")
        if self.threads not in (FIXED, ALL) and (type(self.threads) is not int or self.threads < 1):
            raise OmnibenchError(
                f"threads is {self.threads!r}; give {FIXED}, {ALL}, or how many threads compute, a whole number from 1 on."
            )
        if not self.grace >= 0:
            raise OmnibenchError(f"grace is {self.grace!r}; give seconds from 0 on.")
        if not 0 <= self.reconnect < math.inf:
            raise OmnibenchError(f"reconnect is {self.reconnect!r}; give seconds from 0 on.")
        if self.timeout is not None and not self.timeout > 0:
            raise OmnibenchError(f"timeout is {self.timeout!r}; give seconds above 0, or None for no limit.")
        if self.memory not in (FREE, IGNORE):
            _check_size(self.memory)
        if self.snapshots is not None:
            from omnibench.snapshots.control import as_snapshots  # every pytest session imports this module

            object.__setattr__(self, "snapshots", as_snapshots(self.snapshots))

    @property
    def plain(self) -> dict[str, Any]:
        """The settings as plain data, for the record of a run."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {**values, "snapshots": None if self.snapshots is None else repr(self.snapshots)}

    @property
    def memory_limit(self) -> int | None:
        """The bytes that all Fits may need together; None where no size is given."""
        from omnibench.sizes import bytes_of

        return None if self.memory in (FREE, IGNORE) else bytes_of(self.memory)

    def guest_threads(self, cores: int) -> int:
        """Return how many threads a guest has where its algorithm does not ask for another number.

        Args:
            cores: How many cores are there for it.
        """
        return self.threads if isinstance(self.threads, int) else max(1, cores)


def snapshots_for(experiment: Experiment, policy: Policy) -> Snapshots:
    """Return when the state of an experiment's Fit is kept: what is said nearest to it counts.

    That is what the plan says of its algorithm, then of all, then what the benchmark says, then the policy. Only where the
    policy has switched snapshots off, or keeps nothing of a run, none are taken, whatever the others say.

    Args:
        experiment: The experiment.
        policy: The policy of the run.
    """
    from omnibench.snapshots.control import BY_DEFAULT, OFF, as_snapshots

    of_run = as_snapshots(policy.snapshots)
    if policy.resume == "never" or (of_run is not None and of_run.is_off):
        return OFF
    if experiment.snapshots is not None:
        return experiment.snapshots
    return BY_DEFAULT if of_run is None else of_run


def check_directories(experiments: Iterable[Experiment], policy: Policy, root: Path) -> None:
    """Refuse snapshots that are to lie among a store's own files, where nobody would know them.

    Args:
        experiments: The experiments of a run.
        policy: Its policy.
        root: The store's directory.

    Raises:
        OmnibenchError: A directory of snapshots is the store's, or lies in it.
    """
    controls: dict[int, Any] = {
        id(control): control for experiment in experiments if (control := experiment.snapshots) is not None
    }
    for control in (*controls.values(), policy.snapshots):
        directory = getattr(control, "directory", None)
        if directory is not None and directory.resolve().is_relative_to(root.resolve()):
            raise OmnibenchError(
                f"the directory of snapshots, {str(directory)!r}, lies in the checkpoint directory, whose files are the store's "
                "own. Leave it out, and they lie there beside the other files of their item; or name another directory."
            )


def _check_size(text: str) -> None:
    from omnibench.sizes import bytes_of  # most runs give none

    try:
        bytes_of(text)
    except OmnibenchError as error:
        raise OmnibenchError(f"memory is {text!r}; give {FREE}, {IGNORE}, or a size such as 16GB or 512MiB.") from error


def _check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    if value not in choices:
        raise OmnibenchError(f"{name} is {value!r}{nearest(value, choices)}; choose from {', '.join(choices)}.")


def share(text: str) -> float:
    """Read a share such as ``0.01`` or ``1%``.

    Raises:
        OmnibenchError: The text says something else.
    """
    match = re.fullmatch(r"\s*((?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*(%?)\s*", text)
    if not match:
        raise OmnibenchError(f"{text!r} is no share; write e.g. 0.01 or 1%.")
    return float(match[1]) / (100 if match[2] else 1)


def tracked(text: str) -> tuple[str, ...]:
    """Read the names of memory peaks, e.g. ``rss,gpu``; ``none`` stands for no peak.

    Raises:
        OmnibenchError: A word is unknown.
    """
    words = tuple(word.strip() for word in text.split(",") if word.strip() and word.strip() != "none")
    for word in words:
        _check_choice("track", word, (*TRACK, "none"))
    return words
