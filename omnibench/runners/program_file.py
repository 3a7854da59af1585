"""The description of a framework that is a program, in whatever language: a TOML file with its commands.

The page "Bring your own framework" says what may stand in it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibench.data.toml_tables import Table
from omnibench.errors import DataError, nearest
from omnibench.guest.program_commands import (
    AS_WRITTEN,
    BY_RANK,
    BY_SCORE,
    FIT,
    NEEDED,
    PLACEHOLDERS,
    PREDICT,
    RATE,
    RUN,
    VERSION,
    files_in,
    placeholders_of,
    program_path,
)
from omnibench.runners.described import check_algorithms
from omnibench.runners.program_runner import ProgramRunner

_VERSION = 1
_COMMANDS = (FIT, PREDICT, RUN, RATE)
_OF_ALL = (VERSION, "files", "algorithms")
_EITHER = (*_COMMANDS, "output", "short_lists")
"""What a description says for all algorithms, or for one."""

_OF_ALGORITHM = ("parameters", "deterministic", "threads", "memory", "gpu", "validation", "history", "epochs")
_TOGETHER = ([FIT, PREDICT], [FIT, PREDICT, RATE], [FIT, RATE], [RUN], [RUN, RATE], [RATE])
"""Which commands make an algorithm."""

_EXAMPLE = 'fit = ["./als", "{train}", "{model}"] and predict = ["./als", "{model}", "{users}", "{output}"]'


@dataclass(frozen=True, slots=True)
class ProgramFile:
    """What the description of a program says.

    Attributes:
        path: The file.
        name: What plans call the framework: the file's name without ``.toml``.
        version: Its version, where it is stated.
        version_command: The command that prints it, where there is one.
        algorithms: What is said of its algorithms; see ``RunnerInfo.algorithms``.
        files: The files that tell one build of it from another, with their names in the description.
    """

    path: Path
    name: str
    version: str
    version_command: tuple[str, ...]
    algorithms: Mapping[str, Mapping[str, Any]]
    files: tuple[tuple[str, Path], ...]

    is_locked = True
    """Nothing of a program's is installed by omnibench, so that there is nothing to lock."""

    @property
    def remark(self) -> str:
        """Nothing: programs come with no package."""
        return ""

    def runner(self) -> ProgramRunner:
        """Return the framework, ready to run."""
        return ProgramRunner(
            name=self.name,
            distribution=self.name,
            adapter=str(self.path),
            adapter_version=_VERSION,
            algorithms=self.algorithms,
            adapter_file=self.path,
            stated_version=self.version,
            version_command=self.version_command,
            files=self.files,
        )


def is_program(path: Path) -> bool:
    """Return whether a TOML file describes a program: a pattern may match settings that lie beside it."""
    try:
        return "algorithms" in tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True  # whoever reads it as a description says what is wrong with it


def read_program(path: Path) -> ProgramFile:
    """Read the description of a program.

    Raises:
        OmnibenchError: It cannot be read, something in it is missing or wrong, or a program of it is not there.
    """
    path = path.absolute()
    if not path.stem.isidentifier():
        raise DataError(
            f"a framework cannot be named {path.stem!r}; name its file as Python names things, e.g. my_program.toml."
        )
    try:
        top = Table(tomllib.loads(path.read_text(encoding="utf-8")), str(path))
    except (OSError, ValueError) as error:
        raise DataError(f"the description {path} cannot be read ({error}); check the path, or the line.") from error
    top.check_keys((*_OF_ALL, *_EITHER), required=["algorithms"])
    if not top.table("algorithms").values:
        raise top.error("it has no algorithm; add a table for each, e.g. [algorithms.ALS].")
    commands: list[tuple[str, ...]] = []
    algorithms = {}
    for name in top.table("algorithms").values:
        if not name.isidentifier():
            raise top.error(f"an algorithm cannot be named {name!r}; give a name as Python has them, e.g. ALS.")
        own = Table(top.table("algorithms").get(name, dict, {}), f"{path}, {name}")
        own.check_keys((*_OF_ALGORITHM, *_EITHER))
        together = Table({**_shared(top, own), **own.values}, own.label)
        commands += _checked_commands(together, path.parent)
        algorithms[name] = {key: own.values[key] for key in _OF_ALGORITHM if key in own.values}
        if RATE in together.values:
            algorithms[name] |= {"ratings": True, "ranking": bool({PREDICT, RUN} & together.values.keys())}
    check_algorithms(path.stem, algorithms)
    version, version_command = _version(top)
    if version_command:
        _check_program(top, VERSION, version_command, path.parent)
        commands.append(version_command)
    files = _files(top, commands, path.parent)
    if not version and not version_command and not _is_of_project(commands, path.parent):
        raise top.error(
            "it does not say the version of the program, which is part of every key; give the command that prints it, e.g. version "
            '= ["als", "--version"], or a text, e.g. version = "1.2".'
        )
    return ProgramFile(path, path.stem, version, version_command, algorithms, files)


def _shared(top: Table, own: Table) -> dict[str, Any]:
    """Return what all algorithms have in common; one that says how it runs takes no other way to run from there."""
    replaced = [FIT, PREDICT] if RUN in own.values else [RUN] if {FIT, PREDICT} & own.values.keys() else []
    return {key: top.values[key] for key in _EITHER if key in top.values and key not in replaced}


def _checked_commands(algorithm: Table, folder: Path) -> list[tuple[str, ...]]:
    """Return the commands of an algorithm.

    Raises:
        DataError: One is missing, names no program, or asks for what it does not get.
    """
    if "output" in algorithm.values:
        algorithm.choice("output", (BY_SCORE, BY_RANK, AS_WRITTEN))
    algorithm.get("short_lists", bool, default=False)
    purposes = [purpose for purpose in _COMMANDS if purpose in algorithm.values]
    if purposes not in _TOGETHER:
        has = f"it has {' and '.join(purposes)}" if purposes else "it has no command"
        raise algorithm.error(
            f"{has}; give {_EXAMPLE}, or one command {RUN} that does both. {RATE} rates, beside these or instead of lists."
        )
    parameters = algorithm.table("parameters").values
    _check_parameters(algorithm, parameters)
    used: set[str] = set()
    commands = []
    for purpose in purposes:
        words = algorithm.texts(purpose)
        _check_program(algorithm, purpose, words, folder)
        used |= _checked_placeholders(algorithm, purpose, words, parameters)
        commands.append(words)
    unused = [name for name in parameters if name not in used]
    if unused:
        raise algorithm.error(
            f"no command has the hyperparameter {unused[0]!r}, so that its value would change nothing; write {{{unused[0]}}} into one."
        )
    return commands


def _check_parameters(algorithm: Table, parameters: Mapping[str, Any]) -> None:
    reserved = {name for names in PLACEHOLDERS.values() for name in names}
    for name, default in parameters.items():
        if not name.isidentifier() or name in reserved:
            raise algorithm.error(
                f"a hyperparameter cannot be named {name!r}, as placeholders are; choose another name."
            )
        if not isinstance(default, bool | int | float | str):
            raise algorithm.error(f"the hyperparameter {name} is {default!r}; give a number, a text, or true or false.")


def _checked_placeholders(
    algorithm: Table, purpose: str, words: Sequence[str], parameters: Mapping[str, Any]
) -> set[str]:
    try:
        names = placeholders_of(words)
    except ValueError as error:
        raise algorithm.error(f"{purpose}: {error}.") from None
    valid = [*PLACEHOLDERS[purpose], *parameters]
    for name in names:
        if name not in valid:
            raise algorithm.error(f"{purpose} has {{{name}}}{nearest(name, valid)}; there are {', '.join(valid)}.")
    if purpose == RATE and "model" in names and FIT not in algorithm.values:
        raise algorithm.error(f"{RATE} has {{model}}, but no {FIT} writes one; add a command {FIT}, or read {{train}}.")
    missing = [name for name in NEEDED[purpose] if name not in names]
    if missing:
        raise algorithm.error(f"{purpose} has no {{{missing[0]}}}, without which it has nothing to do; add it.")
    return set(names)


def _check_program(table: Table, key: str, words: Sequence[str], folder: Path) -> None:
    """Refuse a command whose program is not there."""
    if not words:
        raise table.error(f"{key} is empty; give the program and its arguments, e.g. {_EXAMPLE}.")
    if program_path(words[0], folder) is not None:
        return
    local = folder / words[0]
    if local.is_file():
        raise table.error(
            f'{key}: {local} cannot be executed; `chmod +x` it, or begin with what runs it, e.g. ["Rscript", ...].'
        )
    raise table.error(
        f"{key}: there is no program {words[0]!r} in {folder} or on the PATH; build or install it, or correct the name."
    )


def _version(top: Table) -> tuple[str, tuple[str, ...]]:
    value = top.values.get(VERSION, "")
    if isinstance(value, str):
        return (top.text(VERSION) if VERSION in top.values else ""), ()
    words = top.texts(VERSION)
    if not words:
        raise top.error(f'version is {value!r}; give a text, or the command that prints it, e.g. ["als", "--version"].')
    return "", words


def _files(top: Table, commands: Sequence[Sequence[str]], folder: Path) -> tuple[tuple[str, Path], ...]:
    """Return the files whose contents are part of the key: those that commands name, and those that the description adds."""
    named = {(word, file) for words in commands for word, file in files_in(words, folder) if file is not None}
    for name in top.texts("files"):
        if not (folder / name).is_file():
            raise top.error(f"files has {name!r}, but there is no such file in {folder}; correct the name.")
        named.add((name, folder / name))
    return tuple(sorted(named))


def _is_of_project(commands: Sequence[Sequence[str]], folder: Path) -> bool:
    """Whether each program is a file beside the description, which tells one build from another."""
    return all(files_in(words[:1], folder)[0][1] is not None for words in commands)
