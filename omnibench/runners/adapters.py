"""The frameworks that are files: those of the project, and those of plugins in the user's environment.

``[tool.omnibench] runners`` of ``pyproject.toml`` names files of the project, adapters in Python and descriptions of programs; an installed package names a module of its own by
an entry point in the group ``omnibench.runners``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache, partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from omnibench.code.resolve import find_module
from omnibench.data.project_files import RUNNERS, project_files
from omnibench.errors import OmnibenchError, PlanError
from omnibench.runners.adapter_file import AdapterFile, is_adapter, read_adapter

if TYPE_CHECKING:
    from omnibench.runners.program_file import ProgramFile

GROUP = "omnibench.runners"
"""The group of entry points by which plugins bring frameworks."""


def adapter_files(
    on_broken: Callable[[OmnibenchError], None] | None = None,
) -> Iterator[AdapterFile | ProgramFile]:
    """Yield all frameworks that are files, the project's first; of two with one name the first counts.

    A file of the project that says nothing of a framework is none, for a pattern matches what lies beside adapters as well.

    Args:
        on_broken: Called with what is wrong with a framework, which is left out then; by default it is raised.

    Raises:
        OmnibenchError: What one says is wrong, or two files of the project have one name.
    """
    project = _project_files_but(on_broken)
    readers: list[Callable[[], AdapterFile | ProgramFile | None]] = [
        *(partial(_framework, path) for path in project.values()),
        *(partial(_of_plugin, name, plugin) for name, plugin in _entry_points().items() if name not in project),
    ]
    for read in readers:
        try:
            adapter = read()
        except OmnibenchError as error:
            if on_broken is None:
                raise
            on_broken(error)
            continue
        if adapter is not None:
            yield adapter


def find_adapter(name: str) -> AdapterFile | ProgramFile | None:
    """Return the framework of a name that is a file; None where there is none. Files of other names are not read.

    Raises:
        OmnibenchError: What it says is wrong.
    """
    path = _project_files().get(name)
    if path is not None:
        return _read(path)
    plugin = _entry_points().get(name)
    return None if plugin is None else _of_plugin(name, plugin)


def adapter_names(*, is_complete: bool = True) -> list[str]:
    """Return the names of all frameworks that are files.

    Args:
        is_complete: Whether all files that the project names have to be there.
    """
    ours = (name for name, path in _project_files(is_complete=is_complete).items() if _is_framework(path))
    return list(dict.fromkeys([*ours, *_entry_points()]))


def unmatched_patterns() -> str:
    """Return what to say where a name is unknown: that a pattern of the project matches no file; nothing where all do."""
    patterns = project_files(RUNNERS)
    return "" if patterns is None else patterns.remark


def _project_files_but(on_broken: Callable[[OmnibenchError], None] | None) -> dict[str, Path]:
    """Return the files of the project; where it names some that are not there, the others, and none where its settings are wrong."""
    try:
        return _project_files()
    except OmnibenchError as error:
        if on_broken is None:
            raise
        on_broken(error)
    try:
        return _project_files(is_complete=False)
    except OmnibenchError:  # which has been said
        return {}


def _framework(path: Path) -> AdapterFile | ProgramFile | None:
    """Return the framework of a file; None of one that says nothing of any."""
    return _read(path) if _is_framework(path) else None


def _is_framework(path: Path) -> bool:
    if not _describes_program(path):
        return is_adapter(path)
    from omnibench.runners.program_file import is_program  # few projects have programs

    return is_program(path)


def _read(path: Path) -> AdapterFile | ProgramFile:
    if not _describes_program(path):
        return read_adapter(path)
    from omnibench.runners.program_file import read_program  # as above

    return read_program(path)


def _describes_program(path: Path) -> bool:
    return path.suffix.lower() == ".toml"


def _project_files(*, is_complete: bool = True) -> dict[str, Path]:
    patterns = project_files(RUNNERS)
    by_name: dict[str, Path] = {}
    for path in () if patterns is None else patterns.files if is_complete else patterns.existing:
        earlier = by_name.setdefault(path.stem, path)
        if earlier != path:
            raise PlanError(f"{earlier} and {path} are both a framework named {path.stem!r}; rename a file.")
    return by_name


@lru_cache(maxsize=1)
def _entry_points() -> dict[str, metadata.EntryPoint]:
    """Return the entry points of installed plugins, by the name of the framework."""
    return {point.name: point for point in metadata.entry_points(group=GROUP)}


def _of_plugin(name: str, plugin: metadata.EntryPoint) -> AdapterFile:
    package = "an installed package" if plugin.dist is None else f"the installed package {plugin.dist.name}"
    found = find_module(plugin.module)
    if found.name != plugin.module or found.file is None or not found.has_source:
        raise PlanError(
            f"{package} has the framework {name!r} in its module {plugin.module}, which is not there; install it anew, or remove it."
        )
    remark = f" The framework {name!r} comes with {package}: update or remove that."
    try:
        return replace(read_adapter(found.file, name), remark=remark)
    except PlanError as error:
        raise PlanError(f"{error}{remark}") from error
