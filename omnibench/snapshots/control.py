"""Snapshots: how often the state of a running Fit is kept, under which names, how many, and where."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from omnibench.arguments import refuse_unknown
from omnibench.durations import seconds
from omnibench.errors import OmnibenchError
from omnibench.snapshots.names import free_name, matches, next_count
from omnibench.snapshots.values import (
    NAMING_FORMAT,
    absolute_directory,
    checked_format,
    either_name,
    interval,
    number_kept,
    truth,
    whole_interval,
)

DEFAULT_SECONDS = 300.0
OFF_TEXT = "off"
_EXAMPLES = "10m, 90s, 50it, 10m,50it or off"


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Snapshots:
    """How often the state of a running Fit is kept on disk, so that a Fit that is killed goes on from there.

    Whatever the intervals are, a snapshot is also taken when somebody asks for it, and when the run is asked to stop.
    Each argument may have the name that it has in GloMPO's CheckpointingControl.

    Args:
        every_seconds: A snapshot is taken when more seconds than these have passed since the last attempt to take one, or
            since the Fit has begun.
        every_iterations: A snapshot is taken after so many iterations since the last attempt to take one: epochs, or
            whatever a class of one's own counts.
        at_init: Whether a snapshot is taken before the first iteration.
        at_end: Whether a snapshot is taken after the last iteration; it stays when the Fit is recorded.
        keep_past: How many snapshots stay beside the newest. Older ones go when the newest is complete; with 0 all of
            them, and the newest when its Fit is recorded. With -1 all stay.
        naming_format: The names of snapshots. ``%(date)``, ``%(year)``, ``%(yr)``, ``%(month)``, ``%(day)``, ``%(time)``,
            ``%(hour)``, ``%(min)``, ``%(sec)`` and ``%(count)`` stand for the moment and a count.
        directory: Where the snapshots lie, in a folder of each item; beside the item's other files by default. A relative
            path begins in the working directory of the moment at which this object is made.
        strict: Whether a snapshot that fails makes its item fail; otherwise a warning says so, and the next one is tried
            at its time.
        native_only: Whether a class of one's own is never pickled: its ``checkpoint_save`` has to save all of it.
        checkpoint_time_frequency: GloMPO's name of ``every_seconds``.
        checkpoint_iter_frequency: GloMPO's name of ``every_iterations``.
        checkpoint_at_init: GloMPO's name of ``at_init``.
        checkpoint_at_conv: GloMPO's name of ``at_end``.
        raise_checkpoint_fail: GloMPO's name of ``strict``.
        force_task_save: GloMPO's name of ``native_only``.
        checkpointing_dir: GloMPO's name of ``directory``.

    Raises:
        OmnibenchError: A value is impossible, or stands under both of its names.
    """

    every_seconds: float
    every_iterations: float
    at_init: bool
    at_end: bool
    keep_past: int
    naming_format: str
    directory: Path | None
    strict: bool
    native_only: bool
    is_off: bool
    """Whether there are no snapshots at all, also when somebody asks for them."""
    _issued: set[str] = field(compare=False)
    """The names that ``get_name`` has returned."""

    @refuse_unknown("Snapshots(every_seconds=600)")
    def __init__(
        self,
        every_seconds: float = math.inf,
        every_iterations: float = math.inf,
        at_init: bool = False,
        at_end: bool = False,
        keep_past: int = -1,
        naming_format: str = NAMING_FORMAT,
        directory: str | os.PathLike[str] | None = None,
        strict: bool = False,
        native_only: bool = False,
        *,
        checkpoint_time_frequency: float | None = None,
        checkpoint_iter_frequency: float | None = None,
        checkpoint_at_init: bool | None = None,
        checkpoint_at_conv: bool | None = None,
        raise_checkpoint_fail: bool | None = None,
        force_task_save: bool | None = None,
        checkpointing_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        self._set(
            every_seconds=interval(
                *either_name(
                    every_seconds, math.inf, checkpoint_time_frequency, "every_seconds", "checkpoint_time_frequency"
                )
            ),
            every_iterations=whole_interval(
                *either_name(
                    every_iterations,
                    math.inf,
                    checkpoint_iter_frequency,
                    "every_iterations",
                    "checkpoint_iter_frequency",
                )
            ),
            at_init=truth(*either_name(at_init, False, checkpoint_at_init, "at_init", "checkpoint_at_init")),
            at_end=truth(*either_name(at_end, False, checkpoint_at_conv, "at_end", "checkpoint_at_conv")),
            keep_past=number_kept(keep_past),
            naming_format=checked_format(naming_format),
            directory=absolute_directory(
                *either_name(directory, None, checkpointing_dir, "directory", "checkpointing_dir")
            ),
            strict=truth(*either_name(strict, False, raise_checkpoint_fail, "strict", "raise_checkpoint_fail")),
            native_only=truth(*either_name(native_only, False, force_task_save, "native_only", "force_task_save")),
            is_off=False,
            _issued=set(),
        )

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def by_default(cls) -> Self:
        """Return what counts where nobody says anything: one every 5 minutes, which goes when its Fit is recorded."""
        return cls(DEFAULT_SECONDS, keep_past=0)

    @classmethod
    def off(cls) -> Self:
        """Return that there are no snapshots at all, also when somebody asks for them."""
        snapshots = cls(keep_past=0)
        snapshots._set(is_off=True)
        return snapshots

    @property
    def stay_after_fit(self) -> bool:
        """Whether snapshots stay when their Fit is recorded."""
        return self.keep_past != 0 or self.at_end

    @property
    def plain(self) -> dict[str, Any]:
        """What a guest has to know, as plain data: an interval that there is not is None."""
        return {
            "every_seconds": None if math.isinf(self.every_seconds) else self.every_seconds,
            "every_iterations": None if math.isinf(self.every_iterations) else int(self.every_iterations),
            "at_init": self.at_init,
            "at_end": self.at_end,
            "strict": self.strict,
            "native_only": self.native_only,
        }

    def get_name(self) -> str:
        """Return the name of a new snapshot in ``directory``, which neither lies there nor was returned earlier.

        Raises:
            OmnibenchError: All names that the format can make are taken.
        """
        name = free_name(self.naming_format, datetime.now(), self._names_in_use())  # noqa: DTZ005 - names have local times
        self._issued.add(name)
        return name

    def matches_naming_format(self, name: str) -> bool:
        """Return whether the naming format may have made a name, from its first to its last character.

        Args:
            name: The name.
        """
        return matches(self.naming_format, name)

    @property
    def count(self) -> int:
        """The count of the next name in ``directory``: the one after the largest there is, or 0."""
        return next_count(self.naming_format, self._names_in_use())

    def _names_in_use(self) -> set[str]:
        if self.directory is None or not self.directory.is_dir():
            return self._issued
        return self._issued.union(os.listdir(self.directory))

    @property
    def checkpoint_time_frequency(self) -> float:
        """GloMPO's name of ``every_seconds``."""
        return self.every_seconds

    @property
    def checkpoint_iter_frequency(self) -> float:
        """GloMPO's name of ``every_iterations``."""
        return self.every_iterations

    @property
    def checkpoint_at_init(self) -> bool:
        """GloMPO's name of ``at_init``."""
        return self.at_init

    @property
    def checkpoint_at_conv(self) -> bool:
        """GloMPO's name of ``at_end``."""
        return self.at_end

    @property
    def raise_checkpoint_fail(self) -> bool:
        """GloMPO's name of ``strict``."""
        return self.strict

    @property
    def force_task_save(self) -> bool:
        """GloMPO's name of ``native_only``."""
        return self.native_only

    @property
    def checkpointing_dir(self) -> Path | None:
        """GloMPO's name of ``directory``."""
        return self.directory

    def __repr__(self) -> str:
        if self.is_off:
            return "Snapshots.off()"
        usual = Snapshots()
        names = (entry.name for entry in fields(self) if entry.compare and entry.name != "is_off")
        return "Snapshots({})".format(
            ", ".join(
                f"{name}={str(value) if isinstance(value, Path) else value!r}"
                for name in names
                if (value := getattr(self, name)) != getattr(usual, name)
            )
        )


OFF = Snapshots.off()
BY_DEFAULT = Snapshots.by_default()
"""Made once: each Fit asks for it, and looking at so many arguments takes as long as some of them."""


def snapshots_of(text: str) -> Snapshots:
    """Read how often snapshots are taken: ``10m``, ``90s``, ``50it`` (iterations), ``10m,50it``, or ``off``.

    Like those by default, they go when their Fit is recorded.

    Raises:
        OmnibenchError: The text says something else; a number without a unit may be meant as seconds or as iterations.
    """
    words = [word.strip() for word in text.split(",")]
    if [word.lower() for word in words] == [OFF_TEXT]:
        return OFF
    every_seconds = every_iterations = math.inf
    for word in words:
        match = re.fullmatch(r"([0-9]+)\s*it", word)
        try:
            length = float(match[1]) if match else seconds(word)
        except OmnibenchError:
            raise OmnibenchError(f"{text!r} is no interval of snapshots; write e.g. {_EXAMPLES}.") from None
        if not length:
            raise OmnibenchError(f"{text!r} has an interval of 0; write e.g. {_EXAMPLES}.")
        if not match and word[-1] in "0123456789":
            counted = f", or {word}it for iterations" if word.isdecimal() else ""
            raise OmnibenchError(f"{text!r} says no unit of {word}; write {word}s for seconds{counted}.")
        if math.isfinite(every_iterations if match else every_seconds):
            raise OmnibenchError(f"{text!r} has two intervals of the same sort; write e.g. {_EXAMPLES}.")
        if match:
            every_iterations = length
        else:
            every_seconds = length
    return Snapshots(every_seconds, every_iterations, keep_past=0)


def as_snapshots(value: object, name: str = "snapshots") -> Snapshots | None:
    """Return the Snapshots that an argument stands for, or None where it says nothing.

    Args:
        value: Snapshots, a text such as ``10m``, or None.
        name: What an error calls it.

    Raises:
        OmnibenchError: It is something else.
    """
    if value is None or isinstance(value, Snapshots):
        return value
    if type(value) in (int, float):  # whose unit is as unclear as in a text
        value = str(value)
    if not isinstance(value, str):
        raise OmnibenchError(f"{name} is {value!r}; give Snapshots(...), or a text such as {_EXAMPLES}.")
    try:
        return snapshots_of(value)
    except OmnibenchError as error:
        raise OmnibenchError(f"{name}: {error}") from error
