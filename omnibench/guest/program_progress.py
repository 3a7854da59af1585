"""What a program says of its own Fit while it runs: how far it is, and that its checkpoint is complete.

It prints a line for each, on stdout or stderr: ``omnibench progress epoch=3 epochs=20 loss=0.41``, or ``omnibench checkpoint
epoch=3 epochs=20``.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from .base import Task
from .program_commands import CHECKPOINT, ProgramError
from .program_run import RunningProgram

MARK, PROGRESS = "omnibench", "progress"
"""The first word of such a line, and the second of one that is about progress."""

_EXAMPLE = "omnibench {} epoch=3 epochs=20{}"
_COUNTS = ("epoch", "epochs")


class ProgramCourse:
    """The epochs of a Fit as a program tells of them.

    Args:
        task: The Fit.
        checkpoint: The directory where the program keeps its state; None where it keeps none.
    """

    def __init__(self, task: Task, checkpoint: Path | None) -> None:
        self._task, self._checkpoint = task, checkpoint
        self._epoch = 0

    def restore(self) -> None:
        """Put back the files of the checkpoint that a snapshot has."""
        assert self._checkpoint is not None, "the command has a directory for it"
        with self._task.snapshots.restoring() as directory:
            if directory is not None:
                shutil.copytree(directory / CHECKPOINT, self._checkpoint, dirs_exist_ok=True)

    def follow(self, program: RunningProgram) -> None:
        """Listen to a program until it ends.

        Raises:
            ProgramError: It fails, or says what nobody can read.
        """
        for line in program.lines():
            self._hear(line, program)
        if self._epoch:
            self._task.keep(self._epoch)

    def _hear(self, line: str, program: RunningProgram) -> None:
        words = line.split()
        if words[:1] != [MARK]:
            return
        if len(words) > 1 and words[1] == PROGRESS:
            values = _numbers(line, words[2:])
            self._epoch = int(values.get("epoch", self._epoch))
            self._task.report(**values)
        elif len(words) > 1 and words[1] == CHECKPOINT:
            self._mark(line, words[2:], program)
        else:
            raise ProgramError(
                f"the program has printed {line.strip()!r}, but behind {MARK!r} there is {PROGRESS!r} or {CHECKPOINT!r}, e.g. "
                f"{_EXAMPLE.format(PROGRESS, ' loss=0.41')!r}"
            )

    def _mark(self, line: str, words: list[str], program: RunningProgram) -> None:
        if self._checkpoint is None:
            raise ProgramError(
                f"the program has printed {line.strip()!r}, but its command `fit` has no {{{CHECKPOINT}}}; write it in, and have the "
                "program keep its state in that directory"
            )
        checkpoint, values = self._checkpoint, _numbers(line, words)
        if "epoch" not in values:
            raise ProgramError(
                f"the program has printed {line.strip()!r}, which does not say of which epoch; e.g. {_EXAMPLE.format(CHECKPOINT, '')!r}"
            )

        def save(directory: Path) -> None:
            with program.paused():
                shutil.copytree(checkpoint, directory / CHECKPOINT)

        total = int(values["epochs"]) if "epochs" in values else None
        self._task.snapshots.point(save, iteration=int(values["epoch"]), iterations=total)


def _numbers(line: str, words: list[str]) -> dict[str, float]:
    """Return the numbers of a line by name.

    Raises:
        ProgramError: A word is no name with a number, or a count is not a whole one.
    """
    values: dict[str, float] = {}
    for word in words:
        name, _, text = word.partition("=")
        is_count = name in _COUNTS
        try:
            number = float(text)
            is_readable = name.isidentifier() and (number.is_integer() or not is_count)
        except ValueError:
            is_readable = False
        if not is_readable:
            expected = "a whole number" if is_count else "a name with a number, such as loss=0.41"
            raise ProgramError(
                f"the program has printed {line.strip()!r}, of which {word!r} is not {expected}; e.g. "
                f"{_EXAMPLE.format(PROGRESS, ' loss=0.41')!r}"
            )
        values[name] = int(number) if is_count else number
    return values
