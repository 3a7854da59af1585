"""What keeps the snapshots of a Fit for a check: at every point there is, and the guest may be killed at one of them."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnibench.guest.snapshots import progress
from omnibench.snapshots.control import Snapshots


@dataclass(frozen=True, slots=True)
class KeptSnapshot:
    """A snapshot that was taken.

    Attributes:
        name: Its name.
        folder: Where it lies.
        progress: How far the Fit had come, e.g. ``epoch 3 of 4``.
        iteration: The number of finished iterations.
        iterations: How many there will be, as far as that is known.
        missing: The parts that could not be saved.
    """

    name: str
    folder: Path
    progress: str
    iteration: int
    iterations: int | None
    missing: tuple[str, ...]


@dataclass(slots=True)
class Recorder:
    """Keeps the snapshots of Fits: one between all iterations, one inside of each; see ``engine.phases.SnapshotTaker``.

    Attributes:
        directory: An empty directory.
        native_only: Whether classes are saved by their own methods alone.
        is_taking: Whether snapshots are taken.
        resumed: The snapshot that the next Fit goes on from.
        pid: The guest that is killed when it has taken a snapshot, worked on, and is at its next one; 0 for nobody.
        snapshots: The kept ones, the oldest first.
        failures: What was said of snapshots that have failed.
        nothing: Why there is nothing to take a snapshot of; empty if there is.
        was_killed: Whether the guest was.
    """

    directory: Path
    native_only: bool = False
    is_taking: bool = True
    resumed: KeptSnapshot | None = None
    pid: int = 0
    snapshots: list[KeptSnapshot] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    nothing: str = ""
    was_killed: bool = False

    @property
    def request(self) -> dict[str, Any]:
        """What the guest is asked to do."""
        (self.directory / "partial").mkdir(exist_ok=True)
        settings = Snapshots(native_only=self.native_only)
        if self.is_taking:
            settings = Snapshots(every_iterations=1, at_init=True, at_end=True, native_only=self.native_only)
        resumed = self.resumed
        resume = {} if resumed is None else {"resume": {"name": resumed.name, "directory": str(resumed.folder)}}
        paths = {name: str(self.directory / name) for name in ("partial", "ask")}
        return {**settings.plain, "directory": paths["partial"], "ask": paths["ask"], **resume}

    def hear(self) -> None:
        """Do nothing: the guest knows already."""

    def publish(self, snapshot: dict[str, Any]) -> dict[str, Any]:
        """Keep what a guest has written; or kill it, if that is due.

        Args:
            snapshot: What the guest says of it; see ``guest.snapshots``.

        Returns:
            Its ``name``.
        """
        if "nothing" in snapshot:
            self.nothing = str(snapshot["nothing"])
            return {}
        if self.pid and self.newest is not self.resumed and self.newest is not None and self.newest.iteration:
            os.kill(self.pid, signal.SIGKILL)
            self.was_killed, self.pid = True, 0
            return {}
        if not snapshot["within"]:
            (self.directory / "ask").write_text("request", encoding="utf-8")  # for one inside of the next iteration
        if "failed" in snapshot:
            self.failures.append(f"after {progress(snapshot)}: {snapshot['failed']}")
            return {"failed": snapshot["failed"]}
        name = f"snapshot_{len(self.snapshots):03}"
        folder = (self.directory / "partial" / snapshot["folder"]).rename(self.directory / name)
        counts = int(snapshot["iteration"]), snapshot["iterations"]
        self.snapshots.append(KeptSnapshot(name, folder, progress(snapshot), *counts, tuple(snapshot["missing"])))
        return {"name": name}

    @property
    def newest(self) -> KeptSnapshot | None:
        """The newest snapshot; None before the first."""
        return self.snapshots[-1] if self.snapshots else None
