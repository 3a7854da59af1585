"""Drives a framework that is a program: interactions as text, a command, lists as text. See "Bring your own framework".

The description, a TOML file, was checked by the host (``runners.program_file``), as was that nothing in it has changed.
"""

from __future__ import annotations

import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import folds, parts, ranked_lists
from .base import Task
from .program_commands import (
    BY_SCORE,
    CHECKPOINT,
    FIT,
    PARTS,
    PREDICT,
    RATE,
    RUN,
    ProgramError,
    filled,
    located,
    placeholders_of,
)
from .program_progress import ProgramCourse
from .program_run import RunningProgram
from .program_tables import read_lists, read_ratings, write_columns, write_part


@dataclass
class Model:
    """A fitted model.

    Attributes:
        path: The file that the program has written; None where one command fits and recommends.
        parameters: All hyperparameters in effect.
        folder: The directory that it lies in, which is removed with the model; None where it is somebody else's.
    """

    path: Path | None
    parameters: Mapping[str, Any]
    folder: tempfile.TemporaryDirectory[str] | None = None


class Program:
    """The adapter of a program.

    Args:
        path: Its description.
    """

    def __init__(self, path: Path) -> None:
        self._folder = path.parent
        self._described = tomllib.loads(path.read_text(encoding="utf-8"))

    def version(self) -> str:
        """Return an empty version: the host has asked the program for its own, which is part of the key."""
        return ""

    def catalogue(self) -> dict[str, dict[str, Any]]:
        """Return the algorithms as they are described."""
        return dict(self._described["algorithms"])

    def _of(self, algorithm: str, name: str, default: Any = None) -> Any:
        """Return what the description says for an algorithm, or for all."""
        return {**self._described, **self._described["algorithms"][algorithm]}.get(name, default)

    def _fits_apart(self, algorithm: str) -> bool:
        own = self._described["algorithms"][algorithm]
        return FIT in own or (RUN not in own and FIT in self._described)

    def fit(self, task: Task, fold: folds.Fold) -> tuple[Model, dict[str, Any]]:
        """Run the command ``fit``; where there is none, that is Predict's."""
        parameters = {**self._of(task.algorithm, "parameters", {}), **task.parameters}
        if not self._fits_apart(task.algorithm):
            task.snapshots.nothing(f"{task.algorithm} learns when it recommends")
            return Model(None, parameters), parameters
        folder = tempfile.TemporaryDirectory(prefix="model-", dir=Path.cwd())
        path = Path(folder.name, "model").absolute()
        values = {"model": path}
        if CHECKPOINT in placeholders_of(self._of(task.algorithm, FIT)):
            with tempfile.TemporaryDirectory(prefix="checkpoint-", dir=Path.cwd()) as directory:
                values[CHECKPOINT] = Path(directory).absolute()
                course = ProgramCourse(task, values[CHECKPOINT])
                course.restore()
                self._run(FIT, task, fold, parameters, values, course)
        else:
            task.snapshots.nothing(f"the command `fit` of {task.algorithm} has no {{{CHECKPOINT}}}")
            self._run(FIT, task, fold, parameters, values)
        if not path.is_file():
            wrote = "made a directory of {model}" if path.is_dir() else "written no model"
            raise ProgramError(f"the program has {wrote}; `fit` is to write a file to {{model}}, which was {path}")
        return Model(path, parameters, folder), parameters

    def save(self, model: Model, directory: Path) -> Path:
        """Copy the file that the program has written; an empty one stands for none."""
        path = directory / "model.bin"
        if model.path is None:
            path.touch()
        else:
            shutil.copyfile(model.path, path)
        return path

    def load(self, path: Path, task: Task, fold: folds.Fold) -> Model:
        """Return the model that lies at a path."""
        parameters = {**self._of(task.algorithm, "parameters", {}), **task.parameters}
        return Model(path.absolute() if self._fits_apart(task.algorithm) else None, parameters)

    def lists(
        self, model: Model, task: Task, fold: folds.Fold
    ) -> Iterator[tuple[parts.Ints, ranked_lists.RankedLists]]:
        """Run the command ``predict`` or ``run`` once for all users, and read its lists.

        Each user's has to be so long that k items are left when those that the user has seen are removed.
        """
        users = fold.users
        if len(users) == 0:
            return
        seen = np.zeros(len(users), dtype=np.int64) if fold.repeats else fold.seen_counts[users]
        lengths = np.minimum(task.k + seen, np.count_nonzero(fold.candidates)).astype(np.int32)
        with tempfile.TemporaryDirectory(prefix="lists-", dir=Path.cwd()) as folder:
            users_file, output = (Path(folder, name).absolute() for name in ("users.tsv", "lists.tsv"))
            write_columns(users_file, [users, lengths])
            values = {"users": users_file, "output": output, "k": int(lengths.max())}
            purpose = RUN
            if model.path is not None:
                purpose, values["model"] = PREDICT, model.path
            self._run(purpose, task, fold, model.parameters, values)
            order = self._of(task.algorithm, "output", BY_SCORE)
            may_be_short = self._of(task.algorithm, "short_lists", default=False)
            yield users, read_lists(output, order, users, lengths, fold.n_items, may_be_short=may_be_short)

    def rate(self, model: Model, task: Task, fold: folds.Fold) -> parts.Floats:
        """Run the command ``rate`` once for all pairs of users and items in the test part, and read its ratings."""
        user, item = fold.test.user, fold.test.item
        pairs, row = np.unique(np.stack([user, item]), axis=1, return_inverse=True)
        with tempfile.TemporaryDirectory(prefix="ratings-", dir=Path.cwd()) as folder:
            pairs_file, output = (Path(folder, name).absolute() for name in ("pairs.tsv", "ratings.tsv"))
            write_columns(pairs_file, [*pairs])
            values = {"pairs": pairs_file, "output": output}
            if model.path is not None:
                values["model"] = model.path
            self._run(RATE, task, fold, model.parameters, values)
            return read_ratings(output, *pairs)[row.ravel()]

    def _run(
        self,
        purpose: str,
        task: Task,
        fold: folds.Fold,
        parameters: Mapping[str, Any],
        values: Mapping[str, Any],
        course: ProgramCourse | None = None,
    ) -> None:
        """Run a command in a directory of its own, with the files of the parts that it asks for."""
        words = self._of(task.algorithm, purpose)
        substitutes = {
            **parameters,
            **values,
            "algorithm": task.algorithm,
            "seed": task.seed,
            "threads": task.threads,
            "device": task.device,
            "n_users": fold.n_users,
            "n_items": fold.n_items,
        }
        with tempfile.TemporaryDirectory(prefix=f"{purpose}-", dir=Path.cwd()) as folder:
            work = Path(folder).absolute()
            for name in placeholders_of(words):
                if name in PARTS and name not in substitutes:
                    substitutes[name] = work / f"{name}.tsv"
                    write_part(substitutes[name], getattr(fold, name))
            program = RunningProgram(filled(located(words, self._folder), substitutes), work)
            (course or ProgramCourse(task, None, purpose)).follow(program)
