"""What a program says of its own Fit while it runs: how far it is, and that its checkpoint is complete.

It prints a line for each, on stdout or stderr: ``omnibench progress epoch=3 epochs=20 loss=0.41``, or ``omnibench checkpoint
epoch=3 epochs=20``.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from .base import Task
from .program_commands import CHECKPOINT, FIT, ProgramError
from .program_run import MARK, RunningProgram

PROGRESS = "progress"
"""The second word of a line that is about progress; the first is the mark."""

_EXAMPLE = "omnibench {} epoch=3 epochs=20{}"
_COUNTS = ("epoch", "epochs")
_LARGEST_COUNT = 2**53
"""What records can hold exactly as a number."""


class ProgramCourse:
    """The epochs of a Fit as a program tells of them; or what it tells while it does something else.

    Args:
        task: The Fit, or Predict.
        checkpoint: The directory where the program keeps its state; None where it keeps none.
        purpose: What its command is for, e.g. ``fit``.
    """

    def __init__(self, task: Task, checkpoint: Path | None, purpose: str = FIT) -> None:
        self._task, self._checkpoint, self._purpose = task, checkpoint, purpose
        self._epoch = 0
        self._complete: tuple[int, int | None] = 0, None
        """The epoch of the last checkpoint, and how many there will be, as far as that is known."""

    def restore(self) -> None:
        """Put back the files of the checkpoint that a snapshot has."""
        assert self._checkpoint is not None, "the command has a directory for it"
        snapshots = self._task.snapshots
        with snapshots.restoring() as directory:
            if directory is not None:
                assert snapshots.manifest is not None, "it was read with the directory"
                shutil.copytree(directory / CHECKPOINT, self._checkpoint, dirs_exist_ok=True)
                # A program that has nothing left to do says nothing of it.
                self._epoch = int(snapshots.manifest["iteration"])

    def follow(self, program: RunningProgram) -> None:
        """Listen to a program until it ends.

        Raises:
            ProgramError: It fails, or says what nobody can read.
        """
        with contextlib.closing(program.lines()) as lines:
            for line in lines:
                self._hear(line)
                if _is_checkpoint(line):
                    self._mark(program)
        if self._epoch:
            self._task.keep(self._epoch)

    def _hear(self, line: str) -> None:
        """Pass on progress, or note which epoch a checkpoint is of."""
        words = line.split()[1:]
        if words[:1] == [PROGRESS]:
            values = _numbers(line, words[1:])
            self._epoch = int(values.get("epoch", self._epoch))
            self._task.report(**values)
        elif _is_checkpoint(line):
            self._note_checkpoint(line, words[1:])
        else:
            raise ProgramError(
                f"the program has printed {line.strip()!r}, but behind {MARK!r} there is {PROGRESS!r} or {CHECKPOINT!r}, e.g. "
                f"{_EXAMPLE.format(PROGRESS, ' loss=0.41')!r}"
            )

    def _note_checkpoint(self, line: str, words: list[str]) -> None:
        if self._checkpoint is None:
            remedy = (
                f"its command `fit` has no {{{CHECKPOINT}}}; write it in, and have the program keep its state in that directory"
                if self._purpose == FIT
                else f"only `fit` has checkpoints, and this was `{self._purpose}`; have it print none there"
            )
            raise ProgramError(f"the program has printed {line.strip()!r}, but {remedy}")
        values = _numbers(line, words)
        if "epoch" not in values:
            raise ProgramError(
                f"the program has printed {line.strip()!r}, which does not say of which epoch; e.g. {_EXAMPLE.format(CHECKPOINT, '')!r}"
            )
        self._epoch = int(values["epoch"])
        self._complete = self._epoch, int(values["epochs"]) if "epochs" in values else None

    def _mark(self, program: RunningProgram) -> None:
        """Take a snapshot where one is due: of the last checkpoint of which the program has told when it stands still."""
        checkpoint, snapshots = self._checkpoint, self._task.snapshots
        assert checkpoint is not None, "else its line was refused"
        iteration, iterations = self._complete
        reason = snapshots.due(iteration=iteration, iterations=iterations)
        if not reason:
            return
        with contextlib.ExitStack() as pause:
            lines = pause.enter_context(program.paused())
            count = max((number for number, line in enumerate(lines, start=1) if _is_checkpoint(line)), default=0)
            for line in lines[:count]:
                self._hear(line)

            def save(directory: Path) -> None:
                shutil.copytree(checkpoint, directory / CHECKPOINT)
                pause.close()

            iteration, iterations = self._complete
            snapshots.take(save, reason, iteration=iteration, iterations=iterations)
        for line in lines[count:]:  # of an epoch that the snapshot may be without
            self._hear(line)


def _is_checkpoint(line: str) -> bool:
    return line.split()[1:2] == [CHECKPOINT]


def _numbers(line: str, words: list[str]) -> dict[str, float]:
    """Return the numbers of a line by name.

    Raises:
        ProgramError: A word is no name with a number, or a count is not a whole one from 0 to 2**53.
    """
    values: dict[str, float] = {}
    for word in words:
        name, _, text = word.partition("=")
        is_count = name in _COUNTS
        try:
            number = float(text)
            is_whole = number.is_integer() and 0 <= number < _LARGEST_COUNT
            is_readable = name.isidentifier() and (is_whole or not is_count)
        except ValueError:
            is_readable = False
        if not is_readable:
            expected = "a whole number from 0 to 2**53" if is_count else "a name with a number, such as loss=0.41"
            raise ProgramError(
                f"the program has printed {line.strip()!r}, of which {word!r} is not {expected}; e.g. "
                f"{_EXAMPLE.format(PROGRESS, ' loss=0.41')!r}"
            )
        values[name] = int(number) if is_count else number
    return values
