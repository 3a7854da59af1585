"""Fits with snapshots among the faults: the runs, the commands that touch snapshots, and what must hold whatever happened."""

from __future__ import annotations

import json
import os
import signal
import socket
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest import mock

from faults import invariants, plant
from faults.children import CRASHED
from faults.plant import InProcessGuest, InProcessGuests, Work, checked
from faults.points import Points
from faults.searches import judged_dataset
from faults.walking import Walking
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.from_frame import from_frame
from omnibench.data.preprocess import CorePruning, MakeImplicit
from omnibench.data.split import UserHoldout
from omnibench.engine.attempt import Attempt
from omnibench.engine.snapshots import FitSnapshots
from omnibench.errors import GuestError
from omnibench.experiment.plan import ExperimentPlan
from omnibench.guest import snapshots as guest_snapshots
from omnibench.runners.replies import OnEpoch, OnSnapshot, Replies
from omnibench.snapshots.control import Snapshots
from omnibench.store.schema import PASSED_OVER, Record, RecordType
from omnibench.store.snapshot_files import folder_of, goes, is_intact
from omnibench.tuning.budget import RANDOM, Tuning
from omnibench.tuning.distributions import Int

KEPT = "kept"
"""The directory beside the store that takes snapshots where they lie outside of it."""


@cache
def _dataset() -> RecSysDataSet:
    split = UserHoldout(validation_size=0, test_size=0.3)
    return from_frame(plant.interactions(), "tiny").pipe(MakeImplicit(2), CorePruning(2), split)


@dataclass(frozen=True)
class FitErrand(plant.Errand):
    """A run of an algorithm that trains in eight steps, and has a snapshot after every second.

    Attributes:
        keep_past: How many older snapshots stay.
        strict: Whether a snapshot that fails fails its item.
        outside: Whether snapshots lie in a directory beside the store.
        tuned: Whether the algorithm is tuned, so that trials have snapshots.
        ends_after: The process ends when so many snapshots were recorded; 0 for never.
        guest: What goes wrong in a guest's process of its own; None where it is this process.
    """

    keep_past: int = -1
    strict: bool = False
    outside: bool = False
    tuned: bool = False
    ends_after: int = 0
    guest: Points | None = None

    @property
    def inputs(self) -> tuple[RecSysDataSet, ExperimentPlan]:
        """The dataset and the plan."""
        control = Snapshots(
            every_iterations=2,
            keep_past=self.keep_past,
            strict=self.strict,
            directory=self.root.with_name(KEPT) if self.outside else None,
            naming_format="walk_%(count)",
        )
        if self.tuned:
            plan = ExperimentPlan("walks", snapshots=control, tuning=Tuning("NDCG@5", trials=2, sampler=RANDOM))
            plan.tune(Walking, {"pull": Int(1, 90)})
            return judged_dataset(), plan
        plan = ExperimentPlan("walks", snapshots=control)
        plan.add_algorithm(Walking)
        return _dataset(), plan

    def guests(self) -> InProcessGuests:
        """Return what computes."""
        return InProcessGuests(Work(self.work)) if self.guest is None else ForkedGuests(Work(self.work), self.guest)

    def __call__(self) -> dict[str, Any]:
        """Run it; see ``plant.Errand``."""
        work, publish, recorded = Work(self.work), FitSnapshots.publish, 0

        def noted(snapshots: FitSnapshots, snapshot: dict[str, Any]) -> dict[str, Any]:
            nonlocal recorded
            answer = publish(snapshots, snapshot)
            if "name" in answer:
                recorded += 1
                key = snapshots._item.experiment.fit_key
                work.note("recorded", "snapshot", f"{key}/{snapshot['iteration']}")
                if recorded == self.ends_after:
                    os._exit(CRASHED)
            return answer

        with mock.patch.object(FitSnapshots, "publish", noted):
            return super().__call__()


class ForkedGuest(InProcessGuest):
    """A guest whose Fits run in a process of their own, in which something goes wrong while the host lives on.

    Args:
        work: Where executions are counted.
        points: What goes wrong.
    """

    def __init__(self, work: Work, points: Points) -> None:
        super().__init__(work)
        self._points = points

    def ask(
        self,
        request: Mapping[str, Any],
        *arguments: Any,
        on_epoch: OnEpoch | None = None,
        on_snapshot: OnSnapshot | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Answer a request; a Fit by a child, which may die of it."""
        if request["op"] != "fit":
            return super().ask(request, *arguments, on_epoch=on_epoch, on_snapshot=on_snapshot, **options)
        self._work.note("begin", request["op"], request["fit_key"])
        replies = Replies(on_epoch, on_snapshot)
        ours, theirs = socket.socketpair()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
            pid = os.fork()
        if pid == 0:
            ours.close()
            self._live(dict(request), theirs)
        theirs.close()
        answer: dict[str, Any] | None = None
        with ours, ours.makefile("rw") as channel:
            for line in channel:
                message = json.loads(line)
                if "progress" not in message:
                    answer = message
                elif message.get("asks"):
                    channel.write(json.dumps(replies.reply(message)) + "\n")
                    channel.flush()
                elif "snapshot" in message:
                    replies.note(message)
        os.waitpid(pid, 0)
        if answer is None:
            raise GuestError(f"the process {pid} was killed by SIGKILL", died=True)
        self._work.note("end", request["op"], request["fit_key"])
        replies.check()
        return checked(answer)

    def _live(self, request: dict[str, Any], host: socket.socket) -> None:
        """Be the child."""
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            reading, writing = host.makefile("r"), host.makefile("w")

            def send(message: dict[str, Any]) -> None:
                writing.write(json.dumps(message) + "\n")
                writing.flush()

            self._session.send = send
            self._session.receive = lambda: dict(json.loads(reading.readline()))
            self._points.plant()
            send(self._session.answer(request))
        finally:
            os._exit(0)


class ForkedGuests(InProcessGuests):
    """Stands in for ``pool.GuestPool``, with guests whose Fits are processes."""

    def __init__(self, work: Work, points: Points) -> None:
        super().__init__(work)
        self._make: Any = partial(ForkedGuest, work, points)
        self._guest = self._make()


@dataclass
class Window:
    """Which operations of a run belong to Fits, and which to the taking of snapshots.

    Attributes:
        begin: The number of operations before the first Fit.
        end: Their number after the last.
        takes: Pairs of the numbers before and after a snapshot.
    """

    begin: int = 0
    end: int = 0
    takes: list[tuple[int, int]] = field(default_factory=list)

    def in_snapshot(self, number: int) -> bool:
        """Whether an operation belongs to a snapshot that is taken."""
        return any(before < number <= after for before, after in self.takes)

    @classmethod
    def read(cls, path: Path) -> Window:
        """Return what ``watching`` has written."""
        window, begins = cls(), []
        for line in path.read_text(encoding="ascii").splitlines():
            word, number = line.split()
            if word == "fit":
                begins.append(int(number))
            elif word == "fitted":
                window.end = int(number)
            elif word == "take":
                window.takes.append((int(number), -1))
            else:
                window.takes[-1] = (window.takes[-1][0], int(number))
        window.begin = min(begins, default=0)
        return window


@contextmanager
def watching(points: Points, path: Path) -> Iterator[None]:
    """Write down the numbers of operations at which Fits and snapshots begin and end."""
    descriptor = plant._open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)

    def around(owner: type, name: str, before: str, after: str) -> Any:
        real: Callable[..., Any] = getattr(owner, name)

        def call(*arguments: Any, **options: Any) -> Any:
            plant._write(descriptor, f"{before} {points.seen}\n".encode())
            try:
                return real(*arguments, **options)
            finally:
                plant._write(descriptor, f"{after} {points.seen}\n".encode())

        return mock.patch.object(owner, name, call)

    with (
        around(Attempt, "_tune", "fit", "fitted"),
        around(Attempt, "_fit", "fit", "fitted"),
        around(guest_snapshots.Snapshots, "_take", "take", "taken"),
    ):
        yield


def facts_of(root: Path) -> dict[str, Any]:
    """Return all that must not depend on what has happened: models, predictions, series and metrics, by key."""
    facts: dict[str, Any] = {}
    for key, record in invariants.records_of(root).items():
        if RecordType.FIT.has(key):
            facts[key] = record["model"].get("sha256"), record.get("epochs")
        elif RecordType.PREDICT.has(key):
            facts[key] = record["predictions"]["sha256"]
        elif RecordType.SERIES.has(key):
            facts[key] = record["series"]
        elif RecordType.EVAL.has(key):
            facts[key] = record["value"]
        elif RecordType.TRIAL.has(key):
            facts[key] = record["parameters"], record["value"], record["status"]
    return facts


def snapshots_in(root: Path) -> dict[str, Record]:
    """Return the records of the snapshots that a Fit may go on from, by key."""
    return {key: record for key, record in invariants.records_of(root).items() if RecordType.SNAPSHOT.has(key)}


def damaged_snapshots(root: Path) -> set[str]:
    """Return the folders of snapshots that are recorded and are not what their records say, earlier generations too."""
    return {
        str(folder_of(record, root))
        for key, record in invariants.records_of(root).items()
        if "snapshot/" in key and not goes(key, record) and not is_intact(record, root)
    }


def resumes_at(root: Path) -> dict[str, int]:
    """Return the iteration of the snapshot that each Fit has to go on from, by fit key: the newest that is intact."""
    newest: dict[str, Record] = {}
    for record in snapshots_in(root).values():
        earlier = newest.get(record["fit_key"])
        counts = not record.get(PASSED_OVER) and is_intact(record, root)
        if counts and (earlier is None or earlier["number"] < record["number"]):
            newest[record["fit_key"]] = record
    return {key: int(record["iteration"]) for key, record in newest.items()}


def begins_of(root: Path) -> dict[str, int]:
    """Return from which iteration on the last attempt at each Fit has trained, by fit key."""
    return {
        record["fit_key"]: int(record["attempts"][-1]["from"]) if record.get("attempts") else 0
        for key, record in invariants.records_of(root).items()
        if RecordType.FIT.has(key)
    }


def folders_in(disk: Path, root: Path) -> set[Path]:
    """Return every folder of a snapshot, or what is left of one, inside of the store and outside."""
    inside = [path for path in root.rglob("snapshots/*") if path.is_dir()]
    outside = [path for path in (disk / KEPT).rglob("*") if path.is_dir() and any(map(Path.is_file, path.iterdir()))]
    partial = list((disk / KEPT).rglob(".partial.*"))
    outer = {folder for folder in outside if not any(parent in outside for parent in folder.parents)}
    return {*inside, *outer, *partial}


def litter_in(disk: Path, root: Path) -> set[Path]:
    """Return the folders of snapshots that no record names; those that were set aside as damaged are none."""
    named = {folder_of(record, root) for key, record in invariants.records_of(root).items() if "snapshot/" in key}
    return {folder for folder in folders_in(disk, root) - named if ".damaged-" not in folder.name}
