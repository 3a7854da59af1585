"""The definitions by name: all of them, one of them, and what stands behind names that mean several data sets."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from omnibench.data.catalogue.definition import Definition
from omnibench.data.catalogue.families import is_family, members_of
from omnibench.data.catalogue.parsing import definition_of
from omnibench.data.project_files import project_definitions
from omnibench.data.toml_tables import Table
from omnibench.errors import DataError, nearest

_FOLDER = Path(__file__).parent / "definitions"
_AMBIGUOUS = "ambiguous.toml"


class _OwnDefinitions(NamedTuple):
    """What the project defines itself.

    Attributes:
        entries: Its definitions by name.
        problems: Why others of them are none, by the name that they have, or that of their file.
    """

    entries: Mapping[str, Definition]
    problems: Mapping[str, DataError]


def definitions() -> Mapping[str, Definition]:
    """Return everything that the catalogue knows, and what the project defines itself, by name, in alphabetical order.

    Definitions of the project that are wrong are left out; see ``wrong_definitions``.
    """
    own = _own_definitions().entries
    names = sorted([*_definitions(), *own])
    return MappingProxyType({name: own[name] if name in own else _definitions()[name] for name in names})


def wrong_definitions() -> list[DataError]:
    """Return what is wrong with definitions of the project, an error for each that nobody can use."""
    return list(_own_definitions().problems.values())


def definition(name: str) -> Definition:
    """Return what the catalogue knows about a data set.

    Args:
        name: The name of a definition, or what exactly one of them has as an alias.

    Raises:
        DataError: There is no such name, or it means several data sets; the message has the names that come near, or the
            variants with their sizes. Or it is a definition of the project that is wrong.
    """
    own = _own_definitions()
    if name in own.problems:
        raise own.problems[name]
    entry = own.entries.get(name) or _entry(name)
    if entry is not None:
        return entry
    entries = definitions()
    variants = variants_of(name)
    if len(variants) == 1:
        return entries[variants[0]]
    if variants:
        listed = "; ".join(f"{variant} ({_size(entries[variant])})" for variant in variants)
        raise DataError(f"{name!r} means several data sets; give one of them: {listed}.")
    names = [*entries, *ambiguous_names()]
    hint = nearest(name, names) or "; `omnibench data list` has all of them."
    project = project_definitions()
    remark = project.remark if project else ""
    unread = " ".join(f"A definition of yours cannot be read: {error}" for error in own.problems.values())
    raise DataError(
        f"the catalogue of {len(entries)} data sets has none named {name!r}{hint}{remark}{' ' * bool(unread)}{unread}"
    )


def variants_of(name: str) -> tuple[str, ...]:
    """Return the names of the data sets that a name may mean: an alias, a name that is ambiguous, or a family.

    Args:
        name: No name of a data set.

    Returns:
        Names; none where it means nothing.
    """
    entries = definitions().values()
    return (
        ambiguous_names().get(name)
        or tuple(entry.name for entry in entries if name in entry.aliases)
        or tuple(entry.name for entry in entries if name and name == entry.family)
    )


def is_shipped(entry: Definition) -> bool:
    """Whether a definition is one of omnibench's own, and not of somebody's project."""
    return entry.file.parent == _FOLDER


def ambiguous_names() -> Mapping[str, tuple[str, ...]]:
    """Return the names that mean several data sets, with the names of those."""
    return _ambiguous_names()


def read_definitions(path: Path, *, own: bool = False) -> list[Definition]:
    """Return the definitions of a file: one, or every member of a family.

    Args:
        path: A TOML file.
        own: Whether it is one of the user's project; see ``definition_of``.

    Raises:
        DataError: The file cannot be read, or a key or value of it is wrong.
    """
    values = read_toml(path)
    if not is_family(values):
        return [definition_of(values, path, own=own)]
    label = str(path) if own else path.name
    family = Table(values, label).text("family")
    return [definition_of(member, path, family, own=own) for member in members_of(values, label)]


def read_toml(path: Path) -> dict[str, Any]:
    """Return the keys and values of a TOML file.

    Raises:
        DataError: It cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # editors of Windows begin with a mark
    except RecursionError as error:
        raise DataError(f"{path} is no definition of a data set: its tables and lists are too deep.") from error
    except (OSError, ValueError) as error:  # no TOML, no text, or a number of thousands of digits
        raise DataError(f"{path} is no definition of a data set: {error}.") from error


@functools.cache
def _entry(name: str) -> Definition | None:
    """Return the definition of a name from the one file that may have it: a run that knows its results reads no others."""
    stems = [path.stem for path in _FOLDER.glob("*.toml") if path.name != _AMBIGUOUS]
    likely = [stem for stem in stems if stem == name or name.startswith(stem.partition("_")[0])]
    for stem in sorted(likely, key=len, reverse=True):
        for entry in read_definitions(_FOLDER / f"{stem}.toml"):
            if entry.name == name:
                return entry
    return None


@functools.cache
def _definitions() -> Mapping[str, Definition]:
    by_name: dict[str, Definition] = {}
    for path in sorted(_FOLDER.glob("*.toml")):
        if path.name == _AMBIGUOUS:
            continue
        for entry in read_definitions(path):
            _add(by_name, entry)
    return MappingProxyType({name: by_name[name] for name in sorted(by_name)})


def _own_definitions() -> _OwnDefinitions:
    """Read the definitions of the project: one that is wrong, or still to be written, leaves the others as they are.

    Raises:
        DataError: The project's settings are wrong.
    """
    project = project_definitions()
    entries: dict[str, Definition] = {}
    problems: dict[str, DataError] = {}
    for path in project.files if project else []:
        stat = path.stat()
        try:
            of_file = _of_file(path, stat.st_mtime_ns, stat.st_size)
        except DataError as error:
            problems[_name_in(path)] = error
            continue
        for entry in of_file:
            try:
                _refuse_shipped_name(entry)
                _add(entries, entry)
            except DataError as error:
                problems[entry.name] = error
    return _OwnDefinitions({name: entry for name, entry in entries.items() if name not in problems}, problems)


@functools.lru_cache(maxsize=1024)
def _of_file(path: Path, _modified: int, _size: int) -> tuple[Definition, ...]:
    return tuple(read_definitions(path, own=True))


def _name_in(path: Path) -> str:
    """Return the name in a definition that cannot be read otherwise, or that of its file."""
    with suppress(DataError):
        name = read_toml(path).get("name")
        return name if isinstance(name, str) else path.stem
    return path.stem


def _add(by_name: dict[str, Definition], entry: Definition) -> None:
    """Add a definition.

    Raises:
        DataError: Another one has its name.
    """
    if entry.name in by_name:
        raise DataError(f"{entry.file} defines {entry.name!r}, as {by_name[entry.name].file} does; rename one of them.")
    by_name[entry.name] = entry


def _refuse_shipped_name(entry: Definition) -> None:
    """Refuse a definition of the project under a name of the catalogue.

    Raises:
        DataError: It has one.
    """
    if _entry(entry.name) is not None or entry.name in ambiguous_names():
        raise DataError(
            f"{entry.file} defines {entry.name!r}, a name that omnibench's catalogue has; rename it, e.g. 'My{entry.name}'."
        )


@functools.cache
def _ambiguous_names() -> Mapping[str, tuple[str, ...]]:
    path = _FOLDER / _AMBIGUOUS
    table = Table(read_toml(path), path.name)
    return MappingProxyType({name: table.texts(name) for name in table.values})


def _size(entry: Definition) -> str:
    counts = entry.counts
    if counts.interactions is None:
        return entry.title if counts.pairs is None else f"{counts.pairs:,} pairs"
    return f"{'about ' * counts.rounded}{counts.interactions:,} interactions"
