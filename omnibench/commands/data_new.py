"""``omnibench data new``: a definition of a data set of one's own, begun from its file."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import re
import tomllib
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from omnibench.commands.data_words import exact
from omnibench.commands.parsing import say, say_text
from omnibench.data.catalogue.definition import Counts
from omnibench.data.catalogue.guesses import guess
from omnibench.data.catalogue.names import ambiguous_names, definitions
from omnibench.data.catalogue.parsing import NAME
from omnibench.data.catalogue.readers import reader_of
from omnibench.data.catalogue.written import Draft, written
from omnibench.data.describe import Description, describe
from omnibench.data.digests import file_digest
from omnibench.data.files.archives import BROKEN_MEMBERS
from omnibench.data.files.members import RawFile, members, open_member, unreadable_member
from omnibench.data.interactions import from_columns
from omnibench.data.project_files import EXAMPLE, project_definitions
from omnibench.data.readers.read import read_rows
from omnibench.data.toml_tables import Table, placeholders
from omnibench.errors import DataError
from omnibench.paths import expanded

_START = 1 << 18
"""Bytes of a file that are looked at."""

_TO_STDOUT = "-"
_COLUMNS = "reader.columns."


def data_new(arguments: argparse.Namespace) -> int:
    """Write a definition of a data set from its file, guessing format and columns; what cannot be known is marked."""
    path = expanded(arguments.file)
    if path.is_dir() or not path.exists():
        raise DataError(f"there is no file {str(path)!r}; give one of interactions, or an archive with --member.")
    name = arguments.name or _free_name(_name_of(path))
    _refuse_name(name)
    target = _target(arguments.output, name)
    draft = _draft(name, path, arguments.member, target.parent)
    text = written(draft)
    if arguments.output == _TO_STDOUT:
        say_text(text.rstrip("\n"))
        return 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise DataError(f"{target} is there already; remove it, or give another --output.") from error
    for line in _next_steps(draft, text, target):
        say(line)
    return 0


def _name_of(path: Path) -> str:
    """Return the name of a file as one of a data set: ``my-ratings.csv.gz`` is ``MyRatings``."""
    words = re.findall(r"[A-Za-z0-9]+", path.name.partition(".")[0])
    name = "".join(word[0].upper() + word[1:] for word in words)
    return name if name[:1].isalpha() else f"Set{name}"


def _free_name(name: str) -> str:
    """Return a name that the catalogue does not have."""
    return f"My{name}" if name in ambiguous_names() or name in definitions() else name


def _refuse_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise DataError(f"--name is {name!r}; give letters, digits and underscores that begin with a letter.")
    entry = definitions().get(name)
    if entry is not None or name in ambiguous_names():
        owner = f"{entry.file} defines" if entry is not None else "the catalogue has"
        raise DataError(f"{owner} {name!r} already; give another, e.g. --name My{name}.")


def _target(output: str | None, name: str) -> Path:
    """Return the file that is written: beside the project's other definitions, or in the working directory."""
    if output is not None:
        return expanded("." if output == _TO_STDOUT else output) / ("x" if output == _TO_STDOUT else "")
    project = project_definitions()
    if project is not None and project.patterns:
        candidate = project.settings.parent / Path(project.patterns[0]).parent / f"{name}.toml"
        if project.has(candidate):
            return candidate
    return Path.cwd() / f"{name}.toml"


def _draft(name: str, path: Path, patterns: Sequence[str], folder: Path) -> Draft:
    """Guess how a file is read, and read it."""
    files, start = _opened(path, patterns)
    guessed = guess(start[:_START], files[0].member or path.name, complete=len(start) <= _START)
    evidence = f"omnibench data new, {dt.datetime.now(dt.UTC).date()}"
    remarks = list(guessed.remarks)
    counts, feedback = None, ""
    if not placeholders(guessed.values):
        counts, description, problems = _read(guessed.values, files)
        remarks += problems
        if description is not None:
            feedback = "explicit" if description.ratings is not None else "implicit"
            remarks += _doubts(description)
    return Draft(
        name=name,
        path=os.path.relpath(path, folder),
        sha256=file_digest(path),
        reader=guessed.values,
        counts=counts,
        members=patterns or ([files[0].member] if files[0].member else []),
        feedback=feedback,
        remarks=remarks,
        evidence=evidence,
        samples=guessed.samples,
    )


def _opened(path: Path, patterns: Sequence[str]) -> tuple[list[RawFile], bytes]:
    """Return the files to be read, and the beginning of the first.

    Raises:
        DataError: There is no such file, it is empty, or cut off.
    """
    try:
        files = members(path, patterns)
    except DataError as error:
        raise DataError(str(error).replace("member=...", "--member NAME.")) from error
    try:
        with open_member(files[0]) as stream:
            start = stream.read(_START + 1)
    except BROKEN_MEMBERS as error:
        raise DataError(unreadable_member(files[0], error)) from error
    if not start.strip():
        raise DataError(f"{files[0].label} is empty; there is nothing to define.")
    return files, start


def _read(values: Any, files: Sequence[RawFile]) -> tuple[Counts | None, Description | None, list[str]]:
    """Return what is in the files as the guessed reader reads them; or why they cannot be read."""
    reader = reader_of(Table(values, "the guessed reader"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            rows = read_rows(reader, files)
            description = describe(from_columns(rows.columns, files[0].label))
        except DataError as error:
            return None, None, [f"It cannot be read like this yet: {' '.join(str(error).split())}"]
    counts = Counts(rows.counts.users, rows.counts.items, rows.counts.interactions)
    return counts, description, [" ".join(str(warning.message).split()) for warning in caught]


def _doubts(description: Description) -> list[str]:
    """Return what is doubtful in the data, with the line that leaves it out."""
    remarks = []
    for doubt in description.doubts:
        advice = f" If it stands for no rating: missing = [{doubt.value_text}]" if doubt.column == "rating" else ""
        remarks.append(f"The {doubt.column} {doubt.value_text} in {exact(doubt.rows)} rows {doubt.reason}.{advice}")
    return remarks


def _next_steps(draft: Draft, text: str, target: Path) -> Iterable[str]:
    """Yield what was guessed, and what is to be done until the data set can be loaded."""
    label = os.path.relpath(target)
    counts = draft.counts
    sizes = (
        f"{exact(counts.users or 0)} users, {exact(counts.items or 0)} items, {exact(counts.interactions or 0)} interactions"
        if counts is not None
        else "to be read once its columns are known"
        if draft.samples
        else "not read yet"
    )
    yield f"{label}: {draft.reader['format']}, {sizes}"
    for remark in draft.remarks:
        yield f"  check: {remark}"
    keys = placeholders(tomllib.loads(text))
    columns = [key.removeprefix(_COLUMNS) for key in keys if key.startswith(_COLUMNS)]
    if columns:
        yield f"  say which is the user, item, rating or timestamp, and delete the others: {', '.join(columns)}"
    for key in keys:
        if not key.startswith(_COLUMNS):
            yield f"  write in, or delete: {key}"
    project = project_definitions()
    if project is None or not project.has(target):
        if project is None:
            yield f'  add to pyproject.toml: [tool.omnibench] data = "{label}", or for all of a folder {EXAMPLE}'
        else:
            path = os.path.relpath(target, project.settings.parent)
            yield f'  add to [tool.omnibench] data in {project.settings}: "{path}"'
    yield f'  then: `omnibench data describe {draft.name}`, and load_dataset("{draft.name}") in a bench file'


def add_parsers(actions: Any) -> None:
    """Declare the action to argparse."""
    description = (data_new.__doc__ or "").splitlines()[0]
    parser = actions.add_parser("new", help=description, description=description)
    parser.set_defaults(run=data_new)
    parser.add_argument("file", metavar="FILE", help="a file of interactions, or an archive that has it")
    parser.add_argument("--name", help="what load_dataset calls it (default: from the file's name)")
    parser.add_argument(
        "--member", action="append", default=[], metavar="NAME", help="what is read of an archive (may be repeated)"
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="the definition's file, - for stdout (default: NAME.toml beside the project's definitions, or here)",
    )
