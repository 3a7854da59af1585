"""Snapshots of a user's own class: by its own methods, else pickled attribute by attribute, and put together again.

A state that the class writes itself lies in a folder of the snapshot. Everything else is one graph: the attributes (without
the frames that ``fit`` is given), what the report of progress has counted, and the random states, of when ``fit`` began
and of now. ``fit`` is called again after a resume: what it does before its loop then draws as it did from the beginning.
Where it reads ``report.iteration`` to begin its loop, the random states become those of the snapshot.
"""

from __future__ import annotations

import contextlib
import difflib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from omnibench.guest import states
from omnibench.guest.base import Task
from omnibench.runners import own_attributes
from omnibench.runners.own_calls import located
from omnibench.runners.own_frames import GivenFrames
from omnibench.runners.own_locals import LocalGenerators, caller_of
from omnibench.runners.own_loops import LoopBegin, Position, position_in
from omnibench.runners.own_random_states import RandomStates
from omnibench.runners.own_report import HOW_TO_MARK, ProgressReport

SAVE, LOAD = "checkpoint_save", "checkpoint_load"
"""The methods by which a class writes its state into a directory, and takes it from there."""

RESTORE = "restore_parts"
"""The method by which a class makes anew what could not be pickled."""

NATIVE_FOLDER = "own"
"""The folder of a snapshot into which the class writes."""

AFTER_A_CHANGE = (
    "A change of the class's code helps its later Fits only: the code is part of the key, so that the changed class begins anew. "
    "Unchanged, it begins anew with --omnirec-reset=failed."
)
"""What comes of a refused snapshot."""

NO_ATTRIBUTE = (
    "what it needs after a resume has to be an attribute of the instance, or be made whatever report.iteration is"
)
"""What a class has to do whose ``fit`` lacks something after a resume."""

LOAD_FAILED = f"its {LOAD} has failed"
"""What a snapshot is said to be unusable for, where the class does not read it."""


def unpaired(algorithm: type) -> str:
    """Return what is wrong with a class that has only one of the two methods by which it is saved, or nothing.

    Args:
        algorithm: The class.
    """
    present = [method for method in (SAVE, LOAD) if callable(getattr(algorithm, method, None))]
    if len(present) != 1:
        return ""
    absent = LOAD if present == [SAVE] else SAVE
    near = difflib.get_close_matches(absent, [name for name in dir(algorithm) if name not in present], 1)
    misspelt = f" (but {near[0]})" if near else ""
    return f"has {present[0]} and no {absent}{misspelt}, so neither is called"


class FitSnapshots:
    """The snapshots of one Fit of a user's own class.

    Args:
        task: The Fit.
        algorithm: The class.
        frames: The frames that ``fit`` is given.

    Attributes:
        report: What ``fit`` reports its progress by.

    Raises:
        TypeError: The class names random states that are none.
        LookupError: They are not there.
    """

    def __init__(self, task: Task, algorithm: type, frames: GivenFrames) -> None:
        self._task, self._algorithm, self._frames = task, algorithm, frames
        task.snapshots.supplies = callable(getattr(algorithm, RESTORE, None))
        self._random_states = RandomStates(algorithm)
        self._instance: Any = None
        self._resumed: Mapping[str, Any] | None = None
        self._begin: Any = None
        self._loop_begin = LoopBegin()
        self._left_out: set[str] = set()
        self._warnings: set[str] = set()
        self._has_native = all(callable(getattr(algorithm, method, None)) for method in (SAVE, LOAD))
        self.report = ProgressReport(algorithm.__name__, task, self._mark, self._reading)
        self._locals: LocalGenerators | None = None
        self._points = 0
        self._names: tuple[dict[str, Any], dict[str, Any]] = {}, {}
        """What the snapshot that is being written holds by name only: with its arrays, and without."""

    def begin(self, construct: Callable[[], Any]) -> Any:
        """Return the instance to call ``fit`` of: a new one, or that of the snapshot that the Fit goes on from.

        Args:
            construct: Calls the constructor, with the same random states every time.

        Raises:
            UnusableSnapshotError: The snapshot cannot be read.
            RefusedSnapshotError: It lacks a part that the class does not supply.
        """
        self._random_states.reset()
        with self._task.snapshots.restoring() as directory:
            self._instance = construct() if directory is None else self._restored(directory, construct)
        return self._instance

    def run(self, fit: Callable[[], object], *, reports: bool) -> None:
        """Call ``fit``.

        Args:
            fit: Calls it with its arguments.
            reports: Whether ``report`` is one of them.

        Raises:
            UnusableSnapshotError: It does not go on from the snapshot.
        """
        name = self._algorithm.__name__
        if not reports:
            self._task.snapshots.nothing(f"{name}.fit takes no `report`; {HOW_TO_MARK}")
        elif self._task.snapshots.native_only and not self._has_native:
            problem = unpaired(self._algorithm) or f"has no {SAVE} and {LOAD}"
            self.report.end_of_marks(f"{name} {problem}, and native_only asks for them")
        elif problem := unpaired(self._algorithm):
            self._warn(f"{problem}; the instance is pickled instead")
        if self._resumed is None:
            if reports:  # else no snapshot is taken, and there is nothing to go back to
                self._begin = self._random_states.capture()
                if self.report.marks:
                    self._mark(0, None)
        else:
            self._begin = self._resumed["begin"]
            self._random_states.restore(self._resumed["now" if self._loop is None else "begin"])
        problem = self._problem_of(fit)
        if problem:
            with contextlib.suppress(Exception):  # one of its generators may be gone
                self._random_states.restore(self._begin)
            self._task.snapshots.give_up(problem, anew=True)

    def _problem_of(self, fit: Callable[[], object]) -> str:
        """Call ``fit``; return why it does not go on from the snapshot, and nothing where all is well."""
        try:
            fit()
        except (AttributeError, NameError) as error:
            if self._resumed is None or not self.report.is_first:
                raise
            return f"{self._algorithm.__name__}.fit does not go on from it: {located(error, self._algorithm)}; {NO_ATTRIBUTE}"
        except BaseException:  # what a class has made of it
            if not self.report.failure:
                raise
        return self.report.failure

    @property
    def _loop(self) -> Position | None:
        """Where the class begins its loop; None where it never reads ``report.iteration``, and counts by itself."""
        if self._resumed is None:
            return self._loop_begin.position
        position: Position | None = self._resumed["loop"]
        return position

    def _reading(self, frame: FrameType) -> None:
        """Put the random states back, where the class begins its loop."""
        if self._resumed is None:
            self._loop_begin.note(frame, before_report=self.report.is_first)
        elif self.report.is_first and position_in(frame) == self._loop:
            self.report.must_read = False
            try:
                self._random_states.restore(self._resumed["now"])
            except Exception as error:  # a generator of the user's, which is to be made later
                self.report.fail(f"cannot have its random states back ({type(error).__name__}: {error})", "")

    def _save(self, directory: Path) -> list[str]:
        """Write all that a resume needs; return the names of the attributes that could not be."""
        random_state = self._random_states.capture()
        self._names = self._shared(), {"self": self._instance, "report": self.report}
        record = {"now": random_state, "begin": self._begin, "loop": self._loop, "report": self.report.state}
        try:
            if self._has_native and self._is_saved_by_class(directory / NATIVE_FOLDER):
                states.save(directory, {**record, "way": "native"}, *self._names)
                return []
            return self._pickle(directory, record)
        finally:
            self._random_states.restore(
                random_state
            )  # whatever the class has drawn from its modules' generators meanwhile

    def _is_all_stored(self) -> bool:
        """Return whether ``fit`` draws from no generator that snapshots lack; else no points are marked any more."""
        assert self._locals is not None, "they were looked at after the iteration before"
        alone = {"self": self._instance, "report": self.report}
        drawn_from = self._locals.drawn_from(self._instance, self._shared(), alone)
        if not drawn_from:
            return True
        names = ", ".join(drawn_from)
        problem = (
            f"draws from the generator in its variable {names}, which a resume would make anew; keep it in self.{names}"
        )
        if self._resumed is not None:
            self.report.fail(problem, "")
        self.report.end_of_marks(f"{self._algorithm.__name__}.fit {problem}")
        return False

    def _is_saved_by_class(self, folder: Path) -> bool:
        """Have the class write its state; return whether it did, where it may also be pickled."""
        folder.mkdir()
        try:
            self._instance.checkpoint_save(folder)
        except (OSError, MemoryError):
            raise
        except Exception as error:  # whatever a class raises
            problem = f"has failed: {located(error, self._algorithm)}"
        else:
            problem = _problem_in(folder)
        if problem and self._task.snapshots.native_only:
            raise ValueError(f"{SAVE} {problem}")
        if problem:
            self._warn(f"{SAVE} {problem}; the instance is pickled instead")
            shutil.rmtree(folder)
        return not problem

    def _pickle(self, directory: Path, record: dict[str, Any]) -> list[str]:
        attributes = own_attributes.attributes_of(self._instance, self._algorithm)
        if attributes is None:
            shared, alone = self._names[0], {"report": self.report}
            states.save(directory, {**record, "way": "whole", "instance": self._instance}, shared, alone)
            return []
        members = attributes.named()
        left_out = {name for name in self._left_out & members.keys() if self._problem(name, members[name])}
        try:
            self._write(directory, record, attributes.without(left_out))
        except (OSError, MemoryError):
            raise
        except Exception:  # classes raise what they like when they cannot be pickled
            left_out |= {name for name, value in members.items() if self._problem(name, value)}
            self._write(directory, record, attributes.without(left_out))
        self._left_out = left_out
        return [name for name in members if name in left_out]

    def _write(self, directory: Path, record: dict[str, Any], attributes: own_attributes.Attributes) -> None:
        parts = {"way": "attributes", "members": attributes.members, "slots": attributes.slots}
        states.save(directory, {**record, **parts}, *self._names)

    def _problem(self, name: str, value: Any) -> bool:
        """Return whether an attribute cannot be pickled; the log says so once, unless the class makes it anew."""
        try:
            states.check(value, *self._names)
        except Exception as error:  # as above
            if not callable(getattr(self._algorithm, RESTORE, None)):
                self._warn(
                    f"snapshots lack its attribute {name}, which cannot be pickled ({error}). To go on from them it needs "
                    f"{RESTORE}(self, missing), which makes the attribute anew, or {SAVE}(self, directory) and {LOAD}"
                )
            return True
        return False

    def _warn(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.add(text)
            print(f"{self._algorithm.__name__}: {text}")  # noqa: T201 - into the log

    def _restored(self, directory: Path, construct: Callable[[], Any]) -> Any:
        """Return the instance of a snapshot."""
        instance = object.__new__(self._algorithm) if own_attributes.is_plain(self._algorithm) else None
        state = states.load(directory, self._shared(), {"self": instance, "report": self.report})
        if self._task.snapshots.native_only and state["way"] != "native":
            self._task.snapshots.give_up(f"the class was pickled, and native_only asks for its {SAVE}")
        self._resumed = state
        self.report.go_on(state["report"], must_read=state["loop"] is not None)
        if state["way"] == "whole":
            return state["instance"]
        if state["way"] == "native":
            constructed = construct()
            try:
                loaded = constructed.checkpoint_load(directory / NATIVE_FOLDER)
            except Exception as error:  # whatever a class raises
                self._task.snapshots.give_up(f"{LOAD_FAILED}: {located(error, self._algorithm)}")
            return loaded if isinstance(loaded, self._algorithm) else constructed
        own_attributes.put_into(instance, state["members"], state["slots"])
        self._supply(instance)
        return instance

    def _supply(self, instance: Any) -> None:
        """Have the class make anew what its snapshot lacks.

        Raises:
            RefusedSnapshotError: It does not.
        """
        manifest = self._task.snapshots.manifest or {}
        missing, name = list(manifest.get("missing", ())), self._algorithm.__name__
        if not missing:
            return
        problem = ""
        if not callable(getattr(instance, RESTORE, None)):
            problem = f"{name} has no {RESTORE}(self, missing) that makes it anew"
        else:
            try:
                instance.restore_parts([*missing])
            except Exception as error:
                problem = f"its {RESTORE} has failed: {located(error, self._algorithm)}"
        absent = [part for part in missing if not own_attributes.has(instance, part)]
        if problem or absent:
            self._task.snapshots.refuse(
                f"the snapshot lacks {', '.join(missing)} of {name}, which could not be pickled, and "
                f"{problem or f'its {RESTORE} has not set ' + ', '.join(absent)}. {AFTER_A_CHANGE}"
            )
        print(f"{name}: {RESTORE} has made {', '.join(missing)} anew, which the snapshot lacks")  # noqa: T201 - into the log

    def _mark(self, iteration: int, iterations: int | None) -> None:
        self._points += iteration > 0
        if self._points == 1:
            self._frames.release()
            self._locals = LocalGenerators(caller_of(2))
        elif self._points == 2 and not self._is_all_stored():  # noqa: PLR2004 - between the two, an iteration has drawn
            return
        self._task.snapshots.point(self._save, iteration=iteration, iterations=iterations, unit="iteration")

    def _shared(self) -> dict[str, Any]:
        return {**self._frames.shared(), **self._random_states.shared()}


def _problem_in(folder: Path) -> str:
    """Return what is wrong with what a class has written into a folder; nothing where all is well."""
    links = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink()]
    if links:  # a snapshot is moved, and a store follows no links
        return f"has written the link {links[0]!r}, and a snapshot keeps files alone"
    return "" if any(folder.iterdir()) else "has written no file into the directory that it got"
