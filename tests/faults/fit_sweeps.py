"""Sweeps of snapshots: what takes, uses, forgets, chooses and removes them is disturbed at one operation after the other."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from faults import fits, invariants, plant
from faults.children import CRASHED, KILLED, Ended, run
from faults.damage import flip
from faults.points import BROKEN, CRASH, FULL, Points, operations
from faults.sweeps import Mutation, Tally, unchanged
from omnibench.commands.main import main
from omnibench.store.gc import collect
from omnibench.store.snapshot_files import folder_of

LOST = "crash, and the database is lost"
"""A kill after which nothing but the manifests is left of the records; they are rebuilt."""

GUEST = "crash of the guest"
"""A kill of the process that trains; its host lives on."""

HOWS = (CRASH, FULL, BROKEN, LOST)

FINISHED = -1

Words = Callable[[Path], list[str]]
"""Returns the words of a command, of a store's directory."""


def _nothing(_: Path) -> None:
    """Leave a store as it is."""


def damage_newest(root: Path) -> None:
    """Damage the newest snapshot."""
    newest = max(fits.snapshots_in(root).values(), key=lambda record: int(record["number"]))
    flip(next(path for path in sorted(folder_of(newest, root).iterdir()) if path.suffix == ".pkl"), 10)


def restoring(root: Path) -> list[str]:
    """Choose the oldest snapshot."""
    record = min(fits.snapshots_in(root).values(), key=lambda record: int(record["number"]))
    return ["snapshots", record["item"], "--restore", record["name"], "--store", str(root)]


def collecting(root: Path) -> list[str]:
    """Remove also what was to stay."""
    return ["gc", "--snapshots", "--store", str(root)]


def resetting(root: Path) -> list[str]:
    """Have everything computed anew."""
    return ["reset", "--yes", "--store", str(root)]


def deleting(root: Path) -> list[str]:
    """Delete everything."""
    return ["delete", "*", "--yes", "--store", str(root)]


@dataclass(frozen=True)
class Scene:
    """What is disturbed, and what there is before.

    Attributes:
        name: What to call it.
        members: The members of the runs' errands; see ``fits.FitErrand``.
        after: The run before was killed when so many snapshots were recorded; 0 for no run before, ``FINISHED`` for one
            that has come to its end.
        harm: What has happened to the store meanwhile.
        words: The command that is disturbed; None for the run itself.
    """

    name: str
    members: Mapping[str, Any] = field(default_factory=dict)
    after: int = 0
    harm: Callable[[Path], None] = _nothing
    words: Words | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def has_guest(self) -> bool:
        """Whether there is a guest that may die; a trial whose guest has died has failed for good."""
        return self.words is None and not self.members.get("tuned")


_NEWEST, _OUTSIDE = {"keep_past": 0}, {"keep_past": 0, "outside": True}
RUNS = (
    Scene("all stay"),
    Scene("the newest stays until its Fit is recorded", _NEWEST),
    Scene("outside", _OUTSIDE),
    Scene("strict", {**_NEWEST, "strict": True}),
    Scene("strict and outside", {**_OUTSIDE, "strict": True}),
    Scene("tuned", {**_NEWEST, "tuned": True}),
    Scene("tuned and outside", {**_OUTSIDE, "tuned": True}),
    Scene("going on", {}, 2),
    Scene("going on, the newest stays", _NEWEST, 2),
    Scene("going on, the newest damaged", {}, 2, damage_newest),
    Scene("going on outside", _OUTSIDE, 2),
    Scene("going on outside, the newest damaged", {"outside": True}, 2, damage_newest),
    Scene("going on, tuned", {**_NEWEST, "tuned": True}, 4),
)
COMMANDS = (
    Scene("restore", {}, 3, words=restoring),
    Scene("restore outside", {"outside": True}, 3, words=restoring),
    Scene("gc", {}, FINISHED, words=collecting),
    Scene("gc outside", {"outside": True}, FINISHED, words=collecting),
    Scene("gc of an interrupted Fit", {}, 2, damage_newest, collecting),
    Scene("reset", {}, 2, words=resetting),
    Scene("reset outside", {"outside": True}, 2, words=resetting),
    Scene("reset of a finished Fit", {}, FINISHED, words=resetting),
    Scene("reset, tuned", {"tuned": True}, 2, words=resetting),
    Scene("delete", {}, 2, words=deleting),
    Scene("delete outside", {"outside": True}, 2, words=deleting),
)
SCENES = (*RUNS, *COMMANDS)


class FitSweep:
    """One scene, and the ways in which it is disturbed.

    Args:
        scene: What is disturbed.
        directory: An empty directory of its own.
        mutation: What the disturbed run does to omnibench first.

    Attributes:
        scene: What is disturbed.
        disk: What a fault concerns: the directory of the store, and of the snapshots outside of it.
        root: The store.
        reference: What an undisturbed run comes to.
        facts: What such a run leaves; see ``fits.facts_of``.
    """

    def __init__(self, scene: Scene, directory: Path, mutation: Mutation = unchanged) -> None:
        directory.mkdir()
        self.scene, self._directory, self._mutation = scene, directory, mutation
        self.disk, self._pristine = directory / "disk", directory / "pristine"
        self.root = self.disk / "store"
        self._work, self._log, self._trail = directory / "work", directory / "log", directory / "trail"
        self._windows: dict[str, fits.Window] = {}
        self.disk.mkdir()
        undisturbed = run(self.errand, self._log)
        assert undisturbed.outcome is not None, undisturbed.error
        assert not undisturbed.outcome["failed"], undisturbed.outcome
        self.reference: dict[str, Any] = undisturbed.outcome
        self.facts = fits.facts_of(self.root)
        assert not fits.litter_in(self.disk, self.root)
        if scene.after != FINISHED:
            shutil.rmtree(self.disk)
            self.disk.mkdir()
        if scene.after > 0:
            ended = run(replace(self.errand, ends_after=scene.after), self._log)
            assert ended.status == CRASHED, ended
        if scene.after:
            scene.harm(self.root)
        self.disk.rename(self._pristine)
        self._make()
        self.already = fits.damaged_snapshots(self.root) if scene.after else set()

    @property
    def errand(self) -> fits.FitErrand:
        """The run."""
        return fits.FitErrand(self.root, self._work, **self.scene.members)

    def _make(self) -> None:
        """Make the disk what it was before."""
        shutil.rmtree(self.disk, ignore_errors=True)
        shutil.copytree(
            self._pristine, self.disk
        )  # to where it was made: records have absolute paths of what is outside
        self._work.unlink(missing_ok=True)

    def window(self, how: str) -> fits.Window:
        """Return which operations an undisturbed run has, counted as with this kind of fault."""
        if how not in self._windows:
            ended = self._disturb(self._points(0, how))
            assert ended.outcome is not None, ended.error
            if self.scene.words is None:
                self._windows[how] = fits.Window.read(self._directory / "window")
            else:
                self._windows[how] = fits.Window(0, len(operations(self._trail)))
        return self._windows[how]

    def _points(self, number: int, how: str, *, lasting: bool = False) -> Points:
        kind = CRASH if how in (LOST, GUEST) else how
        return Points(self.disk, self._trail, number, kind, lasting)

    def _disturb(self, points: Points, *, in_guest: bool = False) -> Ended:
        self._make()
        if in_guest:
            return run(replace(self.errand, guest=points), self._log)
        return run(partial(_disturbed, points, self._mutation, self._action, self._directory / "window"), self._log)

    @property
    def _action(self) -> Callable[[], dict[str, Any]]:
        words = self.scene.words
        return self.errand if words is None else partial(commanded, words(self.root))

    def point(self, number: int, how: str, *, lasting: bool = False) -> list[str] | None:
        """Try an operation.

        Returns:
            What is wrong, or None where there is no such operation.
        """
        ended = self._disturb(self._points(number, how, lasting=lasting), in_guest=how == GUEST)
        if len(operations(self._trail)) < number:
            return None
        violations = self._broken_ending(ended, number, how, lasting=lasting)
        if how == LOST and self.root.exists():
            for path in (self.root / "store").glob("cache.db*"):
                path.unlink()
            rebuilt = run(partial(commanded, ["rebuild", "--store", str(self.root)]), self._log)
            if rebuilt.outcome is None or rebuilt.outcome["status"] != 0:
                return [*violations, f"S0 the records cannot be rebuilt: {rebuilt}"]
        violations += self._broken_store()
        # Some tidy up first. A search of which no item is recorded, as after a rebuild, is of nobody: gc removes all of it.
        is_known = how != LOST or not self.errand.tuned
        if number % 2 and is_known and (self.root / "store" / "cache.db").exists():
            violations += self._broken_collection()
        return violations + self._broken_resume() + self._broken_tidiness()

    def _broken_ending(self, ended: Ended, number: int, how: str, *, lasting: bool) -> list[str]:
        """Return what is wrong with how the disturbed run or command ended."""
        if how in (CRASH, LOST):
            is_right = ended.status in (CRASHED, KILLED) and not ended.hung
            return [] if is_right else [f"S6 it should have been killed: {ended}\n{ended.error.get('details')}"]
        if self.scene.words is not None:
            is_right = ended.outcome is not None or bool(ended.error.get("expected"))
            return [] if is_right and not ended.hung else [f"S6 {ended}\n{ended.error.get('details')}"]
        violations = invariants.broken_failure(ended, self.reference)
        # As it was in this run: another may have an operation more or less before, by the clock.
        can_be = how in (FULL, BROKEN) and not lasting
        is_of_snapshot = can_be and fits.Window.read(self._directory / "window").in_snapshot(number)
        came_through = ended.outcome is not None and not ended.outcome["failed"]
        if is_of_snapshot and not self.scene.members.get("strict") and not came_through:
            violations.append(f"S7 the Fit did not go on: {ended}\n{ended.error.get('details')}")
        return violations

    def _broken_store(self) -> list[str]:
        """Return what is wrong with the store after the disturbed run, before anybody has opened it again."""
        if not (self.root / "store" / "cache.db").exists():
            return []
        try:
            records = invariants.records_of(self.root)
        except Exception as error:  # whatever it is, it must not be
            return [f"S0 the records cannot be read: {type(error).__name__}: {error}"]
        inside = {key: record for key, record in records.items() if not record.get("outside")}
        violations = [f"S1 damaged: {path}" for path in invariants.damaged_artifacts(self.root, inside)]
        bad = fits.damaged_snapshots(self.root)
        if self.already:  # they are set aside while the record is there, which goes then
            bad = {folder for folder in bad - self.already if Path(folder).exists()}
            violations = [text for text in violations if "/snapshots/" not in text]
        violations += [f"S1 a record names the snapshot {folder}, which is not so" for folder in bad]
        fitted = {record["fit_key"] for key, record in records.items() if key.startswith("fit/")}
        resumable = fits.resumes_at(self.root)
        for key in {} if self.scene.words else dict(self._recorded()):
            if key not in fitted and resumable.get(key, -1) < self._recorded()[key] and not self._is_over(key, records):
                violations.append(f"S2 the snapshot after {self._recorded()[key]} of {key[:8]} is not there any more")
        return violations

    @staticmethod
    def _is_over(key: str, records: Mapping[str, Any]) -> bool:
        """Whether a trial has ended without a model."""
        trials = [record for name, record in records.items() if name.startswith("trial/") and record["fit_key"] == key]
        return any(trial["status"] != "proposed" for trial in trials)

    def _recorded(self) -> dict[str, int]:
        """Return the last iteration that was said to be safe, by fit key."""
        keys = [key for _, key in plant.executed(self._work, "recorded")]
        return {key.partition("/")[0]: int(key.partition("/")[2]) for key in keys}

    def _broken_collection(self) -> list[str]:
        """Return what is wrong with ``omnibench gc`` right after the disturbed run."""
        resumable = fits.resumes_at(self.root)
        knows_outside = any(record.get("outside") for record in invariants.records_of(self.root).values())
        ended = run(partial(_collected, self.root), self._log)
        if ended.outcome is None:
            return [f"S5 gc does not come through: {ended}"]
        violations = [] if fits.resumes_at(self.root) == resumable else ["S2 gc has removed what a Fit goes on from"]
        left = [path.relative_to(self.disk) for path in fits.litter_in(self.disk, self.root)]
        # Before the first snapshot outside of the store nobody but the next Fit knows where that is.
        return violations + [f"S5 gc leaves {path}" for path in left if knows_outside or path.parts[0] != fits.KEPT]

    def _broken_resume(self) -> list[str]:
        """Return what is wrong with the next run, and after it."""
        is_readable = (self.root / "store" / "cache.db").exists()
        before = {record for record in fits.facts_of(self.root) if record.startswith("fit/")} if is_readable else set()
        expected = fits.resumes_at(self.root) if is_readable else None
        earlier = set(fits.begins_of(self.root).values()) if is_readable and self.errand.tuned else set()
        ended = run(replace(self.errand, failed="retry"), self._log)
        if ended.outcome is None or ended.hung or ended.outcome["failed"]:
            return [f"S3 the next run does not come through: {ended}\n{ended.error.get('details')}"]
        violations = [f"S3 {wrong}" for wrong in plant.wrong_numbers(ended.outcome, self.reference)]
        if plant.as_text(ended.outcome) != plant.as_text(self.reference):
            violations.append(f"S3 the table is another:\n{ended.outcome['table']}")
        facts = fits.facts_of(self.root)
        differing = [key for key in self.facts.keys() | facts.keys() if self.facts.get(key) != facts.get(key)]
        violations += [f"S3 {key}: {facts.get(key)} instead of {self.facts.get(key)}" for key in differing]
        for key, begin in fits.begins_of(self.root).items():
            # A tuned item takes over the model of its best trial, with the attempts at that.
            begins = {(expected or {}).get(key, 0), *earlier}
            begins |= set(expected.values()) if expected and self.errand.tuned else set()
            if expected is not None and f"fit/{key}" not in before and begin not in begins:
                violations.append(f"S4 {key[:8]} was begun after {begin}, and not after {expected.get(key, 0)}")
        violations += [
            f"S1 damaged in the end: {folder}" for folder in fits.damaged_snapshots(self.root) - self.already
        ]
        return violations + invariants.broken_agreement(self.root)

    def _broken_tidiness(self) -> list[str]:
        """Return what ``omnibench gc`` leaves lying about."""
        ended = run(partial(_collected, self.root), self._log)
        if ended.outcome is None:
            return [f"S5 gc does not come through: {ended}"]
        left = sorted(path.name for path in (self.root / "tmp").glob("*") if path.is_dir())
        violations = [f"S5 left under tmp: {left}"] if left else []
        violations += [f"S5 left: {path.relative_to(self.disk)}" for path in fits.litter_in(self.disk, self.root)]
        if self.scene.words is collecting or self.errand.keep_past == 0:
            ended = run(partial(commanded, collecting(self.root)), self._log)
            assert ended.outcome is not None, ended
            left_folders = {path for path in fits.folders_in(self.disk, self.root) if ".damaged-" not in path.name}
            violations += [f"S5 stays: {path.relative_to(self.disk)}" for path in left_folders]
        return violations

    def over(self, how: str, sample: int = 0, *, lasting: bool = False, numbers: Iterable[int] = ()) -> Tally:
        """Try operations in order.

        Args:
            how: The kind of fault.
            sample: How many, evenly spread; 0 for each.
            lasting: Whether all later operations fail, too.
            numbers: Which ones; by default those of the Fits.
        """
        tally = Tally(f"{'lasting ' if lasting else ''}{how} points, {self.scene.name}")
        if how == GUEST:
            self._disturb(self._points(0, how), in_guest=True)
            first, last = 0, len(operations(self._trail))
        else:
            window = self.window(how)
            first, last = window.begin, window.end
        step = max(1, (last - first) // sample) if sample else 1
        for number in numbers or range(first + 1 + step // 2 if sample else first + 1, last + 1, step):
            violations = self.point(number, how, lasting=lasting)
            if violations is None:
                break
            name = operations(self._trail)[number - 1]
            tally.take(f"{self.scene.name}, {'lasting ' if lasting else ''}{how} at {number} ({name})", violations)
        return tally


def commanded(words: list[str]) -> dict[str, Any]:
    """Run a command; return its exit status."""
    return {"status": main(words), "failed": {}}


def _collected(root: Path) -> dict[str, Any]:
    return {"garbage": str(collect(root)), "failed": {}}


def _disturbed(points: Points, mutation: Mutation, action: Callable[[], dict[str, Any]], path: Path) -> dict[str, Any]:
    mutation()
    points.plant()
    with fits.watching(points, path):
        return action()
