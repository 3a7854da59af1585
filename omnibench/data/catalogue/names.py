"""The definitions by name: all of them, one of them, and what stands behind names that mean several data sets."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from omnibench.data.catalogue.definition import Definition
from omnibench.data.catalogue.families import is_family, members_of
from omnibench.data.catalogue.parsing import definition_of
from omnibench.data.catalogue.tables import Table
from omnibench.errors import DataError, nearest

_FOLDER = Path(__file__).parent / "definitions"
_AMBIGUOUS = "ambiguous.toml"


def definitions() -> Mapping[str, Definition]:
    """Return everything that the catalogue knows, by name, in alphabetical order."""
    return _definitions()


def definition(name: str) -> Definition:
    """Return what the catalogue knows about a data set.

    Args:
        name: The name of a definition, or what exactly one of them has as an alias.

    Raises:
        DataError: There is no such name, or it means several data sets; the message has the names that come near, or the
            variants with their sizes.
    """
    entry = _entry(name)
    if entry is not None:
        return entry
    entries = definitions()
    variants = ambiguous_names().get(name, ())
    if not variants:
        variants = tuple(entry.name for entry in entries.values() if name in entry.aliases)
        if len(variants) == 1:
            return entries[variants[0]]
    if variants:
        listed = "; ".join(f"{variant} ({_size(entries[variant])})" for variant in variants)
        raise DataError(f"{name!r} means several data sets; give one of them: {listed}.")
    names = [*entries, *ambiguous_names()]
    hint = nearest(name, names) or "; definitions() has all of them."
    raise DataError(f"the catalogue of {len(entries)} data sets has none named {name!r}{hint}")


def ambiguous_names() -> Mapping[str, tuple[str, ...]]:
    """Return the names that mean several data sets, with the names of those."""
    return _ambiguous_names()


def read_definitions(path: Path) -> list[Definition]:
    """Return the definitions of a file: one, or every member of a family.

    Args:
        path: A TOML file.

    Raises:
        DataError: The file cannot be read, or a key or value of it is wrong.
    """
    values = read_toml(path)
    if not is_family(values):
        return [definition_of(values, path)]
    family = Table(values, path.name).text("family")
    return [definition_of(member, path, family) for member in members_of(values, path.name)]


def read_toml(path: Path) -> dict[str, Any]:
    """Return the keys and values of a TOML file.

    Raises:
        DataError: It cannot be read, or is no TOML.
    """
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
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
            if entry.name in by_name:
                raise DataError(
                    f"{path.name} defines {entry.name!r}, as {by_name[entry.name].file.name} does; rename one of them."
                )
            by_name[entry.name] = entry
    return MappingProxyType({name: by_name[name] for name in sorted(by_name)})


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
